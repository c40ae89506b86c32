"""From the topology to everything that one probe does: a list of targets, and notes of what it leaves out."""

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from probes.checks.base import Target
from probes.checks.expand_calls import dialled, first_address, pstn, terminating
from probes.checks.expand_other import OTHER, other
from probes.checks.expand_other import given as given_others
from probes.checks.expand_other import notes as notes_of_others
from probes.sip.uri import parse_uri
from sereno.topology.model import CallCheck, Path, Probe, RegisterCheck, SignallingCheck, Topology

SIGNALLING = ("edge", "options", "natural")
_DEFAULT = SignallingCheck.model_validate({"every": "1s", "timeout": "900ms"})


def targets(topology: Topology, probe: str, only: Sequence[str] | None = None) -> list[Target]:
    """Everything that `probe` measures, phases spread within each kind.

    `only` names the kinds wanted whether or not the file schedules them (a hand-made check); without it, what the
    file's `checks` schedule and the probe's own `checks` allow. A probe that the file does not name does all.
    """
    who = topology.probes.get(probe)
    wanted = set(only) if only is not None else _scheduled(topology, who)
    found: list[Target] = []
    for kind in SIGNALLING:
        if kind in wanted:
            found += _signalling(kind, topology, who)
    if "register" in wanted:
        found += _register(topology, who)
    if "call" in wanted:
        found += _call(topology, who)
    if "terminating" in wanted:
        found += terminating(topology, who)
    if "pstn" in wanted:
        found += pstn(topology)
    for kind in OTHER:
        if kind in wanted:
            found += other(kind, topology, who)
    return spread(found)


def notes(topology: Topology, sbc: str | None = None) -> list[str]:
    """What is in the file (or of one SBC) but not measured by this version, one line each: never a silent gap."""
    lines: list[str] = []
    for name in topology.sbcs:
        if sbc not in {None, name} or first_address(topology, name):
            continue
        planned = [kind for kind in ("register", "call") if kind in _scheduled(topology, None)]
        if planned:
            lines.append(f"{name}: {' and '.join(planned)} checks are not made: it has no UDP address over IPv4")
    if topology.checks.natural is not None and topology.domain is None:
        lines.append("natural checks are not made: the topology has no domain")
    return lines + (notes_of_others(topology) if sbc is None else [])


def _scheduled(topology: Topology, who: Probe | None) -> set[str]:
    checks = topology.checks
    given = {
        "edge": checks.edge, "options": checks.options, "natural": checks.natural,
        "register": checks.register_, "call": checks.call, "terminating": checks.terminating, "pstn": checks.pstn,
    }  # fmt: skip
    allowed = who.checks if who is not None else None
    scheduled = {kind for kind, check in given.items() if check is not None} | given_others(topology)
    return {kind for kind in scheduled if allowed is None or kind in allowed}


def _ways(topology: Topology, who: Probe | None, *, natural: bool) -> Iterator[tuple[str, str | None]]:
    """Every path that can be forced and, if wanted, every SBC unsteered, for the service's domain."""
    for path in _paths(topology, who):
        yield path.sbc, path.core
    if natural and topology.domain is not None:
        for sbc in topology.sbcs:
            yield sbc, None


def _paths(topology: Topology, who: Probe | None) -> Iterator[Path]:
    """Paths that can be forced: a passive backup is proved from inside only."""
    inside = who is not None and who.vantage == "inside"
    return (path for path in topology.paths() if inside or not path.passive)


def _signalling(kind: str, topology: Topology, who: Probe | None) -> Iterator[Target]:
    given: SignallingCheck = getattr(topology.checks, kind) or _DEFAULT
    if kind == "natural" and topology.domain is None:
        return
    pairs = (
        [(path.sbc, path.core) for path in _paths(topology, who)]
        if kind == "options"
        else [(sbc, None) for sbc in topology.sbcs]
    )
    for sbc, core in pairs:
        for address in topology.sbcs[sbc].addresses:
            uri = parse_uri(address)
            yield Target(
                check=kind,  # type: ignore[arg-type]  # one of SIGNALLING
                sbc=sbc,
                core=core,
                address=address,
                transport=uri.transport,
                every_us=given.every_us,
                timeout_us=given.timeout_us,
                name=uri.host if uri.is_name else None,
            )


def _register(topology: Topology, who: Probe | None) -> Iterator[Target]:
    """Per account and path, and naturally per SBC, on the SBC's first UDP address."""
    given = topology.checks.register_ or RegisterCheck.model_validate(
        {"every": "30s", "accounts": tuple(topology.accounts) or ("none",)}
    )
    for sbc, core in _ways(topology, who, natural=given.natural):
        for account in given.accounts:
            for address, transport in first_address(topology, sbc):
                if account in topology.accounts:
                    yield Target(
                        check="register",
                        sbc=sbc,
                        core=core,
                        address=address,
                        transport=transport,
                        every_us=given.every_us,
                        timeout_us=given.timeout_us,
                        account=account,
                        expires_us=given.expires_us,
                    )


def _call(topology: Topology, who: Probe | None) -> Iterator[Target]:
    """Per path, on the SBC's first UDP address, to the file's callee with `{core}` filled in."""
    given: CallCheck | None = topology.checks.call
    if given is None:
        return
    for sbc, core in _ways(topology, who, natural=given.natural):
        for address, transport in first_address(topology, sbc):
            yield Target(
                check="call",
                sbc=sbc,
                core=core,
                address=address,
                transport=transport,
                every_us=given.every_us,
                timeout_us=given.timeout_us,
                account=given.account,
                to=dialled(given.to, topology, core, address),
                hold_us=given.hold_us,
                codecs=given.codecs,
            )


def spread(found: list[Target]) -> list[Target]:
    """Even phases within each kind, so that neither the wire nor this process sees bursts."""
    totals, seen = Counter(target.check for target in found), Counter[str]()
    spread = []
    for target in found:
        spread.append(msgspec.structs.replace(target, phase=seen[target.check] / totals[target.check]))
        seen[target.check] += 1
    return spread
