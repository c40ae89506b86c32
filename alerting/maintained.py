"""Announced work silences the alarms of what it covers: verdicts say so themselves, findings are held back here.

A finding on a covered element reaches its alarm as `maintenance`, of which nobody can say whether it is good or bad:
nothing fires, nothing clears. When the work is over, what was said last counts again, from then on.
"""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from alerting.causes import Key
from sereno.incident import Element
from sereno.verdict import VERDICT, Change

MAINTENANCE = "maintenance"
_ALONE = frozenset({"account", "probe", "monitor", "channel"})  # no announced work covers these


class Maintained:
    """The elements under announced work, and the findings that it holds back."""

    def __init__(self) -> None:
        self.elements: set[Element] = set()

    def restore(self, world: Iterable[Change]) -> None:
        self.elements = {
            Element(said.kind, said.name) for said in world if said.what == VERDICT and said.state == MAINTENANCE
        }

    def heard(self, change: Change, world: Mapping[Key, Change]) -> list[Change]:
        """The change as the alarms hear it, and the findings that it silences or lets speak."""
        if change.what != VERDICT:
            return [_silenced(change) if covering(change) in self.elements else change]
        element = Element(change.kind, change.name)
        if (change.state == MAINTENANCE) == (element in self.elements):
            return [change]
        found = [said for said in world.values() if said.what != VERDICT and covering(said) == element]
        if change.state == MAINTENANCE:
            self.elements.add(element)
            return [change, *(_silenced(said) for said in found)]
        self.elements.remove(element)
        since_us = change.since_us or change.at_us
        return [
            change,
            *(replace(said, at_us=change.at_us, since_us=max(said.since_us, since_us)) for said in found),
        ]  # fmt: skip


def covering(finding: Change) -> Element | None:
    """The element whose announced work silences a finding."""
    if finding.kind in _ALONE:
        return None
    if finding.kind == "network":
        return Element("sbc", finding.name.partition("/")[0])
    named = finding.facts.get("element") if finding.kind == "external" else None
    if isinstance(named, Mapping):
        return Element(str(named.get("kind")), str(named.get("name")))
    return Element(finding.kind, finding.name)


def _silenced(finding: Change) -> Change:
    return replace(finding, state=MAINTENANCE)
