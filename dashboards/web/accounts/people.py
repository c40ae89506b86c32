"""`/users`: an administrator's page: who there is, invitations, roles, customers, new passwords."""

from typing import Any

from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from dashboards.web.access import act_of, checked_form, guarded
from dashboards.web.accounts.room import SEE_OTHER, Room, said
from dashboards.web.accounts.saying import why
from sereno.accounts import ROLES, AccountError, Act, invitations, sessions, users
from sereno.accounts.roles import Role
from sereno.accounts.users import User


class Users:
    """The pages."""

    def __init__(self, room: Room) -> None:
        self._site, self._door = room.site, room.door

    async def show(self, request: Request) -> Response:
        return await self._list(request)

    async def one(self, request: Request) -> Response:
        return await self._one(request, done=request.query_params.get("done") == "1")

    async def add(self, request: Request) -> Response:
        """An account or an invitation; the answer shows its link, once."""
        form = await checked_form(request)
        name, customers = said(form, "name").strip(), [str(each) for each in form.getlist("customer")]
        act = act_of(request, self._door.now_us())
        words = await self._site.threaded(lambda: self._site.words(request))
        try:
            role = _role(said(form, "role"))
            await self._refuse_strangers(customers)

            def made(connection: Connection) -> str:
                if not name:
                    return invitations.invite(connection, act, role, customers=customers)
                user = users.add_user(connection, act, name, role, customers=customers)
                return invitations.reset(connection, act, user.name)

            token = await self._door.written(made)
        except AccountError as error:
            return await self._list(request, fault=why(words, error), status=422, name=name)
        return await self._list(request, link=_link(request, token), invited=name or words.text(f"role:{role}"))

    async def change(self, request: Request) -> Response:
        form = await checked_form(request)
        name, act = request.path_params["name"], act_of(request, self._door.now_us())
        words = await self._site.threaded(lambda: self._site.words(request))
        customers = [str(each) for each in form.getlist("customer")]
        what = said(form, "do")
        try:
            if what == "role":
                await self._refuse_strangers(customers)
            token = await self._door.written(lambda c: _changed(c, act, name, what, said(form, "role"), customers))
        except AccountError as error:
            if error.fault == "unknown":
                raise HTTPException(404) from None
            return await self._one(request, fault=why(words, error), status=422)
        if token is not None:
            return await self._one(request, link=_link(request, token))
        return RedirectResponse(f"/users/{name}?done=1", SEE_OTHER)

    async def _list(
        self, request: Request, *, fault: str = "", link: str = "", invited: str = "", status: int = 200, name: str = ""
    ) -> Response:  # fmt: skip
        everybody = await self._door.read(users.every_user)
        values: dict[str, Any] = {
            "everybody": everybody, "fault": fault, "link": link, "invited": invited, "name": name,
            "roles": ROLES, "customers": await self._customers(),
        }  # fmt: skip
        return await self._site.page(request, "accounts/users.html", status=status, **values)

    async def _one(
        self, request: Request, *, fault: str = "", link: str = "", done: bool = False, status: int = 200
    ) -> Response:
        name, now_us, lives = request.path_params["name"], self._door.now_us(), self._door.access.lives

        def look(connection: Connection) -> tuple[User, list[sessions.Session]] | None:
            user = users.user_named(connection, name)
            return (user, sessions.of_user(connection, user, now_us, lives)) if user is not None else None

        found = await self._door.read(look)
        if found is None:
            return await self._site.missing(request, "There is no account {name}.", name=name[:64])
        known = await self._customers()
        customers = {**dict.fromkeys(found[0].customers, ""), **known}
        return await self._site.page(
            request, "accounts/user.html", status=status, user=found[0], logins=found[1], fault=fault, link=link,
            done=done, roles=ROLES, customers=customers,
        )  # fmt: skip

    async def _customers(self) -> dict[str, str]:
        """Those of the topology in force: by name, what they are called."""
        topology = await self._site.threaded(self._site.topology)
        return {name: each.name for name, each in topology.customers.items()} if topology is not None else {}

    async def _refuse_strangers(self, customers: list[str]) -> None:
        known = await self._customers()
        if any(each not in known for each in customers):
            raise AccountError("customers", "no such customer")


def _changed(connection: Connection, act: Act, name: str, what: str, role: str, customers: list[str]) -> str | None:
    """Does it; the secret of a link where it makes one."""
    if what == "reset":
        return invitations.reset(connection, act, name)
    if what == "role":
        users.set_role(connection, act, name, _role(role), customers)
    elif what == "disable":
        users.disable(connection, act, name)
    elif what == "enable":
        users.enable(connection, act, name)
    elif what == "logout":
        users.needed(connection, name)
        sessions.end_others(connection, act, name)
    else:
        raise AccountError("unknown", "no such act")
    return None


def _role(text: str) -> Role:
    for each in ROLES:
        if each == text:
            return each
    raise AccountError("role", f"{text[:20]!r}: is no role")


def _link(request: Request, token: str) -> str:
    return f"{request.url.scheme}://{request.url.netloc}/invite/{token}"


def routes(room: Room) -> list[BaseRoute]:
    pages = Users(room)
    return [
        Route("/users", guarded("users", pages.show), methods=["GET"]),
        Route("/users", guarded("users", pages.add), methods=["POST"]),
        Route("/users/{name}", guarded("users", pages.one), methods=["GET"]),
        Route("/users/{name}", guarded("users", pages.change), methods=["POST"]),
    ]
