"""Acts on an incident, and opening one: what `sereno incidents VERB` does, under the names that it has there."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from dashboards.web.api.context import Context
from dashboards.web.api.operation import Answer, Call, Operation
from dashboards.web.api.resources.incidents import Incident, Numbered, Reader
from dashboards.web.api.shape import LongText, Number, Shape, Text
from dashboards.web.refusal import Refused

Loose = Annotated[str, Meta(max_length=20_000)]  # blank is as if it were not there
Who = Annotated[str, Meta(max_length=200, description="For whom the caller acts.")]
_Maybe = Loose | UnsetType
_Line = Annotated[str, Meta(max_length=300)] | UnsetType


class Acting(Shape, frozen=True, kw_only=True, omit_defaults=True):
    """For whom."""

    by: Who | UnsetType = UNSET


class Noted(Acting, frozen=True, kw_only=True):
    """With a note."""

    note: _Maybe = UNSET


class Note(Acting, frozen=True, kw_only=True):
    """A line in its timeline."""

    note: LongText


class Assignment(Noted, frozen=True, kw_only=True):
    """Who has it now."""

    to: Text


class Grade(Noted, frozen=True, kw_only=True):
    """A priority by name, or urgency and impact for the contract's matrix."""

    priority: _Line = UNSET
    urgency: _Line = UNSET
    impact: _Line = UNSET


class CustomersReport(Acting, frozen=True, kw_only=True):
    """What the customer's report says."""

    title: _Line = UNSET
    description: _Maybe = UNSET
    reporter: _Line = UNSET
    contact: _Line = UNSET
    customer: _Line = UNSET
    site: _Line = UNSET
    extension: _Line = UNSET
    direction: _Line = UNSET
    counterpart: _Line = UNSET
    occurred: _Line = UNSET
    category: _Line = UNSET


class NewDate(Acting, frozen=True, kw_only=True):
    """Another solution date, agreed with the customer."""

    due: Text
    reason: LongText


class Telling(Acting, frozen=True, kw_only=True):
    """A message to the customer's contacts."""

    kind: _Line = UNSET
    text: _Maybe = UNSET
    customer: _Line = UNSET


class CustomersAnswer(Acting, frozen=True, kw_only=True):
    """What the customer said, and who said it."""

    text: LongText
    from_: _Line = msgspec.field(name="from", default=UNSET)


class Merger(Noted, frozen=True, kw_only=True):
    """The incident that it is part of."""

    into: Number


class Ending(Noted, frozen=True, kw_only=True):
    """With category and cause, where the contract wants them."""

    category: _Line = UNSET
    cause: _Maybe = UNSET


class Score(Acting, frozen=True, kw_only=True):
    """What the customer thought of the service, from 1 to 5."""

    score: Number
    comment: _Maybe = UNSET


class NewIncident(CustomersReport, frozen=True, kw_only=True):
    """A ticket opened by a program: as by hand, and it says by whom."""

    title: Text
    kind: _Line = UNSET
    note: _Maybe = UNSET
    priority: _Line = UNSET
    urgency: _Line = UNSET
    impact: _Line = UNSET
    channel: _Line = UNSET


class Done(Shape, frozen=True, kw_only=True):
    """What was done, and the incident as it is now."""

    done: str
    incident: Incident


class Opened(Done, frozen=True, kw_only=True):
    """The new one."""

    number: int


VERBS: dict[str, tuple[type[Acting], str]] = {
    "ack": (Noted, "First response: somebody has it"),
    "start": (Noted, "Work on it has begun"),
    "note": (Note, "A line in its timeline"),
    "assign": (Assignment, "Give it to somebody"),
    "priority": (Grade, "Another priority"),
    "update": (CustomersReport, "Complete what the customer reported"),
    "pause": (Note, "Stop the solution clock after a question to the customer"),
    "resume": (Noted, "The customer answered: the clock goes on"),
    "redate": (NewDate, "Another solution date, agreed with the customer"),
    "tell": (Telling, "A message to the customer's contacts"),
    "answer": (CustomersAnswer, "The customer answered"),
    "merge": (Merger, "It is the same as another"),
    "resolve": (Ending, "It is over; refused while anything of it is still down"),
    "confirm": (Ending, "The customer says that it is solved"),
    "close": (Ending, "Confirmed and done with"),
    "reopen": (Noted, "It was not over"),
    "survey": (Score, "What the customer thought of the service"),
}


def operations(context: Context) -> tuple[Operation, ...]:
    desk = Acts(context)
    return (
        Operation(
            "POST", "/incidents", "openIncident", "Open an incident or a request", "Incidents", ("act",), desk.open,
            Opened, body=NewIncident, status=201, makes="/number", malformed=400, may_be=(202,), limited=True,
            says="`kind` is incident or request; without a priority it has the contract's default.",
        ),
        *(
            Operation(
                "POST", f"/incidents/{{number}}/{verb}", f"{verb}Incident", summary, "Incidents", ("act",),
                desk.verb(verb), Done, in_path=Numbered, body=body, malformed=400, may_be=(202,), limited=True,
            )
            for verb, (body, summary) in VERBS.items()
        ),
    )  # fmt: skip


class Acts:
    """Hands acts to the desk."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._found = Reader(context)

    async def open(self, call: Call) -> Answer:
        given = _given(call.body)
        await self._refuse_foreign(call, given)
        by = str(given.pop("by", ""))
        outcome = await self._context.order(call, "incident.open", given, once="open/None", by=by)
        number = outcome.number or 0
        incident = await self._found.one(call.caller, number)
        where = {"location": f"/api/v1/incidents/{number}"}
        return Answer({"done": outcome.text, "number": number, "incident": incident}, headers=where)

    def verb(self, verb: str) -> Any:
        async def act(call: Call) -> Answer:
            number = call.path.number
            await self._found.one(call.caller, number)
            given = _given(call.body)
            by = str(given.pop("by", ""))
            arguments = {"number": number, **given}
            if "into" in given:
                await self._found.one(call.caller, given["into"])
            outcome = await self._context.order(call, f"incident.{verb}", arguments, once=f"{verb}/{number}", by=by)
            return Answer({"done": outcome.text, "incident": await self._found.one(call.caller, number)})

        return act

    async def _refuse_foreign(self, call: Call, given: dict[str, Any]) -> None:
        """Who sees some customers only opens tickets of theirs."""
        if call.caller.customers is None:
            return
        topology = await self._context.workers.run(self._context.site.topology)
        sites = topology.sites if topology is not None else {}
        named = [name.strip() for name in str(given.get("customer", "")).split(",") if name.strip()]
        places = [name.strip() for name in str(given.get("site", "")).split(",") if name.strip()]
        named += [sites[name].customer if name in sites else "" for name in places]
        if not named or not call.caller.customers.issuperset(named):
            raise Refused(409, f"name a customer or a site that is yours: {', '.join(sorted(call.caller.customers))}")


def _given(body: Acting) -> dict[str, Any]:
    """What was said, without what is blank."""
    found: dict[str, Any] = msgspec.to_builtins(body)
    return {name: value for name, value in found.items() if not isinstance(value, str) or value.strip()}
