"""`/login`, `/logout`: coming in by a password, slower with every failure; going out."""

from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from dashboards.web.access import act_of, address_of, for_all, person, safe_next, signed_in
from dashboards.web.accounts import cookies
from dashboards.web.accounts.door import person_of
from dashboards.web.accounts.room import SEE_OTHER, Room, landing, own_form, said
from dashboards.web.accounts.saying import told
from sereno.accounts import Act, limits, note, passwords, sessions, users
from sereno.accounts.names import folded
from sereno.accounts.users import User
from sereno.clock import SECOND_US

LONGEST_FIELD = 1_024


class Login:
    """The pages."""

    def __init__(self, room: Room, provider: str) -> None:
        self._room, self._site, self._door = room, room.site, room.door
        self._provider = provider  # what its button says; empty: there is none

    async def show(self, request: Request) -> Response:
        towards = safe_next(request.query_params.get("next", ""))
        if person(request).standing == "person":
            return RedirectResponse(safe_next(towards, landing(person(request))), SEE_OTHER)
        fault = request.query_params.get("fault", "")
        return await self._page(request, towards, fault if fault in {"refused", "provider", "taken"} else "")

    async def enter(self, request: Request) -> Response:
        form = await own_form(request)
        if form is None:
            return await self._page(request, safe_next(request.query_params.get("next", "")), "form", 403)
        name, password = folded(said(form, "name")[:LONGEST_FIELD]), said(form, "password")[:LONGEST_FIELD]
        towards, address = safe_next(said(form, "next"), ""), address_of(request)
        now_us = self._door.now_us()
        attempt, wait_us = await self._door.written(lambda c: limits.begin_attempt(c, name, address, now_us))
        if wait_us:
            return await self._wait(request, towards, wait_us)
        stored = await self._door.read(lambda c: users.stored_password(c, name))
        try:
            user = await self._verified(name, stored, password)
        except HTTPException:  # too many at once
            await self._door.written(lambda c: limits.undone(c, attempt))
            raise
        act = Act(who=name if user is not None else "", how="web", at_us=self._door.now_us(), address=address)
        if user is None:
            await self._door.written(
                lambda c: note(c, Act(who=limits.key_of(c, name), how="web", at_us=act.at_us, address=address),
                               "login", limits.key_of(c, name), "refused")
            )  # fmt: skip
            return await self._page(request, towards, "wrong", 403)
        old = request.state.session

        def arrive(connection: Connection) -> None:
            limits.succeeded(connection, name, address)
            if old:
                sessions.forget(connection, old)

        await self._door.written(arrive)
        return await self._room.entered(request, act, user, towards or landing(person_of(user)))

    async def leave(self, request: Request) -> Response:
        form = await own_form(request)
        if form is None:
            return RedirectResponse("/account", SEE_OTHER)
        who, digest, act = person(request).name, request.state.session, act_of(request, self._door.now_us())
        await self._door.written(lambda c: sessions.end(c, act, who, digest))
        answer = RedirectResponse("/login", SEE_OTHER)
        cookies.drop(answer, "session", request)
        return answer

    async def _verified(self, name: str, stored: str | None, password: str) -> User | None:
        """The account if this is its password; as long for a name that nobody has."""
        if not await self._room.vault.verified(stored, password) or stored is None:
            return None
        if passwords.outdated(stored):
            renewed = await self._room.vault.hashed(password)
            await self._door.written(lambda c: users.rehash(c, name, stored, renewed))
        user = await self._door.read(lambda c: users.user_named(c, name))
        return user if user is not None and user.usable else None

    async def _wait(self, request: Request, towards: str, wait_us: int) -> Response:
        seconds = -(-wait_us // SECOND_US)
        answer = await self._page(request, towards, "wait", 429, seconds=seconds)
        answer.headers["retry-after"] = str(seconds)
        return answer

    async def _page(self, request: Request, towards: str, fault: str, status: int = 200, **values: object) -> Response:
        words = await self._site.threaded(lambda: self._site.words(request))
        nobody = not await self._door.read(users.any_user)
        return await self._room.form_page(
            request, "accounts/login.html", status=status, towards=towards, nobody=nobody,
            provider=self._provider, fault=told(words, fault, **values) if fault else "",
        )  # fmt: skip


def routes(room: Room, provider: str) -> list[BaseRoute]:
    login = Login(room, provider)
    return [
        Route("/login", for_all(login.show), methods=["GET"]),
        Route("/login", for_all(login.enter), methods=["POST"]),
        Route("/logout", signed_in(login.leave), methods=["POST"]),
    ]
