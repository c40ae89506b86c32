"""A recording in which results came late: what the ledger would have said without them, and when it learns better.

The pure counterpart of the clerk (`collector.clerk`): a while after late results cease to come, the past is read
again, and what changed of it is said once.
"""

import copy
from collections.abc import Iterable, Mapping

from collector.ledger import late
from collector.ledger.fold import Fold, Interval
from collector.ledger.writer import LONGEST_POUR_US, QUIET_US
from collector.verdicts.overlay import Coverage, active
from sereno.store.queries.revisions import LateResults, Revision
from sereno.topology.model import Topology
from sereno.verdict import Change, MaintenanceWindow
from sereno.wire import Result

_REFOLDED = "vuelto a calcular"


class Pour:
    """Feed it every result in folding order, tell it what arrives, ask it for what is due."""

    def __init__(self, topology: Topology, fold: Fold, start_us: int) -> None:
        self.revisions: list[Revision] = []
        self._topology, self._fold, self._start_us = topology, fold, start_us
        self._limits = late.late_limits(topology)
        self._without: Fold | None = None  # from the first late result on: the fold of those that came in time
        self._came: dict[str, LateResults] = {}
        self._first_us: int | None = None  # of the pour under way
        self._last_us = 0
        self._rest_us = 0
        self._said: set[late.Piece] = set()
        self._told: set[tuple[str, str, int]] = set()

    def is_late(self, check: str, at_us: int, arrived_us: int | None) -> bool:
        """It took longer to arrive than a live screen waits; None: it arrived when it was done."""
        return arrived_us is not None and arrived_us - at_us > self._limits.get(check, arrived_us)

    def sent(self, result: Result, at_us: int, arrived_us: int | None) -> None:
        """The next result, before it is added to the fold itself."""
        if not self.is_late(result.check, at_us, arrived_us):
            if self._without is not None:
                self._without.add(result, at_us)
        elif self._without is None:
            self._without = copy.deepcopy(self._fold)

    def rewire(self, at_us: int, topology: Topology, planes: Mapping[str, frozenset[str]] | None) -> None:
        """Other planes count from here on."""
        if self._without is not None:
            self._without.rewire(at_us, topology, planes)

    def arrived(self, result: Result, at_us: int, arrived_us: int) -> None:
        """A result is there, of which it was said when it arrived."""
        if not self.is_late(result.check, at_us, arrived_us):
            return
        before = self._came.get(result.probe)
        self._came[result.probe] = LateResults(
            probe=result.probe,
            results=1 if before is None else before.results + 1,
            first_us=at_us if before is None else min(before.first_us, at_us),
            last_us=at_us if before is None else max(before.last_us, at_us),
            first_arrived_us=arrived_us if before is None else before.first_arrived_us,
            last_arrived_us=arrived_us,
        )
        self._first_us = arrived_us if self._first_us is None else self._first_us
        self._last_us = arrived_us

    def due_us(self) -> int | None:
        """When the past is to be read again."""
        if self._first_us is None:
            return None
        return max(self._rest_us, min(self._last_us + QUIET_US, self._first_us + LONGEST_POUR_US))

    def look(self, now_us: int, windows: Iterable[MaintenanceWindow]) -> list[Change]:
        """What is said of the past now."""
        if self._without is None:
            return []
        why = late.note(list(self._came.values()), _REFOLDED)
        self._first_us, self._came = None, {}
        self._rest_us = now_us + max(LONGEST_POUR_US, (now_us - self._start_us) // 20)  # a recording all late: seldom
        old = copy.deepcopy(self._without).intervals(self._start_us, now_us)
        new = copy.deepcopy(self._fold).intervals(self._start_us, now_us)
        pieces = [one for one in late.changed(late.stated(old), late.stated(new)) if one not in self._said]
        self._said.update(pieces)
        outages = [
            one
            for one in late.new_outages(late.stated(old), new)
            if one.to_us < now_us
            and (one.kind, one.name, one.from_us) not in self._told
            and not _announced(self._topology, list(windows), one)
        ]
        self._told.update((one.kind, one.name, one.from_us) for one in outages)
        revised = late.revisions_of(pieces, why, now_us)
        self.revisions += revised
        found = late.finding(self._topology.service, outages, revised, why, now_us)
        return [] if found is None else [found]


def _announced(topology: Topology, windows: list[MaintenanceWindow], one: Interval) -> bool:
    scopes = [(window.scope_kind, window.scope_name) for window in active(windows, one.from_us)]
    return bool(scopes) and Coverage(topology, scopes).covers(one.kind, one.name)
