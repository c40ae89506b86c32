"""Words that the acts use in timelines: names of fields, local times, spans of time."""

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from alerting.words import say
from sereno.clock import SECOND_US, to_datetime

FIELDS = {
    "title": "title", "channel": "channel", "reporter": "who reports it", "contact": "contact",
    "extension": "extension or user", "direction": "incoming or outgoing", "counterpart": "counterpart's number",
    "occurred": "date and time", "occurred_us": "date and time", "description": "description", "category": "category",
    "cause": "cause", "urgency": "urgency", "impact": "impact", "customers": "customers", "sites": "sites",
}  # fmt: skip


def field_names(language: str, names: Iterable[str]) -> str:
    """Fields as people name them, with commas."""
    return ", ".join(say(language, FIELDS[name]) for name in names)


def local(at_us: int, zone: str) -> str:
    """`2026-07-10 17:30 -05:00`: the wall clock of a zone, with its offset so that nobody has to guess."""
    moment = to_datetime(at_us).astimezone(ZoneInfo(zone))
    offset = moment.strftime("%z")
    return f"{moment:%Y-%m-%d %H:%M} {offset[:3]}:{offset[3:5]}"


def hours(span_us: int) -> str:
    """`1 h`, `1 h 30 min`."""
    minutes = span_us // (60 * SECOND_US)
    parts = [f"{minutes // 60} h" if minutes >= 60 else "", f"{minutes % 60} min" if minutes % 60 else ""]  # noqa: PLR2004
    return " ".join(part for part in parts if part) or "0 min"
