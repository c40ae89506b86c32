"""Who looks, and what he may: asked by every page, by the API and by the live stream."""

import functools
from collections.abc import Awaitable, Callable, Collection
from http import HTTPStatus
from typing import Literal
from urllib.parse import quote, urlsplit

import msgspec
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sereno.accounts import MAY, Act, Permission, Role, Scope
from sereno.accounts.roles import LOOKING
from sereno.accounts.secret import same
from sereno.errors import StoreError

Handler = Callable[[Request], Awaitable[Response]]
Standing = Literal["stranger", "open", "anonymous", "person", "token"]
House = Literal["open", "anonymous", "closed"]  # to who does not log in
_FIELDS = 50
_LONGEST_NEXT = 2_000


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Who looks. `name` is empty for one who did not log in; `customers` limits a manager (or a program's token)."""

    name: str = ""
    role: Role = "viewer"
    permissions: frozenset[Permission] = frozenset()
    customers: frozenset[str] | None = None
    locale: str = ""
    standing: Standing = "stranger"

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    def sees(self, customers: Collection[str]) -> bool:
        """Whether something that concerns these customers is any of his business."""
        return self.customers is None or not self.customers.isdisjoint(customers)


OPEN_HOUSE = Person(permissions=LOOKING, standing="open")
ANONYMOUS = Person(permissions=MAY["viewer"], standing="anonymous")
STRANGER = Person()


def person(request: Request) -> Person:
    """Who asks."""
    found: Person = getattr(request.state, "person", STRANGER)
    return found


def scopes(request: Request) -> frozenset[Scope] | None:
    """Those of the token that asks; None where no token of the store does."""
    found: frozenset[Scope] | None = getattr(request.state, "scopes", None)
    return found


def house(request: Request) -> House:
    """What who does not log in may here: look, as long as there is no account; what a viewer may; or nothing."""
    found: House = getattr(request.state, "house", "closed")
    return found


def is_local(request: Request) -> bool:
    """Whether somebody on this machine asks, and nobody through a proxy."""
    return bool(getattr(request.state, "local", False))


def act_of(request: Request, at_us: int) -> Act:
    """For the audit log: who does this by what way."""
    who = person(request)
    return Act(who=who.name, how="api" if who.standing == "token" else "web", at_us=at_us, address=address_of(request))


def address_of(request: Request) -> str:
    """Whence the request came."""
    return request.client.host if request.client is not None else ""


def guarded(permission: Permission, handler: Handler) -> Handler:
    """The handler for those who may; others are asked to log in, or refused."""

    @functools.wraps(handler)
    async def only(request: Request) -> Response:
        who = person(request)
        _refuse_blind(request)
        if who.may(permission):
            return await handler(request)
        return _shown_the_door(request, who)

    only.permission = permission  # type: ignore[attr-defined]  # a test walks every route and asks for it
    return only


def signed_in(handler: Handler) -> Handler:
    """The handler for everybody who logged in, whatever the role; for programs it is not."""

    @functools.wraps(handler)
    async def only(request: Request) -> Response:
        who = person(request)
        _refuse_blind(request)
        if who.standing == "person":
            return await handler(request)
        return _shown_the_door(request, who)

    only.permission = "account"  # type: ignore[attr-defined]
    return only


def for_all(handler: Handler) -> Handler:
    """The handler for whoever comes, by intent: the pages by which one comes in."""

    @functools.wraps(handler)
    async def anybody(request: Request) -> Response:
        return await handler(request)

    anybody.permission = "everybody"  # type: ignore[attr-defined]
    return anybody


def _refuse_blind(request: Request) -> None:
    """Where the accounts cannot be read nobody is anybody, and the page says why."""
    error: StoreError | None = getattr(request.state, "blind", None)
    if error is not None:
        raise error


def _shown_the_door(request: Request, who: Person) -> Response:
    if who.standing == "person" and request.url.path == "/" and who.may("reports"):
        return RedirectResponse("/reports", status_code=HTTPStatus.SEE_OTHER)  # an account manager's first page
    if who.name:
        raise HTTPException(HTTPStatus.FORBIDDEN)
    if request.method not in {"GET", "HEAD"} or request.url.path.startswith("/api/"):
        raise HTTPException(HTTPStatus.UNAUTHORIZED, headers={"www-authenticate": 'Bearer realm="sereno"'})
    return RedirectResponse(login_url(request), status_code=HTTPStatus.SEE_OTHER)


def login_url(request: Request) -> str:
    """The way in, and back to what was wanted."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return f"/login?next={quote(wanted, safe='/')}"


def safe_next(wanted: str, otherwise: str = "/") -> str:
    """Where one goes after logging in: a path of this house, and of no other."""
    if not wanted.startswith("/") or wanted[1:2] in {"/", "\\"} or len(wanted) > _LONGEST_NEXT:
        return otherwise
    if not wanted.isprintable() or "\\" in wanted or " " in wanted:
        return otherwise
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return otherwise
    return wanted if not parts.scheme and not parts.netloc and parts.path not in {"/login", "/logout"} else otherwise


def csrf(request: Request) -> str:
    """What a form of this browser must carry (`<input type="hidden" name="csrf">`, or the header X-CSRF)."""
    return getattr(request.state, "csrf", "")


async def checked_form(request: Request) -> FormData:
    """The form that this person sent; refused when it did not come from a page of ours."""
    form = await request.form(max_files=0, max_fields=_FIELDS)
    check_csrf(request, str(form.get("csrf", "")))
    return form


def check_csrf(request: Request, said: str = "") -> None:
    """Refuses what did not come from a page of ours; a program's token needs none, no browser sends it by itself."""
    if person(request).standing == "token":
        return
    given, wanted = said or request.headers.get("x-csrf", ""), csrf(request)
    if not given or not wanted or not same(given, wanted):
        raise HTTPException(HTTPStatus.FORBIDDEN, "this form is not of this session; load the page again")


__all__ = [
    "ANONYMOUS", "MAY", "OPEN_HOUSE", "STRANGER", "Handler", "House", "Permission", "Person", "Role", "act_of",
    "address_of", "check_csrf", "checked_form", "csrf", "for_all", "guarded", "house", "is_local", "login_url",
    "person", "safe_next", "scopes", "signed_in",
]  # fmt: skip
