"""Steps of series, merged by time, through the graph of rules: what every element was, when.

The recorder goes forward through parts of time, each with a topology and the planes that its contracts count. Where it
stands can be kept and taken up again (`pack`, `unpack`): from there on it says the same as if it had never stopped.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from collector.verdicts.graph import Graph
from collector.verdicts.nodes import SbcNode
from collector.verdicts.quality import FlagStep
from collector.verdicts.samples import LeafKey, Timing
from collector.verdicts.votes import Value
from collector.verdicts.witness import DOWN, Step, packed, unpacked
from sereno.clock import SECOND_US
from sereno.topology.model import Topology
from sereno.verdict import VERDICT

HOUR_US = 3_600 * SECOND_US
_TARGET_CHECK = {"portal": "https", "database": "database"}
_PLANE_CHECK = {"plane:registration": "register", "plane:call": "call"}
_Span = tuple[int, int]


class Interval(NamedTuple):
    """`state` held for the element from `from_us` until just before `to_us`."""

    kind: str
    name: str
    state: str
    from_us: int
    to_us: int
    reason: str | None = None
    interval_us: int = 0  # of the check that decided it: the bound of an outage's ends


class Part(NamedTuple):
    """From `from_us` on, this topology and these planes; and since when each series exists in it."""

    from_us: int
    topology: Topology
    planes: Mapping[str, frozenset[str]] | None
    exists_us: dict[LeafKey, int]


class Event(NamedTuple):
    """A step of a series."""

    at_us: int
    key: LeafKey
    step: Step | FlagStep


class Recorder:
    """Stands at an instant; `run` takes it on."""

    def __init__(self, part: Part, from_us: int, to_us: int) -> None:
        self._from, self._to = from_us, to_us  # what is recorded
        self._part = part
        self._graph = Graph(part.topology, part.planes)
        self._timing = Timing(part.topology)
        self._said: dict[LeafKey, list[Step | FlagStep | None]] = {}  # the last word of every series
        self._open: dict[tuple[str, str], tuple[int, Value]] = {
            (kind, name): (from_us, node.value)
            for (kind, name, what), node in self._graph.elements.items()
            if what == VERDICT
        }
        self._done: list[Interval] = []
        self._unsolid: set[str] = set()
        self.spans: dict[str, list[_Span]] = {}  # around the ends of the SBCs' own outages

    # -- going on ----------------------------------------------------------------------------------------------------

    def run(
        self,
        parts: Sequence[Part],
        events: Sequence[Event],
        shaky: Mapping[str, list[_Span]],
        since_us: int,
        to_us: int,
    ) -> None:
        """Everything that happens in [since, to): parts after this one, series that begin, steps, trust in SBCs."""
        happens: list[tuple[int, int, Callable[[int], None]]] = []  # instant, what comes first at one instant, what
        first = since_us or min((event.at_us for event in events), default=to_us)
        last = max((event.at_us for event in events), default=first)
        hours = range(first // HOUR_US * HOUR_US, min(to_us, last + 2 * HOUR_US), HOUR_US)
        happens += [(at_us, 1, self._forget) for at_us in hours]
        for part in parts:
            if part is not self._part and part.from_us >= since_us:
                happens.append((part.from_us, 0, _with(self._rewire, part)))
            for key, exists_us in sorted(part.exists_us.items(), key=lambda one: (one[1], str(one[0]))):
                if key not in self._graph.leaves or part is not self._part:
                    happens.append((max(exists_us, part.from_us), 2, _with(self._join, (part, key))))
        for event in events:
            happens.append((event.at_us, 3, _with(self._hear, event)))
        for name, spans in shaky.items():
            for at_us, solid in _edges(spans):
                happens.append((at_us, 4, _with(self._trust, (name, solid))))
        happens = [one for one in happens if since_us <= one[0] < to_us]
        happens.sort(key=lambda one: one[:2])  # stable: a series' own steps stay in order
        for index, (at_us, _, act) in enumerate(happens):
            act(at_us)
            if index + 1 == len(happens) or happens[index + 1][0] != at_us:
                self._settle(at_us)

    def intervals(self) -> list[Interval]:
        """What was recorded of [from, to)."""
        found = list(self._done)
        for (kind, name), (since, value) in self._open.items():
            found += self._piece(kind, name, since, self._to, value)
        return joined(found)

    def _hear(self, event: Event, _: int) -> None:
        said = self._said.setdefault(event.key, [None, None])
        said[isinstance(event.step, FlagStep)] = event.step
        leaf = self._graph.leaves.get(event.key)
        if leaf is not None:
            _say(leaf, event.step)
            self._graph.touch(leaf)

    def _join(self, what: tuple[Part, LeafKey], _: int) -> None:
        """A series begins to be measured under the topology in force."""
        part, key = what
        if part is not self._part or key in self._graph.leaves:
            return
        leaf = self._graph.join(key)
        for step in self._said.get(key, ()):
            if step is not None:
                _say(leaf, step)

    def _trust(self, what: tuple[str, bool], _: int) -> None:
        name, solid = what
        (self._unsolid.discard if solid else self._unsolid.add)(name)
        node = self._graph.elements.get(("sbc", name, VERDICT))
        if isinstance(node, SbcNode):
            self._graph.trust(node, solid=solid)

    def _rewire(self, part: Part, at_us: int) -> None:
        """Another topology, or other planes, from here on."""
        before = {element: value for element, (_, value) in self._open.items()}
        same, leaves = part.topology == self._part.topology, self._graph.leaves
        self._part, self._timing = part, Timing(part.topology)
        graph = self._graph = Graph(part.topology, part.planes)
        for key in leaves if same else ():
            self._join((part, key), at_us)
        for key, exists_us in sorted(part.exists_us.items(), key=lambda one: (one[1], str(one[0]))):
            if exists_us <= at_us:
                self._join((part, key), at_us)
        for name in self._unsolid:
            self._trust((name, False), at_us)
        graph.settle(at_us, exact=True)
        now = {(kind, name): node.value for (kind, name, what), node in graph.elements.items() if what == VERDICT}
        for element in before.keys() - now.keys():
            since, value = self._open.pop(element)
            self._done += self._piece(*element, since, at_us, value)
        for element, value in now.items():
            if element not in before:
                self._open[element] = (max(at_us, self._from), value)
            else:
                self._change(*element, at_us, value)

    def _forget(self, at_us: int) -> None:
        """What began more than an hour ago began an hour ago: so that the past changes no later word for ever."""
        floor = at_us - HOUR_US
        for leaf in self._graph.leaves.values():
            if 0 < leaf.value.since_us < floor:
                leaf.value = leaf.value._replace(since_us=floor)
            leaf.flags_us = max(leaf.flags_us, floor) if leaf.flags_us else 0
        for node in self._graph.nodes():
            if 0 < node.value.since_us < floor:
                node.value = node.value._replace(since_us=floor)
        for said in self._said.values():
            said[:] = [None if one is None else one._replace(from_us=max(one.from_us, floor)) for one in said]

    def _settle(self, at_us: int) -> None:
        for transition in self._graph.settle(at_us, exact=True):
            kind, name, what = transition.element
            if what == VERDICT:
                self._change(kind, name, at_us, transition.new)

    def _change(self, kind: str, name: str, at_us: int, value: Value) -> None:
        since, old = self._open[kind, name]
        if value.state == old.state:
            return
        if kind == "sbc" and DOWN in (old.state, value.state):
            shaky_us = 2 * self._timing.every_us["options"]
            self.spans.setdefault(name, []).append((at_us - shaky_us, at_us + shaky_us))
        self._done += self._piece(kind, name, since, at_us, old)
        self._open[kind, name] = (at_us, value)

    def _piece(self, kind: str, name: str, since: int, until: int, value: Value) -> list[Interval]:
        begin, end = max(since, self._from), min(until, self._to)
        if begin >= end:
            return []
        return [Interval(kind, name, value.state, begin, end, value.reason, self._bound(kind, name, value))]

    def _bound(self, kind: str, name: str, value: Value) -> int:
        if value.state != DOWN:
            return 0
        if kind in _TARGET_CHECK:
            return self._timing.every_of(_TARGET_CHECK[kind], name)
        for tag, check in _PLANE_CHECK.items():
            if tag in value.tags:
                return self._timing.every_us[check]
        return self._timing.every_us["edge" if kind == "sbc" else "options"]

    # -- kept between two folds ---------------------------------------------------------------------------------------

    def pack(self, at_us: int, shaky: Mapping[str, list[_Span]]) -> list[Any]:
        """Where it stands just before `at_us`, with the spans of no trust that reach beyond."""
        self._forget(at_us - HOUR_US)
        leaves = self._graph.leaves.items()  # in the order in which they joined
        said = sorted(self._said.items(), key=str)
        opened = sorted(self._open.items())
        spans = {name: {one for one in found if one[0] < at_us <= one[1]} for name, found in shaky.items()}
        return [
            [[list(key), *(_packed_step(one) for one in steps)] for key, steps in said],
            [[list(key), _packed_value(leaf.value), leaf.flags_us] for key, leaf in leaves],
            [_packed_value(node.value) for node in self._graph.nodes()],
            [[*element, _packed_value(value._replace(since_us=0))] for element, (_, value) in opened],
            [[name, sorted(found)] for name, found in sorted(spans.items()) if found],
        ]

    @classmethod
    def unpack(cls, part: Part, kept: Sequence[Any], at_us: int, from_us: int, to_us: int) -> "Recorder":
        """The recorder that `pack` described as standing at `at_us`."""
        said, leaves, nodes, opened, spans = kept
        recorder = cls(part, from_us, to_us)
        graph = recorder._graph
        for key, step, flag in said:
            recorder._said[LeafKey(*key)] = [_unpacked_step(step), _unpacked_flag(flag)]
        for key, value, flags_us in leaves:
            leaf = graph.leaf(LeafKey(*key))
            leaf.value, leaf.flags_us = _unpacked_value(value), flags_us
            flag = recorder._said.get(leaf.key, [None, None])[1]
            if isinstance(flag, FlagStep):
                leaf.flags = flag.flags
        for node, value in zip(graph.nodes(), nodes, strict=True):
            node.value = _unpacked_value(value)
        recorder._open = {(kind, name): (from_us, _unpacked_value(value)) for kind, name, value in opened}
        recorder.spans = {name: [(begin, end) for begin, end in found] for name, found in spans}
        for name, found in recorder.spans.items():
            sbc = graph.elements.get(("sbc", name, VERDICT))
            if isinstance(sbc, SbcNode) and any(begin < at_us <= end for begin, end in found):
                sbc.solid = False
                recorder._unsolid.add(name)
        return recorder


def _with(act: Callable[[Any, int], None], what: Any) -> Callable[[int], None]:
    return lambda at_us: act(what, at_us)


def _say(leaf: Any, step: Step | FlagStep) -> None:
    if isinstance(step, Step):
        leaf.say(step.state, step.signature, step.from_us)
    else:
        leaf.flag(step.flags, step.from_us)


def _packed_value(value: Value) -> list[Any]:
    return [value.state, value.since_us, value.reason, sorted(value.tags)]


def _unpacked_value(kept: Sequence[Any]) -> Value:
    return Value(kept[0], kept[1], kept[2], frozenset(kept[3]))


def _packed_step(step: Step | FlagStep | None) -> list[Any] | None:
    if step is None:
        return None
    if isinstance(step, Step):
        return [step.from_us, step.state, packed(step.signature)]
    return [step.from_us, sorted(step.flags)]


def _unpacked_step(kept: Sequence[Any] | None) -> Step | None:
    return None if kept is None else Step(kept[0], kept[1], unpacked(kept[2]))


def _unpacked_flag(kept: Sequence[Any] | None) -> FlagStep | None:
    return None if kept is None else FlagStep(kept[0], frozenset(kept[1]))


def _edges(spans: list[_Span]) -> Iterable[tuple[int, bool]]:
    """The instants at which an SBC stops and starts to be a trusted witness, overlapping spans joined."""
    end = None
    for begin, until in sorted(spans):
        if end is None or begin > end:
            if end is not None:
                yield end, True
            yield begin, False
            end = until
        else:
            end = max(end, until)
    if end is not None:
        yield end, True


def joined(intervals: Iterable[Interval]) -> list[Interval]:
    """In order of element and time, adjacent intervals of one state made one (the first one's reason stays)."""
    found: list[Interval] = []
    for one in sorted(intervals, key=lambda one: (one.kind, one.name, one.from_us)):
        last = found[-1] if found else None
        if last and (last.kind, last.name, last.state, last.to_us) == (one.kind, one.name, one.state, one.from_us):
            found[-1] = last._replace(to_us=one.to_us, interval_us=max(last.interval_us, one.interval_us))
        else:
            found.append(one)
    return found


__all__ = ["Event", "Interval", "Part", "Recorder", "joined"]
