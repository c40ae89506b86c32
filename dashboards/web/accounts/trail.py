"""`/audit`: what people did, by person, verb and date; as CSV and JSON too."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from dashboards.web.access import guarded
from dashboards.web.accounts.room import Room
from sereno.accounts.log import Asked, Line, lines, people
from sereno.clock import from_datetime, iso

PAGE = 50
_PIECE = 500
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_COLUMNS = ("at", "who", "how", "address", "what", "about", "outcome", "said")


class Trail:
    """The pages."""

    def __init__(self, room: Room) -> None:
        self._site, self._door = room.site, room.door

    async def show(self, request: Request) -> Response:
        words = await self._site.threaded(lambda: self._site.words(request))
        given, asked = _asked(request, words.zone)
        wanted = request.query_params.get("format", "")
        if wanted in {"csv", "json"}:
            return self._export(asked, wanted)
        after = request.query_params.get("after", "")

        def look(connection: Connection) -> tuple[list[Line], list[str]]:
            return lines(connection, asked, PAGE + 1, after), people(connection)

        found, everybody = await self._door.read(look)
        older = found[PAGE - 1].place if len(found) > PAGE else ""
        kept = {name: value for name, value in given.items() if value}
        values: dict[str, Any] = {
            "found": found[:PAGE], "everybody": everybody, "given": given, "after": after,
            "older": urlencode({**kept, "after": older}) if older else "", "newest": urlencode(kept),
            "exports": {each: urlencode({**kept, "format": each}) for each in ("csv", "json")},
        }  # fmt: skip
        return await self._site.page(request, "accounts/audit.html", **values)

    def _export(self, asked: Asked, kind: str) -> Response:
        media = "text/csv; charset=utf-8" if kind == "csv" else "application/json"
        headers = {"content-disposition": f'attachment; filename="sereno-audit.{kind}"', "cache-control": "no-store"}
        return StreamingResponse(self._pieces(asked, kind), media_type=media, headers=headers)

    async def _pieces(self, asked: Asked, kind: str) -> AsyncIterator[bytes]:
        """In pieces, each of a snapshot of its own: however long the log, no transaction stays open."""
        yield _csv([_COLUMNS]) if kind == "csv" else b'{"audit":['
        after, first = "", True
        while True:
            place = after
            found = await self._door.read(lambda c: lines(c, asked, _PIECE, place))  # noqa: B023 - awaited at once
            if not found:
                break
            if kind == "csv":
                yield _csv([tuple(_safe(str(each or "")) for each in _row(line).values()) for line in found])
            else:
                yield (b"" if first else b",") + b",".join(msgspec.json.encode(_row(line)) for line in found)
            after, first = found[-1].place, False
        if kind == "json":
            yield b"]}\n"


def _asked(request: Request, zone: ZoneInfo) -> tuple[dict[str, str], Asked]:
    """What the form says, and what it means; a date that is none is not asked."""
    given = {name: request.query_params.get(name, "")[:80] for name in ("who", "what", "from", "to")}
    first, last = _midnight(given["from"], zone), _midnight(given["to"], zone, days=1)
    return given, Asked(who=given["who"], what=given["what"], from_us=first, to_us=last)


def _midnight(text: str, zone: ZoneInfo, days: int = 0) -> int | None:
    try:
        day = date.fromisoformat(text) + timedelta(days=days)
        return from_datetime(datetime(day.year, day.month, day.day, tzinfo=zone))
    except (ValueError, OverflowError):
        return None


def _row(line: Line) -> dict[str, str | None]:
    return {
        "at": iso(line.at_us), "who": line.who, "how": line.how, "address": line.address, "what": line.what,
        "about": line.about, "outcome": line.outcome, "said": line.said,
    }  # fmt: skip


def _safe(text: str) -> str:
    """No spreadsheet takes it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _csv(rows: list[tuple[str, ...]]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()


def routes(room: Room) -> list[BaseRoute]:
    return [Route("/audit", guarded("audit", Trail(room).show), methods=["GET"])]
