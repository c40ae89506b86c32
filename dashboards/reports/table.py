"""CSV: every fact of the model as one row, in one layout for all of them (RFC 4180; docs/reports.md)."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import msgspec

from dashboards.reports.model import Report

COLUMNS = ("scope", "section", "item", "field", "value")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_JOIN = ";"


def csv_of(report: Report) -> bytes:
    """UTF-8, CRLF, a header; numbers, instants and names of fields as in the JSON."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    whole = f"site:{report.site}" if report.site else f"customer:{report.customer}"
    writer.writerows([_safe(cell) for cell in row] for row in _rows(msgspec.to_builtins(report), whole))
    return out.getvalue().encode()


Row = tuple[str, str, str, str, Any]


def _rows(data: dict[str, Any], scope: str, section: str = "", item: str = "") -> Iterator[Row]:
    """Facts of an object first, then those of what it holds."""
    later: list[tuple[str, Any]] = []
    for name, value in data.items():
        if _holds(value):
            later.append((name, value))
        else:
            yield scope, section or "report", item, name, value
    for name, value in later:
        inner = f"{section}.{name}" if section else name
        if isinstance(value, dict):
            yield from _rows(value, scope, inner, item)
            continue
        for number, one in enumerate(value, 1):
            place = f"{item}/{number}" if item else str(number)
            yield from _rows(one, f"site:{one['site']}" if inner == "sites" else scope, inner, place)


def _holds(value: Any) -> bool:
    """An object, or a list of objects; lists of plain values are one cell."""
    return isinstance(value, dict) or (isinstance(value, list | tuple) and any(isinstance(one, dict) for one in value))


def _safe(value: Any) -> str:
    """A cell. Text that a spreadsheet would take for a formula gets an apostrophe before it; numbers are none."""
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, list | tuple):
        value = _JOIN.join(one if isinstance(one, str) else json.dumps(one) for one in value)
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
