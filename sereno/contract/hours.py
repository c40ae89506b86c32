"""Opening hours as operators write them: `24x7`, or `{mon-fri: ["07:30-12:30", "14:00-18:00"], holidays: CO}`."""

import functools
import itertools
import re
from typing import Any

import holidays

from sereno.contract.calendar import DAY_MINUTES, Hours

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")


def window(text: Any) -> tuple[int, int]:
    """Minutes from midnight of `07:30-12:30`; ValueError in words otherwise. The end may come before the beginning."""
    found = _WINDOW.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise ValueError(f'{text!r} is not a span of hours: write it as "07:30-12:30"')
    opens = int(found[1]) * 60 + int(found[2])
    closes = int(found[3]) * 60 + int(found[4])
    if max(opens, closes) > DAY_MINUTES:
        raise ValueError(f'{text!r} goes past midnight: a day ends at "24:00"')
    return opens, closes


def day_hours(spans: Any) -> Hours:
    """The hours of one day, in order and apart."""
    if not isinstance(spans, list | tuple) or not spans:
        raise ValueError('hours are not a list: write ["07:30-12:30", "14:00-18:00"]')
    found = tuple(window(text) for text in spans)
    for opens, closes in found:
        if opens >= closes:
            raise ValueError(f"{_span(opens, closes)} ends before it begins: split it at midnight")
    for (_, closes), (opens, _) in itertools.pairwise(found):
        if opens < closes:
            raise ValueError("hours overlap or are out of order: write them apart and in order")
    return found


def day_range(text: str) -> range:
    """The days of `mon` or `mon-fri`."""
    first, _, last = text.partition("-")
    if first not in DAYS or (last or first) not in DAYS:
        raise ValueError(f"{text!r} is no day: write one of {' '.join(DAYS)}, or a span such as mon-fri")
    begins, ends = DAYS.index(first), DAYS.index(last or first)
    if begins > ends:
        raise ValueError(f"{text!r} goes past the week's end: write two spans, each within monday to sunday")
    return range(begins, ends + 1)


def week(value: dict[str, Any]) -> tuple[Hours, ...]:
    """The hours of each day from Monday; a day named twice is refused."""
    found: list[Hours] = [()] * len(DAYS)
    for key, spans in value.items():
        for day in day_range(key):
            if found[day]:
                raise ValueError(f"{DAYS[day]} is named twice: give each day its hours once")
            found[day] = day_hours(spans)
    if not any(found):
        raise ValueError("it is never open: give at least one day its hours")
    return tuple(found)


def holiday_place(text: Any) -> str:
    """`CO`, `CR`, or `ES-MD`, if its holidays are known."""
    known = _places()
    country, _, subdivision = text.partition("-") if isinstance(text, str) else ("", "", "")
    if country not in known or (subdivision and subdivision not in known[country]):
        raise ValueError(f"{text!r} is not a country whose holidays are known: write an ISO code such as CO, CR or MX")
    return str(text)


@functools.cache
def _places() -> dict[str, list[str]]:
    return holidays.list_supported_countries(include_aliases=True)


def _span(opens: int, closes: int) -> str:
    return f"{opens // 60:02d}:{opens % 60:02d}-{closes // 60:02d}:{closes % 60:02d}"
