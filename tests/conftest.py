"""Fixtures of the whole suite: the one softswitch of the session, healed and asserted idle between tests."""

import os
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import settings
from postgres import Cluster, cluster

from deploy.lab import Lab, LabError
from deploy.lab.machine import kamailio_program
from deploy.lab.ports import check_free
from sereno.store import SQLITE_FILE, Store, open_store

# The same examples at every run: a red suite is then somebody's change; a loaded machine is no failure.
settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

_NETS = range(60, 100)
_IDLE_SECONDS = 45.0


def free_net() -> str:
    """A loopback net that nobody's lab uses now."""
    for number in _NETS:
        lab = Lab(f"127.{number}")
        try:
            check_free(lab.plan)
        except LabError:
            continue
        return lab.net
    raise AssertionError("no loopback net is free from 127.60 to 127.99")


@pytest.fixture(scope="session")
def _session_lab():
    try:
        kamailio_program()
    except LabError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
    with tempfile.TemporaryDirectory(prefix="sereno-lab-") as folder:  # short: Unix sockets have short names
        net = free_net()
        lab = Lab(net, Path(folder) / net)
        lab.up()
        try:
            yield lab
        finally:
            lab.down()


@pytest.fixture
def lab(_session_lab):
    """The session's lab: whole, idle and as new before each test, whatever the test before has broken."""
    _assert_idle(_session_lab)
    yield _session_lab
    _session_lab.heal()
    _assert_idle(_session_lab)


def _assert_idle(lab: Lab) -> None:
    """Nothing broken, everything running, no call left.

    A dead caller's goes after ten seconds, and its BYE may be repeated for 32 s more (RFC 3261, timer F).
    """
    end = time.monotonic() + _IDLE_SECONDS
    while True:
        status = lab.status()
        assert status["up"]
        assert status["faults"] == []
        assert {one["state"] for one in status["components"].values()} == {"running"}
        calls = sum(one["calls"] or 0 for one in status["components"].values())
        if calls == 0:
            return
        assert time.monotonic() < end, f"{calls} calls are left in the lab"
        time.sleep(0.05)


# -- databases ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def pg_cluster():
    """This test process' PostgreSQL, started when first asked for. Who stops or freezes one makes `cluster()`."""
    with cluster() as made:
        yield made


@pytest.fixture
def pg_url(pg_cluster: Cluster):
    """A new PostgreSQL database with the schema of this version in place; dropped after the test."""
    url = pg_cluster.database()
    yield url
    pg_cluster.drop(url)


@pytest.fixture
def empty_pg_url(pg_cluster: Cluster):
    """A new PostgreSQL database with nothing in it."""
    url = pg_cluster.empty()
    yield url
    pg_cluster.drop(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database URL, once of each kind: tests that use it run on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / SQLITE_FILE}"
    return request.getfixturevalue("pg_url")


@pytest.fixture
def any_store(store_url: str):
    """An open store, once on SQLite and once on PostgreSQL."""
    store: Store = open_store(store_url)
    yield store
    store.dispose()
