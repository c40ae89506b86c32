"""`tcp`: is a server inside a core there? It accepts a connection (`tcp:HOST:PORT`) or answers OPTIONS (`sip:…`)."""

import asyncio
import socket
import time

from probes.checks.base import Runtime, Target, result
from probes.checks.evidence import ladder
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
        return _failed(target, at_us, began, "timeout", f"no connection in {target.timeout_seconds:g} s")
    except ConnectionRefusedError:
        return _failed(target, at_us, began, "refused", "connection refused")
    except OSError as error:
        reason: Reason = "dns" if isinstance(error, socket.gaierror) else "transport"
        return _failed(target, at_us, began, reason, _words(error))
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
            target, seen.at_us, "failed", why, answered_by="none", duration_seconds=seen.duration_seconds,
            evidence=ladder(seen.messages, detail=seen.detail, unlogged=seen.unlogged),
        )  # fmt: skip
    refuses = seen.reply.code in {500, 503, 504} or seen.reply.code >= 600  # noqa: PLR2004  # RFC 3261, section 21
    return result(
        target,
        seen.at_us,
        "failed" if refuses else "ok",
        ("sip_6xx" if seen.reply.code >= 600 else "sip_5xx") if refuses else None,  # noqa: PLR2004
        code=seen.reply.code,
        phrase=seen.reply.phrase,
        answered_by="unknown" if refuses else None,
        duration_seconds=round(seen.duration_seconds, 6),
        rtt_seconds=seen.rtt_seconds,
        evidence=ladder(seen.messages, unlogged=seen.unlogged) if refuses else None,
    )


def _failed(target: Target, at_us: int, began: float, reason: Reason, detail: str) -> Result:
    return result(
        target, at_us, "failed", reason, answered_by="none", duration_seconds=_since(began),
        evidence={"detail": detail},
    )  # fmt: skip


def _words(error: OSError) -> str:
    """The one cause, even where several addresses behind a name were tried in vain."""
    return error.strerror or str(error)[:160] or type(error).__name__


def _since(began: float) -> float:
    return round(time.perf_counter() - began, 6)
