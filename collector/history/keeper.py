"""The history's housekeeping, by the active collector: what is old is compacted, what is too old is forgotten.

Reads and computing happen in a thread, each write transaction is a small one, and after each there is a breath for the
ingest. It can be killed anywhere: a run replaces its rows in one transaction, and what is done twice does nothing.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import Connection

from collector.history.compaction import FAST, Compacted, Row, compacted
from collector.verdicts.samples import Timing
from sereno.clock import Clock, iso
from sereno.store import Store
from sereno.store.partitions import drop_results_before
from sereno.store.queries import checkpoints, history
from sereno.store.queries.ledger import TopologyInForce, in_force
from sereno.store.queries.results import HOUR_US
from sereno.topology import Topology
from sereno.topology.model import Retention

log = logging.getLogger(__name__)

DAY_US = 24 * HOUR_US
PERIOD_SECONDS = 60.0
_BREATH_SECONDS = 0.05
_HOURLY_US = 9 * DAY_US  # of checkpoints; before, one a day is kept


class Work(NamedTuple):
    """A piece of an hour: an element's rows, as runs."""

    element: str
    found: list[Compacted]


class Keeper:
    """`await run()` until cancelled; `compact` and `forget` do all that is due and return."""

    def __init__(self, store: Store, topology: Topology, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._topology = topology
        self._kept = topology.retention or Retention()
        self._forgot_us = 0

    async def run(self) -> None:
        """Compacts hour by hour as they grow old; forgets once a day."""
        while True:  # no event to wait for: things grow old by the clock
            await self.compact()
            if self._clock.now_us() - self._forgot_us >= DAY_US:
                await self.forget()
                self._forgot_us = self._clock.now_us()
            await asyncio.sleep(PERIOD_SECONDS)

    # -- compaction --------------------------------------------------------------------------------------------------

    async def compact(self) -> int:
        """Every hour that is old enough; how many rows became runs."""
        total = 0
        while (hour := await asyncio.to_thread(self._next_hour)) is not None:
            for element in await asyncio.to_thread(self._elements, hour):
                work = await asyncio.to_thread(self._prepare, element, hour)
                for one in work.found:
                    total += self._replace(one)
                    await asyncio.sleep(_BREATH_SECONDS)
            with self._store.write() as connection:
                history.move(connection, hour + HOUR_US)
            await asyncio.sleep(0)
        if total:
            log.info("history: %d results of before %s are runs now", total, iso(self._horizon()))
        return total

    def _horizon(self) -> int:
        return (self._clock.now_us() - self._kept.raw_us) // HOUR_US * HOUR_US

    def _next_hour(self) -> int | None:
        """The next hour with rows to look at; hours without any are skipped."""
        with self._store.read() as connection:
            done = history.position(connection)
            first = history.first_row(connection) if done is None else history.next_row(connection, done)
        if first is None or first // HOUR_US * HOUR_US >= self._horizon():
            return None
        return first // HOUR_US * HOUR_US

    def _elements(self, hour: int) -> list[str]:
        """What was watched in an hour: by the topologies of its time."""
        with self._store.read() as connection:
            known = in_force(connection) or [TopologyInForce(0, self._topology)]
        found: set[str] = set()
        for one in known:
            if one.from_us < hour + HOUR_US or one is known[0]:
                found |= {*one.topology.sbcs, *one.topology.cores}
                found |= {f"{sbc}/{core}" for sbc in one.topology.sbcs for core in one.topology.cores}
        return sorted(found)

    def _prepare(self, element: str, hour: int) -> Work:
        with self._store.read() as connection:
            rows = history.old_rows(connection, element, hour, hour + HOUR_US, FAST)
            taken = history.taken(connection, element, hour, hour + HOUR_US) if rows else []
        return Work(element, compacted((Row(*row) for row in rows), Timing(self._topology).hold_us, taken))

    def _replace(self, one: Compacted) -> int:
        try:
            with self._store.write() as connection:
                history.replace_rows(connection, one.run, one.places)
        except history.RowsChangedError:
            log.warning("history: rows of %s changed meanwhile; they stay as they are", one.run.element)
            return 0
        return len(one.places)

    # -- retention ---------------------------------------------------------------------------------------------------

    async def forget(self) -> dict[str, int]:
        """What is older than it is to be kept; how many rows of each kind went."""
        now_us, kept = self._clock.now_us(), self._kept
        before_us = await asyncio.to_thread(self._forgettable, now_us - kept.results_us)
        steps: dict[str, Callable[[Connection], int]] = {
            "results": lambda connection: history.forget_rows(connection, before_us),
            "runs": lambda connection: history.forget_runs(connection, before_us),
            "quarantine": lambda connection: history.forget_quarantine(connection, now_us - kept.quarantine_us),
            "probe_events": lambda connection: history.forget_events(connection, now_us - kept.events_us),
        }
        if not self._store.is_sqlite:
            with self._store.write() as connection:
                drop_results_before(connection, before_us)  # whole days; what it had to leave goes row by row
        gone = {}
        for name, step in steps.items():
            gone[name] = await self._until_nothing(step)
        with self._store.write() as connection:
            gone["checkpoints"] = checkpoints.forget(connection, now_us - _HOURLY_US, DAY_US)
        if any(gone.values()):
            told = ", ".join(f"{count} {name}" for name, count in gone.items() if count)
            log.info("history: forgotten what is older than it is kept: %s", told)
        return gone

    async def _until_nothing(self, step: Callable[[Connection], int]) -> int:
        total = 0
        while True:
            with self._store.write() as connection:
                gone = step(connection)
            total += gone
            if not gone:
                return total
            await asyncio.sleep(_BREATH_SECONDS)

    def _forgettable(self, limit_us: int) -> int:
        """Up to which day everything is in sealed days of the ledger; what is not stays, however old."""
        limit_us = limit_us // DAY_US * DAY_US
        with self._store.read() as connection:
            sealed = history.sealed_days(connection)
            day = history.next_row(connection, 0)
            while day is not None and day < limit_us:
                day = day // DAY_US * DAY_US
                if day not in sealed:
                    log.warning("history: %s is not sealed yet; its results stay", iso(day)[:10])
                    return day
                day = history.next_row(connection, day + DAY_US)
        return limit_us
