"""The advisory lock of PostgreSQL that goes with the lease: held by a session of its own, freed by ending that session.

The session is no pool's: it lives as long as the leadership, renews the lease, and its death is the loss of both. It is
given up by closing it, and taken from a frozen process by terminating its backends: a stopped client keeps its locks.
"""

import hashlib
import time
from typing import Any

from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import SQLAlchemyError

KEY = 0x736572656E6F  # "sereno"; of one database, as advisory locks are
_TERMINATED_SECONDS = 1.0  # a terminated backend gives back what it held within this, if its machine is not drowning
_AGAIN_SECONDS = 0.02
_PATIENCE = "SET statement_timeout = '2s'; SET lock_timeout = '2s'"  # a renewal that takes longer comes too late
_HOLDER = """
SELECT pid FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND classid = :high AND objid = :low
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_SESSIONS = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND application_name = :name AND pid <> pg_backend_pid()
"""


def session_name(holder: str) -> str:
    """By which the sessions of a process are known in pg_stat_activity; short, because PostgreSQL cuts at 63 octets."""
    return f"sereno {hashlib.sha256(holder.encode()).hexdigest()[:16]}"


def name_sessions(engine: Engine, holder: str) -> None:
    """From now on every session of this engine bears the holder's name."""

    @event.listens_for(engine, "do_connect")
    def _named(_dialect: Any, _record: Any, _arguments: Any, options: dict[str, Any]) -> None:
        options["application_name"] = session_name(holder)

    engine.dispose()  # those that have no name yet


class AdvisoryLock:
    """One session's hold on the lock."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    @property
    def held(self) -> bool:
        return self._connection is not None

    def take(self) -> bool:
        """Takes the lock if nobody has it."""
        self.close()
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()
        try:
            connection.exec_driver_sql(_PATIENCE)
            if connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": KEY}).scalar_one():
                self._connection = connection
                return True
        finally:
            if self._connection is not connection:
                _end(connection)
        return False

    def wrest(self, holder: str) -> bool:
        """Takes the lock from a process that is gone or frozen, by ending its sessions; else from whoever keeps it."""
        end_sessions(self._engine, holder)
        if self._take_soon():
            return True
        _end_holder(self._engine)
        return self._take_soon()

    def _take_soon(self) -> bool:
        deadline = time.monotonic() + _TERMINATED_SECONDS
        while not self.take():
            if time.monotonic() > deadline:
                return False
            time.sleep(_AGAIN_SECONDS)
        return True

    @property
    def connection(self) -> Connection:
        """The session that holds the lock, in autocommit."""
        if self._connection is None:
            raise RuntimeError("the advisory lock is not held")
        return self._connection

    def unlock(self) -> None:
        """Gives the lock back before the session ends: the server takes its time to see that it did."""
        if self._connection is not None:
            try:
                self._connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": KEY})
            except SQLAlchemyError:
                self._connection.invalidate()  # the session is gone, and the lock with it

    def close(self) -> None:
        """Gives the lock back, if it is held, by ending the session."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            _end(connection)


def end_sessions(engine: Engine, holder: str) -> None:
    """Ends every session of a process; what they were writing is rolled back."""
    _terminate(engine, _SESSIONS, {"name": session_name(holder)})


def _end_holder(engine: Engine) -> None:
    """Ends the session that holds the lock: somebody was stopped between taking it and writing the lease."""
    _terminate(engine, _HOLDER, {"high": KEY >> 32, "low": KEY & 0xFFFFFFFF})


def _terminate(engine: Engine, query: str, values: dict[str, Any]) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for (pid,) in connection.execute(text(query), values).all():
            connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})


def _end(connection: Connection) -> None:
    """Closes a session of no pool; one that the server has ended already is closed as well."""
    try:
        connection.close()
    except SQLAlchemyError:
        connection.invalidate()
