"""What the two shipped contracts say beside their clocks: meanings, reports, billing, penalties; by hand."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from sereno.clock import SECOND_US, parse_instant
from sereno.contract import load_contract
from sereno.contract.billing import charge
from sereno.contract.model import PRIORITIES
from sereno.contract.report import missing
from sereno.incident import Element, IncidentRecord

HOUR_US = 3_600 * SECOND_US
WEKALL = load_contract("wekall").versions[-1]
CALLMYWAY = load_contract("callmyway").versions[-1]
RECORD = IncidentRecord(
    number=1, state="open", class_="service", priority="Alta", priority_peak="Alta", title="eco",
    cause=Element("service", "voz"), since_us=0, opened_us=0, reporter="eva", description="se oye eco",
)  # fmt: skip


def span(begins, ends):
    return parse_instant(begins), parse_instant(ends)


@pytest.mark.parametrize(
    ("worked", "hours", "amount"),
    [
        ([("2026-10-21T20:00-05:00", "2026-10-21T20:30-05:00")], 0.5, "250.00"),  # one hour at least
        ([("2026-10-21T17:00-05:00", "2026-10-21T19:30-05:00")], 1.5, "375.00"),  # only what lies after 18:00
        ([("2026-10-21T12:00-05:00", "2026-10-21T14:30-05:00")], 1.5, "375.00"),  # the office closes at midday
        ([("2026-10-12T09:00-05:00", "2026-10-12T11:00-05:00")], 2, "500.00"),  # a holiday
        ([("2026-10-24T03:00-05:00", "2026-10-24T04:00:36-05:00")], 1.01, "252.50"),  # a Saturday; by the second
        ([("2026-10-24T03:00-05:00", "2026-10-24T05:00-05:00"), ("2026-10-24T04:00-05:00", "2026-10-24T06:00-05:00")],
         3, "750.00"),  # two people at one ticket
    ],
)  # fmt: skip
def test_wekall_bills_urgent_work_outside_hours(worked, hours, amount):
    spans = [span(*one) for one in worked]
    found = charge(WEKALL, "Urgente", "cliente", spans, spans[0][0], spans[-1][1])
    assert (found.worked_us / HOUR_US, found.amount, found.currency) == (hours, Decimal(amount), "USD")
    assert found.billed_us == max(found.worked_us, HOUR_US)


def test_what_is_not_billed():
    night = [span("2026-10-21T20:00-05:00", "2026-10-21T23:00-05:00")]
    by_day = [span("2026-10-21T08:00-05:00", "2026-10-21T12:00-05:00")]
    for version, priority, cause, worked in (
        (WEKALL, "Alta", "cliente", night), (WEKALL, "Urgente", "plataforma", night), (WEKALL, "Urgente", None, night),
        (WEKALL, "Urgente", "tercero", night), (WEKALL, "Urgente", "cliente", by_day),
        (WEKALL, "Urgente", "cliente", []), (CALLMYWAY, "Urgente", "cliente", night),
    ):  # fmt: skip
        assert charge(version, priority, cause, worked, night[0][0] - HOUR_US * 24, night[0][1]) is None


def test_what_a_report_holds():
    assert missing(WEKALL, RECORD) == ("contact",)
    assert missing(WEKALL, replace(RECORD, contact="300", title="")) == ("title",)
    assert missing(CALLMYWAY, RECORD) == ("extension", "direction", "counterpart", "occurred")
    whole = replace(RECORD, extension="101", direction="outgoing", counterpart="5551234", occurred_us=1)
    assert missing(CALLMYWAY, whole) == ()
    assert missing(CALLMYWAY, replace(RECORD, kind="request")) == ()
    assert (WEKALL.report.attention_from, CALLMYWAY.report.attention_from) == ("opened", "complete")


def test_what_is_said_in_words():
    for version in (WEKALL, CALLMYWAY):
        assert all(version.meaning(priority) for priority in PRIORITIES)
        assert {"incident", "request"} <= set(version.types)
        assert version.steps
    assert "problem" in WEKALL.types
    assert "S1" not in (CALLMYWAY.meaning("Urgente") or "")
    assert WEKALL.meaning("S1") is None


def test_closing_and_ways_in():
    assert (WEKALL.closing.survey, WEKALL.closing.after_resolved_us) == (True, 48 * HOUR_US)
    assert (CALLMYWAY.closing.categorised, CALLMYWAY.closing.confirmation) == (True, True)
    assert (WEKALL.intake["portal"].calendar, WEKALL.intake["email"].resent) == ("always", "another")
    assert (CALLMYWAY.intake["phone"].calendar, CALLMYWAY.intake["email"].calendar) == ("call_centre", "always")
    assert [level.name for level in WEKALL.levels] == [
        "single point of contact", "customer service", "support service manager", "director of operations",
    ]  # fmt: skip
    assert [(level.name, level.calendar) for level in CALLMYWAY.levels] == [
        ("L1", "call_centre"), ("L2", None), ("L3", None),
    ]  # fmt: skip


def test_warnings_come_at_three_quarters_unless_a_contract_says_otherwise():
    rule = CALLMYWAY.clock("incident", "solution", "Urgente")
    assert rule.warn_percent == 75
    assert rule.warns(10 * HOUR_US) == 10 * HOUR_US - rule.budget_us // 4
