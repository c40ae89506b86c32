"""Past hours of what is compared with them: the median round trip of a path, the users of an SBC. Pure.

The store keeps an hour as it ends (`measure_hours`), and gives nine days of them back at a start.
"""

import math
from collections import defaultdict
from collections.abc import Iterable

from sereno.alarms.hour import Hour
from sereno.clock import SECOND_US

HOUR_US = 3_600 * SECOND_US
WEEK_US = 7 * 24 * HOUR_US
KEPT_US = 9 * 24 * HOUR_US
_BINS = 50  # of a factor of e: two percent wide
_LEAST = 20  # samples that make an hour
_ELEMENTS = 20_000


class _Open:
    """The hour under way: values in bins of two percent where a median is wanted, else their sum."""

    __slots__ = ("bins", "count", "hour", "total")

    def __init__(self, hour: int) -> None:
        self.hour, self.count, self.total = hour, 0, 0.0
        self.bins: dict[int, int] = {}

    def median(self) -> float:
        seen = 0
        for place in sorted(self.bins):
            seen += self.bins[place]
            if 2 * seen >= self.count:
                return math.exp((place + 0.5) / _BINS)
        return 0.0


class Hours:
    """`median`/`mean` take samples; `ended` hands out what is to be kept; `take` brings it back."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], _Open] = {}
        self._past: dict[tuple[str, str], dict[int, tuple[float, int]]] = defaultdict(dict)
        self._ended: list[Hour] = []
        self._medians: dict[tuple[str, str], tuple[int, float | None]] = {}

    def note(self, element: str, measure: str, at_us: int, value: float, *, median: bool) -> None:
        """One sample; older than its open hour, it changes nothing any more."""
        key = (element, measure)
        found = self._open.get(key)
        hour = at_us // HOUR_US
        if found is None or hour > found.hour:
            if found is None and len(self._open) >= _ELEMENTS:
                return
            if found is not None:
                self._close(key, found)
            found = self._open[key] = _Open(hour)
        if hour < found.hour:
            return
        found.count += 1
        if median:
            place = int(math.log(value) * _BINS) if value > 0 else -1_000
            found.bins[place] = found.bins.get(place, 0) + 1
        else:
            found.total += value

    def _close(self, key: tuple[str, str], found: _Open) -> None:
        if found.count < (_LEAST if found.bins else 1):
            return  # too few to stand for an hour
        value = found.median() if found.bins else found.total / found.count
        hour = Hour(*key, found.hour * HOUR_US, value, found.count)
        self.take([hour])
        self._ended.append(hour)

    def ended(self) -> list[Hour]:
        """The hours that ended since the last call."""
        found, self._ended = self._ended, []
        return found

    def take(self, hours: Iterable[Hour]) -> None:
        """Hours of before; of two accounts of one hour the fuller counts."""
        for one in hours:
            past = self._past[one.element, one.measure]
            before = past.get(one.hour_us)
            if before is None or before[1] <= one.samples:  # a restart leaves the rest of an hour
                past[one.hour_us] = (one.value, one.samples)
            for old in [hour_us for hour_us in past if hour_us < one.hour_us - KEPT_US]:
                del past[old]
            self._medians.pop((one.element, one.measure), None)

    def last_week(self, element: str, measure: str, at_us: int) -> float | None:
        """The median of the hours of the seven days before the hour of `at_us`; None before the first has ended."""
        key, hour_us = (element, measure), at_us // HOUR_US * HOUR_US
        known = self._medians.get(key)
        if known is not None and known[0] == hour_us:
            return known[1]
        past = self._past.get(key, {})
        found = sorted(one for at, one in past.items() if hour_us - WEEK_US <= at < hour_us)
        half = sum(samples for _, samples in found) / 2
        answer = None
        for value, samples in found:
            answer = value
            half -= samples
            if half <= 0:
                break
        self._medians[key] = (hour_us, answer)
        return answer

    def week_ago(self, element: str, measure: str, at_us: int) -> float | None:
        """What it was at this time a week before, between the means of the hours around; None if nobody knows."""
        then = at_us - WEEK_US
        first = (then - HOUR_US // 2) // HOUR_US * HOUR_US
        past = self._past.get((element, measure), {})
        before, after = past.get(first), past.get(first + HOUR_US)
        if before is None or after is None:
            own = past.get(then // HOUR_US * HOUR_US)
            return own[0] if own is not None else None
        share = (then - first - HOUR_US // 2) / HOUR_US
        return before[0] * (1 - share) + after[0] * share
