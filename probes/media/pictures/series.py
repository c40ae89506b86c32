"""A stream as it is drawn: its windows of whole seconds, as the meter counted them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MOST_POINTS = 400  # to a panel: a point has two pixels or more
_NICE = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600)


@dataclass(frozen=True)
class Series:
    """Columns, one entry a window that has packets or losses; None where nothing was measured."""

    window: int  # seconds
    end: float  # seconds, of the last window or the stream
    second: tuple[int, ...]
    jitter_mean_ms: tuple[float | None, ...]
    jitter_max_ms: tuple[float | None, ...]
    lost_percent: tuple[float, ...]
    discarded_percent: tuple[float, ...]
    mos: tuple[float | None, ...]
    burst: tuple[bool, ...]
    judged: bool  # by a de-jitter buffer; else its discards are unknown

    @property
    def bursts(self) -> list[tuple[int, int]]:
        """Windows touched by a burst, those beside each other as one: from second to second."""
        spans: list[tuple[int, int]] = []
        for second, touched in zip(self.second, self.burst, strict=True):
            if not touched:
                continue
            if spans and spans[-1][1] == second:
                spans[-1] = (spans[-1][0], second + self.window)
            else:
                spans.append((second, second + self.window))
        return spans


def window_for(duration_seconds: float, least: int = 1) -> int:
    """Seconds to a window, so that a stream has no more of them than a panel can show."""
    wanted = max(least, math.ceil(duration_seconds / _MOST_POINTS))
    return (
        next((nice for nice in _NICE if nice >= wanted), -(-wanted // _NICE[-1]) * _NICE[-1])
        if wanted > least
        else least
    )


def series_of(fields: Mapping[str, Any], window: int) -> Series:
    """The columns of a stream whose `seconds` were counted in such windows.

    A window of several seconds has the highest jitter of them, the loss of them all, and the MOS of that loss.
    """
    columns = fields["seconds"]
    sent = [max(1, packets + lost) for packets, lost in zip(columns["packets"], columns["lost"], strict=True)]
    discarded = [count or 0 for count in columns["discarded"]]
    last = columns["second"][-1] + 1 if columns["second"] else 1
    return Series(
        window=window,
        end=max(fields["duration_seconds"], last, 1),
        second=tuple(columns["second"]),
        jitter_mean_ms=_milliseconds(columns["jitter_mean_seconds"]),
        jitter_max_ms=_milliseconds(columns["jitter_max_seconds"]),
        lost_percent=tuple(100 * lost / of for lost, of in zip(columns["lost"], sent, strict=True)),
        discarded_percent=tuple(100 * count / of for count, of in zip(discarded, sent, strict=True)),
        mos=tuple(columns["mos_lq"]),
        burst=tuple(columns["burst"]),
        judged=fields["discarded"] is not None,
    )


def _milliseconds(seconds: list[float | None]) -> tuple[float | None, ...]:
    return tuple(None if value is None else value * 1000 for value in seconds)
