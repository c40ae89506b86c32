"""From what was measured to MOS: the E-model with the codec rows of data/codecs.yaml.

MOS-LQ is without delay, MOS-CQ with it. Delay costs Idd only (perfect echo control) unless an echo loss is given; then
T = Ta, Tr = 2 Ta and TELR is that loss. What was not measured, or has no agreed codec row, is None and never a guess.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

import numpy as np
import yaml

from probes.media.emodel import Array, Connection, ie_eff, mos_of_r, rate


@dataclass(frozen=True)
class CodecRow:
    """Ie and Bpl of one codec; None: no agreed value."""

    ie: float | None
    bpl: float | None
    source: str
    certainty: str


@dataclass(frozen=True)
class Quality:
    """R and MOS, listening and conversational; None: unknown."""

    r_lq: float | None
    mos_lq: float | None
    r_cq: float | None
    mos_cq: float | None
    ie_eff: float | None
    id: float | None


UNKNOWN = Quality(None, None, None, None, None, None)
_DEFAULT = Connection()
_BASE_R = float(rate(_DEFAULT).R)  # no loss, no delay, Ie 0


@cache
def codec_rows() -> Mapping[tuple[str, bool | None], CodecRow]:
    """Rows by (name in capitals, concealment); concealment None where it belongs to the codec."""
    text = resources.files("probes.media").joinpath("data/codecs.yaml").read_text(encoding="utf-8")
    rows: dict[tuple[str, bool | None], CodecRow] = {}
    for entry in yaml.safe_load(text):
        row = CodecRow(entry["ie"], entry["bpl"], entry["source"], entry["certainty"])
        rows.update({(name.upper(), entry.get("plc")): row for name in entry["names"]})
    return MappingProxyType(rows)


def codec_row(codec: str, *, plc: bool) -> CodecRow | None:
    """The row of a codec in any case of letters; None: it has none."""
    name = codec.upper()
    return codec_rows().get((name, plc)) or codec_rows().get((name, None))


def assess(
    codec: str | None,
    *,
    loss_percent: float | None,
    burst_ratio: float = 1.0,
    delay_ms: float | None = None,
    plc: bool = True,
    echo_loss_db: float | None = None,
    connection: Connection | None = None,
) -> Quality:
    """Quality of a stream. `connection` sets the other inputs of G.107; its Ie, Bpl, Ppl, BurstR and delays are ours.

    A burst ratio under 1 (losses spread more evenly than at random) counts as 1, the least that G.107 takes.
    """
    row = codec_row(codec, plc=plc) if codec else None
    if row is None or row.ie is None or loss_percent is None or (row.bpl is None and loss_percent > 0):
        return UNKNOWN
    base = vars(connection or _DEFAULT)
    own = {"Ie": row.ie, "Bpl": row.bpl or 1.0, "Ppl": loss_percent, "BurstR": max(burst_ratio, 1.0)}
    still = {"Ta": 0.0, "T": 0.0, "Tr": 0.0}
    listening = rate(Connection(**{**base, **own, **still}))
    r_lq = float(listening.R)
    quality = Quality(r_lq, float(mos_of_r(r_lq)), None, None, float(listening.Ie_eff), None)
    if delay_ms is None:
        return quality
    moved = {"Ta": delay_ms, "T": 0.0, "Tr": 0.0}
    if echo_loss_db is not None:
        moved = {"Ta": delay_ms, "T": delay_ms, "Tr": 2 * delay_ms, "TELR": echo_loss_db}
    talking = rate(Connection(**{**base, **own, **moved}))
    r_cq = float(talking.R)
    return Quality(r_lq, quality.mos_lq, r_cq, float(mos_of_r(r_cq)), quality.ie_eff, float(talking.Id))


def listen(codec: str | None, *, loss_ratio: Array, burst_ratio: Array, plc: bool = True) -> tuple[Array, Array]:
    """R-LQ and MOS-LQ of many streams of one codec at once, as `assess` gives them; NaN where unknown.

    NaN in `burst_ratio` means no losses to compare.
    """
    row = codec_row(codec, plc=plc) if codec else None
    if row is None or row.ie is None:
        return np.full_like(loss_ratio, np.nan), np.full_like(loss_ratio, np.nan)
    bursts = np.fmax(burst_ratio, 1.0)
    r = _BASE_R - ie_eff(row.ie, row.bpl or 1.0, 100 * loss_ratio, bursts)
    if row.bpl is None:
        r = np.where(loss_ratio > 0, np.nan, r)
    return r, mos_of_r(r)
