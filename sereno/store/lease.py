"""One writer: the lease row says who, and its epoch fences every write of whoever was writer before.

A holder renews every second. A standby takes over when the row has not moved for three of its own (monotonic) seconds,
so clocks of two machines need not agree; or at once when the holder is a dead process of this machine.
"""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import msgspec
from sqlalchemy import Connection, insert, select, update

from sereno.errors import StoreError
from sereno.store.engine import Store
from sereno.store.tables import lease

RENEW_SECONDS = 1.0
EXPIRES_SECONDS = 3.0


class LeaseLostError(StoreError):
    """Another collector has become the writer; this one must stop."""


class Row(msgspec.Struct, frozen=True):
    """The lease as it stands."""

    epoch: int
    holder: str
    renewed_us: int


def this_process() -> str:
    """A name for this process that no later process bears: host, pid and the kernel's start time of it."""
    return f"{socket.gethostname()}/{os.getpid()}/{_started(os.getpid())}"


def read(connection: Connection) -> Row | None:
    row = connection.execute(select(lease.c.epoch, lease.c.holder, lease.c.renewed_us)).one_or_none()
    return None if row is None else Row(row.epoch, row.holder, row.renewed_us)


class Lease:
    """The claim of one process on a store."""

    def __init__(self, store: Store, monotonic: Callable[[], float], holder: str | None = None) -> None:
        self.epoch = 0
        self._store = store
        self._monotonic = monotonic
        self._holder = holder or this_process()
        self._seen: Row | None = None
        self._seen_at = 0.0

    def try_take(self, now_us: int) -> bool:
        """Takes the lease when nobody holds it, with a new epoch; call it again and again until True."""
        with self._store.write() as connection:
            row = read(connection)
            if row is not None and row.holder != self._holder and self._alive(row):
                return False
            self.epoch = 1 if row is None else row.epoch + 1
            values = {"epoch": self.epoch, "holder": self._holder, "renewed_us": now_us}
            connection.execute(insert(lease).values(id=1, **values) if row is None else update(lease).values(**values))
            return True

    def check(self, connection: Connection) -> None:
        """LeaseLostError when the epoch has moved on; run first in every write transaction of the collector."""
        row = read(connection)
        if row is None or row.epoch != self.epoch or row.holder != self._holder:
            who = "nobody" if row is None else f"{row.holder} (epoch {row.epoch})"
            raise LeaseLostError(f"the writer is now {who}; this collector (epoch {self.epoch}) stops")

    def renew(self, now_us: int) -> None:
        """Says that this process is still the writer."""
        with self._store.write() as connection:
            self.check(connection)
            connection.execute(update(lease).values(renewed_us=now_us))

    def release(self) -> None:
        """Lets the next one in at once; a lease already lost is left alone."""
        with self._store.write() as connection:
            row = read(connection)
            if row is not None and row.epoch == self.epoch and row.holder == self._holder:
                connection.execute(update(lease).values(holder=""))

    def _alive(self, row: Row) -> bool:
        if not row.holder or _is_dead(row.holder):
            return False
        now = self._monotonic()
        if row != self._seen:
            self._seen, self._seen_at = row, now
        return now - self._seen_at < EXPIRES_SECONDS


def _is_dead(holder: str) -> bool:
    """Whether the holder is a process of this machine that is no more."""
    host, _, rest = holder.partition("/")
    pid, _, started = rest.partition("/")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    return _started(int(pid)) != started


def _started(pid: int) -> str:
    """Start time of a process in clock ticks since boot (proc(5), stat field 22), "" when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]
