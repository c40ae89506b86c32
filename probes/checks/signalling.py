"""What edge, options and natural share: make the transaction, say what came of it, notice a late reply."""

from typing import Any

from probes.checks.base import Runtime, Target, result
from probes.checks.evidence import ladder
from probes.sip.client import Ask, Exchange
from probes.sip.identify import Plane, meaning
from probes.sip.uri import SipUri, parse_uri
from sereno.wire import Reason, Result

_DIGITS = 7  # a tenth of a microsecond; the kernel's stamp is no better


async def measure(target: Target, runtime: Runtime, plane: Plane, ask: Ask) -> Result:
    """One OPTIONS; a reply after the deadline goes to `runtime.emit` as a second result (see `probes.checks`)."""
    if runtime.sip is None:
        raise RuntimeError("this runtime has no SIP client")

    def late(exchange: Exchange) -> None:
        runtime.emit(said(target, runtime, plane, exchange))

    return said(target, runtime, plane, await runtime.sip.options(ask, on_late=late))


def said(target: Target, runtime: Runtime, plane: Plane, exchange: Exchange) -> Result:
    """The result of an exchange."""
    timings: dict[str, Any] = {
        "duration_seconds": round(exchange.duration_seconds, _DIGITS),
        "rtt_seconds": _rounded(exchange.rtt_seconds),
        "answered_after_seconds": _rounded(exchange.answered_after_seconds),
        "retransmissions": exchange.retransmissions or None,
    }
    if exchange.reply is None:
        reason: Reason = "timeout" if exchange.kind == "answered" else exchange.kind
        evidence = ladder(exchange.messages, detail=exchange.detail)
        return result(target, exchange.at_us, "failed", reason, answered_by="none", evidence=evidence, **timings)
    if target.sbc is None:
        raise RuntimeError(f"a {plane} target without an SBC")
    reply = exchange.reply
    judged = meaning(reply, runtime.topology, sbc=target.sbc, core=target.core, plane=plane, late=exchange.late)
    return result(
        target,
        exchange.at_us,
        judged.outcome,
        judged.reason,
        code=reply.code,
        phrase=reply.phrase,
        answered_by=judged.answered_by,
        answered_core=judged.answered_core,
        retry_after_seconds=float(reply.retry_after) if reply.retry_after is not None else None,
        evidence=None if judged.outcome == "ok" else ladder(exchange.messages),
        **timings,
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, _DIGITS)


def sbc_uri(target: Target) -> SipUri:
    """Where the target's packets go."""
    if target.address is None:
        raise RuntimeError(f"a {target.check} target without an address")
    return parse_uri(target.address)
