"""`sereno rtp watch`: every RTP stream on an interface, live, worst first."""

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sereno.cli._words import several
from sereno.cli.rtp_moment import Moment

if TYPE_CHECKING:
    from probes.media.live import LiveMeter

_RING_MIB = 32  # a tenth of a second at a million packets a second: this runs on machines that are busy
_NS = 1_000_000_000


@dataclass
class Totals:
    """What was seen in all, for the last words."""

    started: float
    streams: int = 0
    packets: int = 0
    lost: int = 0
    missed: int = 0

    def ended(self, moment: Moment) -> None:
        """Count the streams that leave."""
        self._add(moment, moment.look.ended)

    def line(self, moment: Moment) -> str:
        """One line for what left and what is still there."""
        every = Totals(self.started, self.streams, self.packets, self.lost, self.missed)
        every._add(moment, ~moment.look.ended)
        lost = f"{'at most ' if every.missed else ''}{every.lost:,} lost"
        return (
            f"{several(every.streams, 'stream')}, {several(every.packets, 'packet')}, {lost}, "
            f"{moment.dropped:,} missed by the sensor, "
            f"in {time.monotonic() - self.started:.0f} s"
        )

    def _add(self, moment: Moment, which: Any) -> None:
        from probes.media.live import missed

        rows, blind = moment.look.rows[which], moment.look.blind
        self.streams += len(rows)
        self.packets += int(rows["packets"].sum())
        self.lost += int(rows["lost"].sum())
        if blind:
            self.missed += sum(missed(blind, int(row["start_ns"]), int(row["end_ns"])) != 0 for row in rows)


def watch(
    interface: Annotated[str, typer.Option("--interface", "-i", help="Network interface, such as eth0 or lo.")],
    ports: Annotated[str, typer.Option(help="UDP ports, A-B: either end of a packet. All by default.")] = "1-65535",
    maps: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="PT=CODEC/CLOCK", help="What a dynamic payload type is; repeatable."),
    ] = None,
    plc: Annotated[bool, typer.Option("--plc/--no-plc", help="Rate G.711 with packet-loss concealment.")] = True,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="End after so many seconds.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a second.")] = False,
) -> None:
    from probes.media.helper import port_range
    from probes.media.live import LiveMeter
    from sereno.cli.rtp_options import map_formats
    from sereno.errors import UsageError

    try:
        between = port_range(ports)
    except ValueError as error:
        raise UsageError(f"--ports {error}") from None
    formats = map_formats(maps or [])
    with LiveMeter(between, interface, series=False, ring_mib=_RING_MIB) as meter, _until_told() as told:
        meter.map(formats)
        if fault := meter.error:
            raise UsageError(f"{fault}: bring it up with sudo ip link set {interface} up")
        moments = _moments(meter, told, seconds, plc=plc)
        if as_json:
            _print_json(interface, moments, plc=plc)
        else:
            _show(interface, moments, plc=plc)


@contextmanager
def _until_told() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set: both are the ordinary way to end."""
    told = threading.Event()
    before = {number: signal.signal(number, lambda *_: told.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _moments(meter: "LiveMeter", told: threading.Event, seconds: float | None, *, plc: bool) -> Iterator[Moment]:
    """A look each second and one at the end; streams that have ended are forgotten once they were told."""
    from probes.media.watch import Watch

    watching = Watch(time.time_ns(), plc=plc)
    begun = time.monotonic()
    end = None if seconds is None else begun + seconds
    tick = begun
    last = False
    while not last:
        tick = max(tick + 1, time.monotonic())
        until = tick if end is None else min(tick, end)
        last = told.wait(max(0.0, until - time.monotonic())) or until == end
        rows = meter.snapshot()
        look = watching.look(time.time_ns(), rows, meter.names, meter.blind)
        yield Moment(look, meter.names, meter.dropped, meter.error, meter.rtcp)
        meter.forget(look.rows[look.ended])


def _print_json(interface: str, moments: Iterator[Moment], *, plc: bool) -> None:
    import msgspec

    from sereno.clock import iso

    for moment in moments:
        look = moment.look
        line = {
            "at": iso(look.at_ns // 1000),
            "interface": interface,
            "streams": [moment.fields(index, plc=plc) for index in range(len(look.rows))],
            "sensor_dropped": moment.dropped,
            "error": moment.error,
        }
        sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
        sys.stdout.flush()


def _show(interface: str, moments: Iterator[Moment], *, plc: bool) -> None:
    from rich.console import Console
    from rich.live import Live

    from sereno.cli.rtp_table import screen

    live = sys.stdout.isatty()
    # A pipe has no width to respect: whole lines there, once.
    console = Console() if live else Console(width=250, height=10_000)
    if not live:
        sys.stderr.write(
            "sereno: not a terminal: one table at the end (Ctrl-C or --seconds); --json gives a line a second\n"
        )
    totals = Totals(time.monotonic())
    # A screen of its own: a terminal that is made smaller folds what was drawn, and nothing can be drawn over that.
    with Live(console=console, auto_refresh=False, transient=True, screen=live) as shown:
        for moment in moments:
            picture = screen(interface, moment, console.size, plc=plc)
            if live:
                shown.update(picture, refresh=True)
            totals.ended(moment)
    console.print(picture)
    console.print(totals.line(moment), highlight=False)
