"""From what was measured to MOS: the E-model, narrowband or wideband, with the codec rows of data/codecs.json.

MOS-LQ is without delay, MOS-CQ with it. Delay costs Idd only (perfect echo control) unless an echo loss is given; then
T = Ta, Tr = 2 Ta and TELR is that loss. What was not measured, or has no agreed codec row, is None and never a guess.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from probes.media import emodel, wideband
from probes.media.codecs import ALL, CodecRow, Scale, row_for
from probes.media.emodel import Connection, Rating
from probes.media.wideband import WidebandConnection

if TYPE_CHECKING:
    from probes.media.windows import Array


@dataclass(frozen=True)
class Quality:
    """R and MOS, listening and conversational; None: unknown. A wideband MOS is not comparable to a narrowband one."""

    r_lq: float | None
    mos_lq: float | None
    r_cq: float | None
    mos_cq: float | None
    ie_eff: float | None
    id: float | None
    scale: Scale | None = None
    provisional: bool = False  # the codec's row is not one of G.113's


@dataclass(frozen=True)
class Echo:
    """Echo that a talker hears: TELR, and where they differ from the delay Ta, T (else Ta) and Tr (else 2 Ta)."""

    loss_db: float = 65.0  # table 2
    delay_ms: float | None = None
    round_trip_ms: float | None = None


UNKNOWN = Quality(None, None, None, None, None, None)
_DEFAULT = Connection()


def assess(
    codec: str | None,
    *,
    loss_percent: float | None,
    burst_ratio: float = 1.0,
    delay_ms: float | None = None,
    plc: bool = True,
    echo_loss_db: float | None = None,
    connection: Connection | None = None,
    provisional: bool = False,
) -> Quality:
    """Quality of a stream of a codec, on the codec's usual scale; see `assess_row`."""
    return assess_row(
        row_for(codec, plc=plc, provisional=provisional) if codec else None,
        loss_percent=loss_percent,
        burst_ratio=burst_ratio,
        delay_ms=delay_ms,
        echo=None if echo_loss_db is None else Echo(loss_db=echo_loss_db),
        connection=connection,
    )


def assess_row(
    row: CodecRow | None,
    *,
    loss_percent: float | None,
    burst_ratio: float = 1.0,
    delay_ms: float | None = None,
    echo: Echo | None = None,
    connection: Connection | None = None,
) -> Quality:
    """Quality of a stream. `connection` sets the other inputs of G.107; its Ie, Bpl, Ppl, BurstR and delays are ours.

    A burst ratio under 1 (losses spread more evenly than at random) counts as 1, the least that G.107 takes. A loss
    that is not 0 to 100 was not measured. Echo and `connection` are narrowband: ValueError with a wideband row.
    """
    lossy = loss_percent is not None and loss_percent > 0
    if row is None or loss_percent is None or not 0 <= loss_percent <= ALL or (row.bpl is None and lossy):
        return UNKNOWN
    own = {
        "Ie": row.ie,
        "Bpl": row.bpl if row.bpl is not None else 1.0,
        "Ppl": loss_percent,
        "BurstR": burst_ratio if burst_ratio > 1 else 1.0,
    }
    listening = _rated(row.scale, own, 0.0, None, connection)
    talking = None
    if delay_ms is not None and 0 <= delay_ms < math.inf:
        talking = _rated(row.scale, own, delay_ms, echo, connection)
    return Quality(
        listening.R,
        listening.mos,
        None if talking is None else talking.R,
        None if talking is None else talking.mos,
        listening.Ie_eff,
        None if talking is None else talking.Id,
        row.scale,
        row.provisional,
    )


def listen(
    codec: str | None, *, loss_ratio: "Array", burst_ratio: "Array", plc: bool = True, provisional: bool = False
) -> "tuple[Array, Array]":
    """R-LQ and MOS-LQ of many streams of one codec at once, as `assess` gives them; NaN where unknown.

    NaN in `burst_ratio` means no losses to compare.
    """
    from probes.media.windows import rate_windows

    row = row_for(codec, plc=plc, provisional=provisional) if codec else None
    rated = rate_windows(row, loss_percent=100 * loss_ratio, burst_ratio=burst_ratio)
    return rated.r_lq, rated.mos_lq


def _rated(
    scale: Scale, own: dict[str, float], delay: float, echo: Echo | None, connection: Connection | None
) -> Rating:
    if scale == "wideband":
        if echo is not None or connection is not None:
            raise ValueError("the wideband model takes codec, loss and delay only")
        return wideband.rate(WidebandConnection(**own, Ta=delay))
    moved = {"Ta": delay, "T": 0.0, "Tr": 0.0}
    if echo is not None:
        moved["T"] = delay if echo.delay_ms is None else echo.delay_ms
        moved["Tr"] = 2 * delay if echo.round_trip_ms is None else echo.round_trip_ms
        moved["TELR"] = echo.loss_db
    return emodel.rate(Connection(**{**vars(connection or _DEFAULT), **own, **moved}))
