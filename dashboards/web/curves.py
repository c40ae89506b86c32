"""The last minutes of one measure for many elements, in buckets of time: what is drawn live. Memory is bounded."""

from collections.abc import Iterable
from typing import Literal

import numpy as np
import numpy.typing as npt

from dashboards.web.records import Series
from sereno.clock import SECOND_US

_ROOM = 16  # rows at first; doubled when they are full
_AHEAD_SECONDS = 10  # a probe's clock may be a little ahead of ours: its values have columns of their own
_Numbers = npt.NDArray[np.float32]
_Places = npt.NDArray[np.int64]


class Curves:
    """One row an element, one column a bucket; the worse of two values of a bucket stays, so that no spike vanishes."""

    def __init__(self, span_seconds: int, bucket_seconds: int, worse: Literal["high", "low"]) -> None:
        self._bucket_us = bucket_seconds * SECOND_US
        self._seconds, self._shown = bucket_seconds, span_seconds // bucket_seconds
        self._count = self._shown + _AHEAD_SECONDS // bucket_seconds + 1
        self._high = worse == "high"
        self._rows: dict[str, int] = {}
        self._values = np.full((_ROOM, self._count), np.nan, dtype=np.float32)
        self._newest = 0  # the newest bucket that there is a column for

    def put(self, name: str, at_us: int, value: float) -> None:
        """A value of an instant; one older than the span is not kept."""
        bucket = at_us // self._bucket_us
        if bucket > self._newest:
            self._turn(bucket)
        elif bucket <= self._newest - self._count:
            return
        row = self._rows.get(name)
        if row is None:
            row = self._add(name)
        column = bucket % self._count
        known = self._values[row, column]
        if not (known >= value if self._high else known <= value):  # NaN compares as neither
            self._values[row, column] = value

    def lines(self, now_us: int, names: Iterable[str] | None = None) -> Series:
        """Each element that has a value in the span that ends now, by name."""
        order, times = self._columns(now_us)
        chosen = sorted(self._rows if names is None else (name for name in names if name in self._rows))
        found = {}
        for name in chosen:
            values = self._values[self._rows[name], order]
            if not np.isnan(values).all():
                found[name] = _listed(values)
        return Series(times=times, values=found)

    def summary(self, now_us: int, names: Iterable[str]) -> tuple[list[int], list[float | None], list[float | None]]:
        """Of all these elements together: the times, the middle one, the worst one."""
        order, times = self._columns(now_us)
        rows = [self._rows[name] for name in names if name in self._rows]
        blank: list[float | None] = [None] * len(times)
        if not rows:
            return times, blank, blank
        values = self._values[rows][:, order]
        seen = ~np.isnan(values).all(axis=0)
        middle, worst = (np.full(len(times), np.nan, dtype=np.float32) for _ in range(2))
        if seen.any():
            middle[seen] = np.nanmedian(values[:, seen], axis=0)
            worst[seen] = (np.nanmax if self._high else np.nanmin)(values[:, seen], axis=0)
        return times, _listed(middle), _listed(worst)

    def _columns(self, now_us: int) -> tuple[_Places, list[int]]:
        last = now_us // self._bucket_us
        if last > self._newest:
            self._turn(last)
        buckets = np.arange(last - self._shown + 1, last + 1)
        return buckets % self._count, (buckets * self._seconds).tolist()

    def _turn(self, bucket: int) -> None:
        """Empties the columns of what has become too old."""
        gone = np.arange(max(self._newest + 1, bucket - self._count + 1), bucket + 1) % self._count
        self._values[:, gone] = np.nan
        self._newest = bucket

    def _add(self, name: str) -> int:
        row = self._rows[name] = len(self._rows)
        if row == len(self._values):
            self._values = np.vstack([self._values, np.full_like(self._values, np.nan)])
        return row


def _listed(values: _Numbers) -> list[float | None]:
    return [None if value != value else round(float(value), 3) for value in values]  # noqa: PLR0124 - NaN is not itself
