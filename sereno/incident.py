"""An incident as every room reads it: the desk's own record and the JSON that people and scripts see."""

from typing import Any, Literal

import msgspec

from sereno.clock import iso

IncidentState = Literal["open", "acknowledged", "in_progress", "resolved", "closed", "reopened", "merged"]
IncidentClass = Literal["service", "monitor"]
TicketKind = Literal["incident", "request"]
Blame = Literal["plataforma", "cliente", "proveedor", "tercero"]  # whose the cause was: decides what is billable
ClockName = Literal["attention", "solution"]
ClockStatus = Literal["running", "paused", "met", "missed"]
Priority = Literal["Urgente", "Alta", "Normal", "Baja"]

PRIORITIES: tuple[Priority, ...] = ("Urgente", "Alta", "Normal", "Baja")  # worst first
ACTIVE: frozenset[str] = frozenset({"open", "acknowledged", "in_progress", "reopened"})
STATES: tuple[str, ...] = ("open", "acknowledged", "in_progress", "reopened", "resolved", "closed", "merged")


class Element(msgspec.Struct, frozen=True):
    """A thing that is watched, by kind and name; a cause or a symptom."""

    kind: str
    name: str


class Symptom(msgspec.Struct, frozen=True, kw_only=True):
    """What the cause brought with it: an alarm on an element below it."""

    kind: str
    name: str
    alarm: str


class Clock(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One promise of one contract.

    `due_us` counts from the opening, or from `started_us`, where a graver priority began.
    `not_after_us` is the date that a graver promise took the place of; `ended_us` is when it stopped being owed.
    """

    contract: str
    clock: ClockName
    priority: Priority
    due_us: int
    state: ClockStatus
    customer: str | None = None
    severity: str | None = None
    ended_us: int | None = None
    started_us: int | None = None
    not_after_us: int | None = None


class Redate(msgspec.Struct, frozen=True, kw_only=True):
    """A solution date agreed anew (it went to development), with the reason that the customer was told."""

    at_us: int
    due_us: int
    reason: str
    who: str


class TimelineEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the append-only timeline."""

    at_us: int
    what: str
    who: str


class IncidentRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything the desk knows of an incident; the machine is rebuilt from these."""

    number: int
    state: IncidentState
    class_: IncidentClass = msgspec.field(name="class")
    priority: Priority
    priority_peak: Priority
    cause: Element
    title: str
    since_us: int
    opened_us: int
    severity: str | None = None
    title_id: str = ""  # the English message and its values: notifications in another language say the same
    title_values: dict[str, str] = {}
    alarm: str | None = None  # the alarm that speaks for the cause: its runbook line is the first step
    elements: tuple[Element, ...] = ()  # the cause's own parts: both cores of a dead service
    causes: tuple[Element, ...] = ()  # every cause it has had
    symptoms: tuple[Symptom, ...] = ()
    faults: tuple[Symptom, ...] = ()  # alarms that spoke of its causes: the same one again reopens it
    customers: dict[str, Priority] = {}  # the affected ones, each at the priority that it suffers
    clocks: tuple[Clock, ...] = ()
    pauses: tuple[tuple[int, int | None], ...] = ()
    good_us: int | None = None  # first good sample of the cause's last recovery, while it is being watched
    eased_us: int | None = None  # first good sample of the service or site whose outage made it Urgente
    acknowledged_us: int | None = None
    resolved_us: int | None = None
    resolved_at_us: int | None = None  # when it was decided; the reopening window counts from here
    closed_us: int | None = None
    merged_into: int | None = None
    assigned: str | None = None
    category: str | None = None
    closing_cause: str | None = None
    opened_by: str = "sereno"
    evidence: str | None = None
    pages: int = 0
    reopenings: int = 0
    reopened_us: int | None = None
    promoted_us: int | None = None  # last page of a promotion
    quiet_until_us: int | None = None  # a flapping cause has been announced: no page before this
    told_resolved: bool = True  # nobody still has to hear that it is over
    over_told: bool = True  # at the last reopening: people had heard that it was over
    policy: tuple[str, ...] = ()  # who is told, frozen at the opening
    kind: TicketKind = "incident"
    sites: tuple[str, ...] = ()  # the affected ones
    channel: str | None = None  # by which it came: monitor, phone, e-mail, portal, alertmanager
    reporter: str | None = None  # who asked for it, as people write him
    extension: str | None = None  # or user
    direction: Literal["incoming", "outgoing"] | None = None
    counterpart: str | None = None  # the other party's number
    occurred_us: int | None = None  # when it happened to the customer
    description: str | None = None
    complete_us: int | None = None  # when the report held all that the contract asks for; None: not yet, or not asked
    agreed_due_us: int | None = None
    redates: tuple[Redate, ...] = ()
    problem: int | None = None
    split_from: int | None = None
    version: int = 1
    timeline: tuple[TimelineEntry, ...] = ()


def encode_record(record: IncidentRecord) -> str:
    """The body that is stored; the timeline has its own table."""
    return msgspec.json.encode(msgspec.structs.replace(record, timeline=())).decode()


def decode_record(body: str, timeline: tuple[TimelineEntry, ...] = ()) -> IncidentRecord:
    """The record of a stored body and its timeline."""
    return msgspec.structs.replace(msgspec.json.decode(body, type=IncidentRecord), timeline=timeline)


def _iso(at_us: int | None) -> str | None:
    return None if at_us is None else iso(at_us)


def _symptoms(record: IncidentRecord) -> list[dict[str, Any]]:
    """One entry per element, with every alarm on it."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in record.symptoms:
        found.setdefault((one.kind, one.name), []).append(one.alarm)
    return [{"kind": kind, "name": name, "alarms": alarms} for (kind, name), alarms in found.items()]


def incident_json(record: IncidentRecord) -> dict[str, Any]:
    """The shape of `incidents --json`; what did not happen is null."""
    return {
        "number": record.number,
        "state": record.state,
        "class": record.class_,
        "priority": record.priority,
        "priority_peak": record.priority_peak,
        "severity": record.severity,
        "title": record.title,
        "cause": {
            "kind": record.cause.kind,
            "name": record.cause.name,
            "elements": [{"kind": part.kind, "name": part.name} for part in record.elements],
        },
        "symptoms": _symptoms(record),
        "customers": dict(record.customers),
        "since": iso(record.since_us),
        "opened": iso(record.opened_us),
        "acknowledged": _iso(record.acknowledged_us),
        "resolved": _iso(record.resolved_us),
        "closed": _iso(record.closed_us),
        "merged_into": record.merged_into,
        "assigned": record.assigned,
        "category": record.category,
        "closing_cause": record.closing_cause,
        "reopenings": record.reopenings,
        "evidence": record.evidence,
        "clocks": [
            {
                "contract": clock.contract,
                "customer": clock.customer,
                "clock": clock.clock,
                "priority": clock.priority,
                "severity": clock.severity,
                "due": iso(clock.due_us),
                "state": clock.state,
                "ended": _iso(clock.ended_us),
            }
            for clock in record.clocks
        ],
        "timeline": [{"at": iso(entry.at_us), "what": entry.what, "who": entry.who} for entry in record.timeline],
    }
