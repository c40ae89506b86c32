"""`traffic`: registered users and live calls of an SBC, as the platform's own Prometheus has them now.

A query without data is unknown, never zero: the result is `invalid` with words. So is a sample that Prometheus
would show although it is old, or a query that gives several series (write `sum(…)`).
"""

import asyncio
import base64
import math
import socket
import ssl
import time
from typing import Any, NamedTuple

import httpx

from probes.checks.base import Runtime, Target, result
from probes.checks.portal import causes
from sereno.topology import explain_secret
from sereno.topology.model import Traffic
from sereno.wire import AnsweredBy, Reason, Result

STALE_SECONDS = 120.0
_QUERIES = ("registered", "calls")


class _TroubleError(Exception):
    """Why there is no figure: `reason` None means that Prometheus answered and there is none."""

    def __init__(self, words: str, reason: Reason | None = None) -> None:
        super().__init__(words)
        self.reason = reason


class _Value(NamedTuple):
    number: float
    timed: bool  # whether there is a series whose newest sample has an age


async def traffic(target: Target, runtime: Runtime) -> Result:
    """One instant query for each figure."""
    given = runtime.topology.traffic[target.sbc or ""]
    at_us, began = runtime.clock.now_us(), time.perf_counter()
    facts: dict[str, Any] = {}
    troubles: dict[str, _TroubleError] = {}
    asked = {name: text for name in _QUERIES if (text := getattr(given, name)) is not None}
    headers, missing = _login(given, target.sbc or "")
    if missing:
        return result(target, at_us, "invalid", "probe_fault", evidence={"detail": missing})
    async with httpx.AsyncClient(
        base_url=given.prometheus, trust_env=False, timeout=target.timeout_seconds, headers=headers
    ) as client:

        async def one(name: str, query: str) -> None:
            try:
                async with asyncio.timeout(target.timeout_seconds):
                    facts[name] = await _figure(client, query)
            except TimeoutError:
                troubles[name] = _TroubleError(f"no answer in {target.timeout_seconds:g} s", "timeout")
            except _TroubleError as trouble:
                troubles[name] = trouble

        await asyncio.gather(*(one(name, query) for name, query in asked.items()))
    same = len(troubles) == len(asked) and len({str(trouble) for trouble in troubles.values()}) == 1
    lines = [f"{name}: {troubles[name]}" for name in asked if name in troubles]
    words = str(next(iter(troubles.values()))) if same else "; ".join(lines) or None
    reasons = [trouble.reason for trouble in troubles.values() if trouble.reason is not None]
    outcome = "failed" if reasons else "invalid" if troubles else "ok"
    return result(
        target,
        at_us,
        outcome,  # type: ignore[arg-type]  # one of the three
        reasons[0] if reasons else None,
        answered_by=_answered(reasons, facts),
        duration_seconds=round(time.perf_counter() - began, 6),
        facts=facts or None,
        evidence={"detail": words} if words else None,
    )


def _login(given: Traffic, sbc: str) -> tuple[dict[str, str], str]:
    """The header that says who we are, and nothing; or no header, and where the login was looked for in vain."""
    if given.login is None:
        return {}, ""
    secret, why = explain_secret(given.login, f"traffic-{sbc}")
    if secret is None:
        return {}, why
    if ":" in secret:  # RFC 7617
        return {"authorization": "Basic " + base64.b64encode(secret.encode()).decode()}, ""
    return {"authorization": f"Bearer {secret}"}, ""  # RFC 6750


def _answered(reasons: list[Reason], facts: dict[str, Any]) -> AnsweredBy | None:
    if not reasons:
        return None
    return "unknown" if facts or {"malformed", "http_status", "auth", "tls"} & {*reasons} else "none"


async def _figure(client: httpx.AsyncClient, query: str) -> float:
    """The one value that is there now, unless its samples are old.

    Prometheus shows a sample for five minutes. Only of a plain selector does it tell the age; an aggregate (`sum`) has
    the time of the query itself.
    """
    value = await _ask(client, query)
    if value is None:
        raise _TroubleError("the query has no data")
    if value.timed:
        age = await _ask(client, f"time() - max(timestamp({query}))")
        if age is not None and age.number > STALE_SECONDS:
            raise _TroubleError(f"its newest sample is {age.number:.0f} s old")
    return value.number


async def _ask(client: httpx.AsyncClient, query: str) -> _Value | None:
    try:
        response = await client.get("api/v1/query", params={"query": query})
        body = response.json()
    except httpx.TimeoutException:
        raise _TroubleError("no answer in time", "timeout") from None
    except httpx.ConnectError as error:
        raise _unreachable(error) from None
    except (httpx.HTTPError, OSError):
        raise _TroubleError("Prometheus cannot be reached", "transport") from None
    except ValueError:
        if response.status_code in {401, 403}:
            words = f"Prometheus refuses our account (HTTP {response.status_code}): see `login` of this traffic"
            raise _TroubleError(words, "auth") from None
        raise _TroubleError(f"what answers there is no Prometheus (HTTP {response.status_code})", "malformed") from None
    if not isinstance(body, dict) or body.get("status") != "success":
        words = str(body.get("error", ""))[:160] if isinstance(body, dict) else ""
        raise _TroubleError(f"Prometheus refuses the query: {words or response.status_code}", "http_status")
    return _single(body.get("data"))


def _unreachable(error: httpx.ConnectError) -> _TroubleError:
    known = causes(error)
    if any(isinstance(one, ssl.SSLError) for one in known):
        return _TroubleError("no TLS with Prometheus: is the address right (http, https), and its certificate?", "tls")
    if any(isinstance(one, socket.gaierror) for one in known):
        return _TroubleError("the host name of Prometheus has no address", "dns")
    text = str(error).lower()
    refused = "refused" in text or "attempts failed" in text
    return _TroubleError("Prometheus cannot be reached", "refused" if refused else "transport")


def _single(data: Any) -> _Value | None:
    try:
        kind, found = data["resultType"], data["result"]
        if kind not in {"vector", "scalar"}:
            raise _TroubleError(f"the query gives a {'range' if kind == 'matrix' else kind}, and not one number")
        if not found:
            return None
        if kind == "vector" and len(found) > 1:
            raise _TroubleError(f"the query gives {len(found)} series: write sum(…)")
        value = float((found[0]["value"] if kind == "vector" else found)[1])
    except (KeyError, IndexError, TypeError, ValueError):
        raise _TroubleError("what answers there is no Prometheus", "malformed") from None
    if not math.isfinite(value):
        raise _TroubleError("the query gives no number")
    return _Value(value, timed=kind == "vector")
