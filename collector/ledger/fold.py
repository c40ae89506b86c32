"""Results to intervals of every element (docs/verdicts.md §1–§11).

Each series becomes a step function by its witness; the steps of all series, merged by time, drive the same graph of
rules as the live engine. So the intervals depend on what was measured, never on when or in which order it arrived.

A fold may be cut at an instant and taken up again later from what `checkpoint` gave: what it says from there on is,
to the byte, what one fold over everything says.
"""

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

import msgspec

from collector.ledger.recorder import Event, Interval, Part, Recorder, joined
from collector.ledger.series import Series
from collector.verdicts.guard import GUARDED, guardian
from collector.verdicts.samples import (
    CLEAR_SECONDS,
    PLAIN,
    SLOW_SECONDS,
    LeafKey,
    Timing,
    known,
    leaf_key,
    sample,
    signature,
)
from collector.verdicts.witness import LATEST_REPLY_US
from sereno.clock import SECOND_US
from sereno.errors import StoreError
from sereno.store.runs import Run
from sereno.topology.model import Topology
from sereno.wire import Result

FORMAT = 1  # of checkpoints, and of what the machines make of results: another one makes the kept ones useless
EXISTS_US = 60 * SECOND_US  # a series is taken to be measured so long before its first sample
NOT_PROVED = signature("not_proved", "not_proved")
_TRY_EACH = 64  # samples, until what came before a run no longer matters
_QUALITY = frozenset({"edge", "natural", "options"})

_Key = tuple[str | None, ...]  # cheaper to make than a LeafKey; two may be one series
_Beside = tuple[dict[LeafKey, Series], dict[LeafKey, Series]]


class Fold:
    """Feed it results in order of `at` (of each probe and element at least), then ask for intervals."""

    def __init__(self, topology: Topology, planes: Mapping[str, frozenset[str]] | None = None) -> None:
        self._parts = [Part(0, topology, planes, {})]
        self._timing = Timing(topology)
        self._series: dict[LeafKey, Series] = {}
        self._beside: dict[tuple[str, str | None, str | None], _Beside] = {}
        self._keys: dict[_Key, Series | None] = {}
        self._begin_us = 0  # where what was kept ends
        self._kept: Any = None
        self._cut: tuple[int, list[Any]] | None = None
        self._at_cut: list[Any] | None = None
        self._events: list[Event] | None = None
        self.last_us = 0

    @classmethod
    def resume(
        cls, topology: Topology, planes: Mapping[str, frozenset[str]] | None, at_us: int, checkpoint: bytes
    ) -> "Fold":
        """Goes on at `at_us` from the checkpoint of a fold that was cut there, under the same topology and planes."""
        fold = cls(topology, planes)
        try:
            kept_format, last_us, series, fold._kept = msgspec.msgpack.decode(checkpoint)
            if kept_format != FORMAT:
                raise StoreError(f"a checkpoint of the ledger in format {kept_format}; this version reads {FORMAT}")
            fold._begin_us, fold.last_us = at_us, last_us
            for key, kept in series:
                leaf = LeafKey(*key)
                fold._series[leaf] = Series.unpack(fold._timing.every_of(leaf.check, leaf.address), kept)
                fold._guard(leaf, fold._series[leaf])
            fold._recorder(at_us, at_us)  # here, where it can still be done without
        except (msgspec.DecodeError, ValueError, TypeError, LookupError) as error:
            raise StoreError(f"a checkpoint of the ledger that is none: {error}") from None
        return fold

    # -- feeding -----------------------------------------------------------------------------------------------------

    def add(self, result: Result, at_us: int) -> None:
        """The next result; earlier ones of its probe and element must have been added before."""
        thing = result.address or result.target
        key = (result.probe, result.check, result.sbc, result.core, thing, result.account)
        try:
            series = self._keys[key]
        except KeyError:
            series = self._keys[key] = self._open(result, at_us)
        if series is None:
            return
        self.last_us = max(self.last_us, at_us)
        if result.outcome == "ok" and result.reason is None:
            why = PLAIN if result.answered_by != "unknown" or result.check != "options" else NOT_PROVED
            series.good(at_us, result.boot, result.seq, slowness(result.rtt_seconds), why)
        else:
            series.feed(sample(result, at_us, self._timing.timeout_of(result.check, result.target)))

    def add_run(self, run: Run) -> None:
        """Good results of one series that say the same, nothing else of the series between them."""
        first = run.first
        thing = first.address or first.target
        key = (first.probe, first.check, first.sbc, first.core, thing, first.account)
        if key not in self._keys:
            self._keys[key] = self._open(first, run.from_us)
        series = self._keys[key]
        if series is None:
            return
        self.last_us = max(self.last_us, run.to_us)
        why = sample(first, run.from_us, 0).signature
        last = (run.to_us, run.boot, run.last_seq)
        calm = not run.slow and run.largest_gap_us <= series.witness.hold_us
        if calm and series.swallow(run.from_us, last, why, run.instants):
            return
        at, seqs, classes = run.open()
        for index, at_us in enumerate(at):
            series.good(at_us, run.boot, seqs[index], classes[index] if classes is not None else 0, why)
            if calm and index % _TRY_EACH == 1 and index + 2 < run.size:
                rest = at[index + 1 :]
                if series.swallow(rest[0], last, why, lambda rest=rest: rest):  # type: ignore[misc]  # bound at once
                    return

    def rewire(self, at_us: int, topology: Topology, planes: Mapping[str, frozenset[str]] | None) -> None:
        """Another topology, or other planes, from here on; everything sent earlier was added."""
        before, self._timing = self._timing, Timing(topology)
        for key, series in self._series.items():
            every_us = self._timing.every_of(key.check, key.address)
            if every_us != before.every_of(key.check, key.address):
                series.retime(at_us, every_us)
        self._parts.append(Part(at_us, topology, planes, {}))
        self._keys.clear()

    def cut(self, at_us: int) -> None:
        """Everything sent before `at_us` was added: from here a later fold will go on."""
        packed = [[list(key), series.pack(at_us)] for key, series in sorted(self._series.items(), key=_by_key)]
        self._cut = (at_us, [FORMAT, self.last_us, packed])

    # -- what it was -------------------------------------------------------------------------------------------------

    def intervals(self, from_us: int, to_us: int) -> list[Interval]:
        """Every element's intervals of [from, to), adjacent ones of one state joined. Nothing can be added after."""
        events = self._close()
        beyond = 2 * max(Timing(part.topology).every_us["options"] for part in self._parts)
        recorder = self._recorder(from_us, to_us)
        shaky = dict(recorder.spans)
        recorder.run(self._parts, events, shaky, self._begin_us, to_us)
        found = recorder.intervals()
        kept = recorder.pack(to_us, recorder.spans) if self._cut is not None else None
        recorder.run(self._parts, events, {}, to_us, to_us + beyond + 1)
        if recorder.spans:  # an SBC had an outage: its edge is no witness about cores close to its ends
            shaky = recorder.spans
            recorder = self._recorder(from_us, to_us)
            recorder.run(self._parts, events, shaky, self._begin_us, to_us)
            found = recorder.intervals()
            kept = recorder.pack(to_us, shaky) if self._cut is not None else None
        self._at_cut = kept
        return found

    def checkpoint(self) -> bytes:
        """What a later fold goes on from, after `intervals` up to the cut."""
        if self._cut is None or self._at_cut is None:
            raise ValueError("cut first, ask for the intervals up to there, then for the checkpoint")
        return msgspec.msgpack.encode([*self._cut[1], self._at_cut])

    # -- inside ------------------------------------------------------------------------------------------------------

    def _recorder(self, from_us: int, to_us: int) -> Recorder:
        if self._kept is None:
            return Recorder(self._parts[0], from_us, to_us)
        return Recorder.unpack(self._parts[0], self._kept, self._begin_us, from_us, to_us)

    def _open(self, result: Result, at_us: int) -> Series | None:
        """The series of a result, told at its first one under a topology; None when nobody asks about it."""
        key, part = leaf_key(result), self._parts[-1]
        if key is None or not known(part.topology, key):
            return None
        part.exists_us.setdefault(key, at_us - EXISTS_US)
        series = self._series.get(key)
        if series is None:
            series = Series(self._timing.every_of(key.check, key.address), quality=key.check in _QUALITY)
            self._series[key] = series
            self._guard(key, series)
        return series

    def _guard(self, key: LeafKey, series: Series) -> None:
        """Link the slow planes of a probe's path with its signalling, by address where both have the same."""
        fast, slow = self._beside.setdefault((key.probe, key.sbc, key.core), ({}, {}))
        if key.check in GUARDED:
            slow[key] = series
        elif key.check == guardian(key.core):
            fast[key] = series
        for slow_key, one in slow.items():
            same = [guard for fast_key, guard in fast.items() if fast_key.address == slow_key.address]
            one.guards = same or list(fast.values())

    def _close(self) -> list[Event]:
        if self._events is None:
            ordered = sorted(self._series.items(), key=_by_key)
            for _, series in sorted(ordered, key=lambda one: one[1].guards is not None):
                series.close(self.last_us + series.witness.hold_us + LATEST_REPLY_US)
            self._events = []
            for key, series in ordered:
                steps = series.witness.steps
                first = bisect_left(steps, self._begin_us, key=lambda step: step.from_us)
                self._events += [Event(step.from_us, key, step) for step in steps[first:]]
                if series.quality is not None:
                    flags = [flag for flag in series.quality.steps if flag.from_us >= self._begin_us]
                    self._events += [Event(flag.from_us, key, flag) for flag in flags]
        return self._events


def slowness(rtt_seconds: float | None) -> int:
    """The class of a round trip: 1 above 300 ms, 2 above 500 ms."""
    if rtt_seconds is None or rtt_seconds <= CLEAR_SECONDS:
        return 0
    return 1 if rtt_seconds <= SLOW_SECONDS else 2


def _by_key(one: tuple[LeafKey, Series]) -> str:
    return str(one[0])


__all__ = ["Fold", "Interval", "joined"]
