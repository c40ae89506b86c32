"""What a probe measures besides signalling and calls: portals, names, databases, servers inside cores, traffic.

Databases and servers inside a core are not visible from the Internet: only inside probes look at them, and a probe
that the file does not name (a check made by hand, on the machine where somebody stands). So is the platform's
Prometheus, as a rule: an outside probe asks it when its `checks` say so.
"""

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from probes.checks.base import Target
from probes.sip.uri import parse_uri
from sereno.topology.model import DnsCheck, Probe, TcpCheck, Topology

OTHER = ("https", "dns", "tcp", "database", "traffic")
_INSIDE_ONLY = ("database", "tcp")


def given(topology: Topology) -> set[str]:
    """The kinds that the file asks for: by `checks` where they have settings there, else by what there is."""
    checks = topology.checks
    asked = {
        "https": bool(topology.portals),
        "dns": checks.dns is not None,
        "tcp": checks.tcp is not None,
        "database": bool(topology.databases),
        "traffic": bool(topology.traffic),
    }
    return {kind for kind, wanted in asked.items() if wanted}


def other(kind: str, topology: Topology, who: Probe | None) -> Iterator[Target]:
    """The targets of one of `OTHER`."""
    if kind in _INSIDE_ONLY and not _inside(who):
        return
    if kind == "traffic" and not _asks_prometheus(who):
        return
    yield from _MAKERS[kind](topology)


def notes(topology: Topology) -> list[str]:
    """What only an inside probe could look at, when the file has none that does."""
    if not topology.probes:
        return []
    lines = []
    for kind, there in (("database", topology.databases), ("tcp", topology.checks.tcp)):
        able = [p for p in topology.probes.values() if _inside(p) and (p.checks is None or kind in p.checks)]
        if there and not able:
            lines.append(f"{kind} checks are not made: no probe of `vantage: inside` makes them")
    if topology.traffic and not any(_asks_prometheus(p) for p in topology.probes.values()):
        lines.append("traffic checks are not made: no probe of `vantage: inside`, and none whose `checks` name them")
    if topology.portals and not any(p.checks is None or "https" in p.checks for p in topology.probes.values()):
        lines.append("https checks are not made: no probe whose `checks` name them")
    return lines


def names(topology: Topology) -> dict[str, bool]:
    """Every DNS name of the file; True for those whose SRV records count too (RFC 3263)."""
    found: dict[str, bool] = {}
    for portal in topology.portals.values():
        host = urlsplit(portal.url).hostname or ""
        if host and not _is_literal(host):
            found.setdefault(host, False)
    for sbc in topology.sbcs.values():
        for address in sbc.addresses:
            uri = parse_uri(address)
            if uri.is_name:
                found[uri.host] = found.get(uri.host, False) or uri.port is None
    if topology.domain is not None and not _is_literal(topology.domain):
        found[topology.domain] = True
    return found


def _inside(who: Probe | None) -> bool:
    return who is None or who.vantage == "inside"


def _asks_prometheus(who: Probe | None) -> bool:
    if who is None or who.checks is None:
        return _inside(who)
    return "traffic" in who.checks


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _https(topology: Topology) -> Iterator[Target]:
    for name, portal in topology.portals.items():
        yield Target(check="https", name=name, every_us=portal.every_us, timeout_us=portal.timeout_us)


def _dns(topology: Topology) -> Iterator[Target]:
    settings = topology.checks.dns or DnsCheck()
    for name in names(topology):
        yield Target(check="dns", name=name, every_us=settings.every_us, timeout_us=settings.timeout_us)


def _tcp(topology: Topology) -> Iterator[Target]:
    settings = topology.checks.tcp or TcpCheck()
    for core, one in topology.cores.items():
        for member, address in one.members.items():
            yield Target(
                check="tcp",
                core=core,
                name=member,
                address=address,
                every_us=settings.every_us,
                timeout_us=settings.timeout_us,
            )


def _database(topology: Topology) -> Iterator[Target]:
    for name, one in topology.databases.items():
        yield Target(check="database", name=name, every_us=one.every_us, timeout_us=one.timeout_us)


def _traffic(topology: Topology) -> Iterator[Target]:
    for sbc, one in topology.traffic.items():
        yield Target(check="traffic", sbc=sbc, every_us=one.every_us, timeout_us=one.timeout_us)


_MAKERS = {"https": _https, "dns": _dns, "tcp": _tcp, "database": _database, "traffic": _traffic}
