"""`sereno rtp`: RTP streams, in captures or live. What each command needs is loaded when it runs."""

from pathlib import Path
from typing import Annotated

import typer

from sereno.cli.rtp_watch import watch

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback(help="Measure RTP streams, in captures or live.")
def _group() -> None:
    pass


@app.command(
    help="Loss, jitter, bursts and MOS of every RTP stream in captures: pcap or pcapng, gzipped or not. The table has "
    "the worst streams first; JSON has the order of their starts. Exit status 2 when a capture could not be read; the "
    "others are analysed all the same."
)
def analyze(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Captures; - is standard input.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="OUT.svg|OUT.png", help="Draw jitter, loss and MOS of each stream over time.")
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="OUT.html", help="Write a report: one file, no network.")] = None,
    lang: Annotated[str, typer.Option(metavar="es|en", help="Language of pictures and report.")] = "es",
    audio: Annotated[bool, typer.Option("--audio", help="Listen to G.711: level, silence, clipping.")] = False,
    window: Annotated[int, typer.Option(metavar="N", help="Seconds to an entry of the series.")] = 1,
    seconds: Annotated[bool, typer.Option("--seconds/--no-seconds", help="JSON has the series of each stream.")] = True,
    probation: Annotated[
        int, typer.Option(metavar="N", help="Packets in sequence that make a stream (RFC 3550 A.1).")
    ] = 2,
    maps: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="PT=CODEC/CLOCK", help="What a payload type is where no SDP says; repeatable."),
    ] = None,
    buffer: Annotated[
        str, typer.Option(metavar="adaptive|fixed|none", help="The simulated de-jitter buffer whose discards count.")
    ] = "adaptive",
    buffer_delay: Annotated[float, typer.Option(metavar="MS", help="Delay of the fixed buffer.")] = 60,
    buffer_size: Annotated[float, typer.Option(metavar="MS", help="What the fixed buffer holds.")] = 200,
    plc: Annotated[bool, typer.Option("--plc/--no-plc", help="Rate G.711 with packet-loss concealment.")] = True,
    provisional: Annotated[
        bool, typer.Option("--provisional", help="Rate by figures that are not G.113's, too; marked as such.")
    ] = False,
    delay: Annotated[
        float | None, typer.Option(metavar="MS", help="One-way delay from mouth to ear, for MOS-CQ.")
    ] = None,
) -> None:
    from sereno.cli.rtp_analyze import run
    from sereno.cli.rtp_options import Asked

    run(
        Asked(
            files=files,
            as_json=as_json,
            plot=plot,
            html=html,
            lang=lang,
            audio=audio,
            window=window,
            seconds=seconds,
            probation=probation,
            maps=maps or [],
            buffer=buffer,
            buffer_delay=buffer_delay,
            buffer_size=buffer_size,
            plc=plc,
            provisional=provisional,
            delay=delay,
        )
    )


app.command(help="Every RTP stream on an interface, live, worst first.")(watch)
