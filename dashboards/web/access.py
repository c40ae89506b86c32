"""Who looks, and what he may: asked by every page, by the API and by the live stream."""

import functools
import secrets
from collections.abc import Awaitable, Callable, Collection
from typing import Literal

import msgspec
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

Role = Literal["viewer", "operator", "manager", "admin"]
Permission = Literal["read", "act", "maintenance", "forensics", "reports", "users", "audit"]
Handler = Callable[[Request], Awaitable[Response]]
MAY: dict[Role, frozenset[Permission]] = {
    "viewer": frozenset({"read"}),
    "operator": frozenset({"read", "act", "maintenance", "forensics", "reports"}),
    "manager": frozenset({"reports"}),
    "admin": frozenset({"read", "act", "maintenance", "forensics", "reports", "users", "audit"}),
}
LOOKING: frozenset[Permission] = frozenset({"read", "forensics", "reports"})  # on loopback, before there are accounts


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Who looks. `name` is empty for one who did not log in; `customers` limits a manager, and nobody else."""

    name: str = ""
    role: Role = "viewer"
    permissions: frozenset[Permission] = frozenset()
    customers: frozenset[str] | None = None
    locale: str = ""

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    def sees(self, customers: Collection[str]) -> bool:
        """Whether something that concerns these customers is any of his business."""
        return self.customers is None or not self.customers.isdisjoint(customers)


OPEN_HOUSE = Person(permissions=LOOKING)
STRANGER = Person()


class Known:
    """Puts the person who asks into `request.state.person`; plain ASGI, so that streams stay streams."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope.setdefault("state", {})["person"] = OPEN_HOUSE
        await self._app(scope, receive, send)


def person(request: Request) -> Person:
    """Who asks."""
    found: Person = request.state.person
    return found


def guarded(permission: Permission, handler: Handler) -> Handler:
    """The handler for those who may; others are asked to log in, or refused."""

    @functools.wraps(handler)
    async def only(request: Request) -> Response:
        who = person(request)
        if who.may(permission):
            return await handler(request)
        if who.name or request.method != "GET":
            raise HTTPException(403 if who.name else 401)
        return RedirectResponse(f"/login?next={request.url.path}", status_code=303)

    return only


def csrf(request: Request) -> str:
    """What a form of this person must carry (`<input type="hidden" name="csrf">`, or the header X-CSRF)."""
    return getattr(request.state, "csrf", "") or secrets.token_hex(16)


async def checked_form(request: Request) -> FormData:
    """The form that this person sent; refused when it did not come from a page of ours."""
    form = await request.form(max_files=0, max_fields=50)
    said = str(form.get("csrf", "")) or request.headers.get("x-csrf", "")
    if not said or not secrets.compare_digest(said, csrf(request)):
        raise HTTPException(403)
    return form
