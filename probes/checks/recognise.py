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
    ours = np.mean([_share(block, rate) >= _OURS_RATIO for block in loud])
    if ours < 0.1:  # noqa: PLR2004
        return Heard(signal="other")
    return Heard(signal="ours", echo_delay_seconds=_delay(sent, heard, rate))


def _share(block: NDArray[np.float64], rate: int) -> float:
    power = np.abs(np.fft.rfft(block * np.hanning(len(block)))) ** 2
    near = np.abs(np.fft.rfftfreq(len(block), 1 / rate) - TONE_HZ) <= _WIDTH_HZ
    total = power.sum()
    return float(power[near].sum() / total) if total else 0.0  # all of it under the window's edge


def _delay(sent: Samples, heard: Samples, rate: int) -> float | None:
    """The shift at which the bursts match best, below one period; None where they hardly match."""
    step = int(_ENVELOPE_SECONDS * rate)
    length = min(len(sent), len(heard)) // step * step
    first, second = (_envelope(each[:length], step) for each in (sent, heard))
    start = int(_SETTLING_SECONDS / _ENVELOPE_SECONDS)
    second = second[start:]
    most = int((BURST_MS + GAP_MS) / 1000 / _ENVELOPE_SECONDS)
    scores = [_likeness(first[start - shift : len(first) - shift], second) for shift in range(most)]
    best = int(np.argmax(scores))
    return round(best * _ENVELOPE_SECONDS, 3) if scores[best] >= _SURE else None


def _envelope(samples: Samples, step: int) -> NDArray[np.float64]:
    return np.asarray(np.sqrt(np.mean(samples.astype(np.float64).reshape(-1, step) ** 2, axis=1)) > _QUIET_RMS, float)


def _likeness(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    if one.std() == 0 or other.std() == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


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
