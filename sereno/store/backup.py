"""Off-line copies of a store: written from one snapshot, proved by restoring, restored all or nothing (docs/store.md).

Whatever the databases are, a file is first restored into a scratch SQLite database beside it, counted and compared with
what the file says of itself, and brought to this version's schema there. Only then is a target touched, once.
"""

import contextlib
import fcntl
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, Engine, StaticPool, create_engine, event, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from sereno.clock import Clock, iso
from sereno.errors import StoreError
from sereno.store.archive import FORMAT as ARCHIVE_FORMAT
from sereno.store.archive import Counted, Head, Reader, Shape, Writer, damaged
from sereno.store.bulk import quoted
from sereno.store.copies import (
    batches,
    counted,
    differing,
    load,
    set_sequences,
    shape_of,
    shapes_in,
    shapes_of,
    take_time,
)
from sereno.store.engine import Store
from sereno.store.lease import EXPIRES_SECONDS, Lease
from sereno.store.migrate import HEAD, build, is_known, upgrade
from sereno.store.partitions import DAY_US, ensure_days
from sereno.store.tables import leaderships, metadata, results
from sereno.store.tables import lease as lease_table
from sereno.version import __version__

Told = Callable[[str, str, int], None]  # what is being done, on which table, how many rows of it so far

_OF_A_RUNNING = frozenset({"lease", "leaderships", "collectors"})  # who ran; a store with nothing more is empty
_PATIENCE_SECONDS = 15.0
_LEASE_SECONDS = EXPIRES_SECONDS + 1.0  # a collector that was killed a moment ago holds it so long
_PAGES = 2_048
_TRIAL = ".sereno-trial-"
_LEFT_SECONDS = 60.0  # between making it and locking it there is a moment


class Saved(NamedTuple):
    """A backup that was made and restored once to see whether it can be."""

    file: Path
    size: int
    head: Head
    tables: dict[str, Counted]


class Restored(NamedTuple):
    """What a store was made into."""

    head: Head
    revision: str
    database: str
    tables: dict[str, Counted]


def save(store: Store, file: Path, clock: Clock, told: Told) -> Saved:
    """Writes a backup of what is committed now, and restores it for a trial; `file` appears only when all is well."""
    if file.exists() and not file.is_file():
        raise StoreError(f"{file}: is no file that a backup could take the place of; give a file in a folder, with -o")
    file = file.resolve()  # the place of a link's target is taken, not the link's
    part = file.with_name(f".{file.name}.part")
    database = store.engine.dialect.name
    head = Head(sereno_backup=ARCHIVE_FORMAT, revision=HEAD, version=__version__, at=iso(clock.now_us()),
                database=database)  # fmt: skip
    try:
        with _private(part) as out:
            writer = Writer(out, head)
            with store.read() as connection:
                take_time(connection)
                for shape in shapes_of():
                    with batches(connection, shape) as rows:
                        writer.table(shape, rows, partial(told, "copying"))
            written = writer.finish()
            out.flush()
            os.fsync(out.fileno())
        with _rebuilt(part, file.parent, told) as scratch:
            if (wrong := differing(scratch.tables, written)) is not None:
                raise StoreError(f"{file}: the trial restore is not what was read: {wrong}; nothing was kept")
        size = part.stat().st_size
        part.replace(file)
    except OSError as error:
        raise StoreError(f"{file}: {error.strerror}; give a file in a folder with room, with -o") from None
    finally:
        part.unlink(missing_ok=True)
    return Saved(file, size, head, written)


def look(file: Path) -> Head:
    """What a file says of itself; StoreError when it is no backup."""
    with Reader(file) as reader:
        return reader.head


def restore(
    file: Path, folder: Path, target: Callable[[], Store], clock: Clock, told: Told, *, force: bool
) -> Restored:
    """Makes the target hold what the file holds, all of it or nothing; `folder` is where the trial is made.

    StoreError where the file is damaged, a collector runs on the target, or (without `force`) it holds anything.
    """
    try:
        with _rebuilt(file, folder, told) as scratch:
            store = target()
            try:
                if not force:
                    _refuse_full(store)
                _publish(scratch, store, clock, told)
            finally:
                store.dispose()
            return Restored(scratch.head, HEAD, store.engine.dialect.name, scratch.tables)
    except OSError as error:
        raise StoreError(f"{folder}: {error.strerror}; it needs room for a copy of the whole store") from None


# -- the trial ---------------------------------------------------------------------------------------------------------


class _Scratch(NamedTuple):
    engine: Engine
    head: Head
    tables: dict[str, Counted]  # as they are after the upgrade


@contextlib.contextmanager
def _rebuilt(file: Path, folder: Path, told: Told) -> Iterator[_Scratch]:
    """A SQLite database with what a file holds, at this version's schema; StoreError unless every row is as written."""
    with Reader(file) as reader, _trial_folder(folder) as place:
        head = reader.head
        if not is_known(head.revision):
            raise StoreError(
                f"{file}: is of Sereno {head.version} (revision {head.revision}), newer than this one; install that one"
            )
        engine = _scratch_engine(place / "trial.db")
        try:
            build(engine, head.revision)
            found = _fill(engine, reader, file, told)
            if head.revision != HEAD:
                upgrade(engine)
                with engine.connect() as connection:
                    found = counted(connection, shapes_of(), partial(told, "counting"))
            yield _Scratch(engine, head, found)
        finally:
            engine.dispose()


@contextlib.contextmanager
def _trial_folder(folder: Path) -> Iterator[Path]:
    """A folder of our own, locked while we live; those that killed processes left behind go."""
    for old in folder.glob(f"{_TRIAL}*"):
        with contextlib.suppress(OSError), _locked(old):
            if time.time() - old.stat().st_mtime > _LEFT_SECONDS:
                shutil.rmtree(old)
    with tempfile.TemporaryDirectory(prefix=_TRIAL, dir=folder) as place, _locked(Path(place)):
        yield Path(place)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """OSError where another process has it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _fill(engine: Engine, reader: Reader, file: Path, told: Told) -> dict[str, Counted]:
    wanted = {shape.table: shape for shape in shapes_in(engine)}
    seen: list[Shape] = []
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        for shape in reader.shapes():
            expected = wanted.pop(shape.table, None)
            if expected is None or not _alike(shape, expected):
                raise damaged(file, f"no table {shape.table} like this belongs to revision {reader.head.revision}")
            try:
                load(connection, shape, reader.batches(shape), partial(told, "restoring for a trial"))
            except (sqlite3.Error, SQLAlchemyError, OverflowError) as error:
                raise damaged(file, f"a row does not fit into {shape.table}: {error}") from None
            seen.append(shape)
        connection.commit()
        if wanted:
            raise damaged(file, f"it lacks {', '.join(sorted(wanted))}")
        found = counted(connection, seen, partial(told, "counting"))
    if (wrong := differing(found, reader.tables)) is not None:
        raise damaged(file, wrong)
    return found


def _alike(shape: Shape, expected: Shape) -> bool:
    return dict(zip(shape.columns, shape.kinds, strict=True)) == dict(
        zip(expected.columns, expected.kinds, strict=True)
    )


def _scratch_engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", poolclass=StaticPool)

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=MEMORY", "synchronous=OFF"):  # it is thrown away, whatever happens
            connection.execute(f"PRAGMA {pragma}").fetchall()

    return engine


# -- the target --------------------------------------------------------------------------------------------------------


def _refuse_full(store: Store) -> None:
    with store.read() as connection:
        for table in metadata.sorted_tables:
            if table.name not in _OF_A_RUNNING and connection.execute(select(table).limit(1)).first() is not None:
                raise StoreError(
                    f"{store.where}: holds data already ({table.name}); --force puts the backup in its place"
                )


def _publish(scratch: _Scratch, store: Store, clock: Clock, told: Told) -> None:
    """As the writer: whoever ran here and wakes up finds that the epoch has moved on."""
    lease = Lease(store, time.monotonic)
    deadline = time.monotonic() + _LEASE_SECONDS
    while not lease.try_take(clock.now_us()):
        if time.monotonic() > deadline:
            raise StoreError(f"{store.where}: a collector runs on it; stop it (each of them) and try again")
        time.sleep(0.05)
    try:
        epoch = _epoch(scratch.engine, lease.epoch)
        if store.is_sqlite:
            _into_sqlite(scratch, store, epoch, told)
        else:
            lease.keep(clock.now_us)
            _into_postgresql(scratch, store.fenced(lease.check), epoch, told)
    finally:
        lease.close()
    if not store.is_sqlite:
        _learn(store)


def _learn(store: Store) -> None:
    """Its planner knows nothing of rows that came a moment ago."""
    with store.write() as connection:
        take_time(connection)
        connection.exec_driver_sql(f"ANALYZE {quoted(*metadata.tables)}")


def _epoch(scratch: Engine, ours: int) -> int:
    """Later than every epoch of the backup and of the target."""
    with scratch.connect() as connection:
        kept = [connection.execute(select(func.max(table.c.epoch))).scalar() for table in (lease_table, leaderships)]
    return max(ours, *(int(epoch or 0) for epoch in kept))


def _into_sqlite(scratch: _Scratch, store: Store, epoch: int, told: Told) -> None:
    """Page by page in one transaction of SQLite's own: readers see the old store until the last page is in."""
    with scratch.engine.connect() as connection:
        _say_epoch(connection, epoch)
        connection.commit()
    since = time.monotonic()

    def progress(status: int, remaining: int, total: int) -> None:
        nonlocal since
        if status in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            if time.monotonic() - since > _PATIENCE_SECONDS:
                raise StoreError(f"{store.where}: another process keeps it locked; stop whatever uses it")
            return
        since = time.monotonic()
        if remaining:
            told("writing pages of", store.where, total - remaining)

    source, target = scratch.engine.raw_connection(), store.engine.raw_connection()
    try:
        read, write = cast("Any", source.driver_connection), cast("Any", target.driver_connection)
        with store.translated():
            read.backup(write, pages=_PAGES, progress=progress)
    finally:
        source.close()
        target.close()


def _into_postgresql(scratch: _Scratch, store: Store, epoch: int, told: Told) -> None:
    """In one transaction: what is there goes, what the backup holds comes, is read again, and only then committed."""
    shapes = [shape_of(table) for table in metadata.sorted_tables if table is not lease_table]
    with scratch.engine.connect() as source, store.write() as connection:
        take_time(connection)
        connection.exec_driver_sql(f"TRUNCATE {quoted(*(shape.table for shape in shapes))}")
        ensure_days(connection, _days(source))
        for shape in shapes:
            with batches(source, shape) as rows:
                load(connection, shape, rows, partial(told, "writing"))
        set_sequences(connection)
        found = counted(connection, shapes, partial(told, "counting"))
        wanted = {name: count for name, count in scratch.tables.items() if name != lease_table.name}
        if (wrong := differing(found, wanted)) is not None:
            raise StoreError(f"{store.where}: what was written is not what the backup holds: {wrong}; nothing changed")
        row = source.execute(select(lease_table)).mappings().first()
        if row is not None:
            connection.execute(update(lease_table).values(**row))
        _say_epoch(connection, epoch)


def _say_epoch(connection: Connection, epoch: int) -> None:
    """No writer of before the restore may think itself the writer still."""
    if connection.execute(update(lease_table).values(epoch=epoch)).rowcount == 0:
        connection.execute(insert(lease_table).values(id=1, epoch=epoch, holder="", renewed_us=0))


def _days(source: Connection) -> Sequence[int]:
    return [int(day) for (day,) in source.execute(select(results.c.at_us // DAY_US).distinct())]


@contextlib.contextmanager
def _private(path: Path) -> Iterator[Any]:
    """A new file that only its owner may read: it holds addresses, evidence and who is told."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as out:  # noqa: PTH123 - of a descriptor
        yield out
