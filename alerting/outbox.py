"""The dispatcher: hands over what is in the outbox, at least once, with retries, and keeps the receipts.

What becomes of each row is decided in `alerting.delivery`; an attempt is written down before it speaks, so that after
a crash everybody knows that its fate is unknown.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from msgspec.structs import replace

from alerting.channels.base import Channel, DoubtError, RejectedError, RetryError, one_line
from alerting.delivery import Line, backoff_us, failed, plan
from alerting.outbox_rows import Delivery, OutboxRows
from alerting.reports.enclose import Render, enclosed
from sereno.clock import SECOND_US, Clock
from sereno.errors import StoreError
from sereno.store import Store
from sereno.store.lease import LeaseLostError

log = logging.getLogger(__name__)
SILENT_SECONDS = 0.1
PAUSE_SECONDS = 1.0
_TRIES = 40  # seconds for which an outcome waits for the database: less than an attempt in doubt waits
LAST_WORD_SECONDS = 2.0  # what is under way at a stop may still get its receipt: else its fate is unknown
Ack = Callable[[int, str, int], str]  # the link by which a person acknowledges an incident: number, person, instant


class Dispatcher:
    """Reads the outbox, sends, writes what came back."""

    def __init__(
        self, store: Store, channels: Mapping[str, Channel], clock: Clock, may_speak: Callable[[], bool] = lambda: True,
        *, ack: Ack | None = None, render: Render | None = None,
    ) -> None:  # fmt: skip
        self._render = render
        self._rows = OutboxRows(store, clock, frozenset(channels))
        self._channels, self._clock, self._may_speak, self._ack = channels, clock, may_speak, ack
        self._wake = asyncio.Event()
        self._flying: dict[int, asyncio.Task[None]] = {}
        self._lines: dict[str, Line] = {}
        self._under_way: set[asyncio.Future[Any]] = set()
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="outbox")

    def wake(self) -> None:
        """There may be something to hand over."""
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled; what was in flight then and got no answer is repeated by whoever comes next."""
        try:
            while True:
                self._wake.clear()
                wait = await self._round()
                try:
                    async with asyncio.timeout(wait):  # wait_for of 3.11 can swallow a cancellation
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            if flying := list(self._flying.values()):
                await asyncio.wait(flying, timeout=LAST_WORD_SECONDS)
            for task in flying:
                task.cancel()
            await asyncio.gather(*flying, return_exceptions=True)
            self._threads.shutdown(wait=False, cancel_futures=True)
            ending = asyncio.gather(*self._under_way, return_exceptions=True)  # nothing of ours outlives the store
            await asyncio.wait([ending], timeout=LAST_WORD_SECONDS)

    async def _record(self, work: Callable[..., None], delivery: Delivery, *arguments: object) -> None:
        """What came of an attempt; a database that is away for a moment must not make it come twice."""
        for _ in range(_TRIES):
            try:
                await self._in_thread(work, delivery, *arguments)
            except LeaseLostError:
                raise  # it is another's to say; its fate is unknown to him
            except StoreError as error:
                log.warning("outbox %d: %s", delivery.id, error)
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return

    async def _in_thread(self, work: Callable[..., Any], *arguments: object) -> Any:
        """In a thread of our own: those of a channel that hangs never keep the store from us."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)
        return await asyncio.shield(future)

    async def _round(self) -> float:
        """Starts what is due; seconds until the next look."""
        if not self._may_speak():
            return SILENT_SECONDS
        try:
            due, wait = await self._in_thread(self._look, frozenset(self._flying), dict(self._lines))
        except StoreError as error:
            log.warning("outbox: %s", error)  # one line: the store's own words
            return 1.0
        for delivery in due:
            task = asyncio.create_task(self._deliver(delivery), name=f"deliver-{delivery.id}")
            self._flying[delivery.id] = task
            task.add_done_callback(lambda done, number=delivery.id: self._landed(number, done))  # type: ignore[misc]
        return float(wait)

    def _landed(self, number: int, task: asyncio.Task[None]) -> None:
        self._flying.pop(number, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("outbox %d: %s", number, one_line(error))
        self._wake.set()

    def _look(self, flying: frozenset[int], lines: Mapping[str, Line]) -> tuple[list[Delivery], float]:
        """What is begun now, written down as begun; seconds until the next look."""
        rows, known = self._rows.waiting()
        now_us = self._clock.now_us()
        decided = plan(rows, now_us, flying=flying, lines=lines, known=known)
        begun = self._rows.decided(decided, now_us)
        return begun, min(max((decided.look_us - now_us) / SECOND_US, 0.01), 5.0)

    async def _deliver(self, delivery: Delivery) -> None:
        message = delivery.message
        channel = self._channels.get(message.channel)
        if channel is None:  # taken out of the desk's file since
            await self._record(self._rows.failed, delivery, f"no channel named {message.channel}")
            return
        if not self._may_speak():  # stopped since it was read: it may have been sent by another by now
            return
        if message.page and message.incident is not None and self._ack is not None:
            message = replace(message, ack_url=self._ack(message.incident, message.to, message.at_us))
        try:
            if message.attachments and self._render is not None:
                message = await enclosed(message, self._render)
            receipt = await channel(message)
        except RejectedError as error:
            self._lines.pop(message.channel, None)  # it answered: there is nothing wrong with the way to it
            log.warning("%s to %s by %s: refused: %s", message.what, message.to, message.channel, one_line(error))
            await self._record(self._rows.failed, delivery, one_line(error))
        except RetryError as error:
            await self._later(delivery, error)
        else:
            mended = self._lines.pop(message.channel, None) is not None
            await self._record(self._rows.sent, delivery, receipt, mended)

    async def _later(self, delivery: Delivery, error: RetryError) -> None:
        name, now_us = delivery.message.channel, self._clock.now_us()
        after_us = None if error.after_seconds is None else round(error.after_seconds * SECOND_US)
        if error.whole:
            before = self._lines.get(name, Line())
            self._lines[name] = failed(before, now_us, after_us=after_us)
            if self._lines[name].broken and not before.broken:
                log.warning("channel %s does not deliver: %s", name, one_line(error))
        wait_us = after_us if after_us is not None else backoff_us(delivery.attempts)
        doubt = isinstance(error, DoubtError)
        await self._record(self._rows.later, delivery, now_us + wait_us, one_line(error), doubt)


__all__ = ["Ack", "Dispatcher"]
