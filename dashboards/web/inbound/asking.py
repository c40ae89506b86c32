"""Hands what is asked to the desk's inbox and waits for the outcome; sheds load with 503 before it drowns."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy import func, select
from starlette.requests import ClientDisconnect, Request

from dashboards.web.inbound.gate import Refused
from sereno.clock import Clock
from sereno.store import Store
from sereno.store.commands import Outcome, collector_alive, submit, wait
from sereno.store.tables import commands

ANSWER_SECONDS = 5.0
AT_ONCE = 8  # requests that wait for the desk; each holds a thread
MOST_WAITING = 200  # orders in the inbox
RETRY_SECONDS = 5
_Found = TypeVar("_Found")


class Asker:
    """Every blocking step goes to a thread: the loop is the collector's."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._busy = 0

    async def ask(self, verb: str, arguments: Mapping[str, Any], who: str, key: str) -> Outcome:
        """What the desk made of it; `pending` when it did not answer in time. The same key is asked once."""
        return await self.threaded(lambda: self._ask(verb, arguments, who, key))

    async def threaded(self, work: Callable[[], _Found]) -> _Found:
        """Blocking work, unless too much of it is under way."""
        if self._busy >= AT_ONCE:
            raise overloaded("too many requests at once")
        self._busy += 1
        try:
            return await asyncio.to_thread(work)
        finally:
            self._busy -= 1

    def _ask(self, verb: str, arguments: Mapping[str, Any], who: str, key: str) -> Outcome:
        if not collector_alive(self._store, self._clock):
            raise overloaded("no collector is active")
        with self._store.read() as connection:
            waiting = connection.execute(
                select(func.count()).select_from(commands).where(commands.c.state == "pending")
            ).scalar()
        if (waiting or 0) >= MOST_WAITING:
            raise overloaded(f"{waiting} orders wait already")
        return wait(self._store, submit(self._store, verb, arguments, who, key, self._clock), ANSWER_SECONDS)


def overloaded(what: str) -> Refused:
    """503, because Alertmanager tries again after that and after nothing else."""
    return Refused(503, f"{what}; try again", retry_after=str(RETRY_SECONDS))


async def body(request: Request, most: int) -> bytes:
    """The body, no larger than this, and JSON by its own word."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused(415, "send JSON with Content-Type: application/json")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refused(415, "send it without Content-Encoding")
    said = request.headers.get("content-length", "0")
    if not said.isdigit() or int(said) > most:
        raise Refused(413, f"over {most} bytes")
    parts, size = [], 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise Refused(413, f"over {most} bytes")
            parts.append(part)
    except ClientDisconnect:
        raise Refused(400, "it was cut short") from None
    return b"".join(parts)
