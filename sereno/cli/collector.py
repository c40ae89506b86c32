"""`sereno collector`: collector, alerting and page in one process, against a broker and a database."""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import msgspec
import typer

from sereno.clock import SECOND_US
from sereno.errors import SerenoError, StoreError, UsageError

if TYPE_CHECKING:
    from collector.metrics import Metrics
    from sereno.bootclock import BootClock
    from sereno.cli._leading import Member
    from sereno.cli._watched import Watched
    from sereno.listen import Listen
    from sereno.mqtt import Broker
    from sereno.store import Store
    from sereno.store.lease import Lease

app = typer.Typer(add_completion=False)
log = logging.getLogger("sereno.collector")
_STEPPED_US = SECOND_US // 4  # probes that are right must not be called half a second off
_LOOK_SECONDS = 0.25


@app.command()
def collector(  # noqa: PLR0917 - options of a command line
    broker: Annotated[str, typer.Option("--broker", help="The broker, such as mqtts://collector@broker:8883.")],
    topology: Annotated[Path | None, typer.Option("--topology", help="What is watched; else what was stored.")] = None,
    desk: Annotated[Path | None, typer.Option("--desk", help="Who is told; nobody without it.")] = None,
    database: Annotated[str | None, typer.Option("--database", help="Database URL; else the data directory's.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="The data directory.")] = None,
    http: Annotated[str, typer.Option("--http", help="Where the page listens, HOST:PORT.")] = "127.0.0.1:8080",
    probe: Annotated[list[str] | None, typer.Option("--probe", help="A probe that the topology does not name.")] = None,
    tls_cert: Annotated[
        Path | None, typer.Option("--tls-cert", help="PEM certificate of the page, with its chain.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", help="Its key, PEM without passphrase.")] = None,
    proxy: Annotated[
        list[str] | None, typer.Option("--proxy", help="A reverse proxy that is believed; repeatable.")
    ] = None,
) -> None:
    """Collect, judge, alert and show, until stopped. SIGHUP takes up changed files, if they are valid."""
    from sereno.cli._leading import open_patiently
    from sereno.cli._serving import refuse_strangers, whose
    from sereno.cli._watched import watched
    from sereno.instance import data_directory
    from sereno.listen import listen_of
    from sereno.mqtt import parse_broker
    from sereno.process import run, setup_logging
    from sereno.store import open_database, open_store

    where, listen = parse_broker(broker), listen_of(http, tls_cert, tls_key, proxy)
    if database is not None and data is not None:
        raise UsageError("--data and --database exclude each other; give one")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until we can take files up, whoever asks for it is early
    if database is not None:
        store = open_patiently(lambda: open_database(database, create=True))
    else:
        store = open_store(data_directory(data))
    setup_logging()
    folder = data_directory(data) if database is None else None
    refuse_strangers(store, listen, whose(folder))
    again = _Again(topology, desk)
    setting = _Setting(
        store=store, broker=where, watched=watched(store, topology, desk), listen=listen, extra=probe or [],
        folder=folder,
    )  # fmt: skip
    run(_main(setting, again))
    store.dispose()
    if again.wanted:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        again.begin()


class _Again:
    """Why and how the process begins anew: everything in memory is rebuilt from the store, the simplest of swaps.

    SIGHUP: valid files are taken up, invalid ones leave everything as it is and say why.
    """

    def __init__(self, topology: Path | None, desk: Path | None) -> None:
        self.wanted = False
        self.refused: Callable[[], object] = lambda: None  # who counts that files were not taken up
        self._topology, self._desk = topology, desk

    def asked(self, stop: Callable[[], object]) -> None:
        from sereno.cli._watched import load
        from sereno.notify import tell

        try:
            if self._topology is None:
                raise UsageError("there is no --topology file to take up again")
            load(self._topology, self._desk)
        except SerenoError as error:
            log.error("reload refused: %s", error)  # noqa: TRY400  # a person's mistake, no trace
            tell("fault", f"reload refused, what was in use stays: {error}")
            self.refused()
            return
        self.wanted = True
        stop()

    def because(self, why: str) -> None:
        """Tells why, in one line; who was the writer comes back as a standby, or as the writer if nobody else is."""
        from sereno.notify import FD_ENV, tell

        if FD_ENV in os.environ:  # else the terminal has it by what is told
            log.warning("%s", why)
        tell("note", f"{why}; beginning again")
        self.wanted = True

    @staticmethod
    async def when_stepped(clock: "BootClock") -> None:
        """A clock that was set makes what memory holds useless: the newest sample may lie ahead for hours."""
        step_us = 0
        while abs(step_us) <= _STEPPED_US:
            await asyncio.sleep(_LOOK_SECONDS)
            step_us = clock.behind_us()
        log.warning("the wall clock stepped by %+.3f s: taking everything up again", step_us / SECOND_US)

    @staticmethod
    def begin() -> NoReturn:
        """The same command line in the same process, now; from any thread."""
        logging.shutdown()
        os.execv(sys.executable, [sys.executable, "-m", "sereno", *sys.argv[1:]])  # noqa: S606


class _Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says, opened and read."""

    store: "Store"
    broker: "Broker"
    watched: "Watched"
    listen: "Listen"
    extra: list[str]
    folder: Path | None  # the data directory; none where a database was named


async def _main(setting: _Setting, again: _Again) -> None:
    from collector.metrics import Metrics
    from sereno.bootclock import BootClock
    from sereno.cli._leading import Member, Watchdog, boot_seconds
    from sereno.cli._serving import bound
    from sereno.clock import SystemClock
    from sereno.store.lease import Lease, LeaseLostError
    from sereno.tasks import until_first

    # names of far ends are looked up in threads: some that hang must not keep the desk from its store
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(32, thread_name_prefix="work"))
    clock = BootClock(SystemClock())  # nobody here sees a step: the process begins again instead
    listener = bound(setting.listen)
    page = setting.listen.url(listener.getsockname()[1]) + "/"
    lease = Lease(setting.store, boot_seconds)
    member = Member(setting.store, lease, clock, page)
    watched = setting.watched
    metrics = Metrics(setting.store, watched.topology, clock=clock, standby=True, valid_files=not watched.refused)
    again.refused = lambda: metrics.reloaded(ok=False)
    watchdog = Watchdog(lease, member, again.begin, patient=setting.store.is_sqlite)
    collecting = _collect(setting, lease, member, metrics, clock, page)
    serving = _serve(setting, clock, metrics, listener, lease.holder)
    running = asyncio.ensure_future(until_first(collecting, serving, again.when_stepped(clock), watchdog.beat()))
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, again.asked, running.cancel)
    try:
        await running
        again.wanted = True  # the clock stepped, or another had better lead
    except asyncio.CancelledError:
        if not again.wanted:
            raise
    except LeaseLostError as error:
        again.because(str(error))
    except StoreError as error:
        if setting.store.is_sqlite:
            raise
        again.because(str(error))
    finally:
        watchdog.leaving(again=again.wanted)
        member.leave()
        watchdog.stop()


async def _collect(
    setting: _Setting, lease: "Lease", member: "Member", metrics: "Metrics", clock: "BootClock", page: str
) -> None:
    """Stands by, then leads; returns when another collector had better lead."""
    from alerting.channels import channels_of
    from alerting.mailbox.service import InboundService
    from alerting.service import AlertingService, machine_for
    from collector.service import CollectorService
    from sereno.cli._inbound import ack_links
    from sereno.cli._watched import record
    from sereno.notify import tell
    from sereno.tasks import until_first

    await until_first(member.stand_by(), member.reach(setting.broker))
    lease.keep(clock.now_us)
    metrics.lead(lease.epoch)
    log.info("writer with epoch %d", lease.epoch)
    watched, fenced = setting.watched, setting.store.fenced(lease.check)
    machine = machine_for(watched.topology, watched.desk, watched.beside, watched.alarms)
    channels = channels_of(watched.desk.channels) if watched.desk is not None else {}
    alerting = AlertingService(
        fenced, machine, clock, channels, may_speak=lease.held, ack=ack_links(watched.desk, setting.folder),
        heartbeat=watched.desk.heartbeat if watched.desk is not None else None,
    )  # fmt: skip
    record(fenced, watched, clock.now_us(), lease.epoch)
    service = CollectorService(
        fenced, lease, setting.broker, watched.topology, watched.contracts, clock,
        extra_probes=setting.extra, observer=metrics, on_changes=alerting.wake, alarms=watched.alarms,
    )  # fmt: skip

    async def announce() -> None:
        await service.connected.wait()
        tell("ready", f"collector epoch {lease.epoch}, {page}")
        await asyncio.Event().wait()

    inbound = InboundService(fenced, clock, watched.desk, alerting.wake)
    await until_first(member.lead(service.connected), service.run(), alerting.run(), inbound.run(), announce())


async def _serve(setting: _Setting, clock: "BootClock", metrics: "Metrics", listener: socket.socket, name: str) -> None:
    """The page; and while nobody can administer it, how to become the one who does."""
    from dashboards.web.app import create_app
    from sereno.cli._answers import answers_of
    from sereno.cli._inbound import inbound_settings
    from sereno.cli._serving import access_of, serve, tell_first, whose

    desk = setting.watched.desk
    page = os.environ.get("SERENO_URL") or setting.listen.url(listener.getsockname()[1])
    await asyncio.to_thread(tell_first, setting.store, page.rstrip("/"), clock.now_us(), whose(setting.folder))
    web = create_app(
        setting.store, clock, metrics.scrape, name, answers=answers_of(setting.store),
        inbound=inbound_settings(desk, setting.folder, private=setting.listen.private),
        access=access_of(desk, setting.listen),
    )  # fmt: skip
    await serve(web, setting.listen, listener)
