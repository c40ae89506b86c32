"""Months as a page turns them: which one is meant, the one before and the one after."""

import re
from datetime import date
from typing import NamedTuple
from zoneinfo import ZoneInfo

from babel.dates import format_date

from sereno.clock import to_datetime

_MONTH = re.compile(r"(19[7-9]\d|20\d\d|21\d\d)-(0[1-9]|1[0-2])")


class Month(NamedTuple):
    year: int
    month: int

    @property
    def text(self) -> str:
        """`2026-10`."""
        return f"{self.year:04d}-{self.month:02d}"

    @property
    def before(self) -> "Month":
        return Month(self.year - 1, 12) if self.month == 1 else Month(self.year, self.month - 1)

    @property
    def after(self) -> "Month":
        return Month(self.year + 1, 1) if self.month == 12 else Month(self.year, self.month + 1)  # noqa: PLR2004

    def named(self, locale: str) -> str:
        """`octubre de 2026`."""
        pattern = "MMMM 'de' y" if locale.startswith("es") else "MMMM y"
        return format_date(date(self.year, self.month, 1), pattern, locale=locale)


def parsed(text: str) -> Month | None:
    """The month of `2026-10`; None where it is none."""
    found = _MONTH.fullmatch(text)
    return Month(int(found[1]), int(found[2])) if found else None


def present(now_us: int, zone: str) -> Month:
    """The month that it is in a zone."""
    here = to_datetime(now_us).astimezone(ZoneInfo(zone))
    return Month(here.year, here.month)


__all__ = ["Month", "parsed", "present"]
