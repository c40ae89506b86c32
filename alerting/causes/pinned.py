"""A service that is down because of one SBC that nobody's phones leave: the SBC is the cause, not the whole.

Phones stay with a failover of `none` or `manual`, where there is no other SBC, and where theirs answers and carries no
voice. Where other SBCs are gone too, or a core is, the service itself is the cause.
"""

from typing import Protocol

from sereno.topology.model import Site, Topology

_SILENT_TO_PHONES = ("register_failing", "audio_broken")  # its edge answers: no phone looks for another


class _Held(Protocol):
    topology: Topology
    cores: set[str]
    sbcs: set[str]

    def held(self, kind: str, what: str) -> set[str]: ...
    def bad(self, kind: str, what: str) -> set[str]: ...


def holder(view: _Held) -> str | None:
    """The one SBC that holds every site down, while another could carry calls."""
    sites = view.topology.sites.values()
    mute = {name for what in _SILENT_TO_PHONES for name in view.held("sbc", what)}
    stuck = view.held("sbc", "failover_broken")
    found = {_stays(site, view.sbcs, mute, stuck) for site in sites}
    if len(found) != 1 or view.cores:
        return None
    sbc = next(iter(found))
    broken = view.bad("path", "verdict")
    others = {path.sbc for path in view.topology.paths() if path.name not in broken} - view.sbcs - mute - {sbc}
    return sbc if others else None


def _stays(site: Site, gone: set[str], mute: set[str], stuck: set[str]) -> str | None:
    """The SBC at which the site's phones stay, if it serves them no more."""
    first = site.sbcs[0]
    leaves = site.failover == "auto" and len(site.sbcs) > 1
    return first if first in mute or (not leaves and first in gone | stuck) else None
