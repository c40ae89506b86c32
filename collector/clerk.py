"""Keeps the ledger beside the live verdicts: folds closed blocks again in a thread, writes them in own transactions.

A UTC day is sealed a day after its end; one that late results change afterwards is sealed again
(docs/availability.md).
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import Connection

from collector.ledger import seal
from collector.ledger.writer import LedgerWriter, Plan
from sereno.clock import Clock, iso
from sereno.contract import Contract
from sereno.store import Store
from sereno.store.queries import ledger as rows
from sereno.store.queries import revisions, seals
from sereno.store.queries.ledger import TopologyInForce, in_force
from sereno.topology import Topology

log = logging.getLogger(__name__)

PERIOD_SECONDS = 10.0
_POURING_SECONDS = 0.5
_BREATH_SECONDS = 0.1
_DAYS_AT_ONCE = 4  # sealed for the first time in one go
_NOTES = 8  # that a seal spells out; `ledger_revisions` has all
_NO_NOTE = "filas cambiadas sin nota"


class _Looked(NamedTuple):
    """The ledger as it was when nothing was left to seal: its last row, and the day."""

    row: int
    day_us: int


class Clerk:
    """`note` what is committed; `await run()` until cancelled."""

    def __init__(self, store: Store, topology: Topology, contracts: Mapping[str, Contract], clock: Clock) -> None:
        self._store, self._clock = store, clock
        with store.read() as connection:
            known = in_force(connection)
        self._writer = LedgerWriter(known or [TopologyInForce(clock.now_us(), topology)], contracts)
        self._looked: _Looked | None = None

    def note(self, at_us: int) -> None:
        """A result sent at this instant was committed."""
        self._writer.note(at_us, self._clock.now_us())

    def came(self, connection: Connection, ats_us: Iterable[int], now_us: int) -> None:
        """Results sent at these instants are committed by this transaction."""
        self._writer.came(connection, ats_us, now_us)

    def note_many(self, ats_us: Iterable[int]) -> None:
        """Results sent at these instants were committed."""
        now_us = self._clock.now_us()
        for at_us in {at_us - at_us % 60_000_000 for at_us in ats_us}:
            self._writer.note(at_us, now_us)
            self._writer.note(at_us + 59_999_999, now_us)

    async def run(self) -> None:
        """Takes up what was left, then one block after another as they close."""
        await self.resume()
        while True:  # no event to wait for: blocks close by the clock
            wait = await self.round()
            await asyncio.sleep(wait)

    async def round(self) -> float:
        """One step: a block, or the seals where no block is due; seconds until the next."""
        now_us = self._clock.now_us()
        block_us = self._writer.due(now_us)
        if block_us is not None:
            await self._block(block_us)
            return _BREATH_SECONDS
        if self._writer.waits(now_us):
            return _POURING_SECONDS
        return _BREATH_SECONDS if await self._seal() else PERIOD_SECONDS

    async def resume(self) -> None:
        """Blocks that were left when the last process ended."""
        await asyncio.to_thread(self._resume)

    async def _block(self, block_us: int) -> None:
        plan = await asyncio.to_thread(self._plan, block_us)
        with self._store.write() as connection:
            self._writer.store(connection, plan, self._clock.now_us())
        for one in plan.outages:
            log.info("ledger: late results show %s %s down from %s", one.kind, one.name, iso(one.from_us))
        if plan.revised:
            log.info("ledger: %d spans of %s revised: %s", len(plan.revised), iso(block_us), plan.note)

    async def _seal(self) -> bool:
        """Seals what is due, and again what changed since it was sealed; whether more days wait."""
        made, looked = await asyncio.to_thread(self._seals)
        if made:
            with self._store.write() as connection:
                last = seals.last_seal(connection)
                if (last.hash if last is not None else seal.FIRST) != made[0].previous:
                    return True  # the next round looks again
                for one in made:
                    seals.append_seal(connection, one)
        for one in made:
            log.info("ledger: %s sealed as %d%s", seal.day_name(one.day_us), one.id, " again" if one.revises else "")
        more = looked is None
        self._looked = looked
        return more

    def _seals(self) -> tuple[list[seals.Seal], "_Looked | None"]:
        """The next links of the chain, and at what was looked; None while more days wait.

        Only this process writes the ledger, so what is read here is what is sealed. All days that were revised go
        together: rows that come after the last seal's `upto` are then the only ones that no seal knows of.
        """
        now_us = self._clock.now_us()
        with self._store.read() as connection:
            looked = _Looked(rows.last(connection), seal.day_of(now_us))
            if looked == self._looked:
                return [], looked
            last = seals.last_seal(connection)
            again = seals.newest_by_day(
                connection, seals.days_written(connection, last.upto if last is not None else 0)
            )
            sealed = seals.newest_by_day(connection)
            first = seal.due_days(seals.days_in_force(connection), sealed, now_us)
            made: list[seals.Seal] = []
            for day_us in sorted({*again, *first[:_DAYS_AT_ONCE]}):
                before = again.get(day_us)
                last = seal.sealed(
                    last, seals.rows_of(connection, day_us), day_us=day_us, upto=looked.row, now_us=now_us,
                    revises=before.id if before is not None else None,
                    note=self._why(connection, before) if before is not None else None,
                )  # fmt: skip
                made.append(last)
            return made, looked if len(first) <= _DAYS_AT_ONCE else None

    @staticmethod
    def _why(connection: Connection, before: seals.Seal) -> str:
        end_us = before.day_us + seals.DAY_US
        found = revisions.notes_since(connection, before.day_us, end_us, before.sealed_us)
        more = f"; y {len(found) - _NOTES} más" if len(found) > _NOTES else ""
        return "; ".join(found[:_NOTES]) + more or _NO_NOTE

    def _resume(self) -> None:
        with self._store.read() as connection:
            self._writer.resume(connection)

    def _plan(self, block_us: int) -> Plan:
        now_us = self._clock.now_us()
        with self._store.read() as connection:
            return self._writer.plan(connection, block_us, now_us)
