"""What was promised: the frozen model of a contract file, versioned by `effective:` dates.

Each version answers what the desk and the ledger ask of it: priority, severity, clocks, exclusions, target.
"""

from datetime import date
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from sereno.contract import hours
from sereno.contract.calendar import Calendar, Hours, day_start_us
from sereno.contract.clock import ClockRule
from sereno.contract.terms import (
    Billing,
    Closing,
    Compliance,
    ContractLevel,
    Intake,
    IntakeChannel,
    Priority,
    ReportTerms,
    TicketType,
)
from sereno.shape import Duration, Frozen, Name, Text

Kind = Literal["incident", "request"]
ClockName = Literal["attention", "solution"]
Urgency = Literal["alto", "medio", "bajo"]
Impact = Literal["organizacion", "departamento", "individual"]
Plane = Literal["signalling", "registration", "call"]
PRIORITIES: tuple[Priority, ...] = get_args(Priority)
KINDS: tuple[Kind, ...] = get_args(Kind)
CLOCKS: tuple[ClockName, ...] = get_args(ClockName)
IMPACTS: tuple[Impact, ...] = get_args(Impact)
PLANES: tuple[Plane, ...] = get_args(Plane)
_MILLION = 1_000_000
_LONGEST_BUDGET_US = 366 * 86_400 * _MILLION

_WEEK_SCHEMA = {
    "anyOf": [
        {"const": "24x7"},
        {
            "type": "object",
            "properties": {"holidays": {"type": "string"}},
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    ]
}


def _window(value: Any) -> tuple[int, int]:
    return hours.window(value)


def _calendar(value: Any) -> Any:
    if value == "24x7":
        return {"week": None}
    if not isinstance(value, dict):
        raise ValueError(  # noqa: TRY004 - pydantic turns ValueError into a fault with its place
            'it is neither `24x7` nor a section: write {mon-fri: ["08:00-18:00"], holidays: CO}'
        )
    if "week" in value:  # already built
        return value
    days = {key: spans for key, spans in value.items() if key != "holidays"}
    place = value.get("holidays")
    return {"week": hours.week(days), "holidays": None if place is None else hours.holiday_place(place)}


class _CalendarShape(Frozen):
    week: Annotated[tuple[Hours, ...] | None, Field(strict=False)]
    holidays: str | None = None


CalendarShape = Annotated[_CalendarShape, BeforeValidator(_calendar), WithJsonSchema(_WEEK_SCHEMA)]


class Availability(Frozen):
    """`target_ppm` null: figures without a verdict."""

    target_ppm: Annotated[int, Field(ge=0, le=_MILLION)] | None


class MaintenanceTerms(Frozen):
    """When announced work is excluded from availability (docs/verdicts.md §9)."""

    notice_days: Annotated[tuple[int, int], Field(strict=False)]
    window: Annotated[
        tuple[int, int], BeforeValidator(_window), WithJsonSchema({"type": "string"}), Field(strict=False)
    ]
    critical_fix: Literal["same_day", "never"] = "never"

    @field_validator("notice_days")
    @classmethod
    def _ordered(cls, value: tuple[int, int]) -> tuple[int, int]:
        if not 0 <= value[0] <= value[1]:
            raise ValueError("notice runs backwards: write [least, most] in days, such as [10, 15]")
        return value

    def in_window(self, minute: int) -> bool:
        """A minute of the local day lies in the window, which may pass midnight."""
        begins, ends = self.window
        return begins <= minute < ends if begins < ends else minute >= begins or minute < ends


class Clock(Frozen):
    """One service-level clock: its calendar and, per priority, its time; a priority left out has no promise.

    `warn_percent` of that time used, people are warned that the rest is running out.
    """

    calendar: Name
    warn_percent: Annotated[int, Field(gt=0, lt=100)] = 75
    urgente: Annotated[Duration | None, Field(alias="Urgente")] = None
    alta: Annotated[Duration | None, Field(alias="Alta")] = None
    normal: Annotated[Duration | None, Field(alias="Normal")] = None
    baja: Annotated[Duration | None, Field(alias="Baja")] = None

    @field_validator("urgente", "alta", "normal", "baja")
    @classmethod
    def _positive(cls, value: int | None, info: ValidationInfo) -> int | None:
        del info
        if value is not None and not 0 < value <= _LONGEST_BUDGET_US:
            raise ValueError("is not between 1us and 366d: write 30m, 1h30m, 16h")
        return value

    def budget_us(self, priority: Priority) -> int | None:
        """The time promised at a priority."""
        found: int | None = getattr(self, priority.lower())
        return found


class Clocks(Frozen):
    """The clocks of one kind of ticket."""

    attention: Clock | None = None
    solution: Clock | None = None


class AllClocks(Frozen):
    incident: Clocks = Clocks()
    request: Clocks = Clocks()


class Matrix(Frozen):
    """Priority by urgency, across impact (organizacion, departamento, individual)."""

    alto: Annotated[tuple[Priority, Priority, Priority], Field(strict=False)]
    medio: Annotated[tuple[Priority, Priority, Priority], Field(strict=False)]
    bajo: Annotated[tuple[Priority, Priority, Priority], Field(strict=False)]


class Version(Frozen):
    """The contract as it stands from its `effective` date on."""

    effective: date
    timezone: Text
    availability: Availability
    downtime_planes: Annotated[tuple[Plane, ...], Field(min_length=1, strict=False)] = PLANES
    maintenance: MaintenanceTerms | None
    calendars: Annotated[dict[Name, CalendarShape], Field(min_length=1)]
    types: Annotated[dict[TicketType, Text], Field(default_factory=dict)]
    priorities: Annotated[dict[Priority, Text], Field(default_factory=dict)]
    severities: Annotated[dict[Priority, Text], Field(default_factory=dict)]
    matrix: Matrix
    report: ReportTerms = ReportTerms()
    clocks: AllClocks
    closing: Closing
    steps: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    intake: Annotated[dict[IntakeChannel, Intake], Field(default_factory=dict)]
    billing: Billing | None = None
    compliance: Compliance = Compliance()
    levels: Annotated[tuple[ContractLevel, ...], Field(strict=False)] = ()

    @property
    def target_ppm(self) -> int | None:
        """Availability promised, in parts per million; None: figures without a verdict."""
        return self.availability.target_ppm

    @property
    def effective_us(self) -> int:
        """When it comes into force: the first instant of its date in its zone."""
        return day_start_us(self.timezone, self.effective)

    def priority(self, urgency: str, impact: str) -> Priority:
        """The matrix's answer; ValueError for words it does not have."""
        if urgency not in {"alto", "medio", "bajo"} or impact not in IMPACTS:
            raise ValueError(f"no urgency {urgency!r} by impact {impact!r} in the matrix")
        row: tuple[Priority, ...] = getattr(self.matrix, urgency)
        return row[IMPACTS.index(impact)]

    def severity(self, priority: str) -> str | None:
        """The customer's own name of a priority, where the contract has names of its own."""
        return next((name for known, name in self.severities.items() if known == priority), None)

    def meaning(self, priority: str) -> str | None:
        """What the contract says that a priority is, where it says it."""
        return next((text for known, text in self.priorities.items() if known == priority), None)

    def billable(self, cause: str | None) -> bool:
        """Work on what had this cause may be billed; a cause that nobody named never is."""
        return self.billing is not None and any(cause == known for known in self.billing.causes)

    def priority_named(self, word: str) -> Priority | None:
        """The priority that a word means: its own name or the customer's severity, whatever the case."""
        wanted = word.casefold()
        for priority in PRIORITIES:
            if wanted == priority.casefold():
                return priority
        named: list[Priority] = [p for p, name in self.severities.items() if name.casefold() == wanted]
        return named[0] if len(named) == 1 else None

    def calendar(self, name: str) -> Calendar:
        """One of its calendars."""
        shape = self.calendars[name]
        return Calendar(self.timezone, shape.week, shape.holidays)

    def clock(self, kind: str, clock: str, priority: str) -> ClockRule | None:
        """The rule of a clock, or None where the contract promises none."""
        if kind not in KINDS or clock not in CLOCKS or priority not in PRIORITIES:
            raise ValueError(f"no {clock!r} clock of {kind!r} at {priority!r}")
        shape: Clock | None = getattr(getattr(self.clocks, kind), clock)
        budget = shape.budget_us(priority) if shape is not None else None
        if shape is None or budget is None:
            return None
        waits = clock == "attention" and self.report.attention_from == "complete"
        return ClockRule(self.calendar(shape.calendar), budget, waits, shape.warn_percent)


class Contract(Frozen):
    """A contract file: its name, and its versions in order of their dates."""

    name: Annotated[Name, Field(alias="contract")]
    versions: Annotated[tuple[Version, ...], Field(min_length=1, strict=False)]

    def in_force(self, at_us: int) -> Version | None:
        """The version in force at an instant; None before the first."""
        found = None
        for version in self.versions:
            if version.effective_us <= at_us:
                found = version
        return found

    def at(self, at_us: int) -> Version:
        """The version in force at an instant; what happened before the first is read by the first."""
        return self.in_force(at_us) or self.versions[0]
