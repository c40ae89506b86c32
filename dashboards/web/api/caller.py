"""Who asks, and what he may: a token of the store, a client of desk.yaml, a session, or somebody at this machine.

Without accounts and without clients in `desk.yaml` only this machine may ask, and no page of another site in its
browsers may: such a page can send a request here, but neither JSON without asking first, nor with our own name as Host
(DNS rebinding).
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
from typing import Literal

import msgspec
from starlette.requests import Request

from dashboards.web.access import address_of, check_csrf, is_local, person, scopes
from dashboards.web.inbound.settings import Settings
from dashboards.web.refusal import Refused
from sereno.accounts import Permission, secret
from sereno.accounts.roles import LOOKING, MEANS
from sereno.errors import StoreError

Need = Permission | Literal["alerts"]
SHORTEST_TOKEN = 20
LOCAL = "api"  # who acts, in timelines, where there are neither clients nor accounts
REALM = 'Bearer realm="sereno"'
OPENLY: frozenset[Need] = LOOKING | {"act", "alerts"}  # what this machine may, before there are accounts or clients
_CHANGES_NOTHING = frozenset({"GET", "HEAD", "OPTIONS"})


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """`customers` limits what is seen to what concerns them; None: everything."""

    name: str
    standing: Literal["token", "client", "person", "anonymous", "local"]
    may: frozenset[Need]
    key: str  # of its rate limit
    customers: frozenset[str] | None = None
    role: str | None = None
    scopes: tuple[str, ...] | None = None

    def sees(self, customers: object) -> bool:
        """Whether something that concerns these customers is any of its business."""
        return self.customers is None or not self.customers.isdisjoint(customers)  # type: ignore[arg-type]


class Gate:
    """Tells who asks, or refuses."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def open_house(self, request: Request) -> bool:
        """Whether this machine asks, and there are neither accounts nor clients yet."""
        return person(request).standing == "open" and self._settings.loopback and not self._settings.strict

    def exists(self, request: Request) -> bool:
        """Beyond loopback nothing is here until there are accounts or clients."""
        return person(request).standing != "open" or self._settings.loopback or bool(self._settings.clients)

    def caller(self, request: Request) -> Caller:
        """Who asks; Refused when nobody knows him."""
        blind: StoreError | None = getattr(request.state, "blind", None)
        if blind is not None:
            raise blind
        if not self.exists(request):
            raise Refused(404, "there is nothing here")
        if "authorization" in request.headers:
            return self._by_secret(request, request.headers["authorization"])
        who = person(request)
        if who.standing == "person":
            if request.method not in _CHANGES_NOTHING:
                check_csrf(request)
            return Caller(
                name=who.name, standing="person", may=frozenset(who.permissions), customers=who.customers,
                role=who.role, key=f"session/{getattr(request.state, 'session', '')}",
            )  # fmt: skip
        if self.open_house(request):
            self._refuse_foreign(request)
            return Caller(name=LOCAL, standing="local", may=OPENLY, key=_place(request))
        if who.standing == "anonymous" and not self._settings.strict:
            return Caller(name="", standing="anonymous", may=frozenset(who.permissions), key=_place(request))
        if is_local(request) and not _is_loopback(request.url.hostname or ""):
            host = request.url.hostname or ""
            raise Refused(403, f"without a token this is for 127.0.0.1 alone, not for {host[:80]!r}")
        raise self._unknown("this needs a token: Authorization: Bearer TOKEN")

    def _by_secret(self, request: Request, said: str) -> Caller:
        user, token = _credentials(said)
        who, held = person(request), scopes(request)
        if held is not None and who.standing == "token":
            may: frozenset[Need] = frozenset(who.permissions) | ({"alerts"} if "alerts" in held else frozenset())
            return Caller(
                name=who.name, standing="token", may=may, customers=who.customers, scopes=tuple(sorted(held)),
                key=f"token/{secret.digest(token)[:16]}",
            )  # fmt: skip
        if len(token) < SHORTEST_TOKEN:
            raise self._unknown(f"a token has {SHORTEST_TOKEN} characters or more")
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        found = None
        for client in self._settings.clients:  # all of them, whoever it is: how long it takes tells nothing
            if hmac.compare_digest(client.digest, digest) and user in (None, client.name):
                found = client
        if found is None:
            raise self._unknown("nobody has this token")
        allowed: set[Need] = set()
        for part in found.may:
            allowed |= {"alerts"} if part == "alerts" else MEANS["incidents"]
        return Caller(
            name=found.name, standing="client", may=frozenset(allowed), scopes=tuple(sorted(found.may)),
            key=f"client/{found.name}",
        )  # fmt: skip

    @staticmethod
    def _unknown(what: str) -> Refused:
        return Refused(401, what, www_authenticate=REALM)

    @staticmethod
    def _refuse_foreign(request: Request) -> None:
        origin = request.headers.get("origin")
        if origin is not None and origin != f"{request.url.scheme}://{request.url.netloc}":
            raise Refused(403, "a page of another site may not act here")


def refuse_unless(caller: Caller, needs: tuple[Need, ...]) -> None:
    """403 where the caller has none of the permissions."""
    if not needs or not caller.may.isdisjoint(needs):
        return
    scope = next((name for name, means in MEANS.items() if not means.isdisjoint(needs)), needs[0])
    if caller.standing == "client":
        raise Refused(403, f"{caller.name} may not use this: add {scope} to its `may` in desk.yaml, or make it a token")
    if caller.standing == "token":
        raise Refused(403, f"this token may not use this: it has not the scope {scope}")
    if caller.standing == "person":
        raise Refused(403, f"your role, {caller.role}, may not do this")
    raise Refused(401, f"this needs a token with the scope {scope}, or a login", www_authenticate=REALM)


def _place(request: Request) -> str:
    return f"address/{address_of(request)}"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _credentials(said: str) -> tuple[str | None, str]:
    """(user, token); Basic carries both (RFC 6750, RFC 7617)."""
    scheme, _, rest = said.partition(" ")
    if scheme.lower() == "bearer":
        return None, rest.strip()
    if scheme.lower() == "basic":
        try:
            user, _, token = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return None, ""
        return user, token
    return None, ""
