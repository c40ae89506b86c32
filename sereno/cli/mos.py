"""`sereno mos`: R and MOS by the E-model."""

import math
import sys
from dataclasses import replace
from enum import StrEnum
from typing import Annotated

import msgspec
import typer

from probes.media.codecs import CodecRow, Scale, is_known, listed_rows, names, plain, row_for
from probes.media.emodel import Connection
from probes.media.quality import Echo, Quality, assess_row
from sereno.errors import UsageError

app = typer.Typer(add_completion=False)

_UNKNOWN = 3
_SLOWEST_MS = 60_000  # no conversation, but still a number; what is beyond is a slip of the pen
# Wider than the permitted ranges of G.107 table 3, narrow enough that every rating is a finite number.
_BOUNDS: dict[str, tuple[float, float, str]] = {
    "--ie": (0, 95, "(at 95 loss costs nothing more)"),
    "--bpl": (0.001, 1_000, ""),
    "--loss": (0, 100, "percent"),
    "--burst-ratio": (0.001, 1_000, "(1 is random loss)"),
    "--delay": (0, _SLOWEST_MS, "ms"),
    "--telr": (0, 150, "dB"),
    "--echo-delay": (0, _SLOWEST_MS, "ms"),
    "--echo-round-trip": (0, 2 * _SLOWEST_MS, "ms"),
    "--wepl": (0, 150, "dB"),
    "--slr": (-20, 50, "dB"),
    "--rlr": (-20, 50, "dB"),
    "--stmr": (0, 100, "dB"),
    "--ds": (-20, 20, "dB"),
    "--dr": (-20, 20, "dB"),
    "--qdu": (0.001, 1_000, "units"),
    "--nc": (-150, 0, "dBm0p"),
    "--nfor": (-150, 0, "dBmp"),
    "--ps": (0, 140, "dB(A)"),
    "--pr": (0, 140, "dB(A)"),
    "--advantage": (0, 100, ""),
    "--delay-sensitivity": (0.1, 3, ""),
    "--minimum-delay": (1, 1_000, "ms"),
}
_MOST_NAMED = 3


class _Scale(StrEnum):
    AUTO = "auto"
    NARROWBAND = "narrowband"
    WIDEBAND = "wideband"


_SCALES: dict[_Scale, Scale | None] = {
    _Scale.AUTO: None,
    _Scale.NARROWBAND: "narrowband",
    _Scale.WIDEBAND: "wideband",
}


@app.command(help="Rate and MOS by the E-model: ITU-T G.107 (narrowband) or G.107.1 (wideband).")
def mos(  # noqa: PLR0917 - every input of G.107 is an option
    codec: Annotated[
        str | None, typer.Option(help="Codec, such as G711, PCMA, G729A, G723.1, AMR-WB-12.65; or give --ie and --bpl.")
    ] = None,
    plc: Annotated[bool, typer.Option("--plc/--no-plc", help="G.711 with packet-loss concealment.")] = False,
    loss: Annotated[float, typer.Option(help="Packet loss (discards too), percent.")] = 0.0,
    burst_ratio: Annotated[float, typer.Option(help="Burst ratio; 1: random loss, and less counts as 1.")] = 1.0,
    delay: Annotated[float, typer.Option(help="One-way delay, mouth to ear, ms.")] = 0.0,
    scale: Annotated[_Scale, typer.Option(help="Which E-model; auto: the codec's own.")] = _Scale.AUTO,
    provisional: Annotated[
        bool, typer.Option("--provisional", help="Use figures that are not G.113's where it has none; marked so.")
    ] = False,
    ie: Annotated[float | None, typer.Option(help="Ie of a codec of your own.")] = None,
    bpl: Annotated[float | None, typer.Option(help="Bpl of a codec of your own.")] = None,
    telr: Annotated[
        float | None, typer.Option(help="Talker echo loudness rating, dB; without it echo control is perfect.")
    ] = None,
    echo_delay: Annotated[
        float | None, typer.Option(help="T, one-way delay of the echo path, ms; with echo the delay unless given.")
    ] = None,
    echo_round_trip: Annotated[
        float | None,
        typer.Option(help="Tr, round trip in the 4-wire loop, ms; with echo twice the delay unless given."),
    ] = None,
    wepl: Annotated[float, typer.Option(help="Weighted echo path loss, dB.")] = 110.0,
    slr: Annotated[float, typer.Option(help="Send loudness rating, dB.")] = 8.0,
    rlr: Annotated[float, typer.Option(help="Receive loudness rating, dB.")] = 2.0,
    stmr: Annotated[float, typer.Option(help="Sidetone masking rating, dB.")] = 15.0,
    ds: Annotated[float, typer.Option("--ds", help="D-value of the telephone, send side.")] = 3.0,
    dr: Annotated[float, typer.Option("--dr", help="D-value of the telephone, receive side.")] = 3.0,
    qdu: Annotated[float, typer.Option(help="Quantizing distortion units.")] = 1.0,
    nc: Annotated[float, typer.Option(help="Circuit noise, dBm0p.")] = -70.0,
    nfor: Annotated[float, typer.Option(help="Noise floor at the receive side, dBmp.")] = -64.0,
    ps: Annotated[float, typer.Option(help="Room noise at the send side, dB(A).")] = 35.0,
    pr: Annotated[float, typer.Option(help="Room noise at the receive side, dB(A).")] = 35.0,
    advantage: Annotated[float, typer.Option(help="Advantage factor A.")] = 0.0,
    delay_sensitivity: Annotated[float, typer.Option(help="sT of G.107.")] = 1.0,
    minimum_delay: Annotated[float, typer.Option(help="mT of G.107, ms.")] = 100.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    given = (ie, bpl, loss, burst_ratio, delay, telr, echo_delay, echo_round_trip, wepl, slr, rlr, stmr, ds, dr, qdu,
             nc, nfor, ps, pr, advantage, delay_sensitivity, minimum_delay)  # fmt: skip
    for (option, (low, high, unit)), value in zip(_BOUNDS.items(), given, strict=True):
        if value is not None:
            _within(option, value, low, high, unit)
    if codec is not None and not is_known(codec) and ie is None:
        raise UsageError(f"--codec {codec!r}: no such codec; {_meant(codec)}")
    wanted = _SCALES[scale]
    row = _own(row_for(codec, plc=plc, provisional=provisional, scale=wanted) if codec else None, wanted, ie, bpl)
    if row is None and not codec:
        raise UsageError("--codec: missing; give a codec, or --ie and --bpl of your own")
    connection = Connection(
        SLR=slr, RLR=rlr, STMR=stmr, Ds=ds, Dr=dr, WEPL=wepl, qdu=qdu, Nc=nc, Nfor=nfor, Ps=ps, Pr=pr, A=advantage,
        sT=delay_sensitivity, mT=minimum_delay,
    )  # fmt: skip
    echo = _echo(telr, echo_delay, echo_round_trip)
    wide = row is not None and row.scale == "wideband"
    if wide and (echo is not None or connection != Connection()):
        raise UsageError(
            "the wideband scale takes --codec, --loss, --burst-ratio and --delay alone; its other inputs are not known"
        )
    quality = assess_row(
        row,
        loss_percent=loss,
        burst_ratio=burst_ratio,
        delay_ms=delay,
        echo=echo,
        connection=None if wide else connection,
    )
    if as_json:
        print(_json(codec, row, quality))
    else:
        _show(codec or "own codec", row, quality)
    if quality.r_lq is None:
        sys.stderr.write(_why(codec or "own codec", row, loss, wanted, provisional=provisional))
        raise typer.Exit(_UNKNOWN)


def _within(option: str, value: float, low: float, high: float, unit: str) -> None:
    if not math.isfinite(value) or not low <= value <= high:
        raise UsageError(f"{option} {value:g}: must be {low:g} to {high:g} {unit}".rstrip())


def _echo(telr: float | None, delay: float | None, round_trip: float | None) -> Echo | None:
    if telr is None and delay is None and round_trip is None:
        return None
    loss = Echo().loss_db if telr is None else telr
    return Echo(loss, delay, round_trip)


def _own(row: CodecRow | None, scale: Scale | None, ie: float | None, bpl: float | None) -> CodecRow | None:
    """The codec's row with what the user gave in its place."""
    if ie is None and bpl is None:
        return row
    if row is None:
        if ie is None:
            raise UsageError("--bpl: needs --ie too, or a codec that has one")
        row = CodecRow(ie, None, scale or "narrowband", source="", certainty="", provisional=False)
    return replace(
        row,
        ie=row.ie if ie is None else ie,
        bpl=row.bpl if bpl is None else bpl,
        source="given by the user",
        certainty="given",
        provisional=row.provisional and (ie is None or bpl is None),
    )


def _json(codec: str | None, row: CodecRow | None, quality: Quality) -> str:
    rated = row if quality.r_lq is not None else None
    fields = {
        "r_lq": quality.r_lq,
        "mos_lq": quality.mos_lq,
        "r_cq": quality.r_cq,
        "mos_cq": quality.mos_cq,
        "codec": codec,
        "ie_eff": quality.ie_eff,
        "id": quality.id,
        "scale": quality.scale,
        "provisional": quality.provisional,
        "source": rated and rated.source,
        "certainty": rated and rated.certainty,
    }
    return msgspec.json.encode(fields).decode()


def _show(codec: str, row: CodecRow | None, quality: Quality) -> None:
    if row is None or quality.r_lq is None or quality.r_cq is None:
        sys.stdout.write(f"{codec}: unknown\n")
        return
    scale = ", wideband scale" if quality.scale == "wideband" else ""
    sys.stdout.write(
        f"MOS-LQ {quality.mos_lq:.2f} (R {quality.r_lq:.1f})   MOS-CQ {quality.mos_cq:.2f} (R {quality.r_cq:.1f})   "
        f"{codec}, Ie-eff {quality.ie_eff:.2f}, Id {quality.id:.2f}{scale}\n"
    )
    if quality.provisional:
        sys.stdout.write(f"provisional: {row.source}\n")


def _why(codec: str, row: CodecRow | None, loss: float, scale: Scale | None, *, provisional: bool) -> str:
    """Why there is no rating, and what would give one."""
    missing = "Ie" if row is None else f"Bpl, so there is a rating without loss but none at {loss:g} % of it"
    where = f" on the {scale} scale" if scale else ""
    ways = [name for name in _relatives(codec) if _rates(name, loss, scale, provisional=False)][:_MOST_NAMED]
    if not provisional and _rates(codec, loss, scale, provisional=True):
        ways.append("--provisional, which uses figures that are not G.113's")
    advice = f"; there is one for {', '.join(ways)}" if ways else ""
    return f"sereno: {codec}: no agreed {missing}{where}{advice}\n"


def _relatives(codec: str) -> list[str]:
    """The variants of a codec whose names begin with its own."""
    stem = plain(codec)
    return [listed.names[0] for listed in listed_rows() if plain(listed.names[0]).startswith(stem)]


def _rates(codec: str, loss: float, scale: Scale | None, *, provisional: bool) -> bool:
    row = row_for(codec, plc=True, provisional=provisional, scale=scale)
    return row is not None and (row.bpl is not None or loss == 0)


def _common() -> set[str]:
    return {listed.names[0] for listed in listed_rows()}


def _meant(codec: str) -> str:
    """The names that a person may have meant."""
    import difflib

    by_plain = {plain(name): name for name in names()}
    close = [by_plain[name] for name in difflib.get_close_matches(plain(codec), by_plain, n=_MOST_NAMED, cutoff=0.6)]
    return (
        f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(sorted(_common(), key=str.upper))}"
    )
