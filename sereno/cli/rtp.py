"""`sereno rtp`: RTP streams in captures."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from sereno.cli.rtp_watch import watch

app = typer.Typer(add_completion=False, no_args_is_help=True)

_WORTH_A_BAR = 64 << 20  # octets: smaller files are read before a bar could be seen


@app.callback(help="Measure RTP streams, in captures or live.")
def _group() -> None:
    pass


@app.command(help="Loss, jitter, bursts and MOS of every RTP stream in pcap files.")
def analyze(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Classic pcap files; - is standard input.")],
    plc: Annotated[bool, typer.Option("--plc/--no-plc", help="Rate G.711 with packet-loss concealment.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    streams: list[dict[str, Any]] = []
    for path in files:
        found, warning = _analyze(path, plc=plc)
        if len(files) > 1:
            found = [{"file": str(path), **fields} for fields in found]
        streams += found
        if warning:
            sys.stderr.write(f"sereno: {warning}\n")
    if as_json:
        sys.stdout.write(msgspec.json.encode({"streams": streams}).decode() + "\n")
    else:
        _table(streams)


def _analyze(path: Path, *, plc: bool) -> tuple[list[dict[str, Any]], str | None]:
    from probes.media.capture import meter_file
    from probes.media.meter import StreamMeter
    from probes.media.report import streams_fields

    meter = StreamMeter()
    with _progress(path) as progress:
        warning = meter_file(path, meter, progress).warning
    overflow = meter.counters()["overflow"]
    if overflow:
        warning = f"{path}: {overflow} packets of streams beyond the first 1048576 are not counted"
    return streams_fields(meter.snapshot(), meter.names, plc=plc), warning


@contextmanager
def _progress(path: Path) -> Iterator[Any]:
    """A bar on a terminal for what takes a while; None otherwise."""
    size = path.stat().st_size if path.is_file() else 0
    if not sys.stderr.isatty() or size < _WORTH_A_BAR:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(path.name, total=size)
        yield lambda offset: bar.update(task, completed=offset)


_COLUMNS = (
    ("From", "src"), ("To", "dst"), ("SSRC", "ssrc"), ("Codec", "codec"), ("Packets", "packets"), ("Lost", "lost"),
    ("Dup", "duplicates"), ("Late", "reordered"), ("Jitter ms", "jitter_mean_seconds"), ("Max", "jitter_max_seconds"),
    ("BurstR", "burst_ratio"), ("MOS-LQ", "mos_lq"),
)  # fmt: skip


def _table(streams: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    if not streams:
        sys.stdout.write("no RTP streams\n")
        return
    table = Table(box=None, pad_edge=False)
    for title, key in _COLUMNS:
        right = key not in {"src", "dst", "ssrc", "codec"}
        table.add_column(title, justify="right" if right else "left", no_wrap=True)
    for fields in streams:
        table.add_row(*(_cell(fields, key) for _, key in _COLUMNS))
    # A pipe has no width to respect: whole lines there.
    console = Console() if sys.stdout.isatty() else Console(width=200)
    console.print(table)


def _cell(fields: dict[str, Any], key: str) -> str:
    value = fields[key]
    if value is None:
        return "—"
    if key == "lost":
        return f"{value} ({100 * fields['loss_ratio']:.2f} %)"
    if key.startswith("jitter"):
        return f"{1000 * value:.3f}"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


app.command(help="Every RTP stream on an interface, live, worst first.")(watch)
