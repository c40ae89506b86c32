"""The desk's own record of an incident, a request or a monitor's ticket."""

from typing import Literal

import msgspec

from sereno.incident.change import PlatformChange
from sereno.incident.rung import Rung

IncidentState = Literal["open", "acknowledged", "in_progress", "resolved", "closed", "reopened", "merged"]
IncidentClass = Literal["service", "monitor"]
TicketKind = Literal["incident", "request"]
Blame = Literal["plataforma", "cliente", "proveedor", "tercero"]  # whose the cause was: decides what is billable
CustomerWord = Literal["opening", "solution"]
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

    `due_us` counts from the opening, or from `started_us`, where a graver priority began; `ended_us` is when it
    stopped being owed. From `warn_us` on people are warned, once: at `warned_us`. `agreed`: by a date agreed anew.
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
    warn_us: int | None = None
    warned_us: int | None = None
    agreed: bool = False


class Redate(msgspec.Struct, frozen=True, kw_only=True):
    """A solution date agreed anew (it went to development), with the reason that the customer was told."""

    at_us: int
    due_us: int
    reason: str
    who: str


class Billing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What its contract's rule makes of the work on it: `rule` in words, work outside hours, and what that costs."""

    billable: bool
    rule: str
    seconds: int = 0  # of work that the rule bills, its minimum applied
    amount: float | None = None
    currency: str | None = None


class Survey(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the customer thought of the service."""

    at_us: int
    score: int
    who: str
    comment: str | None = None


class Guide(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What its alarm means and what to do, in one language, as it was declared then."""

    meaning: str = ""
    first_step: str = ""
    runbook: tuple[str, ...] = ()


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
    contact: str | None = None  # whom to call back, and how
    urgency: str | None = None  # as people judged them: with the contract's matrix they gave the priority
    impact: str | None = None
    problem: int | None = None
    changes: tuple[PlatformChange, ...] = ()  # what was changed shortly before it began
    split_from: int | None = None
    split_off: tuple[str, ...] = ()  # customers that a split gave to another incident
    absorbed: tuple[Element, ...] = ()  # causes of other incidents that a person merged into this one
    told_customers: dict[str, CustomerWord] = {}  # the last word that each customer's contacts were sent
    asked_us: int | None = None  # the question to the customer that waits for its answer
    confirmed_us: int | None = None  # the customer said that it is solved
    billing: Billing | None = None  # once its cause is known
    survey: Survey | None = None
    rungs: tuple[Rung, ...] = ()  # the levels of escalation, frozen at the opening
    told: tuple[str, ...] = ()  # everybody who was told of it so far
    guide: dict[str, Guide] = {}  # by language
    version: int = 1
    timeline: tuple[TimelineEntry, ...] = ()


def encode_record(record: IncidentRecord) -> str:
    """The body that is stored; the timeline has its own table."""
    return msgspec.json.encode(msgspec.structs.replace(record, timeline=())).decode()


def decode_record(body: str, timeline: tuple[TimelineEntry, ...] = ()) -> IncidentRecord:
    """The record of a stored body and its timeline."""
    return msgspec.structs.replace(msgspec.json.decode(body, type=IncidentRecord), timeline=timeline)
