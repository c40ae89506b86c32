"""The same as `take`, in memory: for a replay, which has no store."""

from collections.abc import Callable

import msgspec

from alerting.external.read import Heard, Reading, change_of, is_echo_of, named
from sereno.alertmanager import Told
from sereno.incident import Element
from sereno.verdict import Change


class Gathered:
    """Alerts heard so far, by cause and fingerprint."""

    def __init__(self, reading: Reading, known: Callable[[Element], bool]) -> None:
        self._reading, self._known = reading, known
        self._heard: dict[str, dict[str, Told]] = {}
        self._said: dict[str, tuple[str, bytes]] = {}

    def take(self, told: Told, at_us: int) -> Change | None:
        """What it changes of its cause; None where it is no news."""
        name = named(told, self._reading.element(told.labels))
        alerts = self._heard.setdefault(name, {})
        before = alerts.get(told.fingerprint)
        if told.starts_us == 0:  # nobody said when it began: it goes on, or it began now
            again = before is None or (before.status == "resolved" and told.status == "firing")
            starts_us = at_us if again or before is None else before.starts_us
            told = msgspec.structs.replace(told, starts_us=starts_us)
        if before is not None and _place(told) < _place(before):
            return None  # a later start of it is known, or its end
        alerts[told.fingerprint] = told
        heard = [Heard(told=one, status=one.status, since_us=one.since_us) for one in alerts.values()]
        echo = all(is_echo_of(self._reading, one.told, self._known) for one in heard)
        change = change_of(name, heard, self._reading, at_us, echo=echo)
        said = (change.state, msgspec.json.encode(change.facts))
        last = self._said.get(name)
        if last == said or (last is None and change.state == "false"):
            return None
        self._said[name] = said
        return change


def _place(told: Told) -> tuple[int, bool]:
    return told.starts_us, told.status == "resolved"
