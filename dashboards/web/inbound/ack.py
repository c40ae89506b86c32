"""The acknowledgement link: a page that says what it is about, with a button that POSTs the same token.

Looking changes nothing, because mail scanners follow links; the token is all that is needed, on any phone.
"""

import hashlib
from collections.abc import Callable
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from dashboards.web.inbound.asking import Asker
from dashboards.web.inbound.settings import Settings
from dashboards.web.refusal import Refused
from sereno.clock import Clock
from sereno.incident import IncidentRecord
from sereno.incident.reading import titled, witnessed
from sereno.store import Store
from sereno.store.desk import incidents
from sereno.tokens import Grant, TokenError

Render = Callable[..., Response]  # template, language, status=, values
WAITING = ("open", "reopened")
LONGEST_WHO = 80
_LANGUAGES = ("es", "en")
_STATUS = {"forged": HTTPStatus.FORBIDDEN, "other": HTTPStatus.FORBIDDEN, "expired": HTTPStatus.GONE}


class AckPages:
    """GET shows, POST acknowledges."""

    def __init__(self, store: Store, clock: Clock, asker: Asker, settings: Settings, render: Render) -> None:
        self._store, self._clock, self._asker, self._settings, self._render = store, clock, asker, settings, render

    async def show(self, request: Request) -> Response:
        try:
            return await self._show(request, request.path_params["token"])
        except Refused as refused:
            return self._nothing(self._language(request, None), refused.status, "busy")

    async def acknowledge(self, request: Request) -> Response:
        token = request.path_params["token"]
        language = self._language(request, None)
        try:
            grant, record = await self._opened(token)
            if grant is None or record is None or record.state not in WAITING:
                return await self._show(request, token)  # somebody has it, or it is over: the page says so
            language = self._language(request, grant)
            once = hashlib.sha256(f"{token}/{record.reopenings}".encode()).hexdigest()[:40]
            outcome = await self._asker.ask(
                "incident.ack", {"number": grant.number}, grant.person[:LONGEST_WHO], f"link/{once}"
            )
            if outcome.state == "pending":
                return self._nothing(language, HTTPStatus.ACCEPTED, "waiting")
            return await self._show(request, token)
        except Refused as refused:
            return self._nothing(language, refused.status, "busy")

    async def _opened(self, token: str) -> tuple[Grant | None, IncidentRecord | None]:
        links = self._settings.links
        if links is None:
            return None, None
        try:
            grant = links.read(token, self._clock.now_us())
        except TokenError:
            return None, None
        return grant, await self._asker.threaded(lambda: self._record(grant.number))

    async def _show(self, request: Request, token: str) -> Response:
        links = self._settings.links
        if links is None:
            return self._nothing(self._language(request, None), HTTPStatus.NOT_FOUND, "forged")
        try:
            grant = links.read(token, self._clock.now_us())
        except TokenError as error:
            return self._nothing(self._language(request, None), _STATUS[error.fault], error.fault)
        language = self._language(request, grant)
        record = await self._asker.threaded(lambda: self._record(grant.number))
        if record is None:
            return self._nothing(language, HTTPStatus.NOT_FOUND, "gone")
        return self._render(
            "ack.html", language, record=record, person=grant.person, holder=_holder(record),
            waiting=record.state in WAITING, fault=None, title=titled(record, language),
            evidence=witnessed(record, language),
        )  # fmt: skip

    def _nothing(self, language: str, status: int, fault: str) -> Response:
        return self._render(
            "ack.html", language, status=status, record=None, person="", holder="", waiting=False, fault=fault
        )

    def _record(self, number: int) -> IncidentRecord | None:
        with self._store.read() as connection:
            found = incidents(connection, number=number)
        return found[0] if found else None

    def _language(self, request: Request, grant: Grant | None) -> str:
        locale = self._settings.locales.get(grant.person, "es") if grant is not None else "es"
        wanted = request.query_params.get("lang") or locale.partition("_")[0]
        return wanted if wanted in _LANGUAGES else "es"


def _holder(record: IncidentRecord) -> str:
    """Who acknowledged it: who wrote the line of that moment, else who works on it."""
    for entry in record.timeline:
        if entry.at_us == record.acknowledged_us and entry.who != "sereno":
            return entry.who
    return record.assigned or ""
