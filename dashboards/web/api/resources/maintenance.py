"""Announced windows of work: listed, announced, taken back."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import Connection

from dashboards.web.api.context import Context, instant
from dashboards.web.api.operation import Answer, Call, Operation
from dashboards.web.api.resources.incident_acts import Acting
from dashboards.web.api.shape import At, Element, ElementName, Instant, Number, NumberCursor, Shape, Text
from dashboards.web.refusal import Refused
from sereno.store.desk import windows
from sereno.store.desk_messages import messages_of
from sereno.told.maintenance import window_json

USUAL, MOST = 100, 500
_Limit = Annotated[int, Meta(ge=1, le=MOST, description=f"How many at most; {USUAL} unless told.")]


class Notice(Shape, frozen=True, kw_only=True):
    """A message to a customer's contact about it, and what became of it."""

    at: At
    direction: str
    kind: str
    customer: str | None
    address: str | None
    who: str
    subject: str
    body: str
    message_id: str | None
    state: str | None
    handed: At | None
    receipt: str | None
    error: str | None


class Window(Shape, frozen=True, kw_only=True):
    """As `sereno maintenance list --json`."""

    id: int
    scope: Element
    from_: At = msgspec.field(name="from")
    to: At
    announced: At
    critical_fix: bool
    who: str
    recorded: At
    cancelled: At | None
    notices: tuple[Notice, ...]


class Maintenance(Shape, frozen=True, kw_only=True):
    """A page of windows, in the order in which they were recorded."""

    maintenance: tuple[Window, ...]
    next: int | None


class Asked(Shape, frozen=True, kw_only=True):
    """Those that hold, unless all are asked for."""

    all: bool = False
    limit: _Limit = USUAL
    cursor: NumberCursor | UnsetType = UNSET


class Numbered(Shape, frozen=True, kw_only=True):
    """A window by its number."""

    number: Number


class ScopeOfWork(Shape, frozen=True, kw_only=True):
    """What is worked on, as the topology calls it."""

    kind: Literal["service", "site", "core", "sbc", "path", "customer"]
    name: ElementName


class Announcement(Acting, frozen=True, kw_only=True):
    """A window of work. It silences alarms of its scope; the contract says whether its time is excluded."""

    scope: ScopeOfWork
    from_: Instant = msgspec.field(name="from")
    to: Instant
    announced: Instant | UnsetType = UNSET
    critical_fix: bool = False
    notify: bool = False
    what: Text | UnsetType = UNSET


class Withdrawal(Acting, frozen=True, kw_only=True):
    """For whom."""


class Announced(Shape, frozen=True, kw_only=True):
    """What was done, and the window as it is now."""

    done: str
    maintenance: Window


def operations(context: Context) -> tuple[Operation, ...]:
    works = Works(context)
    return (
        Operation(
            "GET", "/maintenance", "maintenance", "Announced windows of work", "Maintenance", ("read", "maintenance"),
            works.index, Maintenance, in_query=Asked, paged=True,
        ),
        Operation(
            "POST", "/maintenance", "announceMaintenance", "Announce a window", "Maintenance",
            ("maintenance",), works.add, Announced, body=Announcement, status=201, makes="/maintenance/id",
            may_be=(202,),
            says="`notify` mails it to the contacts of every customer that it touches.",
        ),
        Operation(
            "GET", "/maintenance/{number}", "maintenanceWindow", "One window, with its notices and their receipts",
            "Maintenance", ("read", "maintenance"), works.show, Window, in_path=Numbered,
        ),
        Operation(
            "POST", "/maintenance/{number}/cancel", "cancelMaintenance", "Take a window back", "Maintenance",
            ("maintenance",), works.cancel, Announced, in_path=Numbered, body=Withdrawal, may_be=(202,),
        ),
    )  # fmt: skip


class Works:
    """Windows in the store, and orders to the desk about them."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def index(self, call: Call) -> Answer:
        asked = call.query
        after = 0 if asked.cursor is UNSET else asked.cursor

        def look(connection: Connection) -> tuple[list[dict[str, Any]], int | None]:
            found = windows(connection, after_id=after, cancelled=asked.all)
            shown = [window_json(one, messages_of(connection, maintenance=one.id)) for one in found[: asked.limit]]
            return shown, shown[-1]["id"] if len(found) > asked.limit else None

        found, following = await self._context.read(look)
        cursor = None if following is None else str(following)
        return Answer({"maintenance": found, "next": following}, following=cursor)

    async def show(self, call: Call) -> Answer:
        return Answer(await self._one(call.path.number))

    async def add(self, call: Call) -> Answer:
        said = call.body
        from_us, to_us = instant(said.from_), instant(said.to)
        arguments = {
            "kind": said.scope.kind, "name": said.scope.name, "from_us": from_us, "to_us": to_us,
            "announced_us": None if said.announced is UNSET else instant(said.announced),
            "critical_fix": said.critical_fix, "notify": said.notify,
            "what": None if said.what is UNSET else said.what,
        }  # fmt: skip
        by = "" if said.by is UNSET else said.by
        outcome = await self._context.order(call, "maintenance.add", arguments, once="maintenance.add", by=by)
        same = (said.scope.kind, said.scope.name, from_us, to_us)
        number = await self._context.read(
            lambda connection: max(
                one.id for one in windows(connection) if (one.kind, one.name, one.from_us, one.to_us) == same
            )
        )
        where = {"location": f"/api/v1/maintenance/{number}"}
        return Answer({"done": outcome.text, "maintenance": await self._one(number)}, headers=where)

    async def cancel(self, call: Call) -> Answer:
        number = call.path.number
        await self._one(number)
        by = "" if call.body.by is UNSET else call.body.by
        outcome = await self._context.order(
            call, "maintenance.cancel", {"id": number}, once=f"maintenance.cancel/{number}", by=by
        )
        return Answer({"done": outcome.text, "maintenance": await self._one(number)})

    async def _one(self, number: int) -> dict[str, Any]:
        def look(connection: Connection) -> dict[str, Any] | None:
            found = [one for one in windows(connection, after_id=number - 1) if one.id == number]
            return window_json(found[0], messages_of(connection, maintenance=number)) if found else None

        found = await self._context.read(look)
        if found is None:
            raise Refused(404, f"there is no maintenance {number}")
        return found


__all__ = ["operations"]
