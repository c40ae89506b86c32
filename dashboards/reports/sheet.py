"""One sheet of a workbook: a head that names the report and its hash, columns of real numbers, durations and times."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any, Literal

from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from dashboards.reports.model import Report
from dashboards.reports.words import ReportWords
from sereno.clock import SECOND_US, parse_instant, to_datetime

Kind = Literal["text", "count", "seconds", "duration", "percent", "exact", "instant", "utc", "money"]
_CUT = Decimal("0.00000001")
_DAY_SECONDS = 86_400
_FORMATS: dict[Kind, dict[str, Any]] = {
    "text": {"text_wrap": True},
    "count": {"num_format": "#,##0"},
    "seconds": {"num_format": "#,##0.######"},
    "duration": {"num_format": "[h]:mm:ss"},
    "percent": {"num_format": "0.000000%"},
    "exact": {"num_format": "General"},
    "instant": {"num_format": "yyyy-mm-dd hh:mm:ss"},
    "utc": {},
    "money": {"num_format": "#,##0.00"},
}
_WIDTHS: dict[Kind, int] = {
    "text": 24, "count": 11, "seconds": 16, "duration": 12, "percent": 14, "exact": 20, "instant": 20, "utc": 28,
    "money": 14,
}  # fmt: skip
HEAD = 3  # the row of the columns' names


@dataclass(frozen=True)
class Column:
    """What a column is called, and of what kind its cells are."""

    name: str
    kind: Kind = "text"


class Book:
    """A workbook whose bytes follow from the report alone."""

    def __init__(self, out: Any, report: Report, words: ReportWords) -> None:
        options = {
            "in_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        }
        self._book = Workbook(out, options)
        self.report, self.words = report, words
        self._formats = {kind: self._book.add_format({"valign": "top"} | given) for kind, given in _FORMATS.items()}
        self._bold = self._book.add_format({"bold": True, "font_size": 13})
        self._warn = self._book.add_format({"bold": True, "font_color": "#8A2D00"})
        self._named = self._book.add_format(
            {"bold": True, "text_wrap": True, "valign": "top", "bottom": 1, "bg_color": "#EEF6FB"}
        )
        ends = to_datetime(parse_instant(report.ends)).replace(tzinfo=None)
        subject = f"SHA-256 {report.data_hash}"
        title = f"{report.customer_name} {report.month}"
        self._book.set_properties({"title": title, "subject": subject, "author": "Sereno", "created": ends})

    def sheet(self, name: str, columns: Sequence[Column], rows: Iterable[Sequence[Any]]) -> None:
        """A table of its own."""
        sheet = self._book.add_worksheet(name[:31])
        self._head(sheet, name)
        for place, column in enumerate(columns):
            sheet.set_column(place, place, _WIDTHS[column.kind])
            sheet.write_string(HEAD, place, column.name, self._named)
        last = HEAD
        for row in rows:
            last += 1
            for place, (column, value) in enumerate(zip(columns, row, strict=True)):
                self._write(sheet, (last, place), column.kind, value)
        sheet.freeze_panes(HEAD + 1, 1)
        sheet.repeat_rows(HEAD)
        if last > HEAD:
            sheet.autofilter(HEAD, 0, last, len(columns) - 1)

    def close(self) -> None:
        self._book.close()

    def _head(self, sheet: Worksheet, name: str) -> None:
        report, words = self.report, self.words
        who = report.customer_name + (f" · {report.site}" if report.site else "")
        sheet.write_string(0, 0, f"{name} · {who} · {words.month(report.month)} · {report.timezone}", self._bold)
        sheet.write_string(1, 0, f"SHA-256 {report.data_hash}")
        if not report.over:
            until = words.text(
                "The month is not over: these are figures up to {instant} and no verdict on the month.",
                instant=words.instant(report.to),
            )
            sheet.write_string(2, 0, f"{words.text('MONTH UNDER WAY')}. {until}", self._warn)
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        sheet.set_footer(f"&L&7Sereno {report.version} SHA-256 {report.data_hash}&R&P / &N")

    def _write(self, sheet: Worksheet, at: tuple[int, int], kind: Kind, value: Any) -> None:
        style = self._formats[kind]
        if value is None or value == "":
            sheet.write_blank(*at, None, style)
        elif kind in {"text", "utc"}:
            sheet.write_string(*at, value, style)
        elif kind == "instant":
            sheet.write_datetime(*at, self._local(value), style)
        elif kind == "percent":
            sheet.write_number(*at, float(Decimal(repr(value)).quantize(_CUT, ROUND_DOWN)), style)
        elif kind == "duration":
            if value < 0:  # no spreadsheet shows a time below zero: its seconds stand beside it
                sheet.write_blank(*at, None, style)
            else:
                sheet.write_number(*at, value / _DAY_SECONDS, style)
        else:
            sheet.write_number(*at, value, style)

    def _local(self, at: str) -> datetime:
        """What a clock on the wall shows; parts of a second stand in the column of UTC."""
        at_us = parse_instant(at)
        return to_datetime(at_us - at_us % SECOND_US).astimezone(self.words.zone).replace(tzinfo=None)
