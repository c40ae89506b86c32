"""Reachability: every address that a phone may be told to use, and the standard ports of SIP and HTTPS."""

import asyncio
import os

from probes.preflight.base import Line, Plan, Say, Sbc, State
from probes.preflight.datagram import hostport
from probes.sip.client import Ask, Exchange, SipClient
from probes.sip.tls import TlsSettings
from probes.sip.uri import SipUri, parse_uri

STANDARD = (("udp", 5060), ("tcp", 5060), ("tls", 5061))
HTTPS = 443


async def ports(plan: Plan) -> list[Line]:
    """The chosen SBC: its addresses, then standard ports that the topology does not name, where nothing is owed."""
    client = SipClient("preflight")
    try:
        listed = [_address(client, plan, plan.sbc, address) for address in plan.sbc.addresses]
        known = {(a.host, a.transport, a.effective_port) for a in plan.sbc.addresses}
        hosts = dict.fromkeys(address.host for address in plan.sbc.addresses)
        more = [
            _unlisted(client, plan, parse_uri(f"sip:{hostport(host, port)};transport={transport}"))
            for host in hosts
            for transport, port in STANDARD
            if (host, transport, port) not in known
        ]
        https = [] if plan.portals else [_https(plan, host) for host in hosts]
        return list(await asyncio.gather(*listed, *more, *https))
    finally:
        await client.close()


async def destinations(plan: Plan) -> list[Line]:
    """What else the contract makes a phone use: the SBCs that it moves to when this one fails, and the portals."""
    client = SipClient("preflight")
    try:
        others = [_address(client, plan, sbc, address) for sbc in plan.others for address in sbc.addresses]
        portals = [_portal(plan, *portal) for portal in plan.portals]
        return list(await asyncio.gather(*others, *portals))
    finally:
        await client.close()


async def _address(client: SipClient, plan: Plan, sbc: Sbc, address: SipUri) -> Line:
    exchange = await _asked(client, plan, sbc, address)
    state, said, remedy = judged(exchange, address.transport)
    test = "ports" if sbc is plan.sbc else "destinations"
    subject = f"{sbc.name} {address.transport} {hostport(address.host, address.effective_port)}"
    facts = {"kind": exchange.kind, "code": exchange.reply.code if exchange.reply else None}
    return Line(test=test, subject=subject, state=state, said=said, remedy=remedy, facts=facts)


async def _unlisted(client: SipClient, plan: Plan, address: SipUri) -> Line:
    exchange = await _asked(client, plan, plan.sbc, address)
    answered = exchange.kind == "answered"
    said = (
        Say("answers, though the topology does not list it")
        if answered
        else Say("no answer ({kind}); the topology does not list it, so none is owed", {"kind": exchange.kind})
    )
    return Line(
        test="ports",
        subject=f"{plan.sbc.name} {address.transport} {hostport(address.host, address.effective_port)}",
        state="ok" if answered else "unknown",
        said=said,
        tested=answered,
        facts={"kind": exchange.kind},
    )


async def _asked(client: SipClient, plan: Plan, sbc: Sbc, address: SipUri) -> Exchange:
    tls = sbc.tls or (TlsSettings(server_name=address.host) if address.transport == "tls" else None)
    return await client.options(Ask(to=address, uri=address.itself, timeout_seconds=plan.timeout_seconds, tls=tls))


def judged(exchange: Exchange, transport: str) -> tuple[State, Say, Say | None]:  # noqa: PLR0911 - one for each kind
    """What an exchange says of the way there; any SIP answer at all proves it."""
    match exchange.kind:
        case "answered" if exchange.reply is not None:
            seconds = exchange.rtt_seconds or exchange.answered_after_seconds or exchange.duration_seconds
            values = {"code": exchange.reply.code, "ms": f"{seconds * 1e3:.1f}"}
            if exchange.retransmissions:
                remedy = Say("a packet was lost: run it again; if it stays so, look at the access line")
                return "warning", Say("answered {code}, but only after a repetition ({ms} ms)", values), remedy
            return "ok", Say("answered {code} in {ms} ms", values), None
        case "refused":
            return (
                "failed",
                Say("refused: nothing listens there, or a firewall answers for it"),
                Say("ask the operator whether this address is right; if it is, open it in the firewall"),
            )
        case "tls":
            return (
                "failed",
                Say("reached, but TLS fails: {why}", {"why": exchange.detail or ""}),
                Say(
                    "take this address out of TLS inspection in the firewall; else tell the operator of the certificate"
                ),
            )
        case "dns":
            return "failed", Say("the name leads nowhere: {why}", {"why": exchange.detail or ""}), None
        case "malformed":
            return (
                "failed",
                Say("what came back is no SIP: {why}", {"why": exchange.detail or ""}),
                Say("switch off SIP ALG, SIP helpers and application inspection in router and firewall"),
            )
        case "probe_fault":
            return (
                "unknown",
                Say("not tried: {why}", {"why": exchange.detail or ""}),
                Say("mend the file that is named"),
            )
        case _:
            values = {"transport": transport, "why": exchange.detail or exchange.kind}
            return (
                "failed",
                Say("no answer over {transport}: {why}", values),
                Say("open this address and port outwards in the firewall, and let the answers back in"),
            )


async def _portal(plan: Plan, name: str, host: str, port: int) -> Line:
    return _connected("destinations", f"{name} tcp {hostport(host, port)}", await _connect(plan, host, port), owed=True)


async def _https(plan: Plan, host: str) -> Line:
    why = await _connect(plan, host, HTTPS)
    return _connected("ports", f"{plan.sbc.name} tcp {hostport(host, HTTPS)}", why, owed=False)


def _connected(test: str, subject: str, why: str | None, *, owed: bool) -> Line:
    if why is None:
        return Line(test=test, subject=subject, state="ok", said=Say("connects"))
    if not owed:
        said = Say("does not connect ({why}); the topology lists no portal, so none is owed", {"why": why})
        return Line(test=test, subject=subject, state="unknown", said=said, tested=False)
    remedy = Say("open this address and port outwards in the firewall, and let the answers back in")
    return Line(
        test=test, subject=subject, state="failed", said=Say("does not connect: {why}", {"why": why}), remedy=remedy
    )


async def _connect(plan: Plan, host: str, port: int) -> str | None:
    """None when a TCP connection comes about, else why not."""
    try:
        async with asyncio.timeout(plan.timeout_seconds):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return "timeout"
    except OSError as error:
        return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
    writer.close()
    return None
