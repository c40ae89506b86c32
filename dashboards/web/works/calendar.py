"""The month of announced work: its weeks, its days, and what lies on each of them in the service's zone."""

from calendar import Calendar
from collections.abc import Sequence
from datetime import date, timedelta

import msgspec
from sqlalchemy import Connection

from dashboards.web.works.saying import Saying
from sereno.contract.calendar import day_start_us, local_date
from sereno.store.desk import Window, windows
from sereno.store.desk_messages import Said, messages_of

_YEARS = (1971, 2200)  # of which a calendar is drawn


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """One announced window as the page shows it. `standing`: coming, now, over, cancelled."""

    window: Window
    standing: str
    sayings: tuple[Saying, ...] = ()
    notices: tuple[Said, ...] = ()

    @property
    def number(self) -> int:
        return self.window.id

    @property
    def weight(self) -> str:
        """What is worst of it for anybody."""
        weights = {one.weight for one in self.sayings}
        return next((one for one in ("counts", "part", "out") if one in weights), "")


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """A day of the month's sheet, and the work on it."""

    day: date
    inside: bool
    today: bool
    works: tuple[Work, ...]


class Month(msgspec.Struct, frozen=True, kw_only=True):
    first: date
    weeks: tuple[tuple[Day, ...], ...]
    from_us: int
    to_us: int

    @property
    def name(self) -> str:
        return f"{self.first:%Y-%m}"

    def other(self, months: int) -> str:
        """The month so many later."""
        count = self.first.year * 12 + self.first.month - 1 + months
        return f"{count // 12:04d}-{count % 12 + 1:02d}"


def month_of(said: str, zone: str, now_us: int) -> date:
    """The first day of a month as an address names it; of this month where it names none."""
    try:
        found = date.fromisoformat(f"{said}-01")
    except ValueError:
        found = date.min
    today = local_date(zone, now_us)
    return found if _YEARS[0] <= found.year < _YEARS[1] else today.replace(day=1)


def month_window(first: date, zone: str) -> tuple[int, int]:
    """[from, to) of the month."""
    after = (first + timedelta(days=32)).replace(day=1)
    return day_start_us(zone, first), day_start_us(zone, after)


def sheet(first: date, works: Sequence[Work], zone: str, now_us: int) -> Month:
    """The month with its works on their days, Monday first."""
    today = local_date(zone, now_us)
    weeks = []
    for week in Calendar().monthdatescalendar(first.year, first.month):
        days = []
        for day in week:
            begins, ends = day_start_us(zone, day), day_start_us(zone, day + timedelta(days=1))
            there = tuple(one for one in works if one.window.from_us < ends and one.window.to_us > begins)
            days.append(Day(day=day, inside=day.month == first.month, today=day == today, works=there))
        weeks.append(tuple(days))
    from_us, to_us = month_window(first, zone)
    return Month(first=first, weeks=tuple(weeks), from_us=from_us, to_us=to_us)


def read(connection: Connection, from_us: int | None, to_us: int | None) -> list[Window]:
    """Windows that touch [from, to), in order of their beginning; with None the open side."""
    found = [
        one for one in windows(connection)
        if (to_us is None or one.from_us < to_us) and (from_us is None or one.to_us > from_us)
    ]  # fmt: skip
    return sorted(found, key=lambda one: (one.from_us, one.id))


def notices(connection: Connection, found: Sequence[Window]) -> dict[int, tuple[Said, ...]]:
    """What the customers were told of each by mail, with its receipts."""
    return {one.id: tuple(messages_of(connection, maintenance=one.id)) for one in found}


def standing(window: Window, now_us: int) -> str:
    """Where it stands."""
    if window.cancelled_us is not None:
        return "cancelled"
    if now_us < window.from_us:
        return "coming"
    return "now" if now_us < window.to_us else "over"
