"""The spool: what a probe measured and no collector has committed yet, in SQLite; survives kill −9.

synchronous=NORMAL: a power cut of the probe's own machine may take its last moments (unknown time, never up time).
The seq of what was lost so is never given again, because every start of the process is a new boot.
"""

import logging
import sqlite3
from pathlib import Path

from msgspec.structs import replace

from sereno.clock import SECOND_US
from sereno.errors import StoreError
from sereno.ranges import Range, Ranges
from sereno.wire import Result, encode

log = logging.getLogger(__name__)

LIMIT_ROWS = 2_000_000  # about a gigabyte; at 20 results a second, a day without any collector
LIMIT_AGE_US = 7 * 86_400 * SECOND_US  # beyond it the store may have forgotten its neighbours
_DROP_STEP = 1_000
SPOOL_SCHEMA = """
CREATE TABLE IF NOT EXISTS boots (number INTEGER PRIMARY KEY AUTOINCREMENT, boot TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS results (
  boot INTEGER NOT NULL, seq INTEGER NOT NULL, at_us INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (boot, seq)
) WITHOUT ROWID;
"""


class Spool:
    """Results by (boot, seq). One process at a time; every change is committed when the method returns."""

    def __init__(
        self, path: Path, probe: str, *, limit_rows: int = LIMIT_ROWS, limit_age_us: int = LIMIT_AGE_US
    ) -> None:
        self._probe, self._path = probe, path
        self._limit_rows, self._limit_age_us = limit_rows, limit_age_us
        self.dropped = 0
        self._boot = ""
        self._number = 0
        self._seq = 0
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(SPOOL_SCHEMA)
            self._numbers = dict(self._db.execute("SELECT boot, number FROM boots"))
            (self._rows,) = self._db.execute("SELECT count(*) FROM results").fetchone()
        except sqlite3.Error as error:
            raise StoreError(f"{path}: {error}; the probe needs a directory of its own that it can write") from None

    def __len__(self) -> int:
        return int(self._rows)

    @property
    def boot(self) -> str:
        """The boot under which results are put in now."""
        return self._boot

    def held(self) -> dict[str, Ranges]:
        """What is here, by boot, oldest boot first."""
        found = {number: Ranges() for number in sorted(self._numbers.values())}
        for number, seq in self._db.execute("SELECT boot, seq FROM results ORDER BY boot, seq"):
            found[number].add(seq)
        names = {number: boot for boot, number in self._numbers.items()}
        return {names[number]: ranges for number, ranges in found.items() if ranges}

    def begin_boot(self, boot: str) -> None:
        """From here on results belong to `boot` (a new random name), with seq from 1."""
        self._db.execute("DELETE FROM boots WHERE number NOT IN (SELECT DISTINCT boot FROM results)")
        number = self._db.execute("INSERT INTO boots (boot) VALUES (?)", (boot,)).lastrowid
        self._numbers = dict(self._db.execute("SELECT boot, number FROM boots"))
        self._boot, self._number, self._seq = boot, int(number or 0), 0

    def append(self, result: Result) -> Result:
        """Stamps a result with probe, boot and the next seq and keeps it; it exists from here on."""
        stamped = replace(result, probe=self._probe, boot=self._boot, seq=self._seq + 1)
        row = (self._number, stamped.seq, stamped.at_us, encode(stamped))
        self._db.execute("INSERT INTO results VALUES (?, ?, ?, ?)", row)
        self._seq += 1
        self._rows += 1
        return stamped

    def read(self, boot: str, first: int, last: int) -> list[bytes]:
        """The bodies of a contiguous range, in order of seq."""
        rows = self._db.execute(
            "SELECT body FROM results WHERE boot = ? AND seq BETWEEN ? AND ? ORDER BY seq",
            (self._numbers.get(boot, -1), first, last),
        )
        return [body for (body,) in rows]

    def forget(self, boot: str, first: int, last: int) -> int:
        """Lets go of what a collector has committed; how many were here."""
        gone = self._db.execute(
            "DELETE FROM results WHERE boot = ? AND seq BETWEEN ? AND ?", (self._numbers.get(boot, -1), first, last)
        ).rowcount
        self._rows -= gone
        return gone

    def trim(self, now_us: int) -> list[tuple[str, Range]]:
        """Drops the oldest where the bounds are passed; what was dropped, per boot, as (boot, (first, last))."""
        excess = self._rows - self._limit_rows
        doomed: list[tuple[int, int]] = []
        if excess > 0:
            take = max(excess, min(_DROP_STEP, self._limit_rows // 10))
            doomed = self._db.execute("SELECT boot, seq FROM results ORDER BY boot, seq LIMIT ?", (take,)).fetchall()
        oldest = self._db.execute("SELECT at_us FROM results ORDER BY boot, seq LIMIT 1").fetchone()
        if not doomed and oldest is not None and oldest[0] < now_us - self._limit_age_us:
            doomed = self._db.execute(
                "SELECT boot, seq FROM results WHERE at_us < ? ORDER BY boot, seq LIMIT ?",
                (now_us - self._limit_age_us, 50 * _DROP_STEP),
            ).fetchall()
        names = {number: boot for boot, number in self._numbers.items()}
        spans: dict[str, Range] = {}
        for number, seq in doomed:
            boot = names[number]
            spans[boot] = (spans[boot][0] if boot in spans else seq, seq)
        for boot, (first, last) in spans.items():
            count = self.forget(boot, first, last)
            self.dropped += count
            log.error("spool full: dropped the %d oldest results (boot %s, seq %d to %d)", count, boot, first, last)
        return list(spans.items())

    def close(self) -> None:
        """Closes the file; everything in it stays."""
        self._db.close()
