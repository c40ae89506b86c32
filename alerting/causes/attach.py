"""Which elements lean on which: what happens to one may be another's doing."""

from sereno.incident import Element
from sereno.topology.model import Topology


def below(topology: Topology, element: Element, cause: Element) -> bool:
    """The element leans on the cause: what happens to it may be the cause's doing."""
    if cause.kind == "service" or element == cause:
        return element.kind not in {"account", "probe", "monitor"}
    sbc, _, core = element.name.partition("/")
    if cause.kind == "sbc":
        site = topology.sites.get(element.name) if element.kind == "site" else None
        return (element.kind in {"path", "network"} and sbc == cause.name) or (
            site is not None and cause.name in site.sbcs
        )
    if cause.kind != "core":
        return False
    if element.kind == "path":
        return core == cause.name
    uses = {name for name, one in topology.sbcs.items() if cause.name in (one.primary, one.backup)}
    site = topology.sites.get(element.name) if element.kind == "site" else None
    return (element.kind == "sbc" and element.name in uses) or (site is not None and bool(uses & set(site.sbcs)))
