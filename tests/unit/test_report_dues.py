"""Which monthly reports are due when: in the contract's zone, once, and not for having saved a file."""

from datetime import UTC, datetime

import pytest

from alerting.reports.dues import UNSEALED_US, dues, in_force_since, ready
from sereno.clock import from_datetime
from sereno.contract import load_contract
from sereno.desk.reports import Reports, Schedule
from sereno.topology import parse_topology

TOPOLOGY = parse_topology(
    "t",
    b"""
service: acme-voice
cores: {core-a: {uri: "sip:127.0.2.1"}}
sbcs: {sbc-1: {addresses: ["sip:127.0.1.1"], primary: core-a}}
customers:
  acme: {name: Acme, contract: callmyway, locale: es_CR, contacts: [noc@acme.example, "+5062222", boss@acme.example]}
  beta: {name: Beta, contract: wekall, locale: en_US}
sites:
  acme-sjo: {customer: acme, sbcs: [sbc-1]}
""",
)
CONTRACTS = {name: load_contract(name) for name in ("callmyway", "wekall")}


def us(text):
    return from_datetime(datetime.fromisoformat(text).astimezone(UTC))


def due(now, **schedule):
    reports = Reports(schedules=(Schedule(**schedule),))
    return dues(reports, TOPOLOGY, CONTRACTS, us(now))


def test_every_customer_with_contacts_that_mail_reaches_by_default():
    (one,) = due("2026-11-02T08:00-06:00")
    assert (one.customer, one.site, one.month, one.language) == ("acme", None, "2026-10", "es")
    assert one.to == ("noc@acme.example", "boss@acme.example")
    assert one.ends_us == us("2026-11-01T00:00-06:00")


@pytest.mark.parametrize(
    ("now", "count"),
    [
        ("2026-11-02T07:59-06:00", 0),
        ("2026-11-02T14:00+00:00", 1),  # the same instant as 8:00 in Costa Rica
        ("2026-11-30T23:59-06:00", 1),  # the monitor was off for weeks
        ("2026-12-01T00:00-06:00", 0),  # November's is not due yet, October's is no longer
    ],
)
def test_the_hour_is_the_contracts(now, count):
    assert len(due(now)) == count


def test_january_speaks_of_december():
    assert due("2027-01-05T12:00-06:00")[0].month == "2026-12"


def test_sites_have_reports_of_their_own_and_others_may_get_them():
    found = due("2026-11-05T00:00Z", sites=("acme-sjo",), customers=("beta",), to=("x@y.example", "x@y.example"))
    assert [(one.customer, one.site, one.language) for one in found] == [
        ("beta", None, "en"),
        ("acme", "acme-sjo", "es"),
    ]
    assert found[0].to == ("x@y.example",)
    assert found[0].key("X@y.example") == "report/beta/-/2026-10/full/en/pdf/x@y.example"


def test_who_has_nobody_to_write_to_gets_none():
    assert due("2026-11-05T00:00Z", customers=("beta",)) == []


def test_a_schedule_written_after_its_hour_waits_for_the_next_month():
    reports = Reports(schedules=(Schedule(),))
    now_us = us("2026-11-20T00:00Z")
    assert len(dues(reports, TOPOLOGY, CONTRACTS, now_us, {0: us("2026-11-01T00:00Z")})) == 1
    assert dues(reports, TOPOLOGY, CONTRACTS, now_us, {0: us("2026-11-19T00:00Z")}) == []


def test_since_when_a_schedule_has_been_in_force():
    old, new = Schedule(day=2), Schedule(day=3)
    desks = [(50, (old, new)), (40, (new, old)), (30, (old,)), (20, ()), (10, (old, new))]
    assert in_force_since((old, new), desks) == {0: 30, 1: 40}
    assert in_force_since((old,), []) == {}


def test_the_month_must_stand():
    (one,) = due("2026-11-02T08:00-06:00")
    assert not ready(one, one.due_us, sealed=False)
    assert ready(one, one.due_us, sealed=True)
    assert ready(one, one.due_us + UNSEALED_US, sealed=False)
