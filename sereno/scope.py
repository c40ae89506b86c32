"""Scopes as people write them: `service`, `site:X`, `sbc:X`, `core:X`, `path:S/C`, `customer:X`."""

from collections.abc import Collection

from sereno.errors import UsageError
from sereno.topology.model import Topology

KINDS = ("service", "customer", "site", "core", "sbc", "path")


def parse_scope(topology: Topology, text: str) -> tuple[str, str]:
    """(kind, name) of a scope that the topology has; UsageError says which there are."""
    kind, _, name = text.partition(":")
    known: dict[str, Collection[str]] = {
        "service": (topology.service,),
        "customer": topology.customers,
        "site": topology.sites,
        "core": topology.cores,
        "sbc": topology.sbcs,
        "path": [path.name for path in topology.paths()],
    }
    if kind not in known:
        raise UsageError(f"no scope {text!r}: write service, site:X, sbc:X, core:X, path:S/C or customer:X")
    if kind == "service" and not name:
        return kind, topology.service
    if name not in known[kind]:
        names = ", ".join(f"{kind}:{one}" for one in sorted(known[kind])[:8]) or f"none: the topology names no {kind}"
        raise UsageError(f"no {kind} named {name!r} in the topology; there are {names}")
    return kind, name
