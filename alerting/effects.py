"""What the desk decides: frozen records that the service writes and sends, and that a replay prints."""

from typing import Literal

import msgspec

from sereno.incident import IncidentRecord, TimelineEntry

What = Literal[
    "opened", "promoted", "reopened", "resolved", "found_late",
    "repaged", "escalated", "breach_warning", "breached", "assigned", "digest", "audit",
    "customer_opening", "customer_progress", "customer_question", "customer_solution", "customer_maintenance",
]  # fmt: skip


class AlarmRaised(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm fires; `from_us` is when its condition began by the samples."""

    alarm: str
    kind: str
    name: str
    from_us: int
    at_us: int


class AlarmCleared(msgspec.Struct, frozen=True, kw_only=True):
    """It no longer holds; `to_us` is the first good sample."""

    alarm: str
    kind: str
    name: str
    from_us: int
    to_us: int
    at_us: int


class IncidentChanged(msgspec.Struct, frozen=True, kw_only=True):
    """The whole record after a change."""

    record: IncidentRecord


class TimelineAdded(msgspec.Struct, frozen=True, kw_only=True):
    """One more line in an incident's timeline."""

    number: int
    entry: TimelineEntry


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one person by one channel; `key` makes it unique for ever."""

    key: str
    at_us: int
    incident: int
    what: What
    page: bool
    to: str
    channel: str
    address: str | None
    locale: str
    subject: str
    body: str
    priority: str
    severity: str | None
    kind: str
    name: str
    url: str | None = None


Effect = AlarmRaised | AlarmCleared | IncidentChanged | TimelineAdded | Notification
