"""Whatever a calendar feed holds: shifts, or the one documented error; nothing else, and not for long."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sereno.clock import parse_instant
from sereno.oncall.feed import FeedError, shifts, window

AT_US = parse_instant("2026-03-02T12:00Z")
LINES = st.sampled_from([
    "SUMMARY:ana", "SUMMARY;LANGUAGE=es:", "DTSTART:20260302T000000Z", "DTSTART;VALUE=DATE:20260302", "DTSTART:2026",
    "DTSTART;TZID=Nowhere/City:20260302T000000", "DTEND:20260303T000000Z", "DTEND:20250303T000000Z", "DURATION:-PT1H",
    "DURATION:P9999999W", "RRULE:FREQ=DAILY", "RRULE:FREQ=WEEKLY;UNTIL=20260401", "RRULE:FREQ=NEVER", "RRULE:",
    "RRULE:FREQ=YEARLY;BYMONTH=13", "EXDATE:20260303T000000Z", "RDATE:20260304T000000Z",
    "RECURRENCE-ID:20260302T000000Z",
    "ATTENDEE:mailto:ana@example.net", "ATTENDEE;CN=:x", "ATTENDEE;PARTSTAT=DECLINED:mailto:x", "UID:1", "UID:2",
    "STATUS:CANCELLED", 'X-NOISE;A="b:c":d', "BEGIN:VALARM", "END:VALARM", "SEQUENCE:x", ":", "\u00fc\u0000",
])  # fmt: skip
EVENTS = st.lists(st.lists(LINES, max_size=7), max_size=4)


def read(raw: bytes) -> None:
    try:
        found = shifts(raw, "America/Bogota", *window(AT_US))
    except FeedError as error:
        fault = str(error)
    else:
        fault = "-"
        assert all(one.from_us < one.to_us for one in found)
        assert all(isinstance(name, str) for one in found for name in one.names)
    assert fault
    assert "\n" not in fault


@settings(max_examples=150, deadline=2_000)
@given(EVENTS)
def test_lines_of_calendars_in_any_order(events: list[list[str]]) -> None:
    body = "".join("BEGIN:VEVENT\r\n" + "\r\n".join(lines) + "\r\nEND:VEVENT\r\n" for lines in events)
    read(f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{body}END:VCALENDAR\r\n".encode())


@settings(max_examples=100, deadline=2_000)
@given(st.binary(max_size=300))
@example(b"BEGIN:VCALENDAR\nEND:VCALENDAR\nBEGIN:VCALENDAR\nEND:VCALENDAR")
def test_any_bytes(raw: bytes) -> None:
    read(raw)
