"""The leader's mailbox: looked at in a thread of its own, told of when it cannot be read, left alone for a while then.

A thread, because IMAP blocks; a daemon, because a server that hangs must not hold the collector's end.
"""

import asyncio
import logging
import threading
from collections.abc import Callable

from sqlalchemy import select

from alerting.external import unrepeated
from alerting.mailbox.imap import MailboxError
from alerting.mailbox.poll import Poller
from sereno.clock import SECOND_US, Clock
from sereno.desk import Desk
from sereno.desk.inbound import Mailbox
from sereno.errors import SerenoError, StoreError
from sereno.store import Store
from sereno.store.changes import insert_changes
from sereno.store.commands import submit
from sereno.store.lease import LeaseLostError
from sereno.store.tables import verdict_changes
from sereno.topology import explain_secret
from sereno.verdict import Change

log = logging.getLogger(__name__)
WHAT = "mailbox_failing"
NAME = "mailbox"
LONGEST_WAIT_SECONDS = 300.0
LAST_SECONDS = 1.0  # what hangs longer dies with the process
EXPIRE_SECONDS = 60.0  # how often alerts that nobody repeats are looked for
_EXPIRE_US = 600 * SECOND_US


class InboundService:
    """What the leader fetches by itself: mail, and the end of alerts that Alertmanager forgot."""

    def __init__(
        self, store: Store, clock: Clock, desk: Desk | None, on_news: Callable[[], None] = lambda: None
    ) -> None:  # fmt: skip
        self._store, self._clock, self._desk, self._on_news = store, clock, desk, on_news
        self._stop = threading.Event()

    async def run(self) -> None:
        """Until cancelled; ends with the error of a leadership that is lost."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()

        def finish(error: BaseException | None) -> None:
            if ended.done():
                return
            if error is None:
                ended.set_result(None)
            else:
                ended.set_exception(error)

        def work(task: Callable[[], None]) -> None:
            try:
                task()
            except BaseException as error:  # noqa: BLE001 - it is raised again where it is awaited
                loop.call_soon_threadsafe(finish, error)

        poller = self._poller()
        tasks = [self._expire] if poller is None else [self._expire, lambda: self._fetch(poller)]
        threads = [threading.Thread(target=work, args=(task,), name="inbound", daemon=True) for task in tasks]
        for thread in threads:
            thread.start()
        try:
            await ended
        finally:
            self._stop.set()
            if poller is not None:
                poller.close()
            for thread in threads:
                await asyncio.to_thread(thread.join, LAST_SECONDS)

    # -- mail ----------------------------------------------------------------------------------------------------------

    def _poller(self) -> Poller | None:
        box = self._desk.inbound.mail if self._desk is not None else None
        if box is None:
            return None
        return Poller(self._store, self._clock, box, lambda: secret_of(box), self._stop.is_set)

    def _fetch(self, poller: Poller) -> None:
        box = self._desk.inbound.mail if self._desk is not None else None
        every = (box.every_us if box is not None else LONGEST_WAIT_SECONDS * SECOND_US) / SECOND_US
        told, wait = self._said(), 0.0
        try:
            while not self._stop.wait(wait):
                told, wait = self._look(poller, told, wait, every)
        finally:
            poller.leave()

    def _look(self, poller: Poller, told: str | None, waited: float, every: float) -> tuple[str | None, float]:
        """One look: (the fault that was told, seconds until the next)."""
        try:
            count = poller.poll()
        except LeaseLostError:
            raise
        except Exception as error:
            if not isinstance(error, MailboxError | StoreError):  # of ours: the desk goes on, and says so
                log.exception("mailbox")
            if str(error) != told and not self._stop.is_set():
                log.warning("mailbox: %s", error)
                if told is None:
                    self._say("true", str(error))
            return str(error), min(LONGEST_WAIT_SECONDS, max(every, 2 * waited))
        if told is not None:
            log.info("mailbox: it can be read")
            self._say("false", "")
        if count:
            self._on_news()
        return None, every

    def _said(self) -> str | None:
        """What was said last of it, also by the leader before: a fault that ended meanwhile must be said to have."""
        rows = verdict_changes.c
        mine = select(rows.state, rows.reason).where(rows.kind == "monitor", rows.name == NAME, rows.what == WHAT)
        try:
            with self._store.read() as connection:
                row = connection.execute(mine.order_by(rows.id.desc()).limit(1)).first()
        except StoreError:
            return None
        return str(row.reason) if row is not None and row.state == "true" else None

    def _say(self, state: str, why: str) -> None:
        now_us = self._clock.now_us()
        change = Change(
            kind="monitor", name=NAME, what=WHAT, state=state, since_us=now_us, at_us=now_us, reason=why[:200] or None
        )
        try:
            with self._store.write() as connection:
                insert_changes(connection, [change])
        except LeaseLostError:
            raise
        except StoreError as error:
            log.warning("mailbox: %s", error)
        self._on_news()

    # -- alerts that nobody repeats ------------------------------------------------------------------------------------

    def _expire(self) -> None:
        alerts = self._desk.inbound.alerts if self._desk is not None else None
        while not self._stop.wait(EXPIRE_SECONDS):
            now_us = self._clock.now_us()
            before_us = now_us - (alerts.expire_us if alerts is not None else 86_400 * SECOND_US)
            try:
                with self._store.read() as connection:
                    old = connection.execute(unrepeated(before_us).limit(1)).first()
                if old is not None:
                    submit(
                        self._store, "external.expire", {"before_us": before_us}, "sereno",
                        f"expire/{now_us // _EXPIRE_US}", self._clock,
                    )  # fmt: skip
                    self._on_news()
            except LeaseLostError:
                raise
            except SerenoError as error:
                log.warning("alerts: %s", error)


def secret_of(box: Mailbox) -> str:
    """The mailbox's password, looked up at every connection: it may have been changed."""
    found, why = explain_secret(box.secret, NAME)
    if found is None:
        raise MailboxError(why)
    return found
