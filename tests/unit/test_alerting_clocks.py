"""What a change of priority does to the promises of a contract."""

import pytest
from msgspec.structs import replace

from alerting import clocks
from sereno.clock import SECOND_US, parse_instant
from sereno.contract import load_contract
from sereno.incident import Element, IncidentRecord, Redate

HOUR_US = 3_600 * SECOND_US
OPENED_US = parse_instant("2026-11-02T12:00:00Z")
CONTRACTS = {"callmyway": load_contract("callmyway")}
WHOSE = ("callmyway", "acme")


@pytest.fixture
def record():
    return IncidentRecord(
        number=1, state="open", class_="service", priority="Alta", priority_peak="Alta",
        cause=Element("core", "core-a"), title="", since_us=OPENED_US, opened_us=OPENED_US,
    )  # fmt: skip


def after(record, priority, hours, better_hours=None):
    """The record once it suffers at this priority, some hours after the opening; clocks already missed are marked."""
    now_us = OPENED_US + round(hours * HOUR_US)
    better_us = None if better_hours is None else OPENED_US + round(better_hours * HOUR_US)
    record = replace(record, clocks=clocks.passed(record, now_us))
    return replace(record, clocks=clocks.owed(record, {WHOSE: priority}, CONTRACTS, now_us, better_us))


def at_hour(count):
    return OPENED_US + count * HOUR_US


def solutions(record):
    return [
        (one.priority, (one.due_us - OPENED_US) / HOUR_US, one.state)
        for one in record.clocks
        if one.clock == "solution"
    ]


def test_worse_counts_from_the_worsening(record):
    record = after(after(record, "Alta", 0), "Urgente", 0.5)
    assert solutions(record) == [("Urgente", 3.5, "running")]


def test_worse_never_puts_off_what_was_promised(record):
    record = after(after(record, "Alta", 0), "Urgente", 2)
    assert solutions(record) == [("Urgente", 4.0, "running")]


def test_a_service_that_dies_days_after_its_core_is_not_missed_at_birth(record):
    record = after(after(record, "Alta", 0), "Urgente", 72)
    assert solutions(record) == [("Alta", 4.0, "missed"), ("Urgente", 75.0, "running")]
    assert [one.ended_us for one in record.clocks] == [OPENED_US + 72 * HOUR_US, None]


def test_service_back_in_time_meets_its_clock_and_the_old_miss_goes_on(record):
    record = after(after(record, "Alta", 0), "Urgente", 72)
    record = after(record, "Alta", 73, better_hours=72.9)
    assert solutions(record) == [("Urgente", 75.0, "met"), ("Alta", 4.0, "missed")]
    assert [one.ended_us for one in record.clocks] == [OPENED_US + round(72.9 * HOUR_US), None]


def test_both_dead_at_once_then_one_core_left_dead(record):
    record = after(after(record, "Urgente", 0), "Alta", 0.2, better_hours=0.17)
    assert solutions(record) == [("Urgente", 3.0, "met"), ("Alta", 4.0, "running")]


def test_stopped_exactly_when_due_is_in_time(record):
    record = after(record, "Alta", 0)
    due_us = record.clocks[-1].due_us
    assert [clocks.end(record, frozenset({"solution"}), at)[-1].state for at in (due_us, due_us + 1)] == [
        "met",
        "missed",
    ]
    told = replace(record, clocks=clocks.passed(record, due_us))
    assert told.clocks[-1].state == "running"
    assert clocks.next_due_us(told) == due_us + 1


def test_solved_while_the_customer_s_answer_is_waited_for_is_in_time(record):
    record = after(replace(record, opened_by="ana"), "Alta", 0)
    record = replace(record, pauses=((OPENED_US + HOUR_US, None),))
    record = replace(record, clocks=clocks.repaused(record, CONTRACTS, paused=True))
    ended = clocks.end(record, frozenset({"solution"}), OPENED_US + 90 * HOUR_US)
    assert [(one.clock, one.state) for one in ended] == [("solution", "met")]


def test_who_joins_later_is_owed_the_agreed_date_as_it_was_moved(record):
    """The new date was agreed while an answer was waited for; only what of the pause came after it moves it."""
    record = after(replace(record, opened_by="ana"), "Alta", 0)
    record = replace(record, pauses=((at_hour(1), None),))
    record = replace(record, clocks=clocks.repaused(record, CONTRACTS, paused=True))
    agreed = Redate(at_us=at_hour(2), due_us=at_hour(20), reason="a desarrollo", who="ana")
    record = clocks.redated(record, agreed, {WHOSE: "Alta"}, CONTRACTS)
    record = replace(record, pauses=((at_hour(1), at_hour(5)),))
    record = replace(record, clocks=clocks.repaused(record, CONTRACTS, paused=False))
    joined = clocks.owed(record, {WHOSE: "Alta", ("callmyway", "beta"): "Alta"}, CONTRACTS, at_hour(6), None)
    assert {(one.due_us, one.agreed) for one in joined if one.clock == "solution"} == {(at_hour(23), True)}
    assert {one.customer for one in joined} == {"acme", "beta"}


def test_a_question_asked_too_late_undoes_no_miss(record):
    record = after(replace(record, opened_by="ana"), "Alta", 0)
    record = replace(record, clocks=clocks.passed(record, at_hour(5)), pauses=((at_hour(5), None),))
    paused = clocks.repaused(record, CONTRACTS, paused=True)
    record = replace(record, clocks=paused, pauses=((at_hour(5), at_hour(9)),))
    again = clocks.repaused(record, CONTRACTS, paused=False)
    assert [(one.state, one.due_us) for one in (*paused, *again)] == [("missed", at_hour(4))] * 2
