"""Recording a report that leaves the house, with who made it."""

from typing import TYPE_CHECKING, Literal

import msgspec

from sereno.accounts import Act
from sereno.accounts.audit import note
from sereno.clock import SystemClock
from sereno.store import Store, reports

if TYPE_CHECKING:
    from dashboards.reports.model import Report


def record(
    store: Store, report: "Report", edition: str, language: str, who: str, how: Literal["cli", "web"] = "cli",
    address: str | None = None,
) -> reports.Issue:  # fmt: skip
    """The issue; the one that there is already, and no second line in the audit log, where nothing has changed."""
    now_us = SystemClock().now_us()
    wanted = reports.Issue(
        customer=report.customer, site=report.site, month=report.month, edition=edition, language=language,
        data_hash=report.data_hash, made_us=now_us, who=who,
    )  # fmt: skip
    with store.write() as connection:
        known = {one.id for one in reports.issued(connection, report.customer, report.month)}
        one = reports.issue(connection, wanted, msgspec.json.encode(report))
        if one.id not in known:
            note(connection, Act(who=who, how=how, at_us=now_us, address=address), "report.issue", one.key)
    return one
