"""Silences: hearing nothing of some alarms for a while. They are part of maintenance: who may announce it, may this."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from dashboards.web.api.context import Context, instant
from dashboards.web.api.operation import Answer, Call, Operation
from dashboards.web.api.resources.alarms import Silence
from dashboards.web.api.resources.incident_acts import Acting
from dashboards.web.api.shape import END, Instant, Number, Shape, Text
from dashboards.web.refusal import Refused
from sereno.alarms.held import every_silence
from sereno.told.alarms import silence_json

_Pattern = Annotated[
    str, Meta(pattern="^[A-Za-z0-9@*?][A-Za-z0-9@*?._+/-]{0,139}" + END, description="`*` and `?` as signs.")
]
_Word = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,63}" + END)]


class Silences(Shape, frozen=True, kw_only=True):
    """Every silence that was ever asked for."""

    silences: tuple[Silence, ...]


class Hush(Acting, frozen=True, kw_only=True):
    """Which alarms of which elements, until when, and why. At least one of the first three is named."""

    alarm: _Word | UnsetType = UNSET
    kind: _Word | UnsetType = UNSET
    name: _Pattern | UnsetType = UNSET
    from_: Instant | UnsetType = msgspec.field(name="from", default=UNSET)
    to: Instant
    why: Text


class SilenceEnd(Acting, frozen=True, kw_only=True):
    """For whom."""


class Silenced(Shape, frozen=True, kw_only=True):
    """What was done, and the silence as it is now."""

    done: str
    silence: Silence


class Numbered(Shape, frozen=True, kw_only=True):
    """A silence by its number."""

    number: Number


def operations(context: Context) -> tuple[Operation, ...]:
    hush = Hushing(context)
    return (
        Operation(
            "GET", "/alarms/silences", "silences", "Silences", "Alarms", ("read", "maintenance"), hush.index, Silences,
        ),
        Operation(
            "POST", "/alarms/silences", "addSilence", "Hear nothing of some alarms for a while", "Alarms",
            ("maintenance",), hush.add, Silenced, body=Hush, status=201, makes="/silence/id", may_be=(202,),
        ),
        Operation(
            "GET", "/alarms/silences/{number}", "silence", "One silence", "Alarms", ("read", "maintenance"), hush.show,
            Silence, in_path=Numbered,
        ),
        Operation(
            "POST", "/alarms/silences/{number}/end", "endSilence", "End a silence now", "Alarms", ("maintenance",),
            hush.end, Silenced, in_path=Numbered, body=SilenceEnd, may_be=(202,),
        ),
    )  # fmt: skip


class Hushing:
    """Silences in the store, and orders to the desk about them."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def index(self, call: Call) -> Answer:
        del call
        return Answer({"silences": await self._every()})

    async def show(self, call: Call) -> Answer:
        return Answer(await self._one(call.path.number))

    async def add(self, call: Call) -> Answer:
        said = call.body
        arguments = {
            "alarm": _or_none(said.alarm), "kind": _or_none(said.kind), "name": _or_none(said.name),
            "from_us": None if said.from_ is UNSET else instant(said.from_), "to_us": instant(said.to), "why": said.why,
        }  # fmt: skip
        by = "" if said.by is UNSET else said.by
        before = {one["id"] for one in await self._every()}
        outcome = await self._context.order(call, "silence.add", arguments, once="silence.add", by=by)
        every = await self._every()
        new = [one for one in every if one["id"] not in before and one["why"] == said.why.strip()]
        made = new[-1] if new else next(one for one in reversed(every) if one["why"] == said.why.strip())
        where = {"location": f"/api/v1/alarms/silences/{made['id']}"}
        return Answer({"done": outcome.text, "silence": made}, headers=where)

    async def end(self, call: Call) -> Answer:
        number = call.path.number
        await self._one(number)
        by = "" if call.body.by is UNSET else call.body.by
        outcome = await self._context.order(
            call, "silence.cancel", {"id": number}, once=f"silence.cancel/{number}", by=by
        )
        return Answer({"done": outcome.text, "silence": await self._one(number)})

    async def _one(self, number: int) -> dict[str, Any]:
        for one in await self._every():
            if one["id"] == number:
                return one
        raise Refused(404, f"there is no silence {number}")

    async def _every(self) -> list[dict[str, Any]]:
        now_us = self._context.clock.now_us()
        return await self._context.read(
            lambda connection: [silence_json(one, now_us) for one in every_silence(connection)]
        )


def _or_none(value: Any) -> str | None:
    return None if value is UNSET else str(value)
