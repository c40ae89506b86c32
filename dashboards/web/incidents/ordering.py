"""Asks the desk for something on behalf of a person, once however often he clicks, and says what became of it."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Protocol

import msgspec
from msgspec.structs import replace
from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dashboards.web.access import person
from dashboards.web.incidents.acts import Refusal
from dashboards.web.refusal import Refused
from dashboards.web.site import Site
from dashboards.web.words import Words
from sereno.errors import StoreError
from sereno.store.commands import Outcome
from sereno.store.desk import incidents
from sereno.store.tables import commands

LONGEST_ONCE = 64
NOBODY = "Nobody is active who could take it: no collector runs. Nothing was asked; what you wrote is still here."
BUSY = "The store cannot be written now; try again in some seconds. What you wrote is still here."
WAITS = "The order is in the desk's inbox and is not answered yet; its story shows what becomes of it."
_NOT_ALIVE = "no collector is active"
_KEY = re.compile(r"page/[0-9a-f]{48}")


class Told(Protocol):
    """What says that it was done, as an id of words."""

    @property
    def verb(self) -> str: ...
    @property
    def done(self) -> str: ...


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it. `text` is an id of words with `values`, or the desk's own words where `written`."""

    status: int
    text: str
    values: dict[str, str] = {}
    written: str = ""
    verb: str = ""
    fields: dict[str, str] = {}  # ids of words, by field
    key: str = ""
    number: int | None = None
    next: str = ""

    @property
    def good(self) -> bool:
        return self.status == HTTPStatus.OK

    def words(self, words: Words) -> str:
        """As a person reads it."""
        return self.text if self.written else words.text(self.text, **self.values)

    def leading(self, address: str) -> "Answer":
        return replace(self, next=address)

    def as_json(self, words: Words) -> Response:
        """For the script that sent the form."""
        said = {
            "ok": self.good, "text": self.words(words), "next": self.next,
            "fields": {name: words.text(text) for name, text in self.fields.items()},
        }  # fmt: skip
        return JSONResponse(said, status_code=self.status)


class Ordering:
    """One for each kind of page."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def ask(
        self, request: Request, verb: str, arguments: Mapping[str, Any], once: str, told: Told
    ) -> Answer:  # fmt: skip
        """What the desk made of it."""
        who = person(request).name
        key = _key(who, verb, once, arguments)
        try:
            outcome = await self._site.asker.ask(verb, arguments, who, key)
        except Refused as refused:
            text = NOBODY if _NOT_ALIVE in str(refused) else BUSY
            return Answer(status=HTTPStatus.SERVICE_UNAVAILABLE, text=text, verb=told.verb)
        except StoreError:
            return Answer(status=HTTPStatus.SERVICE_UNAVAILABLE, text=BUSY, verb=told.verb)
        return await self._answer(outcome, verb, arguments, told, key)

    async def _answer(
        self, outcome: Outcome, verb: str, arguments: Mapping[str, Any], told: Told, key: str
    ) -> Answer:  # fmt: skip
        if outcome.state == "pending":
            return Answer(status=HTTPStatus.ACCEPTED, text=WAITS, verb=told.verb, key=key)
        if outcome.state == "done":
            return Answer(status=HTTPStatus.OK, text=told.done, verb=told.verb, key=key, number=outcome.number)
        holder = await self._site.threaded(lambda: self._holder(arguments)) if verb == "incident.ack" else None
        if holder is not None:
            values = {"person": holder}
            return Answer(status=HTTPStatus.CONFLICT, text="{person} has it already.", values=values, verb=told.verb)
        return Answer(status=HTTPStatus.CONFLICT, text=outcome.text, written="es", verb=told.verb)

    def _holder(self, arguments: Mapping[str, Any]) -> str | None:
        """Who was quicker."""
        with self._site.store.read() as connection:
            found = incidents(connection, number=int(arguments["number"]))
        return found[0].assigned if found and found[0].state in {"acknowledged", "in_progress"} else None

    async def said(self, request: Request, key: str, done: Mapping[str, str]) -> Answer | None:
        """What became of an order of his, after the page was loaded anew; `done` says it by its verb."""
        who = person(request).name
        if not _KEY.fullmatch(key) or not who:
            return None

        def look() -> tuple[str, str | None] | None:
            with self._site.store.read() as connection:
                row = connection.execute(
                    select(commands.c.verb, commands.c.outcome).where(commands.c.key == key, commands.c.who == who)
                ).first()
            return None if row is None else (row.verb, row.outcome)

        found = await self._site.threaded(look)
        if found is None:
            return None
        verb, outcome = found[0].rpartition(".")[2], found[1]
        if outcome is None:
            return Answer(status=HTTPStatus.ACCEPTED, text=WAITS, verb=verb)
        told = msgspec.json.decode(outcome, type=Outcome)
        if told.state == "done":
            return Answer(status=HTTPStatus.OK, text=done.get(verb, "Done."), verb=verb, number=told.number)
        return Answer(status=HTTPStatus.CONFLICT, text=told.text, written="es", verb=verb)


def _key(who: str, verb: str, once: str, arguments: Mapping[str, Any]) -> str:
    """The same form with the same words is the same order, however often it is sent."""
    said = msgspec.json.encode([who, verb, once[:LONGEST_ONCE], sorted(arguments.items())])
    return f"page/{hashlib.sha256(said).hexdigest()[:48]}"


def lacking(told: Told, wrong: Sequence[Refusal]) -> Answer:
    """The form itself is not whole."""
    return Answer(
        status=HTTPStatus.BAD_REQUEST, text="Something is missing in the form.", verb=told.verb,
        fields={one.name: one.text for one in wrong},
    )  # fmt: skip


def wants_json(request: Request) -> bool:
    """The page's script sent it."""
    return "application/json" in request.headers.get("accept", "")
