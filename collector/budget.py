"""Down and unknown seconds, and what is left of the error budget, of every site now: cheap enough for every scrape.

The closed part comes from the ledger's rows, read again only where rows were added; the open rest from the live
verdicts, until its hour closes. Nothing is folded here.
"""

import threading
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import Connection

from collector.availability import Promise, allowance
from collector.exclusion import Exclusions, promised, target_ppm, zone_of
from collector.ledger import spans
from collector.ledger.blocks import BLOCK_US, block_of
from collector.ledger.spans import Spans
from collector.measure import contracts_of
from collector.months import month_of
from sereno.availability import PPM, Scope
from sereno.clock import SECOND_US, Clock
from sereno.contract import Contract
from sereno.store import Store
from sereno.store.queries import ledger
from sereno.store.queries import spent as rows
from sereno.topology import Topology

FRESH_SECONDS = 2.0
_BURN_US = 300 * SECOND_US  # whether it still goes on: no period that is shown
PERIODS = {"hour": 3_600 * SECOND_US, "day": 86_400 * SECOND_US, "3d": 3 * 86_400 * SECOND_US}
_LIVE_US = 26 * 3_600 * SECOND_US  # a ledger that is further behind than this is no live one


class Spent(NamedTuple):
    """One site (the service, where there are no sites) in one period that ends now."""

    site: str
    period: str  # 5m, hour, day, 3d, month
    from_us: int
    down_us: int
    unknown_us: int
    excluded_us: int
    allowed_us: int | None = None  # of the whole month, less what is excluded so far; None without a target
    remaining_us: int | None = None  # negative when it is overspent
    target_ppm: int | None = None  # promised now


class _Past:
    """What the ledger has of one site: spans that it has rows of, was down in, was unknown in, by block."""

    def __init__(self) -> None:
        self.blocks: dict[int, tuple[Spans, Spans]] = {}  # down, known
        self._joined: tuple[Spans, Spans] | None = None

    def put(self, block_us: int, found: Iterable[tuple[str, int, int]]) -> None:
        every = list(found)
        down = spans.union((begin, end) for state, begin, end in every if state == "down")
        known = spans.union((begin, end) for state, begin, end in every if state != "unknown")
        self.blocks[block_us] = (down, known)
        self._joined = None

    def forget(self, before_us: int) -> None:
        for block_us in [block for block in self.blocks if block + BLOCK_US <= before_us]:
            del self.blocks[block_us]
            self._joined = None

    def joined(self) -> tuple[Spans, Spans]:
        if self._joined is None:
            self._joined = (
                spans.union(one for down, _ in self.blocks.values() for one in down),
                spans.union(one for _, known in self.blocks.values() for one in known),
            )
        return self._joined


class Budgets:
    """`read()` from any thread, as often as wanted."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._lock = threading.Lock()
        self._read_at: float | None = None
        self._answer: list[Spent] = []
        self._topologies = 0
        self._topology: Topology | None = None
        self._contracts: Mapping[str, Contract] = {}
        self._last_row = 0
        self._from_us = 0
        self._past: dict[str, _Past] = {}
        self._live = rows.LiveVerdicts()

    def read(self) -> list[Spent]:
        """Every site's periods; at most two seconds old. Empty before anything was recorded."""
        with self._lock:
            now = self._clock.monotonic()
            if self._read_at is None or now - self._read_at >= FRESH_SECONDS:
                with self._store.read() as connection:
                    self._answer = self._compute(connection, self._clock.now_us())
                self._read_at = now
            return self._answer

    # -- reading -----------------------------------------------------------------------------------------------------

    def _compute(self, connection: Connection, now_us: int) -> list[Spent]:
        count = ledger.count_topologies(connection)
        if count != self._topologies:
            self._watch(connection, count)
        topology = self._topology
        if topology is None:
            return []
        scopes = [Scope("site", name) for name in topology.sites] or [Scope("service", topology.service)]
        months = {scope: month_of(zone_of(topology, self._contracts, scope, now_us), now_us) for scope in scopes}
        earliest = min([now_us - PERIODS["3d"], *(begin for begin, _ in months.values())])
        self._take_rows(connection, scopes, block_of(earliest))
        closed_us = max((block + BLOCK_US for past in self._past.values() for block in past.blocks), default=earliest)
        open_us = max(closed_us, now_us - _LIVE_US)
        self._live.take(connection, scopes[0].kind, open_us, now_us - _LIVE_US)
        excluded = Exclusions(topology, self._contracts, ledger.windows(connection))
        found: list[Spent] = []
        for scope in scopes:
            down, known = self._account(scope, open_us, now_us)
            out = excluded(scope)
            begins = {name: now_us - length for name, length in PERIODS.items()}
            begins |= {"5m": now_us - _BURN_US, "month": months[scope][0]}
            for period, begin in begins.items():
                one = _spent(scope.name, period, begin, now_us, down, known, out)
                if period == "month":
                    one = _with_budget(one, promised(topology, self._contracts, scope, *months[scope]), out)
                    one = one._replace(target_ppm=target_ppm(topology, self._contracts, scope, now_us))
                found.append(one)
        return found

    def _watch(self, connection: Connection, count: int) -> None:
        known = ledger.in_force(connection)
        self._topologies = count
        self._topology = known[-1].topology if known else None
        self._contracts = contracts_of(known)
        self._past, self._last_row, self._live = {}, 0, rows.LiveVerdicts()

    def _take_rows(self, connection: Connection, scopes: list[Scope], from_us: int) -> None:
        """Blocks that got rows since the last look; the first time, and at a month's beginning, all that is needed."""
        last = ledger.last(connection)
        if self._last_row == 0 or from_us < self._from_us:
            blocks = [(from_us, 1 << 62)]
        elif last > self._last_row:
            touched = rows.blocks_after(connection, scopes[0].kind, self._last_row, BLOCK_US)
            blocks = [(block, block + BLOCK_US) for block in touched if block >= from_us]
        else:
            blocks = []
        for begin, end in blocks:
            by_place: dict[tuple[str, int], list[tuple[str, int, int]]] = {}
            for row in ledger.current(connection, begin, end, scopes):
                place = (row.name, block_of(row.from_us))
                by_place.setdefault(place, []).append((row.state, row.from_us, row.to_us))
            for (name, block_us), found in by_place.items():
                self._past.setdefault(name, _Past()).put(block_us, found)
        for past in self._past.values():
            past.forget(from_us)
        self._last_row, self._from_us = last, from_us

    def _account(self, scope: Scope, open_us: int, now_us: int) -> tuple[Spans, Spans]:
        """Down and known time: by the ledger, then by the live verdicts."""
        past = self._past.get(scope.name)
        down, known = past.joined() if past is not None else ([], [])
        live = self._live.spans(scope.name, open_us, now_us)
        return (
            spans.union([*down, *((begin, end) for state, begin, end in live if state == "down")]),
            spans.union([*known, *((begin, end) for state, begin, end in live if state != "unknown")]),
        )


def _with_budget(one: Spent, pieces: Iterable[Promise], out: Spans) -> Spent:
    allowed = allowance(list(pieces), out)
    return (
        one if allowed is None else one._replace(allowed_us=allowed // PPM, remaining_us=allowed // PPM - one.down_us)
    )


def _spent(site: str, period: str, from_us: int, now_us: int, down: Spans, known: Spans, out: Spans) -> Spent:
    excluded = spans.clip(out, from_us, now_us)
    counted = spans.subtract([(from_us, now_us)], excluded)
    return Spent(
        site,
        period,
        from_us,
        down_us=spans.total(spans.intersect(down, counted)),
        unknown_us=spans.total(spans.subtract(counted, known)),
        excluded_us=spans.total(excluded),
    )
