"""What holds now, and what explains each alarm: probe's own network < path < SBC < core < all (the service)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from alerting.causes.hushed import hushed
from alerting.causes.model import Group, Key
from alerting.causes.pinned import holder
from alerting.causes.plan import Plan
from alerting.causes.reading import attached, first_of_sbc, in_order, mute
from alerting.causes.sorts import BUDGET, is_fault, topic_of
from alerting.causes.together import gathered
from alerting.machine import AlarmState
from sereno.alarms import Alarms
from sereno.incident import Element, IncidentClass
from sereno.topology.model import Site, Topology
from sereno.verdict import VERDICT

SBC_GONE = (VERDICT, "sbc_unreachable_internet")
SBC_CALLS = ("register_failing", "audio_broken")  # its edge answers, and yet
_VOICE = frozenset({"service", "site", "core", "sbc", "path", "network"})  # what a dead service explains
_REACH = (VERDICT, "intermittent")  # whats of paths that make their SBC or core count as lost
_SLACK_US = 10 * 1_000_000  # what began so much before a cause was there without it


class View:
    """What holds now, read from the alarms; the question "what explains this one?" is asked of it."""

    def __init__(
        self, topology: Topology, alarms: Alarms, states: Iterable[AlarmState],
        maintained: AbstractSet[Element] = frozenset(), silenced: AbstractSet[Key] = frozenset(),
    ) -> None:  # fmt: skip
        self.topology = topology
        self._plan = Plan.of(topology)
        self._alarms = alarms.alarms
        self._maintained = maintained
        self._silenced = silenced
        self.hushed: frozenset[Key] = frozenset()  # what is silent in `groups` for its cause is silenced
        self._states = sorted(states, key=lambda state: state.key)
        self._by: dict[tuple[str, str], list[AlarmState]] = defaultdict(list)
        for state in self._states:
            self._by[state.kind, self.what(state)].append(state)
        self.refusing = self.held("core", "core_refusing") - self.held("core", VERDICT)
        self.cores = self.held("core", VERDICT) | self.refusing
        self.sbcs = {name for what in SBC_GONE for name in self.held("sbc", what)}
        self.databases = self.held("database", VERDICT)
        self.isolated = {state.name for state in self._by.get(("sbc", "sbc_isolated"), ())}
        self.derived: dict[Element, tuple[Element, ...]] = {}
        self._spread: dict[tuple[str, str, str], Element] = {}  # (kind, name, what) -> the element it is all over
        self._found: dict[Key, Element] = {}  # what explains each alarm, once asked
        self._derive()
        broken = [state for state in self._by.get(("path", VERDICT), ()) if state.bad]
        self._mute_paths = {state.name for state in broken if mute(state)}
        self._mute = first_of_sbc(sorted(self._mute_paths))
        self._broken = first_of_sbc(state.name for state in broken)
        self._splits = self._split_networks()
        self._first_sbc = {what: min(self.bad("sbc", what), default=None) for kind, what in self._by if kind == "sbc"}
        self.stuck = {sbc for sbc in self.held("sbc", "failover_broken") if self._core_of(sbc) is None}
        self.stuck |= {
            sbc
            for what in SBC_CALLS
            for sbc in self.held("sbc", what)
            if self._core_of(sbc) is None and sbc not in self._mute
        }
        self.holding = holder(self) if self.held("service", VERDICT) else None
        self.service_down = bool(self.held("service", VERDICT)) and self.holding is None
        watched = [state for state in self._by.get(("service", VERDICT), ()) if state.held and not state.bad]
        self._watched = watched[0].incident if watched else None
        self._began = self._beginnings()
        options = topology.checks.options
        self._slack_us = max(_SLACK_US, 3 * options.every_us) if options is not None else _SLACK_US

    def what(self, state: AlarmState) -> str:
        return self._alarms[state.alarm].what

    def held(self, kind: str, what: str) -> set[str]:
        """Names whose alarm has fired and not cleared."""
        return {state.name for state in self._by.get((kind, what), ()) if state.phase != "pending"}

    def bad(self, kind: str, what: str) -> set[str]:
        """Names that are bad now, fired or about to."""
        return {state.name for state in self._by.get((kind, what), ()) if state.bad}

    # -- what is all over an element -----------------------------------------------------------------------------------

    def _derive(self) -> None:
        """Every path of an element alike, and nothing larger to blame: the element is the cause. So for all SBCs."""
        whats = sorted({what for kind, what in self._by if kind == "path"} - set(_REACH))
        for what in (*_REACH, *whats):
            fired = self.held("path", what)
            free = {name for name in self.bad("path", what) | fired if not self._blamed(name)}
            if not fired & free:
                continue
            everywhere = len(self.topology.cores) > 1 < len(self.topology.sbcs)
            if what != VERDICT and free == self._plan.paths and everywhere:
                self._all_over("path", what, free)
                continue
            if what != VERDICT:  # down on all paths of a core is the core's own verdict to give
                free -= self._cover("core", self._plan.of_core, what, free, fired)
            self._cover("sbc", self._plan.of_sbc, what, free, fired)
        for what in sorted({what for kind, what in self._by if kind == "sbc"} - {*SBC_GONE, "sbc_isolated"}):
            every = set(self._plan.attached)
            if len(every) > 1 and self.held("sbc", what) == every and not any(map(self._core_of, every)):
                self._all_over("sbc", what, every)

    def _all_over(self, kind: str, what: str, names: set[str]) -> None:
        service = Element("service", self.topology.service)
        self.derived[service] = in_order({*self.derived.get(service, ()), *(Element(kind, name) for name in names)})
        self._spread |= {(kind, name, what): service for name in names}
        self._spread["service", self.topology.service, what] = service

    def _cover(
        self, kind: str, paths: Mapping[str, frozenset[str]], what: str, free: set[str], fired: set[str]
    ) -> set[str]:
        taken: set[str] = set()
        bad = self.bad("path", what)
        incident = {state.name: state.incident for state in self._by["path", what]}
        for name, mine in paths.items():
            if len(mine) < 2 or not mine <= free or mine.isdisjoint(fired):  # noqa: PLR2004
                continue
            # those that are good already count as long as they are of the same story, and not left over from another
            if mine <= bad or len({incident[path] for path in mine}) == 1:
                element = Element(kind, name)
                self.derived[element] = in_order({*self.derived.get(element, ()), *(Element("path", p) for p in mine)})
                self._spread |= {("path", path, what): element for path in mine}
                if what in _REACH:
                    (self.cores if kind == "core" else self.sbcs).add(name)
                taken |= mine
        return taken

    def _blamed(self, path: str) -> bool:
        sbc, _, core = path.partition("/")
        return core in self.cores or sbc in self.sbcs

    def _split_networks(self) -> dict[str, set[str]]:
        """Networks that lost several SBCs: then it is the network, and no single way from it."""
        found: dict[str, set[str]] = defaultdict(set)
        for name in self.bad("network", "network_split"):
            sbc, _, network = name.partition("/")
            if sbc not in self.sbcs:
                found[network].add(sbc)
        return found

    def _beginnings(self) -> dict[Element, int]:
        found: dict[Element, int] = {}
        for (kind, what), states in self._by.items():
            if is_fault(what):
                for state in states:
                    element = Element(kind, state.name)
                    found[element] = min(found.get(element, state.bad_since_us), state.bad_since_us)
        return found

    # -- what explains an alarm ----------------------------------------------------------------------------------------

    def cause_of(self, state: AlarmState) -> Element:
        """The smallest element that explains this alarm."""
        found = self._found.get(state.key)
        if found is None:
            found = self._found[state.key] = self._cause_of(state)
        return found

    def _cause_of(self, state: AlarmState) -> Element:
        own, what = Element(state.kind, state.name), self.what(state)
        if self._alarms[state.alarm].class_ == "monitor":
            blind = self.held("monitor", "monitor_blind")
            return Element("monitor", min(blind)) if blind and state.kind in _SEEN_BY_PROBES else own
        if own.kind == "external":
            own = attached(state) or own
        if own.kind not in _VOICE or (topic_of(what) and own.kind != "site"):
            return self._beside(own)
        spread = self._spread.get((own.kind, own.name, what))
        found = self._explained(own, what, state)
        if spread is not None and found == own:
            found = spread
        if not is_fault(what) and found not in {own, spread}:
            began = self._began.get(found)
            if began is not None and state.first_since_us < began - self._slack_us:
                return spread or own  # it was there before, and will be afterwards
        return found

    def _beside(self, own: Element) -> Element:
        """Portals, accounts and databases are no part of the voice; a database that refuses its cores explains it."""
        service = Element("service", self.topology.service)
        return service if own.kind == "database" and self.service_down and self._by_database() else own

    def _by_database(self) -> bool:
        return bool(self.databases and self.refusing)

    def _explained(self, own: Element, what: str, state: AlarmState) -> Element:
        since_us = state.bad_since_us
        # once the service is only being watched, it takes nothing more from incidents that are not its own
        apart = self._watched is not None and state.incident not in {None, self._watched}
        if self.service_down and not apart:
            return Element("service", self.topology.service)
        if own.kind == "core":
            return self._core(own.name)
        if own.kind == "path":
            return self._path(own)
        if own.kind == "sbc":
            return self._sbc(own, what)
        if own.kind == "network":
            return self._network(own)
        return (self._site if own.kind == "site" else self._service)(own, what, since_us)

    def _core(self, name: str) -> Element:
        """A core; or, where it answers and refuses, the database that is down."""
        if name in self.refusing and self.databases:
            return Element("database", min(self.databases))
        return Element("core", name)

    def _core_of(self, sbc: str) -> str | None:
        """A core in trouble that this SBC is attached to, its primary first."""
        return next((core for core in self._plan.attached.get(sbc, ()) if core in self.cores), None)

    def _path(self, own: Element) -> Element:
        sbc, _, core = own.name.partition("/")
        if core in self.cores:
            return self._core(core)
        if sbc in self.sbcs or sbc in self.stuck:
            return Element("sbc", sbc)
        return own

    def _sbc(self, own: Element, what: str) -> Element:
        if own.name in self.sbcs or what in {*SBC_GONE, "sbc_isolated"}:
            return own
        if core := self._core_of(own.name):
            return self._core(core)
        if what == "register_failing" and self.databases:
            return Element("database", min(self.databases))
        path = self._mute.get(own.name) if what in SBC_CALLS else None
        return Element("path", path) if path else own

    def _network(self, own: Element) -> Element:
        sbc, _, network = own.name.partition("/")
        if sbc in self.sbcs:
            return Element("sbc", sbc)
        return Element("network", network) if len(self._splits.get(network, ())) > 1 else own

    def _site(self, own: Element, what: str, since_us: int) -> Element:
        site = self.topology.sites.get(own.name)
        if site is None:
            return own
        if what == "outage_suspected" and self._all_suspected():
            return Element("service", self.topology.service)
        service = Element("service", self.topology.service)
        if service in self.derived and is_fault(what) and not self.cores and not self.sbcs:
            return service
        sbc = next((name for name in site.sbcs if name in self.sbcs), None)
        if what != "redundancy_lost" and sbc:  # down with a core dead too: what the phone lost first is its SBC
            return Element("sbc", sbc)
        return self._within(site.sbcs, site.networks, since_us) or own

    def _service(self, own: Element, what: str, since_us: int) -> Element:
        """Of the service but no verdict: lost redundancy where no sites are declared, or the sum of its SBCs."""
        if what == VERDICT and self.holding is not None:
            return Element("sbc", self.holding)
        if (sbc := self._first_sbc.get(what)) and own not in self.derived:
            return self._sbc(Element("sbc", sbc), what)
        return self._within(tuple(self.topology.sbcs), (), since_us) or own

    def _within(self, sbcs: tuple[str, ...], networks: tuple[str, ...], since_us: int) -> Element | None:
        """The largest cause among what these SBCs lean on; what was there before it is not its doing."""
        core, network = self._core_of_any(sbcs), self._network_of(sbcs, networks, since_us)
        gone = next((name for name in sbcs if name in self.sbcs or name in self.stuck), None)
        broken = first_of_sbc(self._until("path", VERDICT, since_us))
        path = next((broken[name] for name in sbcs if name in broken), None)
        found = [Element("core", core)] if core else []
        found += [Element("sbc", gone)] if gone else []
        found += [network] if network else []
        found += [Element("path", path)] if path else []
        in_time = [one for one in found if self._began_at(one) <= since_us + self._slack_us]
        # a split of networks is often only the order in which probes confirm an outage: it explains nothing earlier
        chosen = next(iter(in_time or [one for one in found if one.kind != "network"]), None)
        return self._core(chosen.name) if chosen is not None and chosen.kind == "core" else chosen

    def _core_of_any(self, sbcs: tuple[str, ...]) -> str | None:
        return next((core for core in map(self._core_of, sbcs) if core), None)

    def _began_at(self, cause: Element) -> int:
        parts = self.derived.get(cause, (cause,))
        if cause.kind == "network" and "/" not in cause.name:
            parts = tuple(Element("network", f"{sbc}/{cause.name}") for sbc in self._splits[cause.name])
        return min((self._began[part] for part in parts if part in self._began), default=0)

    def _all_suspected(self) -> bool:
        sites = self.topology.sites
        return len(sites) > 1 and self.bad("site", "outage_suspected") >= set(sites)

    def _until(self, kind: str, what: str, since_us: int) -> list[str]:
        """Names that are bad now, then those that were when it began: what they brought may recover after them."""
        states = self._by.get((kind, what), ())
        over = [state.name for state in states if not state.bad and (state.good_since_us or 0) >= since_us]
        return [state.name for state in states if state.bad] + over

    def _network_of(self, sbcs: tuple[str, ...], networks: tuple[str, ...], since_us: int) -> Element | None:
        for name in self._until("network", "network_split", since_us):
            sbc, _, network = name.partition("/")
            if sbc in sbcs and (not networks or network in networks):
                return self._network(Element("network", name))
        return None

    def quiet(self, state: AlarmState) -> bool:
        """It says nothing of its own.

        It follows from signalling that is down, from work that was announced, or from an SBC taken out on purpose.
        """
        what = self.what(state)
        if is_echo(state) or state.key in self._silenced:
            return True
        if (state.kind, what) == ("path", "call_failing"):
            return state.name in self._mute_paths
        cause = self.cause_of(state)
        if state.kind == "sbc" and what in SBC_CALLS and (cause.kind == "path" or self._worked_on(state.name)):
            return True
        taken_out = cause.kind == "sbc" and cause.name in self.isolated
        return taken_out and what != "sbc_isolated" and (state.kind, what) != ("site", VERDICT)

    def _worked_on(self, sbc: str) -> bool:
        """Work is done on a core or path of this SBC, and what nobody works on is well."""
        if sbc in self._broken or not self._maintained:
            return False
        parts = [Element("core", core) for core in self._plan.attached.get(sbc, ())]
        parts += [Element("path", path) for path in self._plan.of_sbc.get(sbc, ())]
        return any(part in self._maintained for part in parts)

    # -- groups --------------------------------------------------------------------------------------------------------

    def groups(self) -> list[Group]:
        """What is wrong now, by cause, the largest cause first; a group exists only where an alarm has fired."""
        found: dict[tuple[IncidentClass, Element, str], list[AlarmState]] = {}
        for state in self._states:
            cause = self.cause_of(state)
            topic = topic_of(self.what(state)) if cause == Element(state.kind, state.name) else ""
            if cause.kind == "database" and cause.name in self.databases and topic == "replication":
                topic = ""
            if topic == BUDGET and state.name in self.held(state.kind, VERDICT):
                topic = ""  # the outage that burns it tells it
            found.setdefault((self._alarms[state.alarm].class_, cause, topic), []).append(state)
        groups = [
            Group(
                class_=class_,
                cause=cause,
                members=tuple(state.key for state in states),
                elements=() if topic else self._elements(cause, states),
                topic=topic,
            )
            for (class_, cause, topic), states in found.items()
            if any(state.phase != "pending" and not self.quiet(state) for state in states)
        ]
        quiet = [group for group in groups if self._hushed(group)] if self._silenced else []
        self.hushed = frozenset(key for group in quiet for key in group.members)
        groups = [group for group in groups if group not in quiet]
        groups = gathered(groups, {state.key: state for state in self._states}, self._alarms, self._plan)
        return sorted(groups, key=lambda group: (group.rank, group.cause.kind, group.cause.name, group.topic))

    def _hushed(self, group: Group) -> bool:
        members = set(group.members)
        states = (state for state in self._states if state.key in members)
        return hushed(states, group.own, self._silenced, self._alarms)

    def _elements(self, cause: Element, states: list[AlarmState]) -> tuple[Element, ...]:
        if cause in self.derived and not (cause.kind == "service" and self.service_down):
            return self.derived[cause]
        if cause.kind == "network" and "/" not in cause.name:
            return in_order(Element("network", f"{sbc}/{cause.name}") for sbc in self._splits[cause.name])
        if cause.kind != "service":
            return ()
        parts = {
            Element(state.kind, state.name)
            for state in states
            if state.kind in {"core", "sbc", "database"} and self.what(state) in {*SBC_GONE, "core_refusing"}
        }
        if not parts:  # all answer, and yet nobody can talk
            said = [state for state in states if state.kind == "sbc" and state.held]
            parts = {
                Element("sbc", state.name) for state in said if self.what(state) in {*SBC_CALLS, "failover_broken"}
            }
        return in_order(parts)

    def keeps(self, site: Site) -> int:
        """SBCs of a site that are not lost."""
        return sum(1 for name in site.sbcs if name not in self.sbcs)


_SEEN_BY_PROBES = frozenset({"probe", "site", "sbc", "monitor", "path", "account"})


def is_echo(state: AlarmState) -> bool:
    """Somebody else's alert that repeats what the desk itself watches."""
    return state.kind == "external" and bool(state.facts.get("echo"))
