"""Who is on call at each level, until when, and who follows."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from dashboards.web.api.context import Context, instant
from dashboards.web.api.operation import Answer, Call, Operation
from dashboards.web.api.shape import At, Instant, Seconds, Shape

Source = Literal["override", "rota", "feed", "people"]


class Following(Shape, frozen=True, kw_only=True):
    """Who comes after."""

    people: tuple[str, ...]
    by: Source
    from_: At | None = msgspec.field(name="from")
    until: At | None


class Level(Shape, frozen=True, kw_only=True):
    """One level of escalation at an instant."""

    level: str
    open: bool
    people: tuple[str, ...]
    by: Source
    until: At | None
    next: Following | None
    ack_seconds: Seconds
    pages: tuple[str, ...]
    note: str | None


class Feed(Shape, frozen=True, kw_only=True):
    """A calendar that says who is on call."""

    rota: str
    read: At | None
    error: str | None
    shifts: int


class OnCall(Shape, frozen=True, kw_only=True):
    """As `sereno oncall --json`."""

    at: At
    timezone: str
    levels: tuple[Level, ...]
    everybody: tuple[str, ...]
    feeds: tuple[Feed, ...]


class Asked(Shape, frozen=True, kw_only=True):
    """Now, unless told."""

    at: Instant | UnsetType = UNSET


def operations(context: Context) -> tuple[Operation, ...]:
    async def show(call: Call) -> Answer:
        at_us = context.clock.now_us() if call.query.at is UNSET else instant(call.query.at)
        found: dict[str, Any] = await context.workers.run(lambda: context.answers.oncall.at(at_us), heavy=True)
        return Answer(found, tag=found if call.query.at is not UNSET else [found["levels"], found["everybody"]])

    return (
        Operation(
            "GET", "/oncall", "oncall", "Who is on call at each level", "Monitor", ("read",), show, OnCall,
            in_query=Asked, may_be=(409,), heavy=True,
        ),
    )  # fmt: skip
