"""Recorded lines through the same machines as live: the engine by arrival, the ledger by `at`. Pure.

A result arrives at its `at` plus its `duration_seconds` (or `answered_after_seconds`), at its `at` where neither was
recorded, at `arrived` where the line says so; `since` is always the first failed sample, and decisions are made at
arrivals.
"""

import heapq
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise

from msgspec.structs import replace

from collector.availability import Book, figures
from collector.engine import Engine, counted_planes
from collector.exclusion import Exclusions, promised
from collector.ledger.blocks import Basis
from collector.ledger.fold import Fold, Interval, joined
from collector.ledger.pour import Pour
from collector.spending import Tally
from collector.stream import AlertTold, Cancel, Heal, IncidentAct, Isolate, Line, Maintenance, ProbeState
from collector.verdicts.marks import Span
from collector.verdicts.overlay import Coverage, active
from collector.verdicts.samples import span_us
from sereno.alarms import Alarms
from sereno.availability import Figures, Scope
from sereno.clock import SECOND_US, parse_instant
from sereno.contract import Contract
from sereno.errors import ConfigError
from sereno.store.queries.ledger import TopologyInForce
from sereno.topology.model import Topology
from sereno.verdict import Change, MaintenanceWindow
from sereno.wire import Result

_FAR_US = 2**62
_LOOK_US = SECOND_US // 2  # a result that changes nothing makes nothing fall due sooner: a series is heard for 10 s

Listener = Callable[[list[Change], int], None]  # what changed, decided at
Act = Callable[[IncidentAct | AlertTold, int, str], None]  # what the desk is told: an act, an alert; its FILE:LINE
Due = Callable[[], int | None]


class Replay:
    """One run over a recording."""

    def __init__(
        self,
        topology: Topology,
        contracts: Mapping[str, Contract],
        start_us: int,
        listener: Listener,
        act: Act,
        due: Due,
        alarms: Alarms | None = None,
    ) -> None:
        self.topology, self.contracts = topology, contracts
        self.engine = Engine(topology, contracts, start_us, alarms)
        self.engine.marks.spans = []
        self._tally = Tally(topology, contracts)
        self.fold = Fold(topology, counted_planes(topology, contracts, start_us))
        # Versions of contracts that count other planes, from their dates on.
        self._changes = Basis([TopologyInForce(0, topology)], contracts).changes(start_us + 1, _FAR_US)
        self.windows: list[MaintenanceWindow] = []
        self.pour = Pour(topology, self.fold, start_us)
        self.start_us = start_us
        self.now_us = start_us
        self._listener, self._act, self._due = listener, act, due
        self._flying: list[tuple[int, int, Line]] = []  # sent, not arrived yet
        self._count = 0
        self._wake_us = 0  # nothing falls due before

    def run(
        self, lines: Iterable[Line], until_us: int | None = None, progress: Callable[[int], None] | None = None
    ) -> None:
        """Every line, then the clock on to `until_us`."""
        fold, flying = self.fold, self._flying
        for line in lines:
            while flying and flying[0][0] < line.at_us:
                self._arrive()
            self._count += 1
            if self._changes and self._changes[0].from_us <= line.at_us:
                self._rewire(line.at_us)
            if isinstance(line.item, Result):
                arrival = line.arrived_us if line.arrived_us is not None else _arrival(line.item, line.at_us)
                self.pour.sent(line.item, line.at_us, line.arrived_us)
                fold.add(line.item, line.at_us)
                heapq.heappush(flying, (arrival, self._count, line))
            else:
                while flying and flying[0][0] <= line.at_us:
                    self._arrive()
                self._clock(line.at_us)
                self._event(line)
            if progress is not None and self._count % 20_000 == 0:
                progress(self._count)
        while flying:
            self._arrive()
        self._clock(max(until_us or 0, self.now_us, self.pour.due_us() or 0))
        self._rewire(self.now_us)

    def _rewire(self, to_us: int) -> None:
        while self._changes and self._changes[0].from_us <= to_us:
            part = self._changes.pop(0)
            self.fold.rewire(part.from_us, part.topology, part.planes)
            self.pour.rewire(part.from_us, part.topology, part.planes)

    def _arrive(self) -> None:
        """What arrives at one instant is decided together, as a batch is."""
        flying, batch = self._flying, []
        arrived = flying[0][0]
        self._clock(arrived)
        while flying and flying[0][0] == arrived:
            _, _, line = heapq.heappop(flying)
            if isinstance(line.item, Result):
                if line.arrived_us is not None:
                    self._wake_us = 0
                    self.pour.arrived(line.item, line.at_us, arrived)
                batch.append((line.item, line.at_us))
        self._hear(self.engine.feed_all(batch, arrived), arrived)

    def _clock(self, to_us: int) -> None:
        """Time passes: whatever falls due on the way is decided at its own instant."""
        if to_us < self._wake_us:
            self.now_us = max(self.now_us, to_us)
            return
        while True:
            dues = (self.engine.next_due_us(), self._due(), self.pour.due_us(), self._tally.due_us)
            due = min((due for due in dues if due is not None), default=None)
            if due is None or due > to_us:
                break
            due = max(due, self.now_us)
            self.now_us = due
            changes = self.engine.tick(due)
            past_us = self.pour.due_us()
            if past_us is not None and past_us <= due:
                changes += self.pour.look(due, self.windows)
            self._hear(changes, due, always=True)
        self.now_us = max(self.now_us, to_us)
        self._wake_us = min(self.now_us + _LOOK_US, due if due is not None else self.now_us + _LOOK_US)

    def _hear(self, changes: list[Change], at_us: int, *, always: bool = False) -> None:
        if changes:
            self._tally.take(changes, at_us)
        changes = [*changes, *self._tally.look(at_us, self.windows)]
        if changes or always:
            self._wake_us = 0
            self._listener(changes, at_us)

    def _event(self, line: Line) -> None:
        event, at_us = line.item, line.at_us
        self._wake_us = 0
        if isinstance(event, Maintenance):
            window = MaintenanceWindow(
                scope_kind=event.scope.kind,
                scope_name=event.scope.name or self.topology.service,
                from_us=parse_instant(event.from_),
                to_us=parse_instant(event.to),
                announced_us=parse_instant(event.announced),
                critical_fix=event.critical_fix,
            )
            self.windows.append(window)
            self._hear(self.engine.maintenance(window, at_us), at_us)
        elif isinstance(event, ProbeState):
            self._hear(self.engine.probe_event(event.probe, event.state, at_us), at_us)
        elif isinstance(event, Isolate):
            self._hear(self.engine.isolate(event.sbc, at_us), at_us)
        elif isinstance(event, Heal):
            self._hear(self.engine.heal(event.sbc, at_us), at_us)
        elif isinstance(event, IncidentAct | AlertTold):
            self._act(event, at_us, f"{line.where}:{line.number}")
        elif isinstance(event, Cancel):
            self._cancel(event, at_us, f"{line.where}:{line.number}")

    def _cancel(self, event: Cancel, at_us: int, where: str) -> None:
        """Announced work is called off; what of it was done already stays."""
        scope = (event.scope.kind, event.scope.name or self.topology.service)
        wanted = (*scope, parse_instant(event.from_), parse_instant(event.to))
        found = [one for one in self.windows if (one.scope_kind, one.scope_name, one.from_us, one.to_us) == wanted]
        if not found:
            raise ConfigError(where, "no such maintenance was announced", "repeat its scope, from and to")
        self.windows.remove(found[0])
        if found[0].from_us < at_us:
            self.windows.append(replace(found[0], to_us=min(found[0].to_us, at_us)))
        self._hear(self.engine.cancel(found[0], at_us), at_us)

    # -- what it was ---------------------------------------------------------------------------------------------------

    def intervals(self) -> list[Interval]:
        """Verdicts of every element over the whole recording; open windows show as maintenance."""
        found = [one for one in self.fold.intervals(self.start_us, self.now_us) if one.kind != "customer"]
        marked = self.engine.marks.over(self.now_us)
        if marked:
            found = joined(piece for one in found for piece in _marked(one, marked))
        if not self.windows:
            return found
        return joined(piece for one in found for piece in self._overlaid(one))

    def _overlaid(self, one: Interval) -> Iterable[Interval]:
        edges = {edge for window in self.windows for edge in (window.from_us, window.to_us)}
        moments = sorted({one.from_us, one.to_us, *(edge for edge in edges if one.from_us < edge < one.to_us)})
        for begin, end in pairwise(moments):
            scopes = [(window.scope_kind, window.scope_name) for window in active(self.windows, begin)]
            if scopes and Coverage(self.topology, scopes).covers(one.kind, one.name):
                yield one._replace(state="maintenance", reason="maintenance", from_us=begin, to_us=end)
            else:
                yield one._replace(from_us=begin, to_us=end)

    def availability(self, scope: Scope, from_us: int, to_us: int) -> Figures:
        """The figures of a scope in a window, by the recording alone."""
        return figures(
            self.topology,
            Book(self.fold.intervals(from_us, to_us)),
            scope,
            from_us,
            to_us,
            excluded=Exclusions(self.topology, self.contracts, self.windows),
            promised=promised(self.topology, self.contracts, scope, from_us, to_us),
        )


def _marked(one: Interval, spans: list[Span]) -> Iterable[Interval]:
    """An interval in which the element was up, less when poor quality degraded it (docs/verdicts.md §8)."""
    mine = [span for span in spans if span.element == (one.kind, one.name)] if one.state == "up" else []
    edges = {edge for span in mine for edge in (span.from_us, span.to_us) if one.from_us < edge < one.to_us}
    for begin, end in pairwise(sorted({one.from_us, one.to_us, *edges})):
        reason = next((span.reason for span in mine if span.from_us <= begin < span.to_us), None)
        if reason is None:
            yield one._replace(from_us=begin, to_us=end)
        else:
            yield one._replace(state="degraded", reason=reason, from_us=begin, to_us=end)


def _arrival(result: Result, at_us: int) -> int:
    after = result.answered_after_seconds if result.reason == "late" or result.outcome == "failed" else None
    after = after if after is not None else result.duration_seconds
    return at_us if after is None else at_us + span_us(after)
