"""Alarms: which hold now, on what, since when, and what is declared."""

import time
from pathlib import Path
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection

from dashboards.web.api.context import Context
from dashboards.web.api.operation import Answer, Call, Operation
from dashboards.web.api.shape import At, Seconds, Shape
from sereno.alarms import Alarms, load_alarms
from sereno.alarms.held import every_silence, holding
from sereno.clock import iso
from sereno.store.queries.ledger import in_force
from sereno.told.alarms import Scene, as_json

_DECLARED_SECONDS = 10.0  # alarms.yaml is read again after that


class Holding(Shape, frozen=True, kw_only=True):
    """Where one holds; `silence` is the number of the one that hides it."""

    kind: str
    name: str
    phase: Literal["pending", "firing", "clearing"]
    since: At
    reason: str | None
    flapping: bool
    incident: int | None
    silence: int | None


class Guide(Shape, frozen=True, kw_only=True):
    """The same in English."""

    meaning: str | None
    first_step: str | None
    runbook: tuple[str, ...]


class Alarm(Shape, frozen=True, kw_only=True):
    """A declared alarm and where it holds."""

    alarm: str
    type: Literal["threshold", "verdict"]
    kinds: tuple[str, ...]
    what: str | None
    fires_when: str
    for_seconds: Seconds
    clear_seconds: Seconds
    urgency: str
    impact: str
    page: bool
    class_: str = msgspec.field(name="class")
    meaning: str | None
    first_step: str | None
    runbook: tuple[str, ...]
    english: Guide
    holding: tuple[Holding, ...] | None


class Silence(Shape, frozen=True, kw_only=True):
    """Alarms that nobody wants to hear of for a while, and why."""

    id: int
    alarm: str | None
    kind: str | None
    name: str | None
    from_: At = msgspec.field(name="from")
    to: At
    why: str
    who: str
    recorded: At
    cancelled: At | None
    in_force: bool


class EveryAlarm(Shape, frozen=True, kw_only=True):
    """As `sereno alarms list --json`."""

    at: At
    alarms: tuple[Alarm, ...]
    silences: tuple[Silence, ...]
    silenced_service_down: tuple[str, ...]


class Asked(Shape, frozen=True, kw_only=True):
    """Those that hold now, unless all that are declared are asked for."""

    all: bool = False


def operations(context: Context) -> tuple[Operation, ...]:
    declared = Declared()

    async def index(call: Call) -> Answer:
        now_us = context.clock.now_us()

        def look(connection: Connection) -> dict[str, Any]:
            known = in_force(connection)
            beside = Path(known[-1].beside) if known and known[-1].beside else None
            held, silences = holding(connection, now_us), every_silence(connection)
            return as_json(Scene(declared.at(beside), held, silences, now_us), now=not call.query.all)

        found = await context.read(look)
        found["at"] = iso(now_us)
        return Answer(found, tag=[found["alarms"], found["silences"]])

    return (
        Operation(
            "GET", "/alarms", "alarms", "Alarms that hold now, and silences", "Alarms", ("read",), index, EveryAlarm,
            in_query=Asked, may_be=(409,),
        ),
    )  # fmt: skip


class Declared:
    """The alarms in use, read now and then."""

    def __init__(self) -> None:
        self._known: tuple[Path | None, float, Alarms] | None = None

    def at(self, beside: Path | None) -> Alarms:
        now = time.monotonic()
        if self._known is None or self._known[0] != beside or now - self._known[1] > _DECLARED_SECONDS:
            self._known = beside, now, load_alarms(beside)
        return self._known[2]
