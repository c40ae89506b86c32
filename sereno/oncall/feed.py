"""iCalendar feeds (RFC 5545): bytes in, shifts out; whatever is wrong with them is one FeedError.

An event is a shift. It names people by ATTENDEE (mail address or common name) and by its SUMMARY.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events

from sereno.clock import from_datetime, to_datetime
from sereno.contract.calendar import local_us
from sereno.oncall.shift import Shift

LIMIT_BYTES = 2_000_000
LIMIT_SHIFTS = 5_000
_TOO_OFTEN = re.compile(rb"FREQ=(SECONDLY|MINUTELY)", re.IGNORECASE)  # no rota, but hours of computing


class FeedError(Exception):
    """It is no calendar that can be read; `str()` says why in one line."""


def shifts(raw: bytes, zone: str, from_us: int, to_us: int) -> tuple[Shift, ...]:
    """Every shift that touches [from, to), recurrences spelt out, in order."""
    if len(raw) > LIMIT_BYTES:
        raise FeedError(f"is larger than {LIMIT_BYTES} bytes")
    if _TOO_OFTEN.search(raw.replace(b"\r\n ", b"").replace(b"\n ", b"")):
        raise FeedError("holds an event that repeats by the minute: that is no rota")
    try:
        calendar = icalendar.Calendar.from_ical(raw)
        events = recurring_ical_events.of(calendar).between(to_datetime(from_us), to_datetime(to_us))
        found = sorted(_read(events, zone), key=lambda one: (one.from_us, one.to_us, one.names))
    except Exception as error:  # noqa: BLE001 - the libraries raise anything at all on what strangers wrote
        raise FeedError(f"is no calendar: {_words(error)}") from None
    if len(found) > LIMIT_SHIFTS:
        raise FeedError(f"holds more than {LIMIT_SHIFTS} shifts in so much time")
    return tuple(found)


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__


def _read(events: Any, zone: str) -> Iterator[Shift]:
    for event in events:
        if event.name != "VEVENT" or str(event.get("STATUS", "")).upper() == "CANCELLED":
            continue
        begins, ends = event.start, event.end
        from_us, to_us = _instant(begins, zone), _instant(ends, zone)
        if from_us < to_us:
            yield Shift(from_us=from_us, to_us=to_us, names=tuple(_names(event)))


def _instant(moment: date | datetime, zone: str) -> int:
    """A date is the local midnight; a time without a zone is the rota's own (§3.3.5, form 1)."""
    if not isinstance(moment, datetime):
        return local_us(zone, datetime.combine(moment, time()))
    if moment.tzinfo is None:
        return local_us(zone, moment)
    return from_datetime(moment.astimezone(ZoneInfo("UTC")))


def _names(event: Any) -> Iterator[str]:
    attendees = event.get("ATTENDEE", [])
    for attendee in attendees if isinstance(attendees, list) else [attendees]:
        if str(attendee.params.get("PARTSTAT", "")).upper() == "DECLINED":
            continue
        yield str(attendee)
        if "CN" in attendee.params:
            yield str(attendee.params["CN"])
    if event.get("SUMMARY") is not None:
        yield str(event["SUMMARY"])


def window(at_us: int) -> tuple[int, int]:
    """The time for which a copy's shifts are spelt out around an instant."""
    day = round(timedelta(days=1).total_seconds()) * 1_000_000
    return at_us - 2 * day, at_us + 70 * day
