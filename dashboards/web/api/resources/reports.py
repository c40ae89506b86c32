"""Monthly reports that were issued: the list, what each says, and the document in a format."""

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import Connection
from starlette.responses import Response

from dashboards.web.api.context import Context
from dashboards.web.api.operation import Answer, Call, Operation
from dashboards.web.api.shape import At, Free, Month, Name, Number, NumberCursor, Shape
from dashboards.web.refusal import Refused
from sereno.clock import iso
from sereno.press import Press
from sereno.store.reports import Issue, issue_of, issued, model_of

USUAL, MOST = 100, 500
_Limit = Annotated[int, Meta(ge=1, le=MOST, description=f"How many at most; {USUAL} unless told.")]


class Issued(Shape, frozen=True, kw_only=True):
    """One report that left the house; the same data for the same reader is the same issue."""

    id: int
    customer: str
    site: str | None
    month: str
    edition: str
    language: str
    data_hash: str
    made: At
    who: str


class Reports(Shape, frozen=True, kw_only=True):
    """A page of them, the newest first."""

    reports: tuple[Issued, ...]
    next: int | None


class Report(Issued, frozen=True, kw_only=True):
    """With the whole model that it was made from."""

    report: Free


class Asked(Shape, frozen=True, kw_only=True):
    """Of a customer, of a month."""

    customer: Name | UnsetType = UNSET
    month: Month | UnsetType = UNSET
    limit: _Limit = USUAL
    cursor: NumberCursor | UnsetType = UNSET


class Numbered(Shape, frozen=True, kw_only=True):
    """A report by the number of its issue."""

    number: Number


_UNSAFE = re.compile("[^A-Za-z0-9._-]")


class Form(Shape, frozen=True, kw_only=True):
    """pdf unless told."""

    format: Literal["pdf", "html", "xlsx", "csv", "json"] = "pdf"


Document = dict[str, Any]  # what the format json gives; the other formats are no JSON
FILES = (
    "application/pdf", "text/html", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "text/csv",
)  # fmt: skip


def operations(context: Context) -> tuple[Operation, ...]:
    shelf = Shelf(context)
    return (
        Operation(
            "GET", "/reports", "reports", "Reports that were issued", "Reports", ("reports",), shelf.index, Reports,
            in_query=Asked, paged=True, limited=True,
        ),
        Operation(
            "GET", "/reports/{number}/file", "reportFile", "One report as a document, to the byte as it was issued",
            "Reports", ("reports",), shelf.file, Document, in_path=Numbered, in_query=Form, may_be=(409,), heavy=True,
            limited=True, files=FILES,
        ),
        Operation(
            "GET", "/reports/{number}", "report", "One report, as its model", "Reports", ("reports",), shelf.show,
            Report, in_path=Numbered, limited=True,
        ),
    )  # fmt: skip


class Shelf:
    """Reports in the store."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._press = Press(context.store.url)

    async def index(self, call: Call) -> Answer:
        asked = call.query

        def look(connection: Connection) -> tuple[list[Issue], int | None]:
            found = issued(
                connection, None if asked.customer is UNSET else asked.customer,
                None if asked.month is UNSET else asked.month,
            )  # fmt: skip
            before = [
                one for one in found
                if call.caller.sees([one.customer]) and (asked.cursor is UNSET or one.id < asked.cursor)
            ]  # fmt: skip
            shown = before[: asked.limit]
            return shown, shown[-1].id if len(before) > asked.limit else None

        found, following = await self._context.read(look)
        cursor = None if following is None else str(following)
        return Answer({"reports": [_json(one) for one in found], "next": following}, following=cursor)

    async def show(self, call: Call) -> Answer:
        one, model = await self._one(call)
        return Answer({**_json(one), "report": model})

    async def file(self, call: Call) -> Answer:
        """Made in a process of its own (sereno/press.py); shown by no browser in our name."""
        await self._one(call)
        made = await self._press.render(call.path.number, call.query.format)
        name = _UNSAFE.sub("_", made.name)
        headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
        return Answer(whole=Response(made.body, media_type=made.type, headers=headers))

    async def _one(self, call: Call) -> tuple[Issue, Any]:
        def look(connection: Connection) -> tuple[Issue | None, bytes | None]:
            return issue_of(connection, call.path.number), model_of(connection, call.path.number)

        one, model = await self._context.read(look, heavy=True)
        if one is None or model is None or not call.caller.sees([one.customer]):
            raise Refused(404, f"there is no report {call.path.number}")
        return one, msgspec.json.decode(model)


def _json(one: Issue) -> dict[str, Any]:
    return {
        "id": one.id, "customer": one.customer, "site": one.site, "month": one.month, "edition": one.edition,
        "language": one.language, "data_hash": one.data_hash, "made": iso(one.made_us), "who": one.who,
    }  # fmt: skip
