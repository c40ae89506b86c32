"""`dns`: does a name lead where it should, asked of every resolver by itself; do they agree."""

import asyncio
import ipaddress
import time
from typing import Any
from urllib.parse import urlsplit

import dns.exception
import dns.resolver
import msgspec

from probes.checks.base import Runtime, Target, result
from probes.checks.expand_other import names
from probes.sip.errors import NetworkError
from probes.sip.locate import Dns
from sereno.topology.model import Topology
from sereno.wire import Reason, Result

_SIP_KINDS = ("_sip._udp", "_sip._tcp", "_sips._tcp")
_MOST = 32  # records told of one answer


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What one resolver says of a name."""

    resolver: str
    addresses: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    ttl_seconds: float | None = None
    trouble: str | None = None

    @property
    def heard_from_afar(self) -> bool:
        """Whether it proves that this probe has a network: a resolver on this very machine does not."""
        return self.trouble is None and not ipaddress.ip_address(self.resolver).is_loopback

    def facts(self) -> dict[str, Any]:
        """As results tell it."""
        told: dict[str, Any] = {"addresses": list(self.addresses[:_MOST])}
        optional = {
            "services": list(self.services[:_MOST]) or None,
            "ttl_seconds": self.ttl_seconds,
            "trouble": self.trouble,
        }
        return told | {key: value for key, value in optional.items() if value is not None}


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What the answers mean together."""

    reason: Reason | None
    detail: str | None = None
    missing: tuple[str, ...] = ()
    agree: bool | None = None  # None: fewer than two resolvers answered


def judge(answers: list[Answer], expected: frozenset[str]) -> Judged:
    """Silence and names that are not there are `dns`; answers with fewer addresses than there are `dns_incomplete`."""
    heard = [one for one in answers if one.trouble is None]
    agree = len({(one.addresses, one.services) for one in heard}) == 1 if len(heard) > 1 else None
    troubles = "; ".join(f"{one.resolver}: {one.trouble}" for one in answers if one.trouble is not None)
    empty = [one.resolver for one in heard if not one.addresses and not one.services]
    everything = expected or frozenset(address for one in heard for address in one.addresses)
    services = frozenset(service for one in heard for service in one.services)
    lines, missing = [], set[str]()
    for one in heard:
        lacking = (everything - set(one.addresses)) | (services - set(one.services))
        if lacking:
            missing |= lacking
            lines.append(f"{one.resolver} lacks {', '.join(sorted(lacking))}")
    told = tuple(sorted(missing))
    if troubles:
        return Judged(reason="dns", detail=troubles, missing=told, agree=agree)
    if empty:
        return Judged(
            reason="dns", detail=f"no such name, or no address: {', '.join(empty)}", missing=told, agree=agree
        )
    if lines:
        return Judged(reason="dns_incomplete", detail="; ".join(lines), missing=told, agree=agree)
    return Judged(reason=None, agree=agree)


async def dns_check(target: Target, runtime: Runtime) -> Result:
    """One question to each resolver, all at once."""
    name, topology = target.name or "", runtime.topology
    at_us, began = runtime.clock.now_us(), time.perf_counter()
    try:
        resolvers = _resolvers(topology)
    except NetworkError as error:
        return result(target, at_us, "invalid", "probe_fault", evidence={"detail": str(error)})
    services = names(topology).get(name, False)
    answers = await asyncio.gather(*(_ask(one, name, services, target.timeout_seconds) for one in resolvers))
    judged = judge(list(answers), _expected(topology, name))
    facts: dict[str, Any] = {"resolvers": {one.resolver: one.facts() for one in answers}}
    if judged.agree is not None:
        facts["agree"] = judged.agree
    if judged.missing:
        facts["missing"] = list(judged.missing)
    heard = any(one.heard_from_afar for one in answers)
    return result(
        target,
        at_us,
        "ok" if judged.reason is None else "failed",
        judged.reason,
        answered_by=None if judged.reason is None else "unknown" if heard else "none",
        duration_seconds=round(time.perf_counter() - began, 6),
        facts=facts,
        evidence={"detail": judged.detail} if judged.detail is not None else None,
    )


async def _ask(resolver: str, name: str, services: bool, seconds: float) -> Answer:
    ask = Dns((resolver,))
    kinds = [(name, "A"), (name, "AAAA")] + [(f"{kind}.{name}", "SRV") for kind in _SIP_KINDS if services]
    try:
        async with asyncio.timeout(seconds):
            answers = await asyncio.gather(*(ask.ask(asked, kind, seconds) for asked, kind in kinds))
    except (NetworkError, TimeoutError) as error:
        return Answer(resolver=resolver, trouble=str(error) or f"{name}: no answer in {seconds:g} s")
    addresses = sorted({record.address for records, _ in answers[:2] for record in records})
    found = sorted(
        {
            f"{asked.partition('.' + name)[0]} {record.target.to_text(omit_final_dot=True)}:{record.port}"
            for (asked, _), (records, _) in zip(kinds[2:], answers[2:], strict=True)
            for record in records
        }
    )
    ttls = [ttl for records, ttl in answers if records]
    return Answer(
        resolver=resolver, addresses=tuple(addresses), services=tuple(found), ttl_seconds=min(ttls, default=None)
    )


def _resolvers(topology: Topology) -> tuple[str, ...]:
    settings = topology.checks.dns
    if settings is not None and settings.resolvers:
        return settings.resolvers
    try:
        found = tuple(str(one) for one in dns.resolver.Resolver().nameservers)
    except (dns.exception.DNSException, OSError):
        found = ()
    if not found:
        raise NetworkError("probe_fault", "this machine has no resolver: name some under checks.dns.resolvers")
    return found


def _expected(topology: Topology, name: str) -> frozenset[str]:
    return frozenset(
        str(ipaddress.ip_address(address))
        for portal in topology.portals.values()
        if urlsplit(portal.url).hostname == name
        for address in portal.addresses
    )
