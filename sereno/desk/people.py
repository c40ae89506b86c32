"""Who is told, and in which order: the models of `people:`, `levels:` and `rotas:` in `desk.yaml`."""

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, WithJsonSchema

from sereno.clock import SECOND_US
from sereno.contract.model import CalendarShape
from sereno.shape import Frozen, Name, PositiveDuration, Text

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LOUD: tuple["Loud", ...] = ("Urgente", "Alta")
_HANDOVER = re.compile(r"(?:(mon|tue|wed|thu|fri|sat|sun) )?([01]\d|2[0-3]):([0-5]\d)")
_FIRST_MONDAY = date(1970, 1, 5)
_MINUTE_US = 60 * SECOND_US
_ACK_US = (5 * _MINUTE_US, 15 * _MINUTE_US, 30 * _MINUTE_US)
_AT_ONCE: tuple[tuple["Loud", ...], ...] = (("Urgente", "Alta"), ("Urgente",))
Loud = Literal["Urgente", "Alta"]  # what may wake somebody; nothing else ever does


def ack_us(place: int, given: int | None) -> int:
    """How long a level has to acknowledge before the next one is paged: as written, else 5, 15, 30 minutes."""
    return given if given is not None else _ACK_US[min(place, len(_ACK_US) - 1)]


def pages_at_once(place: int, given: tuple[Loud, ...] | None) -> tuple[Loud, ...]:
    """The priorities that page a level at once: as written, else both the first and Urgente the second too."""
    return given if given is not None else (_AT_ONCE[place] if place < len(_AT_ONCE) else ())


class Person(Frozen):
    """Somebody who is told, by each of `channels` in order; `timezone` is where he reads the clock."""

    email: Text | None = None
    channels: Annotated[tuple[Name, ...], Field(min_length=1, strict=False)]
    locale: Text = "es_CO"
    timezone: Text | None = None


def _handover(value: Any) -> str:
    if not isinstance(value, str) or not _HANDOVER.fullmatch(value):
        raise ValueError(f'{value!r} is no hand-over: write "08:00", or with the day of the week "mon 08:00"')
    return value


class Rota(Frozen):
    """Who is on call in turn: people who hand over at a local time, or what an iCalendar feed says."""

    people: Annotated[tuple[Name, ...], Field(strict=False)] = ()
    turn: Literal["day", "week"] = "week"
    handover: Annotated[str, BeforeValidator(_handover)] = "08:00"
    start: date = _FIRST_MONDAY
    timezone: Text | None = None
    icalendar: Text | None = None
    refresh_us: Annotated[PositiveDuration, Field(alias="refresh")] = 15 * _MINUTE_US
    stale_us: Annotated[PositiveDuration, Field(alias="stale")] = 24 * 60 * _MINUTE_US

    @property
    def weekday(self) -> int:
        """The day on which a week's turn ends, 0 is Monday."""
        found = _HANDOVER.fullmatch(self.handover)
        return DAYS.index(found[1]) if found and found[1] else 0

    @property
    def names_a_day(self) -> bool:
        """The hand-over is written with a day of the week."""
        return " " in self.handover

    @property
    def minute(self) -> int:
        """The local time of the hand-over, in minutes from midnight."""
        hours, _, minutes = self.handover.rpartition(" ")[2].partition(":")
        return int(hours) * 60 + int(minutes)


def _hours(value: Any) -> str:
    return "[named]" if isinstance(value, str) and value != "24x7" else "[hours]"


def _stored(value: Any) -> Any:
    """Hours as they come back from the store: JSON knows no tuples."""
    if not isinstance(value, dict) or not isinstance(value.get("week"), list):
        return value
    return {**value, "week": tuple(tuple(tuple(span) for span in day) for day in value["week"])}


LevelCalendar = Annotated[
    Annotated[Name, Tag("[named]")] | Annotated[CalendarShape, BeforeValidator(_stored), Tag("[hours]")],
    Discriminator(_hours),
]


class Level(Frozen):
    """One rung of escalation; `calendar` is one of the contract's, or hours of its own; none: always."""

    name: Annotated[Text, Field(max_length=64)]
    people: Annotated[tuple[Name, ...], Field(strict=False)] = ()
    rota: Name | None = None
    calendar: LevelCalendar | None = None
    ack_us: Annotated[PositiveDuration | None, Field(alias="ack")] = None
    pages: Annotated[
        tuple[Loud, ...] | None,
        Field(strict=False),
        WithJsonSchema({"type": "array", "items": {"type": "string", "enum": ["Urgente", "Alta"]}}),
    ] = None
