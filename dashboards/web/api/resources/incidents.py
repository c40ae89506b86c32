"""Incidents and requests: the list, one of them, and opening one."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import Connection, select

from dashboards.web.api.caller import Caller
from dashboards.web.api.context import Context
from dashboards.web.api.operation import Answer, Call, Operation
from dashboards.web.api.shape import (
    At,
    Element,
    ElementName,
    IncidentState,
    Name,
    Number,
    NumberCursor,
    Priority,
    Shape,
)
from dashboards.web.incidents.sight import Sight, seen
from dashboards.web.refusal import Refused
from sereno.incident import ACTIVE, IncidentRecord, incident_json
from sereno.store.desk import incidents as stored
from sereno.store.tables import incidents as table

USUAL = MOST = 500
_Limit = Annotated[int, Meta(ge=1, le=MOST, description=f"How many at most; {USUAL} unless told.")]
_PIECE = 200
Direction = Literal["incoming", "outgoing"]


class Cause(Shape, frozen=True, kw_only=True):
    """The smallest element that explains what failed, and its own parts."""

    kind: str
    name: str
    elements: tuple[Element, ...]


class Symptom(Shape, frozen=True, kw_only=True):
    """What the cause brought with it."""

    kind: str
    name: str
    alarms: tuple[str, ...]


class Change(Shape, frozen=True, kw_only=True):
    """What was changed shortly before it began."""

    at: At
    what: str
    kind: str
    name: str
    text: str | None
    who: str | None


class Billable(Shape, frozen=True, kw_only=True):
    """What the contract's rule makes of the work on it."""

    billable: bool
    rule: str
    seconds: int
    amount: float | None
    currency: str | None


class Redate(Shape, frozen=True, kw_only=True):
    """A solution date agreed anew."""

    at: At
    due: At
    reason: str
    who: str


class Pause(Shape, frozen=True, kw_only=True):
    """While the customer's answer was waited for."""

    from_: At = msgspec.field(name="from")
    to: At | None


class SurveyAnswer(Shape, frozen=True, kw_only=True):
    """What the customer thought of the service."""

    at: At
    score: int
    comment: str | None
    who: str


class Clock(Shape, frozen=True, kw_only=True):
    """One promise of one contract."""

    contract: str
    customer: str | None
    clock: Literal["attention", "solution"]
    priority: Priority
    severity: str | None
    due: At
    state: Literal["running", "paused", "met", "missed"]
    ended: At | None
    warned: At | None
    agreed: bool


class Line(Shape, frozen=True, kw_only=True):
    """A line of the append-only timeline."""

    at: At
    what: str
    who: str


class Incident(Shape, frozen=True, kw_only=True):
    """As `sereno incidents show --json`; what did not happen is null."""

    number: int
    kind: Literal["incident", "request"]
    state: IncidentState
    class_: Literal["service", "monitor"] = msgspec.field(name="class")
    priority: Priority
    priority_peak: Priority
    severity: str | None
    title: str
    alarm: str | None
    meaning: str | None
    first_step: str | None
    runbook: tuple[str, ...]
    cause: Cause
    symptoms: tuple[Symptom, ...]
    customers: dict[str, Priority]
    sites: tuple[str, ...]
    changes: tuple[Change, ...]
    urgency: str | None
    impact: str | None
    channel: str | None
    reporter: str | None
    contact: str | None
    extension: str | None
    direction: Direction | None
    counterpart: str | None
    occurred: At | None
    description: str | None
    complete: At | None
    since: At
    opened: At
    acknowledged: At | None
    resolved: At | None
    closed: At | None
    merged_into: int | None
    assigned: str | None
    category: str | None
    closing_cause: str | None
    billable: Billable | None
    agreed_due: At | None
    redates: tuple[Redate, ...]
    pauses: tuple[Pause, ...]
    confirmed: At | None
    survey: SurveyAnswer | None
    problem: int | None
    split_from: int | None
    opened_by: str
    reopenings: int
    evidence: str | None
    clocks: tuple[Clock, ...]
    timeline: tuple[Line, ...]


class Incidents(Shape, frozen=True, kw_only=True):
    """A page of them, by number."""

    incidents: tuple[Incident, ...]
    next: int | None


class Asked(Shape, frozen=True, kw_only=True):
    """Which; those that people still work on, and the resolved, unless states are named."""

    state: tuple[IncidentState, ...] | UnsetType = UNSET
    priority: tuple[Priority, ...] | UnsetType = UNSET
    class_: Literal["service", "monitor"] | UnsetType = msgspec.field(name="class", default=UNSET)
    kind: Literal["incident", "request"] | UnsetType = UNSET
    customer: Name | UnsetType = UNSET
    site: Name | UnsetType = UNSET
    element: ElementName | UnsetType = UNSET
    limit: _Limit = USUAL
    cursor: NumberCursor | UnsetType = UNSET


class Numbered(Shape, frozen=True, kw_only=True):
    """An incident by its number."""

    number: Number


def operations(context: Context) -> tuple[Operation, ...]:
    found = Reader(context)

    async def index(call: Call) -> Answer:
        incidents, following = await found.page(call)
        cursor = None if following is None else str(following)
        return Answer({"incidents": incidents, "next": following}, following=cursor)

    async def show(call: Call) -> Answer:
        return Answer(await found.one(call.caller, call.path.number))

    return (
        Operation(
            "GET", "/incidents", "incidents", "Incidents and requests, by number", "Incidents", ("incidents",), index,
            Incidents, in_query=Asked, malformed=400, may_be=(400,), paged=True, limited=True,
            says="The oldest first. `state` and `priority` may be repeated.",
        ),
        Operation(
            "GET", "/incidents/{number}", "incident", "One incident with its timeline", "Incidents", ("incidents",),
            show, Incident, in_path=Numbered, malformed=400, may_be=(400,), limited=True,
        ),
    )  # fmt: skip


class Reader:
    """Incidents as the caller may see them."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def one(self, caller: Caller, number: int) -> dict[str, Any]:
        """The incident of this number; 404 where there is none that is his business."""
        found = await self._context.read(lambda connection: stored(connection, number=number))
        if not found or not caller.sees(found[0].customers):
            raise Refused(404, f"there is no incident {number}")
        return incident_json(await self._context.workers.run(lambda: self._shown(caller, found[0])))

    async def page(self, call: Call) -> tuple[list[dict[str, Any]], int | None]:
        """(incidents, the cursor of the next page)."""

        def look(connection: Connection) -> tuple[list[dict[str, Any]], int | None]:
            found: list[dict[str, Any]] = []
            asked, after = call.query, 0 if call.query.cursor is UNSET else call.query.cursor
            while numbers := _numbers(connection, asked, after):
                for record in stored(connection, numbers=numbers):
                    if not call.caller.sees(record.customers):
                        continue
                    shown = self._shown(call.caller, record)  # what is asked for must not tell what is not shown
                    if not _wanted(asked, shown):
                        continue
                    if len(found) == asked.limit:
                        return found, int(found[-1]["number"])
                    found.append(incident_json(shown))
                after = numbers[-1]
            return found, None

        return await self._context.read(look)

    def _shown(self, caller: Caller, record: IncidentRecord) -> IncidentRecord:
        if caller.customers is None:
            return record
        site = self._context.site
        return seen(record, Sight(caller.customers), site.topology(), site.words_in("es"))


def _numbers(connection: Connection, asked: Any, after: int) -> list[int]:
    query = select(table.c.number).where(table.c.number > after).order_by(table.c.number).limit(_PIECE)
    states = [*ACTIVE, "resolved"] if asked.state is UNSET else list(asked.state)
    query = query.where(table.c.state.in_(states))
    if asked.priority is not UNSET:
        query = query.where(table.c.priority.in_(list(asked.priority)))
    if asked.class_ is not UNSET:
        query = query.where(table.c["class"] == asked.class_)
    return [int(number) for (number,) in connection.execute(query)]


def _wanted(asked: Any, record: IncidentRecord) -> bool:
    elements = {record.cause.name}
    elements |= {one.name for one in record.elements} | {one.name for one in record.symptoms}
    return (
        asked.kind in {UNSET, record.kind}
        and (asked.customer is UNSET or asked.customer in record.customers)
        and (asked.site is UNSET or asked.site in record.sites)
        and (asked.element is UNSET or asked.element in elements)
    )


__all__ = ["Incident", "Numbered", "Reader", "operations"]
