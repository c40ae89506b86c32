"""A real PostgreSQL of one test process: its own cluster on loopback, one database per test, stopped by its pid.

With fsync=off it survives being killed, as the machine does not stop.
"""

import contextlib
import ctypes
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from sereno.store import open_store

HOST = "127.0.0.1"
ROLE, PASSWORD = "sereno", "s3cret"  # as deploy/postgres makes it: owner of its databases, no superuser
_TEMPLATE = "sereno_template"
_READY_SECONDS = 30.0
_LEFT_SECONDS = 3_600.0
_PREFIX = "sereno-pg-"
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
_SETTINGS = (
    "fsync=off", "full_page_writes=off", "shared_buffers=16MB", "max_connections=60",
    "autovacuum=off", "max_wal_size=256MB", "password_encryption=scram-sha-256",
)  # fmt: skip


def programs() -> Path:
    """The folder of Debian's newest initdb and postgres; skips the test where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL is not installed; run `make setup-test`")
    return found[-1].parent


class Cluster:
    """A running server; `database()` makes one with this version's schema, `empty()` one with nothing in it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX))  # pytest's own folders are closed to postgres
        self.port = 0
        self._programs = programs()
        self._user = "postgres" if os.geteuid() == 0 else None  # initdb and postgres refuse root
        self._server: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self._template = False

    @property
    def pid(self) -> int:
        """The postmaster's, for those who kill or freeze it."""
        assert self._server is not None
        return self._server.pid

    def create(self) -> None:
        """Makes the files of the cluster and starts it."""
        _sweep(self.folder.parent)
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        password = self.folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        subprocess.run(
            [self._programs / "initdb", "-D", self.folder / "data", "-U", "postgres", "--auth=scram-sha-256",
             f"--pwfile={password}", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8",
             "--locale-provider=icu", "--icu-locale=es-CO"],
            check=True, capture_output=True, user=self._user, cwd=self.folder, timeout=60,
        )  # fmt: skip
        self.start()
        self.admin(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'")

    def start(self) -> None:
        """Starts the server, on the port that it had if it ran before."""
        for _ in range(5):
            port = self.port or _free_port()
            with (self.folder / "log").open("ab") as log:
                self._server = subprocess.Popen(
                    [self._programs / "postgres", "-D", self.folder / "data", "-h", HOST, "-p", str(port),
                     "-k", self.folder, *(word for each in _SETTINGS for word in ("-c", each))],
                    stdout=log, stderr=log, user=self._user, cwd=self.folder, preexec_fn=_die_with_parent,  # noqa: PLW1509
                )  # fmt: skip
            if self._answers(port):
                self.port = port
                return
            self.stop()
        raise AssertionError((self.folder / "log").read_text())

    def stop(self, how: int = signal.SIGINT) -> None:
        """SIGINT ends it with its sessions cut off, SIGQUIT as a crash does."""
        if self._server is not None:
            with contextlib.suppress(ProcessLookupError):
                self._server.send_signal(signal.SIGCONT)
                self._server.send_signal(how)
            self._server.wait(30)
            self._server = None

    def destroy(self) -> None:
        """Stops it and removes its files."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder)

    def admin(self, statement: str, database: str = "postgres") -> list[tuple]:
        """Runs a statement as the superuser; its rows."""
        with psycopg.connect(self._dsn("postgres", database), autocommit=True) as connection:
            found = connection.execute(statement)
            return found.fetchall() if found.description else []

    def empty(self) -> str:
        """The URL of a new, empty database that the role owns."""
        return self._make("template0")

    def database(self) -> str:
        """The URL of a new database with this version's schema in place."""
        if not self._template:
            self.admin(f"CREATE DATABASE {_TEMPLATE} OWNER {ROLE} TEMPLATE template0")
            open_store(self.url(_TEMPLATE)).dispose()
            self._template = True
        return self._make(_TEMPLATE)

    def drop(self, url: str) -> None:
        """Removes a database, cutting off whoever is still in it."""
        self.admin(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://{ROLE}:{PASSWORD}@{HOST}:{self.port}/{database}"

    def _make(self, template: str) -> str:
        name = f"test_{next(self._numbers)}"
        self.admin(f"CREATE DATABASE {name} OWNER {ROLE} TEMPLATE {template}")
        return self.url(name)

    def _dsn(self, user: str, database: str) -> str:
        return f"postgresql://{user}:{PASSWORD}@{HOST}:{self.port}/{database}"

    def _answers(self, port: int) -> bool:
        assert self._server is not None
        end = time.monotonic() + _READY_SECONDS
        while time.monotonic() < end and self._server.poll() is None:
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(f"postgresql://postgres:{PASSWORD}@{HOST}:{port}/postgres", connect_timeout=5).close()
                return True
            time.sleep(0.02)
        return False


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """A cluster for those who stop, freeze or kill theirs; what others share is the fixture `pg_cluster`."""
    made = Cluster()
    try:
        made.create()
        yield made
    finally:
        made.destroy()


def _sweep(folder: Path) -> None:
    """Files of clusters whose test process was killed an hour ago or more; their servers died with it."""
    for left in folder.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - (left / "log").stat().st_mtime > _LEFT_SECONDS and not _runs(left):
                shutil.rmtree(left)


def _runs(cluster: Path) -> bool:
    try:
        pid = (cluster / "data/postmaster.pid").read_text().split()[0]
    except OSError:
        return False
    return Path(f"/proc/{pid}").exists()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((HOST, 0))
        return int(free.getsockname()[1])


def _die_with_parent() -> None:
    """A killed test process leaves no server behind."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)
