"""SIP ALG: routers that rewrite SIP on its way and break it. What was sent is compared with what the far side saw."""

import re

from probes.preflight.ask import Seen, ask, fars
from probes.preflight.base import NEEDS_RESPONDER, Line, Plan, Say, untested
from probes.preflight.datagram import Datagrams
from probes.sip.client import Ask, SipClient
from probes.sip.exchange import Exchange

_COPIED = Say("nothing is changed in what the answer copies (Via, From, To, Call-ID); more is seen with a responder")
_TCP = Say("nothing is changed in what the answer copies (Via, From, To, Call-ID)")
_REMEDY = Say("switch off SIP ALG (SIP helper, SIP fixup, SIP inspection) in router and firewall, and test again")


async def alg(plan: Plan) -> list[Line]:
    """One line per far end: the SBC by what its answer copies, the responder by the whole message."""
    return [*await _over_udp(plan), *await _over_tcp(plan)]


async def _over_udp(plan: Plan) -> list[Line]:
    found = await fars(plan)
    if not found:
        return [untested("alg", plan.sbc.name, Say("no far end speaks SIP over UDP, which is what an ALG rewrites"))]
    lines = []
    for far in [found[0], *[one for one in found[1:] if one.responder][:1]]:
        with Datagrams(far.family, tos=96) as sock:
            lines.append(judge(await ask(sock, far, seconds=plan.timeout_seconds)))
    return lines


async def _over_tcp(plan: Plan) -> list[Line]:
    """Some rewrite SIP over TCP too. TLS they cannot."""
    lines = []
    client = SipClient("preflight")
    try:
        for address in [one for one in plan.sbc.addresses if one.transport == "tcp"][:1]:
            ask = Ask(to=address, uri=address.itself, timeout_seconds=plan.timeout_seconds)
            exchange = await client.options(ask)
            lines.append(judge_stream(f"{plan.sbc.name} tcp", exchange))
    finally:
        await client.close()
    return lines


def judge_stream(subject: str, exchange: Exchange) -> Line:
    """Pure: the same of an exchange over TCP, by the newest answer, were it one that our client does not take."""
    sent = next((one.data for one in exchange.messages if one.direction == "sent"), None)
    heard = next((one.data for one in reversed(exchange.messages) if one.direction == "received"), None)
    if sent is None or heard is None:
        return untested("alg", subject, Say("no answer over TCP, so nothing to compare"))
    changed = copied_changes(sent, heard)
    return _mangled(subject, changed) if changed else Line(test="alg", subject=subject, state="ok", said=_TCP)


def judge(seen: Seen) -> Line:
    """Pure: what differs."""
    subject = seen.far.name
    if seen.outcome.heard is None:
        if seen.far.responder:
            return Line(
                test="alg", subject=subject, state="failed", said=Say("no answer: {why}", {"why": seen.outcome.kind}),
                remedy=NEEDS_RESPONDER,
            )  # fmt: skip
        return untested("alg", subject, Say("no answer over UDP, so nothing to compare"))
    if seen.far.responder:
        return _whole(subject, seen)
    changed = copied_changes(seen.asked.data, seen.outcome.heard.data)
    if changed:
        return _mangled(subject, changed)
    return Line(test="alg", subject=subject, state="ok", said=_COPIED)


def _whole(subject: str, seen: Seen) -> Line:
    if seen.copy is None:
        said = Say("the answer carries no copy: a SIP proxy or an ALG answered in the responder's place")
        return Line(test="alg", subject=subject, state="failed", said=said, remedy=_REMEDY)
    changed = message_changes(seen.asked.data, seen.copy.data)
    back = copied_changes(seen.asked.data, seen.outcome.heard.data if seen.outcome.heard else b"")
    if changed or back:
        return _mangled(subject, changed + [f"{one} (back)" for one in back])
    said = Say("arrives octet by octet as it was sent: {octets} octets, SDP included", {"octets": len(seen.copy.data)})
    return Line(test="alg", subject=subject, state="ok", said=said)


def _mangled(subject: str, changed: list[str]) -> Line:
    said = Say("SIP is rewritten on its way: {changed}", {"changed": "; ".join(changed[:6])})
    return Line(test="alg", subject=subject, state="failed", said=said, remedy=_REMEDY, facts={"changed": changed[:20]})


def message_changes(sent: bytes, seen: bytes) -> list[str]:
    """Where a message that arrived differs from the one sent, header by header and line by line of the SDP."""
    if sent == seen:
        return []
    here, there = headers_of(sent), headers_of(seen)
    changed = []
    if sent.partition(b"\r\n")[0] != seen.partition(b"\r\n")[0]:
        changed.append(f"request line: {_short(seen.partition(chr(13).encode())[0].decode('utf-8', 'replace'))}")
    changed += [
        f"{name}: {_short(here.get(name))} → {_short(there.get(name))}"
        for name in dict.fromkeys([*here, *there])
        if here.get(name) != there.get(name)
    ]
    mine, its = sent.partition(b"\r\n\r\n")[2], seen.partition(b"\r\n\r\n")[2]
    if mine != its:
        ours, theirs = (body.decode("utf-8", "replace").split("\r\n") for body in (mine, its))
        pairs = [f"SDP: {_short(a)} → {_short(b)}" for a, b in zip(ours, theirs, strict=False) if a != b]
        changed += pairs or [f"SDP: {len(mine)} → {len(its)} octets"]
    return changed or ["octets between the headers"]


def copied_changes(sent: bytes, reply: bytes) -> list[str]:
    """The same of what a reply must copy (RFC 3261 section 8.2.6.2); received, rport and a To tag may come."""
    here, there = headers_of(sent), headers_of(reply)
    changed = []
    for name in ("via", "from", "to", "call-id", "cseq"):
        mine, its = here.get(name, ""), there.get(name, "")
        if name == "via":
            mine, its = _via(mine), _via(its)
        elif name == "to":
            its = its.partition(";tag=")[0]
        if mine != its:
            changed.append(f"{name}: {_short(mine)} → {_short(its)}")
    return changed


def _via(value: str) -> str:
    """A Via without what the far side adds (RFC 3581 section 4), in one order and spacing."""
    first, *parameters = (part.strip() for part in value.split(";"))
    kept = sorted(p for p in parameters if p and p.partition("=")[0].lower() not in {"received", "rport"})
    return ";".join([re.sub(r"\s+", " ", first), *kept])


def headers_of(message: bytes) -> dict[str, str]:
    """Headers by name, equal names joined; the short forms of those that are compared (section 7.3.3)."""
    short = {
        "v": "via",
        "f": "from",
        "t": "to",
        "i": "call-id",
        "m": "contact",
        "l": "content-length",
        "c": "content-type",
    }
    found: dict[str, str] = {}
    for line in message.partition(b"\r\n\r\n")[0].decode("utf-8", "replace").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        name = short.get(name.strip().lower(), name.strip().lower())
        found[name] = f"{found[name]}, {value.strip()}" if name in found else value.strip()
    return found


def _short(text: str | None) -> str:
    return "—" if text is None else text if len(text) <= 80 else text[:79] + "…"  # noqa: PLR2004 - a line of a table
