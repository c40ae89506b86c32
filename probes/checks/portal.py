"""One look at one server of a portal: HTTP to that very address, under the portal's name."""

import asyncio
import ipaddress
import ssl
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import msgspec

from probes.checks.tls_scan import certificate_facts, forward_secrecy
from probes.sip.link import Session
from probes.sip.tls import TlsSettings as _Tls
from probes.sip.tls import blind_context, session, why
from sereno.wire import Reason

REDIRECTS = 5
_HSTS_SECONDS = 180 * 86_400  # what a preload list asks of Strict-Transport-Security (RFC 6797)
_OK = (200, 399)


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What one address answered."""

    address: str
    reason: Reason | None = None
    detail: str | None = None
    status: int | None = None
    first_byte_seconds: float | None = None
    redirects: int = 0
    tls: dict[str, Any] | None = None

    @property
    def answered(self) -> bool:
        """Whether a server said anything at all, good or bad."""
        return self.status is not None or self.reason in {None, "tls", "malformed"}

    def facts(self) -> dict[str, Any]:
        """As results tell it."""
        told = {key: getattr(self, key) for key in self.__struct_fields__ if key != "address"}
        return {key: value for key, value in told.items() if value is not None and (key, value) != ("redirects", 0)}


class Portal(msgspec.Struct, frozen=True):
    """Where a portal is and what is good there."""

    url: str
    ca: str | None = None
    status: tuple[int, ...] = ()

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        parts = urlsplit(self.url)
        return parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def secure(self) -> bool:
        return urlsplit(self.url).scheme == "https"


async def look(portal: Portal, address: str, context: ssl.SSLContext | None, seconds: float, now_us: int) -> Look:
    """GET, redirects followed as long as they stay on the host; never raises for what the network does."""
    seen: dict[str, Any] = {"address": address, "redirects": 0}
    try:
        async with httpx.AsyncClient(
            verify=context if context is not None else False, trust_env=False, timeout=seconds
        ) as client:
            await _walk(client, portal, address, seen, now_us)
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as error:
        reason, detail = _trouble(error, portal, seconds)
        if (leads_to := seen.pop("leads_to", None)) is not None:
            detail = f"redirected to {leads_to}: {detail}"
        return Look(**seen, reason=reason, detail=detail)
    leads_to = seen.pop("leads_to", None)
    if seen["redirects"] > REDIRECTS:
        return Look(**seen, reason="http_status", detail=f"more than {REDIRECTS} redirects, the last to {leads_to}")
    low, high = _OK
    status = seen["status"]
    if status not in portal.status if portal.status else not low <= status <= high:
        return Look(**seen, reason="http_status", detail=f"HTTP status {status}")
    return Look(**seen)


async def refused_certificate(portal: Portal, address: str, seconds: float, now_us: int) -> dict[str, Any]:
    """The facts of a certificate that was not accepted, read over a connection that verifies nothing."""
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(
                address, portal.port, ssl=blind_context(), server_hostname=portal.host, ssl_shutdown_timeout=0.2
            )
    except (OSError, TimeoutError):
        return {}
    found = writer.get_extra_info("ssl_object")
    told = _tls_facts(found, portal.host, now_us)
    writer.transport.abort()
    return told | {"verified": False}


async def _walk(client: httpx.AsyncClient, portal: Portal, address: str, seen: dict[str, Any], now_us: int) -> None:
    url = portal.url
    for turn in range(REDIRECTS + 1):
        parts = urlsplit(url)
        host = f"[{address}]" if ipaddress.ip_address(address).version == 6 else address  # noqa: PLR2004
        where = parts._replace(netloc=f"{host}:{parts.port}" if parts.port else host).geturl()
        began = time.perf_counter()
        headers = {"host": parts.netloc.rpartition("@")[2], "user-agent": "sereno", "accept": "*/*"}
        request = client.build_request("GET", where, headers=headers, extensions={"sni_hostname": portal.host})
        response = await client.send(request, stream=True)
        try:
            if turn == 0:
                seen["first_byte_seconds"] = round(time.perf_counter() - began, 6)
            _note(response, portal, seen, now_us)
        finally:
            await response.aclose()
        target = response.headers.get("location")
        goes = urljoin(url, target) if response.is_redirect and target else None
        if response.status_code in portal.status:
            return  # asked for as it is
        if goes is None or (urlsplit(goes).hostname or "") != portal.host:
            return
        seen["redirects"], seen["leads_to"], url = turn + 1, _shown(goes), goes


def _shown(url: str) -> str:
    """Without what may be secret in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()[:120]


def _note(response: httpx.Response, portal: Portal, seen: dict[str, Any], now_us: int) -> None:
    seen["status"] = response.status_code
    stream = response.extensions.get("network_stream")
    found = stream.get_extra_info("ssl_object") if stream is not None else None
    if isinstance(found, ssl.SSLObject | ssl.SSLSocket):
        seen["tls"] = _tls_facts(found, portal.host, now_us) | {"hsts": _hsts(response.headers)}


def _tls_facts(found: Any, host: str, now_us: int) -> dict[str, Any]:
    told: Session = session(found, host)
    der = found.getpeercert(binary_form=True)
    facts = told.facts(now_us) | (certificate_facts(der) if der else {})
    secret = forward_secrecy(told.cipher)
    return facts | ({"forward_secrecy": secret} if secret is not None else {})


def _hsts(headers: httpx.Headers) -> bool:
    for part in headers.get("strict-transport-security", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name.lower() == "max-age":
            return value.strip('" ').isdigit() and int(value.strip('" ')) >= _HSTS_SECONDS
    return False


def _trouble(error: Exception, portal: Portal, seconds: float) -> tuple[Reason, str]:
    """What an exception of httpx means, by what caused it."""
    known = causes(error)
    for cause in known:
        if isinstance(cause, ssl.SSLError):
            return "tls", why(cause, _Tls(server_name=portal.host))
    if any(isinstance(cause, httpx.TimeoutException | TimeoutError) for cause in known):
        return "timeout", f"no answer in {seconds:.1f} s"
    if any(isinstance(cause, ConnectionRefusedError) for cause in known):
        return "refused", "connection refused"
    words = next((text for cause in reversed(known) if (text := str(cause).strip())), type(error).__name__)
    if isinstance(error, httpx.RemoteProtocolError):
        if "disconnected" in words:
            return "transport", "it hung up without an answer"
        return "malformed", f"what it sends is no HTTP ({words.partition(':')[0][:80]})"
    return "transport", words[:160]


def causes(error: BaseException) -> Sequence[BaseException]:
    """An error and all that led to it, each once."""
    found: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in found:
        found.append(current)
        if isinstance(current, BaseExceptionGroup):
            found += current.exceptions
        current = current.__cause__ or current.__context__
    return found


__all__ = ["Look", "Portal", "causes", "look", "refused_certificate"]
