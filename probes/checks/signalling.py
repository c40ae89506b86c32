"""What edge, options and natural share: make the transaction, say what came of it, notice a late reply."""

from typing import Any

import msgspec

from probes.checks.base import Runtime, Target, result
from probes.checks.challenged import Digest
from probes.checks.evidence import ladder
from probes.sip.client import Ask, Exchange
from probes.sip.identify import Plane, meaning
from probes.sip.tls import TlsSettings
from probes.sip.uri import SipUri, parse_uri
from sereno.wire import Reason, Result

_DIGITS = 7  # a tenth of a microsecond; the kernel's stamp is no better


async def measure(target: Target, runtime: Runtime, plane: Plane, ask: Ask) -> Result:
    """One OPTIONS; a reply after the deadline goes to `runtime.emit` as a second result (see `probes.checks`)."""
    if runtime.sip is None:
        raise RuntimeError("this runtime has no SIP client")
    if ask.to.transport == "tls" or target.name is not None:
        ask = msgspec.structs.replace(ask, tls=tls_settings(target, runtime))
    digest = Digest(target, runtime) if runtime.topology.accounts else None

    def late(exchange: Exchange) -> None:
        runtime.emit(said(target, runtime, plane, exchange, digest))

    if digest is None:  # nobody could answer a challenge
        return said(target, runtime, plane, await runtime.sip.options(ask, late))
    return said(target, runtime, plane, await digest.options(runtime.sip, ask, late), digest)


def said(target: Target, runtime: Runtime, plane: Plane, exchange: Exchange, digest: Digest | None = None) -> Result:
    """The result of an exchange."""
    told: dict[str, Any] = {
        "duration_seconds": round(exchange.duration_seconds, _DIGITS),
        "rtt_seconds": _rounded(exchange.rtt_seconds),
        "answered_after_seconds": _rounded(exchange.answered_after_seconds),
        "retransmissions": exchange.retransmissions or None,
        "facts": _facts(target, runtime, exchange, digest),
    }
    if exchange.kind == "probe_fault":
        return result(
            target, exchange.at_us, "invalid", "probe_fault", evidence=ladder((), detail=exchange.detail), **told
        )
    if exchange.reply is None:
        reason: Reason = "timeout" if exchange.kind == "answered" else exchange.kind
        evidence = ladder(exchange.messages, detail=exchange.detail, unlogged=exchange.unlogged)
        return result(target, exchange.at_us, "failed", reason, answered_by="none", evidence=evidence, **told)
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
        evidence=None if judged.outcome == "ok" else ladder(exchange.messages, unlogged=exchange.unlogged),
        **told,
    )


def _facts(target: Target, runtime: Runtime, exchange: Exchange, digest: Digest | None) -> dict[str, Any] | None:
    """What was learnt of connection, TLS, name and digest; None over plain UDP, where there is nothing to tell."""
    facts = _of_link(exchange, runtime)
    if target.name is not None and runtime.sip is not None:
        known = runtime.sip.resolver.known(parse_uri(target.written or target.address or ""))
        if known is not None:
            facts["dns"] = {"name": target.name, "how": known.located.how, "targets": len(known.targets)}
            if known.trouble is not None:
                facts["dns"] |= {"age_seconds": round(known.age_seconds, 3), "trouble": known.trouble}
    if digest is not None and digest.facts is not None:
        facts["digest"] = digest.facts
    if exchange.reply is not None and exchange.reply.to_tag is None:
        facts["to_tag"] = "missing"  # RFC 3261 section 8.2.6.2 wants one of every answer but 100; RFC 2543 did not
    return facts or None


def _of_link(exchange: Exchange, runtime: Runtime) -> dict[str, Any]:
    link = exchange.link
    if link is None:
        return {}
    facts: dict[str, Any] = {}
    if exchange.messages:
        facts["connection"] = "reused" if link.reused else "new"
    if not link.reused:
        facts["connect_seconds"] = link.connect_seconds
        facts["tls_handshake_seconds"] = link.handshake_seconds
        facts["replaced"] = link.replaced
    if link.session is not None:
        facts["tls"] = link.session.facts(runtime.clock.now_us())
    return {key: value for key, value in facts.items() if value is not None}


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, _DIGITS)


def sbc_uri(target: Target) -> SipUri:
    """Where the target's packets go."""
    if target.address is None:
        raise RuntimeError(f"a {target.check} target without an address")
    return parse_uri(target.address)


def tls_settings(target: Target, runtime: Runtime) -> TlsSettings:
    """How TLS to the target's SBC is verified: the name asked for is the SBC's own setting, else the address's host."""
    sbc = target.sbc or ""
    given = runtime.topology.sbcs[sbc].tls if sbc in runtime.topology.sbcs else None
    host = target.name or sbc_uri(target).host
    return TlsSettings(
        server_name=(given.server_name if given is not None else None) or host,
        ca=given.ca if given is not None else None,
        certificate=given.certificate if given is not None else None,
        key=given.key if given is not None else None,
        where=f"sbcs.{sbc}.tls",
    )
