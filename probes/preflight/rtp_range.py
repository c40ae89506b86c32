"""The SBC's RTP ports: what packets to some of them tell. Silence tells nothing, and this says so."""

import asyncio
import ipaddress
import secrets
import struct

from probes.preflight.base import Line, Plan, Say, untested
from probes.preflight.datagram import Datagrams, Outcome
from probes.sip.errors import NetworkError
from probes.sip.resolve import Resolver

SAMPLES = 8
_SECONDS = 1.0
_EF = 184


async def rtp_range(plan: Plan) -> list[Line]:
    """One line per host of the SBC."""
    hosts = dict.fromkeys(address.host for address in plan.sbc.addresses)
    if plan.sbc.rtp_ports is None:
        said = Say("the topology does not say which ports carry RTP")
        remedy = Say('write sbcs.{sbc}.rtp_ports: "20000-29999", or give --rtp-ports', {"sbc": plan.sbc.name})
        return [untested("rtp", plan.sbc.name, said, remedy)]
    return list(await asyncio.gather(*(_host(plan, host, plan.sbc.rtp_ports) for host in hosts)))


def sample(low: int, high: int) -> list[int]:
    """Even ports (RFC 3550 section 11) spread over the range, its ends included."""
    first, last = low + low % 2, high - high % 2
    if last <= first:
        return [low]
    steps = min(SAMPLES, (last - first) // 2 + 1)
    return sorted({first + 2 * round((last - first) / 2 * step / max(1, steps - 1)) for step in range(steps)})


async def _host(plan: Plan, host: str, ports: tuple[int, int]) -> Line:
    address = next(a for a in plan.sbc.addresses if a.host == host)
    resolver = Resolver(plan.resolvers)
    subject = f"{host} udp {ports[0]}-{ports[1]}"
    try:
        at = await resolver.first(address, seconds=plan.timeout_seconds)
    except NetworkError as error:
        said = Say("the name leads nowhere: {why}", {"why": str(error)})
        return Line(test="rtp", subject=subject, state="failed", said=said)
    finally:
        await resolver.close()
    chosen = sample(*ports)
    outcomes = await asyncio.gather(*(_port(at.family, (at.sockaddr[0], port, *at.sockaddr[2:])) for port in chosen))
    return judge(subject, str(at.sockaddr[0]), dict(zip(chosen, outcomes, strict=True)))


async def _port(family: int, to: tuple[object, ...]) -> Outcome:
    packet = struct.pack("!BBHII", 0x80, 8, 0, 0, secrets.randbits(32)) + b"\xd5" * 160  # PCMA silence
    with Datagrams(family, tos=_EF) as sock:
        return await sock.ask(to, packet, b"", seconds=_SECONDS)


def judge(subject: str, host: str, outcomes: dict[int, Outcome]) -> Line:
    """Pure: an ICMP "port unreachable" of the SBC itself proves that packets get there; of another, who stops them."""
    far = ipaddress.ip_address(host)
    reached = [p for p, o in outcomes.items() if o.kind == "answered" or (o.kind == "icmp" and _is(o.offender, far))]
    stopped = {p: o for p, o in outcomes.items() if o.kind in {"icmp", "unreachable"} and p not in reached}
    silent = [p for p, o in outcomes.items() if o.kind == "silence"]
    facts = {"reached": reached, "stopped": sorted(stopped), "silent": silent}
    values: dict[str, int | str] = {
        "reached": len(reached),
        "stopped": len(stopped),
        "silent": len(silent),
        "all": len(outcomes),
    }
    if stopped:
        values["who"] = ", ".join(sorted({o.offender or o.detail or "?" for o in stopped.values()}))
        said = Say("{stopped} of {all} ports tried are stopped on the way, by {who}", values)
        remedy = Say("open the whole RTP range (UDP) outwards in the firewall, and let the answers back in")
        return Line(test="rtp", subject=subject, state="failed", said=said, remedy=remedy, facts=facts)
    if reached and not silent:
        said = Say(
            "{reached} of {all} ports tried were reached: the SBC itself says that no call uses them now", values
        )
        return Line(test="rtp", subject=subject, state="ok", said=said, facts=facts)
    if reached:
        said = Say("{reached} of {all} ports tried were reached; {silent} stay silent, which proves nothing", values)
        return Line(test="rtp", subject=subject, state="ok", said=said, facts=facts)
    said = Say("all {all} ports tried stay silent: reached or dropped, silence does not tell", values)
    remedy = Say("make a test call (`sereno check call`): only media that come back prove the range")
    return Line(test="rtp", subject=subject, state="unknown", said=said, remedy=remedy, tested=False, facts=facts)


def _is(offender: str | None, far: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return offender is not None and ipaddress.ip_address(offender) == far
