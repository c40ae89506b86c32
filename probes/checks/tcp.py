"""`tcp`: is a server inside a core there? It accepts a connection (`tcp:HOST:PORT`) or answers OPTIONS (`sip:…`)."""

import asyncio
import socket
import time

from probes.checks.base import Runtime, Target, result
from probes.sip.client import Ask
from probes.sip.uri import parse_uri
from sereno.wire import Reason, Result


async def tcp(target: Target, runtime: Runtime) -> Result:
    """One look at one server."""
    address = target.address or ""
    return await (_connect(target, runtime) if address.startswith("tcp:") else _options(target, runtime))


async def _connect(target: Target, runtime: Runtime) -> Result:
    host, _, port = (target.address or "").removeprefix("tcp:").rpartition(":")
    at_us, began = runtime.clock.now_us(), time.perf_counter()
    try:
        async with asyncio.timeout(target.timeout_seconds):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except TimeoutError:
        detail = f"no connection in {target.timeout_seconds:g} s"
        return result(target, at_us, "failed", "timeout", duration_seconds=_since(began), evidence={"detail": detail})
    except ConnectionRefusedError:
        return result(
            target, at_us, "failed", "refused", duration_seconds=_since(began),
            evidence={"detail": "connection refused"},
        )  # fmt: skip
    except OSError as error:
        reason: Reason = "dns" if isinstance(error, socket.gaierror) else "transport"
        words = error.strerror or type(error).__name__
        return result(
            target,
            at_us,
            "failed",
            reason,
            duration_seconds=_since(began),
            evidence={"detail": words},
        )
    seconds = _since(began)
    writer.transport.abort()  # nothing was said, so nothing is owed
    return result(target, at_us, "ok", duration_seconds=seconds, rtt_seconds=seconds)


async def _options(target: Target, runtime: Runtime) -> Result:
    if runtime.sip is None:
        raise RuntimeError("this runtime has no SIP client")
    uri = parse_uri(target.address or "")
    ask = Ask(to=uri, uri=target.address or "", timeout_seconds=target.timeout_seconds)
    seen = await runtime.sip.options(ask)
    if seen.kind == "probe_fault":
        return result(target, seen.at_us, "invalid", "probe_fault", evidence={"detail": seen.detail})
    if seen.reply is None or seen.late:
        why: Reason = "timeout" if seen.kind == "answered" else seen.kind
        return result(
            target, seen.at_us, "failed", why, duration_seconds=seen.duration_seconds,
            evidence={"detail": seen.detail},
        )  # fmt: skip
    refuses = seen.reply.code in {500, 503, 504} or seen.reply.code >= 600  # noqa: PLR2004  # RFC 3261, section 21
    return result(
        target,
        seen.at_us,
        "failed" if refuses else "ok",
        ("sip_6xx" if seen.reply.code >= 600 else "sip_5xx") if refuses else None,  # noqa: PLR2004
        code=seen.reply.code,
        phrase=seen.reply.phrase,
        duration_seconds=round(seen.duration_seconds, 6),
        rtt_seconds=seen.rtt_seconds,
    )


def _since(began: float) -> float:
    return round(time.perf_counter() - began, 6)
