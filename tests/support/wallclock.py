"""An oracle for due dates that shares no code with the engine: a wall clock read minute after minute."""

import functools
from datetime import timedelta
from zoneinfo import ZoneInfo

import holidays

from sereno.clock import from_datetime, to_datetime

MINUTE_US = 60_000_000


@functools.cache
def _table(place, year):
    country, _, part = place.partition("-")
    return frozenset(holidays.country_holidays(country, subdiv=part or None, years=year))


def is_open(zone, week, place, at_us):
    """What a person says who looks at the clock on the wall and at a table of holidays; `week` None is 24×7."""
    if week is None:
        return True
    local = to_datetime(at_us).astimezone(ZoneInfo(zone))
    if place and local.date() in _table(place, local.year):
        return False
    minute = local.hour * 60 + local.minute
    return any(opens <= minute < closes for opens, closes in week[local.weekday()])


def due(zone, week, place, opened_us, minutes, pauses=()):
    """The instant at which so many open minutes have been counted from the opening, minutes of a pause left out."""
    at = to_datetime(opened_us)
    while minutes > 0:
        at_us = from_datetime(at)
        if not any(begins <= at_us < ends for begins, ends in pauses) and is_open(zone, week, place, at_us):
            minutes -= 1
        at += timedelta(minutes=1)
    return from_datetime(at)
