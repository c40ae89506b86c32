"""The door to the database: one Store per process, short read transactions, write transactions that begin IMMEDIATE."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from sereno.errors import StoreError, UsageError
from sereno.store.migrate import upgrade

SQLITE_FILE = "sereno.db"
_BUSY_MS = 10_000
_AGAIN_SECONDS = 0.01


class Store:
    """A database with its schema in place.

    SQLite runs in WAL mode with synchronous=FULL: an acknowledgement lets a probe forget a result, so a commit must
    survive a power cut too, not only kill −9 (for which NORMAL would do). One fsync per batch, ten a second.
    """

    def __init__(self, engine: Engine, url: str, fence: Callable[[Connection], None] | None = None) -> None:
        self.engine = engine
        self.url = url
        self._fence = fence

    def fenced(self, fence: Callable[[Connection], None]) -> "Store":
        """The same store, whose every write transaction begins with `fence`; what that raises ends the transaction."""
        return Store(self.engine, self.url, fence)

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One write transaction; commits at the end of the block, rolls back on any exception.

        Begins IMMEDIATE on SQLite: a deferred transaction that reads first cannot become a writer under contention.
        """
        with self._translated(), self.engine.connect() as connection, connection.begin():
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            if self._fence is not None:
                self._fence(connection)
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent snapshot for reading; nothing written inside it stays."""
        with self._translated(), self.engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                connection.rollback()

    def dispose(self) -> None:
        """Closes every connection."""
        self.engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            raise StoreError(f"{_where(self.url)}: {_words(error)}") from error


def open_store(where: str | Path) -> Store:
    """The store in a data directory, or behind a database URL; created and brought to this version's schema.

    Raises StoreError when it cannot be opened, or belongs to a newer Sereno.
    """
    text = str(where)
    if "://" not in text:
        folder = Path(text)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{folder}: {error.strerror}; give a directory that can be written with --data") from None
        text = f"sqlite:///{folder / SQLITE_FILE}"
    try:
        engine = create_engine(text, **_options(text))
        if engine.dialect.name == "sqlite":
            _tune_sqlite(engine)
        upgrade(engine)
    except (SQLAlchemyError, ModuleNotFoundError) as error:
        raise StoreError(f"{_where(text)}: {_words(error)}; check the database URL or --data") from None
    return Store(engine, text)


def open_database(url: str, *, create: bool = False) -> Store:
    """The store behind `--database`; who only asks does not create one: StoreError where there is none."""
    if "://" not in url:
        raise UsageError(
            f"--database {url!r}: not a database URL; write one, such as sqlite:////var/lib/sereno/sereno.db"
        )
    if url.startswith("sqlite") and not create:
        try:
            path = make_url(url).database
        except SQLAlchemyError as error:
            raise UsageError(
                f"--database {url!r}: {_words(error)}; write one such as sqlite:////DIR/sereno.db"
            ) from None
        if path is None or not Path(path).is_file():
            raise StoreError(
                f"{path or url}: there is no database here; check --database, or name a directory with --data"
            )
    return open_store(url)


def _options(url: str) -> dict[str, Any]:
    if url.startswith("sqlite"):
        return {"connect_args": {"timeout": _BUSY_MS / 1_000, "check_same_thread": False}}
    return {"pool_pre_ping": True}


def _tune_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, IMMEDIATE for writers
        cursor = connection.cursor()
        for pragma in (f"busy_timeout={_BUSY_MS}", "synchronous=FULL", "foreign_keys=ON"):
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


def _where(url: str) -> str:
    """The database without its password."""
    return url.rsplit("@", 1)[-1].removeprefix("sqlite:///")


def _words(error: Exception) -> str:
    """One line of what the driver said."""
    cause = error.orig if isinstance(error, DatabaseError) and error.orig is not None else error
    return " ".join(str(cause).split("\n", 1)[0].split()) or type(error).__name__
