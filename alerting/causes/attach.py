"""Which elements lean on which: what happens to one may be another's doing."""

from sereno.incident import Element
from sereno.topology.model import Topology

_APART = frozenset({"account", "probe", "monitor", "portal", "channel", "external"})  # no outage of the voice is theirs


def below(topology: Topology, element: Element, cause: Element) -> bool:
    """The element leans on the cause: what happens to it may be the cause's doing."""
    if element == cause:
        return True
    if cause.kind == "service":
        return element.kind not in _APART
    if cause.kind == "database":
        return element.kind in {"core", "sbc", "path", "site", "service"}
    if cause.kind == "sbc":
        return _below_sbc(topology, element, cause.name)
    return cause.kind == "core" and _below_core(topology, element, cause.name)


def _below_sbc(topology: Topology, element: Element, name: str) -> bool:
    if element.kind in {"path", "network"}:
        return element.name.partition("/")[0] == name
    site = topology.sites.get(element.name) if element.kind == "site" else None
    return site is not None and name in site.sbcs


def _below_core(topology: Topology, element: Element, name: str) -> bool:
    if element.kind == "path":
        return element.name.partition("/")[2] == name
    uses = {sbc for sbc, one in topology.sbcs.items() if name in (one.primary, one.backup)}
    site = topology.sites.get(element.name) if element.kind == "site" else None
    return (element.kind == "sbc" and element.name in uses) or (site is not None and bool(uses & set(site.sbcs)))
