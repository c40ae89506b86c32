"""`database` against a real PostgreSQL primary and its streaming replica, on loopback."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from other_site import check, site

from probes.checks.database import _replicas
from probes.checks.lsn import Looks

HOST, PRIMARY, REPLICA = "127.82.2.1", 25432, 25433


def bin_dir():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL is not installed; run `make setup-test`")
    return found[-1].parent


class Postgres:
    """A primary and a replica that follows it."""

    def __init__(self, folder):
        self.folder, self.bin, self.running = folder, bin_dir(), {}
        self.user = "postgres" if os.geteuid() == 0 else None

    def run(self, name, *arguments):
        subprocess.run([self.bin / name, *map(str, arguments)], check=True, capture_output=True, user=self.user,
                       cwd=self.folder, timeout=60)  # fmt: skip

    def start(self, name, port):
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [self.bin / "postgres", "-D", self.folder / name, "-h", HOST, "-p", str(port), "-k", self.folder,
                 "-c", "fsync=off", "-c", "max_wal_senders=4", "-c", "wal_level=replica"],
                stdout=log, stderr=log, user=self.user, cwd=self.folder,
            )  # fmt: skip
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                with psycopg.connect(self.dsn(port)):
                    return
            except psycopg.OperationalError:
                time.sleep(0.05)
        raise AssertionError((self.folder / f"{name}.log").read_text())

    def stop(self, name):
        process = self.running.pop(name)
        process.terminate() if name == "replica" else process.send_signal(2)
        process.wait(20)

    @staticmethod
    def dsn(port):
        return f"postgresql://postgres:s3cret@{HOST}:{port}/postgres"


@pytest.fixture(scope="module")
def postgres():
    folder = Path(tempfile.mkdtemp(prefix="sereno-pg-"))  # pytest's own folders are closed to the user postgres
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    made = Postgres(folder)
    try:
        made.run("initdb", "-D", folder / "primary", "-U", "postgres", "--auth=trust", "--no-sync")
        made.start("primary", PRIMARY)
        hba = folder / "primary" / "pg_hba.conf"
        hba.write_text("host all stranger 127.0.0.0/8 reject\nhost all,replication all 127.0.0.0/8 trust\n")
        with psycopg.connect(made.dsn(PRIMARY), autocommit=True) as connection:
            connection.execute("select pg_reload_conf()")
            connection.execute("create role stranger login")
        made.run("pg_basebackup", "-h", HOST, "-p", PRIMARY, "-U", "postgres", "-D", folder / "replica", "-R",
                 "-c", "fast", "--no-sync")  # fmt: skip
        made.start("replica", REPLICA)
        yield made
    finally:
        for name in list(made.running)[::-1]:
            made.stop(name)
        shutil.rmtree(folder)


@pytest.fixture
def look(tmp_path, postgres):
    async def ask(port=PRIMARY, more="", dsn=None, kept=None, within="3s"):
        (tmp_path / "dsn").write_text(dsn or postgres.dsn(port))
        topology = site(f'databases: {{billing: {{dsn: {{file: "{tmp_path}/dsn"}}, timeout: {within}{more}}}}}')
        found = (await check(topology, "database", kept))["billing"]
        assert "s3cret" not in str(found)
        return found

    return ask


async def until(look, good, **asked):
    end = time.monotonic() + 10
    while not good(found := await look(**asked)):
        assert time.monotonic() < end, found
    return found


async def test_the_primary_tells_its_replicas(look):
    found = await until(look, lambda one: any("lag_bytes" in replica for replica in one.facts["replicas"].values()))
    assert (found.outcome, found.facts["role"]) == ("ok", "primary")
    (replica,) = found.facts["replicas"].values()
    assert replica["state"] == "streaming"
    assert replica["lag_bytes"] >= 0


async def test_the_replica_tells_how_far_it_is_behind(look):
    found = await until(look, lambda one: one.facts["receiving"], port=REPLICA, more=", role: replica")
    assert (found.outcome, found.facts["role"]) == ("ok", "replica")
    assert found.facts["lag_seconds"] == 0.0


async def test_a_role_that_is_not_the_files_is_told(look):
    found = await look(REPLICA)
    assert (found.outcome, found.reason) == ("failed", "role")


async def test_a_replica_that_stands_still_is_behind(look, postgres):
    more = ", role: replica, max_lag: 100ms"
    with psycopg.connect(postgres.dsn(PRIMARY), autocommit=True) as primary:
        primary.execute("create table t (x int)")  # until it replays a transaction, a replica's time is unknown
    with psycopg.connect(postgres.dsn(REPLICA), autocommit=True) as replica:
        end = time.monotonic() + 10
        while replica.execute("select to_regclass('t')").fetchone() == (None,):
            assert time.monotonic() < end
            await asyncio.sleep(0.02)
    with psycopg.connect(postgres.dsn(REPLICA), autocommit=True) as replica:
        replica.execute("select pg_wal_replay_pause()")
        try:
            with psycopg.connect(postgres.dsn(PRIMARY), autocommit=True) as primary:
                primary.execute("insert into t select generate_series(1, 1000)")
            found = await until(look, lambda one: one.reason == "lag", port=REPLICA, more=more)
            assert found.facts["lag_bytes"] > 0
            assert found.facts["lag_seconds"] > 0.1
        finally:
            replica.execute("select pg_wal_replay_resume()")
    await until(look, lambda one: one.outcome == "ok", port=REPLICA, more=more)


async def test_the_primary_sees_a_replica_that_stands_still(look, postgres):
    """Its own `replay_lag` says nothing of that; where the log stood at an earlier look does."""
    more, kept = ", replicas: [billing], max_lag: 300ms", {}
    with psycopg.connect(postgres.dsn(REPLICA), autocommit=True) as replica:
        replica.execute("select pg_wal_replay_pause()")
        try:
            with psycopg.connect(postgres.dsn(PRIMARY), autocommit=True) as primary:
                primary.execute("create table still (x int)")
            assert (await look(more=more, kept=kept)).outcome == "ok"  # the first look can tell no time
            await asyncio.sleep(0.4)
            found = await look(more=more, kept=kept)
            assert (found.reason, found.answered_by) == ("lag", "unknown"), found
            assert 0.4 <= found.facts["replicas"]["walreceiver"]["lag_seconds"] < 5
            behind = await look(REPLICA, more=", role: replica, max_lag: 100ms", kept={})
            assert (behind.facts["replay_paused"], "replay is paused" in behind.evidence["detail"]) == (True, True)
        finally:
            replica.execute("select pg_wal_replay_resume()")
    await until(look, lambda one: one.outcome == "ok", more=more, kept=kept)


async def test_an_idle_primary_is_no_lag(look, postgres):
    """A checkpoint writes to the log without a transaction: the last of those may be hours ago."""
    kept, more = {}, ", role: replica, max_lag: 50ms"
    await until(look, lambda one: one.outcome == "ok", port=REPLICA, more=more, kept=kept)
    await asyncio.sleep(0.1)
    with psycopg.connect(postgres.dsn(PRIMARY), autocommit=True) as primary:
        for _ in range(5):
            primary.execute(
                "select pg_log_standby_snapshot()" if primary.info.server_version >= 160000 else "checkpoint"
            )
            found = await look(REPLICA, more=more, kept=kept)
            assert found.outcome == "ok", found


async def test_an_account_that_may_not_see_replication_is_told_so(look, postgres):
    with psycopg.connect(postgres.dsn(PRIMARY), autocommit=True) as primary:
        primary.execute("drop role if exists small")
        primary.execute("create role small login")
    dsn = postgres.dsn(PRIMARY).replace("postgres:s3cret", "small")
    found = await look(dsn=dsn, more=", replicas: [billing]")
    assert (found.outcome, found.reason) == ("invalid", "probe_fault")
    assert "GRANT pg_monitor" in found.evidence["detail"]
    assert (await look(dsn=dsn)).outcome == "ok"
    assert (await look(dsn=dsn, more=", role: replica")).reason == "role"
    with psycopg.connect(postgres.dsn(PRIMARY), autocommit=True) as primary:
        primary.execute("grant pg_monitor to small")
    assert (await look(dsn=dsn, more=", replicas: [billing]")).outcome == "ok"


async def test_a_server_without_a_connection_left(look, postgres):
    with psycopg.connect(postgres.dsn(PRIMARY), autocommit=True) as primary:
        primary.execute("drop role if exists tight")
        primary.execute("create role tight login connection limit 0")
    found = await look(dsn=postgres.dsn(PRIMARY).replace("postgres:s3cret", "tight"))
    assert (found.reason, found.answered_by) == ("transport", "unknown")
    assert "no connection left" in found.evidence["detail"]


async def test_a_server_that_hangs(look, postgres):
    process = postgres.running["primary"]
    process.send_signal(signal.SIGSTOP)
    try:
        found = await look(within="500ms")
    finally:
        process.send_signal(signal.SIGCONT)
    assert (found.reason, found.answered_by) == ("timeout", "none")


def test_two_replicas_of_one_name_are_two():
    rows = [("walreceiver", "10.0.0.1", "streaming", 100, 100, None),
            ("walreceiver", "10.0.0.2", "streaming", 100, 90, None),
            ("walreceiver", "10.0.0.2", "streaming", 100, 100, None)]  # fmt: skip
    looks = {}
    found = _replicas(rows, looks)
    assert sorted(found) == ["walreceiver 10.0.0.1", "walreceiver 10.0.0.2", "walreceiver 10.0.0.2 2"]
    assert found["walreceiver 10.0.0.2"]["lag_bytes"] == 10
    _replicas(rows[:1], looks)
    assert list(looks) == ["walreceiver"]


def test_positions_at_earlier_looks_bound_the_lag():
    looks = Looks()
    assert looks.look(0.0, 100, 90) == (0.0, None)  # since when, nobody knows
    assert looks.look(10.0, 150, 100) == (0.0, 10.0)
    assert looks.look(20.0, 200, 140) == (10.0, 20.0)
    assert looks.look(30.0, 200, 200) == (0.0, 0.0)
    assert looks.look(40.0, 201, 200) == (0.0, 10.0)
    assert looks.look(50.0, 200, 260) == (0.0, 0.0)  # ahead of what it received: from an archive


async def test_a_replica_without_its_primary_receives_nothing(look, postgres):
    postgres.stop("primary")
    try:
        found = await until(look, lambda one: one.reason == "lag", port=REPLICA, more=", role: replica")
        assert "receives nothing" in found.evidence["detail"]
        assert (await look()).reason == "refused"
    finally:
        postgres.start("primary", PRIMARY)
    await until(look, lambda one: one.outcome == "ok", port=REPLICA, more=", role: replica")


@pytest.mark.parametrize(("status", "words"), [
    ({"age": 1}, None), ({"age": 9}, "9.0 h old"), ({"age": 1, "verified": False}, "not verified"),
    ({"age": 1, "size": 0}, "empty"), ({"age": 1, "size": 9_999}, "10000 are the least"),
    ({"age": -1}, "in the future"), ({"age": -0.01}, None), ({}, "missing required field"), (None, "No such file"),
])  # fmt: skip
async def test_backups(look, tmp_path, status, words):
    file = tmp_path / "backup.json"
    if status is not None:
        finished = (datetime.now(UTC) - timedelta(hours=status.get("age", 0))).isoformat()
        told = {
            "finished": finished,
            "size_bytes": status.get("size", 10_000),
            "verified": status.get("verified", True),
        }
        file.write_text(json.dumps(told if status else {}))
    found = await look(more=f', backup: {{max_age: 8h, min_bytes: 10000, status_file: "{file}"}}')
    assert found.reason == (None if words is None else "backup_stale"), found
    assert words is None or words in found.evidence["detail"]


@pytest.mark.parametrize(("dsn", "outcome", "reason"), [
    (f"postgresql://stranger:s3cret@{HOST}:{PRIMARY}/postgres", "failed", "auth"),
    (f"postgresql://postgres:s3cret@{HOST}:{PRIMARY}/nowhere", "failed", "transport"),
    (f"postgresql://postgres:s3cret@{HOST}:1/postgres", "failed", "refused"),
    ("this is s3cret", "invalid", "probe_fault"),
])  # fmt: skip
async def test_troubles_without_secrets(look, dsn, outcome, reason):
    found = await look(dsn=dsn)
    assert (found.outcome, found.reason) == (outcome, reason), found


async def test_no_connection_string(tmp_path):
    topology = site(f'databases: {{billing: {{dsn: {{file: "{tmp_path}/none"}}}}}}')
    found = (await check(topology, "database"))["billing"]
    assert (found.outcome, found.reason) == ("invalid", "probe_fault")
