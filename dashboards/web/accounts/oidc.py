"""`/login/oidc`: away to the identity provider and back.

Coming back is the one GET that begins a session: the protocol has it so, and the code, the state and this browser's own
cookie stand for the form's key.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from urllib.parse import urlencode

import msgspec
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from dashboards.web.access import address_of, for_all, safe_next
from dashboards.web.accounts import cookies
from dashboards.web.accounts.door import person_of
from dashboards.web.accounts.provider import Ask, Exchange, Identity, Provider, ProviderError
from dashboards.web.accounts.room import SEE_OTHER, Room, landing
from sereno.accounts import AccountError, Act, note, secret, users
from sereno.accounts.names import checked_name
from sereno.accounts.users import User
from sereno.desk.web import Oidc
from sereno.topology import explain_secret

_log = logging.getLogger("sereno.web")
_AWAY_SECONDS = 600
_THREADS = 2
_Found = TypeVar("_Found")


class Foreign:
    """The two routes; the provider is asked in threads of their own, so that a slow one keeps nobody else waiting."""

    def __init__(self, room: Room, provider: Provider) -> None:
        self._room, self._door = room, room.door
        self._exchange = Exchange(provider)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="oidc")

    async def away(self, request: Request) -> Response:
        towards = safe_next(request.query_params.get("next", ""), "")
        try:
            url, ask = await self._asked(lambda: self._exchange.away(_redirect(request), towards))
        except ProviderError as error:
            return await self._refused(request, "provider", str(error))
        answer = RedirectResponse(url, SEE_OTHER)
        cookies.put(answer, "oidc", request, _packed(ask), _AWAY_SECONDS)
        return answer

    async def back(self, request: Request) -> Response:
        ask, given = _unpacked(cookies.read("oidc", request)), request.query_params
        if ask is None or not secret.same(given.get("state", ""), ask.state) or not given.get("code"):
            return await self._refused(request, "provider", str(given.get("error", "no code, or not of this browser")))
        try:
            identity = await self._asked(
                lambda: self._exchange.identity(given["code"], ask, _redirect(request), self._door.now_us())
            )
        except ProviderError as error:
            return await self._refused(request, "provider", str(error))
        if identity.role is None:
            return await self._refused(request, "refused", f"{identity.name}: no role")
        try:
            user = await self._door.written(lambda c: self._arrived(c, identity, address_of(request)))
        except AccountError as error:
            fault = "taken" if error.fault == "taken" else "refused"
            return await self._refused(request, fault, str(error))
        act = Act(who=user.name, how="oidc", at_us=self._door.now_us(), address=address_of(request))
        answer = await self._room.entered(request, act, user, ask.towards or landing(person_of(user)))
        cookies.drop(answer, "oidc", request)
        return answer

    def _arrived(self, connection: Connection, identity: Identity, address: str) -> User:
        """Their account, with the role that the provider says today; made at the first time.

        Never one that was here already under that name: whose it is, a name does not prove.
        """
        role = identity.role
        if role is None:
            raise AccountError("refused", f"{identity.name}: no role")
        user = users.user_of_subject(connection, identity.subject)
        act = Act(who=user.name if user else checked_name(identity.name), how="oidc", at_us=self._door.now_us(),
                  address=address)  # fmt: skip
        if user is None:
            return users.add_user(
                connection, act, act.who, role, customers=identity.customers, email=identity.email,
                subject=identity.subject,
            )  # fmt: skip
        if user.disabled_us is not None:
            raise AccountError("disabled", f"{user.name}: is disabled")
        return users.set_role(connection, act, user.name, role, identity.customers, by_provider=True)

    async def _refused(self, request: Request, fault: str, why: str) -> Response:
        _log.warning("login by the identity provider: %s", why[:300])
        act = Act(who="?", how="oidc", at_us=self._door.now_us(), address=address_of(request))
        if fault != "provider":
            await self._door.written(lambda c: note(c, act, "login", why[:200], "refused"))
        answer = RedirectResponse(f"/login?{urlencode({'fault': fault})}", SEE_OTHER)
        cookies.drop(answer, "oidc", request)
        return answer

    async def _asked(self, work: Callable[[], _Found]) -> _Found:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def provider_of(oidc: Oidc | None) -> Provider | None:
    """The provider of `desk.yaml`; one whose secret cannot be had is told of and left out."""
    if oidc is None:
        return None
    found, why = explain_secret(oidc.client_secret, "oidc") if oidc.client_secret is not None else (None, "")
    if oidc.client_secret is not None and found is None:
        _log.error("web.oidc is left out: %s", why)
        return None
    return Provider(
        issuer=oidc.issuer, client_id=oidc.client_id, client_secret=found, label=oidc.label, scopes=oidc.scopes,
        claim=oidc.claim, roles=oidc.roles, customers=oidc.customers, name=oidc.name,
    )  # fmt: skip


def _redirect(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}/login/oidc/back"


def _packed(ask: Ask) -> str:
    return msgspec.json.encode(ask).hex()


def _unpacked(text: str) -> Ask | None:
    try:
        return msgspec.json.decode(bytes.fromhex(text), type=Ask)
    except (ValueError, msgspec.DecodeError):
        return None


def routes(room: Room, provider: Provider | None) -> list[BaseRoute]:
    if provider is None:
        return []
    foreign = Foreign(room, provider)
    return [
        Route("/login/oidc", for_all(foreign.away), methods=["GET"]),
        Route("/login/oidc/back", for_all(foreign.back), methods=["GET"]),
    ]
