"""What holds now, and what explains each alarm: probe's own network < path < SBC < core < all (the service)."""

from collections.abc import Iterable, Mapping

from alerting.causes.model import Group
from alerting.machine import AlarmState
from sereno.alarms import Alarms
from sereno.incident import Element, IncidentClass
from sereno.topology.model import Site, Topology
from sereno.verdict import VERDICT

_SBC_GONE = (VERDICT, "sbc_unreachable_internet")
_SBC_CALLS = ("register_failing", "audio_broken")  # its edge answers, and yet
_SPREADING = (VERDICT, "intermittent", "options_slow")  # on every path of an element: it is the element


class View:
    """What holds now, read from the alarms; the question "what explains this one?" is asked of it."""

    def __init__(self, topology: Topology, alarms: Alarms, states: Iterable[AlarmState]) -> None:
        self.topology = topology
        self._alarms = alarms.alarms
        self._states = sorted(states, key=lambda state: state.key)
        self._paths = {path.name: path for path in topology.paths() if not path.passive}
        self.service_down = bool(self.held("service", VERDICT))
        self.cores = self.held("core", VERDICT) | self.held("core", "core_refusing")
        self.sbcs = {name for what in _SBC_GONE for name in self.held("sbc", what)}
        self.isolated = {state.name for state in self._said("sbc", "sbc_isolated")}
        self.derived: dict[Element, tuple[Element, ...]] = {}
        self._derive()
        self._mute = {state.name for state in self._said("path", VERDICT) if state.bad and _signalling_down(state)}
        self.stuck = {sbc for sbc in self.held("sbc", "failover_broken") if self._core_of(sbc) is None}
        self.stuck |= {
            sbc
            for what in _SBC_CALLS
            for sbc in self.held("sbc", what)
            if self._core_of(sbc) is None and self._mute_path(sbc) is None
        }

    def what(self, state: AlarmState) -> str:
        return self._alarms[state.alarm].what

    def held(self, kind: str, what: str) -> set[str]:
        """Names whose alarm has fired and not cleared."""
        return {state.name for state in self._said(kind, what) if state.phase != "pending"}

    def bad(self, kind: str, what: str) -> set[str]:
        """Names that are bad now, fired or about to."""
        return {state.name for state in self._said(kind, what) if state.bad}

    def _said(self, kind: str, what: str) -> list[AlarmState]:
        return [state for state in self._states if state.kind == kind and self.what(state) == what]

    def _derive(self) -> None:
        """Every path of an element alike, and nothing larger to blame: the element is the cause."""
        for what in _SPREADING:
            fired = self.held("path", what)
            free = {name for name in self.bad("path", what) | fired if not self._blamed(name)}
            if not fired & free:
                continue
            if what != VERDICT and free == set(self._paths) and len(self.topology.cores) > 1 < len(self.topology.sbcs):
                self.derived[Element("service", self.topology.service)] = _parts(free)
                return
            if what != VERDICT:  # down on all paths of a core is the core's own verdict to give
                free -= self._cover("core", self.topology.cores, free, fired)
            self._cover("sbc", self.topology.sbcs, free, fired)

    def _cover(self, kind: str, names: Iterable[str], free: set[str], fired: set[str]) -> set[str]:
        taken: set[str] = set()
        for name in names:
            mine = {path.name for path in self._paths.values() if name == getattr(path, kind)}
            if len(mine) > 1 and mine <= free and mine & fired:
                self.derived.setdefault(Element(kind, name), _parts(mine))
                (self.cores if kind == "core" else self.sbcs).add(name)
                taken |= mine
        return taken

    def _blamed(self, path: str) -> bool:
        sbc, _, core = path.partition("/")
        return core in self.cores or sbc in self.sbcs

    def _core_of(self, sbc: str) -> str | None:
        """A core in trouble that this SBC is attached to, its primary first."""
        attached = self.topology.sbcs.get(sbc)
        if attached is None:
            return None
        return next((core for core in (attached.primary, attached.backup) if core in self.cores), None)

    def cause_of(self, state: AlarmState) -> Element:
        """The smallest element that explains this alarm."""
        own = Element(state.kind, state.name)
        if self._alarms[state.alarm].class_ == "monitor":
            blind = self.held("monitor", "monitor_blind")
            return Element("monitor", min(blind)) if blind else own
        if state.kind == "account":
            return own
        service = Element("service", self.topology.service)
        if self.service_down:
            return service
        if service in self.derived and (own in self.derived[service] or state.kind in {"site", "service"}):
            return service
        explain = {
            "path": self._path, "sbc": self._sbc, "network": self._network, "site": self._site,
            "service": self._service,
        }.get(state.kind)  # fmt: skip
        return explain(state) if explain else own

    def _path(self, state: AlarmState) -> Element:
        sbc, _, core = state.name.partition("/")
        if core in self.cores:
            return Element("core", core)
        if sbc in self.sbcs or sbc in self.stuck:
            return Element("sbc", sbc)
        return Element("path", state.name)

    def _sbc(self, state: AlarmState) -> Element:
        what = self.what(state)
        if what not in {"failover_broken", *_SBC_CALLS} or state.name in self.sbcs:
            return Element("sbc", state.name)
        if core := self._core_of(state.name):
            return Element("core", core)
        path = self._mute_path(state.name) if what in _SBC_CALLS else None
        return Element("path", path) if path else Element("sbc", state.name)

    def _mute_path(self, sbc: str) -> str | None:
        """A path of this SBC whose very signalling is down: registrations and calls fail there because of it."""
        return next((path for path in sorted(self._mute) if path.startswith(sbc + "/")), None)

    def quiet(self, state: AlarmState) -> bool:
        """It says nothing of its own: it follows from signalling that is down, or from an SBC taken out on purpose."""
        what, cause = self.what(state), self.cause_of(state)
        if (state.kind, what) == ("path", "call_failing"):
            return state.name in self._mute
        if state.kind == "sbc" and what in _SBC_CALLS and cause.kind == "path":
            return True
        taken_out = cause.kind == "sbc" and cause.name in self.isolated
        return taken_out and what != "sbc_isolated" and (state.kind, what) != ("site", VERDICT)

    def _network(self, state: AlarmState) -> Element:
        sbc = state.name.partition("/")[0]
        return Element("sbc", sbc) if sbc in self.sbcs else Element("network", state.name)

    def _site(self, state: AlarmState) -> Element:
        site = self.topology.sites.get(state.name)
        own = Element("site", state.name)
        if site is None:
            return own
        what = self.what(state)
        if what == "outage_suspected" and self._all_suspected():
            return Element("service", self.topology.service)
        sbc = next((name for name in site.sbcs if name in self.sbcs), None)
        if what != "redundancy_lost" and sbc:  # down with a core dead too: what the phone lost first is its SBC
            return Element("sbc", sbc)
        return self._within(site.sbcs, site.networks) or own

    def _service(self, state: AlarmState) -> Element:
        """Redundancy lost where no sites are declared: the service as one site on every SBC."""
        sbcs = tuple(self.topology.sbcs)
        return self._within(sbcs, ()) or Element("service", state.name)

    def _within(self, sbcs: tuple[str, ...], networks: tuple[str, ...]) -> Element | None:
        """The largest cause among what these SBCs lean on."""
        if core := next((found for found in map(self._core_of, sbcs) if found), None):
            return Element("core", core)
        if sbc := next((name for name in sbcs if name in self.sbcs | self.stuck), None):
            return Element("sbc", sbc)
        return self._network_of(sbcs, networks) or self._path_of(sbcs)

    def _all_suspected(self) -> bool:
        sites = self.topology.sites
        return len(sites) > 1 and self.bad("site", "outage_suspected") >= set(sites)

    def _network_of(self, sbcs: tuple[str, ...], networks: tuple[str, ...]) -> Element | None:
        for name in sorted(self.bad("network", "network_split")):
            sbc, _, network = name.partition("/")
            if sbc in sbcs and (not networks or network in networks):
                return Element("network", name)
        return None

    def _path_of(self, sbcs: tuple[str, ...]) -> Element | None:
        broken = self.bad("path", VERDICT)
        return next(
            (Element("path", name) for sbc in sbcs for name in sorted(broken) if name.startswith(sbc + "/")), None
        )

    def groups(self) -> list[Group]:
        """What is wrong now, by cause, the largest cause first; a group exists only where an alarm has fired."""
        found: dict[tuple[IncidentClass, Element], list[AlarmState]] = {}
        for state in self._states:
            found.setdefault((self._alarms[state.alarm].class_, self.cause_of(state)), []).append(state)
        groups = [
            Group(
                class_=class_,
                cause=cause,
                members=tuple(state.key for state in states),
                elements=self._elements(cause, states),
            )
            for (class_, cause), states in found.items()
            if any(state.phase != "pending" and not self.quiet(state) for state in states)
        ]
        return sorted(groups, key=lambda group: (group.rank, group.cause.kind, group.cause.name))

    def _elements(self, cause: Element, states: list[AlarmState]) -> tuple[Element, ...]:
        if cause in self.derived:
            return self.derived[cause]
        if cause.kind != "service":
            return ()
        parts = {
            Element(state.kind, state.name)
            for state in states
            if state.kind in {"core", "sbc"} and self.what(state) in {*_SBC_GONE, "core_refusing"}
        }
        return tuple(sorted(parts, key=lambda part: (part.kind, part.name)))

    def keeps(self, site: Site) -> int:
        """SBCs of a site that are not lost."""
        return sum(1 for name in site.sbcs if name not in self.sbcs)


def _signalling_down(state: AlarmState) -> bool:
    planes = state.facts.get("planes")
    return isinstance(planes, Mapping) and planes.get("signalling") == "down"


def _parts(paths: Iterable[str]) -> tuple[Element, ...]:
    return tuple(Element("path", name) for name in sorted(paths))
