"""One writer: the lease row says who, and its epoch fences every write of whoever was writer before.

A holder renews every second. A standby takes over when the row has not moved for three of its own (monotonic) seconds,
so clocks of two machines need not agree; or at once when it was given back, or the holder is a dead process of this
machine. On PostgreSQL a session's advisory lock goes with it (docs/ha.md, docs/adr/0019).
"""

import hashlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from sereno.errors import StoreError
from sereno.store.advisory import AdvisoryLock, end_sessions, name_sessions
from sereno.store.engine import Store
from sereno.store.tables import leaderships, lease

log = logging.getLogger(__name__)

RENEW_SECONDS = 1.0
EXPIRES_SECONDS = 3.0
HELD_SECONDS = 2.5  # what is not renewed for so long says nothing more to anybody, half a second before another may
_RETRY_SECONDS = 0.25


class LeaseLostError(StoreError):
    """Another collector has become the writer; this one must stop."""


class Row(msgspec.Struct, frozen=True):
    """The lease as it stands."""

    epoch: int
    holder: str
    renewed_us: int


def this_process() -> str:
    """A name for this process that no later process bears: host, pid and the kernel's start time of it."""
    return f"{_this_host()}/{os.getpid()}/{_started(os.getpid())}"


def host_of(holder: str) -> str:
    """The host of a holder, for a person to read."""
    return holder.partition("/")[0].rpartition("~")[0]


def read(connection: Connection) -> Row | None:
    return _read(connection)


class Lease:
    """The claim of one process on a store. `try_take` until True, then `keep`; `check` is the fence of every write."""

    def __init__(self, store: Store, monotonic: Callable[[], float], holder: str | None = None) -> None:
        self.epoch = 0
        self.holder = holder or this_process()
        self._store = store
        self._monotonic = monotonic
        self._seen: Row | None = None
        self._seen_at = 0.0
        self._renewed_at: float | None = None  # when the last renewal that came through was begun
        self._lost: str | None = None
        self._keeper: threading.Thread | None = None
        self._end = threading.Event()
        self._lock: AdvisoryLock | None = None
        if not store.is_sqlite:
            name_sessions(store.engine, self.holder)
            self._lock = AdvisoryLock(store.engine)

    # -- becoming the writer -------------------------------------------------------------------------------------------

    def try_take(self, now_us: int) -> bool:
        """Takes the lease when nobody holds it, with a new epoch; call it again and again until True."""
        with self._store.read() as connection:
            row = _read(connection)
        if not self._is_free(row):
            return False
        at = self._monotonic()
        taken = False
        try:
            taken = self._locked(row) and self._raise_epoch(now_us)
        finally:
            if self._lock is not None and not taken:
                self._lock.close()
        if taken:
            self._renewed_at, self._lost = at, None
        return taken

    def _raise_epoch(self, now_us: int) -> bool:
        """Waits for the transactions of the writer before, which its check of the epoch keeps locked to their end."""
        with self.write_soon() as connection:
            row = _read(connection, exclusive=True)
            if not self._is_free(row):
                return False
            last = connection.execute(select(func.max(leaderships.c.epoch))).scalar_one() or 0
            self.epoch = max(last, 0 if row is None else row.epoch) + 1
            values = {"epoch": self.epoch, "holder": self.holder, "renewed_us": now_us}
            connection.execute(insert(lease).values(id=1, **values) if row is None else update(lease).values(**values))
            after = "" if row is None else row.holder
            connection.execute(
                insert(leaderships).values(epoch=self.epoch, holder=self.holder, from_us=now_us, after=after)
            )
            return True

    def seen(self) -> Row | None:
        """The lease as `try_take` saw it last."""
        return self._seen

    def _is_free(self, row: Row | None) -> bool:
        return row is None or row.holder == self.holder or not self._alive(row)

    @contextmanager
    def write_soon(self) -> Iterator[Connection]:
        """A small write beside everybody's queue, given up after a second: a stopped process may stand first in it."""
        with self._store.translated(), self._store.engine.connect() as connection:
            if self._lock is not None:
                connection.exec_driver_sql("SET LOCAL lock_timeout = '1s'")
                yield connection
                connection.commit()
                return
            patience = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
            connection.exec_driver_sql("PRAGMA busy_timeout = 1000")
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection
                connection.commit()
            finally:
                connection.rollback()
                connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(patience)}")

    def _locked(self, row: Row | None) -> bool:
        """The advisory lock, from whoever holds it still though the lease has run out: a stopped process keeps it."""
        if self._lock is None:
            return True
        before = row.holder if row is not None and row.holder != self.holder else ""
        with self._store.translated():
            if before:
                end_sessions(self._store.engine, before)
            return self._lock.take() or (bool(before) and self._lock.wrest(before))

    # -- being it ------------------------------------------------------------------------------------------------------

    def check(self, connection: Connection) -> None:
        """LeaseLostError when the epoch has moved on; run first in every write transaction of the collector.

        The row stays locked until the transaction ends, so that no other can raise the epoch between this and its
        commit; renewals, which do not touch the key, pass.
        """
        row = _read(connection, shared=True)
        if row is None or row.epoch != self.epoch or row.holder != self.holder:
            self._lose(row)

    def renew(self, now_us: int) -> None:
        """Says that this process is still the writer."""
        at = self._monotonic()
        if self._lock is None:
            with self._store.write() as connection:
                self.check(connection)
                connection.execute(update(lease).values(renewed_us=now_us))
        else:
            self._renew_by(self._lock, now_us)
        self._renewed_at = at

    def held(self) -> bool:
        """Whether this process may speak as the writer: by its own monotonic clock no other can be it yet."""
        return (
            self._lost is None and self._renewed_at is not None and self._monotonic() - self._renewed_at < HELD_SECONDS
        )

    def silent_seconds(self) -> float:
        """How long ago the last renewal came through; 0 for who never held it."""
        return 0.0 if self._renewed_at is None else self._monotonic() - self._renewed_at

    def raise_if_lost(self) -> None:
        """LeaseLostError once this process knows that it is the writer no more."""
        if self._lost is not None:
            raise LeaseLostError(self._lost)

    def keep(self, now_us: Callable[[], int]) -> None:
        """Renews from now on, in a thread: a long transaction or a rebuild must not cost the leadership."""
        if self._keeper is None:
            self._end.clear()
            self._keeper = threading.Thread(target=self._keep, args=(now_us,), name="lease", daemon=True)
            self._keeper.start()

    def release(self) -> None:
        """Lets the next one in at once; a lease already lost is left alone."""
        self._stop_keeping()
        mine = update(lease).where(lease.c.epoch == self.epoch, lease.c.holder == self.holder)
        try:
            with self.write_soon() as connection:
                connection.execute(mine.values(holder=""))
            if self._lock is not None:
                self._lock.unlock()
        finally:
            self.close()

    def close(self) -> None:
        """Renews no more, and gives back the session; the lease itself runs out."""
        self._stop_keeping()
        if self._lock is not None:
            self._lock.close()

    def _stop_keeping(self) -> None:
        self._end.set()
        if self._keeper is not None:
            self._keeper.join()
            self._keeper = None
        self._renewed_at = None

    def _keep(self, now_us: Callable[[], int]) -> None:
        wait = RENEW_SECONDS
        while not self._end.wait(wait):
            try:
                self.renew(now_us())
                wait = RENEW_SECONDS
            except LeaseLostError:
                return
            except StoreError as error:
                if wait == RENEW_SECONDS:  # the first of a row
                    log.warning("lease: %s; trying again", error)
                wait = _RETRY_SECONDS

    def _renew_by(self, lock: AdvisoryLock, now_us: int) -> None:
        """By the session that holds the advisory lock; if that was ended, by another one, unless somebody took over."""
        if lock.held:
            try:
                self._update(lock, now_us)
            except LeaseLostError:
                raise
            except StoreError:
                lock.close()
            else:
                return
        try:
            with self._store.translated():
                if not lock.take():
                    self._wrest_own(lock)
            self._update(lock, now_us)
        except BaseException:
            lock.close()
            raise

    def _update(self, lock: AdvisoryLock, now_us: int) -> None:
        mine = update(lease).where(lease.c.epoch == self.epoch, lease.c.holder == self.holder)
        with self._store.translated():
            if lock.connection.execute(mine.values(renewed_us=now_us)).rowcount == 0:
                self._lose(_read(lock.connection))

    def _wrest_own(self, lock: AdvisoryLock) -> None:
        """Our own session of before may still be there: the network went away, and its backend has not noticed."""
        with self._store.read() as connection:
            row = _read(connection)
        if row is None or (row.epoch, row.holder) != (self.epoch, self.holder):
            self._lose(row)
        if not lock.wrest(self.holder):
            raise StoreError("another session holds the advisory lock, and cannot be ended")

    def _lose(self, row: Row | None) -> NoReturn:
        who = "nobody" if row is None or not row.holder else f"{row.holder} (epoch {row.epoch})"
        self._lost = f"the writer is now {who}; this collector (epoch {self.epoch}) stops"
        raise LeaseLostError(self._lost)

    def _alive(self, row: Row) -> bool:
        if not row.holder or _is_dead(row.holder):
            return False
        now = self._monotonic()
        if row != self._seen:
            self._seen, self._seen_at = row, now
        return now - self._seen_at < EXPIRES_SECONDS


def _read(connection: Connection, *, shared: bool = False, exclusive: bool = False) -> Row | None:
    """The row; on PostgreSQL locked against a take-over (`shared`) or against every other writer (`exclusive`)."""
    query = select(lease.c.epoch, lease.c.holder, lease.c.renewed_us)
    if shared:
        query = query.with_for_update(read=True, key_share=True)
    elif exclusive:
        query = query.with_for_update()
    row = connection.execute(query).one_or_none()
    return None if row is None else Row(row.epoch, row.holder, row.renewed_us)


def _is_dead(holder: str) -> bool:
    """Whether the holder is a process of this machine that is no more."""
    host, _, rest = holder.partition("/")
    pid, _, started = rest.partition("/")
    if host != _this_host() or not pid.isdigit():
        return False
    found = _started(int(pid))
    return not _exists(int(pid)) if found is None else found != started


def _this_host() -> str:
    """Host name and, because two containers may share one, what tells this boot and this table of processes apart."""
    marks = [Path("/proc/sys/kernel/random/boot_id").read_text(), str(Path("/proc/self/ns/pid").stat().st_ino)]
    return f"{socket.gethostname()}~{hashlib.sha256(' '.join(marks).encode()).hexdigest()[:6]}"


def _started(pid: int) -> str | None:
    """Start time of a process in clock ticks since boot (proc(5), stat field 22), "" of a dead one, None if unknown."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]


def _exists(pid: int) -> bool:
    """Whether there is such a process, even one that /proc does not show to us (hidepid)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
