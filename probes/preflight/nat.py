"""NAT: how this network looks from outside, by the Via of the answers (RFC 3581), in RFC 4787's words."""

import ipaddress
import re

import msgspec

from probes.preflight.alg import headers_of
from probes.preflight.ask import Seen, ask, fars
from probes.preflight.base import Line, Plan, Say, untested
from probes.preflight.datagram import Datagrams, hostport

_RECEIVED = re.compile(r";\s*received\s*=\s*\[?([0-9A-Fa-f.:]+)\]?")
_RPORT = re.compile(r";\s*rport\s*=\s*([0-9]{1,5})")


class View(msgspec.Struct, frozen=True):
    """One look from outside."""

    far: str
    socket: int
    local: tuple[str, int]
    seen: tuple[str, int]


async def nat(plan: Plan) -> list[Line]:
    """From two ports of ours, each to all far ends there are."""
    found = await fars(plan)
    if not found:
        return [untested("nat", plan.sbc.name, Say("no far end speaks SIP over UDP, so nobody tells"))]
    family = found[0].family
    views: list[View] = []
    for number in (0, 1):
        with Datagrams(family, tos=96) as sock:
            for far in [one for one in found if one.family == family][:4]:
                view = view_of(await ask(sock, far, seconds=plan.timeout_seconds), number)
                views += [view] if view is not None else []
    return [judge(plan.sbc.name, views)]


def view_of(seen: Seen, number: int) -> View | None:
    """What the answer tells of where the request came from."""
    if seen.copy is not None:
        host, _, port = seen.copy.source.rpartition(":")
        return View(seen.far.name, number, seen.local, (host.strip("[]"), int(port))) if port.isdecimal() else None
    if seen.outcome.heard is None:
        return None
    via = headers_of(seen.outcome.heard.data).get("via", "")
    received, rport = _RECEIVED.search(via), _RPORT.search(via)
    if rport is None:
        return None
    return View(seen.far.name, number, seen.local, (received[1] if received else seen.local[0], int(rport[1])))


def judge(subject: str, views: list[View]) -> Line:
    """Pure: no NAT, one mapping for all, or another for each far end (RFC 4787 section 4.1)."""
    if not views:
        said = Say("no answer tells where our packets came from (no rport in its Via)")
        return untested("nat", subject, said, Say("name a responder: --responder HOST:5060"))
    outside = [hostport(*view.seen) for view in views]
    facts: dict[str, object] = {
        "views": [{"far": v.far, "local": hostport(*v.local), "seen": hostport(*v.seen)} for v in views]
    }
    if all(_same(view.local, view.seen) for view in views):
        said = Say("no NAT: the far side sees our own address {local}", {"local": views[0].local[0]})
        return Line(test="nat", subject=subject, state="ok", said=said, facts={**facts, "type": "none"})
    addresses = sorted({view.seen[0] for view in views})
    if len(addresses) > 1:
        said = Say("several addresses to the outside: {addresses}", {"addresses": ", ".join(addresses)})
        remedy = Say("bind the phones' way out to one line: registrations and media must leave by the same address")
        return Line(
            test="nat", subject=subject, state="warning", said=said, remedy=remedy, facts={**facts, "type": "several"}
        )
    by_socket = [{view.seen for view in views if view.socket == number} for number in (0, 1)]
    several_fars = len({view.far for view in views}) > 1
    if any(len(seen) > 1 for seen in by_socket):
        said = Say("NAT with another port for each far end (symmetric): {seen}", {"seen": ", ".join(outside[:4])})
        remedy = Say("let the SBC handle NAT (rport, symmetric RTP) and do without STUN in the phones")
        return Line(
            test="nat", subject=subject, state="warning", said=said, remedy=remedy, facts={**facts, "type": "symmetric"}
        )
    kept = all(view.local[1] == view.seen[1] for view in views)
    values, facts = {"seen": outside[0]}, {**facts, "ports_kept": kept}
    if several_fars:
        said = Say("NAT with one port for all far ends (endpoint-independent), seen as {seen}", values)
        return Line(test="nat", subject=subject, state="ok", said=said, facts={**facts, "type": "endpoint_independent"})
    said = Say("NAT, seen as {seen}; with one far end alone its type cannot be told", values)
    remedy = Say("name a responder: --responder HOST:5060")
    return Line(test="nat", subject=subject, state="ok", said=said, remedy=remedy, facts={**facts, "type": "unknown"})


def _same(local: tuple[str, int], seen: tuple[str, int]) -> bool:
    try:
        return ipaddress.ip_address(local[0]) == ipaddress.ip_address(seen[0]) and local[1] == seen[1]
    except ValueError:
        return False
