"""The monitor watches itself: which probes report, whose canaries are silent, whether anybody sees anything."""

from typing import NamedTuple

from collector.verdicts.samples import canaries
from sereno.clock import SECOND_US
from sereno.topology.model import Topology
from sereno.wire import Result

_HOLD_US = 10 * SECOND_US


class Word(NamedTuple):
    """Something to say of a probe or of the monitor: (kind, name, what), state, since, reason."""

    kind: str
    name: str
    what: str
    state: str
    since_us: int
    reason: str | None


class _Probe:
    __slots__ = ("arrived_us", "before", "blind_us", "dead", "hold_us", "offline_us", "outside")

    def __init__(self, *, outside: bool) -> None:
        self.arrived_us = 0
        self.hold_us = 0
        self.offline_us: int | None = None
        self.blind_us: int | None = None  # since when every canary is silent with nothing else answering
        self.dead: dict[str, int] = {}  # canary -> times in a row without an answer
        self.before: dict[str, int] = {}  # the same, before everything fell silent
        self.outside = outside

    def heard(self, answers: dict[str, bool], arrived_us: int) -> None:
        """What the canaries said beside a failure. One time of silence of them all counts once."""
        silent = not any(answers.values())
        if silent and self.blind_us is not None:
            return
        if silent:
            self.blind_us, self.before = arrived_us, dict(self.dead)
        else:
            self.sees(arrived_us)
        for name, answered in answers.items():
            self.dead[name] = 0 if answered else self.dead.get(name, 0) + 1

    def sees(self, arrived_us: int) -> bool:
        """Somebody answered; true when nobody had before.

        What lasted more than an interval was the probe's own network: no canary can be blamed for that.
        """
        if self.blind_us is None:
            return False
        if arrived_us - self.blind_us > self.hold_us * 2 // 5:
            self.dead = self.before
        self.blind_us = None
        return True


class ProbeWatch:
    """States of probes and of the monitor, from arrivals, status messages and canaries."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._probes = {name: _Probe(outside=probe.vantage == "outside") for name, probe in topology.probes.items()}

    @property
    def names(self) -> list[str]:
        return list(self._probes)

    def arrived(self, result: Result, arrived_us: int, hold_us: int) -> bool:
        """A result of a probe came in; true when there may be something new to say of it."""
        probe = self._probes.get(result.probe) or self._probe(result.probe)
        again = arrived_us == probe.arrived_us and hold_us >= probe.hold_us > 0
        if again and result.outcome == "ok" and probe.offline_us is None and probe.blind_us is None:
            return False  # one of many that came together
        back = arrived_us >= probe.arrived_us + probe.hold_us or probe.offline_us is not None
        probe.arrived_us = max(probe.arrived_us, arrived_us)
        probe.hold_us = min(probe.hold_us or hold_us, hold_us)
        if result.outcome == "ok":
            return probe.sees(arrived_us) or back
        answers = canaries(result.evidence)
        if answers:
            probe.heard(answers, arrived_us)
        return back or bool(answers)

    def status(self, name: str, state: str, at_us: int) -> None:
        """A probe's own word, or its last will."""
        probe = self._probe(name)
        probe.offline_us = at_us if state == "offline" else None
        if state == "online" and not probe.arrived_us:
            probe.arrived_us, probe.hold_us = at_us, _HOLD_US

    def words(self, now_us: int) -> list[Word]:
        """What is to be said now of every probe seen, and of the monitor."""
        found: list[Word] = []
        for name, probe in self._probes.items():
            state, since, reason = self._state(probe, now_us)
            found.append(Word("probe", name, "verdict", state, since, reason))
            lost = state in {"down", "degraded"}
            found.append(Word("probe", name, "probe_lost", "true" if lost else "false", since, reason))
            bad = [canary for canary, times in probe.dead.items() if times > 1]
            fault = bool(bad) and probe.blind_us is None
            found.append(
                Word("probe", name, "canary_fault", "true" if fault else "false", now_us, bad[0] if fault else None)
            )
        outside = [probe for probe in self._probes.values() if probe.outside]
        seen = [probe.arrived_us for probe in outside if probe.arrived_us]
        blind = bool(seen) and not any(self._state(probe, now_us)[0] == "up" for probe in outside)
        since = max(seen, default=now_us)
        name = self._topology.service
        found.append(Word("monitor", name, "monitor_blind", "true" if blind else "false", since, "no_witness"))
        return found

    def due_us(self) -> int | None:
        """When a probe's silence will be too long."""
        dues = [probe.arrived_us + probe.hold_us for probe in self._probes.values() if probe.arrived_us]
        return min(dues, default=None)

    def next_after(self, now_us: int) -> int | None:
        """The first of those dues that is still to come."""
        dues = [probe.arrived_us + probe.hold_us for probe in self._probes.values() if probe.arrived_us]
        return min((due for due in dues if due > now_us), default=None)

    def _probe(self, name: str) -> _Probe:
        found = self._probes.get(name)
        if found is None:
            found = self._probes[name] = _Probe(outside=True)
        return found

    @staticmethod
    def _state(probe: _Probe, now_us: int) -> tuple[str, int, str | None]:
        if probe.offline_us is not None and probe.arrived_us <= probe.offline_us:
            return "down", probe.offline_us, "offline"
        if not probe.arrived_us:
            return "unknown", 0, "no_data"
        if now_us >= probe.arrived_us + probe.hold_us:
            return "down", probe.arrived_us, "silent"
        if probe.blind_us is not None:
            return "degraded", probe.blind_us, "canaries"
        return "up", probe.arrived_us, None
