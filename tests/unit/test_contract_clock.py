"""Pauses, changes of clock time and months, by hand."""

from datetime import date, datetime

import pytest

from sereno.clock import SECOND_US, iso, parse_instant
from sereno.contract import Calendar, ClockRule, month_bounds
from sereno.contract.calendar import day_start_us, local_us

HOUR = 3_600 * SECOND_US
OFFICE = Calendar("America/Bogota", (((450, 750), (840, 1080)),) * 5 + ((), ()), "CO")


def at(text):
    return parse_instant(text)


def due(pauses, opened="2026-07-09T16:00-05:00", budget=4 * HOUR, calendar=OFFICE):
    return iso(ClockRule(calendar, budget).due(at(opened), [(at(a), b and at(b)) for a, b in pauses]))


def test_without_a_pause():
    assert due([]) == "2026-07-10T14:30:00.000000Z"  # 2 h on Thursday, 2 h from 07:30 on Friday: 09:30


def test_a_pause_while_the_calendar_runs_moves_the_due_date():
    assert due([("2026-07-09T16:30-05:00", "2026-07-09T17:00-05:00")]) == "2026-07-10T15:00:00.000000Z"


def test_a_pause_at_night_moves_nothing():
    assert due([("2026-07-09T18:00-05:00", "2026-07-10T07:30-05:00")]) == "2026-07-10T14:30:00.000000Z"


def test_pauses_that_overlap_count_once_in_any_order():
    pauses = [
        ("2026-07-09T16:45-05:00", "2026-07-09T17:00-05:00"),
        ("2026-07-09T16:30-05:00", "2026-07-09T16:50-05:00"),
        ("2026-07-09T16:30-05:00", "2026-07-09T16:30-05:00"),
        ("2026-07-09T10:00-05:00", "2026-07-09T15:00-05:00"),  # before the opening
    ]
    assert due(pauses) == "2026-07-10T15:00:00.000000Z"


def test_a_pause_that_began_before_the_opening_counts_from_it():
    assert due([("2026-07-09T10:00-05:00", "2026-07-09T16:30-05:00")]) == "2026-07-10T15:00:00.000000Z"


def test_a_pause_after_the_due_date_moves_nothing():
    assert due([("2026-07-10T09:30-05:00", "2026-07-10T12:00-05:00")]) == "2026-07-10T14:30:00.000000Z"


def test_an_open_pause_gives_the_earliest_date_that_it_can_still_be():
    assert due([("2026-07-09T16:30-05:00", None)]) == "2026-07-10T14:30:00.000000Z"


def test_time_used():
    rule = ClockRule(OFFICE, 4 * HOUR)
    pauses = [(at("2026-07-09T16:30-05:00"), at("2026-07-09T17:00-05:00"))]
    assert rule.used(at("2026-07-09T16:00-05:00"), at("2026-07-09T16:45-05:00"), pauses) == HOUR / 2
    assert rule.used(at("2026-07-09T16:00-05:00"), at("2026-07-09T17:30-05:00"), pauses) == HOUR
    open_pause = [(at("2026-07-09T16:30-05:00"), None)]
    assert rule.used(at("2026-07-09T16:00-05:00"), at("2026-07-10T16:00-05:00"), open_pause) == HOUR / 2


def night(zone):
    return Calendar(zone, (((60, 180),),) * 7)  # 01:00 to 03:00


@pytest.mark.parametrize(
    ("zone", "begin", "end", "open_hours"),
    [
        ("America/New_York", "2026-03-08T00:00-05:00", "2026-03-09T00:00-04:00", 1),  # 02:00 is skipped
        ("America/New_York", "2026-11-01T00:00-04:00", "2026-11-02T00:00-05:00", 3),  # 01:00 comes twice
        ("America/New_York", "2026-06-08T00:00-04:00", "2026-06-09T00:00-04:00", 2),
        ("America/Bogota", "2026-03-08T00:00-05:00", "2026-03-09T00:00-05:00", 2),
    ],
)
def test_nights_when_the_clocks_change(zone, begin, end, open_hours):
    assert night(zone).elapsed(at(begin), at(end)) == open_hours * HOUR


def test_a_skipped_local_time_is_the_instant_of_the_change():
    assert (
        iso(local_us("America/New_York", datetime.fromisoformat("2026-03-08T02:30"))) == "2026-03-08T07:00:00.000000Z"
    )
    assert (
        iso(local_us("America/New_York", datetime.fromisoformat("2026-11-01T01:30"))) == "2026-11-01T05:30:00.000000Z"
    )


def test_a_day_whose_midnight_is_skipped_begins_after_it():
    assert iso(day_start_us("America/Santiago", date(2026, 9, 6))) == "2026-09-06T04:00:00.000000Z"


@pytest.mark.parametrize(
    ("zone", "year", "month", "begin", "end"),
    [
        ("America/Bogota", 2026, 10, "2026-10-01T05:00:00.000000Z", "2026-11-01T05:00:00.000000Z"),
        ("America/Costa_Rica", 2026, 12, "2026-12-01T06:00:00.000000Z", "2027-01-01T06:00:00.000000Z"),
        ("Europe/Madrid", 2026, 3, "2026-02-28T23:00:00.000000Z", "2026-03-31T22:00:00.000000Z"),
        ("UTC", 2028, 2, "2028-02-01T00:00:00.000000Z", "2028-03-01T00:00:00.000000Z"),
    ],
)
def test_month_bounds(zone, year, month, begin, end):
    assert tuple(iso(moment) for moment in month_bounds(zone, year, month)) == (begin, end)


def test_a_month_that_gains_an_hour_is_longer():
    begin, end = month_bounds("Europe/Madrid", 2026, 10)
    assert end - begin == (31 * 24 + 1) * HOUR


def test_a_calendar_that_never_opens_cannot_be_made():
    with pytest.raises(ValueError, match="never opens"):
        Calendar("UTC", ((),) * 7)


def test_next_opening():
    assert OFFICE.next_open(at("2026-07-10T18:00-05:00")) == at("2026-07-14T07:30-05:00")  # Monday 13: holiday
    assert OFFICE.next_open(at("2026-07-09T08:00-05:00")) == at("2026-07-09T08:00-05:00")
    assert Calendar("UTC").next_open(5) == 5


@pytest.mark.parametrize(
    ("to", "hours", "expected"),
    [
        ("2026-07-09T09:30-05:00", 1, "2026-07-09T08:30-05:00"),
        ("2026-07-09T09:30-05:00", 2, "2026-07-08T18:00-05:00"),  # the evening before is as good as the morning
        ("2026-07-09T14:30-05:00", 1, "2026-07-09T12:00-05:00"),
        ("2026-07-14T08:00-05:00", 1, "2026-07-10T17:30-05:00"),  # over a weekend and a holiday
        ("2026-07-12T12:00-05:00", 0, "2026-07-10T18:00-05:00"),
        ("2026-07-09T12:30-05:00", 5, "2026-07-08T18:00-05:00"),
    ],
)
def test_the_earliest_instant_from_which_so_much_is_left(to, hours, expected):
    assert OFFICE.back(at(to), hours * HOUR) == at(expected)
    assert Calendar("UTC").back(at(to), hours * HOUR) == at(to) - hours * HOUR
