"""The dispatcher: hands over what is in the outbox, at least once, with retries, and keeps the receipts."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping

import msgspec
from sqlalchemy import Connection, insert, select, update

from alerting.channels.base import Channel, RejectedError, RetryError, one_line
from alerting.effects import Notification
from alerting.words import DESK_LANGUAGE, say
from sereno.clock import SECOND_US, Clock
from sereno.errors import StoreError
from sereno.store import Store
from sereno.store.tables import incident_timeline, outbox

log = logging.getLogger(__name__)
FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 300.0
GIVE_UP_US = 4 * 3_600 * SECOND_US  # the incident is on the screen; a message this old would only confuse
AT_ONCE = 32
SILENT_SECONDS = 0.1


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One row to hand over."""

    id: int
    message: Notification
    created_us: int
    attempts: int


class Dispatcher:
    """Reads the outbox, sends, writes what came back."""

    def __init__(
        self, store: Store, channels: Mapping[str, Channel], clock: Clock, may_speak: Callable[[], bool] = lambda: True
    ) -> None:
        self._store, self._channels, self._clock, self._may_speak = store, channels, clock, may_speak
        self._wake = asyncio.Event()
        self._flying: dict[int, asyncio.Task[None]] = {}

    def wake(self) -> None:
        """There may be something to hand over."""
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled; what was in flight then is sent again by whoever comes next."""
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
            for task in self._flying.values():
                task.cancel()
            await asyncio.gather(*self._flying.values(), return_exceptions=True)

    async def _round(self) -> float:
        """Starts what is due; seconds until the next look."""
        if not self._may_speak():
            return SILENT_SECONDS
        try:
            due, wait = await asyncio.to_thread(self._due)
        except StoreError as error:
            log.warning("outbox: %s", error)  # one line: the store's own words
            return 1.0
        for delivery in due:
            task = asyncio.create_task(self._deliver(delivery), name=f"deliver-{delivery.id}")
            self._flying[delivery.id] = task
            task.add_done_callback(lambda done, number=delivery.id: self._landed(number, done))  # type: ignore[misc]
        return wait

    def _landed(self, number: int, task: asyncio.Task[None]) -> None:
        self._flying.pop(number, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("outbox %d: %s", number, one_line(error))
        self._wake.set()

    def _due(self) -> tuple[list[Delivery], float]:
        now_us = self._clock.now_us()
        flying = list(self._flying)
        waiting = select(outbox).where(outbox.c.state == "pending", outbox.c.id.not_in(flying))
        with self._store.read() as connection:
            rows = connection.execute(waiting.order_by(outbox.c.due_us, outbox.c.id).limit(AT_ONCE + 1)).all()
        due = [row for row in rows if row.due_us <= now_us][: max(0, AT_ONCE - len(flying))]
        later = [row.due_us for row in rows if row.due_us > now_us]
        wait = (min(later) - now_us) / SECOND_US if later else 5.0
        return [
            Delivery(
                id=row.id,
                message=msgspec.json.decode(row.message, type=Notification),
                created_us=row.created_us,
                attempts=row.attempts,
            )
            for row in due
        ], min(max(wait, 0.01), 5.0)

    async def _deliver(self, delivery: Delivery) -> None:
        message = delivery.message
        channel = self._channels.get(message.channel)
        if channel is None:  # taken out of the desk's file since
            await asyncio.to_thread(self._failed, delivery, f"no channel named {message.channel}")
            return
        if not self._may_speak():  # stopped since it was read: it may have been sent by another by now
            return
        try:
            receipt = await channel(message)
        except RejectedError as error:
            await asyncio.to_thread(self._failed, delivery, one_line(error))
        except RetryError as error:
            await asyncio.to_thread(self._later, delivery, error)
        else:
            await asyncio.to_thread(self._sent, delivery, receipt)

    def _sent(self, delivery: Delivery, receipt: str) -> None:
        now_us = self._clock.now_us()
        with self._store.write() as connection:
            self._update(connection, delivery, state="sent", handed_us=now_us, receipt=receipt, error=None)
            self._line(connection, delivery, "handed to {person} by {channel}: {receipt}", now_us, receipt=receipt)

    def _later(self, delivery: Delivery, error: RetryError) -> None:
        now_us = self._clock.now_us()
        if now_us - delivery.created_us > GIVE_UP_US:
            self._failed(delivery, one_line(error))
            return
        wait = error.after_seconds if error.after_seconds is not None else backoff(delivery.attempts)
        with self._store.write() as connection:
            self._update(connection, delivery, due_us=now_us + round(wait * SECOND_US), error=one_line(error))

    def _failed(self, delivery: Delivery, error: str) -> None:
        now_us = self._clock.now_us()
        with self._store.write() as connection:
            self._update(connection, delivery, state="failed", error=error)
            self._line(connection, delivery, "delivery to {person} by {channel} failed: {error}", now_us, error=error)

    @staticmethod
    def _update(connection: Connection, delivery: Delivery, **values: object) -> None:
        connection.execute(
            update(outbox)
            .where(outbox.c.id == delivery.id, outbox.c.state == "pending")
            .values(attempts=delivery.attempts + 1, **values)
        )

    @staticmethod
    def _line(connection: Connection, delivery: Delivery, words: str, now_us: int, **values: str) -> None:
        message = delivery.message
        line = say(DESK_LANGUAGE, words, person=message.to, channel=message.channel, **values)
        connection.execute(
            insert(incident_timeline).values(number=message.incident, at_us=now_us, what=line, who="sereno")
        )


def backoff(attempts: int) -> float:
    """Doubling from one second to five minutes, each with a fifth of jitter so that a crowd does not return at once."""
    base = min(FIRST_RETRY_SECONDS * float(2 ** min(attempts, 20)), LONGEST_RETRY_SECONDS)
    return base * random.uniform(0.8, 1.2)  # noqa: S311 - spread, not secrecy
