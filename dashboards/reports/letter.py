"""The words by which an issued report is sent: a subject, a sentence, and the figures that stand in it."""

from dashboards.reports.model import Report
from dashboards.reports.words import ReportWords

_VERDICTS = {
    "met": "The promise was kept.",
    "missed": "The promise was not kept.",
    "not_provable": "It cannot be proved from the record whether the promise was kept: a person decides.",
    None: "The contract promises no availability; these are the figures.",
}


def letter(report: Report, words: ReportWords) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    """(subject, lead, rows); the numbers are those of the report."""
    whose = report.customer_name if report.site is None else f"{report.customer_name}, {report.site}"
    subject = words.text("Service report of {month}: {whose}", month=words.month(report.month), whose=whose)
    lead = words.text(_VERDICTS[report.availability.verdict])
    if not report.over:
        lead = words.text("The month is not over: everything in it is provisional.") + " " + lead
    figures = report.availability
    rows = [
        (words.text("Availability observed"), words.ratio(figures.observed)),
        (words.text("At least … at most"), f"{words.ratio(figures.low)} … {words.ratio(figures.high)}"),
        (words.text("Promised"), words.target(figures.target)),
        (words.text("Time down"), words.length(figures.down_seconds)),
        (words.text("Time unknown"), words.length(figures.unknown_seconds)),
        (words.text("Time excluded"), words.length(figures.excluded_seconds)),
        (words.text("Outages"), words.count(figures.outages)),
        (words.text("Time zone"), report.timezone),
        (words.text("Hash of the data"), report.data_hash),
    ]
    return subject, lead, tuple(rows)


__all__ = ["letter"]
