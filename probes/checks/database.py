"""`database`: role, replication lag and the last backup of a PostgreSQL server, over a read-only session.

Nothing of the connection string is ever in a result: errors are told by SQLSTATE and by our own words.
"""

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from probes.checks.base import Runtime, Target, result
from sereno.clock import SECOND_US, parse_instant
from sereno.topology import resolve_secret
from sereno.topology.model import Backup, Database
from sereno.wire import Reason, Result

_ROLE = """
select pg_is_in_recovery(),
       case when pg_is_in_recovery() then pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) end,
       case when pg_is_in_recovery() then extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) end,
       (select count(*) from pg_stat_wal_receiver where status = 'streaming'),
       current_setting('server_version')
"""
# On a primary: how far each replica is behind, as the primary sees it.
_REPLICAS = """
select coalesce(nullif(application_name, ''), host(client_addr), 'unknown'), state,
       pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), extract(epoch from replay_lag)
  from pg_stat_replication order by 1
"""


class _Status(msgspec.Struct, frozen=True):
    """What the backup job leaves behind; other keys are its own affair."""

    finished: str
    size_bytes: int
    verified: bool


async def database(target: Target, runtime: Runtime) -> Result:
    """One session: what it is, how far it is behind, how old its backup is."""
    given = runtime.topology.databases[target.name or ""]
    at_us, began = runtime.clock.now_us(), time.perf_counter()
    dsn = resolve_secret(given.dsn, target.name or "")
    if dsn is None:
        detail = f"no connection string for {target.name}: put it where databases.{target.name}.dsn says"
        return result(target, at_us, "invalid", "probe_fault", evidence={"detail": detail})
    try:
        async with asyncio.timeout(target.timeout_seconds):
            facts = await _ask(dsn, target.timeout_seconds)
    except TimeoutError:
        return _failed(target, at_us, began, "timeout", f"no answer in {target.timeout_seconds:g} s")
    except psycopg.ProgrammingError as error:
        if error.sqlstate is None:  # libpq's parser: the text of its error may repeat the string, so it is not told
            detail = "the connection string cannot be read: write postgresql://USER:PASSWORD@HOST:PORT/NAME"
            return result(target, at_us, "invalid", "probe_fault", evidence={"detail": detail})
        return _failed(target, at_us, began, "transport", f"the server refuses the question [{error.sqlstate}]")
    except psycopg.Error as error:
        reason, detail = _trouble(error)
        return _failed(target, at_us, began, reason, detail)
    if given.backup is not None:
        facts["backup"] = await asyncio.to_thread(_backup, given.backup, at_us)
    judged, words = judge(given, facts)
    return result(
        target,
        at_us,
        "ok" if judged is None else "failed",
        judged,
        answered_by=None if judged is None else "unknown",
        duration_seconds=_since(began),
        facts=facts,
        evidence={"detail": words} if words is not None else None,
    )


def judge(given: Database, facts: dict[str, Any]) -> tuple[Reason | None, str | None]:
    """Role before lag before backup: the gravest speaks."""
    if facts["role"] != given.role:
        return "role", f"it is a {facts['role']}, and should be a {given.role}"
    lag = _replica_lag(given, facts) if facts["role"] == "replica" else _replicas_lag(given, facts["replicas"])
    if lag is not None:
        return "lag", lag
    stale = _stale(given.backup, facts["backup"]) if given.backup is not None else None
    return ("backup_stale", stale) if stale is not None else (None, None)


def _replica_lag(given: Database, facts: dict[str, Any]) -> str | None:
    if not facts["receiving"]:
        return "it receives nothing from its primary"
    lag, limit = facts.get("lag_seconds"), given.max_lag_us / SECOND_US
    return f"it is {lag:.1f} s behind; {limit:g} s are allowed" if lag is not None and lag > limit else None


def _replicas_lag(given: Database, replicas: dict[str, dict[str, Any]]) -> str | None:
    """On a primary: the replicas that it sees, and how many of them there should be."""
    limit = given.max_lag_us / SECOND_US
    for name, one in replicas.items():
        if one.get("lag_seconds", 0.0) > limit:
            return f"{name} is {one['lag_seconds']:.1f} s behind; {limit:g} s are allowed"
    if len(replicas) < len(given.replicas):
        return f"{len(replicas)} replicas are connected; the topology names {len(given.replicas)}"
    return None


def _stale(given: Backup, backup: dict[str, Any]) -> str | None:
    if "trouble" in backup:
        return str(backup["trouble"])
    if not backup["verified"]:
        return "the last backup is not verified"
    if backup["size_bytes"] <= 0:
        return "the last backup is empty"
    limit = given.max_age_us / SECOND_US
    if backup["age_seconds"] > limit:
        return f"the last backup is {backup['age_seconds'] / 3600:.1f} h old; {limit / 3600:g} h are allowed"
    return None


async def _ask(dsn: str, seconds: float) -> dict[str, Any]:
    options = f"-c default_transaction_read_only=on -c statement_timeout={max(1, int(seconds * 1000))}"
    async with await psycopg.AsyncConnection.connect(
        dsn, autocommit=True, options=options, application_name="sereno", connect_timeout=max(2, int(seconds))
    ) as connection:
        row = await (await connection.execute(_ROLE)).fetchone()
        if row is None:
            raise psycopg.OperationalError("no row")
        recovering, lag_bytes, replayed, receivers, version = row
        facts: dict[str, Any] = {"role": "replica" if recovering else "primary", "version": str(version)}
        if recovering:
            facts["receiving"] = bool(receivers)
            facts |= _lag(lag_bytes, replayed, bool(receivers))
            return facts
        rows = await (await connection.execute(_REPLICAS)).fetchall()
    facts["replicas"] = {str(name): {"state": state} | _figures(lag_bytes, lag) for name, state, lag_bytes, lag in rows}
    return facts


def _lag(lag_bytes: Any, replayed: Any, receiving: bool) -> dict[str, Any]:
    """A replica that has replayed all it received is not behind, however long ago the last transaction was."""
    if receiving and lag_bytes is not None and lag_bytes == 0:
        return _figures(lag_bytes, 0.0)
    return _figures(lag_bytes, replayed)


def _figures(lag_bytes: Any, lag: Any) -> dict[str, Any]:
    told = {
        "lag_bytes": None if lag_bytes is None else int(lag_bytes),
        "lag_seconds": None if lag is None else round(float(lag), 3),
    }
    return {key: value for key, value in told.items() if value is not None}


def _backup(given: Backup, now_us: int) -> dict[str, Any]:
    """The status file's word; `trouble` where there is none that can be read."""
    try:
        status = msgspec.json.decode(Path(given.status_file).read_bytes(), type=_Status)
        finished_us = parse_instant(status.finished)
    except OSError as error:
        return {"trouble": f"{given.status_file}: {error.strerror or type(error).__name__}"}
    except (msgspec.DecodeError, ValueError, UnicodeDecodeError) as error:
        return {"trouble": f"{given.status_file}: {str(error)[:120]}"}
    return {
        "finished": status.finished,
        "age_seconds": round((now_us - finished_us) / SECOND_US, 3),
        "size_bytes": status.size_bytes,
        "verified": status.verified,
    }


# How libpq words what happens before there is a session, in English or from `strerror`.
_TEXTS: tuple[tuple[tuple[str, ...], Reason, str], ...] = (
    (("connection refused",), "refused", "connection refused"),
    (("timeout", "timed out"), "timeout", "no connection in time"),
    (("translate host name", "resolve host", "name or service not known"), "dns", "its host name has no address"),
    (("password", "pg_hba.conf", "role "), "auth", "the server refuses our account"),
    (("ssl", "certificate"), "tls", "TLS with the server failed"),
)


def _trouble(error: psycopg.Error) -> tuple[Reason, str]:
    """What an error of the driver means; its own text names users and hosts, so it is not repeated."""
    state = error.sqlstate
    if state is None:
        text = str(error).lower()
        found = next(((reason, words) for marks, reason, words in _TEXTS if any(m in text for m in marks)), None)
        return found or ("transport", "the connection failed or was lost")
    if state.startswith("28"):
        return "auth", f"the server refuses our account [{state}]"
    if state == "57014":
        return "timeout", "the server did not answer the question in time [57014]"
    return "transport", f"the server refuses [{state}]"


def _failed(target: Target, at_us: int, began: float, reason: Reason, detail: str) -> Result:
    spoke = reason in {"auth", "tls"} or detail.endswith("]")  # the server's own word, or its SQLSTATE
    return result(
        target, at_us, "failed", reason, answered_by="unknown" if spoke else "none",
        duration_seconds=_since(began), evidence={"detail": detail},
    )  # fmt: skip


def _since(began: float) -> float:
    return round(time.perf_counter() - began, 6)
