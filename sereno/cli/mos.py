"""`sereno mos`: R and MOS by the E-model."""

import math
import sys
from typing import Annotated

import msgspec
import typer

from probes.media.emodel import Connection
from probes.media.quality import Quality, assess, codec_row, codec_rows
from sereno.errors import UsageError

app = typer.Typer(add_completion=False)

_UNKNOWN = 3
_SLOWEST_MS = 60_000  # no conversation, but still a number; what is beyond is a slip of the pen
# Wider than the permitted ranges of G.107 Table 3, narrow enough that every rating is a finite number.
_BOUNDS: dict[str, tuple[float, float, str]] = {
    "--loss": (0, 100, "percent"),
    "--burst-ratio": (1, 1_000, "(1 is random loss)"),
    "--delay": (0, _SLOWEST_MS, "ms"),
    "--telr": (0, 150, "dB"),
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


@app.command(help="Rate and MOS by the E-model (ITU-T G.107, narrowband).")
def mos(  # noqa: PLR0917 - every input of G.107 is an option
    codec: Annotated[str, typer.Option(help="Codec, such as G711, PCMA, G729A, G723.1.")],
    plc: Annotated[bool, typer.Option("--plc/--no-plc", help="G.711 with packet-loss concealment.")] = False,
    loss: Annotated[float, typer.Option(help="Packet loss, percent.")] = 0.0,
    burst_ratio: Annotated[float, typer.Option(help="Burst ratio; 1: random loss.")] = 1.0,
    delay: Annotated[float, typer.Option(help="One-way delay, ms.")] = 0.0,
    telr: Annotated[
        float | None, typer.Option(help="Talker echo loudness rating, dB; without it echo control is perfect.")
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
    given = (loss, burst_ratio, delay, telr, wepl, slr, rlr, stmr, ds, dr, qdu, nc, nfor, ps, pr, advantage,
             delay_sensitivity, minimum_delay)  # fmt: skip
    for (option, (low, high, unit)), value in zip(_BOUNDS.items(), given, strict=True):
        if value is not None:
            _within(option, value, low, high, unit)
    if codec_row(codec, plc=plc) is None:
        names = ", ".join(sorted({name for name, _ in codec_rows()}))
        raise UsageError(f"--codec {codec!r}: no such codec; known are {names}")
    connection = Connection(
        SLR=slr, RLR=rlr, STMR=stmr, Ds=ds, Dr=dr, WEPL=wepl, qdu=qdu, Nc=nc, Nfor=nfor, Ps=ps, Pr=pr, A=advantage,
        sT=delay_sensitivity, mT=minimum_delay,
    )  # fmt: skip
    quality = assess(
        codec,
        plc=plc,
        loss_percent=loss,
        burst_ratio=burst_ratio,
        delay_ms=delay,
        echo_loss_db=telr,
        connection=connection,
    )
    if as_json:
        print(_json(codec, quality))
    else:
        _show(codec, quality)
    if quality.r_lq is None:
        raise typer.Exit(_UNKNOWN)


def _within(option: str, value: float, low: float, high: float, unit: str) -> None:
    if not math.isfinite(value) or not low <= value <= high:
        raise UsageError(f"{option} {value:g}: must be {low:g} to {high:g} {unit}".rstrip())


def _json(codec: str, quality: Quality) -> str:
    fields = {
        "r_lq": quality.r_lq,
        "mos_lq": quality.mos_lq,
        "r_cq": quality.r_cq,
        "mos_cq": quality.mos_cq,
        "codec": codec,
        "ie_eff": quality.ie_eff,
        "id": quality.id,
    }
    return msgspec.json.encode(fields).decode()


def _show(codec: str, quality: Quality) -> None:
    if quality.r_lq is None or quality.r_cq is None:
        sys.stdout.write(f"{codec}: unknown (no agreed Ie/Bpl for this codec at this loss)\n")
        return
    sys.stdout.write(
        f"MOS-LQ {quality.mos_lq:.2f} (R {quality.r_lq:.1f})   MOS-CQ {quality.mos_cq:.2f} (R {quality.r_cq:.1f})   "
        f"{codec}, Ie-eff {quality.ie_eff:.2f}, Id {quality.id:.2f}\n"
    )
