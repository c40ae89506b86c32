"""Scheduled reports are made and reach those who get them."""

from collections.abc import Iterator

import msgspec

from sereno.clock import SECOND_US
from sereno.doctor.model import Finding, Question, broken, ok
from sereno.doctor.patient import Patient

FAILING = ("monitor", "report_failing")  # as alerting says it in verdict_changes
_MONTH_US = 31 * 86_400 * SECOND_US
_WHAT = "customer_report"


class Scheduled(msgspec.Struct, frozen=True, kw_only=True):
    """`failing`: why the last one could not be made; `lost`: whose delivery was given up, and why."""

    failing: str | None
    lost: tuple[tuple[str, str], ...]
    waiting: tuple[tuple[str, str], ...]  # tried, and not taken yet


def look(patient: Patient) -> Scheduled | None:
    """What was said of making them, and the outbox of the last month; None where nothing is scheduled."""
    from sqlalchemy import select

    from sereno.store.changes import last_said
    from sereno.store.tables import outbox

    desk = patient.desk()
    if desk is None or not desk.reports.schedules:
        return None
    columns = outbox.c
    with patient.store().read() as connection:
        said = [change for (kind, _, what), change in last_said(connection).items() if (kind, what) == FAILING]
        rows = connection.execute(
            select(columns.recipient, columns.state, columns.error).where(
                columns.what == _WHAT, columns.created_us >= patient.clock.now_us() - _MONTH_US
            )
        ).all()
    newest = max(said, key=lambda one: one.at_us, default=None)
    return Scheduled(
        failing=(newest.reason or "") if newest is not None and newest.state == "true" else None,
        lost=tuple((row.recipient, row.error or row.state) for row in rows if row.state in {"failed", "expired"}),
        waiting=tuple((row.recipient, row.error) for row in rows if row.state == "pending" and row.error),
    )


def judge(found: Scheduled | None) -> Iterator[Finding]:
    """A customer who got no report asks for it, and then for more."""
    if found is None:
        return
    if found.failing is not None:
        yield broken("a scheduled report cannot be made: {why}", "mend that; it is tried again every ten minutes",
                     why=found.failing)  # fmt: skip
    for customer, why in found.lost:
        yield broken("a report was never delivered: {why}", "mend the channel or the address, and send it by hand from "
                     "the page /reports", f"customer {customer}", why=why)  # fmt: skip
    for customer, why in found.waiting:
        yield broken("a report waits to be delivered: {why}", "mend that; it is tried for three days",
                     f"customer {customer}", why=why)  # fmt: skip
    if found.failing is None and not found.lost and not found.waiting:
        yield ok("what was due was made and delivered")


QUESTION = Question(name="reports", title="Scheduled reports", look=look, judge=judge)
