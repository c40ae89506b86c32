"""Calls that come back to us: across the cores to an account of ours, and out to the PSTN and in again."""

from collections.abc import Iterator
from itertools import permutations

from probes.checks.base import Callee, Target
from probes.sip.uri import fill, parse_uri
from sereno.topology.model import Path, Probe, Topology


def first_address(topology: Topology, sbc: str) -> list[tuple[str, str]]:
    """The address for registrations and calls, with its transport: the first over UDP; none where there is none.

    The pjsua2 wheel has no IPv6: an address of it would only be the probe's own fault, every time.
    """
    found = [(address, parse_uri(address)) for address in topology.sbcs[sbc].addresses]
    return [(address, uri.transport) for address, uri in found if uri.transport == "udp" and ":" not in uri.host][:1]


def dialled(to: str, topology: Topology, core: str | None, address: str) -> str:
    """The Request-URI of a call; without a core (natural) the service's domain stands in its place."""
    domain = topology.domain or ""
    known = topology.cores.get(core or "")
    return fill(
        to,
        core=core or domain,
        core_uri=known.uri if known is not None else f"sip:{domain}",
        prefix=known.prefix if known is not None else None,
        sbc=parse_uri(address),
        domain=topology.domain,
    )


def terminating(topology: Topology, who: Probe | None) -> Iterator[Target]:
    """One for each ordered pair of cores: called at the first, registered at the second, through SBCs that differ.

    An SBC is preferred where the core is its primary one; the same SBC does both where there is no other. A passive
    backup is forced from inside only.
    """
    given = topology.checks.terminating
    if given is None:
        return
    for here, there in permutations(topology.cores, 2):
        callers, callees = _through(topology, who, here), _through(topology, who, there)
        pairs = [(one, other) for one in callers for other in callees]
        if not pairs:
            continue
        caller, callee = min(pairs, key=lambda pair: pair[0].sbc == pair[1].sbc)
        ((address, transport),) = first_address(topology, caller.sbc)
        user = topology.accounts[given.callee].user
        yield Target(
            check="terminating",
            sbc=caller.sbc,
            core=caller.core,
            address=address,
            transport=transport,
            every_us=given.every_us,
            timeout_us=given.timeout_us,
            account=given.account,
            to=dialled(given.to.replace("{user}", user), topology, caller.core, address),
            hold_us=given.hold_us,
            codecs=given.codecs,
            callee=_callee(topology, given.callee, callee.sbc, callee.core),
            name=callee.name,
        )


def pstn(topology: Topology) -> Iterator[Target]:
    """One for each number that may be dialled, through the one way that the file names."""
    given = topology.checks.pstn
    if given is None:
        return
    for number, account in given.numbers.items():
        for address, transport in first_address(topology, given.sbc):
            yield Target(
                check="pstn",
                sbc=given.sbc,
                core=given.core,
                address=address,
                transport=transport,
                every_us=given.every_us,
                timeout_us=given.timeout_us,
                account=given.account,
                to=dialled(given.to.replace("{number}", number), topology, given.core, address),
                hold_us=min(given.hold_us, given.max_duration_us),
                codecs=given.codecs,
                callee=_callee(topology, account, given.sbc, given.core),
                name=number,
            )


def _callee(topology: Topology, account: str, sbc: str, core: str) -> Callee:
    return Callee(account=account, sbc=sbc, core=core, address=first_address(topology, sbc)[0][0])


def _through(topology: Topology, who: Probe | None, core: str) -> list[Path]:
    """The ways to a core that can be forced and carry calls, its own SBCs first."""
    inside = who is not None and who.vantage == "inside"
    found = [p for p in topology.paths() if p.core == core and (inside or not p.passive)]
    return sorted((p for p in found if first_address(topology, p.sbc)), key=lambda p: p.role != "primary")
