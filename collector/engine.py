"""The live engine: results, in whatever order they come, to changes of verdicts and findings. Pure.

It says what is true *now* by what has arrived; the ledger (`collector.ledger`) says what was true, by `at`. It can
be rebuilt at any time from the last minutes of results, fed silently.
"""

import heapq
import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec.structs import replace

from collector.facts import facts_of
from collector.thresholds import Thresholds
from collector.verdicts import standing
from collector.verdicts.flaps import Flaps
from collector.verdicts.graph import Graph, Transition
from collector.verdicts.guard import link
from collector.verdicts.marks import Marks
from collector.verdicts.overlay import Coverage, active
from collector.verdicts.samples import DEFAULT_EVERY_US, LeafKey, Timing, known, leaf_key, sample
from collector.verdicts.series import Series
from collector.verdicts.standing import Standings
from collector.verdicts.votes import Value
from collector.verdicts.watch import ProbeWatch
from sereno.alarms import Alarms
from sereno.clock import SECOND_US
from sereno.topology.model import Topology
from sereno.verdict import VERDICT, Change, ElementKind, ElementVerdict, MaintenanceWindow, State
from sereno.wire import Result, Status

if TYPE_CHECKING:
    from sereno.contract import Contract

_WATCHED = ("edge", "natural", "options")
_ORDER = ("service", "site", "core", "sbc", "path", "portal", "database", "probe")
_SERIES, _SERIES_EACH = 1_000, 32  # of one probe, at most: some addresses and accounts of everything that is watched
_LIVE_HOLD_US = 10 * SECOND_US  # live screens forgive the wire
_Element = tuple[str, str, str]
_Place = tuple[str, str | None, str | None]  # a probe's path; without a core, an SBC's natural view


class Engine:
    """Verdicts of a topology now. Not thread-safe; every method takes the time it is told."""

    def __init__(
        self,
        topology: Topology,
        contracts: "Mapping[str, Contract] | None" = None,
        at_us: int = 0,
        alarms: Alarms | None = None,
    ) -> None:
        self.topology = topology
        self.graph = Graph(topology, counted_planes(topology, contracts or {}, at_us))
        self._timing = Timing(topology)
        self._series: dict[LeafKey, Series] = {}
        self._beside: dict[_Place, tuple[dict[LeafKey, Series], dict[LeafKey, Series]]] = {}
        self._dues: list[tuple[int, int, LeafKey]] = []  # the number between: keys have no order, a core may be None
        self._numbers = itertools.count()
        self._begun: dict[str, int] = {}  # how many series of each probe there are
        self._most = _SERIES + _SERIES_EACH * (len(topology.sbcs) + len(topology.paths()))
        self._watch = ProbeWatch(topology)
        self._standings = Standings(topology)
        self._windows: list[MaintenanceWindow] = []
        self._covered: Coverage | None = None
        self._isolated: dict[str, int] = {}
        self._said: dict[_Element, tuple[str, int, str | None]] = {}
        self._now_us = 0
        self.thresholds = (
            Thresholds(topology, alarms, self.graph.reachable, self.graph.serving) if alarms is not None else None
        )
        rules = self.thresholds.rules if self.thresholds is not None else []
        self.marks = Marks({(rule.scope, rule.what): rule.alarm.for_us for rule in rules if rule.degrades})
        self._marked_us = 0
        self._flaps = Flaps()

    # -- inputs -----------------------------------------------------------------------------------------------------

    def feed(self, result: Result, arrived_us: int) -> list[Change]:
        """One result; what it changes is decided at `arrived_us`."""
        return self.feed_all([(result, result.at_us)], arrived_us)

    def feed_all(self, results: list[tuple[Result, int]], arrived_us: int) -> list[Change]:
        """A batch that arrived together, with the results' `at` in microseconds."""
        arrived_us = self._now_us = max(self._now_us, arrived_us)  # decisions never go back in time
        changes = self.tick(arrived_us) if self._overdue(arrived_us) else []
        woken: set[str] = set()
        touched = False
        known_series, watch, touch = self._series, self._watch, self.graph.touch
        for result, at_us in results:
            check = result.check
            if result.facts is not None:
                changes += self._stand(result, at_us, arrived_us)
            # A tuple equals the LeafKey of the same fields, and costs a quarter of it.
            place = (result.probe, check, result.sbc, result.core, result.address, result.account)
            series = known_series.get(place) if check in DEFAULT_EVERY_US else None  # type: ignore[call-overload]
            if series is None:
                series = self._found(result)
                if series is None:
                    continue
            if watch.arrived(result, arrived_us, series.hold_us):
                woken.add(result.probe)
            if series.feed(sample(result, at_us, series.timeout_us), arrived_us):
                touch(series.leaf)
                touched = True
                if series.guarded:
                    self._again(series)
        if self.graph.ask_again() or touched:
            changes += self._settle(arrived_us)
        if woken:
            changes += self._watched(arrived_us, woken)
        return changes + self.measure(results, arrived_us)

    def probe_event(self, probe: str, state: str, at_us: int) -> list[Change]:
        """A probe said `online` or `offline` (or its last will did); its opinions still run out by their hold."""
        self._watch.status(probe, state, at_us)
        return self._watched(at_us, {probe})

    def status(self, status: Status, now_us: int) -> list[Change]:
        """What a probe says of itself: its clock, its meter, its spool."""
        return self._marking(self.thresholds.status(status, now_us), now_us) if self.thresholds is not None else []

    def own(self, measure: str, value: float, now_us: int) -> list[Change]:
        """What the collector measures of itself."""
        return self._marking(self.thresholds.own(measure, value, now_us), now_us) if self.thresholds is not None else []

    def measure(self, results: list[tuple[Result, int]], now_us: int) -> list[Change]:
        """What the thresholds say of results: new ones, or at a start older ones that only their windows reach."""
        return self._marking(self.thresholds.feed(results, now_us), now_us) if self.thresholds is not None else []

    def maintenance(self, window: MaintenanceWindow, now_us: int | None = None) -> list[Change]:
        """Announced work; it takes effect when its time comes."""
        if window not in self._windows:
            self._windows.append(window)
        return self.tick(now_us) if now_us is not None else []

    def cancel(self, window: MaintenanceWindow, now_us: int) -> list[Change]:
        """The work will not be."""
        self._windows = [one for one in self._windows if one != window]
        return self.tick(now_us)

    def isolate(self, sbc: str, at_us: int) -> list[Change]:
        """The SBC was taken out of service under attack: marked, neither maintenance nor excluded."""
        self._isolated[sbc] = at_us
        return self._say(("sbc", sbc, "sbc_isolated"), "true", at_us, at_us, "isolated")

    def heal(self, sbc: str, at_us: int) -> list[Change]:
        """The mark is taken away."""
        self._isolated.pop(sbc, None)
        return self._say(("sbc", sbc, "sbc_isolated"), "false", at_us, at_us, None)

    def keep(self, said: Change) -> None:
        """A finding that was true before a restart, of what is measured too seldom to be found again at once."""
        if self.thresholds is not None and self.thresholds.keep(said):
            self.marks.take([replace(said, at_us=said.since_us)])  # it may have been said again since
            return
        if said.state == "true" and self._standings.keep(said.kind, said.name, said.what):
            self._said[said.kind, said.name, said.what] = ("true", said.since_us, said.reason)

    def tick(self, now_us: int) -> list[Change]:
        """Time passes: silences become unknown, windows open and close."""
        self._now_us = max(self._now_us, now_us)
        touched = False
        while self._dues and self._dues[0][0] <= now_us:
            _, number, key = heapq.heappop(self._dues)
            series = self._series[key]
            if series.due_us > now_us:
                heapq.heappush(self._dues, (series.due_us, number, key))
            elif series.expire(now_us):
                self.graph.touch(series.leaf)
                touched = True
        touched = self.graph.wake(now_us) or touched
        changes = self._settle(now_us) if touched else []
        if self.thresholds is not None:
            changes += self._marking(self.thresholds.tick(now_us), now_us)
        changes += self._calm(now_us) + self._windowed(now_us)
        return changes + self._watched(now_us, None)

    def next_due_us(self) -> int | None:
        """When `tick` will have something to look at; None when nothing is pending."""
        dues = [self._dues[0][0]] if self._dues else []
        if self.graph.due_us is not None:
            dues.append(self.graph.due_us)
        dues += [edge for window in self._windows for edge in (window.from_us, window.to_us) if edge > self._now_us]
        others = (self._watch.next_after(self._now_us), self.marks.next_after(self._marked_us), self._flaps.due_us)
        dues += [due for due in others if due is not None]
        return min(dues, default=None)

    @property
    def size(self) -> int:
        """How many series it follows."""
        return len(self._series)

    # -- what is said -------------------------------------------------------------------------------------------------

    def verdicts(self, now_us: int) -> list[ElementVerdict]:
        """What is said of every element now (call `tick` first when time has passed)."""
        found = []
        for element, node in self.graph.elements.items():
            kind, name, what = element
            if what != VERDICT or kind == "customer":
                continue
            state, since, reason = self._shown(element, node.value, now_us)
            facts = facts_of(node, self._series)
            found.append(_verdict(kind, name, state, since, reason, facts))
        for word in self._watch.words(now_us):
            if word.kind == "probe" and word.what == VERDICT:
                said = self._said.get(("probe", word.name, VERDICT))
                since = said[1] if said and said[0] == word.state else word.since_us
                found.append(_verdict("probe", word.name, word.state, since, word.reason, {}))
        return sorted(found, key=lambda one: _ORDER.index(one.kind))

    def findings(self) -> list[tuple[str, str, str]]:
        """Every finding that is true now, as (kind, name, what)."""
        found = {element for element, said in self._said.items() if element[2] != VERDICT and said[0] == "true"}
        return sorted(found | set(self.thresholds.said if self.thresholds is not None else ()))

    # -- inside -------------------------------------------------------------------------------------------------------

    def _marking(self, changes: list[Change], now_us: int) -> list[Change]:
        """Poor quality that degrades its SBC or path, and what is better again."""
        if not changes and not self.marks.any:
            self._marked_us = max(self._marked_us, now_us)
            return changes
        elements = self.marks.take(changes) if changes else set()
        due = self.marks.next_after(self._marked_us)
        if due is not None and due <= now_us:
            elements |= self.marks.due(self._marked_us, now_us)
        self._marked_us = max(self._marked_us, now_us)
        for kind, name in sorted(elements):
            node = self.graph.elements.get((kind, name, VERDICT))
            if node is not None:
                element = (kind, name, VERDICT)
                state, since, reason = self._shown(element, node.value, now_us)
                changes = [*changes, *self._say(element, state, since or now_us, now_us, reason)]
        return changes

    def _again(self, signalling: Series) -> None:
        """The signalling of a path says something else: what was told of its slow planes is looked at again."""
        for slow in signalling.guarded:
            if slow.again():
                self.graph.touch(slow.leaf)

    def _stand(self, result: Result, at_us: int, arrived_us: int) -> list[Change]:
        """What gets slowly worse beside the voice."""
        changes: list[Change] = []
        if result.check in standing.CHECKS:
            for word in self._standings.feed(result, at_us):
                element = (word.kind, word.name, word.what)
                changes += self._say(element, word.state, word.since_us or arrived_us, arrived_us, word.reason)
        return changes

    def _found(self, result: Result) -> Series | None:
        """The series of a result; None where nothing is watched."""
        key = leaf_key(result)
        if key is None or not known(self.topology, key):
            return None
        found = self._series.get(key)
        if found is not None:
            return found
        begun = self._begun.get(key.probe, 0)
        if begun >= self._most:  # addresses or accounts made up by somebody: kept in the store, never judged
            return None
        self._begun[key.probe] = begun + 1
        return self._open(key)

    def _open(self, key: LeafKey) -> Series:
        every = self._timing.every_of(key.check, key.address)
        hold_us = max(every * 5 // 2, _LIVE_HOLD_US)
        timeout = self._timing.timeout_of(key.check, key.address)
        series = Series(self.graph.leaf(key), hold_us, every, timeout, quality=key.check in _WATCHED)
        self._series[key] = series
        link(self._beside.setdefault((key.probe, key.sbc, key.core), ({}, {})), key, series)
        heapq.heappush(self._dues, (self._now_us + hold_us, next(self._numbers), key))
        return series

    def _overdue(self, now_us: int) -> bool:
        if self._windows:
            due = self.next_due_us()
            return due is not None and due <= now_us
        shaky = self.graph.due_us
        return bool(self._dues and self._dues[0][0] <= now_us) or (shaky is not None and shaky <= now_us)

    def _settle(self, now_us: int) -> list[Change]:
        changes: list[Change] = []
        for transition in self.graph.settle(now_us):
            changes += self._transition(transition, now_us)
        return changes

    def _transition(self, transition: Transition, now_us: int) -> list[Change]:
        element, new = transition.element, transition.new
        if element[0] == "customer":
            return []
        if element[2] != VERDICT:
            flapping = element[2] == "intermittent" and element[1] in self._flaps.now
            return [] if flapping else self._say(element, new.state, new.since_us or now_us, now_us, new.reason)
        flaps: list[Change] = []
        if element[0] in {"sbc", "core"}:
            self._flaps.larger(element[1], down=new.state == "down", now_us=now_us)
        if element[0] == "path" and self._flaps.changed(element[1], transition.old, new, now_us):
            flaps = self._say((*element[:2], "intermittent"), "true", now_us, now_us, "flapping")
        state, since, reason = self._shown(element, new, now_us)
        return flaps + self._say(element, state, since or now_us, now_us, reason)

    def _calm(self, now_us: int) -> list[Change]:
        """Paths that flap no more; whether they lose single samples is another matter."""
        changes: list[Change] = []
        for name in self._flaps.ended(now_us):
            element = ("path", name, "intermittent")
            changes += self._say(element, self.graph.elements[element].value.state, now_us, now_us, None)
        return changes

    def _shown(self, element: _Element, value: Value, now_us: int) -> tuple[str, int, str | None]:
        """A verdict as people hear it: maintenance covers it while a window is open."""
        kind, name, _ = element
        if self._covered is not None and self._covered.covers(kind, name):
            opened = [window.from_us for window in active(self._windows, now_us)]
            return "maintenance", max(opened, default=now_us), "maintenance"
        closed = [window.to_us for window in self._windows if window.to_us <= now_us]
        since = value.since_us
        said = self._said.get(element)
        if closed and said is not None and said[0] == "maintenance":
            since = max(since, *closed)
        elif said is not None and said[0] == value.state:
            since = said[1] if said[1] in closed else min(said[1], value.since_us)
        elif said is not None and said[0] == "degraded" and value.state == "up" and value.since_us < said[1]:
            since = now_us  # what ended is a mark, not what the samples say
        reason = value.reason
        if kind == "sbc" and name in self._isolated and value.state != "up":
            reason = "isolated"
        mark = self.marks.of((kind, name), now_us) if value.state == "up" else None
        if mark is not None:
            return "degraded", max(value.since_us, mark[1]), mark[0]
        return value.state, since, reason

    def _say(self, element: _Element, state: str, since_us: int, now_us: int, reason: str | None) -> list[Change]:
        said = self._said.get(element)
        silent = "false" if element[2] != VERDICT else "unknown"
        if (said[0] if said else silent) == state:
            return []
        self._said[element] = (state, since_us, reason)
        kind, name, what = element
        node = self.graph.elements.get(element)
        facts = facts_of(node, self._series) if node is not None else {}
        of: ElementKind = kind  # type: ignore[assignment]  # elements are wired with the closed list of kinds
        return [
            Change(
                kind=of, name=name, what=what, state=state,
                since_us=since_us, at_us=now_us, reason=reason, facts=facts,
            )
        ]  # fmt: skip

    def _windowed(self, now_us: int) -> list[Change]:
        if not self._windows and self._covered is None:
            return []
        windows = active(self._windows, now_us)
        scopes = [(window.scope_kind, window.scope_name) for window in windows]
        self._covered = Coverage(self.topology, scopes) if scopes else None
        changes: list[Change] = []
        for window in self._windows:  # a change that may have to do with what fails next
            element = (window.scope_kind, window.scope_name, "maintenance_window")
            if window in windows:
                changes += self._say(element, "open", window.from_us, now_us, None)
            elif window.to_us <= now_us and self._said.get(element, ("",))[0] == "open" and element[:2] not in scopes:
                changes += self._say(element, "over", window.to_us, now_us, None)
        for element, node in self.graph.elements.items():
            if element[2] == VERDICT and element[0] != "customer":
                state, since, reason = self._shown(element, node.value, now_us)
                changes += self._say(element, state, since or now_us, now_us, reason)
        return changes

    def _watched(self, now_us: int, probes: set[str] | None) -> list[Change]:
        changes: list[Change] = []
        for word in self._watch.words(now_us):
            if probes is not None and word.kind == "probe" and word.name not in probes:
                continue
            since = word.since_us or now_us
            changes += self._say((word.kind, word.name, word.what), word.state, since, now_us, word.reason)
        return changes


def counted_planes(topology: Topology, contracts: "Mapping[str, Contract]", at_us: int) -> dict[str, frozenset[str]]:
    """Per customer, the planes that its contract counts at an instant."""
    found: dict[str, frozenset[str]] = {}
    for name, customer in topology.customers.items():
        contract = contracts.get(customer.contract)
        if contract is not None:
            found[name] = frozenset(contract.at(at_us).downtime_planes)
    return found


def _verdict(
    kind: str, name: str, state: str, since_us: int, reason: str | None, facts: dict[str, object]
) -> ElementVerdict:
    of: ElementKind = kind  # type: ignore[assignment]  # elements are wired with the closed list of kinds
    said: State = state  # type: ignore[assignment]  # rules speak only the closed list of states
    return ElementVerdict(kind=of, name=name, state=said, since_us=since_us or None, reason=reason, facts=facts)
