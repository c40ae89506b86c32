"""A report's numbers, times and words in the customer's language and country: exact, and cut where they must be cut."""

import datetime as dt
from decimal import ROUND_DOWN, Decimal
from functools import cached_property

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_decimal

from dashboards.reports.model import Report
from dashboards.web.words import Words
from sereno.clock import SECOND_US, parse_instant, to_datetime

NONE = "—"
_PERCENT = Decimal("0.000001")
_GLYPHS = {
    "met": "✓", "missed": "✕", "not_provable": "?", "up": "✓", "down": "✕", "unknown": "?", "excluded": "◆",
    "no_cases": "—", "no_target": "—", None: "—",
}  # fmt: skip


class ReportWords(Words):
    """The words of one report. Numbers are those of the model: nothing is computed here, and nothing rounded up."""

    def glyph(self, state: str | None) -> str:
        return _GLYPHS[state]

    def ratio(self, value: float | None) -> str:
        """An availability as a percentage with six decimals, cut: 100 % is only what lost nothing."""
        if value is None:
            return NONE
        cut = Decimal(repr(value)).scaleb(2).quantize(_PERCENT, ROUND_DOWN)
        return f"{self._decimal(cut, '#,##0.000000')}\u00a0%"

    def target(self, value: float | None) -> str:
        """A promise, as it was made; one that follows from several is cut after six decimals."""
        if value is None:
            return NONE
        cut = Decimal(repr(value)).scaleb(2).quantize(_PERCENT, ROUND_DOWN).normalize()
        return f"{self._decimal(cut, '#,##0.######')}\u00a0%"

    def share(self, percent: float | None) -> str:
        """A percentage that was cut already."""
        return NONE if percent is None else f"{self._decimal(Decimal(repr(percent)), '#,##0.0###')}\u00a0%"

    def seconds(self, value: float | None) -> str:
        """`3.723,25 s`: to the microsecond."""
        if value is None:
            return NONE
        return f"{'−' if value < 0 else ''}{self._decimal(abs(Decimal(repr(value))), '#,##0.######')}\u00a0s"

    def clock(self, value: float | None) -> str:
        """`1:02:03`, hours as many as there are; parts of a second are left to `seconds`."""
        if value is None:
            return NONE
        sign, whole = ("−", -value) if value < 0 else ("", value)
        total = int(Decimal(repr(whole)))
        return f"{sign}{total // 3600}:{total // 60 % 60:02d}:{total % 60:02d}"

    def length(self, value: float | None) -> str:
        """Both: as a clock shows it, and exactly."""
        return NONE if value is None else f"{self.clock(value)} ({self.seconds(value)})"

    def figure(self, value: float | None, pattern: str = "#,##0.###") -> str:
        """A measurement, cut to so many decimals."""
        if value is None:
            return NONE
        places = Decimal(1).scaleb(-len(pattern.partition(".")[2]))
        return self._decimal(Decimal(repr(value)).quantize(places, ROUND_DOWN), pattern)

    def count(self, value: int) -> str:
        return self._decimal(Decimal(value), "#,##0")

    def instant(self, at: str | None) -> str:
        """`5 oct 2026 14:03:07,5`, in the report's zone; with its offset in the hour that the clocks show twice."""
        if at is None:
            return NONE
        at_us = parse_instant(at)
        part = at_us % SECOND_US
        shown = format_datetime(to_datetime(at_us), "d MMM y HH:mm:ss", tzinfo=self.zone, locale=self.locale)
        if part:
            shown += self._point + f"{part:06d}".rstrip("0")
        return f"{shown} ({self.offset(at)})" if self._twice(at_us) else shown

    def minute(self, at: str) -> str:
        """`5 oct 14:03`."""
        return format_datetime(to_datetime(parse_instant(at)), "d MMM HH:mm", tzinfo=self.zone, locale=self.locale)

    def offset(self, at: str) -> str:
        """`UTC−05:00`, as it was at an instant."""
        text = to_datetime(parse_instant(at)).astimezone(self.zone).strftime("%z")
        return f"UTC{text[0].replace('-', '−')}{text[1:3]}:{text[3:5]}"

    def _twice(self, at_us: int) -> bool:
        local = to_datetime(at_us).astimezone(self.zone)
        first, second = (local.replace(fold=fold).utcoffset() for fold in (0, 1))
        return first is not None and second is not None and first > second

    def date(self, text: str) -> str:
        """`lun 5 oct`."""
        return format_date(dt.date.fromisoformat(text), "EEE d MMM", locale=self.locale)

    def month(self, text: str) -> str:
        """`octubre de 2026`."""
        return format_date(dt.date.fromisoformat(f"{text}-01"), self.text("date:month"), locale=self.locale)

    def keyed(self, kind: str, word: str | None) -> str:
        """A word of a closed list, such as `verdict:met`; one without a translation is shown as it is."""
        if word is None:
            return NONE
        key = f"{kind}:{word}"
        found = self.text(key)
        return word.replace("_", " ") if found == key else found

    def money(self, amount: float | None, currency: str | None) -> str:
        if amount is None or currency is None:
            return NONE
        return f"{currency} {self._decimal(Decimal(repr(amount)), '#,##0.00')}"

    def _decimal(self, value: Decimal, pattern: str) -> str:
        return format_decimal(value, format=pattern, locale=self.locale, decimal_quantization=False)

    @cached_property
    def _point(self) -> str:
        return str(Locale.parse(self.locale).number_symbols["latn"]["decimal"])


def words_of(report: Report, language: str | None = None) -> ReportWords:
    """In a language, or in that of the customer's locale; numbers and dates as in his country where it speaks it."""
    own = report.locale[:2] if report.locale[:2] in {"es", "en"} else "es"
    return ReportWords(language or own, report.timezone, report.locale)
