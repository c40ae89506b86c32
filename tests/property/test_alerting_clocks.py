"""An incident's clocks through pauses, priorities, new dates and merges, against a wall clock read by the minute."""

import os

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from alerting import clocks
from sereno.clock import parse_instant
from sereno.contract import Calendar, load_contract, parse_contract
from sereno.contract.model import PRIORITIES
from sereno.incident import Element, IncidentRecord, Redate
from tests.support import wallclock

MORE = int(os.environ.get("SERENO_EXAMPLES", "1"))  # times as many examples
MINUTE = 60_000_000
HOUR = 60 * MINUTE
FROM, TO = parse_instant("2026-01-01T00:00Z"), parse_instant("2027-01-01T00:00Z")
OFFICE = (((450, 750), (840, 1080)),) * 5 + ((), ())
BUDGETS = {"Urgente": 60, "Alta": 160, "Normal": 400, "Baja": 700}
TEXT = """
contract: mine
versions:
- effective: 2020-01-01
  timezone: America/Bogota
  availability: {target_ppm: null}
  maintenance: null
  calendars: {office: {mon-fri: ["07:30-12:30", "14:00-18:00"], holidays: CO}}
  matrix: {alto: [Urgente, Alta, Normal], medio: [Alta, Normal, Baja], bajo: [Normal, Baja, Baja]}
  report: {incident: [description], attention_from: complete}
  clocks:
    incident:
      attention: {calendar: office, Urgente: 60m, Alta: 160m, Normal: 400m, Baja: 700m}
      solution: {calendar: office, Urgente: 60m, Alta: 160m, Normal: 400m, Baja: 700m}
  closing: {confirmation: true}
"""
CONTRACTS = {"mine": parse_contract("mine", TEXT.encode()), "callmyway": load_contract("callmyway")}
WHOSE = ("mine", "acme")
opened = st.integers(FROM // MINUTE, TO // MINUTE).map(lambda minute: minute * MINUTE)
priorities = st.sampled_from(PRIORITIES)
spans = st.lists(st.tuples(st.integers(1, 900), st.integers(1, 3_000)), max_size=4)
shared = settings(max_examples=20 * MORE, deadline=None)


def incident(opened_us, priority="Normal", **more):
    record = IncidentRecord(
        number=1, state="in_progress", class_="service", priority=priority, priority_peak=priority,
        cause=Element("service", "voz"), title="", since_us=opened_us, opened_us=opened_us, opened_by="ana",
        **({"complete_us": opened_us} | more),
    )  # fmt: skip
    return replace(record, clocks=clocks.owed(record, {WHOSE: priority}, CONTRACTS, opened_us, None))


def of(record, name="solution"):
    return [one for one in record.clocks if one.clock == name]


def count(opened_us, minutes, pauses=()):
    return wallclock.due("America/Bogota", OFFICE, "CO", opened_us, minutes, pauses)


def paused(record, at_us):
    record = replace(record, clocks=clocks.passed(record, at_us), pauses=(*record.pauses, (at_us, None)))
    return replace(record, clocks=clocks.repaused(record, CONTRACTS, paused=True))


def resumed(record, at_us):
    record = replace(record, pauses=(*record.pauses[:-1], (record.pauses[-1][0], at_us)))
    return replace(record, clocks=clocks.repaused(record, CONTRACTS, paused=False))


def through(record, steps):
    """The record after these pauses, each so many minutes after the last ended; those that come too late left out."""
    now_us = record.opened_us
    for wait, length in steps:
        begins = now_us + wait * MINUTE
        if begins > of(record)[-1].due_us:
            break
        now_us = begins + length * MINUTE
        record = resumed(paused(record, begins), now_us)
    return record


@shared
@given(opened, priorities, spans)
def test_pauses_one_after_the_other_leave_what_was_left(opened_us, priority, steps):
    record = through(incident(opened_us, priority), steps)
    assert of(record)[0].due_us == count(opened_us, BUDGETS[priority], record.pauses)
    assert of(record, "attention")[0].due_us == count(opened_us, BUDGETS[priority])  # never paused
    assert clocks.due(CONTRACTS["mine"], "solution", priority, record) == of(record)[0].due_us


@settings(max_examples=10 * MORE, deadline=None)
@given(opened, priorities, spans, st.integers(0, 3_000))
def test_people_change_the_priority_and_it_counts_from_the_opening(opened_us, first, steps, later):
    record = through(incident(opened_us, first), steps)
    now_us = (record.pauses[-1][1] if record.pauses else opened_us) + later * MINUTE
    record = replace(record, clocks=clocks.passed(record, now_us))
    before = {one.clock: one for one in record.clocks}
    for wanted in PRIORITIES:
        after = clocks.reprioritised(record, {WHOSE: wanted}, CONTRACTS)
        assert [one.clock for one in after] == ["attention", "solution"]
        for one in after:
            old = before[one.clock]
            fresh = count(opened_us, BUDGETS[wanted], record.pauses if one.clock == "solution" else ())
            if old.state == "missed":
                assert one == old
            elif clocks.heavier(wanted, first):
                assert one.due_us == min(fresh, old.due_us)
            else:
                assert one.due_us == (fresh if wanted != first else old.due_us)
            assert old.state == "missed" or one.priority == wanted


@shared
@given(opened, priorities, spans)
def test_people_are_warned_when_a_quarter_is_left(opened_us, priority, steps):
    record = through(incident(opened_us, priority), steps)
    clock = of(record)[0]
    assert clock.warn_us <= clock.due_us
    if clock.warned_us is None:
        assert clock.warn_us == count(opened_us, BUDGETS[priority] - BUDGETS[priority] // 4, record.pauses)


@shared
@given(opened, priorities, st.integers(0, 500), st.booleans())
def test_attention_waits_for_the_complete_report(opened_us, priority, minutes, answered):
    record = incident(opened_us, priority, complete_us=None)
    assert [one.clock for one in record.clocks] == ["solution"]
    complete_us = opened_us + minutes * MINUTE
    record = replace(record, complete_us=complete_us, acknowledged_us=opened_us + MINUTE if answered else None)
    record = replace(record, clocks=clocks.owed(record, {WHOSE: priority}, CONTRACTS, complete_us, None))
    clock = of(record, "attention")[0]
    assert clock.due_us == count(complete_us, BUDGETS[priority])
    assert clock.state == ("met" if answered else "running")


@shared
@given(opened, st.integers(1, 3_000), st.integers(1, 20_000), st.integers(1, 900), st.integers(1, 3_000))
def test_a_date_agreed_anew_stands_and_pauses_move_it(opened_us, when, ahead, wait, length):
    record = incident(opened_us, "Normal")
    at_us = opened_us + when * MINUTE
    record = replace(record, clocks=clocks.passed(record, at_us))
    late = of(record)[0].state == "missed"
    redate = Redate(at_us=at_us, due_us=at_us + ahead * MINUTE, reason="a desarrollo", who="ana")
    record = clocks.redated(record, redate, {WHOSE: "Normal"}, CONTRACTS)
    found = of(record)
    assert [one.state for one in found] == (["missed", "running"] if late else ["running"])
    assert (found[-1].due_us, found[-1].agreed, record.agreed_due_us) == (redate.due_us, True, redate.due_us)
    assert not late or found[0].ended_us == at_us
    begins = at_us + wait * MINUTE
    if begins > redate.due_us:
        return
    calendar = CONTRACTS["mine"].versions[0].calendar("office")
    record = resumed(paused(record, begins), begins + length * MINUTE)
    left = calendar.elapsed(begins, redate.due_us)
    assert calendar.elapsed(begins + length * MINUTE, of(record)[-1].due_us) == left
    # what the monitor or a person says later of it keeps the date
    assert clocks.reprioritised(record, {WHOSE: "Baja"}, CONTRACTS)[-1].due_us == of(record)[-1].due_us


@shared
@given(opened, opened, priorities, priorities, st.booleans(), st.integers(0, 2_000))
def test_a_merge_meets_no_solution_and_loses_no_promise(one_us, other_us, first, second, answered, minutes):
    at_us = max(one_us, other_us) + minutes * MINUTE
    gone, into = incident(one_us, first), incident(other_us, second)
    if answered:
        into = replace(into, acknowledged_us=other_us, clocks=clocks.end(into, frozenset({"attention"}), other_us))
    gone, into = (replace(one, clocks=clocks.passed(one, at_us)) for one in (gone, into))
    kept, stays = clocks.merged(gone, into, at_us)
    assert all(one.ended_us is not None for one in kept)
    answer, awaited = of(gone, "attention")[0], of(into, "attention")[0]
    still = [one for one in stays if one.clock == "attention" and one.ended_us is None]
    assert [one.clock for one in kept if one.state == "met"] == (
        ["attention"] if answered and answer.state == "running" else []
    )
    if not answered and "missed" not in {answer.state, awaited.state}:
        assert [one.due_us for one in still] == [min(answer.due_us, awaited.due_us)]
    owed = [one for one in stays if one.clock == "solution" and one.ended_us is None]
    mine, theirs = of(gone)[0], of(into)[0]
    if "missed" not in {mine.state, theirs.state}:
        assert [one.due_us for one in owed] == [min(mine.due_us, theirs.due_us)]
    assert sum(one.state == "missed" for one in (*kept, *stays)) >= sum(
        one.state == "missed" for one in (*gone.clocks, *into.clocks)
    )


@settings(deadline=None)
@given(
    st.sampled_from(["America/Bogota", "America/Santiago", "Europe/Madrid", "UTC"]), st.booleans(),
    st.integers(FROM, TO), st.integers(0, 40 * HOUR),
)  # fmt: skip
def test_back_is_the_earliest_instant_with_no_more_than_that_left(zone, always, to_us, rest_us):
    calendar = Calendar(zone, None if always else OFFICE, None if always else "CO")
    found = calendar.back(to_us, rest_us)
    assert calendar.elapsed(found, to_us) == rest_us
    assert calendar.elapsed(found - 1, to_us) == rest_us + 1 or rest_us == 0


@settings(max_examples=60 * MORE, deadline=None)
@given(opened, priorities, st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 4)), max_size=8))
def test_each_warning_and_each_miss_is_said_once_in_order(opened_us, priority, steps):
    """However time comes (by the minute, or in one leap after everything was off), each clock says each thing once."""
    record, now_us, said = incident(opened_us, priority), opened_us, []
    for wait, act in steps:
        now_us += wait * MINUTE
        while (due_us := clocks.next_due_us(record)) is not None and due_us <= now_us:
            after = replace(record, clocks=clocks.passed(record, due_us))
            said += [("warned", one.clock) for one in clocks.warned_since(record, after)]
            said += [("missed", one.clock) for one in clocks.missed_since(record, after)]
            assert after != record
            record = after
        if act == 1 and not (record.pauses and record.pauses[-1][1] is None):
            record = paused(record, now_us)
        elif act == 2 and record.pauses and record.pauses[-1][1] is None:
            record = resumed(record, now_us)
        elif act == 3:
            record = replace(
                record, acknowledged_us=now_us, clocks=clocks.end(record, frozenset({"attention"}), now_us)
            )
        elif act == 4 and not (record.pauses and record.pauses[-1][1] is None):
            record = replace(record, clocks=clocks.end(record, frozenset({"attention", "solution"}), now_us))
            record = replace(record, clocks=clocks.again(record))
    assert len(said) == len(set(said))
    for name in ("attention", "solution"):
        assert [what for what, clock in said if clock == name] in ([], ["warned"], ["warned", "missed"])
