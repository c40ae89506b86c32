"""Hands what is asked to the desk's inbox and waits for the outcome; sheds load with 503 before it drowns."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import func, select

from dashboards.web.refusal import overloaded
from sereno.clock import Clock
from sereno.store import Store
from sereno.store.commands import Outcome, collector_alive, outcome, submit
from sereno.store.tables import commands

ANSWER_SECONDS = 5.0
LOOK_SECONDS = 0.03
AT_ONCE = 32  # requests under way
THREADS = 4
MOST_WAITING = 200  # orders in the inbox
_Found = TypeVar("_Found")


class Asker:
    """Every blocking step goes to threads of its own: the loop is the collector's, and so are the loop's threads.

    Nothing waits in a thread. Where the desk needs one for the very round that is waited for, it must find one.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="inbound-web")
        self._busy = 0

    async def ask(self, verb: str, arguments: Mapping[str, Any], who: str, key: str) -> Outcome:
        """What the desk made of it; `pending` when it did not answer in time. The same key is asked once."""
        self._enter()
        try:
            command = await self._run(lambda: self._submit(verb, arguments, who, key))
            deadline = self._clock.monotonic() + ANSWER_SECONDS
            while True:
                found = await self._run(lambda: outcome(self._store, command))
                if found.state != "pending" or self._clock.monotonic() > deadline:
                    return found
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._busy -= 1

    async def threaded(self, work: Callable[[], _Found]) -> _Found:
        """Blocking work, unless too much of it is under way."""
        self._enter()
        try:
            return await self._run(work)
        finally:
            self._busy -= 1

    def _enter(self) -> None:
        if self._busy >= AT_ONCE:
            raise overloaded("too many requests at once")
        self._busy += 1

    async def _run(self, work: Callable[[], _Found]) -> _Found:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _submit(self, verb: str, arguments: Mapping[str, Any], who: str, key: str) -> int:
        if not collector_alive(self._store, self._clock):
            raise overloaded("no collector is active")
        with self._store.read() as connection:
            waiting = connection.execute(
                select(func.count()).select_from(commands).where(commands.c.state == "pending")
            ).scalar()
        if (waiting or 0) >= MOST_WAITING:
            raise overloaded(f"{waiting} orders wait already")
        return submit(self._store, verb, arguments, who, key, self._clock)
