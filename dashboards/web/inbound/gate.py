"""Who asks: a bearer token (RFC 6750) or basic credentials (RFC 7617), compared by hash and in constant time.

Without clients in `desk.yaml` only this machine may ask, and no page of another site in its browsers may: such a page
can send a request here, but neither JSON without asking first, nor with our own name as Host (DNS rebinding).
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from dashboards.web.inbound.settings import Settings

SHORTEST_TOKEN = 20
LOCAL = "api"  # who acts, in timelines, where there are no clients


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """The request ends here, with these words."""

    def __init__(self, status: int, what: str, **headers: str) -> None:
        self.status, self.headers = status, {key.replace("_", "-"): value for key, value in headers.items()}
        super().__init__(what)

    def answer(self) -> Response:
        return JSONResponse({"error": str(self)}, status_code=self.status, headers=self.headers)


async def refused(request: Request, error: Exception) -> Response:
    """How the application answers a refusal."""
    del request
    return error.answer() if isinstance(error, Refused) else Refused(500, "unexpected").answer()


class Gate:
    """Tells who asks, or refuses."""

    def __init__(self, settings: Settings) -> None:
        self._clients = settings.clients
        self._open = settings.loopback and not settings.strict

    def who(self, request: Request, part: str) -> str:
        """The client's name; Refused when it may not use this part."""
        said = request.headers.get("authorization")
        if said is None and self._open:
            self._local(request)
            return LOCAL
        if said is None:
            raise self._unknown("this needs a token: Authorization: Bearer TOKEN")
        user, token = _credentials(said)
        if len(token) < SHORTEST_TOKEN:
            raise self._unknown(f"a token has {SHORTEST_TOKEN} characters or more")
        digest = hashlib.sha256(token.encode()).digest()
        found = None
        for client in self._clients:  # all of them, whoever it is: how long it takes tells nothing
            if hmac.compare_digest(client.digest, digest) and user in (None, client.name):
                found = client
        if found is None:
            raise self._unknown("nobody has this token")
        if part not in found.may:
            raise Refused(403, f"{found.name} may not use this: add {part} to its `may` in desk.yaml")
        return found.name

    @staticmethod
    def _unknown(what: str) -> Refused:
        return Refused(401, what, www_authenticate='Bearer realm="sereno"')

    @staticmethod
    def _local(request: Request) -> None:
        host = request.url.hostname or ""
        if not _is_loopback(host):
            raise Refused(403, f"without clients in desk.yaml this is for 127.0.0.1 alone, not for {host[:80]!r}")
        origin = request.headers.get("origin")
        if origin is not None and origin != f"{request.url.scheme}://{request.url.netloc}":
            raise Refused(403, "a page of another site may not act here")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _credentials(said: str) -> tuple[str | None, str]:
    """(user, token); Basic carries both."""
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
