"""Turns of people who hand over at a local time. Pure.

Turns are counted in days of the calendar on the wall, so a day of 23 or 25 hours is one day, and 08:00 stays 08:00.
"""

from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from sereno.contract.calendar import local_date, local_us
from sereno.desk.people import Rota

_WEEK = 7


class Turn(NamedTuple):
    """Who is on call, and until when."""

    person: str
    until_us: int


def turn(rota: Rota, zone: str, at_us: int) -> Turn:
    """Whose turn it is at an instant; `zone` counts where the rota has none of its own."""
    where = rota.timezone or zone
    step = _WEEK if rota.turn == "week" else 1
    day = _began(rota, where, step, at_us)
    first = rota.start
    if step == _WEEK:
        first += timedelta(days=(rota.weekday - first.weekday()) % _WEEK)
    number = (day - first).days // step
    return Turn(rota.people[number % len(rota.people)], _handover_us(rota, where, day + timedelta(days=step)))


def _began(rota: Rota, zone: str, step: int, at_us: int) -> date:
    """The local day on which the turn under way began."""
    day = local_date(zone, at_us)
    if step == _WEEK:
        day -= timedelta(days=(day.weekday() - rota.weekday) % _WEEK)
    return day - timedelta(days=step) if at_us < _handover_us(rota, zone, day) else day


def _handover_us(rota: Rota, zone: str, day: date) -> int:
    return local_us(zone, datetime.combine(day, time()) + timedelta(minutes=rota.minute))
