"""`traffic`: registered users and live calls of an SBC, as the platform's own Prometheus has them now.

A query without data is unknown, never zero: the result is `invalid` with words. So is a sample that Prometheus
would show although it is old, or a query that gives several series (write `sum(…)`).
"""

import asyncio
import math
import time
from typing import Any

import httpx

from probes.checks.base import Runtime, Target, result
from sereno.wire import AnsweredBy, Reason, Result

STALE_SECONDS = 120.0
_QUERIES = ("registered", "calls")


class _TroubleError(Exception):
    """Why there is no figure: `reason` None means that Prometheus answered and there is none."""

    def __init__(self, words: str, reason: Reason | None = None) -> None:
        super().__init__(words)
        self.reason = reason


async def traffic(target: Target, runtime: Runtime) -> Result:
    """One instant query for each figure."""
    given = runtime.topology.traffic[target.sbc or ""]
    at_us, began = runtime.clock.now_us(), time.perf_counter()
    facts: dict[str, Any] = {}
    troubles: dict[str, _TroubleError] = {}
    asked = {name: text for name in _QUERIES if (text := getattr(given, name)) is not None}
    async with httpx.AsyncClient(base_url=given.prometheus, trust_env=False, timeout=target.timeout_seconds) as client:

        async def one(name: str, query: str) -> None:
            try:
                async with asyncio.timeout(target.timeout_seconds):
                    facts[name] = await _figure(client, query)
            except TimeoutError:
                troubles[name] = _TroubleError(f"no answer in {target.timeout_seconds:g} s", "timeout")
            except _TroubleError as trouble:
                troubles[name] = trouble

        await asyncio.gather(*(one(name, query) for name, query in asked.items()))
    words = "; ".join(f"{name}: {trouble}" for name, trouble in troubles.items()) or None
    reasons = [trouble.reason for trouble in troubles.values() if trouble.reason is not None]
    outcome = "failed" if reasons else "invalid" if troubles else "ok"
    return result(
        target,
        at_us,
        outcome,  # type: ignore[arg-type]  # one of the three
        reasons[0] if reasons else None,
        answered_by=None
        if not reasons
        else "unknown"
        if facts or {"malformed", "http_status"} & {*reasons}
        else "none",
        duration_seconds=round(time.perf_counter() - began, 6),
        facts=facts or None,
        evidence={"detail": words} if words else None,
    )


def _answered(reasons: list[Reason], facts: dict[str, Any]) -> AnsweredBy | None:
    if not reasons:
        return None
    return "unknown" if facts or "malformed" in reasons or "http_status" in reasons else "none"


async def _figure(client: httpx.AsyncClient, query: str) -> float:
    """The one value that is there now, unless its samples are old.

    Prometheus shows a sample for five minutes. Only of a plain selector does it tell the age; an aggregate (`sum`) has
    the time of the query itself.
    """
    value = await _ask(client, query)
    if value is None:
        raise _TroubleError("the query has no data")
    age = await _ask(client, f"time() - max(timestamp({query}))")
    if age is not None and age > STALE_SECONDS:
        raise _TroubleError(f"its newest sample is {age:.0f} s old")
    return value


async def _ask(client: httpx.AsyncClient, query: str) -> float | None:
    try:
        response = await client.get("api/v1/query", params={"query": query})
        body = response.json()
    except httpx.TimeoutException:
        raise _TroubleError("no answer in time", "timeout") from None
    except httpx.ConnectError as error:
        refused = "refused" in str(error).lower() or "attempts failed" in str(error).lower()
        raise _TroubleError("Prometheus cannot be reached", "refused" if refused else "transport") from None
    except (httpx.HTTPError, OSError):
        raise _TroubleError("Prometheus cannot be reached", "transport") from None
    except ValueError:
        raise _TroubleError(f"what answers there is no Prometheus (HTTP {response.status_code})", "malformed") from None
    if not isinstance(body, dict) or body.get("status") != "success":
        words = str(body.get("error", ""))[:160] if isinstance(body, dict) else ""
        raise _TroubleError(f"Prometheus refuses the query: {words or response.status_code}", "http_status")
    return _single(body.get("data"))


def _single(data: Any) -> float | None:
    try:
        found = data["result"]
        if not found:
            return None
        if data["resultType"] == "vector" and len(found) > 1:
            raise _TroubleError(f"the query gives {len(found)} series: write sum(…)")
        value = float((found[0]["value"] if data["resultType"] == "vector" else found)[1])
    except (KeyError, IndexError, TypeError, ValueError):
        raise _TroubleError("what answers there is no Prometheus", "malformed") from None
    if not math.isfinite(value):
        raise _TroubleError("the query gives no number")
    return value
