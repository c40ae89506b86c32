"""A report in any of its forms; all show the same model."""

import hashlib
from typing import Literal, get_args

from dashboards.reports.canonical import encoded
from dashboards.reports.model import Report
from dashboards.reports.words import words_of

Format = Literal["pdf", "html", "xlsx", "csv", "json"]
Edition = Literal["full", "executive"]
FORMATS: tuple[Format, ...] = get_args(Format)
EDITIONS: tuple[Edition, ...] = get_args(Edition)
LANGUAGES = ("es", "en")
MEDIA_TYPES: dict[Format, str] = {
    "pdf": "application/pdf",
    "html": "text/html; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8; header=present",
    "json": "application/json",
}


def render(
    report: Report,
    form: Format,
    *,
    edition: Edition = "full",
    language: str | None = None,
    link: str | None = None,
    css: str | None = None,
) -> bytes:
    """The bytes of one form; the same bytes for the same data. XLSX, CSV and JSON hold everything in either edition."""
    words = words_of(report, language)
    if form == "json":
        return encoded(report)
    if form == "csv":
        from dashboards.reports.table import csv_of

        return csv_of(report)
    if form == "xlsx":
        from dashboards.reports.workbook import workbook

        return workbook(report, words)
    from dashboards.reports.html import page

    html = page(report, words, edition, link=link, css=css)
    if form == "html":
        return html.encode()
    from dashboards.reports.pdf import pdf

    return pdf(html, hashlib.sha256(f"{report.data_hash}/{edition}/{words.language}".encode()).hexdigest()[:32])


def filename(report: Report, form: Format, edition: Edition = "full", language: str | None = None) -> str:
    """`acme-2026-10.pdf`, `acme-hq-2026-10-executive-en.pdf`."""
    words = words_of(report, language)
    parts = [report.customer, report.site, report.month, edition if edition != "full" else None]
    parts.append(words.language if words.language != words_of(report).language else None)
    return "-".join(part for part in parts if part) + f".{form}"
