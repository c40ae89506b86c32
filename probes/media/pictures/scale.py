"""Axes: where a value stands, and which round numbers stand beside it."""

import math
from dataclasses import dataclass

_STEPS = (1, 2, 3, 4, 5, 6, 8, 10)
_TIMES = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400)
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


@dataclass(frozen=True)
class Scale:
    """From values to points of the picture."""

    low: float
    high: float
    at_low: float
    at_high: float

    def __call__(self, value: float) -> float:
        """Where a value stands; what is beyond the axis stands at its end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.at_low + share * (self.at_high - self.at_low)


def round_up(value: float) -> float:
    """The next number with one digit, times a power of ten, that is easily halved or read."""
    if not value > 0 or not math.isfinite(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next((step * power for step in _STEPS if step * power >= value * (1 - 1e-9)), 10 * power)


def time_ticks(end: float, most: int) -> list[int]:
    """Seconds at which to write the time: no more than so many."""
    step = next((step for step in _TIMES if end / step <= most), math.ceil(end / most / _DAY) * _DAY)
    return list(range(0, math.floor(end) + 1, step))


def clock(seconds: int, end: float) -> str:
    """A time from the start, as exact as the axis is long."""
    if end < _MINUTE:
        return f"{seconds} s"
    if end < _HOUR:
        return f"{seconds // _MINUTE}:{seconds % _MINUTE:02d}"
    if end < 2 * _DAY:
        return f"{seconds // _HOUR}:{seconds % _HOUR // _MINUTE:02d}:{seconds % _MINUTE:02d}"
    return f"{seconds // _DAY} d {seconds % _DAY // _HOUR:02d} h"
