"""What the desk decides: frozen records that the service writes and sends, and that a replay prints."""

from typing import Literal

import msgspec

from alerting.escalation.step import StepChanged
from sereno.incident import IncidentRecord, TimelineEntry

What = Literal[
    "opened", "promoted", "reopened", "resolved", "found_late",
    "repaged", "escalated", "breach_warning", "breached", "assigned", "acknowledged", "digest", "audit", "test",
    "answered", "activity_late",
    "customer_opening", "customer_progress", "customer_question", "customer_solution", "customer_maintenance",
    "customer_report",
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


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One incident in a message that speaks of several."""

    what: What
    number: int
    title: str
    priority: str
    severity: str | None
    kind: str
    name: str
    since_us: int
    resolved_us: int | None = None
    url: str | None = None
    thread: str = ""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """A fact with its label, in the reader's language."""

    label: str
    text: str


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A form of an issued report, by reference: it is made when the message goes out."""

    issue: int
    form: str
    name: str


class Enclosure(msgspec.Struct, frozen=True, kw_only=True):
    """The file itself; never stored."""

    name: str
    type: str
    body: bytes


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one person by one channel; `key` makes it unique for ever.

    `thread` is the same for all messages of one incident, `episode` counts its reopenings. A digest has no incident
    but `items`.
    """

    key: str
    at_us: int
    incident: int | None
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
    service: str = ""
    thread: str = ""
    episode: int = 0
    title: str = ""
    since_us: int | None = None
    resolved_us: int | None = None
    rows: tuple[Row, ...] = ()
    step: str = ""
    runbook: str = ""
    short: str = ""
    items: tuple[Item, ...] = ()
    ack_url: str | None = None
    attachments: tuple[Attachment, ...] = ()
    enclosed: tuple[Enclosure, ...] = ()


class MessageAdded(msgspec.Struct, frozen=True, kw_only=True):
    """What was said to a customer's contact, or answered; of an incident, or of announced work."""

    at_us: int
    direction: Literal["out", "in"]
    kind: str
    who: str
    subject: str
    body: str
    number: int | None = None
    maintenance: int | None = None
    customer: str | None = None
    address: str | None = None
    outbox_key: str | None = None
    message_id: str | None = None


Effect = StepChanged | MessageAdded | AlarmRaised | AlarmCleared | IncidentChanged | TimelineAdded | Notification
