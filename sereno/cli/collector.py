"""`sereno collector`: collector, alerting and page in one process, against a broker and a database."""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from sereno.clock import SECOND_US
from sereno.errors import ConfigError, SerenoError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sereno.bootclock import BootClock
    from sereno.contract import Contract
    from sereno.desk import Desk
    from sereno.mqtt import Broker
    from sereno.store import Store
    from sereno.store.lease import Lease
    from sereno.topology import Topology

app = typer.Typer(add_completion=False)
log = logging.getLogger("sereno.collector")
_STANDBY_SECONDS = 0.25
_STEPPED_US = SECOND_US // 4  # probes that are right must not be called half a second off
_LOOK_SECONDS = 0.25


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator's files say, validated as a whole."""

    topology: "Topology"
    desk: "Desk | None"
    contracts: "Mapping[str, Contract]"
    beside: Path | None


@app.command()
def collector(
    broker: Annotated[str, typer.Option("--broker", help="The broker, such as mqtts://collector@broker:8883.")],
    topology: Annotated[Path | None, typer.Option("--topology", help="What is watched; else what was stored.")] = None,
    desk: Annotated[Path | None, typer.Option("--desk", help="Who is told; nobody without it.")] = None,
    database: Annotated[str | None, typer.Option("--database", help="Database URL; else the data directory's.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="The data directory.")] = None,
    http: Annotated[str, typer.Option("--http", help="Where the page listens, HOST:PORT.")] = "127.0.0.1:8080",
    probe: Annotated[list[str] | None, typer.Option("--probe", help="A probe that the topology does not name.")] = None,
) -> None:
    """Collect, judge, alert and show, until stopped. SIGHUP takes up changed files, if they are valid."""
    from sereno.instance import data_directory
    from sereno.listen import parse_http
    from sereno.mqtt import parse_broker
    from sereno.process import run, setup_logging
    from sereno.store import open_database, open_store

    where, listen = parse_broker(broker), parse_http(http)
    if database is not None and data is not None:
        raise UsageError("--data and --database exclude each other; give one")
    store = open_database(database, create=True) if database is not None else open_store(data_directory(data))
    setup_logging()
    watched = _watched(store, topology, desk)
    again = _Reload(topology, desk, watched)
    run(_main(store, where, watched, listen, probe or [], again))
    store.dispose()
    if again.wanted:  # everything in memory is rebuilt from the store: the simplest swap that cannot be half done
        logging.shutdown()
        os.execv(sys.executable, [sys.executable, "-m", "sereno", *sys.argv[1:]])  # noqa: S606


class _Reload:
    """SIGHUP: valid files are taken up, invalid ones leave everything as it is and say why."""

    def __init__(self, topology: Path | None, desk: Path | None, watched: Watched) -> None:
        self.wanted = False
        self._topology, self._desk, self._watched = topology, desk, watched

    def asked(self, stop: Callable[[], object]) -> None:
        from sereno.notify import tell

        try:
            if self._topology is None:
                raise UsageError("there is no --topology file to take up again")
            _load(self._topology, self._desk)
        except SerenoError as error:
            log.error("reload refused: %s", error)  # noqa: TRY400  # a person's mistake, no trace
            tell("fault", f"reload refused, what was in use stays: {error}")
            return
        self.wanted = True
        stop()

    async def when_stepped(self, clock: "BootClock", stop: Callable[[], object]) -> None:
        """A clock that was set makes what memory holds useless: the newest sample may lie ahead for hours."""
        step_us = 0
        while abs(step_us) <= _STEPPED_US:
            await asyncio.sleep(_LOOK_SECONDS)
            step_us = clock.behind_us()
        log.warning("the wall clock stepped by %+.3f s: taking everything up again", step_us / SECOND_US)
        self.wanted = True
        stop()


async def _main(
    store: "Store", broker: "Broker", watched: Watched, listen: tuple[str, int], extra: list[str], again: _Reload
) -> None:
    from alerting.channels import channels_of
    from alerting.service import AlertingService, machine_for
    from collector.metrics import Metrics
    from collector.service import CollectorService
    from sereno.bootclock import BootClock
    from sereno.clock import SystemClock
    from sereno.notify import tell
    from sereno.tasks import together

    clock = BootClock(SystemClock())  # nobody here sees a step: the process begins again instead
    sockets = _listen(*listen)
    lease = await _lead(store)
    log.info("writer with epoch %d", lease.epoch)
    fenced = store.fenced(lease.check)
    metrics = Metrics(store)
    machine = machine_for(watched.topology, watched.desk, watched.beside)
    channels = channels_of(watched.desk.channels) if watched.desk is not None else {}
    alerting = AlertingService(fenced, machine, clock, channels)
    _record(fenced, watched, clock.now_us())
    service = CollectorService(
        fenced, lease, broker, watched.topology, watched.contracts, clock,
        extra_probes=extra, observer=metrics, on_changes=alerting.wake,
    )  # fmt: skip

    async def announce() -> None:
        await service.connected.wait()
        tell("ready", f"collector epoch {lease.epoch}, http://{listen[0]}:{sockets.getsockname()[1]}/")

    running = asyncio.ensure_future(
        together(service.run(), alerting.run(), _serve(store, clock, metrics, sockets), announce())
    )
    watching = asyncio.ensure_future(again.when_stepped(clock, running.cancel))
    try:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, again.asked, running.cancel)
        await running
    except asyncio.CancelledError:
        if not again.wanted:
            raise
    finally:
        watching.cancel()
        lease.release()


async def _lead(store: "Store") -> "Lease":
    """Waits until this process is the writer."""
    import time

    from sereno.notify import tell
    from sereno.store.lease import Lease

    lease, told = Lease(store, time.monotonic), False
    while not lease.try_take(time.time_ns() // 1_000):
        if not told:
            tell("note", "another collector is the writer; standing by")
            told = True
        await asyncio.sleep(_STANDBY_SECONDS)
    return lease


async def _serve(store: "Store", clock: Any, metrics: Any, listener: socket.socket) -> None:
    """The page, in this process's loop; signals stay ours."""
    import uvicorn

    from dashboards.web.app import create_app

    class Server(uvicorn.Server):
        def capture_signals(self) -> Any:
            return nullcontext()

    web = create_app(store, clock, metrics.render)
    config = uvicorn.Config(
        web, log_config=None, access_log=False, timeout_graceful_shutdown=1, lifespan="on", server_header=False
    )
    server = Server(config)
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise UsageError(f"--http {host}:{port}: {error.strerror}; choose another port") from None
    return listener


def _load(topology: Path, desk: Path | None) -> Watched:
    """Both files and the contracts they name; ConfigError says what is wrong."""
    from sereno.contract import load_contract
    from sereno.desk import load_desk
    from sereno.topology import load_topology

    found = load_topology(topology)
    told = load_desk(desk) if desk is not None else None
    names = {customer.contract for customer in found.customers.values()} | ({told.contract} if told else set())
    contracts = {name: load_contract(name, beside=topology.parent) for name in sorted(names)}
    return Watched(topology=found, desk=told, contracts=contracts, beside=topology.parent)


def _watched(store: "Store", topology: Path | None, desk: Path | None) -> Watched:
    """The files; when they have become invalid since, what was accepted last: a restart must not stop the watch."""
    from sereno.notify import tell

    if topology is None:
        stored = _stored(store)
        if stored is None:
            raise UsageError("nothing says what to watch: give --topology FILE")
        return stored
    try:
        return _load(topology, desk)
    except ConfigError as error:
        stored = _stored(store)
        if stored is None:
            raise
        log.error("%s; the last valid one stays in use", error)  # noqa: TRY400  # a person's mistake, no trace
        tell("fault", f"{error}; the last valid one stays in use")
        return stored


def _stored(store: "Store") -> Watched | None:
    """What was accepted last."""
    from sqlalchemy import select

    from sereno.contract import load_contract
    from sereno.desk import Desk
    from sereno.store.tables import topologies
    from sereno.topology import topology_from_json

    with store.read() as connection:
        row = connection.execute(select(topologies).order_by(topologies.c.id.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    found = topology_from_json(msgspec.json.decode(row.topology))
    told = Desk.model_validate_json(row.desk) if row.desk else None
    names = {customer.contract for customer in found.customers.values()} | ({told.contract} if told else set())
    beside = Path(row.beside) if row.beside else None
    contracts = {name: load_contract(name, beside=beside) for name in sorted(names)}
    return Watched(topology=found, desk=told, contracts=contracts, beside=beside)


def _record(store: "Store", watched: Watched, now_us: int) -> None:
    """Stores an accepted topology with its from-time, once."""
    from sqlalchemy import insert, select

    from sereno.store.tables import topologies
    from sereno.topology import canonical_json, topology_hash

    desk = watched.desk.model_dump_json(by_alias=True) if watched.desk is not None else None
    digest = topology_hash(watched.topology)
    with store.write() as connection:
        last = connection.execute(select(topologies).order_by(topologies.c.id.desc()).limit(1)).one_or_none()
        if last is not None and (last.hash, last.desk) == (digest, desk):
            return
        row = {
            "from_us": now_us,
            "hash": digest,
            "topology": canonical_json(watched.topology),
            "desk": desk,
            "beside": str(watched.beside) if watched.beside is not None else None,
        }
        connection.execute(insert(topologies).values(**row))
