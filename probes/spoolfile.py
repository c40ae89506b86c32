"""The file of the spool: SQLite, and a reserve beside it that gives deletions room to work when the disk is full.

synchronous=NORMAL: a power cut of the probe's own machine may take its last moments (unknown time, never up time).
The seq of what was lost so is never given again, because every start of the process is a new boot.

A full disk takes no deletion either: SQLite writes the new pages of a deletion to its log first. The log is kept short
and the reserve is larger than it, so that giving up the reserve always lets the log be folded and the oldest go.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from sereno.errors import StoreError
from sereno.ranges import Range, Ranges

P = ParamSpec("P")
T = TypeVar("T")
Row = tuple[str, int, int, bytes]  # boot, seq, at in microseconds, body

RESERVE_BYTES = 2 << 20
_LOG_PAGES = 250  # a megabyte, half of the reserve
_PIECE = 250  # rows deleted at once
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
SPOOL_SCHEMA = """
CREATE TABLE IF NOT EXISTS boots (number INTEGER PRIMARY KEY AUTOINCREMENT, boot TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS results (
  boot INTEGER NOT NULL, seq INTEGER NOT NULL, at_us INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (boot, seq)
) WITHOUT ROWID;
"""


class SpoolError(StoreError):
    """The disk takes nothing now; what is there stays. `full`: for want of room."""

    def __init__(self, what: str, *, full: bool = False) -> None:
        self.full = full
        super().__init__(what)


class SpoolDamaged(StoreError):  # noqa: N818  # a state, told to people as such
    """What is in the file cannot be read."""


def _translated(
    method: Callable[Concatenate["SpoolFile", P], T],
) -> Callable[Concatenate["SpoolFile", P], T]:
    @wraps(method)
    def guarded(self: "SpoolFile", /, *arguments: P.args, **named: P.kwargs) -> T:
        try:
            return method(self, *arguments, **named)
        except sqlite3.Error as error:
            raise _error(error) from None

    return guarded


def _error(error: sqlite3.Error) -> SpoolError | SpoolDamaged:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _DAMAGED:
        return SpoolDamaged(str(error))
    return SpoolError(str(error), full=code == sqlite3.SQLITE_FULL)


class SpoolFile:
    """Rows by (boot, seq). Every change is committed when the method returns."""

    def __init__(self, path: Path, *, reserve_bytes: int = RESERVE_BYTES) -> None:
        self.path = path
        self._reserve, self.reserve_bytes = path.with_name(path.name + ".reserve"), reserve_bytes
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
        except sqlite3.Error as error:
            raise _error(error) from None
        try:
            self._db.execute("PRAGMA auto_vacuum=INCREMENTAL")  # of a new file; one from before keeps its size
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
            self._db.executescript(SPOOL_SCHEMA)
            self._numbers: dict[str, int] = dict(self._db.execute("SELECT boot, number FROM boots ORDER BY number"))
        except sqlite3.Error as error:
            self._db.close()
            raise _error(error) from None
        self.keep_reserve()

    @_translated
    def held(self) -> dict[str, Ranges]:
        """What is here, by boot, oldest boot first."""
        names = {number: boot for boot, number in self._numbers.items()}
        found = {number: Ranges() for number in sorted(names)}
        for number, seq in self._db.execute("SELECT boot, seq FROM results ORDER BY boot, seq"):
            if number not in found:
                raise SpoolDamaged(f"results of a boot {number} that is not there")
            found[number].add(seq)
        return {names[number]: ranges for number, ranges in found.items() if ranges}

    @_translated
    def insert(self, rows: Iterable[Row]) -> None:
        """All of them, or none."""
        with self._transaction():
            for boot, seq, at_us, body in rows:
                self._db.execute("INSERT INTO results VALUES (?, ?, ?, ?)", (self._number(boot), seq, at_us, body))

    @_translated
    def begin_boot(self, boot: str) -> None:
        """Makes a new boot known, in its place after those before; forgets boots that have no results."""
        with self._transaction():
            self._db.execute("DELETE FROM boots WHERE number NOT IN (SELECT DISTINCT boot FROM results)")
            known = {boot for (boot,) in self._db.execute("SELECT boot FROM boots")}
            for gone in self._numbers.keys() - known:
                del self._numbers[gone]
            self._number(boot)

    @_translated
    def read(self, boot: str, first: int, last: int) -> list[tuple[int, bytes]]:
        """(seq, body) in order of seq."""
        rows = self._db.execute(
            "SELECT seq, body FROM results WHERE boot = ? AND seq BETWEEN ? AND ? ORDER BY seq",
            (self._numbers.get(boot, -1), first, last),
        )
        return [(seq, bytes(body)) for seq, body in rows]

    @_translated
    def delete(self, spans: Iterable[tuple[str, Range]]) -> None:
        """Lets go of ranges of boots; in pieces that leave the log shorter than the reserve."""
        for boot, (first, last) in spans:
            number = self._numbers.get(boot, -1)
            for start in range(first, last + 1, _PIECE):
                self._db.execute(
                    "DELETE FROM results WHERE boot = ? AND seq BETWEEN ? AND ?",
                    (number, start, min(start + _PIECE - 1, last)),
                )

    @_translated
    def oldest(self, count: int, before_us: int | None = None) -> list[tuple[str, Range]]:
        """The ranges of the `count` oldest rows (of those from before an instant)."""
        names = {number: boot for boot, number in self._numbers.items()}
        if before_us is None:
            rows = self._db.execute("SELECT boot, seq FROM results ORDER BY boot, seq LIMIT ?", (count,))
        else:
            rows = self._db.execute(
                "SELECT boot, seq FROM results WHERE at_us < ? ORDER BY boot, seq LIMIT ?", (before_us, count)
            )
        spans: dict[str, Range] = {}
        for number, seq in rows:
            boot = names[number]
            spans[boot] = (spans[boot][0] if boot in spans else seq, seq)
        return list(spans.items())

    @_translated
    def oldest_at_us(self) -> int | None:
        """When the oldest row was sent."""
        row = self._db.execute("SELECT at_us FROM results ORDER BY boot, seq LIMIT 1").fetchone()
        return int(row[0]) if row is not None else None

    @_translated
    def used_bytes(self) -> int:
        """What the rows take on disk; room that deletions left is used again."""
        return self._pragma("page_size") * (self._pragma("page_count") - self._pragma("freelist_count"))

    @_translated
    def free_bytes(self) -> int:
        """Room inside the file that needs no more disk."""
        return self._pragma("page_size") * self._pragma("freelist_count")

    @_translated
    def fold(self) -> None:
        """Moves the log into the file and gives the log's room back to the disk."""
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    @_translated
    def shrink(self, octets: int) -> None:
        """Gives room inside the file back to the disk."""
        self._db.execute(f"PRAGMA incremental_vacuum({octets // self._pragma('page_size')})").fetchall()
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    # -- the reserve -------------------------------------------------------------------------------------------------

    def keep_reserve(self) -> bool:
        """Takes the room that deletions will need on a full disk; False when the disk has none."""
        with suppress(OSError):
            if self._reserve.stat().st_size == self.reserve_bytes:
                return True
        try:
            descriptor = os.open(self._reserve, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return False
        try:
            os.posix_fallocate(descriptor, 0, self.reserve_bytes)
        except OSError:
            os.close(descriptor)
            self.give_reserve()
            return False
        os.close(descriptor)
        return True

    def give_reserve(self) -> None:
        """Gives the reserve's room back to the disk."""
        with suppress(OSError):
            self._reserve.unlink()

    def set_aside(self) -> Path:
        """Closes a damaged file and moves it out of the way; one that was set aside before gives way to it."""
        self.close()
        return set_aside(self.path)

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self._db.close()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _number(self, boot: str) -> int:
        found = self._numbers.get(boot)
        if found is None:
            found = int(self._db.execute("INSERT INTO boots (boot) VALUES (?)", (boot,)).lastrowid or 0)
            self._numbers[boot] = found
        return found

    def _pragma(self, name: str) -> int:
        return int(self._db.execute(f"PRAGMA {name}").fetchone()[0])

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._db, self._numbers)


class _Transaction:
    """BEGIN IMMEDIATE … COMMIT; whatever fails is rolled back, in the file and in what we know of it."""

    def __init__(self, db: sqlite3.Connection, numbers: dict[str, int]) -> None:
        self._db, self._numbers, self._before = db, numbers, dict(numbers)

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self._db.execute("COMMIT")
                return
        except sqlite3.Error:
            self._undo()
            raise
        self._undo()

    def _undo(self) -> None:
        self._numbers.clear()
        self._numbers.update(self._before)
        if self._db.in_transaction:  # a full disk has rolled it back already
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")


def read_through(path: Path) -> None:
    """OSError where the disk does not give what the file or its log holds."""
    for ending in ("", "-wal"):
        with suppress(FileNotFoundError), path.with_name(path.name + ending).open("rb", buffering=0) as file:
            while file.read(1 << 20):
                pass


def set_aside(path: Path) -> Path:
    """Moves a file that cannot be read (and what belongs to it) out of the way; where it is now."""
    aside = path.with_name(path.name + ".damaged")
    path.replace(aside)
    for ending in ("-wal", "-shm"):  # a new file must not take up the old one's log
        part = path.with_name(path.name + ending)
        with suppress(FileNotFoundError):
            part.replace(aside.with_name(aside.name + ending))
    return aside


__all__ = [
    "RESERVE_BYTES",
    "SPOOL_SCHEMA",
    "Row",
    "SpoolDamaged",
    "SpoolError",
    "SpoolFile",
    "read_through",
    "set_aside",
]
