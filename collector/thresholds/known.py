"""What a measure may know besides the result: the topology, who stands where, which paths are up, past hours."""

from collections.abc import Callable, Container

from collector.thresholds.hours import Hours, Track
from sereno.topology.model import Topology
from sereno.wire import Result

Alive = Callable[[str, str | None, int], bool]  # of an SBC and a core (none: its natural view), since an instant
_PLACES = 100_000  # remembered; addresses and accounts may be made up by somebody
_VOICE = frozenset({"edge", "options", "natural", "register", "call", "terminating", "pstn"})
_SLOW = frozenset({"register", "call", "terminating"})
_TARGETS = {"https": "portal", "database": "database"}


_NOBODYS = Track("", "", [])


class Known:
    """One per engine."""

    def __init__(self, topology: Topology, reachable: Alive, serving: Alive) -> None:
        self.topology = topology
        # Whether the signalling of a path is well and has been since then; whether all of it is.
        self.reachable, self.serving = reachable, serving
        self.hours = Hours()
        self.paths: dict[tuple[str | None, str | None], Track] = {}  # round trips, by SBC and core
        self.failed_at: dict[tuple[str, ...], int] = {}  # of a series of OPTIONS, its newest failure
        self.pending: dict[tuple[str | None, ...], int] = {}  # of a series of calls, a failure that waits for the next
        self.inside = {name for name, probe in topology.probes.items() if probe.vantage == "inside"}
        self._networks = {name: probe.network for name, probe in topology.probes.items()}
        self._paths = {path.name for path in topology.paths()}
        self._sites: dict[str, list[tuple[str, frozenset[str]]]] = {}
        for name, site in topology.sites.items():
            for sbc in site.sbcs:
                self._sites.setdefault(sbc, []).append((name, frozenset(site.networks)))
        self._places: dict[tuple[str | None, ...], tuple[str, ...]] = {}

    def counts(self, result: Result, at_us: int) -> bool:
        """Invalid results say nothing; what a voice check sees from inside is not what phones see.

        What fails while the signalling of its path is down is explained by that (docs/verdicts.md §6).
        """
        if result.outcome == "invalid" or (result.check in _VOICE and result.probe in self.inside):
            return False
        lost = result.outcome == "failed" and result.check in _SLOW and result.sbc is not None
        return not lost or self.reachable(result.sbc or "", result.core, at_us)

    def track(self, sbc: str | None, core: str | None) -> Track:
        """Past round trips of a path; nobody's, where the topology has no such path."""
        name = f"{sbc}/{core}"
        if name not in self._paths:
            return _NOBODYS
        found = self.paths[sbc, core] = self.hours.of(name, "rtt_seconds")
        return found

    def network(self, probe: str) -> str:
        return self._networks.get(probe, probe)

    def elements(self, scope: str, result: Result) -> tuple[str, ...]:
        """The elements of a scope that a result is about, of those that the topology has."""
        key = (scope, result.sbc, result.core, result.target, result.account, result.probe)
        found = self._places.get(key)
        if found is None:
            if len(self._places) > _PLACES:
                self._places.clear()
            found = self._places[key] = tuple(self._elements(scope, result))
        return found

    def has(self, scope: str, name: str) -> bool:
        """Whether an element is watched."""
        topology = self.topology
        if scope == "path":
            return name in self._paths
        if scope in {"service", "monitor"}:
            return name == topology.service
        if scope == "probe" and not topology.probes:
            return True  # the one that `sereno up` starts has a name of its own
        named: dict[str, Container[str]] = {
            "site": topology.sites, "core": topology.cores, "sbc": topology.sbcs, "probe": topology.probes,
            "portal": topology.portals, "database": topology.databases, "account": topology.accounts,
        }  # fmt: skip
        return name in named.get(scope, ())

    def _elements(self, scope: str, result: Result) -> list[str]:
        sbc, core = result.sbc, result.core
        if scope == "service":
            return [self.topology.service] if sbc is None or sbc in self.topology.sbcs else []
        if scope == "site":
            network = self.network(result.probe)
            sites = self._sites.get(sbc or "", [])
            return [name for name, networks in sites if not networks or network in networks]
        if scope in _TARGETS.values():
            wanted = _TARGETS.get(result.check) == scope
            return [result.target] if wanted and result.target and self.has(scope, result.target) else []
        name = {
            "path": f"{sbc}/{core}", "sbc": sbc, "core": core, "account": result.account, "probe": result.probe,
        }.get(scope)  # fmt: skip
        return [name] if name is not None and self.has(scope, name) else []
