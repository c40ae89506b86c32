"""An identity provider (OpenID Connect Core 1.0): what it is asked, and what its answers must prove.

Authorization code with PKCE (RFC 7636), state and nonce. Every request blocks, with time-outs: call it in a thread of
its own. Whatever it says wrongly is a ProviderError, in one line that holds no secret.
"""

import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
from authlib.common.errors import AuthlibBaseError  # type: ignore[import-untyped]
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri  # type: ignore[import-untyped]
from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]
from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from sereno.accounts import Role, secret
from sereno.errors import SerenoError

TIMEOUT_SECONDS = 5.0
KNOWN_SECONDS = 3_600.0
_LEEWAY_SECONDS = 60
_LONGEST_ANSWER = 1 << 20
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")


class ProviderError(SerenoError):
    """The provider did not answer, or what it says proves nothing."""


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """Which provider, and what its claims mean here."""

    issuer: str
    client_id: str
    client_secret: str | None
    label: str
    scopes: tuple[str, ...]
    claim: str
    roles: Mapping[str, Role]
    customers: str | None
    name: str


class Ask(msgspec.Struct, frozen=True, array_like=True):
    """What this browser was sent away with; it comes back in its own cookie, and proves that it is the same."""

    state: str
    nonce: str
    verifier: str
    towards: str


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who the provider says it is, and as what: the role is the highest that a claim gives; None: none does."""

    subject: str
    name: str
    email: str | None
    role: Role | None
    customers: tuple[str, ...]


class Exchange:
    """The talk with one provider; what it publishes of itself is kept for an hour."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self._guard = threading.Lock()
        self._known: tuple[float, dict[str, Any], KeySet] | None = None

    def away(self, redirect: str, towards: str) -> tuple[str, Ask]:
        """Where the browser goes, and what it must bring back."""
        ask = Ask(secret.fresh(), secret.fresh(), secret.fresh(), towards)
        facts, _ = self._published()
        url: str = prepare_grant_uri(
            facts["authorization_endpoint"], self.provider.client_id, "code", redirect,
            scope=" ".join(self.provider.scopes), state=ask.state, nonce=ask.nonce,
            code_challenge=create_s256_code_challenge(ask.verifier), code_challenge_method="S256",
        )  # fmt: skip
        return url, ask

    def identity(self, code: str, ask: Ask, redirect: str, now_us: int) -> Identity:
        """Who came back with this code; ProviderError when it does not prove it."""
        facts, keys = self._published()
        answer = self._token(facts["token_endpoint"], code, ask, redirect)
        claims = self._claims(str(answer.get("id_token", "")), str(answer.get("access_token", "")), keys, ask, now_us)
        if self.provider.claim not in claims and "userinfo_endpoint" in facts:
            claims = {**self._userinfo(facts["userinfo_endpoint"], answer, claims["sub"]), **claims}
        return self._read(claims)

    def _read(self, claims: Mapping[str, Any]) -> Identity:
        provider = self.provider
        held = {provider.roles[each] for each in _texts(claims.get(provider.claim)) if each in provider.roles}
        highest = next((role for role in _HIGHEST_FIRST if role in held), None)
        email = claims.get("email")
        return Identity(
            subject=f"{provider.issuer}|{claims['sub']}",
            name=str(claims.get(provider.name) or email or claims["sub"]),
            email=email if isinstance(email, str) else None,
            role=highest,
            customers=tuple(_texts(claims.get(provider.customers))) if provider.customers else (),
        )

    def _claims(self, token: str, access: str, keys: KeySet, ask: Ask, now_us: int) -> dict[str, Any]:
        try:
            found = jwt.decode(token, keys, algorithms=_ALGORITHMS)
        except (JoseError, ValueError):
            self._known = None  # the keys may have been changed
            raise ProviderError("its ID token is not signed by one of its keys") from None
        provider = self.provider
        options = {
            "iss": {"essential": True, "values": [provider.issuer]},
            "aud": {"essential": True, "values": [provider.client_id]},
            "nonce": {"essential": True},
        }
        params = {"nonce": ask.nonce, "client_id": provider.client_id, "access_token": access}
        claims = CodeIDToken(found.claims, found.header, options, params)
        try:
            claims.validate(now=now_us // 1_000_000, leeway=_LEEWAY_SECONDS)
        except (AuthlibBaseError, JoseError) as error:
            raise ProviderError(f"its ID token does not hold: {error}") from None
        if not isinstance(claims.get("sub"), str) or not claims["sub"]:
            raise ProviderError("its ID token names nobody")
        return dict(claims)

    def _token(self, url: str, code: str, ask: Ask, redirect: str) -> dict[str, Any]:
        provider = self.provider
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": redirect,
            "client_id": provider.client_id, "code_verifier": ask.verifier,
        }  # fmt: skip
        auth = httpx.BasicAuth(provider.client_id, provider.client_secret) if provider.client_secret else None
        return _answer(lambda client: client.post(url, data=form, auth=auth), "its token endpoint")

    def _userinfo(self, url: str, answer: Mapping[str, Any], subject: str) -> dict[str, Any]:
        """The claims that did not fit into the token; of the same person (OpenID Connect Core, 5.3.2)."""
        bearer = {"authorization": f"Bearer {answer.get('access_token', '')}"}
        found = _answer(lambda client: client.get(url, headers=bearer), "its userinfo endpoint")
        if found.get("sub") != subject:
            raise ProviderError("its userinfo endpoint speaks of somebody else")
        return found

    def _published(self) -> tuple[dict[str, Any], KeySet]:
        """Its endpoints and keys (OpenID Connect Discovery 1.0)."""
        with self._guard:
            if self._known is not None and time.monotonic() - self._known[0] < KNOWN_SECONDS:
                return self._known[1], self._known[2]
            where = self.provider.issuer.rstrip("/") + "/.well-known/openid-configuration"
            facts = _answer(lambda client: client.get(where), "its discovery document")
            if facts.get("issuer") != self.provider.issuer:
                raise ProviderError(f"its discovery document is of {str(facts.get('issuer'))[:200]!r}")
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                if not _is_safe(str(facts.get(name, "")), self.provider.issuer):
                    raise ProviderError(f"its discovery document has no {name} under TLS")
            published = _answer(lambda client: client.get(facts["jwks_uri"]), "its keys")
            try:
                keys = KeySet.import_key_set(published)  # type: ignore[arg-type]
            except (JoseError, ValueError, KeyError, TypeError):
                raise ProviderError("its keys cannot be read") from None
            self._known = (time.monotonic(), facts, keys)
            return facts, keys


_HIGHEST_FIRST: tuple[Role, ...] = ("admin", "operator", "manager", "viewer")


def _answer(asked: Any, what: str) -> dict[str, Any]:
    """The JSON object that is answered; nothing else is believed, and no redirect is followed."""
    try:
        with httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=True) as client:
            answer = asked(client)
            if answer.status_code != httpx.codes.OK or len(answer.content) > _LONGEST_ANSWER:
                raise ProviderError(f"{what} answered {answer.status_code}")
            found = msgspec.json.decode(answer.content)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ProviderError(f"{what} did not answer: {type(error).__name__}") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise ProviderError(f"{what} did not answer JSON") from None
    if not isinstance(found, dict):
        raise ProviderError(f"{what} did not answer a JSON object")
    return found


def _is_safe(url: str, issuer: str) -> bool:
    """Under TLS; without it only where the issuer itself is, which is this machine then."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname == urlsplit(issuer).hostname)


def _texts(value: Any) -> list[str]:
    """A claim of one or of several."""
    if isinstance(value, str):
        return [value]
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
