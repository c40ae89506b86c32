"""Results in order of (at, probe, boot, seq) to intervals of every element (docs/verdicts.md §1–§11).

Each series becomes a step function by its witness; the steps of all series, merged by time, drive the same graph of
rules as the live engine. So the intervals depend on what was measured, never on when or in which order it arrived.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from collector.verdicts.graph import Graph
from collector.verdicts.guard import GUARDED, explained, guardian
from collector.verdicts.nodes import Leaf, SbcNode
from collector.verdicts.quality import FlagStep, Quality
from collector.verdicts.samples import GOOD, LATE, PLAIN, LeafKey, Sample, Timing, known, leaf_key, sample
from collector.verdicts.votes import Value
from collector.verdicts.witness import DOWN, Step, Witness
from sereno.clock import SECOND_US
from sereno.topology.model import Topology
from sereno.verdict import VERDICT
from sereno.wire import Result

_LATEST_REPLY_US = 40 * SECOND_US  # a probe listens for late replies for 32 s (64·T1, RFC 3261 §17.1.1.2)
_DECIDED_HOLDS = 4  # a witness has decided about an instant when so many holds have passed
_QUALITY = frozenset({"edge", "natural", "options"})
_TARGET_CHECK = {"portal": "https", "database": "database"}
_PLANE_CHECK = {"plane:registration": "register", "plane:call": "call"}


class Interval(NamedTuple):
    """`state` held for the element from `from_us` until just before `to_us`."""

    kind: str
    name: str
    state: str
    from_us: int
    to_us: int
    reason: str | None = None
    interval_us: int = 0  # of the check that decided it: the bound of an outage's ends


class _Series:
    """One series in order: the witness, and the newest sample held back in case a later result supersedes it."""

    __slots__ = ("guards", "held", "lone", "quality", "waiting", "witness")

    def __init__(self, hold_us: int, every_us: int, *, quality: bool) -> None:
        self.witness = Witness(hold_us)
        self.quality = Quality(every_us) if quality else None
        self.held: Sample | None = None
        self.lone = 0
        self.guards: list[_Series] | None = None  # of a slow plane: the signalling of the same probe and path
        self.waiting: deque[Sample] = deque()  # of a slow plane: what the signalling may yet explain

    def feed(self, new: Sample) -> None:
        held = self.held
        if held is not None:
            if held.at_us == new.at_us:
                if held.order < new.order:
                    self.held = new  # a late reply, or the same result told again
                return
            self.take(held)
        self.held = new

    def take(self, one: Sample) -> None:
        if self.guards is not None:
            self.waiting.append(one)
            self.judge(one.at_us - _DECIDED_HOLDS * self.guards[0].witness.hold_us if self.guards else one.at_us)
            return
        witness = self.witness
        witness.feed(one)
        quality = self.quality
        if quality is None or witness.state == DOWN or one.weight not in (GOOD, LATE):
            return
        lone, self.lone = witness.lone - self.lone, witness.lone
        quality.note(one.at_us, lone, one.weight == LATE, one.slow)

    def judge(self, until_us: int) -> None:
        """Take what was sent so long ago that the signalling beside it has made up its mind about that time."""
        guards = [guard.witness.steps for guard in self.guards or ()]
        while self.waiting and self.waiting[0].at_us <= until_us:
            one = self.waiting.popleft()
            if not explained(one, guards):
                self.witness.feed(one)

    def close(self, to_us: int) -> None:
        if self.held is not None:
            self.take(self.held)
            self.held = None
        if self.waiting:
            self.judge(self.waiting[-1].at_us)
        self.witness.close(to_us)


class Fold:
    """Feed it results in folding order, then ask for intervals."""

    def __init__(self, topology: Topology, planes: Mapping[str, frozenset[str]] | None = None) -> None:
        self.topology = topology
        self._planes = planes
        self._timing = Timing(topology)
        self._series: dict[LeafKey, _Series] = {}
        self._beside: dict[
            tuple[str, str | None, str | None], tuple[dict[LeafKey, _Series], dict[LeafKey, _Series]]
        ] = {}
        self._keys: dict[tuple[str | None, ...], _Series | None] = {}
        self._closed: list[tuple[int, LeafKey, Step | FlagStep]] | None = None
        self.first_us: int | None = None
        self.last_us = 0

    def add(self, result: Result, at_us: int) -> None:
        """The next result; earlier ones must have been added before."""
        thing = result.address or result.target
        key = (result.probe, result.check, result.sbc, result.core, thing, result.account)
        try:
            series = self._keys[key]
        except KeyError:
            series = self._keys[key] = self._open(result)
        if series is None:
            return
        if self.first_us is None:
            self.first_us = at_us
        self.last_us = at_us
        if result.outcome == "ok" and result.reason is None and result.answered_by != "unknown":
            rtt = result.rtt_seconds
            slow = 0 if rtt is None or rtt <= 0.3 else 1 if rtt <= 0.5 else 2  # noqa: PLR2004  # as in samples.py
            series.feed(Sample(at_us, (result.boot, result.seq), GOOD, PLAIN, at_us, at_us, slow))
        else:
            series.feed(sample(result, at_us, self._timing.timeout_of(result.check, result.target)))

    def intervals(self, from_us: int, to_us: int) -> list[Interval]:
        """Every element's intervals of [from, to), adjacent ones of one state joined. Nothing can be added after."""
        if self._closed is None:
            for series in sorted(self._series.values(), key=lambda series: series.guards is not None):
                series.close(self.last_us + series.witness.hold_us + _LATEST_REPLY_US)
            self._closed = self._steps()
        steps = self._closed
        recorder = _Recorder(self._timing, from_us, to_us)
        shaky = recorder.run(self._graph(), steps, {})
        if shaky:  # an SBC had an outage: its edge is no witness about cores close to its ends
            recorder = _Recorder(self._timing, from_us, to_us)
            recorder.run(self._graph(), steps, shaky)
        return recorder.finish()

    def _open(self, result: Result) -> _Series | None:
        key = leaf_key(result)
        if key is None or not known(self.topology, key):
            return None
        if key in self._series:
            return self._series[key]
        every = self._timing.every_of(key.check, key.address)
        series = _Series(every * 5 // 2, every, quality=key.check in _QUALITY)
        self._series[key] = series
        self._guard(key, series)
        return series

    def _guard(self, key: LeafKey, series: _Series) -> None:
        """Link the slow planes of a probe's path with its signalling, by address where both have the same."""
        fast, slow = self._beside.setdefault((key.probe, key.sbc, key.core), ({}, {}))
        if key.check in GUARDED:
            slow[key] = series
        elif key.check == guardian(key.core):
            fast[key] = series
        for slow_key, one in slow.items():
            same = [guard for fast_key, guard in fast.items() if fast_key.address == slow_key.address]
            one.guards = same or list(fast.values())

    def _graph(self) -> Graph:
        graph = Graph(self.topology, self._planes)
        for key in sorted(self._series, key=str):
            graph.leaf(key)
        return graph

    def _steps(self) -> list[tuple[int, LeafKey, Step | FlagStep]]:
        found: list[tuple[int, LeafKey, Step | FlagStep]] = []
        for key in sorted(self._series, key=str):
            series = self._series[key]
            found += [(step.from_us, key, step) for step in series.witness.steps]
            if series.quality is not None:
                found += [(flag.from_us, key, flag) for flag in series.quality.steps]
        found.sort(key=lambda one: one[0])  # stable: a series' own steps stay in order
        return found


class _Recorder:
    """Replays steps through a graph and keeps what every element was."""

    def __init__(self, timing: Timing, from_us: int, to_us: int) -> None:
        self._timing = timing
        self._from, self._to = from_us, to_us
        self._open: dict[tuple[str, str], tuple[int, Value]] = {}
        self._done: list[Interval] = []
        self._shaky_us = 2 * timing.every_us["options"]

    def run(
        self,
        graph: Graph,
        steps: list[tuple[int, LeafKey, Step | FlagStep]],
        shaky: Mapping[str, list[tuple[int, int]]],
    ) -> dict[str, list[tuple[int, int]]]:
        """Apply every step; the spans around the SBCs' own outages come back."""
        for (kind, name, what), node in graph.elements.items():
            if what == VERDICT:
                self._open[kind, name] = (self._from, node.value)
        spans: dict[str, list[tuple[int, int]]] = {}
        trust = sorted((at, name, solid) for name, found in shaky.items() for at, solid in _edges(found))
        position = 0
        moments = sorted({step[0] for step in steps} | {one[0] for one in trust})
        turn = 0
        for moment in moments:
            while position < len(steps) and steps[position][0] == moment:
                _, key, step = steps[position]
                _apply(graph.leaves[key], step)
                graph.touch(graph.leaves[key])
                position += 1
            while turn < len(trust) and trust[turn][0] == moment:
                node = graph.elements["sbc", trust[turn][1], VERDICT]
                if isinstance(node, SbcNode):
                    graph.trust(node, solid=trust[turn][2])
                turn += 1
            for transition in graph.settle(moment, exact=True):
                kind, name, what = transition.element
                if what != VERDICT:
                    continue
                if kind == "sbc" and "down" in (transition.old.state, transition.new.state):
                    around = (moment - self._shaky_us, moment + self._shaky_us)
                    spans.setdefault(name, []).append(around)
                self._change(kind, name, moment, transition.new)
        return spans

    def _change(self, kind: str, name: str, at_us: int, value: Value) -> None:
        since, old = self._open[kind, name]
        if value.state == old.state:
            return
        self._close(kind, name, since, at_us, old)
        self._open[kind, name] = (at_us, value)

    def _close(self, kind: str, name: str, since: int, until: int, value: Value) -> None:
        begin, end = max(since, self._from), min(until, self._to)
        if begin < end:
            bound = self._bound(kind, name, value)
            self._done.append(Interval(kind, name, value.state, begin, end, value.reason, bound))

    def _bound(self, kind: str, name: str, value: Value) -> int:
        if value.state != DOWN:
            return 0
        if kind in _TARGET_CHECK:
            return self._timing.every_of(_TARGET_CHECK[kind], name)
        for tag, check in _PLANE_CHECK.items():
            if tag in value.tags:
                return self._timing.every_us[check]
        return self._timing.every_us["edge" if kind == "sbc" else "options"]

    def finish(self) -> list[Interval]:
        for (kind, name), (since, value) in self._open.items():
            self._close(kind, name, since, self._to, value)
        self._open.clear()
        return joined(self._done)


def _apply(leaf: Leaf, step: Step | FlagStep) -> None:
    if isinstance(step, Step):
        leaf.say(step.state, step.signature, step.from_us)
    else:
        leaf.flag(step.flags, step.from_us)


def _edges(spans: list[tuple[int, int]]) -> Iterable[tuple[int, bool]]:
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
