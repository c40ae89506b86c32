"""Dates as people read them: local, with the day of the week and the offset."""

import functools
from datetime import tzinfo

from babel import Locale
from babel.dates import format_datetime, get_timezone

from sereno.clock import to_datetime


def moment(at_us: int, locale: str, zone: str) -> str:
    """`sáb 11 jul 2026, 03:00:05 -05:00`."""
    where, when = _zone(zone), to_datetime(at_us)
    local = format_datetime(when, "EEE d MMM y, HH:mm:ss", tzinfo=where, locale=_locale(locale))
    return f"{local} {offset(at_us, zone)}"


def hour(at_us: int, locale: str, zone: str) -> str:
    """`03:00 -05:00`, for the shortest messages."""
    local = format_datetime(to_datetime(at_us), "HH:mm", tzinfo=_zone(zone), locale=_locale(locale))
    return f"{local} {offset(at_us, zone)}"


def offset(at_us: int, zone: str) -> str:
    """`-05:00`."""
    text = to_datetime(at_us).astimezone(_zone(zone)).strftime("%z")
    return f"{text[:3]}:{text[3:5]}"


@functools.cache
def _locale(name: str) -> Locale:
    return Locale.parse(name)


@functools.cache
def _zone(name: str) -> tzinfo:
    return get_timezone(name)
