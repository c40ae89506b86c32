"""Writing the ledger: closed blocks become rows; what late samples change is superseded, never rewritten.

The collector notes every committed result (`note`), and now and then takes the next plan (`plan`, reads only, may run
in a thread) and stores it in its own write transaction (`store`), with the notes of what changed of the past.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from collector.history.source import StoreSource
from collector.ledger import late, spans
from collector.ledger.blocks import BLOCK_US, Basis, block_of, fold_hour, fold_span, margins
from collector.ledger.fold import Fold, Interval, joined
from collector.verdicts.overlay import Coverage, active
from sereno.clock import SECOND_US
from sereno.contract import Contract
from sereno.store.changes import insert_changes
from sereno.store.queries import checkpoints, results
from sereno.store.queries import ledger as rows
from sereno.store.queries import revisions as notes
from sereno.store.queries.ledger import LedgerRow, TopologyInForce
from sereno.topology.model import Topology
from sereno.verdict import MaintenanceWindow

QUIET_US = 2 * SECOND_US  # a block into which a spool is pouring is folded again when it has ceased
LONGEST_POUR_US = 60 * SECOND_US  # or has gone on for so long
_REFOLDED = "vuelto a calcular de los mismos resultados"


class Plan(NamedTuple):
    """What a block's rows become; nothing to do when all lists are empty."""

    block_us: int
    read_us: int  # when the results were read: later ones are not in it
    add: list[LedgerRow]
    replace: list[int]  # ids of the rows that are no longer true
    revised: list[late.Piece]  # what was said of the past and is no longer
    outages: list[Interval]  # found late, over when they were found
    note: str
    service: str
    checkpoint: bytes  # where the next block goes on
    stale_us: int | None  # the mark of late results that it takes away


class LedgerWriter:
    """Keeps the ledger of a store up to date, block by block."""

    def __init__(self, topologies: Sequence[TopologyInForce], contracts: Mapping[str, Contract]) -> None:
        self._topologies, self._contracts = list(topologies), contracts
        self._basis = Basis(self._topologies, contracts)
        self._margins = margins(self._topologies[-1].topology)
        self._dirty: dict[int, tuple[int, int]] = {}  # per block: when its first and last news were noted
        self._newest = 0  # the last block that was ever folded

    def topology(self, added: TopologyInForce) -> None:
        """A topology came into force."""
        self._topologies.append(added)
        self._basis = Basis(self._topologies, self._contracts)
        self._margins = margins(added.topology)

    def note(self, at_us: int, now_us: int = 0) -> None:
        """A result sent at this instant was committed now."""
        lead, tail = self._margins
        for block in range(block_of(at_us - tail), at_us + lead + 1, BLOCK_US):
            first_us, _ = self._dirty.get(block, (now_us, now_us))
            self._dirty[block] = (first_us, now_us)

    def came(self, connection: Connection, ats_us: Iterable[int], now_us: int) -> None:
        """Marks in the results' own transaction what must be folded again, whoever is there to do it."""
        tail = self._margins[1]
        late = {block_of(at_us - before) for at_us in ats_us for before in (0, tail)}
        checkpoints.mark_stale(connection, (one for one in late if one + BLOCK_US + tail <= now_us), now_us)

    def resume(self, connection: Connection) -> None:
        """After a start: the blocks since the last one with rows, and those that results came late for."""
        for block in checkpoints.stale(connection):
            self._dirty.setdefault(block, (0, 0))
        span = results.span(connection)
        if span is None:
            return
        self._newest = rows.last_of(connection, {one.topology.service for one in self._topologies})
        for block in range(max(block_of(self._newest), block_of(span[0])), span[1] + 1, BLOCK_US):
            self._dirty.setdefault(block, (0, 0))

    def due(self, now_us: int) -> int | None:
        """The oldest dirty block that is over, with its late replies, and into which nothing is pouring."""
        tail = self._margins[1]
        return min(
            (
                block
                for block, (first_us, last_us) in self._dirty.items()
                if block + BLOCK_US + tail <= now_us
                and (last_us + QUIET_US <= now_us or first_us + LONGEST_POUR_US <= now_us)
            ),
            default=None,
        )

    def waits(self, now_us: int) -> bool:
        """A block that is over waits for its results to cease pouring in."""
        tail = self._margins[1]
        return any(block + BLOCK_US + tail <= now_us for block in self._dirty)

    def plan(self, connection: Connection, block_us: int, now_us: int) -> Plan:
        """Fold a block again and compare it with its rows."""
        self._dirty.pop(block_us, None)
        stale_us = checkpoints.stale(connection).get(block_us)
        folded, checkpoint = fold_hour(self._basis, block_us, StoreSource(connection, gently=True))
        old = rows.current(connection, block_us, block_us + BLOCK_US)
        new = [_row(one) for one in folded]
        kept = {row.content for row in old} & {row.content for row in new}
        add = [row for row in new if row.content not in kept]
        replace = [row.id for row in old if row.content not in kept]
        service = self._in_force(block_us).service
        plan = Plan(block_us, now_us, add, replace, [], [], _REFOLDED, service, checkpoint or b"", stale_us)
        return self._with_past(connection, plan, old, folded) if add or replace else plan

    def _with_past(self, connection: Connection, plan: Plan, old: list[LedgerRow], folded: list[Interval]) -> Plan:
        """The plan with what it changes of the past, and why."""
        before = [(row.kind, row.name, row.state, row.from_us, row.to_us) for row in old]
        end = plan.block_us + BLOCK_US
        lead, tail = self._margins
        spoke_us = max((row.written_us for row in old), default=0)
        if not old and (notes.first_arrival(connection, plan.block_us, end) or 0) > end + tail:
            spoke_us = end + tail  # the hour passed without a word of it: it was unknown
        revised = late.changed(before, late.stated(folded)) if spoke_us else []
        outages = self._found_late(connection, late.new_outages(before, folded))
        if not revised and not outages:
            return plan
        if not spoke_us:
            first = min(outages, key=lambda one: one.from_us)
            spoke_us = first.from_us + min(self._limits(first.from_us).values())
        came = notes.late_results(connection, plan.block_us, end, spoke_us)
        came = came or notes.late_results(connection, plan.block_us - lead, end + tail, spoke_us)
        return plan._replace(revised=revised, outages=outages, note=late.note(came, _REFOLDED))

    def _found_late(self, connection: Connection, outages: list[Interval]) -> list[Interval]:
        """Those that could not be heard live; work that was announced for their time is no news."""
        if not outages:
            return []
        windows = rows.windows(connection)
        heard: dict[tuple[int, int], bool] = {}
        found = []
        for one in outages:
            span = (one.from_us, one.to_us)
            if span not in heard:
                heard[span] = not notes.came_late(connection, *span, self._limits(one.from_us))
            if not heard[span] and not self._announced(windows, one):
                found.append(one)
        return found

    def _announced(self, windows: list[MaintenanceWindow], one: Interval) -> bool:
        scopes = [(window.scope_kind, window.scope_name) for window in active(windows, one.from_us)]
        return bool(scopes) and Coverage(self._in_force(one.from_us), scopes).covers(one.kind, one.name)

    def _limits(self, at_us: int) -> dict[str, int]:
        return late.late_limits(self._in_force(at_us))

    def _in_force(self, at_us: int) -> Topology:
        found = self._topologies[0].topology
        for one in self._topologies:
            if one.from_us <= at_us:
                found = one.topology
        return found

    def store(self, connection: Connection, plan: Plan, now_us: int) -> None:
        """Write a plan inside the caller's write transaction."""
        last = rows.append(connection, plan.add, plan.read_us)
        if plan.replace:
            rows.supersede(connection, plan.replace, rows.last(connection) if last is None else last)
        revised = late.revisions_of(plan.revised, plan.note, now_us)
        notes.append_revisions(connection, revised)
        found = late.finding(plan.service, plan.outages, revised, plan.note, now_us)
        if found is not None:
            insert_changes(connection, [found])
        self._go_on(connection, plan, now_us)

    def _go_on(self, connection: Connection, plan: Plan, now_us: int) -> None:
        """What the next block begins with; if that is something else now, it is folded again too."""
        if plan.stale_us is not None:
            checkpoints.settled(connection, plan.block_us, plan.stale_us)
        after = plan.block_us + BLOCK_US
        if checkpoints.save(connection, after, self._basis.digest(after), plan.checkpoint) and after <= self._newest:
            checkpoints.mark_stale(connection, [after], now_us)
            self._dirty.setdefault(after, (0, 0))
        self._newest = max(self._newest, plan.block_us)


def _row(one: Interval) -> LedgerRow:
    return LedgerRow(0, one.kind, one.name, one.state, one.from_us, one.to_us, one.reason, one.interval_us)


Progress = Callable[[int], None]  # how far folding has come


class _Source(StoreSource):
    """Tells how far it has been read, an hour at a time."""

    def __init__(self, connection: Connection, use: bool, progress: Progress | None) -> None:
        super().__init__(connection, checkpoints=use)
        self._progress = progress

    def feed(self, fold: Fold, from_us: int, to_us: int) -> None:
        if self._progress is None:
            super().feed(fold, from_us, to_us)
            return
        while from_us < to_us:
            end_us = min(block_of(from_us) + BLOCK_US, to_us)
            super().feed(fold, from_us, end_us)
            self._progress(end_us)
            from_us = end_us


def stored_intervals(
    connection: Connection,
    topologies: Sequence[TopologyInForce],
    contracts: Mapping[str, Contract],
    from_us: int,
    to_us: int,
    *,
    recompute: bool = False,
    elements: Collection[tuple[str, str]] | None = None,
    progress: Progress | None = None,
) -> list[Interval]:
    """Every element's intervals of [from, to): the ledger's rows, and a fold of the blocks that have none yet.

    `recompute` folds everything from the results; it gives the same, or somebody tampered. With `elements` only those
    are read; the others may be missing.
    """
    found: list[Interval] = []
    if not recompute:
        found = kept_intervals(connection, topologies, from_us, to_us, elements)
    covered = {block for one in found for block in range(block_of(one.from_us), one.to_us, BLOCK_US)}
    first_us, last_us = results.span(connection) or (to_us, from_us - 2 * BLOCK_US)
    basis, source = Basis(topologies, contracts), _Source(connection, not recompute, progress)
    missing = [
        (block, block + BLOCK_US)
        for block in range(block_of(from_us), to_us, BLOCK_US)
        if block not in covered and first_us - BLOCK_US <= block <= last_us + BLOCK_US
    ]
    for begin_us, end_us in spans.union(missing):
        found += fold_span(basis, begin_us, end_us, source).intervals
    return joined(clipped(found, from_us, to_us))


def kept_intervals(
    connection: Connection,
    topologies: Sequence[TopologyInForce],
    from_us: int,
    to_us: int,
    elements: Collection[tuple[str, str]] | None = None,
) -> list[Interval]:
    """What the ledger's rows say of [from, to), of these elements and of the service; nothing is folded."""
    wanted = None if elements is None else {*elements, *(("service", one.topology.service) for one in topologies)}
    found: list[Interval] = []
    here: list[Any] = []  # kind, name, state, from, to, reason, interval: the one that still grows
    for kind, name, state, begin, end, reason, interval in rows.said(connection, from_us, to_us, wanted):
        if here and here[4] == begin and here[2] == state and here[1] == name and here[0] == kind:
            here[4] = end
            if interval and interval > here[6]:
                here[6] = interval
        else:
            if here:
                found.append(Interval(*here))
            here = [kind, name, state, begin, end, reason, interval or 0]
    if here:
        found.append(Interval(*here))
    return clipped(found, from_us, to_us)


def clipped(found: Iterable[Interval], from_us: int, to_us: int) -> list[Interval]:
    """What of the intervals lies in [from, to)."""
    return [
        one._replace(from_us=max(one.from_us, from_us), to_us=min(one.to_us, to_us))
        for one in found
        if one.from_us < to_us and one.to_us > from_us
    ]
