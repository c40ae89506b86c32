"""The spool: what a probe measured and no collector has committed yet; on disk, survives kill −9, and is bounded.

A disk that takes nothing does not stop the measuring: results wait in memory, which is bounded too, and go to disk when
it takes them again. What is dropped is the oldest, counted, and told. A file that cannot be read is set aside.
"""

import logging
import os
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from probes.spoolfile import SPOOL_SCHEMA, SpoolDamaged, SpoolError, SpoolFile, read_through, set_aside
from sereno.clock import SECOND_US
from sereno.errors import StoreError
from sereno.ranges import Range, Ranges
from sereno.wire import Result, encode

log = logging.getLogger(__name__)

LIMIT_ROWS = 2_000_000  # at 20 results a second, a day without any collector
LIMIT_BYTES = 1 << 30
LIMIT_AGE_US = 7 * 86_400 * SECOND_US  # beyond it the store may have forgotten its neighbours
MEMORY_ROWS = 20_000
MEMORY_BYTES = 32 << 20
_DROP_STEP = 1_000
_AGAIN_TRIMS = 5  # a file that could not be opened is tried again so rarely

Span = tuple[str, Range]


class Spool:
    """Results by (boot, seq). One process at a time; every change is on disk when the method returns, if it can be."""

    def __init__(
        self,
        path: Path,
        probe: str,
        *,
        limit_rows: int = LIMIT_ROWS,
        limit_age_us: int = LIMIT_AGE_US,
        limit_bytes: int = LIMIT_BYTES,
        memory_rows: int = MEMORY_ROWS,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self._probe, self._path = probe, path
        self._limit_rows, self._limit_age_us, self._limit_bytes = limit_rows, limit_age_us, limit_bytes
        self._memory_rows, self._memory_bytes = memory_rows, memory_bytes
        self.dropped = 0  # all in all; of these:
        self.lost = 0  # with a damaged file
        self.trouble: str | None = None  # why the disk takes nothing now
        self.damaged: str | None = None  # what became of a file that could not be read
        self._boot, self._seq = "", 0
        self._disk: dict[str, Ranges] = {}  # oldest boot first, as the file has it
        self._rows = 0
        self._memory: dict[tuple[str, int], tuple[int, bytes]] = {}  # oldest first
        self._bytes = 0
        self._forgotten: list[Span] = []  # committed, but the disk does not take the deletion
        self._gone: list[Span] = []  # dropped, and not yet told
        self._idle_trims = 0
        self._file: SpoolFile | None = None
        self._open(first=True)

    def __len__(self) -> int:
        return self._rows + len(self._memory)

    @property
    def boot(self) -> str:
        """The boot under which results are put in now."""
        return self._boot

    @property
    def unsaved(self) -> int:
        """Results that are only in memory."""
        return len(self._memory)

    def oldest_seconds(self, now_us: int) -> float | None:
        """For how long the oldest result here has waited to be committed; 0 where none waits, None: nobody can say."""
        found = [at_us for at_us, _ in self._memory.values()]
        if self._rows:
            on_disk: list[int | None] = []
            if not self._try(lambda file: on_disk.append(file.oldest_at_us())) or on_disk[-1] is None:
                return None
            found.append(on_disk[-1])
        return max(0, now_us - min(found)) / SECOND_US if found else 0.0

    def free_ratio(self) -> float | None:
        """Room left on its disk, of what this user may fill; None where nobody can say."""
        try:
            disk = os.statvfs(self._path.parent)
        except OSError:
            return None
        return disk.f_bavail / disk.f_blocks if disk.f_blocks else None

    def notes(self) -> list[str]:
        """What a person should know of it, one line each."""
        found = [self.damaged] if self.damaged else []
        if self.trouble:
            found.append(f"spool: {self.trouble}; {self.unsaved} results wait in memory")
        if self.lost:
            found.append(f"spool: {self.lost} results were lost with a damaged file")
        if self.dropped > self.lost:
            found.append(f"spool full: {self.dropped - self.lost} results dropped, oldest first")
        return found

    def held(self) -> dict[str, Ranges]:
        """What is here, by boot, oldest boot first."""
        found = {boot: Ranges(ranges) for boot, ranges in self._disk.items() if ranges}
        for boot, seq in self._memory:
            found.setdefault(boot, Ranges()).add(seq)
        return found

    def begin_boot(self, boot: str) -> None:
        """From here on results belong to `boot` (a new random name), with seq from 1."""
        self._boot, self._seq = boot, 0
        self._try(lambda file: file.begin_boot(boot))

    def append(self, result: Result) -> Result:
        """Stamps a result with probe, boot and the next seq and keeps it; it exists from here on."""
        stamped = replace(result, probe=self._probe, boot=self._boot, seq=self._seq + 1)
        at_us, body = stamped.at_us, encode(stamped)
        self._seq += 1
        row = (self._boot, stamped.seq, at_us, body)
        if not self._memory and self._try(lambda file: file.insert([row])):
            self._disk.setdefault(self._boot, Ranges()).add(stamped.seq)
            self._rows += 1
            return stamped
        self._memory[self._boot, stamped.seq] = (at_us, body)
        self._bytes += len(body)
        self._bound_memory()
        return stamped

    def read(self, boot: str, first: int, last: int) -> list[bytes]:
        """The bodies of a contiguous range, in order of seq; fewer when the file turns out to be damaged."""
        found: dict[int, bytes] = {}
        self._try(lambda file: found.update(file.read(boot, first, last)))
        for seq in range(first, last + 1) if self._memory else ():
            if (boot, seq) in self._memory:
                found[seq] = self._memory[boot, seq][1]
        return [found[seq] for seq in sorted(found)]

    def forget(self, boot: str, first: int, last: int) -> int:
        """Lets go of what a collector has committed; how many were here."""
        here = [key for key in self._memory if key[0] == boot and first <= key[1] <= last] if self._memory else []
        for key in here:
            self._take(key)
        kept = self._disk.get(boot, Ranges())
        before = kept.count()
        kept.remove(first, last)
        gone = before - kept.count()
        self._rows -= gone
        if gone and not self._try(lambda file: file.delete([(boot, (first, last))])):
            self._forgotten.append((boot, (first, last)))
        return gone + len(here)

    def trim(self, now_us: int) -> list[Span]:
        """Holds it to its bounds and brings memory to disk; what was dropped since the last call, per boot."""
        self._recover()
        excess = self._rows - self._limit_rows
        if excess > 0:
            self._drop(max(excess, min(_DROP_STEP, self._limit_rows // 10)))
        self._try(lambda file: self._drop_beyond(file, now_us))
        gone, self._gone = self._gone, []
        return gone

    def close(self) -> None:
        """Closes the file; everything in it stays."""
        self._recover()
        if self._memory:
            log.error("spool: %d results were only in memory and are lost: %s", len(self._memory), self.trouble)
        if self._file is not None:
            self._file.close()

    # -- the disk ----------------------------------------------------------------------------------------------------

    def _open(self, *, first: bool = False) -> None:
        """Opens the file, a new one where it is damaged. Only a place that never worked is the operator's mistake."""
        try:
            try:
                self._file = SpoolFile(self._path)
                self._disk = self._file.held()
            except SpoolDamaged as damage:
                if self._file is not None:
                    self._file.close()
                read_through(self._path)
                self._told_damage(damage, set_aside(self._path))
                self._file = SpoolFile(self._path)
                self._disk = {}
        except (SpoolError, OSError) as error:
            self._file = None
            words = error.strerror if isinstance(error, OSError) else str(error)
            if first and not (isinstance(error, SpoolError) and error.full):
                raise StoreError(
                    f"{self._path}: {words}; the probe needs a directory of its own that it can write"
                ) from None
            self._troubled(str(words))
            return
        for boot, span in self._forgotten:  # still in the file, and about to go
            self._disk.get(boot, Ranges()).remove(*span)
        self._rows = sum(ranges.count() for ranges in self._disk.values())

    def _try(self, action: Callable[[SpoolFile], object]) -> bool:
        """Does something with the file; False when the disk does not take it, or holds nothing that can be read."""
        if self._file is None:
            return False
        try:
            action(self._file)
        except SpoolDamaged as damage:
            self._doubt(damage)
            return False
        except SpoolError as error:
            self._troubled(str(error))
            return False
        return True

    def _doubt(self, damage: SpoolDamaged) -> None:
        """A disk that cannot be read looks like damage to SQLite: then the file is left as it is, and tried again."""
        try:
            read_through(self._path)
        except OSError as error:
            if self._file is not None:
                self._file.close()
            self._file = None
            self._troubled(f"{self._path.name} cannot be read: {error.strerror}")
        else:
            self._replace(damage)

    def _replace(self, damage: SpoolDamaged) -> None:
        """Goes on with a new file; what was in the old one is lost to the collector."""
        for boot, ranges in self._disk.items():
            self._gone += [(boot, span) for span in ranges]
            self.dropped += ranges.count()
            self.lost += ranges.count()
        self._disk, self._rows, self._forgotten = {}, 0, []
        if self._file is not None:
            try:
                self._told_damage(damage, self._file.set_aside())
            except OSError as error:
                self._troubled(f"{self._path.name} is damaged and cannot be moved: {error.strerror}")
        self._file = None
        self._open()

    def _told_damage(self, damage: SpoolDamaged, aside: Path) -> None:
        self.damaged = f"spool: {self._path.name} was damaged ({damage}) and set aside as {aside.name}"
        log.error("%s: what it held and nobody had committed is lost", self.damaged)

    def _troubled(self, words: str) -> None:
        if self.trouble is None:
            log.error("spool %s: %s; measuring goes on, results wait in memory", self._path, words)
        self.trouble = words

    def _recover(self) -> None:
        """Brings to disk what waits in memory, as soon as it takes it; else makes room before memory is full."""
        if self._file is None:
            self._idle_trims += 1
            if self._idle_trims % _AGAIN_TRIMS == 0:
                self._open()
        if not (self._memory or self._forgotten or self.trouble):
            return
        tight = len(self._memory) * 2 >= self._memory_rows or self._bytes * 2 >= self._memory_bytes
        if self._flush() or ((self._forgotten or tight) and self._make_room(drop=tight) and self._flush()):
            if self._file is not None:
                self._file.keep_reserve()
            log.warning("spool %s: on disk again", self._path)
            self.trouble = None

    def _flush(self) -> bool:
        if not self._delete_forgotten():
            return False
        rows = [(boot, seq, at_us, body) for (boot, seq), (at_us, body) in self._memory.items()]
        if not self._try(lambda file: (file.begin_boot(self._boot), file.insert(rows))):
            return False
        for boot, seq, _, _ in rows:
            self._disk.setdefault(boot, Ranges()).add(seq)
        self._rows += len(rows)
        self._memory.clear()
        self._bytes = 0
        return True

    def _delete_forgotten(self) -> bool:
        if self._forgotten and self._try(lambda file: file.delete(self._forgotten)):
            self._forgotten = []
        return not self._forgotten

    def _make_room(self, *, drop: bool) -> bool:
        """Gives up the reserve so that deletions work; drops the oldest, until the file has room for what waits."""
        file = self._file
        if file is None:
            return False
        file.give_reserve()
        done = self._try(SpoolFile.fold) and self._delete_forgotten() and self._try(SpoolFile.fold)
        needed = 2 * self._bytes + file.reserve_bytes * 3 // 2  # the reserve itself, and the log that fills again
        while drop and done and self._rows and self._room() < needed:
            done = self._drop(max(_DROP_STEP, self._rows // 50)) and self._try(SpoolFile.fold)
        if self._file is not file:
            return False  # it proved damaged: there is a new one
        self._try(lambda file: file.shrink(file.reserve_bytes))
        file.keep_reserve()
        return done and self._room() >= 2 * self._bytes

    def _room(self) -> int:
        found = [0]
        self._try(lambda file: found.append(file.free_bytes()))
        return found[-1]

    # -- bounds ------------------------------------------------------------------------------------------------------

    def _drop_beyond(self, file: SpoolFile, now_us: int) -> None:
        oldest = file.oldest_at_us()
        if oldest is not None and oldest < now_us - self._limit_age_us:
            self._let_go(file, file.oldest(50 * _DROP_STEP, now_us - self._limit_age_us))
        elif file.used_bytes() > self._limit_bytes:
            self._drop(max(_DROP_STEP, self._rows // 20))

    def _drop(self, count: int) -> bool:
        return self._try(lambda file: self._let_go(file, file.oldest(count)))

    def _let_go(self, file: SpoolFile, spans: list[Span]) -> None:
        file.delete(spans)
        for boot, (first, last) in spans:
            kept = self._disk.get(boot, Ranges())
            before = kept.count()
            kept.remove(first, last)
            count = before - kept.count()
            self._rows -= count
            self.dropped += count
            log.error("spool full: dropped the %d oldest results (boot %s, seq %d to %d)", count, boot, first, last)
        self._gone += spans

    def _bound_memory(self) -> None:
        while len(self._memory) > self._memory_rows or self._bytes > self._memory_bytes:
            boot, seq = next(iter(self._memory))
            self._take((boot, seq))
            self.dropped += 1
            if not self._gone:
                log.error("spool full, and so is memory: results are dropped, oldest first (%d so far)", self.dropped)
            if self._gone and self._gone[-1][0] == boot and self._gone[-1][1][1] == seq - 1:
                self._gone[-1] = (boot, (self._gone[-1][1][0], seq))
            else:
                self._gone.append((boot, (seq, seq)))

    def _take(self, key: tuple[str, int]) -> None:
        self._bytes -= len(self._memory.pop(key)[1])


__all__ = ["LIMIT_AGE_US", "LIMIT_BYTES", "LIMIT_ROWS", "SPOOL_SCHEMA", "Spool"]
