"""Says of every request who it comes from, and refuses what a page of another site sends; plain ASGI."""

from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboards.web.refusal import Refused
from sereno.accounts import secret
from sereno.errors import StoreError

if TYPE_CHECKING:
    from dashboards.web.accounts.door import Door, Visit

_CHANGES_NOTHING = frozenset({"GET", "HEAD", "OPTIONS"})
_BY_THEMSELVES = ("/static/", "/healthz")  # nobody's business who asks
_BY_LINK = "/ack/"  # the link itself is the right to do it, in whatever window of a mail it was opened


class Known:
    """Puts `person`, `csrf`, `scopes`, `local` and `ends` into `request.state`."""

    def __init__(self, app: ASGIApp, door: "Door") -> None:
        self._app, self._door = app, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_BY_THEMSELVES):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        state: dict[str, Any] = scope.setdefault("state", {})
        state["local"] = self._door.is_local(connection)
        try:
            visit = await self._door.visit(connection)
        except StoreError as error:
            state["blind"] = error
        else:
            self._say(state, connection, visit)
            if not visit.token and _from_elsewhere(scope, connection.headers):
                await Refused(403, "a page of another site may not act here").answer()(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _say(self, state: dict[str, Any], connection: HTTPConnection, visit: "Visit") -> None:
        from dashboards.web.accounts import cookies

        kept = cookies.read("session" if visit.session else "form", connection)
        state["person"] = visit.person
        state["session"] = visit.session
        state["scopes"] = visit.scopes
        state["house"] = visit.house
        state["csrf"] = secret.form_key(kept) if secret.is_secret(kept) else ""
        state["ends"] = self._door.ends(visit)


def _from_elsewhere(scope: Scope, headers: Headers) -> bool:
    """Whether a browser sends it on behalf of another site (Sec-Fetch-Site; Origin where there is none)."""
    if scope["method"] in _CHANGES_NOTHING or scope["path"].startswith(_BY_LINK):
        return False
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = headers.get("origin")
    return origin is not None and origin != f"{scope['scheme']}://{headers.get('host', '')}"
