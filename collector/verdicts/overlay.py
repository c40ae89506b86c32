"""Maintenance over verdicts: which elements an active window wholly covers (docs/verdicts.md §9).

It silences; it never excludes time by itself: that is the contract's affair (`collector.availability`).
"""

from collections.abc import Iterable

from sereno.topology.model import Topology
from sereno.verdict import MaintenanceWindow

Scope = tuple[str, str]


class Coverage:
    """Paths and named elements inside a set of scopes."""

    def __init__(self, topology: Topology, scopes: Iterable[Scope]) -> None:
        self.topology = topology
        self._named = set(scopes)
        self._all = any(kind == "service" for kind, _ in self._named)
        for name, site in topology.sites.items():
            if ("customer", site.customer) in self._named:
                self._named.add(("site", name))
        self._named |= {("sbc", sbc) for sbc in _used_by_these_alone(topology, self._named)}
        self._paths = {
            (path.sbc, path.core)
            for path in topology.paths()
            if self._all
            or ("sbc", path.sbc) in self._named
            or ("core", path.core) in self._named
            or ("path", path.name) in self._named
        }

    def covers(self, kind: str, name: str) -> bool:
        """Whether the element is wholly inside the scopes."""
        if self._all or (kind, name) in self._named:
            return True
        sites = self.topology.sites
        if kind == "site":
            return bool(self._named) and self._site(name)
        if kind == "customer":
            own = [site for site, settings in sites.items() if settings.customer == name]
            return bool(own) and all(self.covers("site", site) for site in own)
        if kind == "service" and sites:
            return all(self.covers("site", site) for site in sites)
        if kind == "service":
            return all((path.sbc, path.core) in self._paths for path in self.topology.paths())
        sbc, _, core = name.partition("/")
        return kind == "path" and (sbc, core) in self._paths

    def _site(self, name: str) -> bool:
        settings = self.topology.sites[name]
        sbcs = settings.sbcs if settings.failover != "none" else settings.sbcs[:1]
        return all(
            (path.sbc, path.core) in self._paths
            for path in self.topology.paths()
            if path.sbc in sbcs and not path.passive
        )


def _used_by_these_alone(topology: Topology, named: set[Scope]) -> set[str]:
    """SBCs of the sites in a scope that no other site uses: work on a site covers what is there for it alone."""
    inside = {sbc for name, site in topology.sites.items() if ("site", name) in named for sbc in site.sbcs}
    return inside - {sbc for name, site in topology.sites.items() if ("site", name) not in named for sbc in site.sbcs}


def active(windows: Iterable[MaintenanceWindow], at_us: int) -> list[MaintenanceWindow]:
    """The windows that are open at an instant."""
    return [window for window in windows if window.from_us <= at_us < window.to_us]
