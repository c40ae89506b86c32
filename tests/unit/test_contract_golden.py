"""Due dates worked out by hand, each also counted minute by minute on a wall clock."""

import pytest

from sereno.clock import parse_instant
from sereno.contract import load_contract, parse_contract
from tests.support import wallclock

MINUTE_US = 60_000_000
ANY = """
contract: mine
versions:
- effective: 2024-01-01
  timezone: {zone}
  availability: {{target_ppm: null}}
  maintenance: null
  calendars: {{hours: {hours}}}
  matrix: {{alto: [Urgente, Alta, Normal], medio: [Alta, Normal, Baja], bajo: [Normal, Baja, Baja]}}
  clocks: {{incident: {{solution: {{calendar: hours, Urgente: {budget}}}}}}}
  closing: {{confirmation: true}}
"""


def agrees(rule, opened, pauses, expected):
    calendar, opened_us = rule.calendar, parse_instant(opened)
    spans = [(parse_instant(begins), parse_instant(ends)) for begins, ends in pauses]
    found = rule.due(opened_us, spans)
    assert found == parse_instant(expected)
    minutes = rule.budget_us // MINUTE_US
    assert found == wallclock.due(
        calendar.timezone, calendar.week, calendar.holidays, opened_us, minutes, spans
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "priority", "opened", "expected"),
    [
        ("incident", "Baja", "2026-07-10T17:30-05:00", "2026-07-15T15:30-05:00"),  # Mon 13 July: Ley 2578 of 2026
        ("incident", "Urgente", "2026-10-21T12:00-05:00", "2026-10-21T14:30-05:00"),
        ("incident", "Urgente", "2026-10-24T03:00-05:00", "2026-10-26T08:30-05:00"),  # Saturday
        # the minutes of opening and closing
        ("incident", "Urgente", "2026-10-21T07:30-05:00", "2026-10-21T08:30-05:00"),
        ("incident", "Urgente", "2026-10-21T11:30-05:00", "2026-10-21T12:30-05:00"),
        ("incident", "Urgente", "2026-10-21T12:29-05:00", "2026-10-21T14:59-05:00"),
        ("incident", "Urgente", "2026-10-21T12:30-05:00", "2026-10-21T15:00-05:00"),
        ("incident", "Urgente", "2026-10-21T14:00-05:00", "2026-10-21T15:00-05:00"),
        ("incident", "Urgente", "2026-10-21T17:00-05:00", "2026-10-21T18:00-05:00"),
        ("incident", "Urgente", "2026-10-21T17:59-05:00", "2026-10-22T08:29-05:00"),
        ("incident", "Urgente", "2026-10-21T18:00-05:00", "2026-10-22T08:30-05:00"),
        ("incident", "Urgente", "2026-10-20T23:30Z", "2026-10-21T08:30-05:00"),  # 18:30 in Bogotá
        # the end of the year
        ("incident", "Alta", "2026-12-31T16:00-05:00", "2027-01-04T11:30-05:00"),
        ("request", "Baja", "2026-12-22T08:00-05:00", "2026-12-28T14:30-05:00"),
        ("incident", "Normal", "2028-02-28T17:00-05:00", "2028-02-29T18:00-05:00"),  # a leap day
        # Ley Emiliani: the holiday moves to Monday, its own day works
        ("incident", "Alta", "2026-01-09T16:00-05:00", "2026-01-13T11:30-05:00"),  # Epiphany on Mon 12
        ("incident", "Alta", "2026-01-05T16:00-05:00", "2026-01-06T11:30-05:00"),  # Tue 6 January works
        ("incident", "Normal", "2027-03-19T17:00-05:00", "2027-03-23T18:00-05:00"),  # Saint Joseph on Mon 22
        ("incident", "Alta", "2026-10-30T17:00-05:00", "2026-11-03T12:30-05:00"),  # All Saints on Mon 2
        ("request", "Urgente", "2026-11-13T14:00-05:00", "2026-11-17T11:30-05:00"),  # Cartagena on Mon 16
        ("request", "Normal", "2026-10-09T10:00-05:00", "2026-10-14T17:30-05:00"),  # Mon 12 October
        ("incident", "Alta", "2026-06-26T18:00-05:00", "2026-06-30T15:00-05:00"),  # Mon 29 June, its own day
        ("incident", "Urgente", "2026-06-05T17:30-05:00", "2026-06-09T08:00-05:00"),  # Corpus Christi on Mon 8
        ("incident", "Baja", "2026-06-12T17:30-05:00", "2026-06-17T15:30-05:00"),  # Sacred Heart on Mon 15
        # holidays that do not move
        ("incident", "Normal", "2026-04-01T16:00-05:00", "2026-04-06T17:00-05:00"),  # Thursday and Friday before Easter
        ("request", "Urgente", "2026-08-06T17:00-05:00", "2026-08-10T16:00-05:00"),  # Boyacá, a Friday
        ("incident", "Alta", "2026-12-07T16:30-05:00", "2026-12-09T12:00-05:00"),  # Tue 8 December
    ],
)
def test_wekall_s_first_responses(kind, priority, opened, expected):
    version = load_contract("wekall").at(parse_instant(opened))
    agrees(version.clock(kind, "attention", priority), opened, (), expected)


@pytest.mark.parametrize(
    ("clock", "word", "opened", "pauses", "expected"),
    [
        ("attention", "S1", "2026-12-31T23:30-06:00", (), "2027-01-01T00:30-06:00"),
        ("solution", "S1", "2026-12-31T23:30-06:00", (), "2027-01-01T02:30-06:00"),
        ("attention", "S2", "2026-12-31T23:30-06:00", (), "2027-01-01T01:00-06:00"),
        ("attention", "S3", "2028-02-29T23:00-06:00", (), "2028-03-01T01:00-06:00"),
        ("solution", "S4", "2026-04-03T22:00-06:00", (), "2026-04-04T02:00-06:00"),  # Good Friday runs on
        ("solution", "S2", "2026-10-09T16:00-06:00", [("2026-10-09T17:00-06:00", "2026-10-12T09:00-06:00")],
         "2026-10-12T12:00-06:00"),  # over a weekend
        ("solution", "S1", "2026-10-09T16:00-06:00",
         [("2026-10-09T17:00-06:00", "2026-10-09T17:30-06:00"), ("2026-10-09T18:00-06:00", "2026-10-10T08:00-06:00")],
         "2026-10-10T09:30-06:00"),
    ],
)  # fmt: skip
def test_callmyway_s_clocks(clock, word, opened, pauses, expected):
    version = load_contract("callmyway").at(parse_instant(opened))
    agrees(version.clock("incident", clock, version.priority_named(word)), opened, pauses, expected)


CR = '{mon-fri: ["08:00-17:00"], holidays: CR}'
MX = '{mon-fri: ["09:00-18:00"], holidays: MX}'
CO = '{mon-fri: ["07:30-12:30", "14:00-18:00"], holidays: CO}'
OFFICE = '{mon-fri: ["09:00-17:00"]}'
NIGHTS = '{mon-sun: ["00:00-06:00"]}'


@pytest.mark.parametrize(
    ("zone", "hours", "budget", "opened", "pauses", "expected"),
    [
        ("America/Costa_Rica", CR, "4h", "2026-09-14T16:00-06:00", (), "2026-09-16T11:00-06:00"),  # Tue 15 September
        ("America/Costa_Rica", CR, "10h", "2027-03-24T15:00-06:00", (), "2027-03-29T16:00-06:00"),  # before Easter
        ("America/Mexico_City", MX, "3h", "2026-11-13T17:00-06:00", (), "2026-11-17T11:00-06:00"),  # third Monday
        ("America/Mexico_City", MX, "2h", "2026-01-30T17:30-06:00", (), "2026-02-03T10:30-06:00"),  # first Monday
        # clocks that change
        ("America/Santiago", "24x7", "4h", "2026-04-04T22:00-03:00", (), "2026-04-05T01:00-04:00"),
        ("America/Santiago", '{sat: ["00:00-24:00"]}', "25h", "2026-04-03T12:00-03:00", (),
         "2026-04-05T00:00-04:00"),  # a Saturday of 25 hours
        ("America/Santiago", '{sun: ["00:00-24:00"]}', "23h", "2026-09-05T12:00-04:00", (),
         "2026-09-07T00:00-03:00"),  # a Sunday of 23, that has no midnight
        ("America/Santiago", OFFICE, "3h", "2026-09-04T16:00-04:00", (), "2026-09-07T11:00-03:00"),
        ("America/New_York", OFFICE, "3h", "2026-03-06T16:00-05:00", (), "2026-03-09T11:00-04:00"),
        ("Europe/Madrid", NIGHTS, "5h", "2026-03-28T23:00+01:00", (), "2026-03-29T06:00+02:00"),
        ("Europe/Madrid", NIGHTS, "7h", "2026-10-24T23:00+02:00", (), "2026-10-25T06:00+01:00"),
        # pauses: across a weekend with a holiday, across the midday closing, by night, at the last minute
        ("America/Bogota", CO, "4h", "2026-10-09T11:00-05:00",
         [("2026-10-09T15:00-05:00", "2026-10-13T10:00-05:00")], "2026-10-13T11:30-05:00"),
        ("America/Bogota", CO, "4h", "2026-10-21T11:00-05:00",
         [("2026-10-21T12:00-05:00", "2026-10-21T15:00-05:00")], "2026-10-21T18:00-05:00"),
        ("America/Bogota", CO, "4h", "2026-10-21T16:00-05:00",
         [("2026-10-21T18:00-05:00", "2026-10-22T07:30-05:00")], "2026-10-22T09:30-05:00"),
        ("America/Bogota", CO, "1h", "2026-10-21T11:30-05:00",
         [("2026-10-21T12:29-05:00", "2026-10-21T12:30-05:00")], "2026-10-21T14:01-05:00"),
        ("America/Santiago", OFFICE, "8h", "2026-04-03T15:00-03:00",
         [("2026-04-03T16:00-03:00", "2026-04-06T10:00-04:00")], "2026-04-06T17:00-04:00"),
    ],
)  # fmt: skip
def test_other_calendars(zone, hours, budget, opened, pauses, expected):
    text = ANY.format(zone=zone, hours=hours, budget=budget)
    version = parse_contract("mine", text.encode()).at(parse_instant(opened))
    agrees(version.clock("incident", "solution", "Urgente"), opened, pauses, expected)


MOVED = (
    ANY.format(zone="America/Bogota", hours=CO, budget="4h")
    + """
- effective: 2026-06-01
  timezone: America/Mexico_City
  availability: {target_ppm: null}
  maintenance: null
  calendars: {hours: {mon-fri: ["09:00-18:00"], holidays: MX}}
  matrix: {alto: [Urgente, Alta, Normal], medio: [Alta, Normal, Baja], bajo: [Normal, Baja, Baja]}
  clocks: {incident: {solution: {calendar: hours, Urgente: 2h}}}
  closing: {confirmation: true}
"""
)


@pytest.mark.parametrize(
    ("opened", "expected"),
    [
        ("2026-05-29T16:00-05:00", "2026-06-01T09:30-05:00"),  # of the old version, in its zone, to the end
        ("2026-05-31T23:59-06:00", "2026-06-01T11:30-05:00"),  # the new one begins at its own midnight
        ("2026-06-01T00:00-06:00", "2026-06-01T11:00-06:00"),
    ],
)
def test_a_version_that_moves_to_another_zone(opened, expected):
    version = parse_contract("mine", MOVED.encode()).at(parse_instant(opened))
    agrees(version.clock("incident", "solution", "Urgente"), opened, (), expected)
