"""R and MOS of many streams or windows at once: NumPy arrays in, arrays out, NaN wherever it is unknown."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from probes.media import emodel, wideband
from probes.media.codecs import ALL, CodecRow

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Windows:
    """Listening and conversational quality, one entry a window."""

    r_lq: Array
    mos_lq: Array
    r_cq: Array
    mos_cq: Array


def rate_windows(
    row: CodecRow | None, *, loss_percent: ArrayLike, delay_ms: ArrayLike = np.nan, burst_ratio: ArrayLike = 1.0
) -> Windows:
    """Quality of each (loss, delay) with perfect echo control and every other input of the E-model at its default.

    Unknown, NaN, is what has no row, a loss that is NaN or not 0 to 100, or any loss where the row has no Bpl; the
    conversational half also where the delay is NaN, negative or infinite. A burst ratio under 1 or NaN counts as 1.
    """
    loss, delay, bursts = (np.asarray(given, dtype=np.float64) for given in (loss_percent, delay_ms, burst_ratio))
    loss, delay, bursts = np.broadcast_arrays(loss, delay, bursts)
    if row is None:
        unknown = np.full(loss.shape, np.nan)
        return Windows(unknown, unknown, unknown, unknown)
    known = (loss >= 0) & ((loss <= ALL) if row.bpl is not None else (loss == 0))
    effective = emodel.ie_eff(row.ie, row.bpl or 1.0, np.where(known, loss, np.nan), np.fmax(bursts, 1.0))
    delay = np.where((delay >= 0) & np.isfinite(delay), delay, np.nan)
    if row.scale == "wideband":
        listening = wideband.RO - effective
        talking = listening - wideband.pure_delay(delay)
        return Windows(listening, wideband.mos_of_r(listening), talking, wideband.mos_of_r(talking))
    listening = emodel.BASE_R - effective
    talking = listening - emodel.pure_delay(delay)
    return Windows(listening, emodel.mos_of_r(listening), talking, emodel.mos_of_r(talking))


@dataclass(frozen=True)
class Counted:
    """A stream's packets by windows of whole seconds, counted from its start; only windows with something in them."""

    second: NDArray[np.uint32]
    packets: NDArray[np.uint64]
    lost: NDArray[np.uint64]
    discarded: NDArray[np.uint64]

    @property
    def loss_percent(self) -> Array:
        """What the listener missed of what was sent: lost or discarded, percent; NaN where nothing was sent."""
        sent = (self.packets + self.lost).astype(np.float64)
        missed = 100.0 * (self.lost + self.discarded)
        percent: Array = np.divide(missed, sent, out=np.full(sent.shape, np.nan), where=sent > 0)
        return percent


def windowed(seconds: NDArray[np.void], width: int = 1) -> Counted:
    """The rows of `StreamMeter.seconds` gathered into windows of `width` seconds; 0: the whole stream as one."""
    start = seconds["second"] - seconds["second"] % width if width else np.zeros_like(seconds["second"])
    first, owner = np.unique(start, return_inverse=True)
    sums = [
        np.bincount(owner, weights=seconds[name], minlength=len(first)) for name in ("packets", "lost", "discarded")
    ]
    packets, lost, discarded = (total.astype(np.uint64) for total in sums)
    return Counted(first.astype(np.uint32), packets, lost, discarded)
