"""Calendars and clocks against a wall clock counted by the minute, and against their own laws, in changing zones."""

import functools
import itertools
from datetime import date
from zoneinfo import ZoneInfo

import holidays
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sereno.clock import SECOND_US, parse_instant, to_datetime
from sereno.contract import Calendar, ClockRule, month_bounds
from sereno.contract.clock import merged

MINUTE = 60 * SECOND_US
HOUR = 60 * MINUTE
DAY = 24 * HOUR
FROM = parse_instant("2024-01-01T00:00Z")
TO = parse_instant("2028-01-01T00:00Z")
ZONES = (
    "America/Bogota", "America/Costa_Rica", "America/New_York", "America/Santiago", "America/Havana", "Europe/Madrid",
    "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu", "America/Mexico_City", "UTC",
)  # fmt: skip
instants = st.integers(FROM, TO)
quick = settings(deadline=None)  # the machine is shared; a slow example is no wrong one
budgets = st.integers(0, 100 * HOUR)


@st.composite
def day_hours(draw, earliest=0, latest=24 * 60):
    marks = sorted(draw(st.sets(st.integers(earliest, latest), min_size=2, max_size=6)))
    return tuple(zip(marks[::2], marks[1::2], strict=False))


@st.composite
def calendars(draw, zones=ZONES, earliest=0, latest=24 * 60):
    if draw(st.integers(0, 9)) == 0:
        return Calendar(draw(st.sampled_from(zones)))
    week = [draw(st.one_of(st.just(()), day_hours(earliest, latest))) for _ in range(7)]
    assume(any(week))
    return Calendar(draw(st.sampled_from(zones)), tuple(week), draw(st.sampled_from([None, "CO", "CR", "MX"])))


@functools.cache
def table(country, year):
    return frozenset(holidays.country_holidays(country, years=year))


def open_on_the_wall(calendar, at_us):
    """What a person with a wall clock and a table of holidays says."""
    if calendar.week is None:
        return True
    local = to_datetime(at_us).astimezone(ZoneInfo(calendar.timezone))
    if calendar.holidays and local.date() in table(calendar.holidays, local.year):
        return False
    minute = local.hour * 60 + local.minute
    return any(opens <= minute < closes for opens, closes in calendar.week[local.weekday()])


# by day, clocks change nowhere: the wall clock is the whole truth there
@settings(max_examples=60, deadline=None)
@given(calendars(earliest=5 * 60, latest=22 * 60), instants, st.integers(0, 3 * 24 * 60))
def test_elapsed_is_a_count_of_open_minutes(calendar, start, minutes):
    start -= start % MINUTE
    counted = sum(open_on_the_wall(calendar, start + i * MINUTE) for i in range(minutes))
    assert calendar.elapsed(start, start + minutes * MINUTE) == counted * MINUTE


@quick
@given(calendars(earliest=5 * 60, latest=22 * 60), instants)
def test_open_is_what_the_wall_clock_says(calendar, at_us):
    assert calendar.is_open(at_us) is open_on_the_wall(calendar, at_us)


@quick
@given(calendars(zones=("America/Bogota", "America/Costa_Rica", "Asia/Kathmandu", "UTC")), instants)
def test_open_is_what_the_wall_clock_says_at_night_too_where_it_never_changes(calendar, at_us):
    assert calendar.is_open(at_us) is open_on_the_wall(calendar, at_us)


@quick
@given(calendars(), instants, budgets)
def test_adding_a_budget_uses_exactly_that_budget(calendar, start, budget):
    due = calendar.add(start, budget)
    assert due >= start
    assert calendar.elapsed(start, due) == budget


@quick
@given(calendars(), instants, st.integers(1, 100 * HOUR))
def test_the_due_date_is_the_earliest(calendar, start, budget):
    due = calendar.add(start, budget)
    assert calendar.elapsed(start, due - 1) == budget - 1
    assert calendar.is_open(due - 1)


@quick
@given(calendars(), instants, budgets, budgets)
def test_a_larger_budget_is_never_due_earlier(calendar, start, one, more):
    assert calendar.add(start, one) <= calendar.add(start, one + more)


@quick
@given(calendars(), instants, st.integers(0, 20 * DAY), budgets)
def test_opening_later_is_never_due_earlier(calendar, start, later, budget):
    assert calendar.add(start, budget) <= calendar.add(start + later, budget)


@quick
@given(calendars(), instants, budgets, budgets)
def test_a_budget_may_be_added_in_two_parts(calendar, start, one, two):
    assert calendar.add(calendar.add(start, one), two) == calendar.add(start, one + two)


@quick
@given(calendars(), instants, st.lists(st.integers(0, 5 * DAY), max_size=5))
def test_elapsed_does_not_depend_on_where_it_is_cut(calendar, start, steps):
    cuts = [start]
    for step in steps:
        cuts.append(cuts[-1] + step)
    parts = sum(calendar.elapsed(a, b) for a, b in itertools.pairwise(cuts))
    assert parts == calendar.elapsed(start, cuts[-1])


@quick
@given(calendars(), instants, st.integers(0, 20 * DAY))
def test_elapsed_is_never_more_than_time(calendar, start, length):
    assert 0 <= calendar.elapsed(start, start + length) <= length
    assert calendar.elapsed(start + length, start) == 0 or length == 0


@quick
@given(calendars(), instants)
def test_the_next_opening_is_open_and_nothing_is_open_before_it(calendar, start):
    opening = calendar.next_open(start)
    assert calendar.is_open(opening)
    assert calendar.elapsed(start, opening) == 0


spans = st.tuples(st.integers(0, 10 * DAY), st.integers(0, 3 * DAY))


@quick
@given(calendars(), instants, st.integers(1, 60 * HOUR), st.lists(spans, max_size=5))
def test_with_pauses_the_budget_runs_exactly_outside_them(calendar, opened, budget, offsets):
    pauses = [(opened + begin, opened + begin + length) for begin, length in offsets]
    rule = ClockRule(calendar, budget)
    due = rule.due(opened, pauses)
    assert rule.used(opened, due, pauses) == budget
    assert rule.used(opened, due - 1, pauses) == budget - 1
    assert due >= rule.due(opened)
    assert rule.due(opened, list(reversed(pauses))) == due


@quick
@given(calendars(), instants, st.integers(1, 60 * HOUR), st.lists(spans, max_size=3), spans)
def test_one_more_pause_never_makes_it_due_earlier(calendar, opened, budget, offsets, extra):
    pauses = [(opened + begin, opened + begin + length) for begin, length in offsets]
    more = [*pauses, (opened + extra[0], opened + extra[0] + extra[1])]
    assert ClockRule(calendar, budget).due(opened, more) >= ClockRule(calendar, budget).due(opened, pauses)


@quick
@given(st.lists(st.tuples(st.integers(-50, 50), st.one_of(st.none(), st.integers(-50, 50))), max_size=8))
def test_merged_pauses_are_the_same_seconds_in_order_and_apart(pauses):
    found = list(merged(pauses, 0))
    inside = {second for a, b in pauses if b is not None for second in range(max(a, 0), b)}
    assert {second for a, b in found for second in range(a, b)} == inside
    assert all(b < c for (_, b), (c, _) in itertools.pairwise(found))


@quick
@given(st.sampled_from(ZONES), st.dates(date(2000, 1, 1), date(2037, 12, 1)))
def test_months_join_without_gap_or_overlap(zone, day):
    begin, end = month_bounds(zone, day.year, day.month)
    follows = month_bounds(zone, day.year + day.month // 12, day.month % 12 + 1)
    assert end == follows[0]
    where = ZoneInfo(zone)
    assert (to_datetime(begin).astimezone(where).month, to_datetime(end - 1).astimezone(where).month) == (
        day.month,
    ) * 2
    assert to_datetime(begin - 1).astimezone(where).month != day.month
