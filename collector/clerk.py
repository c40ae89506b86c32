"""Keeps the ledger beside the live verdicts: folds closed blocks again in a thread, writes them in own transactions."""

import asyncio
import logging
from collections.abc import Mapping

from collector.ledger.writer import LedgerWriter, Plan
from sereno.clock import Clock, iso
from sereno.contract import Contract
from sereno.store import Store
from sereno.store.queries.ledger import TopologyInForce, in_force
from sereno.topology import Topology

log = logging.getLogger(__name__)

PERIOD_SECONDS = 10.0


class Clerk:
    """`note` what is committed; `await run()` until cancelled."""

    def __init__(self, store: Store, topology: Topology, contracts: Mapping[str, Contract], clock: Clock) -> None:
        self._store, self._clock = store, clock
        with store.read() as connection:
            known = in_force(connection)
        self._writer = LedgerWriter(known or [TopologyInForce(clock.now_us(), topology)], contracts)

    def note(self, at_us: int) -> None:
        """A result sent at this instant was committed."""
        self._writer.note(at_us)

    async def run(self) -> None:
        """Takes up what was left, then one block after another as they close."""
        await asyncio.to_thread(self._resume)
        while True:
            block_us = self._writer.due(self._clock.now_us())
            if block_us is None:
                await asyncio.sleep(PERIOD_SECONDS)
                continue
            plan = await asyncio.to_thread(self._plan, block_us)
            with self._store.write() as connection:
                self._writer.store(connection, plan, self._clock.now_us())
            for late in plan.revisions:
                log.info("ledger: late results show %s %s down from %s", late.kind, late.name, iso(late.from_us))
            await asyncio.sleep(0.1)

    def _resume(self) -> None:
        with self._store.read() as connection:
            self._writer.resume(connection)

    def _plan(self, block_us: int) -> Plan:
        with self._store.read() as connection:
            return self._writer.plan(connection, block_us)
