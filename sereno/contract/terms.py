"""The terms of a contract beside its clocks: what a report holds, how a ticket ends, what is billed and discounted."""

import re
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema, field_validator

from sereno.shape import Duration, Frozen, Name, Text

Priority = Literal["Urgente", "Alta", "Normal", "Baja"]
TicketType = Literal["incident", "request", "problem"]
IntakeChannel = Literal["phone", "email", "portal"]
ReportField = Literal[
    "reporter", "contact", "extension", "direction", "counterpart", "occurred", "description", "title"
]  # fmt: skip
Blame = Literal["plataforma", "cliente", "proveedor", "tercero"]
ClockName = Literal["attention", "solution"]
_CURRENCY = re.compile(r"[A-Z]{3}")
_HIGHEST = 1_000_000_000
_PLACES = 4  # of a number of money or percent
_SHOWN = 40  # characters of what is no number


def _number(value: Any) -> Decimal:
    """An exact number of what was written: 0.1 is a tenth."""
    shown = repr(value) if isinstance(value, int | float) else repr(str(value)[:_SHOWN])
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError(f"{shown} is not a number: write one such as 250 or 12.50")  # noqa: TRY004 - a fault with its place
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{shown} is not a number: write one such as 250 or 12.50") from None
    if not found.is_finite() or not 0 <= found <= _HIGHEST:
        raise ValueError(f"{shown} is not between 0 and {_HIGHEST}: write one such as 250 or 12.50")
    if found != round(found, _PLACES):
        raise ValueError(f"{shown} has too many decimals: write {_PLACES} at most")
    return found


Number = Annotated[
    Decimal, BeforeValidator(_number), PlainSerializer(str, when_used="json"), WithJsonSchema({"type": "number"})
]


def _currency(value: str) -> str:
    if not _CURRENCY.fullmatch(value):
        raise ValueError(f"{value!r} is no currency: write its ISO 4217 code, such as USD or COP")
    return value


Currency = Annotated[str, AfterValidator(_currency), WithJsonSchema({"type": "string", "pattern": "^[A-Z]{3}$"})]


class ReportTerms(Frozen):
    """What a report of each kind must hold, and whether attention waits for it."""

    incident: Annotated[tuple[ReportField, ...], Field(strict=False)] = ()
    request: Annotated[tuple[ReportField, ...], Field(strict=False)] = ()
    attention_from: Literal["opened", "complete"] = "opened"


class Closing(Frozen):
    """How a resolved incident is closed: by itself after a time, or on the customer's confirmation."""

    after_resolved_us: Annotated[Duration | None, Field(alias="after_resolved")] = None
    confirmation: bool = False
    categorised: bool = False
    survey: bool = False


class Intake(Frozen):
    """A way by which customers reach the desk, and what becomes of a message that comes twice."""

    calendar: Name | None = None
    resent: Literal["another", "same"] | None = None


class Billing(Frozen):
    """Urgent work outside the hours of a calendar, by the hour."""

    calendar: Name
    priorities: Annotated[tuple[Priority, ...], Field(min_length=1, strict=False)]
    causes: Annotated[tuple[Blame, ...], Field(strict=False)] = ()
    currency: Currency
    per_hour: Number
    minimum_us: Annotated[Duration, Field(alias="minimum")] = 0


class Penalty(Frozen):
    """A discount on the general invoice for each unit: money, or a percentage of the invoice; null: not agreed."""

    invoice: Literal["general"] = "general"
    amount: Number | None = None
    percent: Number | None = None


class LatePenalty(Frozen):
    """For each ticket that was not attended in time: on which invoice, and by which of its clocks."""

    invoice: Literal["general", "site"] = "site"
    amount: Number | None = None
    percent: Number | None = None
    clocks: Annotated[tuple[ClockName, ...], Field(min_length=1, strict=False)] = ("attention",)


class Credits(Frozen):
    """What both parties agreed to discount. The amounts are theirs: null gives figures without money."""

    currency: Currency | None = None
    shortfall: Penalty | None = None
    late: LatePenalty | None = None
    activities: Penalty | None = None


class Compliance(Frozen):
    """Monthly compliance with the promised levels."""

    target_percent: Annotated[float, Field(ge=0, le=100, strict=False)] | None = None
    credits: Credits | None = None


class ContractLevel(Frozen):
    """One level of the contract's contact matrix: roles, and when they answer."""

    name: Text
    calendar: Name | None = None
    people: Annotated[tuple[Text, ...], Field(strict=False)] = ()

    @field_validator("people")
    @classmethod
    def _named_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("names somebody twice: write each once")
        return value
