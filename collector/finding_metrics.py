"""What is said of elements beside their verdicts, as series: `sereno_finding`, 1 while it is true.

Alarms of findings, and of measures that no other series has, are rendered over it (docs/metrics.md). A series begins
when something is first said, so that a system that is well has none.
"""

from collections.abc import Iterator

from collector.exposition.catalogue import CATALOGUE
from collector.exposition.families import Family, Values
from collector.exposition.names import GAUGES, Names, Spare

_SPARE_WORDS = 256  # findings, and threshold alarms by their names
_SPARE_NAMES = 16  # of a kind: channels, which the desk's file names, and parts of the monitor
_VALUES = {"true": 1, "false": 0}


class Findings:
    """Feed it whatever is said; it keeps what is of the topology."""

    def __init__(self, names: Names) -> None:
        self._family = Values(CATALOGUE["sereno_finding"])
        self._known = frozenset({*names.elements(), *_more(names)})
        self._word = Spare((), _SPARE_WORDS)
        self._spare = {kind: Spare((), _SPARE_NAMES) for kind in ("channel", "monitor")}

    def families(self) -> Iterator[Family]:
        yield self._family

    def say(self, kind: str, name: str, what: str, state: str) -> None:
        """One word on an element; what is no finding, or of nothing that is watched, is left out."""
        value = _VALUES.get(state)
        if value is None or not self._counts(kind, name):
            return
        if self._family.find(kind, name, what) is None and (not value or len(self._family) >= GAUGES):
            return  # nothing was ever wrong with it, or there are too many
        word = self._word(what)
        if word == what:
            self._family.child(kind, name, what).value = value

    def _counts(self, kind: str, name: str) -> bool:
        if (kind, name) in self._known:
            return True
        spare = self._spare.get(kind)
        return spare is not None and spare(name) == name


def _more(names: Names) -> Iterator[tuple[str, str]]:
    """Elements without a verdict that things are said of."""
    topology = names.topology
    if topology is None:
        return
    yield "monitor", topology.service
    networks = {probe.network for probe in topology.probes.values()}
    for network in networks:
        yield "network", network
        for sbc in topology.sbcs:
            yield "network", f"{sbc}/{network}"
    for account in topology.accounts:
        yield "account", account
