"""`database`: role, replication lag and the last backup of a PostgreSQL server, over a read-only session.

Nothing of the connection string is ever in a result: errors are told by SQLSTATE and by our own words.
"""

import asyncio
import time
from collections import Counter
from typing import Any

import psycopg

from probes.checks.backup import last_backup, stale
from probes.checks.base import Runtime, Target, result
from probes.checks.lsn import Looks
from sereno.clock import SECOND_US
from sereno.topology import resolve_secret
from sereno.topology.model import Database
from sereno.wire import Outcome, Reason, Result

_ROLE = """
select pg_is_in_recovery(), current_setting('server_version'), pg_has_role('pg_read_all_stats', 'usage')
"""
# Positions as octets from the log's beginning; of a replica that restores from an archive, nothing was received.
_REPLICA = """
select pg_wal_lsn_diff(pg_last_wal_receive_lsn(), '0/0'), pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0'),
       extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()), pg_is_wal_replay_paused(),
       (select count(*) from pg_stat_wal_receiver where status = 'streaming')
"""
# On a primary: how far each replica is behind, as the primary sees it. A base backup, an archiver (it replays nothing)
# and a logical subscriber are none.
_REPLICAS = """
select coalesce(nullif(application_name, ''), 'unknown'), coalesce(host(client_addr), 'local'), state,
       pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0'), pg_wal_lsn_diff(replay_lsn, '0/0'), extract(epoch from replay_lag)
  from pg_stat_replication r
 where state <> 'backup' and replay_lsn is not null
   and not exists (select from pg_replication_slots s where s.active_pid = r.pid and s.slot_type = 'logical')
 order by 1, 2, r.pid
"""
_KEPT = "replication"
_BLIND = "our account may not see replication: GRANT pg_monitor to it"


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
            facts = await _ask(dsn, target.timeout_seconds, _looks(target, runtime))
            if given.backup is not None:
                facts["backup"] = await asyncio.to_thread(last_backup, given.backup, at_us)
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
    judged, words = judge(given, facts)
    outcome: Outcome = "ok" if judged is None else "failed"
    if facts.pop("blind", False) and judged is None and (given.role == "replica" or given.replicas):
        outcome, judged, words = "invalid", "probe_fault", _BLIND
    return result(
        target,
        at_us,
        outcome,
        judged,
        answered_by="unknown" if outcome == "failed" else None,
        duration_seconds=_since(began),
        facts=facts,
        evidence={"detail": words} if words is not None else None,
    )


def judge(given: Database, facts: dict[str, Any]) -> tuple[Reason | None, str | None]:
    """Role before lag before backup: the gravest speaks."""
    if facts["role"] != given.role:
        return "role", f"it is a {facts['role']}, and should be a {given.role}"
    lag = _replica_lag(given, facts) if facts["role"] == "replica" else _replicas_lag(given, facts.get("replicas"))
    if lag is not None:
        return "lag", lag
    old = stale(given.backup, facts["backup"]) if given.backup is not None else None
    return ("backup_stale", old) if old is not None else (None, None)


def _replica_lag(given: Database, facts: dict[str, Any]) -> str | None:
    if facts.get("receiving") is False:
        return "it receives nothing from its primary"
    lag, limit = facts.get("lag_seconds"), given.max_lag_us / SECOND_US
    why = ", for its replay is paused" if facts.get("replay_paused") else ""
    return f"it is {lag:.1f} s behind{why}; {limit:g} s are allowed" if lag is not None and lag > limit else None


def _replicas_lag(given: Database, replicas: dict[str, dict[str, Any]] | None) -> str | None:
    """On a primary: the replicas that it sees, and how many of them there should be."""
    if replicas is None:
        return None
    limit = given.max_lag_us / SECOND_US
    for name, one in replicas.items():
        if one.get("lag_seconds", 0.0) > limit:
            return f"{name} is {one['lag_seconds']:.1f} s behind; {limit:g} s are allowed"
    if len(replicas) < len(given.replicas):
        connected = f"{len(replicas) or 'no'} replica{'' if len(replicas) == 1 else 's'}"
        return f"{connected} connected; the topology names {len(given.replicas)}"
    return None


def _looks(target: Target, runtime: Runtime) -> dict[str, Looks]:
    """What earlier checks of this database saw, by replica."""
    held: dict[str | None, dict[str, Looks]] = runtime.kept.setdefault(_KEPT, {})
    return held.setdefault(target.name, {})


async def _ask(dsn: str, seconds: float, looks: dict[str, Looks]) -> dict[str, Any]:
    options = f"-c default_transaction_read_only=on -c statement_timeout={max(1, int(seconds * 1000))}"
    async with await psycopg.AsyncConnection.connect(
        dsn, autocommit=True, options=options, application_name="sereno", connect_timeout=max(2, int(seconds))
    ) as connection:
        recovering, version, sees = await _row(connection, _ROLE)
        facts: dict[str, Any] = {"role": "replica" if recovering else "primary", "version": str(version)}
        if not sees:
            facts["blind"] = True
        if recovering:
            return facts | _replica(await _row(connection, _REPLICA), looks.setdefault("", Looks()), sees=sees)
        rows = await (await connection.execute(_REPLICAS)).fetchall() if sees else None
    return facts if rows is None else facts | {"replicas": _replicas(rows, looks)}


async def _row(connection: psycopg.AsyncConnection[tuple[Any, ...]], question: str) -> tuple[Any, ...]:
    row = await (await connection.execute(question)).fetchone()
    if row is None:
        raise psycopg.OperationalError("no row")
    return row


def _replica(row: tuple[Any, ...], looks: Looks, *, sees: bool) -> dict[str, Any]:
    """A replica that has replayed all it received is not behind, however long ago the last transaction was."""
    received, replayed, age, paused, receivers = row
    facts: dict[str, Any] = {"receiving": bool(receivers)} if sees else {}
    if paused:
        facts["replay_paused"] = True
    if received is None or replayed is None:
        return facts | _figures(None, age)
    _, most = looks.look(time.monotonic(), int(received), int(replayed))
    ahead = max(0, int(received) - int(replayed))
    return facts | _figures(ahead, age if most is None else most if age is None else min(float(age), most))


def _replicas(rows: list[tuple[Any, ...]], looks: dict[str, Looks]) -> dict[str, dict[str, Any]]:
    """By application name; by name and address where several have one (`walreceiver` is everybody's default)."""
    found: dict[str, dict[str, Any]] = {}
    times = Counter(row[0] for row in rows)
    for name, address, state, end, replayed, lag in rows:
        key = str(name) if times[name] == 1 else f"{name} {address}"
        number = 2
        while key in found:
            key, number = f"{name} {address} {number}", number + 1
        least, most = looks.setdefault(key, Looks()).look(time.monotonic(), int(end), int(replayed))
        seconds: float | None = max(float(lag or 0.0), least) if lag is not None or least else None
        if most == 0.0:
            seconds = 0.0  # all is replayed: `replay_lag` is of the last time that something was not
        found[key] = {"state": state} | _figures(max(0, int(end) - int(replayed)), seconds)
    for gone in looks.keys() - found.keys():
        del looks[gone]
    return found


def _figures(lag_bytes: Any, lag: Any) -> dict[str, Any]:
    told = {
        "lag_bytes": None if lag_bytes is None else int(lag_bytes),
        "lag_seconds": None if lag is None else round(float(lag), 3),
    }
    return {key: value for key, value in told.items() if value is not None}


_FULL, _NOT_NOW = "the server has no connection left for us", "the server starts up, stops or recovers"
# How libpq words what happens before there is a session, in English or from `strerror`.
_TEXTS: tuple[tuple[tuple[str, ...], Reason, str], ...] = (
    (("connection refused",), "refused", "connection refused"),
    (("timeout", "timed out"), "timeout", "no connection in time"),
    (("translate host name", "resolve host", "name or service not known"), "dns", "its host name has no address"),
    (("too many clients", "too many connections", "connection slots", "demasiados clientes"), "transport", _FULL),
    (("starting up", "shutting down", "recovery mode", "not accepting"), "transport", _NOT_NOW),
    (("password", "pg_hba.conf", "role "), "auth", "the server refuses our account"),
    (("database ",), "transport", "the server has no such database, or it is closed to us"),
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
        return "timeout", "the server gave up the question at our time limit [57014]"
    words = {"53300": _FULL, "57P03": _NOT_NOW, "57P01": _NOT_NOW}.get(state, "the server refuses")
    return "transport", f"{words} [{state}]"


def _failed(target: Target, at_us: int, began: float, reason: Reason, detail: str) -> Result:
    spoke = reason in {"auth", "tls"} or "the server" in detail  # its own word
    return result(
        target, at_us, "failed", reason, answered_by="unknown" if spoke else "none",
        duration_seconds=_since(began), evidence={"detail": detail},
    )  # fmt: skip


def _since(began: float) -> float:
    return round(time.perf_counter() - began, 6)
