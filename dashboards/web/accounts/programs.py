"""`/tokens`: what programs may: tokens with scopes, shown once, revoked at once."""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from dashboards.web.access import act_of, checked_form, guarded
from dashboards.web.accounts.room import SEE_OTHER, Room, said
from dashboards.web.accounts.saying import why
from sereno.accounts import SCOPES, AccountError, tokens
from sereno.clock import SECOND_US

DAY_US = 86_400 * SECOND_US
_MOST_DAYS = 3_660


class Tokens:
    """The pages."""

    def __init__(self, room: Room) -> None:
        self._site, self._door = room.site, room.door

    async def show(self, request: Request) -> Response:
        return await self._page(request)

    async def add(self, request: Request) -> Response:
        form = await checked_form(request)
        act = act_of(request, self._door.now_us())
        words = await self._site.threaded(lambda: self._site.words(request))
        name, scopes = said(form, "name"), [str(each) for each in form.getlist("scope")]
        customers = [str(each) for each in form.getlist("customer")]
        try:
            life_us = _life_us(said(form, "days").strip())
            made, text = await self._door.written(
                lambda c: tokens.make_token(c, act, name, scopes, customers=customers, life_us=life_us)
            )
        except AccountError as error:
            fault = words.text("A token needs a name: what uses it.") if error.fault == "name" else why(words, error)
            return await self._page(request, fault=fault, status=422)
        return await self._page(request, made=made.name, text=text)

    async def revoke(self, request: Request) -> Response:
        await checked_form(request)
        number, act = request.path_params["number"], act_of(request, self._door.now_us())
        try:
            await self._door.written(lambda c: tokens.revoke(c, act, number))
        except (AccountError, OverflowError):
            raise HTTPException(404) from None
        return RedirectResponse("/tokens", SEE_OTHER)

    async def _page(
        self, request: Request, *, fault: str = "", made: str = "", text: str = "", status: int = 200
    ) -> Response:
        every = await self._door.read(tokens.every_token)
        topology = await self._site.threaded(self._site.topology)
        values: dict[str, Any] = {
            "every": every, "fault": fault, "made": made, "text": text, "scopes": SCOPES,
            "now_us": self._door.now_us(),
            "customers": {name: each.name for name, each in topology.customers.items()} if topology else {},
        }  # fmt: skip
        return await self._site.page(request, "accounts/tokens.html", status=status, **values)


def _life_us(days: str) -> int | None:
    if not days:
        return None
    if not (days.isascii() and days.isdecimal()) or not 0 < int(days) <= _MOST_DAYS:
        raise AccountError("days", f"{days[:10]!r}: is no number of days")
    return int(days) * DAY_US


def routes(room: Room) -> list[BaseRoute]:
    pages = Tokens(room)
    return [
        Route("/tokens", guarded("users", pages.show), methods=["GET"]),
        Route("/tokens", guarded("users", pages.add), methods=["POST"]),
        Route("/tokens/{number:int}/revoke", guarded("users", pages.revoke), methods=["POST"]),
    ]
