"""Calendar months in an IANA zone as half-open windows of UTC microseconds; a change of the clock makes them uneven."""

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

from sereno.clock import from_datetime, to_datetime
from sereno.contract.calendar import day_start_us, local_date, month_bounds

_MONTH = re.compile(r"(\d{4})-(\d{2})")
_FIRST_YEAR, _LAST_YEAR = 1971, 2199


def month_window(zone: str, text: str) -> tuple[int, int]:
    """`2026-10` in a zone: its first instant, and the next month's; ValueError in words for a person."""
    found = _MONTH.fullmatch(text)
    year, month = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= month <= 12 or not _FIRST_YEAR <= year < _LAST_YEAR:  # noqa: PLR2004
        raise ValueError(f"{text!r} is not a month: write one such as 2026-10")
    return month_bounds(zone, year, month)


def month_of(zone: str, at_us: int) -> tuple[int, int]:
    """The month in a zone that an instant lies in."""
    local = to_datetime(at_us).astimezone(ZoneInfo(zone))
    return month_bounds(zone, local.year, local.month)


def days_of(zone: str, from_us: int, to_us: int) -> list[tuple[int, int]]:
    """The local days that touch [from, to), each as its own [begin, end)."""
    found = []
    day = local_date(zone, from_us)
    while (begin := day_start_us(zone, day)) < to_us:
        day += timedelta(days=1)
        found.append((begin, day_start_us(zone, day)))
    return found


def year_before(zone: str, to_us: int) -> int:
    """A year before an instant, at the same local date and time (of 29 February: 1 March)."""
    local = to_datetime(to_us).astimezone(ZoneInfo(zone))
    try:
        return from_datetime(local.replace(year=local.year - 1))
    except ValueError:
        return from_datetime(local.replace(year=local.year - 1, month=3, day=1))
