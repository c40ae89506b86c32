"""The list of a month: a customer with its sites, the verdict and the figures, what was issued and what was sent."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from dashboards.reports.model import Availability, Report
from dashboards.reports.words import words_of
from dashboards.web.reports.models import Found
from sereno.store.reports import Issue, issued
from sereno.store.tables import outbox
from sereno.topology.model import Topology

GLYPHS = {"met": "✓", "missed": "✕", "not_provable": "?"}
STATES = {"met": "up", "missed": "down", "not_provable": "unknown"}
_KEYS = "report/"  # as alerting names deliveries of reports


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One row: figures as they stand in the report, to its last digit."""

    name: str
    title: str
    site: str | None
    glyph: str = "—"
    state: str = ""
    verdict: str = ""
    observed: str = "—"
    low: str = "—"
    high: str = "—"
    down: str = "—"
    unknown: str = "—"
    outages: str = "—"
    levels: str = "—"


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery of a report."""

    state: str
    to: str
    at_us: int
    error: str | None


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A customer's rows. `pending`: it is being made; `fault`: why it cannot be."""

    customer: str
    title: str
    contract: str
    lines: tuple[Line, ...]
    pending: bool
    fault: str | None
    issues: tuple[Issue, ...]
    sendings: tuple[Sending, ...]


def visible(topology: Topology, customers: frozenset[str] | None) -> list[str]:
    """Whose reports somebody may read."""
    return [name for name in topology.customers if customers is None or name in customers]


def groups(
    topology: Topology, names: Iterable[str], found: Mapping[str, Found], language: str,
    issues: Sequence[Issue], sendings: Mapping[str, Sequence[Sending]],
) -> list[Group]:  # fmt: skip
    """Everything of the page's table."""
    made = []
    for name in names:
        customer, one = topology.customers[name], found[name]
        sites = [site for site, about in topology.sites.items() if about.customer == name]
        made.append(
            Group(
                customer=name, title=customer.name, contract=customer.contract,
                lines=_lines(name, customer.name, sites, one.report, language),
                pending=one.report is None and one.fault is None, fault=one.fault,
                issues=tuple(each for each in issues if each.customer == name),
                sendings=tuple(sendings.get(name, ())),
            )
        )  # fmt: skip
    return made


def _lines(name: str, title: str, sites: Sequence[str], report: Report | None, language: str) -> tuple[Line, ...]:
    if report is None:
        rows = [Line(name=name, title=title, site=None), *(Line(name=name, title=one, site=one) for one in sites)]
        return tuple(rows)
    levels = report.compliance
    rows = [_line(name, title, None, report, report.availability, levels, language)]
    rows += [_line(name, one.site, one.site, report, one.availability, None, language) for one in report.sites]
    return tuple(rows)


def _line(
    name: str, title: str, site: str | None, report: Report, figures: Availability, levels: Mapping[str, Any] | None,
    language: str,
) -> Line:  # fmt: skip
    words = words_of(report, language)
    percent = levels.get("percent") if levels is not None else None
    return Line(
        name=name, title=title, site=site, glyph=GLYPHS.get(figures.verdict or "", "—"),
        state=STATES.get(figures.verdict or "", "") if report.over else "", verdict=figures.verdict or "none",
        observed=words.ratio(figures.observed), low=words.ratio(figures.low), high=words.ratio(figures.high),
        down=words.clock(figures.down_seconds), unknown=words.clock(figures.unknown_seconds),
        outages=words.count(figures.outages), levels=words.share(percent) if levels is not None else "",
    )  # fmt: skip


def recorded(connection: Connection, month: str) -> tuple[list[Issue], dict[str, list[Sending]]]:
    """What was issued of a month, the newest first; and what became of its deliveries, by customer."""
    query = select(outbox.c.recipient, outbox.c.key, outbox.c.state, outbox.c.created_us, outbox.c.handed_us,
                   outbox.c.error)  # fmt: skip
    found: dict[str, list[Sending]] = {}
    mine = outbox.c.key >= _KEYS, outbox.c.key < _KEYS + "\U0010ffff"  # by the index of keys
    for row in connection.execute(query.where(*mine).order_by(outbox.c.id.desc())):
        _, customer, _, about, *_, address = row.key.split("/")
        if about == month:
            sending = Sending(state=row.state, to=address, at_us=row.handed_us or row.created_us, error=row.error)
            found.setdefault(customer, []).append(sending)
    return issued(connection, month=month), found


__all__ = ["Group", "Line", "Sending", "groups", "recorded", "visible"]
