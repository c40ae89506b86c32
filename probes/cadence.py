"""What is due when: a fixed cadence per target by monotonic deadlines, without drift; pure, no clock of its own."""

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

import msgspec

K = TypeVar("K", bound=Hashable)


class Counts(msgspec.Struct):
    """`overruns`: skipped because the target's last check still ran. `missed`: this process came too late."""

    fired: int = 0
    extras: int = 0
    overruns: int = 0
    missed: int = 0


class Cadence(Generic[K]):
    """Targets by key; each is due at `start + (phase + n) × every`, for ever, whatever happens in between.

    A target never overlaps with itself: what falls due while it runs is skipped and counted. A stalled process does
    not fire a burst afterwards: the deadlines it slept through are counted as missed, one check goes.
    """

    def __init__(self, start: float, counts: Counts | None = None) -> None:
        self._start = start
        self._every: dict[K, tuple[float, float]] = {}
        self._next: dict[K, int] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._order: dict[K, int] = {}
        self._running: dict[K, bool] = {}
        self._due: dict[K, float] = {}
        self._added = 0
        self.counts = counts if counts is not None else Counts()

    def add(self, key: K, *, every: float, phase: float, now: float | None = None) -> None:
        """Schedule a target; `phase` is a part of its interval, 0 ≤ phase < 1. No turn before `now` is due."""
        if key in self._every:
            raise ValueError(f"scheduled twice: {key}")
        if every <= 0 or not 0 <= phase < 1:
            raise ValueError(f"no cadence: every {every}, phase {phase}")
        self._every[key] = (every, phase)
        self._order[key] = self._added
        self._added += 1
        turn = 0 if now is None else max(0, int((now - self._start) / every - phase))
        while now is not None and self.at(key, turn) < now:
            turn += 1
        self._next[key] = turn
        self._push(key)

    def remove(self, key: K) -> None:
        """Never due again; a check of it that runs still comes back."""
        for kept in (self._every, self._order, self._next):
            del kept[key]
        self._due.pop(key, None)
        self._heap = [entry for entry in self._heap if entry[2] != key]
        heapq.heapify(self._heap)

    def at(self, key: K, turn: int) -> float:
        """When the target's n-th turn is due: by multiplication, so that errors never add up."""
        every, phase = self._every[key]
        return self._start + (turn + phase) * every

    def first(self, key: K) -> float:
        """When the target is due next."""
        return self.at(key, self._next[key])

    @property
    def next_due(self) -> float | None:
        return self._heap[0][0] if self._heap else None

    def running(self, key: K) -> bool:
        return key in self._running

    def due(self, now: float) -> list[K]:
        """Targets to start now, in order of their deadlines; they run until `finished`."""
        started = []
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            turn = self._next[key] + 1
            every, _ = self._every[key]
            behind = max(0, int((now - self.at(key, turn)) / every)) if self.at(key, turn) <= now else 0
            turn += behind
            while self.at(key, turn) <= now:
                turn, behind = turn + 1, behind + 1
            self._next[key] = turn
            self._push(key)
            self.counts.missed += behind
            if key not in self._running:
                self._begin(key, extra=False)
                self._due[key] = due
                started.append(key)
            elif not self._running[key]:
                self.counts.overruns += 1
        return started

    def was_due(self, key: K) -> float | None:
        """When the check that runs now should have begun; None for one out of turn."""
        return self._due.get(key)

    def out_of_turn(self, key: K) -> bool:
        """Start the target once more, out of turn; its cadence is untouched. False if it runs already."""
        if key in self._running:
            return False
        self._begin(key, extra=True)
        self.counts.extras += 1
        return True

    def finished(self, key: K) -> None:
        """The target's check came back."""
        del self._running[key]
        self._due.pop(key, None)

    def _begin(self, key: K, *, extra: bool) -> None:
        self._running[key] = extra
        self.counts.fired += 1

    def _push(self, key: K) -> None:
        heapq.heappush(self._heap, (self.at(key, self._next[key]), self._order[key], key))
