"""A month's compliance over whatever tickets there may be: every case once, in one place, and exact."""

import os
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sereno.clock import parse_instant
from sereno.compliance import Scope, alone, compliance_json, monthly
from sereno.contract import load_contract
from sereno.incident import Clock, Element, IncidentRecord, TimelineEntry

MORE = int(os.environ.get("SERENO_EXAMPLES", "1"))  # times as many examples
HOUR = 3_600_000_000
FROM = parse_instant("2026-10-01T06:00Z")  # midnight in Costa Rica
TO = parse_instant("2026-11-01T06:00Z")
NOW = parse_instant("2026-10-20T00:00Z")
CONTRACT = load_contract("callmyway")
SCOPE = Scope("acme")
instants = st.integers(FROM - 100 * HOUR, TO + 100 * HOUR)


@st.composite
def clocks(draw):
    state = draw(st.sampled_from(["running", "paused", "met", "missed"]))
    over = state == "met" or (state == "missed" and draw(st.booleans()))
    due_us = draw(instants)
    return Clock(
        contract="callmyway", customer=draw(st.sampled_from(["acme", "beta"])), due_us=due_us, state=state,
        clock=draw(st.sampled_from(["attention", "solution"])), priority=draw(st.sampled_from(["Urgente", "Alta"])),
        ended_us=due_us if over else None,
    )  # fmt: skip


@st.composite
def tickets(draw, number):
    lines = draw(st.lists(st.sampled_from(["sereno", "ana"]), max_size=3))
    resolved_us = draw(st.one_of(st.none(), st.just(NOW)))
    return IncidentRecord(
        number=number, state=draw(st.sampled_from(["open", "closed", "merged"])), priority="Alta", title="",
        class_=draw(st.sampled_from(["service", "service", "monitor"])), priority_peak="Alta",
        kind=draw(st.sampled_from(["incident", "request"])), cause=Element("service", "voz"), since_us=FROM,
        opened_us=FROM, resolved_us=resolved_us, resolved_at_us=resolved_us,
        clocks=tuple(draw(st.lists(clocks(), max_size=6))), opened_by=draw(st.sampled_from(["sereno", "ana"])),
        timeline=tuple(TimelineEntry(at_us=FROM, what="…", who=who) for who in lines),
        sites=draw(st.sampled_from([(), ("hq",), ("hq", "mall")])),
    )  # fmt: skip


months = st.integers(0, 12).flatmap(lambda count: st.tuples(*(tickets(number) for number in range(1, count + 1))))


def october(records, scope=SCOPE, now_us=NOW):
    return monthly(records, CONTRACT, scope, 2026, 10, now_us)


@settings(max_examples=30 * MORE, deadline=None)
@given(months)
def test_every_ticket_s_clock_is_one_case_in_one_place(records):
    found = october(records)
    every = [*found.cases, *found.pending, *found.alone]
    names = [(case.incident, case.clock) for case in every]
    assert len(names) == len(set(names))
    assert all(FROM <= case.due_us < TO for case in every)
    by_number = {record.number: record for record in records}
    for case in every:
        record = by_number[case.incident]
        lines = [one for one in record.clocks if (one.customer, one.clock) == ("acme", case.clock)]
        missed = any(one.state == "missed" or (one.state == "running" and one.due_us < NOW) for one in lines)
        assert record.class_ == "service"
        assert (case.outcome == "missed") == missed
        assert case.due_us in [one.due_us for one in lines]
        assert case.outcome != "alone" or alone(record)
        assert case.outcome not in {"running", "paused"} or any(one.ended_us is None for one in lines)


@settings(max_examples=30 * MORE, deadline=None)
@given(months)
def test_the_share_is_exact_and_never_shown_above_itself(records):
    found = october(records)
    met, missed = (sum(case.outcome == word for case in found.cases) for word in ("met", "missed"))
    told = compliance_json(found)
    assert (told["met"], told["missed"], told["total"]) == (met, missed, met + missed)
    if not met + missed:
        assert (told["percent"], told["verdict"]) == (None, "no_cases")
        return
    share = Fraction(100 * met, met + missed)
    assert 0 <= share - Fraction(str(told["percent"])) < Fraction(1, 10_000)
    assert (told["verdict"] == "met") == (share >= 98)
    assert sum(each["total"] for each in told["by_clock"]) == told["total"]
    assert sum(each["total"] for each in told["parts"]) == told["total"]


@settings(max_examples=30 * MORE, deadline=None)
@given(months, st.integers(1, 5))
def test_flapping_raises_nothing(records, times):
    """However often what was met is owed and met again, by the same dates, the month stays what it was."""
    again = [replace(one, clocks=one.clocks * times, reopenings=times) for one in records]
    assert october(again).tally == october(records).tally
    assert october(again).pending == october(records).pending


@settings(max_examples=30 * MORE, deadline=None)
@given(months)
def test_credits_name_what_they_are_for(records):
    found = october(records)
    missed = {case.incident for case in found.cases if case.outcome == "missed"}
    late = {case.incident for case in found.cases if case.outcome == "missed" and case.clock == "attention"}
    by = [credit for part in found.parts for credit in part.credits]
    assert {number for credit in by if credit.penalty == "late" for number in credit.incidents} == late
    shortfall = [credit for credit in by if credit.penalty == "shortfall"]
    assert bool(shortfall) == (found.verdict == "missed")
    assert all(set(credit.incidents) == missed for credit in shortfall)
    for site in ("hq", "mall"):
        mine = october(records, Scope("acme", site))
        assert {case.incident for case in mine.cases} <= {case.incident for case in found.cases}
        assert {c.site for part in mine.parts for c in part.credits} <= {site}
