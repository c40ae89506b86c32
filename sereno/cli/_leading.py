"""Two collectors on one store: waiting for the database, standing by, telling of oneself, handing over (docs/ha.md)."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from sereno.errors import SerenoError, StoreError

if TYPE_CHECKING:
    from sereno.clock import Clock
    from sereno.mqtt import Broker
    from sereno.store import Store
    from sereno.store.collectors import Presence
    from sereno.store.lease import Lease

log = logging.getLogger("sereno.collector")

POLL_SECONDS = 0.25
_RETRY_SECONDS = (0.5, 1.0, 2.0)  # between attempts at a database that cannot be reached
_NO_BROKER_SECONDS = 6.0  # a writer that has had none for so long gives way to one that has
_DEAF_SECONDS = 10.0  # a writer that could not renew for so long, or a standby that got no answer, begins again
_LAST_SECONDS = 3.0  # a lost leadership has ended in order by then, or is ended
_STUCK_SECONDS = 60.0  # of the loop; more than a rebuild takes


def boot_seconds() -> float:
    """The clock of leases: monotonic, and unlike the plain one it goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def open_patiently(opened: "Callable[[], Store]") -> "Store":
    """The store; a database that cannot be reached now is waited for, with one line that says so."""
    from sereno.notify import tell
    from sereno.store import UnreachableError

    tries, told = 0, ""
    while True:
        try:
            return opened()
        except UnreachableError as error:
            if str(error) != told:
                told = str(error)
                tell("note", f"{told}; trying again until it answers")
            time.sleep(_RETRY_SECONDS[min(tries, len(_RETRY_SECONDS) - 1)])
            tries += 1


class Member:
    """One collector among those of the store: its role, whether it reaches the broker, when it was last seen."""

    def __init__(self, store: "Store", lease: "Lease", clock: "Clock", page: str) -> None:
        self._store, self._lease, self._clock, self._page = store, lease, clock, page
        self._started_us = clock.now_us()
        self._said_at = -_DEAF_SECONDS
        self._others: dict[str, tuple[int, float]] = {}  # what each said last, and when we saw that change
        self.broker: bool | None = None
        self.answered_at = boot_seconds()

    async def stand_by(self) -> None:
        """Returns when this process has become the writer. What keeps it waiting is told, each reason once."""
        from sereno.notify import tell
        from sereno.store.lease import host_of

        told = ""
        while True:
            try:
                if await self._try_take():
                    return
                row = self._lease.seen()
                words = f"{host_of(row.holder)} (epoch {row.epoch}) is the writer" if row is not None else ""
                await asyncio.to_thread(self._say, "standby")
            except StoreError as error:
                words = str(error)
            if words and words != told:
                tell("note", f"standing by: {words}")
                told = words
            await asyncio.sleep(POLL_SECONDS)

    async def _try_take(self) -> bool:
        """One attempt, in a thread; one that succeeds while we are told to end is given back."""
        trying = asyncio.ensure_future(asyncio.to_thread(self._lease.try_take, self._clock.now_us()))
        try:
            return await asyncio.shield(trying)
        except asyncio.CancelledError:
            if await trying:
                self._lease.release()
            raise
        finally:
            self.answered_at = boot_seconds()  # with an error, perhaps

    async def lead(self, connected: asyncio.Event) -> None:
        """Says that it leads; returns when it had better not: no broker here, and one where another stands by."""
        without, said = boot_seconds(), None
        while True:
            now = boot_seconds()
            if connected.is_set():
                without = now
            if said != connected.is_set():
                self.broker = connected.is_set()
                try:
                    self._say("leader", again=True)
                    said = self.broker
                except StoreError as error:
                    log.warning("cannot say that we lead: %s", error)
            await asyncio.sleep(1.0)
            if now - without > _NO_BROKER_SECONDS - _LAST_SECONDS:
                better = self._better(now)
                if better is not None and now - without > _NO_BROKER_SECONDS:
                    log.warning("no broker for %.0f s, and %s has one: it takes over", now - without, better)
                    return

    def _better(self, now: float) -> str | None:
        """The host of a standby that is there now and reaches the broker."""
        from sereno.store.collectors import presences
        from sereno.store.lease import host_of

        with self._store.read() as connection:
            others = [each for each in presences(connection) if each.name != self._lease.holder]
        for each in others:
            said_us, since = self._others.get(each.name, (each.seen_us, now - _DEAF_SECONDS))
            self._others[each.name] = (each.seen_us, now if each.seen_us != said_us else since)
        there = [each for each in others if each.broker and now - self._others[each.name][1] < _LAST_SECONDS]
        return host_of(there[0].name) if there else None

    def _say(self, role: str, *, again: bool = False) -> None:
        from sereno.store.collectors import SEEN_SECONDS, say_presence

        now = boot_seconds()
        if not again and now - self._said_at < SEEN_SECONDS:
            return
        with self._lease.write_soon() as connection:
            say_presence(connection, self._presence(role))
        self._said_at = now

    def _presence(self, role: str) -> "Presence":
        from sereno.store.collectors import Presence
        from sereno.version import __version__

        return Presence(
            name=self._lease.holder,
            role=role,
            epoch=self._lease.epoch,
            started_us=self._started_us,
            seen_us=self._clock.now_us(),
            broker=self.broker,
            page=self._page,
            version=__version__,
        )

    def leave(self) -> None:
        """Ends in order: gives the lease back, so that another takes it at once, and takes the own row away."""
        from sereno.store.collectors import forget_presence
        from sereno.store.lease import LeaseLostError

        try:
            self._lease.raise_if_lost()
            if self._lease.epoch:
                self._lease.release()
            with self._lease.write_soon() as connection:
                forget_presence(connection, self._lease.holder)
        except LeaseLostError:
            self._lease.close()
        except StoreError as error:
            log.warning("the lease runs out by itself: %s", error)

    async def reach(self, broker: "Broker") -> None:
        """While standing by: holds a connection that subscribes to nothing, to know whether it could."""
        import aiomqtt

        from sereno.mqtt import Complaints, connect
        from sereno.store.advisory import session_name
        from sereno.tasks import raise_if_cancelled

        complaints = Complaints(log, broker.shown)
        while True:
            try:
                async with connect(broker, session_name(self._lease.holder).replace(" ", "-")) as client:
                    raise_if_cancelled()  # we may lead by now, and connecting loses that word
                    self.broker = True
                    complaints.connected()
                    async for _ in client.messages:
                        complaints.lasting()
            except aiomqtt.MqttError as error:
                self.broker = False
                await asyncio.sleep(complaints.failed(error))


class Watchdog:
    """A thread without any database: begins the process anew when the others cannot end what must end."""

    def __init__(self, lease: "Lease", member: Member, begin_again: Callable[[], object], *, patient: bool) -> None:
        self._lease, self._member, self._begin_again, self._patient = lease, member, begin_again, patient
        self._lost_at: float | None = None
        self._beat_at = boot_seconds()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._thread.start()

    async def beat(self) -> None:
        """Shows that the loop turns."""
        while True:
            self._beat_at = boot_seconds()
            await asyncio.sleep(1.0)

    def leaving(self, *, again: bool) -> None:
        """Everything ended in order, but for what the database must hear; without `again` a signal sees to our end."""
        if again:
            self._lost_at = boot_seconds()
        else:
            self.stop()

    def stop(self) -> None:
        """Nothing is left that could fail to end."""
        self._end.set()

    def _run(self) -> None:
        from sereno.notify import tell

        while not self._end.wait(POLL_SECONDS):
            why = self._why(boot_seconds())
            if why is not None and not self._end.is_set():
                tell("note", f"{why}; beginning again")
                self._begin_again()

    def _why(self, now: float) -> str | None:
        try:
            self._lease.raise_if_lost()
        except SerenoError:
            self._lost_at = self._lost_at or now
        if self._lost_at is not None:
            return "what was begun does not end" if now - self._lost_at > _LAST_SECONDS else None
        if now - self._beat_at > _STUCK_SECONDS:
            return f"nothing moved for {now - self._beat_at:.0f} s"
        silent = self._lease.silent_seconds() if self._lease.epoch else now - self._member.answered_at
        if not self._patient and silent > _DEAF_SECONDS:  # on SQLite whoever holds the file is waited for
            return f"the database did not answer for {silent:.0f} s"
        return None
