"""`/account`: one's own password, where one is logged in, language and numbers."""

from http import HTTPStatus
from typing import Any

from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from dashboards.web.access import act_of, address_of, checked_form, person, signed_in
from dashboards.web.accounts.invitation import LOCALES
from dashboards.web.accounts.room import SEE_OTHER, Room, said
from dashboards.web.accounts.saying import told, why
from sereno.accounts import AccountError, limits, sessions, users
from sereno.accounts.names import checked_password
from sereno.accounts.users import User
from sereno.clock import SECOND_US

DONE = {"password": "Your password was changed; every other session has ended.", "locale": "Saved.",
        "sessions": "Done."}  # fmt: skip


class Own:
    """The pages."""

    def __init__(self, room: Room) -> None:
        self._room, self._site, self._door = room, room.site, room.door

    async def show(self, request: Request) -> Response:
        return await self._page(request, request.query_params.get("done", ""))

    async def change(self, request: Request) -> Response:
        form = await checked_form(request)
        what = request.path_params["what"]
        if what == "password":
            return await self._password(request, said(form, "current"), said(form, "password"), said(form, "again"))
        if what == "locale":
            return await self._locale(request, said(form, "locale"))
        if what == "sessions":
            return await self._end(request, said(form, "session"))
        raise HTTPException(HTTPStatus.NOT_FOUND)

    async def _password(self, request: Request, current: str, password: str, again: str) -> Response:
        name, address, now_us = person(request).name, address_of(request), self._door.now_us()
        words = await self._site.threaded(lambda: self._site.words(request))
        _, wait_us = await self._door.written(lambda c: limits.begin_attempt(c, name, address, now_us))
        if wait_us:
            fault = told(words, "wait", seconds=-(-wait_us // SECOND_US))
            return await self._page(request, fault=fault, status=429)
        stored = await self._door.read(lambda c: users.stored_password(c, name))
        if not await self._room.vault.verified(stored, current):
            return await self._page(request, fault=told(words, "current"), status=422)
        await self._door.written(lambda c: limits.succeeded(c, name, address))
        try:
            checked_password(password, name, again)
        except AccountError as error:
            return await self._page(request, fault=why(words, error), status=422)
        hashed = await self._room.vault.hashed(password)
        act, agent = act_of(request, self._door.now_us()), request.headers.get("user-agent")

        def changed(connection: Connection) -> str:
            user = users.set_password(connection, act, name, hashed)
            sessions.end_others(connection, act, name)
            return sessions.begin(connection, act, user, agent=agent, lives=self._door.access.lives, told=False)

        made = await self._door.written(changed)
        return self._room.with_session(request, RedirectResponse("/account?done=password", SEE_OTHER), made)

    async def _locale(self, request: Request, locale: str) -> Response:
        if locale not in LOCALES["es"]:
            raise HTTPException(HTTPStatus.BAD_REQUEST)
        name, act = person(request).name, act_of(request, self._door.now_us())
        await self._door.written(lambda c: users.set_locale(c, act, name, locale))
        answer = RedirectResponse("/account?done=locale", SEE_OTHER)
        answer.delete_cookie("lang")  # what the account says counts from now on
        return answer

    async def _end(self, request: Request, digest: str) -> Response:
        name, act, own = person(request).name, act_of(request, self._door.now_us()), request.state.session
        if digest == "others":
            await self._door.written(lambda c: sessions.end_others(c, act, name, but=own))
        else:
            await self._door.written(lambda c: sessions.end(c, act, name, digest))
        return RedirectResponse("/account?done=sessions", SEE_OTHER)

    async def _page(self, request: Request, done: str = "", *, fault: str = "", status: int = 200) -> Response:
        name, now_us, lives = person(request).name, self._door.now_us(), self._door.access.lives

        def look(connection: Connection) -> tuple[User, list[sessions.Session]]:
            user = users.needed(connection, name)
            return user, sessions.of_user(connection, user, now_us, lives)

        user, logins = await self._door.read(look)
        values: dict[str, Any] = {
            "user": user, "logins": logins, "own": request.state.session, "fault": fault,
            "done": DONE.get(done, ""), "locales": LOCALES["es"],
        }  # fmt: skip
        return await self._site.page(request, "accounts/account.html", status=status, **values)


def routes(room: Room) -> list[BaseRoute]:
    own = Own(room)
    return [
        Route("/account", signed_in(own.show), methods=["GET"]),
        Route("/account/{what}", signed_in(own.change), methods=["POST"]),
    ]
