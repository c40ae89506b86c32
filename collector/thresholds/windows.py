"""What was measured lately of one thing: by time, in buckets, or the last so many samples. Pure.

A window answers for its complete buckets only: `[k - n, k)` at a boundary `k`. Sums and counts of any number of samples
cost the same; single values are kept while they are few, and percentiles are then interpolated (Hyndman and Fan's
type 7, as Prometheus and spreadsheets do); of many, how many lie beyond the thresholds decides the same question.
"""

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Callable
from math import ceil
from typing import NamedTuple, Protocol, TypeVar

from sereno.clock import SECOND_US

PERCENTILES = {"min": 0.0, "p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "max": 1.0}
WHOLE = 256  # values of a window that are kept one by one
_PICKS = 8  # of a bucket, where they are more
_MOST = 60  # buckets of a window, at most
_WIDEST_US = 10 * SECOND_US
_NOTHING = 1e-9


class Limits(NamedTuple):
    """When a value is bad, and when it is good again."""

    aggregate: str
    above: bool
    bad_at: float
    good_at: float

    def holds(self, value: float) -> bool | None:
        """True: bad; False: good; None: between the two."""
        if self.above:
            return True if value >= self.bad_at else False if value <= self.good_at else None
        return True if value < self.bad_at else False if value >= self.good_at else None


class Answer(NamedTuple):
    """What a window says at an instant."""

    samples: float  # weight, where it is pooled
    holds: bool | None
    value: float | None


NOTHING = Answer(0, None, None)


def bucket_us(over_us: int) -> int:
    """How wide the buckets of a window are: a sixth of it, ten seconds, or a sixtieth of a long one."""
    return max(1, min(_WIDEST_US, over_us // 6), over_us // _MOST)


def percentile(ordered: list[float], part: float) -> float:
    """Of values in order, interpolated between the two nearest."""
    place = part * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


class _Bucket(Protocol):
    @property
    def index(self) -> int: ...


_B = TypeVar("_B", bound=_Bucket)


class _Sums:
    """One bucket of events or of what is pooled."""

    __slots__ = ("amount", "index", "weight")

    def __init__(self, index: int) -> None:
        self.index, self.amount, self.weight = index, 0.0, 0.0


class SumWindow:
    """Events (so many of so many samples) and pooled shares, over a time."""

    __slots__ = ("_buckets", "_end_us", "_first_us", "_last", "_length", "_test", "width_us")

    def __init__(self, over_us: int, test: Limits) -> None:
        self.width_us = bucket_us(over_us)
        self._length = ceil(over_us / self.width_us)
        self._buckets: deque[_Sums] = deque()
        self._test = test
        self._last = _Sums(-1)
        self._first_us = self._end_us = 0  # of the newest bucket: where most samples belong

    def add(self, at_us: int, value: float, weight: float) -> None:
        if not self._first_us <= at_us < self._end_us and not self._turn(at_us):
            self._add_late(at_us // self.width_us, value, weight)
            return
        bucket = self._last
        bucket.weight += weight
        if value:
            bucket.amount += value

    def _turn(self, at_us: int) -> bool:
        """A new bucket begins; False for a sample that is older than the newest one."""
        if at_us < self._first_us:
            return False
        index = at_us // self.width_us
        self._first_us, self._end_us = index * self.width_us, (index + 1) * self.width_us
        self._last = _Sums(index)
        self._buckets.append(self._last)
        if len(self._buckets) > self._length + 2:
            self._buckets.popleft()
        return True

    def _add_late(self, index: int, value: float, weight: float) -> None:
        bucket = _place(self._buckets, index, self._length, _Sums)
        if bucket is not None:
            bucket.amount += value
            bucket.weight += weight

    def answer(self, now_us: int) -> Answer:
        end = now_us // self.width_us
        buckets = self._buckets
        while buckets and buckets[0].index < end - self._length:
            buckets.popleft()
        if not buckets:
            self._first_us = self._end_us = 0
            return NOTHING
        amount = weight = 0.0
        for bucket in buckets:
            if bucket.index < end:
                amount += bucket.amount
                weight += bucket.weight
        if weight <= 0:
            return NOTHING
        value = amount / weight if self._test.aggregate == "ratio" else amount
        return Answer(weight, self._test.holds(value), value)

    @property
    def empty(self) -> bool:
        return not self._buckets


def _place(buckets: deque[_B], index: int, length: int, make: Callable[[int], _B]) -> _B | None:
    """The bucket of a sample that came after newer ones; None where it is too old to count."""
    if index <= buckets[-1].index - length - 1:
        return None
    place = len(buckets) - 1
    while place >= 0 and buckets[place].index > index:
        place -= 1
    if place >= 0 and buckets[place].index == index:
        return buckets[place]
    made = make(index)
    buckets.insert(place + 1, made)
    return made


class _Values:
    """One bucket of values: while it is open one by one, then in order; `whole` until there are too many."""

    __slots__ = ("bad", "closed", "count", "good", "index", "newest", "total", "values", "whole")

    def __init__(self, index: int) -> None:
        self.index = index
        self.values: list[float] = []
        self.closed, self.whole = False, True
        self.count = self.bad = self.good = 0
        self.total = 0.0
        self.newest: tuple[int, float] = (0, 0.0)


class ValueWindow:
    """Numbers over a time."""

    __slots__ = ("_buckets", "_length", "_test", "width_us")

    def __init__(self, over_us: int, test: Limits) -> None:
        self.width_us = bucket_us(over_us)
        self._length = ceil(over_us / self.width_us)
        self._buckets: deque[_Values] = deque()
        self._test = test

    def add(self, at_us: int, value: float, weight: float) -> None:  # noqa: ARG002 - as other windows have it
        index = at_us // self.width_us
        buckets = self._buckets
        if not buckets or buckets[-1].index < index:
            buckets.append(_Values(index))
            if len(buckets) > self._length + 2:
                buckets.popleft()
        bucket = buckets[-1]
        if bucket.index != index:
            found = _place(self._buckets, index, self._length, _Values)
            if found is None:
                return
            bucket = found
        if bucket.closed:
            self._reopen(bucket)
        bucket.values.append(value)
        if at_us >= bucket.newest[0]:
            bucket.newest = (at_us, value)

    def answer(self, now_us: int) -> Answer:
        end = now_us // self.width_us
        buckets = self._buckets
        while buckets and buckets[0].index < end - self._length:
            buckets.popleft()
        complete = [bucket for bucket in buckets if bucket.index < end]
        for bucket in complete:
            if not bucket.closed:
                self._close(bucket)
        count = sum(bucket.count for bucket in complete)
        if not count:
            return NOTHING
        if count > WHOLE:
            for bucket in complete:
                _thin(bucket)
        return Answer(count, *self._judge(complete, count))

    @property
    def empty(self) -> bool:
        return not self._buckets

    def _judge(self, complete: list[_Values], count: int) -> tuple[bool | None, float | None]:
        test = self._test
        if test.aggregate in {"mean", "sum", "last"}:
            if test.aggregate == "last":
                value = complete[-1].newest[1]
            else:
                total = sum(bucket.total for bucket in complete)
                value = total / count if test.aggregate == "mean" else total
            return test.holds(value), value
        part = PERCENTILES[test.aggregate]
        if not all(bucket.whole for bucket in complete):
            return self._counted(complete, count, part), None
        value = percentile(sorted(value for bucket in complete for value in bucket.values), part)
        return test.holds(value), value

    def estimate(self) -> float | None:
        """About what the value is, by the few that stand for the many."""
        values = sorted(value for bucket in self._buckets if bucket.closed for value in bucket.values)
        return percentile(values, PERCENTILES.get(self._test.aggregate, 0.5)) if values else None

    def _counted(self, complete: list[_Values], count: int, part: float) -> bool | None:
        """By how many values lie beyond each threshold: exact however many there are (nearest rank)."""
        rank = max(1, ceil(part * count))
        bad = sum(bucket.bad for bucket in complete)
        good = sum(bucket.good for bucket in complete)
        if self._test.above:
            return True if count - bad < rank else False if good >= rank else None
        return True if bad >= rank else False if count - good < rank else None

    def _close(self, bucket: _Values) -> None:
        test, values = self._test, bucket.values
        values.sort()
        bucket.count += len(values)
        bucket.total += sum(values)
        if test.above:
            bucket.bad += len(values) - bisect_left(values, test.bad_at)
            bucket.good += bisect_right(values, test.good_at)
        else:
            bucket.bad += bisect_left(values, test.bad_at)
            bucket.good += len(values) - bisect_left(values, test.good_at)
        bucket.closed = True
        if len(values) > WHOLE:
            _thin(bucket)

    def _reopen(self, bucket: _Values) -> None:
        """A sample came for a bucket that was judged already."""
        if bucket.whole:
            bucket.count = bucket.bad = bucket.good = 0
            bucket.total = 0.0
        else:
            bucket.values = []
        bucket.closed = False


def _thin(bucket: _Values) -> None:
    """A few values stand for the many of a bucket, evenly by rank: enough to tell about how much."""
    values = bucket.values
    bucket.whole = False
    if len(values) > _PICKS:
        bucket.values = [values[(2 * place + 1) * len(values) // (2 * _PICKS)] for place in range(_PICKS)]


class SampleWindow:
    """The last so many samples, by their own time; it answers at every sample."""

    __slots__ = ("_amount", "_ats", "_length", "_ordered", "_pooled", "_samples", "_test", "_weight")

    def __init__(self, length: int, test: Limits, *, values: bool) -> None:
        self._length, self._test, self._pooled = length, test, not values
        self._samples: deque[tuple[int, float, float]] = deque()
        self._ats: int = -1  # of the newest that fell out: what is older is too late
        self._ordered: list[float] = []
        self._amount = self._weight = 0.0

    def add(self, at_us: int, value: float, weight: float) -> None:
        samples = self._samples
        if weight == 0:
            self._correct(at_us, value)
            return
        if at_us < self._ats:
            return
        place = len(samples)
        while place > 0 and samples[place - 1][0] > at_us:
            place -= 1
        samples.insert(place, (at_us, value, weight))
        self._count(value, weight)
        if len(samples) > self._length:
            at, gone, lost = samples.popleft()
            self._ats = at
            self._uncount(gone, lost)

    def answer(self, now_us: int) -> Answer:  # noqa: ARG002 - as windows by time have it
        samples, test = self._samples, self._test
        if not samples:
            return NOTHING
        if self._pooled:
            value = self._amount / self._weight if test.aggregate == "ratio" else self._amount
            return Answer(self._weight, test.holds(value), value)
        if test.aggregate == "last":
            value = samples[-1][1]
        elif test.aggregate in {"mean", "sum"}:
            total = sum(sample[1] for sample in samples)
            value = total / len(samples) if test.aggregate == "mean" else total
        else:
            value = percentile(self._ordered, PERCENTILES[test.aggregate])
        return Answer(len(samples), test.holds(value), value)

    @property
    def full(self) -> bool:
        """As many samples as it was asked for."""
        return len(self._samples) >= self._length

    @property
    def empty(self) -> bool:
        return not self._samples

    def first_bad_us(self) -> int | None:
        """When the oldest bad event in it was sent."""
        return next((at_us for at_us, value, _ in self._samples if value > 0), None) if self._pooled else None

    def _count(self, value: float, weight: float) -> None:
        if self._pooled:
            self._amount += value
            self._weight += weight
        else:
            insort(self._ordered, value)

    def _uncount(self, value: float, weight: float) -> None:
        if self._pooled:
            self._amount -= value
            self._weight -= weight
            if not self._samples or abs(self._amount) < _NOTHING:
                self._amount = 0.0  # what is left of rounding
        else:
            del self._ordered[bisect_left(self._ordered, value)]

    def _correct(self, at_us: int, value: float) -> None:
        for place in range(len(self._samples) - 1, -1, -1):
            at, was, weight = self._samples[place]
            if at == at_us and 0 <= was + value <= weight:
                self._samples[place] = (at, was + value, weight)
                self._amount += value
                return


Window = SumWindow | ValueWindow | SampleWindow
