"""What the doctor may look at: files, the store (read-only), the running instance. Nothing here changes anything."""

import functools
import json
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import msgspec

from sereno import instance
from sereno.clock import SECOND_US, Clock, SystemClock
from sereno.doctor.model import CannotLookError
from sereno.errors import ConfigError, SerenoError

if TYPE_CHECKING:
    from sereno.desk import Desk
    from sereno.doctor.knock import Knock
    from sereno.doctor.tally import Tally
    from sereno.store import Store
    from sereno.store.queries.probes import Standing
    from sereno.topology import Topology

T = TypeVar("T")
STATEMENT_SECONDS = 4
_CONNECT_SECONDS = 3
_STALE_US = 10 * SECOND_US


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The command line. `network`: the watched platform and mail servers may be spoken to as well."""

    data: Path
    database: str | None = None
    topology: Path | None = None
    desk: Path | None = None
    broker: str | None = None
    prometheus: str | None = None
    backups: Path | None = None
    network: bool = False


def once(method: Callable[["Patient"], T]) -> Callable[["Patient"], T]:
    """Looked at once, whatever came of it; who asks again meanwhile hears that it hangs."""
    name = method.__name__

    @functools.wraps(method)
    def wrapped(self: "Patient") -> T:
        with self.lock:
            known = self.known.get(name)
            if known is None:
                self.known[name] = (None, CannotLookError("{what} did not answer in time", what=name))
        if known is not None:
            if known[1] is not None:
                raise known[1]
            return known[0]  # type: ignore[no-any-return]  # what this method returned before
        try:
            found = method(self)
        except Exception as error:
            self.known[name] = (None, error)
            raise
        self.known[name] = (found, None)
        return found

    return wrapped


class Patient:
    """One installation, as one command line names it."""

    def __init__(
        self, asked: Asked, clock: Clock | None = None, knock: "Callable[[Topology], list[Knock]] | None" = None
    ) -> None:
        self.asked = asked
        self.knock = knock  # speaks to every SBC from this machine; given by the command line
        self.clock = clock or SystemClock()
        self.lock = threading.Lock()
        self.known: dict[str, tuple[Any, Exception | None]] = {}

    def close(self) -> None:
        """Gives back what was opened; a question that still hangs keeps its own."""
        engine, _ = self.known.get("engine", (None, None))
        if engine is not None:
            engine.dispose()

    # -- what runs -----------------------------------------------------------------------------------------------------

    @once
    def instance(self) -> instance.Instance | None:
        """The `sereno up` of the data directory, if one runs."""
        return None if self.asked.database is not None else instance.read(self.asked.data)

    def started_with(self, option: str) -> str | None:
        """What the running `sereno up` gave its collector for an option."""
        return _argument(self.asked.data / "run.json", option) if self.instance() is not None else None

    def secret_of(self, account: str) -> Path:
        """The file with an account's password for the private broker."""
        return self.asked.data / "broker" / f"{account}.secret"

    # -- files ---------------------------------------------------------------------------------------------------------

    def topology_file(self) -> Path | None:
        """The file that says what is watched: the one named, the one in use, the one in the data directory."""
        if self.asked.topology is not None:
            return self.asked.topology
        running = self.instance()
        if running is not None and running.topology is not None:
            return Path(running.topology)
        own = self.asked.data / "topology.yaml"
        return own if self.asked.database is None and own.exists() else None

    def desk_file(self) -> Path | None:
        """The file that says who is told: the one named, the one the running instance was given, DATA/desk.yaml."""
        if self.asked.desk is not None:
            return self.asked.desk
        if self.asked.database is not None:
            return None
        given = self.started_with("--desk")
        if given is not None:
            return Path(given)
        own = self.asked.data / "desk.yaml"
        return own if own.exists() else None

    @once
    def topology(self) -> "Topology":
        """What is watched: by the file if it is valid, else what was accepted last."""
        from sereno.topology import load_topology

        path = self.topology_file()
        if path is not None:
            try:
                return load_topology(path)
            except ConfigError:
                return self._accepted()
        return self._accepted()

    @once
    def desk(self) -> "Desk | None":
        """Who is told: by the file if it is valid, else what was accepted last; None: nobody."""
        from sereno.desk import load_desk

        path = self.desk_file()
        if path is not None:
            try:
                return load_desk(path)
            except ConfigError:
                return self.accepted_desk()
        if self.topology_file() is not None and self.instance() is None and self.asked.database is None:
            return None  # files of an installation that was never started, and no desk among them
        return self.accepted_desk()

    def _accepted(self) -> "Topology":
        from sereno.topology import topology_from_json

        row = self.accepted()
        if row is None:
            raise CannotLookError(
                "nothing says what is watched yet", "write topology.yaml and name it with --topology, or try "
                "`sereno up --lab`",
            )  # fmt: skip
        return topology_from_json(msgspec.json.decode(row.topology))

    @once
    def accepted(self) -> Any:
        """The row of `topologies` in force, or None."""
        from sqlalchemy import select

        from sereno.store.tables import topologies

        with self.store().read() as connection:
            return connection.execute(select(topologies).order_by(topologies.c.id.desc()).limit(1)).one_or_none()

    def accepted_desk(self) -> "Desk | None":
        """The desk in force, or None."""
        from sereno.desk import Desk

        row = self.accepted()
        return Desk.model_validate_json(row.desk) if row is not None and row.desk else None

    def beside(self) -> Path | None:
        """The folder in which contracts and alarms are looked for first."""
        path = self.topology_file()
        if path is not None:
            return path.resolve().parent
        row = self.accepted()
        return Path(row.beside) if row is not None and row.beside else None

    # -- the store -----------------------------------------------------------------------------------------------------

    @property
    def sqlite_file(self) -> Path | None:
        """The database's file, where it is one."""
        from sereno.store import SQLITE_FILE
        from sereno.store.postgres import parse_url

        if self.asked.database is None:
            return self.asked.data / SQLITE_FILE
        url = parse_url(self.asked.database)
        return Path(url.database or "") if url.drivername == "sqlite" else None

    @once
    def engine(self) -> Any:
        """The database as it is: read-only, and its schema left alone."""
        file = self.sqlite_file
        return _postgres(str(self.asked.database)) if file is None else _sqlite(file)

    @once
    def store(self) -> "Store":
        """The store, if it has this version's schema."""
        from sereno.store import Store

        revision, head = self.revision()
        if revision != head:
            raise CannotLookError("the store's schema is not this version's", "mend what is said of the schema first")
        return Store(self.engine(), self.asked.database or f"sqlite:///{self.sqlite_file}")

    @once
    def revision(self) -> tuple[str | None, str]:
        """The schema's revision in the database, and this program's."""
        from sqlalchemy import inspect, text

        from sereno.store.migrate import HEAD
        from sereno.store.postgres import database_errors

        engine = self.engine()
        try:
            if not inspect(engine).has_table("alembic_version"):
                return None, HEAD
            with engine.connect() as connection:
                found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
        except database_errors():
            raise CannotLookError("the database refuses", "see what is said of the database") from None
        return None if found is None else str(found), HEAD

    @once
    def leading(self) -> str:
        """The host of the collector that leads; CannotLookError where none does."""
        from sereno.store.lease import host_of, read

        with self.store().read() as connection:
            lease = read(connection)
        if lease is None or self.clock.now_us() - lease.renewed_us > _STALE_US:
            raise CannotLookError("no collector takes what probes say", "see what is said of the collector")
        return host_of(lease.holder)

    @once
    def standings(self) -> "list[Standing]":
        """How each probe stands with the store."""
        from sereno.store.queries.probes import standings

        named = self.topology().probes
        with self.store().read() as connection:
            return standings(connection, named, 0)

    @once
    def tally(self) -> "Tally":
        """What the newest results say, counted; CannotLookError where nothing was measured of late."""
        from sereno.doctor.tally import taken

        with self.store().read() as connection:
            found = taken(connection, self.clock.now_us())
        if not found.results:
            raise CannotLookError(
                "nothing was measured in the last {minutes} minutes", "see what is said of collector, broker and "
                "probes", minutes=str(found.minutes),
            )  # fmt: skip
        return found


def _sqlite(file: Path) -> Any:
    """Opens the file for reading only. With nobody writing there is no log beside it: then none may be made either."""
    from sqlalchemy import create_engine

    if not file.is_file():
        raise CannotLookError(
            "there is no store at {file} yet", "start `sereno up`, or name another one with --data or --database",
            file=str(file),
        )  # fmt: skip
    log = file.with_name(file.name + "-wal")
    mode = "mode=ro" if log.exists() else "immutable=1"
    url = f"file:{quote(str(file.absolute()))}?{mode}"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(url, uri=True, timeout=STATEMENT_SECONDS, check_same_thread=False, isolation_level=None)

    return create_engine("sqlite://", creator=connect)


def _postgres(database: str) -> Any:
    from sereno.store.engine import connect_engine
    from sereno.store.postgres import parse_url

    url = parse_url(database)
    given = url.query.get("options", "")
    more = f"{given if isinstance(given, str) else ' '.join(given)} -c statement_timeout={STATEMENT_SECONDS}s"
    query = {
        "connect_timeout": str(_CONNECT_SECONDS),
        **url.query,
        "options": f"{more} -c default_transaction_read_only=on",
    }
    return connect_engine(url.set(query=query))


def _argument(plan: Path, option: str) -> str | None:
    """What `sereno up` gave its collector for an option."""
    try:
        parts = json.loads(plan.read_bytes())["parts"]
    except (OSError, ValueError, KeyError):
        return None
    for part in parts:
        arguments = part.get("arguments", [])
        if part.get("name") == "collector" and option in arguments[:-1]:
            return str(arguments[arguments.index(option) + 1])
    return None


__all__ = ["Asked", "Patient", "SerenoError", "once"]
