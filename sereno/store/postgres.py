"""What PostgreSQL needs to be told: its driver, how long anything may last, and what its refusals mean."""

import sqlite3
import sys
from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from sereno.errors import UsageError

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 60  # of one statement; what lasts longer by nature sets its own (migrations, backups)
LOCK_SECONDS = 10  # a write that waits for another's lock longer than this fails, as on SQLite
IDLE_SECONDS = 60  # a transaction whose process sleeps meanwhile gives back what it holds
UNANSWERED_SECONDS = 10  # what we sent and the server's kernel does not confirm: the connection is dead
_NAMES = {"postgresql", "postgres", "postgresql+psycopg"}
_EXAMPLE = "postgresql://sereno@HOST:5432/sereno"


def parse_url(text: str) -> URL:
    """A database URL, `postgresql://` and `postgres://` mapped to psycopg 3; UsageError with what to write instead."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise UsageError(f"--database: not a database URL; write one such as sqlite:////DIR/sereno.db or {_EXAMPLE}; "
                         "signs such as @ : / # in a password are written %40 %3A %2F %23") from None  # fmt: skip
    if url.drivername in _NAMES:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername != "sqlite":
        raise UsageError(f"--database: {url.drivername} is not supported; use sqlite:////DIR/sereno.db or {_EXAMPLE}")
    return url


def where(url: URL) -> str:
    """The database for a person to recognise, without user, password or options."""
    if url.drivername == "sqlite":
        return url.database or "memory"
    port = f":{url.port}" if url.port else ""
    several = url.query.get("host", ())
    hosts = url.host and f"{url.host}{port}"
    hosts = hosts or ",".join([several] if isinstance(several, str) else several)
    return f"{hosts or 'local socket'}/{url.database or ''}"


def engine_options(url: URL) -> dict[str, Any]:
    """Pool and session: connections are looked at before use, renewed in time, and nothing waits for ever."""
    settings = {
        "timezone": "UTC",
        "synchronous_commit": "on",  # whatever the server's default: an acknowledged result must survive a power cut
        "statement_timeout": f"{STATEMENT_SECONDS}s",
        "lock_timeout": f"{LOCK_SECONDS}s",
        "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
    }
    ours = " ".join(f"-c {name}={value}" for name, value in settings.items())
    theirs = url.query.get("options", "")
    connect = {
        "connect_timeout": CONNECT_SECONDS,
        "keepalives_idle": 3,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": UNANSWERED_SECONDS * 1_000,
        "application_name": "sereno",
    }
    return {
        "pool_pre_ping": True,
        "pool_size": 5,
        "max_overflow": 10,
        "pool_timeout": 10,
        "pool_recycle": 1_800,
        "connect_args": {
            **{name: value for name, value in connect.items() if name not in url.query},
            "options": f"{ours} {theirs if isinstance(theirs, str) else ' '.join(theirs)}".strip(),
        },
    }


def database_errors() -> tuple[type[Exception], ...]:
    """What a database may raise, through the library or from the driver itself (COPY, executemany)."""
    psycopg = sys.modules.get("psycopg")
    return (SQLAlchemyError, sqlite3.Error) if psycopg is None else (SQLAlchemyError, sqlite3.Error, psycopg.Error)


# A server speaks its own language until somebody is let in, and gives no code: these are the two ours are set up in.
_ADVICE = (
    (("password authentication failed", "autentificación password falló", "no password supplied"),
     "put the role's password into ~/.pgpass or the file that $PGPASSFILE names"),
    (("no pg_hba.conf entry", "no hay una línea en pg_hba.conf"),
     "let this host in: deploy/postgres/pg_hba.conf is the example"),
    (("database", "base de datos"), "create it with deploy/postgres/setup.sh, or check the name in the URL"),
    (("role", "rol "), "create it with deploy/postgres/setup.sh, or check the user in the URL"),
    (("SSL", "certificate"), "check sslmode and sslrootcert in the URL against the server's own settings"),
    (("Connection refused", "No such file", "timeout expired", "timed out", "No route", "unreachable", "resolve host"),
     "is PostgreSQL running there? check host and port in the URL"),
    (("invalid connection option",), "remove it from the URL"),
)  # fmt: skip


def advice(words: str) -> str:
    """How to mend a refused connection, by what was said."""
    for signs, mend in _ADVICE:
        if any(sign in words for sign in signs):
            return mend
    return "check the database URL"


# What mends itself, or is mended at the server while we wait: a collector tries again instead of ending.
_PASSING = (
    "Connection refused", "Connection reset", "No such file", "No route", "unreachable", "timeout expired", "timed out",
    "resolve host", "translate host name", "Name or service not known", "Temporary failure", "closed the connection",
    "SSL SYSCALL", "starting up", "shutting down", "recovery mode", "not yet accepting", "administrator command",
    "too many clients", "too many connections", "connection slots", "read-only", "is in hot standby",
    "iniciando", "iniciándose", "apagando", "apagándose", "modo de recuperación", "demasiad",
)  # fmt: skip


def is_passing(words: str) -> bool:
    """Whether a refused connection may come about later without anybody touching the URL."""
    return any(sign in words for sign in _PASSING)
