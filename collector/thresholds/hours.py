"""Past hours of what is compared with them: the median round trip of a path, the users of an SBC. Pure.

The store keeps an hour as it ends (`measure_hours`), and gives nine days of them back at a start.
"""

from collections.abc import Iterable

from sereno.alarms.hour import Hour
from sereno.clock import SECOND_US

HOUR_US = 3_600 * SECOND_US
WEEK_US = 7 * 24 * HOUR_US
KEPT_US = 9 * 24 * HOUR_US
_BINS = 2_000  # of a second: half a millisecond wide
_LONGEST_SECONDS = 10.0
_LEAST = 20  # samples that make an hour of which a median is told
_ELEMENTS = 20_000


class Track:
    """One measure of one element: its hour under way, and those that ended."""

    __slots__ = ("_bins", "_count", "_ended", "_hour", "_key", "_past", "_total", "median")

    def __init__(self, element: str, measure: str, ended: list[Hour]) -> None:
        self._key, self._ended = (element, measure), ended
        self._hour = -1
        self._count, self._total = 0, 0.0
        self._bins: dict[int, int] = {}
        self._past: dict[int, tuple[float, int]] = {}
        self.median: float | None = None  # of the seven days before the hour under way

    def note(self, at_us: int, value: float, *, median: bool) -> None:
        """One sample; older than the hour under way, it changes nothing any more."""
        hour = at_us // HOUR_US
        if hour != self._hour:
            if hour < self._hour:
                return
            self._close()
            self._hour = hour
            self._reckon()
        self._count += 1
        if median:
            place = int(min(value, _LONGEST_SECONDS) * _BINS)
            self._bins[place] = self._bins.get(place, 0) + 1
        else:
            self._total += value

    def note_all(self, at_us: int, values: list[float]) -> None:
        """Samples of one instant, of which the median is wanted."""
        if not values:
            return
        self.note(at_us, values[0], median=True)
        if at_us // HOUR_US != self._hour:
            return
        bins = self._bins
        for value in values[1:]:
            place = int(min(value, _LONGEST_SECONDS) * _BINS)
            bins[place] = bins.get(place, 0) + 1
        self._count += len(values) - 1

    def take(self, one: Hour) -> None:
        """An hour of before; of two accounts of one the fuller counts: a restart leaves the rest of an hour."""
        before = self._past.get(one.hour_us)
        if before is None or before[1] <= one.samples:
            self._past[one.hour_us] = (one.value, one.samples)
        for old in [hour_us for hour_us in self._past if hour_us < one.hour_us - KEPT_US]:
            del self._past[old]

    def week_ago(self, at_us: int) -> float | None:
        """What it was at this time a week before, between the means of the hours around; None if nobody knows."""
        then = at_us - WEEK_US
        first = (then - HOUR_US // 2) // HOUR_US * HOUR_US
        before, after = self._past.get(first), self._past.get(first + HOUR_US)
        if before is None or after is None:
            own = self._past.get(then // HOUR_US * HOUR_US)
            return own[0] if own is not None else None
        share = (then - first - HOUR_US // 2) / HOUR_US
        return before[0] * (1 - share) + after[0] * share

    def _close(self) -> None:
        if self._count >= (_LEAST if self._bins else 1):
            value = self._of_bins() if self._bins else self._total / self._count
            hour = Hour(*self._key, self._hour * HOUR_US, value, self._count)
            self.take(hour)
            self._ended.append(hour)
        self._count, self._total = 0, 0.0
        self._bins = {}

    def _of_bins(self) -> float:
        seen = 0
        for place in sorted(self._bins):
            seen += self._bins[place]
            if 2 * seen >= self._count:
                return (place + 0.5) / _BINS
        return 0.0

    def _reckon(self) -> None:
        """The median of the hours of the last seven days, by their samples."""
        hour_us = self._hour * HOUR_US
        found = sorted(one for at, one in self._past.items() if hour_us - WEEK_US <= at < hour_us)
        half = sum(samples for _, samples in found) / 2
        self.median = None
        for value, samples in found:
            self.median = value
            half -= samples
            if half <= 0:
                break


class Hours:
    """`of` an element takes samples; `ended` hands out what is to be kept; `take` brings it back."""

    def __init__(self) -> None:
        self._tracks: dict[tuple[str, str], Track] = {}
        self._ended: list[Hour] = []
        self._spare = Track("", "", [])

    def of(self, element: str, measure: str) -> Track:
        """The track of an element, known or new."""
        found = self._tracks.get((element, measure))
        if found is None:
            if len(self._tracks) >= _ELEMENTS:
                return self._spare
            found = self._tracks[element, measure] = Track(element, measure, self._ended)
        return found

    def ended(self) -> list[Hour]:
        """The hours that ended since the last call."""
        found = self._ended[:]
        self._ended.clear()
        return found

    def take(self, hours: Iterable[Hour]) -> None:
        """Hours of before."""
        for one in hours:
            self.of(one.element, one.measure).take(one)
