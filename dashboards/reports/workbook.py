"""XLSX: a sheet for each part of the report, with real numbers, durations and times."""

import io
from collections.abc import Iterable, Iterator
from typing import Any

from dashboards.reports.model import Availability, Calls, Distribution, Outage, Report, Unknown
from dashboards.reports.sheet import Book, Column
from dashboards.reports.words import ReportWords

Columns = list[Column]
_LISTED = ", "


def workbook(report: Report, words: ReportWords) -> bytes:
    """The bytes of the workbook."""
    out = io.BytesIO()
    book = Book(out, report, words)
    _summary(book)
    _days(book)
    _outages(book)
    _excluded(book)
    _unknown(book)
    _sites(book)
    _levels(book)
    _calls(book)
    _tickets(book)
    book.close()
    return out.getvalue()


def _span(w: ReportWords) -> Columns:
    begins, ends = w.text("From"), w.text("To")
    return [
        Column(begins, "instant"),
        Column(ends, "instant"),
        Column(f"{begins} (UTC)", "utc"),
        Column(f"{ends} (UTC)", "utc"),
    ]


def _between(one: Any) -> list[Any]:
    return [one.from_, one.to, one.from_, one.to]


def _long(name: str, w: ReportWords) -> Columns:
    return [Column(name, "duration"), Column(f"{name} ({w.text('seconds')})", "seconds")]


def _summary(book: Book) -> None:
    """Each figure in a row: as a percentage or a duration, and exactly."""
    r, w = book.report, book.words
    a, s, c = r.availability, r.arithmetic, r.compliance
    columns = [
        Column(w.text("Figure")), Column(w.text("Value")), Column("%", "percent"), Column(w.text("exactly"), "exact"),
        Column("h:mm:ss", "duration"), Column(w.text("seconds"), "seconds"), Column(w.text("count"), "count"),
    ]  # fmt: skip

    def said(name: str, value: str) -> list[Any]:
        return [name, value, None, None, None, None, None]

    def ratio(name: str, value: float | None) -> list[Any]:
        return [name, None, value, value, None, None, None]

    def length(name: str, value: float | None) -> list[Any]:
        return [name, None, None, None, value, value, None]

    def number(name: str, value: int) -> list[Any]:
        return [name, None, None, None, None, None, value]

    rows = [
        said(w.text("Verdict"), w.keyed("verdict", a.verdict) if a.verdict else w.text("no target")),
        ratio(w.text("observed"), a.observed),
        ratio(w.text("low"), a.low),
        ratio(w.text("high"), a.high),
        ratio(w.text("Target"), a.target),
        length(f"T · {w.text('time of the month')}", a.total_seconds),
        length(f"X · {w.text('excluded by the contract')}", a.excluded_seconds),
        length(f"U · {w.text('unknown')}", a.unknown_seconds),
        length(f"D · {w.text('downtime')}", a.down_seconds),
        length(f"b · {w.text('sampling bound')}", a.bound_seconds),
        length(f"T − X · {w.text('time that counts')}", s.counted_seconds),
        length(f"T − X − U · {w.text('time that was seen')}", s.seen_seconds),
        length(w.text("allowed by the target"), s.allowed_seconds),
        length("D + b + U", s.at_worst_seconds),
        length("D − b", s.at_least_seconds),
        length(w.text("budget of the whole month"), a.budget_seconds),
        length(w.text("budget left"), a.budget_remaining_seconds),
        number(w.text("Outages"), a.outages),
        said(w.text("Service levels"), w.keyed("compliance", c["verdict"])),
        ratio(w.text("clocks met"), None if c["percent"] is None else c["percent"] / 100),
        ratio(w.text("target of the clocks"), None if c["target_percent"] is None else c["target_percent"] / 100),
        number(w.text("met"), c["met"]),
        number(w.text("missed"), c["missed"]),
        said(w.text("Customer"), r.customer),
        said(w.text("Contract"), r.contract),
        said(w.text("Month"), r.month),
        said(w.text("Time zone"), r.timezone),
        said(f"{w.text('From')} (UTC)", r.from_),
        said(f"{w.text('To')} (UTC)", r.to),
        said(w.text("Data hash (SHA-256)"), r.data_hash),
        said(w.text("Made with"), f"Sereno {r.version}"),
    ]
    book.sheet(w.text("Summary"), columns, rows)


def _days(book: Book) -> None:
    r, w = book.report, book.words
    columns = [
        Column(w.text("Site")), Column(w.text("Day"), "utc"), Column(w.text("State")),
        Column(w.text("observed"), "percent"),
        Column(f"{w.text('observed')}, {w.text('exactly')}", "exact"), *_long(w.text("Downtime"), w),
        *_long(w.text("Unknown"), w), *_long(w.text("Excluded"), w), *_long(w.text("Length"), w),
    ]  # fmt: skip
    parts = [(r.site or "", r.days), *((one.site, one.days) for one in r.sites)]
    rows = (
        [name, day.date, w.keyed("day", day.state), day.observed, day.observed]
        + [
            value
            for value in (day.down_seconds, day.unknown_seconds, day.excluded_seconds, day.total_seconds)
            for _ in "  "
        ]
        for name, days in parts
        for day in days
    )
    book.sheet(w.text("Days"), columns, rows)


def _of_sites(whole: str, lists: Iterable[tuple[str, Iterable[Any]]]) -> Iterator[tuple[str, Any]]:
    for name, found in lists:
        for one in found:
            yield name or whole, one


def _outages(book: Book) -> None:
    """The scope's own, then each site's."""
    r, w = book.report, book.words
    columns = [
        Column(w.text("Of")), *_span(w), *_long(w.text("Downtime"), w), *_long(w.text("Excluded"), w),
        *_long(w.text("Sampling bound"), w), Column(w.text("Cause")), Column(w.text("Element")),
        Column(w.text("Incidents")), Column(w.text("Sites")), Column(w.text("began before")),
        Column(w.text("goes on after")), Column(w.text("Evidence")), Column(w.text("Command")),
    ]  # fmt: skip

    def row(name: str, one: Outage) -> list[Any]:
        lengths = (one.down_seconds, one.excluded_seconds, one.bound_seconds)
        cause = f"{w.keyed('kind', one.cause.kind)} {one.cause.name}" if one.cause else ""
        flags = [w.keyed("answer", "yes") if flag else "" for flag in (one.begun_before, one.goes_on)]
        return [
            name, *_between(one), *(value for value in lengths for _ in "  "), w.reason(one.reason), cause,
            _LISTED.join(map(str, one.incidents)), _LISTED.join(one.sites), *flags, one.evidence, one.command,
        ]  # fmt: skip

    lists = [("", r.outages), *((one.site, one.outages) for one in r.sites)]
    book.sheet(w.text("Outages"), columns, (row(name, one) for name, one in _of_sites(_whole(book), lists)))


def _whole(book: Book) -> str:
    return book.report.site or book.report.customer


def _excluded(book: Book) -> None:
    r, w = book.report, book.words
    columns = [*_span(w), *_long(w.text("Length"), w), Column(w.text("Announced windows"))]
    rows = [
        [*_between(one), one.seconds, one.seconds, _LISTED.join(f"#{n}" for n in one.windows)] for one in r.exclusions
    ]
    book.sheet(w.text("Exclusions"), columns, rows)
    columns = [
        Column(w.text("Window"), "count"), Column(w.text("Scope")), *_span(w), Column(w.text("Announced"), "instant"),
        Column(w.text("By")), Column(w.text("Days before"), "count"), Column(w.text("Contract")),
        Column(w.text("Least days"), "count"), Column(w.text("Most days"), "count"), Column(w.text("Hours")),
        Column(w.text("Critical fix")), *_long(w.text("Excluded"), w), Column(w.text("Why its time counts")),
        Column(w.text("Covers")),
    ]  # fmt: skip
    rows = [
        [
            one.window, one.scope, *_between(one), one.announced, one.who, one.notice_days, one.contract,
            one.least_days,
            one.most_days, one.hours, w.keyed("answer", "yes" if one.critical_fix else "no"), one.excluded_seconds,
            one.excluded_seconds, " ".join(w.keyed("counts", why) for why in one.counts), _LISTED.join(one.sites),
        ]
        for one in r.notices
    ]  # fmt: skip
    book.sheet(w.text("Maintenance"), columns, rows)


def _unknown(book: Book) -> None:
    r, w = book.report, book.words
    columns = [
        Column(w.text("Of")),
        *_span(w),
        *_long(w.text("Length"), w),
        Column(w.text("Why")),
        Column(w.text("Sites")),
    ]

    def row(name: str, one: Unknown) -> list[Any]:
        why = w.text("no record of it") if one.reason == "no_record" else w.reason(one.reason)
        return [name, *_between(one), one.seconds, one.seconds, why, _LISTED.join(one.sites)]

    lists = [("", r.unknown), *((one.site, one.unknown) for one in r.sites)]
    book.sheet(w.text("Unknown time"), columns, (row(name, one) for name, one in _of_sites(_whole(book), lists)))


def _sites(book: Book) -> None:
    r, w = book.report, book.words
    ratios = [w.text("observed"), w.text("low"), w.text("high"), w.text("Target")]
    exact = [f"{name}, {w.text('exactly')}" for name in ratios]
    lengths = [w.text("Downtime"), w.text("Sampling bound"), w.text("Unknown"), w.text("Excluded"), w.text("Length")]
    columns = [
        Column(w.text("Site")), Column(w.text("Verdict")), Column(w.text("Outages"), "count"),
        *(Column(name, "percent") for name in ratios), *(Column(name, "exact") for name in exact),
        *(column for name in lengths for column in _long(name, w)),
    ]  # fmt: skip

    def row(name: str, v: Availability) -> list[Any]:
        shares = [v.observed, v.low, v.high, v.target]
        long = [v.down_seconds, v.bound_seconds, v.unknown_seconds, v.excluded_seconds, v.total_seconds]
        verdict = w.keyed("verdict", v.verdict) if v.verdict else w.text("no target")
        return [name, verdict, v.outages, *shares, *shares, *(value for value in long for _ in "  ")]

    book.sheet(w.text("Sites"), columns, [row(one.site, one.availability) for one in r.sites])


def _levels(book: Book) -> None:
    r, w = book.report, book.words
    columns = [
        Column(w.text("Ticket")), Column(w.text("Clock")), Column(w.text("Priority")), Column(w.text("met"), "count"),
        Column(w.text("missed"), "count"), Column(w.text("undecided"), "count"),
        Column(w.text("recovered alone"), "count"),
    ]  # fmt: skip
    rows = [
        [
            w.keyed("case", one.kind), w.keyed("clock", one.clock), w.keyed("priority", one.priority), one.met,
            one.missed, one.pending, one.recovered_alone,
        ]
        for one in r.clocks
    ]  # fmt: skip
    book.sheet(w.text("Clocks"), columns, rows)
    columns = [
        Column(w.text("Number"), "count"), Column(w.text("Ticket")), Column(w.text("Clock")),
        Column(w.text("Priority")),
        Column(w.text("Severity")), Column(w.text("Due"), "instant"), Column(f"{w.text('Due')} (UTC)", "utc"),
        Column(w.text("State")), Column(w.text("Sites")),
    ]  # fmt: skip
    every = [*r.compliance["cases"], *r.compliance["pending"], *r.compliance["recovered_alone"]]
    rows = [
        [
            one["incident"], w.keyed("case", one["kind"]), w.keyed("clock", one["clock"]),
            w.keyed("priority", one["priority"]), one["severity"], one["due"], one["due"],
            w.keyed("outcome", one["outcome"]), _LISTED.join(one["sites"]),
        ]
        for one in every
    ]  # fmt: skip
    book.sheet(w.text("Cases"), columns, rows)
    columns = [
        Column(w.text("Credit for")), Column(w.text("Invoice")), Column(w.text("Site")),
        Column(w.text("Units"), "exact"),
        Column(w.text("Amount"), "money"), Column(w.text("Currency")),
        Column(w.text("Percent of the invoice"), "exact"),
        Column(w.text("Incidents")), Column(w.text("Agreed activities")),
    ]  # fmt: skip
    rows = [
        [
            w.keyed("penalty", one["penalty"]), w.keyed("invoice", one["invoice"]), one["site"], one["units"],
            one["amount"], one["currency"], one["invoice_percent"], _LISTED.join(map(str, one["incidents"])),
            _LISTED.join(map(str, one["activities"])),
        ]
        for one in r.compliance["credits"]
    ]  # fmt: skip
    book.sheet(w.text("Credits"), columns, rows)


def _calls(book: Book) -> None:
    """A row for each measure of each SBC and each site: percentiles and counts."""
    r, w = book.report, book.words
    percentiles = ("minimum", "p5", "p50", "p95", "p99", "maximum")
    columns = [
        Column(w.text("Through")), Column("SBC"), Column(w.text("calls"), "count"), Column("ok", "count"),
        Column(w.text("calls failed"), "count"), Column(w.text("invalid"), "count"), Column(w.text("Measure")),
        Column(w.text("measured"), "count"), Column(w.text("minimum"), "exact"),
        *(Column(name, "exact") for name in percentiles[1:-1]), Column(w.text("maximum"), "exact"),
        Column(w.text("Histogram")),
    ]  # fmt: skip
    measures = (
        "mos_lq", "mos_cq", "sent_mos_lq", "setup_seconds", "session_request_delay_seconds",
        "failed_session_request_delay_seconds", "session_disconnect_delay_seconds",
    )  # fmt: skip

    def row(one: Calls, measure: str) -> list[Any]:
        found: Distribution = getattr(one, measure)
        bounds = [f"≤{bound:g}" for bound in found.bounds] + [f">{found.bounds[-1]:g}"]
        told = "; ".join(f"{bound}: {count}" for bound, count in zip(bounds, found.counts, strict=True) if count)
        name = w.text("all calls") if one.name == "*" else one.name
        return [
            name, _LISTED.join(one.sbcs), one.made, one.ok, one.failed, one.invalid, measure, found.count,
            *(getattr(found, part) for part in percentiles), told,
        ]  # fmt: skip

    every = [r.calls.whole, *r.calls.by_sbc, *r.calls.by_site]
    book.sheet(w.text("Test calls"), columns, (row(one, measure) for one in every for measure in measures))


def _tickets(book: Book) -> None:
    r, w = book.report, book.words
    moments = [w.text("Since"), w.text("opened"), w.text("First response"), w.text("Resolved"), w.text("Closed")]
    columns = [
        Column(w.text("Number"), "count"), Column(w.text("Ticket")), Column(w.text("What")), Column(w.text("Priority")),
        Column(w.text("Severity")), *(Column(name, "instant") for name in moments),
        *(Column(f"{name} (UTC)", "utc") for name in moments), Column(w.text("Sites")),
        Column(w.text("Reopened"), "count"),
    ]  # fmt: skip
    rows = []
    for one in r.tickets.listed:
        at = [one.since, one.opened, one.acknowledged, one.resolved, one.closed]
        rows.append([
            one.number, w.keyed("case", one.kind), one.title[w.language], w.keyed("priority", one.priority),
            one.severity, *at, *at, _LISTED.join(one.sites), one.reopenings,
        ])  # fmt: skip
    book.sheet(w.text("Incidents"), columns, rows)
    columns = [
        Column(w.text("Noted"), "instant"), Column(w.text("Element")), Column(f"{w.text('From')} (UTC)", "utc"),
        Column(f"{w.text('To')} (UTC)", "utc"), Column(w.text("Was")), Column(w.text("Became")), Column(w.text("Why")),
    ]  # fmt: skip
    changed = [
        [
            one["at"], f"{w.keyed('kind', one['kind'])} {one['name']}", one["from"], one["to"], w.state(one["was"]),
            w.state(one["became"]), one["note"],
        ]
        for one in r.revisions
    ]  # fmt: skip
    book.sheet(w.text("Revisions"), columns, changed)
