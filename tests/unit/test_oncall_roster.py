"""Who is on call: turns by the clock on the wall, stand-ins, calendar feeds, hours; never nobody."""

import pytest

from sereno.clock import parse_instant
from sereno.contract import load_contract
from sereno.desk import Desk, parse_desk
from sereno.oncall import Copy, Override, Roster, is_open, rungs_of
from sereno.oncall.feed import FeedError, shifts, window

HOUR = 3_600_000_000
DESK = """
contract: callmyway
channels: {hook: {webhook: "http://127.0.0.1:1/"}}
people:
  ana: {email: ana@example.net, channels: [hook]}
  leo: {email: leo@example.net, channels: [hook]}
  sol: {channels: [hook]}
rotas:
  r: {ROTA}
levels: [{name: L1, rota: r, people: [sol]}]
"""


def desk(rota: str, **changes: str) -> Desk:
    text = DESK.replace("{ROTA}", rota)
    for old, new in changes.items():
        text = text.replace(old, new)
    return parse_desk("desk.yaml", text.encode())


def duty(roster: Roster, at: str) -> tuple[tuple[str, ...], str, str | None]:
    at_us = parse_instant(at)
    (rung,) = rungs_of(roster.desk, load_contract("callmyway"), at_us)
    found = roster.duty(rung, at_us)
    return found.people, found.by, found.note


def who(rota: str, at: str) -> str:
    people, by, _ = duty(Roster(desk(rota)), at)
    assert by == "rota"
    return people[0]


WEEKLY = '{people: [ana, leo, sol], handover: "mon 08:00", start: 2026-03-02, timezone: America/New_York}'
DAILY = '{people: [ana, leo], turn: day, handover: "08:00", start: 2026-03-07, timezone: America/New_York}'


@pytest.mark.parametrize(
    ("at", "person"),
    [
        ("2026-03-02T07:59:59-05:00", "sol"),  # before the start the round is counted backwards
        ("2026-03-02T08:00:00-05:00", "ana"),
        ("2026-03-09T07:59:59-04:00", "ana"),  # summer time began on the 8th: a week of 167 hours
        ("2026-03-09T08:00:00-04:00", "leo"),
        ("2026-03-16T08:00:00-04:00", "sol"),
        ("2026-03-23T08:00:00-04:00", "ana"),
        ("2026-11-02T07:59:59-05:00", "leo"),  # week 34; it ended on the first of November: one of 169
        ("2026-11-02T08:00:00-05:00", "sol"),
    ],
)
def test_a_week_hands_over_at_eight_on_the_wall(at: str, person: str) -> None:
    assert who(WEEKLY, at) == person


@pytest.mark.parametrize(
    ("at", "person"),
    [
        ("2026-03-07T08:00:00-05:00", "ana"),
        ("2026-03-08T07:59:59-04:00", "ana"),  # this turn had 23 hours
        ("2026-03-08T08:00:00-04:00", "leo"),
        ("2026-03-09T08:00:00-04:00", "ana"),
    ],
)
def test_a_day_hands_over_at_eight_on_the_wall(at: str, person: str) -> None:
    assert who(DAILY, at) == person


def test_a_hand_over_at_an_hour_that_does_not_exist_comes_when_the_clock_has_jumped() -> None:
    rota = DAILY.replace("08:00", "02:30")
    assert who(rota, "2026-03-08T01:59:59-05:00") == "ana"
    assert who(rota, "2026-03-08T03:00:00-04:00") == "leo"


def test_until_when_and_who_follows() -> None:
    roster = Roster(desk(WEEKLY))
    at_us = parse_instant("2026-03-08T12:00:00-04:00")
    (rung,) = rungs_of(roster.desk, load_contract("callmyway"), at_us)
    assert roster.duty(rung, at_us).until_us == parse_instant("2026-03-09T08:00:00-04:00")
    later = roster.next_duty(rung, at_us)
    assert later is not None
    assert (later.people, later.from_us) == (("leo",), parse_instant("2026-03-09T08:00:00-04:00"))


def test_the_contracts_zone_counts_where_the_rota_has_none() -> None:
    rota = "{people: [ana, leo], turn: day, start: 2026-03-07}"  # callmyway: Costa Rica, UTC-6 all year
    assert who(rota, "2026-03-08T13:59:59Z") == "ana"
    assert who(rota, "2026-03-08T14:00:00Z") == "leo"


# -- stand-ins ---------------------------------------------------------------------------------------------------------


def override(number: int, person: str, begins: str, ends: str, level: str = "L1") -> Override:
    return Override(id=number, level=level, person=person, from_us=parse_instant(begins), to_us=parse_instant(ends))


def test_who_stands_in_is_on_call_alone_and_the_last_word_counts() -> None:
    asked = (
        override(2, "sol", "2026-03-03T12:00Z", "2026-03-03T14:00Z"),
        override(1, "leo", "2026-03-03T10:00Z", "2026-03-03T18:00Z"),
        override(3, "leo", "2026-03-03T00:00Z", "2026-03-09T00:00Z", level="L2"),
    )
    roster = Roster(desk(WEEKLY), "UTC", asked)
    assert duty(roster, "2026-03-03T09:59Z")[:2] == (("ana",), "rota")
    assert duty(roster, "2026-03-03T10:00Z")[:2] == (("leo",), "override")
    assert duty(roster, "2026-03-03T13:00Z")[:2] == (("sol",), "override")
    assert duty(roster, "2026-03-03T14:00Z")[:2] == (("leo",), "override")
    assert duty(roster, "2026-03-03T18:00Z")[:2] == (("ana",), "rota")


def test_a_turn_lasts_until_somebody_stands_in() -> None:
    roster = Roster(desk(WEEKLY), "UTC", (override(1, "leo", "2026-03-03T10:00Z", "2026-03-03T18:00Z"),))
    at_us = parse_instant("2026-03-03T00:00Z")
    (rung,) = rungs_of(roster.desk, load_contract("callmyway"), at_us)
    assert roster.duty(rung, at_us).until_us == parse_instant("2026-03-03T10:00Z")


def test_a_stand_in_who_left_the_desk_stands_in_no_more() -> None:
    roster = Roster(desk(WEEKLY), "UTC", (override(1, "eva", "2026-03-03T10:00Z", "2026-03-03T18:00Z"),))
    assert duty(roster, "2026-03-03T11:00Z")[0] == ("ana",)


# -- calendar feeds ----------------------------------------------------------------------------------------------------

FEED = "{icalendar: guardia.ics, timezone: America/Bogota}"


def calendar(*events: str, more: str = "") -> bytes:
    body = "".join(f"BEGIN:VEVENT\r\nDTSTAMP:20260101T000000Z\r\n{event}\r\nEND:VEVENT\r\n" for event in events)
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//x//ES\r\n{more}{body}END:VCALENDAR\r\n".encode()


def by_feed(raw: bytes, at: str, zone: str = "America/Bogota") -> tuple[tuple[str, ...], str, str | None]:
    at_us = parse_instant(at)
    found = shifts(raw, zone, *window(at_us))
    return duty(Roster(desk(FEED), zone, (), {"r": Copy(shifts=found, checked_us=at_us)}), at)


NEW_YORK = """BEGIN:VTIMEZONE\r
TZID:America/New_York\r
BEGIN:DAYLIGHT\r
TZOFFSETFROM:-0500\r
TZOFFSETTO:-0400\r
DTSTART:20070311T020000\r
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU\r
END:DAYLIGHT\r
BEGIN:STANDARD\r
TZOFFSETFROM:-0400\r
TZOFFSETTO:-0500\r
DTSTART:20071104T020000\r
RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU\r
END:STANDARD\r
END:VTIMEZONE\r
"""


def test_a_weekly_event_with_a_zone_keeps_its_local_hour() -> None:
    raw = calendar(
        "UID:1\r\nSUMMARY:Guardia: Ana\r\nDTSTART;TZID=America/New_York:20260302T080000\r\n"
        "DTEND;TZID=America/New_York:20260309T080000\r\nRRULE:FREQ=WEEKLY;INTERVAL=2",
        "UID:2\r\nSUMMARY:Guardia: Leo\r\nDTSTART;TZID=America/New_York:20260309T080000\r\n"
        "DTEND;TZID=America/New_York:20260316T080000\r\nRRULE:FREQ=WEEKLY;INTERVAL=2",
        more=NEW_YORK,
    )
    assert by_feed(raw, "2026-03-09T07:59:59-04:00")[:2] == (("ana",), "feed")
    assert by_feed(raw, "2026-03-09T08:00:00-04:00")[:2] == (("leo",), "feed")
    assert by_feed(raw, "2026-11-02T07:59:59-05:00")[0] != by_feed(raw, "2026-11-02T08:00:00-05:00")[0]


def test_people_are_named_by_attendee_or_by_a_word_of_the_summary() -> None:
    span = "DTSTART:20260302T000000Z\r\nDTEND:20260303T000000Z"
    at = "2026-03-02T12:00Z"
    assert by_feed(calendar(f"UID:1\r\nSUMMARY:L1\r\n{span}\r\nATTENDEE:mailto:LEO@example.net"), at)[0] == ("leo",)
    declined = "ATTENDEE;PARTSTAT=DECLINED:mailto:ana@example.net"
    two = calendar(f"UID:1\r\nSUMMARY:L1\r\n{span}\r\n{declined}\r\nATTENDEE;CN=sol:mailto:s@example.org")
    assert by_feed(two, at)[0] == ("sol",)
    assert by_feed(calendar(f"UID:1\r\nSUMMARY:turno de ana y leo\r\n{span}"), at)[0] == ("ana", "leo")
    assert by_feed(calendar(f"UID:1\r\nSUMMARY:susana\r\n{span}"), at)[:2] == (("sol",), "people")


def test_days_and_times_without_a_zone_are_local_and_cancelled_events_are_none() -> None:
    day = calendar("UID:1\r\nSUMMARY:ana\r\nDTSTART;VALUE=DATE:20260302\r\nDTEND;VALUE=DATE:20260303")
    assert by_feed(day, "2026-03-02T00:00:00-05:00")[0] == ("ana",)
    assert by_feed(day, "2026-03-03T00:00:00-05:00")[1] == "people"
    floating = calendar("UID:1\r\nSUMMARY:leo\r\nDTSTART:20260302T080000\r\nDTEND:20260302T200000")
    assert by_feed(floating, "2026-03-02T08:00:00-05:00")[0] == ("leo",)
    gone = calendar("UID:1\r\nSUMMARY:leo\r\nSTATUS:CANCELLED\r\nDTSTART:20260302T080000Z\r\nDTEND:20260302T200000Z")
    assert by_feed(gone, "2026-03-02T09:00:00Z")[1] == "people"


def test_exceptions_of_a_series_count() -> None:
    raw = calendar(
        "UID:1\r\nSUMMARY:ana\r\nDTSTART:20260302T080000Z\r\nDTEND:20260302T200000Z\r\nRRULE:FREQ=DAILY\r\n"
        "EXDATE:20260304T080000Z",
        "UID:1\r\nRECURRENCE-ID:20260305T080000Z\r\nSUMMARY:leo\r\nDTSTART:20260305T090000Z\r\nDTEND:20260305T200000Z",
    )
    assert [by_feed(raw, f"2026-03-0{day}T10:00Z")[0][0] for day in (2, 3, 4, 5, 6)] == [
        "ana", "ana", "sol", "leo", "ana",
    ]  # fmt: skip


def test_a_feed_that_fails_or_is_old_is_said_and_nobody_is_never_called() -> None:
    at = "2026-03-02T12:00Z"
    at_us = parse_instant(at)
    known = shifts(
        calendar("UID:1\r\nSUMMARY:ana\r\nDTSTART:20260301T000000Z\r\nDTEND:20260310T000000Z"), "UTC", *window(at_us)
    )
    never = duty(Roster(desk(FEED), "UTC", (), {"r": Copy(error="cannot be read: HTTP 500")}), at)
    assert never[:2] == (("sol",), "people")
    assert "never read" in (never[2] or "")
    old = Copy(shifts=known, checked_us=at_us - 30 * HOUR, error="cannot be read: HTTP 500")
    assert duty(Roster(desk(FEED), "UTC", (), {"r": old}), at) == (
        ("ana",), "feed", "{level}: the copy of rota {rota} is {hours} h old ({why})",
    )  # fmt: skip
    fresh = Copy(shifts=known, checked_us=at_us - HOUR)
    assert duty(Roster(desk(FEED), "UTC", (), {"r": fresh}), at) == (("ana",), "feed", None)
    assert duty(Roster(desk(FEED), "UTC", (), {"r": fresh}), "2026-03-10T00:00Z")[1] == "people"


@pytest.mark.parametrize(
    "raw", [b"", b"hello", b"BEGIN:VCALENDAR", b"\xff\xfe\x00", b"x" * 2_000_001,
            calendar("UID:1\r\nSUMMARY:x\r\nDTSTART:20260302T000000Z\r\nRRULE:FREQ=SECONDLY"),
            calendar("UID:1\r\nSUMMARY:x\r\nDTSTART:20260302T000000Z\r\nRRULE:FR\r\n EQ=MINUTELY")],
)  # fmt: skip
def test_what_is_no_calendar_is_one_fault(raw: bytes) -> None:
    with pytest.raises(FeedError) as fault:
        shifts(raw, "UTC", *window(parse_instant("2026-03-02T12:00Z")))
    assert "\n" not in str(fault.value)


# -- hours -------------------------------------------------------------------------------------------------------------


def test_a_levels_own_hours_and_its_contracts_holidays() -> None:
    hours = '{mon-fri: ["06:00-21:00"], sat-sun: ["07:00-17:00"], holidays: CR}'
    given = desk(WEEKLY, **{"rota: r, people: [sol]": f"people: [sol], calendar: {hours}"})
    (rung,) = rungs_of(given, load_contract("callmyway"), parse_instant("2026-03-02T12:00Z"))
    at = {
        "2026-03-02T05:59:59-06:00": False,
        "2026-03-02T06:00:00-06:00": True,
        "2026-03-07T16:59:59-06:00": True,
        "2026-03-07T17:00:00-06:00": False,
        "2026-04-03T12:00:00-06:00": False,
    }  # fmt: skip - Good Friday
    assert {text: is_open(rung, parse_instant(text)) for text in at} == at
