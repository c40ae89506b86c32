"""A month's compliance: what counts, once; what stands apart; what falls short and is discounted."""

from decimal import Decimal
from fractions import Fraction

import pytest

from sereno.activity import Activity
from sereno.clock import parse_instant
from sereno.compliance import Scope, compliance_json, monthly
from sereno.contract import load_contract, parse_contract
from sereno.incident import Clock, Element, IncidentRecord, TimelineEntry

SCOPE = Scope("acme")
AMOUNTS = b"""
contract: mine
versions:
- &v
  effective: 2026-01-01
  timezone: America/Costa_Rica
  availability: {target_ppm: 999900}
  maintenance: null
  calendars: {always: 24x7}
  matrix: {alto: [Urgente, Alta, Normal], medio: [Alta, Normal, Baja], bajo: [Normal, Baja, Baja]}
  clocks: {incident: {attention: {calendar: always, Alta: 1h}, solution: {calendar: always, Alta: 4h}}}
  closing: {confirmation: true}
  compliance:
    target_percent: 98
    credits:
      currency: USD
      shortfall: {amount: 12.5}
      late: {invoice: site, amount: 40}
      activities: {percent: 1.5}
"""
LATER = b"""
- <<: *v
  effective: 2026-10-16
  compliance: {target_percent: 60, credits: null}
"""
SAME = b"""
- <<: *v
  effective: 2026-10-16
  closing: {after_resolved: 48h}
"""


def at(text):
    return parse_instant(text)


def clock(name="attention", due="2026-10-10T12:00-06:00", state="met", ended="2026-10-10T11:00-06:00", **more):
    return Clock(
        contract="mine", customer=more.pop("customer", "acme"), clock=name, priority=more.pop("priority", "Alta"),
        severity="S2", due_us=at(due), state=state, ended_us=ended and at(ended), **more,
    )  # fmt: skip


def ticket(number, *clocks, **more):
    facts = {
        "state": "closed", "class_": "service", "priority": "Alta", "priority_peak": "Alta", "title": "",
        "cause": Element("core", "core-a"), "since_us": at("2026-10-10T10:00-06:00"),
        "opened_us": at("2026-10-10T10:00-06:00"), "resolved_us": at("2026-10-10T11:00-06:00"), "sites": ("hq",),
        "acknowledged_us": at("2026-10-10T10:20-06:00"),
    }  # fmt: skip
    return IncidentRecord(number=number, clocks=tuple(clocks), **(facts | more))


def month(*records, contract=None, scope=SCOPE, now="2026-12-01T00:00Z", activities=(), which=(2026, 10)):
    promised = contract or parse_contract("mine", AMOUNTS)
    return monthly(records, promised, scope, *which, at(now), activities)


def test_a_month_without_cases_is_no_cases_and_never_a_hundred_percent():
    found = compliance_json(month())
    assert (found["percent"], found["verdict"], found["total"]) == (None, "no_cases", 0)
    assert found["parts"][0]["shortfall_percent"] is None
    assert found["credits"] == []
    assert found["amount"] is None


def test_met_and_missed_of_both_clocks_and_kinds():
    records = [
        ticket(1, clock(), clock("solution")),
        ticket(2, clock(state="missed"), clock("solution"), kind="request"),
    ]
    found = compliance_json(month(*records))
    assert (found["met"], found["missed"], found["percent"], found["verdict"]) == (3, 1, 75.0, "missed")
    assert [(one["kind"], one["clock"], one["met"], one["missed"]) for one in found["by_clock"]] == [
        ("incident", "attention", 1, 0), ("incident", "solution", 1, 0),
        ("request", "attention", 0, 1), ("request", "solution", 1, 0),
    ]  # fmt: skip
    assert [(one["incident"], one["outcome"]) for one in found["cases"]] == [
        (1, "met"), (1, "met"), (2, "missed"), (2, "met"),
    ]  # fmt: skip


def test_the_month_is_the_contract_s_own_and_of_the_due_date():
    first = "2026-10-01T00:00-06:00"
    records = [
        ticket(1, clock(due=first)),
        ticket(2, clock(due="2026-09-30T23:59:59-06:00")),
        ticket(3, clock(due="2026-10-31T23:59:59-06:00", ended="2026-09-01T00:00Z")),  # met before the month began
        ticket(4, clock(due="2026-11-01T00:00-06:00")),
    ]
    assert [case.incident for case in month(*records).cases] == [1, 3]


def test_a_reopened_incident_counts_once_whatever_it_went_through():
    lines = [clock("solution", priority="Urgente", started_us=place) for place in range(10)]
    found = month(ticket(1, clock(), *lines, clock("solution"), reopenings=10))
    assert [(case.clock, case.outcome) for case in found.cases] == [("attention", "met"), ("solution", "met")]
    late = month(ticket(1, *lines, clock("solution", state="missed", due="2026-10-02T00:00Z"), *lines))
    assert [(case.outcome, case.due_us) for case in late.cases] == [("missed", at("2026-10-02T00:00Z"))]
    twice = [clock("solution", state="missed", due=f"2026-10-{day}T00:00Z") for day in ("09", "05", "07")]
    assert [case.due_us for case in month(ticket(1, *twice)).cases] == [at("2026-10-05T00:00Z")]


def test_what_recovered_without_anybody_s_work_stands_apart():
    said = (TimelineEntry(at_us=at("2026-10-10T10:00-06:00"), what="abierto", who="sereno"),)
    found = month(ticket(1, clock(), clock("solution"), acknowledged_us=None, timeline=said), ticket(2, clock()))
    assert [case.incident for case in found.cases] == [2]
    assert [(case.incident, case.clock) for case in found.alone] == [(1, "attention"), (1, "solution")]
    assert compliance_json(found)["recovered_alone"][0]["outcome"] == "alone"


@pytest.mark.parametrize(
    "worked",
    [
        {"opened_by": "ana"},
        {"timeline": (TimelineEntry(at_us=at("2026-10-10T10:30-06:00"), what="nota: reinicio", who="ana"),)},
        {"acknowledged_us": at("2026-10-10T10:30-06:00")},
    ],
)
def test_somebody_worked_on_it(worked):
    found = month(ticket(1, clock(), **({"acknowledged_us": None} | worked)))
    assert [case.outcome for case in found.cases] == ["met"]


def test_what_customers_write_is_no_work_of_the_desk():
    said = tuple(
        TimelineEntry(at_us=at("2026-10-10T10:30-06:00"), what="¿y?", who=who) for who in ("eva@acme.example", "correo")
    )
    assert month(ticket(1, clock(), acknowledged_us=None, timeline=said)).alone


def test_a_word_written_when_it_was_over_is_no_work():
    later = (TimelineEntry(at_us=at("2026-10-11T10:00-06:00"), what="cerrado", who="ana"),)
    assert month(ticket(1, clock(), acknowledged_us=None, timeline=later)).alone


def test_nobody_came_in_time_though_it_recovered_by_itself():
    found = month(ticket(1, clock(state="missed"), acknowledged_us=None))
    assert [case.outcome for case in found.cases] == ["missed"]


def test_what_is_not_decided_yet_is_pending_and_what_passed_is_missed():
    running = ticket(1, clock(state="running", ended=None), state="open", resolved_us=None)
    found = month(running, now="2026-10-10T11:00-06:00")
    assert ([case.outcome for case in found.pending], found.cases, found.over) == (["running"], (), False)
    found = month(running, now="2026-10-10T13:00-06:00")
    assert [case.outcome for case in found.cases] == ["missed"]
    paused = month(ticket(1, clock("solution", state="paused", ended=None)))
    assert [case.outcome for case in paused.pending] == ["paused"]


def test_a_merged_ticket_leaves_its_solution_to_the_other():
    gone = ticket(1, clock(), clock("solution"), state="merged", merged_into=2)
    assert [(case.incident, case.clock) for case in month(gone, ticket(2, clock("solution"))).cases] == [
        (1, "attention"), (2, "solution"),
    ]  # fmt: skip


def test_monitor_tickets_other_customers_and_what_was_found_late_count_nothing():
    records = [
        ticket(1, clock(), class_="monitor"),
        ticket(2, clock(customer="other")),
        ticket(3, opened_by="ledger", acknowledged_us=None),
    ]
    assert month(*records).cases == ()


def test_a_site_counts_its_own():
    records = [ticket(1, clock()), ticket(2, clock(state="missed"), sites=("hq", "branch"))]
    assert [case.incident for case in month(*records, scope=Scope("acme", "branch")).cases] == [2]
    assert [case.incident for case in month(*records, scope=Scope("acme", "hq")).cases] == [1, 2]


def test_the_three_penalties():
    records = [ticket(number, clock()) for number in range(1, 8)]
    records += [
        ticket(8, clock(state="missed"), sites=("hq", "branch")),
        ticket(9, clock("solution", state="missed")),  # late, but attended in time
        ticket(10, clock(state="missed"), sites=()),
    ]
    due = at("2026-10-20T00:00Z")
    agreed = [
        Activity(id=1, customer="acme", what="informe", due_us=due, who="k", recorded_us=0),
        Activity(id=2, customer="acme", what="simulacro", due_us=due, done_us=due + 1, who="k", recorded_us=0),
        Activity(id=3, customer="acme", what="visita", due_us=due, done_us=due, who="k", recorded_us=0),
        Activity(id=4, customer="acme", what="otra", due_us=due, who="k", recorded_us=0, cancelled_us=due - 1),
        Activity(id=5, customer="other", what="ajena", due_us=due, who="k", recorded_us=0),
    ]
    found = month(*records, activities=agreed)
    assert found.parts[0].shortfall == 28
    assert [
        (one.penalty, one.invoice, one.site, one.units, one.amount, one.percent, one.incidents, one.activities)
        for one in found.parts[0].credits
    ] == [
        ("shortfall", "general", None, Decimal(28), Decimal("350.00"), None, (8, 9, 10), ()),
        ("activities", "general", None, Decimal(2), None, Decimal(3), (), (1, 2)),
        ("late", "site", "branch", Decimal(1), Decimal("40.00"), None, (8,), ()),
        ("late", "site", "hq", Decimal(1), Decimal("40.00"), None, (8,), ()),
        ("late", "site", None, Decimal(1), Decimal("40.00"), None, (10,), ()),
    ]
    assert [one.id for one in found.activities] == [1, 2, 3]
    branch = month(*records, scope=Scope("acme", "branch"), activities=agreed)
    assert [(one.penalty, one.site) for one in branch.parts[0].credits] == [("late", "branch")]
    assert branch.activities == ()


def test_no_invoice_is_lowered_below_nothing():
    text = AMOUNTS.replace(b"shortfall: {amount: 12.5}", b"shortfall: {percent: 2}")
    found = month(ticket(1, clock(state="missed")), contract=parse_contract("mine", text))
    assert [(one.units, one.percent) for one in found.parts[0].credits[:1]] == [(Decimal(98), Decimal(100))]


def test_without_amounts_there_are_figures_and_no_money():
    found = month(ticket(1, clock(state="missed")), contract=load_contract("callmyway"))
    told = compliance_json(found)
    assert [(one["penalty"], one["units"], one["amount"], one["invoice_percent"]) for one in told["credits"]] == [
        ("shortfall", 98.0, None, None), ("late", 1.0, None, None),
    ]  # fmt: skip
    assert told["amount"] is None


def test_a_contract_without_a_target_gets_figures_without_a_verdict():
    found = month(ticket(1, clock(state="missed")), contract=load_contract("wekall"))
    assert (found.verdict, found.tally.share, found.parts[0].shortfall) == ("no_target", 0, None)


def test_what_misses_the_target_by_a_hair_never_reads_as_if_it_met_it():
    records = [ticket(number, clock()) for number in range(1, 9_800)] + [
        ticket(number, clock(state="missed")) for number in range(9_800, 10_001)
    ]
    found = month(*records)
    assert found.tally.share == Fraction(9799, 100)
    assert found.verdict == "missed"
    assert compliance_json(found)["percent"] == 97.99
    exactly = month(*[ticket(n, clock()) for n in range(98)], *[ticket(n, clock(state="missed")) for n in (98, 99)])
    assert exactly.verdict == "met"
    assert exactly.parts[0].credits[0].penalty == "late"


def test_a_month_that_spans_two_versions_judges_each_part_by_its_own_terms():
    records = [
        ticket(1, clock(due="2026-10-15T23:59-06:00", state="missed")),
        ticket(2, clock(due="2026-10-16T00:00-06:00")),
    ]
    found = month(*records, contract=parse_contract("mine", AMOUNTS + LATER))
    assert [(part.target_percent, part.verdict, len(part.credits)) for part in found.parts] == [
        (98, "missed", 2), (60, "met", 0),
    ]  # fmt: skip
    told = compliance_json(found)
    assert (told["percent"], told["target_percent"], told["verdict"]) == (50.0, None, "missed")
    same = month(*records, contract=parse_contract("mine", AMOUNTS + SAME))
    assert [(part.tally.met, part.tally.missed) for part in same.parts] == [(1, 1)]
