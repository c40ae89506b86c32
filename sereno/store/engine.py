"""The door to the database: one Store per process, read snapshots, write transactions that begin IMMEDIATE."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from sereno.errors import StoreError, UsageError
from sereno.store.migrate import upgrade
from sereno.store.postgres import advice, database_errors, engine_options, is_passing, parse_url, where

SQLITE_FILE = "sereno.db"
_BUSY_MS = 10_000
_AGAIN_SECONDS = 0.01
_LOG_PAGES = 16_000  # 64 MB of log, after which a commit moves it itself; the collector does so before, in a thread
_TAKE_TURN = f"SELECT pg_advisory_xact_lock({0x5345_5244})"
_SQLITE_OPTIONS: dict[str, Any] = {"connect_args": {"timeout": _BUSY_MS / 1_000, "check_same_thread": False}}


class UnreachableError(StoreError):
    """The database cannot be had now; later, perhaps, it can."""


class Store:
    """A database with its schema in place.

    SQLite runs in WAL mode with synchronous=FULL: an acknowledgement lets a probe forget a result, so a commit must
    survive a power cut too, not only kill −9 (for which NORMAL would do). One fsync per batch, ten a second.
    """

    def __init__(self, engine: Engine, url: str, fence: Callable[[Connection], None] | None = None) -> None:
        self.engine = engine
        self.url = url
        self._fence = fence
        self._where = where(engine.url)
        snapshot = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._reader = engine.execution_options(**snapshot)

    def fenced(self, fence: Callable[[Connection], None]) -> "Store":
        """The same store, whose every write transaction begins with `fence`; what that raises ends the transaction."""
        return Store(self.engine, self.url, fence)

    @property
    def where(self) -> str:
        """The database for a person to recognise, without secrets."""
        return self._where

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One write transaction; commits at the end of the block, rolls back on any exception.

        Begins IMMEDIATE on SQLite: a deferred transaction that reads first cannot become a writer under contention.
        On PostgreSQL writers take turns too: ids come in the order of commits, so who follows them by id misses none.
        """
        with self.translated(), self.engine.connect() as connection, connection.begin():
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.exec_driver_sql(_TAKE_TURN)
            if self._fence is not None:
                self._fence(connection)
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent snapshot for reading; nothing written inside it stays."""
        with self.translated(), self._reader.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                connection.rollback()

    def error(self, error: Exception) -> StoreError:
        """What the database said, as one line without secrets."""
        return StoreError(f"{self._where}: {_words(error)}")

    def checkpoint(self) -> None:
        """SQLite: moves what is committed from its log into the database, beside whoever writes; nothing elsewhere."""
        if self.is_sqlite:
            with self.translated(), self.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")

    def dispose(self) -> None:
        """Closes every connection."""
        self.engine.dispose()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """What the database or its driver raises comes out as StoreError, in one line."""
        try:
            yield
        except database_errors() as error:
            raise self.error(error) from error


def open_store(place: str | Path) -> Store:
    """The store in a data directory, or behind a database URL; created and brought to this version's schema.

    Raises StoreError when it cannot be opened, or belongs to a newer Sereno.
    """
    text = str(place)
    if "://" not in text:
        folder = Path(text)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{folder}: {error.strerror}; give a directory that can be written with --data") from None
        text = f"sqlite:///{folder / SQLITE_FILE}"
    return _opened(parse_url(text), text)


def open_database(url: str, *, create: bool = False) -> Store:
    """The store behind `--database`; who only asks does not create one: StoreError where there is none."""
    if "://" not in url:
        raise UsageError(
            f"--database {url!r}: not a database URL; write one, such as sqlite:////var/lib/sereno/sereno.db"
        )
    parsed = parse_url(url)
    if parsed.drivername == "sqlite" and not create and (not parsed.database or not Path(parsed.database).is_file()):
        raise StoreError(
            f"{parsed.database or url}: there is no database here; check --database, or name a directory with --data"
        )
    return _opened(parsed, url)


def connect_engine(url: URL) -> Engine:
    """An engine with our settings; connects nowhere yet and looks at no schema."""
    engine = create_engine(url, **(_SQLITE_OPTIONS if url.drivername == "sqlite" else engine_options(url)))
    if engine.dialect.name == "sqlite":
        _tune_sqlite(engine)
    return engine


def _advice_sqlite(words: str) -> str:
    if "disk" in words and "malformed" not in words:  # "disk I/O error", "database or disk is full"
        return "is its disk full? `sereno doctor` tells"
    return "check the database URL or --data"


def _opened(url: URL, text: str) -> Store:
    engine = connect_engine(url)
    try:
        upgrade(engine)
    except SQLAlchemyError as error:
        engine.dispose()
        words = _words(error)
        mend = _advice_sqlite(words) if url.drivername == "sqlite" else advice(words)
        kind = UnreachableError if url.drivername != "sqlite" and is_passing(str(error)) else StoreError
        raise kind(f"{where(url)}: {words}; {mend}") from None
    except StoreError as error:
        engine.dispose()
        raise StoreError(f"{where(url)}: {error}") from None
    return Store(engine, text)


def _tune_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, IMMEDIATE for writers
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={_BUSY_MS}",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"wal_autocheckpoint={_LOG_PAGES}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        _use_wal(cursor)
        cursor.close()


def _use_wal(cursor: Any) -> None:
    """Sets the journal mode; SQLite answers `locked` at once, whatever its patience, where two set it together."""
    deadline = time.monotonic() + _BUSY_MS / 1_000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_AGAIN_SECONDS)
        else:
            return


def _words(error: Exception) -> str:
    """One line of what the driver said."""
    cause = error.orig if isinstance(error, DatabaseError) and error.orig is not None else error
    lines = str(cause).removeprefix("connection failed: ").split("\n", 1)
    return " ".join(lines[0].split()) or type(error).__name__
