"""Service calendars: 24×7, or business hours with split days and holidays, in an IANA zone.

Instants are integer microseconds UTC. A local time that the clock skips (a change to summer time) counts as the
instant of the change; one that it shows twice counts the first time. Opening intervals are half-open, so a budget that
ends exactly at a closing ends there (12:30), not at the next opening (14:00).
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import holidays

from sereno.clock import SECOND_US, from_datetime, to_datetime

DAY_MINUTES = 24 * 60
Hours = tuple[tuple[int, int], ...]  # minutes from local midnight, half-open


@functools.lru_cache(maxsize=65_536)
def local_us(zone: str, moment: datetime) -> int:
    """The first instant at which a clock in the zone shows this (naive) local time or a later one."""
    where = ZoneInfo(zone)
    first = moment.replace(tzinfo=where, fold=0)
    at = first.astimezone(UTC)
    if at.astimezone(where).replace(tzinfo=None) == moment:
        return from_datetime(at)
    return _after_gap(where, moment)


def _after_gap(where: ZoneInfo, moment: datetime) -> int:
    """The end of the gap that a skipped local time lies in, found by halving between the two readings of it."""
    readings = sorted(from_datetime(moment.replace(tzinfo=where, fold=fold)) for fold in (0, 1))
    early, late = readings[0] // SECOND_US, readings[1] // SECOND_US
    while early < late:
        middle = (early + late) // 2
        if to_datetime(middle * SECOND_US).astimezone(where).replace(tzinfo=None) >= moment:
            late = middle
        else:
            early = middle + 1
    return late * SECOND_US


def day_start_us(zone: str, day: date) -> int:
    """The first instant of a local day."""
    return local_us(zone, datetime.combine(day, time()))


def month_bounds(zone: str, year: int, month: int) -> tuple[int, int]:
    """[from, to) of a month in an IANA zone, in microseconds UTC."""
    after = date(year + month // 12, month % 12 + 1, 1)
    return day_start_us(zone, date(year, month, 1)), day_start_us(zone, after)


def local_date(zone: str, at_us: int) -> date:
    """The date that a calendar on the wall in the zone shows at an instant."""
    return to_datetime(at_us).astimezone(ZoneInfo(zone)).date()


@functools.lru_cache(maxsize=1_024)
def _holidays_of(place: str, year: int) -> frozenset[date]:
    country, _, subdivision = place.partition("-")
    return frozenset(holidays.country_holidays(country, subdiv=subdivision or None, years=year))


@functools.lru_cache(maxsize=65_536)
def _opening(calendar: "Calendar", ordinal: int) -> tuple[tuple[int, int], ...]:
    """Opening intervals of one local day, as instants; empty ones (eaten by a change of time) left out."""
    day = date.fromordinal(ordinal)
    hours = calendar.week[day.weekday()] if calendar.week is not None else ()
    if not hours or (calendar.holidays is not None and day in _holidays_of(calendar.holidays, day.year)):
        return ()
    midnight = datetime.combine(day, time())
    found = (
        (
            local_us(calendar.timezone, midnight + timedelta(minutes=opens)),
            local_us(calendar.timezone, midnight + timedelta(minutes=closes)),
        )
        for opens, closes in hours
    )
    return tuple((opens, closes) for opens, closes in found if opens < closes)


@dataclass(frozen=True)
class Calendar:
    """When a service-level clock runs. `week` is None for 24×7, else the hours of each day from Monday."""

    timezone: str
    week: tuple[Hours, ...] | None = None
    holidays: str | None = None  # ISO 3166 country, or country-subdivision

    def __post_init__(self) -> None:
        if self.week is not None and not any(self.week):
            raise ValueError("a calendar that never opens would never let a clock fall due")

    @property
    def always(self) -> bool:
        """It never closes."""
        return self.week is None

    def is_open(self, at_us: int) -> bool:
        """The clock runs at this instant."""
        if self.week is None:
            return True
        return next(self._open_from(at_us))[0] <= at_us

    def elapsed(self, from_us: int, to_us: int) -> int:
        """Open microseconds in [from, to); 0 when it is empty."""
        if self.week is None:
            return max(0, to_us - from_us)
        total = 0
        for opens, closes in self._open_from(from_us):
            if opens >= to_us:
                break
            total += max(0, min(closes, to_us) - max(opens, from_us))
        return total

    def add(self, from_us: int, budget_us: int) -> int:
        """The earliest instant by which `budget_us` of open time has passed since `from_us`."""
        if self.week is None or budget_us <= 0:
            return from_us + max(0, budget_us)
        left = budget_us
        for opens, closes in self._open_from(from_us):
            begins = max(opens, from_us)
            if left <= closes - begins:
                return begins + left
            left -= closes - begins
        raise AssertionError  # the iterator has no end

    def back(self, to_us: int, rest_us: int) -> int:
        """The earliest instant from which no more than `rest_us` of open time is left until another."""
        if self.week is None:
            return to_us - max(0, rest_us)
        left = rest_us
        for opens, closes in self._open_until(to_us):
            ends = min(closes, to_us)
            if left < ends - opens:
                return ends - left
            left -= ends - opens
        raise AssertionError  # nobody waits since the first day of all

    def next_open(self, at_us: int) -> int:
        """The instant itself if it is open, else the next opening."""
        if self.week is None:
            return at_us
        return max(at_us, next(self._open_from(at_us))[0])

    def _open_from(self, at_us: int) -> Iterator[tuple[int, int]]:
        """Opening intervals in order, from the first that ends after an instant. Validation made sure of one a week."""
        # a day earlier: where midnight falls into a change of time, a late hour of the day before may still be open
        ordinal = local_date(self.timezone, at_us).toordinal() - 1
        while True:
            for opens, closes in _opening(self, ordinal):
                if closes > at_us:
                    yield opens, closes
            ordinal += 1

    def _open_until(self, at_us: int) -> Iterator[tuple[int, int]]:
        """Opening intervals backwards, from the last that begins before an instant."""
        ordinal = local_date(self.timezone, at_us).toordinal() + 1
        while ordinal > 0:
            for opens, closes in reversed(_opening(self, ordinal)):
                if opens < at_us:
                    yield opens, closes
            ordinal -= 1
