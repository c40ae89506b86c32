"""Whether what came back in a call is what was sent, and how much later. Pure: samples in, words out.

Both recordings have one clock and begin together. Ours is a tone in bursts: its share of the power tells it from any
other sound, the shift of its gaps is the delay of the echo, there and back, buffers included.
"""

from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from probes.sip.signal import BURST_MS, GAP_MS, TONE_HZ

_SETTLING_SECONDS = 2.0  # as of `judge_call`: an echo's way there and back, buffers and all
_BLOCK_SECONDS = 0.1
_QUIET_RMS = 50.0  # of 32768: -56 dBov; below it is noise, comfort or not
_OURS_RATIO = 0.5  # of a block's power around our frequency; an echo through G.711 has 0.99
_WIDTH_HZ = 30.0
_NEEDED_BLOCKS = 10
_ENVELOPE_SECONDS = 0.005
_WAV_HEADER = 44  # octets of a plain PCM file's
_SURE = 0.7  # correlation of the envelopes
_SAME_SECONDS = 0.06  # a far end's de-jitter buffer grows and shrinks by about a packet or two

Samples = NDArray[np.int16]


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What the recording holds; `echo_delay_seconds` only where the bursts come back clearly."""

    signal: Literal["ours", "other", "nothing"]
    echo_delay_seconds: float | None = None


def recognise(sent: Samples, heard: Samples, rate: int) -> Heard | None:
    """None: too short to say."""
    settled = heard[int(_SETTLING_SECONDS * rate) :].astype(np.float64)
    size = int(_BLOCK_SECONDS * rate)
    blocks = settled[: len(settled) // size * size].reshape(-1, size)
    if len(blocks) < _NEEDED_BLOCKS:
        return None
    loud = blocks[np.sqrt(np.mean(blocks**2, axis=1)) > _QUIET_RMS]
    if len(loud) < _NEEDED_BLOCKS // 2:
        return Heard(signal="nothing")
    # A prompt before the echo is no fault: it is another signal only if ours is in hardly any block.
    if np.mean(_shares(loud, rate) >= _OURS_RATIO) < 0.1:  # noqa: PLR2004
        return Heard(signal="other")
    return Heard(signal="ours", echo_delay_seconds=_delay(sent, heard, rate))


def _shares(blocks: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Of each block's power, the part around our frequency; all at once, for the probe's loop waits meanwhile."""
    size = blocks.shape[1]
    power = np.abs(np.fft.rfft(blocks * np.hanning(size), axis=1)) ** 2
    near = np.abs(np.fft.rfftfreq(size, 1 / rate) - TONE_HZ) <= _WIDTH_HZ
    total = power.sum(axis=1)
    total[total == 0] = np.inf  # all of it under the window's edge
    return np.asarray(power[:, near].sum(axis=1) / total)


def _delay(sent: Samples, heard: Samples, rate: int) -> float | None:
    """The shift at which the bursts match best, below one period; None where they hardly match, or may be older."""
    step = int(_ENVELOPE_SECONDS * rate)
    length = min(len(sent), len(heard)) // step * step
    first, second = (_envelope(each[:length], step) for each in (sent, heard))
    start = int(_SETTLING_SECONDS / _ENVELOPE_SECONDS)
    most = int((BURST_MS + GAP_MS) / 1000 / _ENVELOPE_SECONDS)
    scores = _likeness(first[start - most + 1 :], second[start:])[::-1]
    best = int(np.argmax(scores))
    if scores[best] < _SURE or _older(first, second, best, most):
        return None
    return round(best * _ENVELOPE_SECONDS, 3)


def _older(sent: NDArray[np.float64], heard: NDArray[np.float64], shift: int, period: int) -> bool:
    """Whether the first sound came whole periods later than this shift: bursts are alike, it may be an older one."""
    waited = int(np.argmax(heard)) - int(np.argmax(sent)) - shift
    late, rest = divmod(waited + period // 2, period)
    return late >= 1 and abs(rest - period // 2) * _ENVELOPE_SECONDS <= _SAME_SECONDS


def _envelope(samples: Samples, step: int) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(np.mean(samples.astype(np.float64).reshape(-1, step) ** 2, axis=1)) > _QUIET_RMS, float)


def _likeness(longer: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pearson's correlation of `other` with each stretch of `longer` that is as long; 0 where one is constant."""
    size = len(other)
    centred = other - other.mean()
    sums, squares = (np.concatenate(([0.0], np.cumsum(each))) for each in (longer, longer**2))
    mean = (sums[size:] - sums[:-size]) / size
    spread = np.sqrt(np.maximum((squares[size:] - squares[:-size]) / size - mean**2, 0)) * other.std() * size
    room = 1 << (len(longer) - 1).bit_length()  # no shift that is asked for wraps around
    products = np.fft.irfft(np.fft.rfft(longer, room) * np.conj(np.fft.rfft(centred, room)), room)[: len(spread)]
    flat = spread < 1e-9  # noqa: PLR2004 - rounding of the sums
    return np.asarray(np.where(flat, 0.0, products / np.where(flat, 1.0, spread)))


def samples_of(path: Path) -> tuple[Samples, int] | None:
    """A recording and its rate; None when it is none (the call had no sound).

    Not by its own length: pjsip writes that, and the last quarter of a second, when it gets round to closing the file.
    """
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if data[:4] != b"RIFF" or len(data) <= _WAV_HEADER:
        return None
    body = data[_WAV_HEADER : len(data) - (len(data) - _WAV_HEADER) % 2]
    return np.frombuffer(body, "<i2"), int.from_bytes(data[24:28], "little")
