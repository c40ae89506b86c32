"""How well a series answers while it is not down: intermittence and slowness, over sliding windows by `at`.

Counted in buckets of 10 s, judged when a bucket ends; failures inside a confirmed outage are the outage's, not
intermittence.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import astuple

from sereno.clock import SECOND_US

BUCKET_US = 10 * SECOND_US
_INTERMITTENT_ON, _INTERMITTENT_OFF = 0.05, 0.01  # over 5 and 10 minutes (docs/verdicts.md §2, alarm 14)
_LATE_ON, _LATE_OFF = 0.20, 0.05  # over 2 minutes (alarm 15)
_P95 = 0.05
_WINDOW_SLOW, _WINDOW_ON, _WINDOW_OFF = 12, 30, 60  # buckets
_MIN_INTERMITTENT, _MIN_SLOW = 100, 60
KEPT_US = (_WINDOW_OFF + 2) * BUCKET_US  # what is older changes nothing
NONE: frozenset[str] = frozenset()


class FlagStep(NamedTuple):
    """From `from_us` on, these flags hold."""

    from_us: int
    flags: frozenset[str]


class _Bucket(msgspec.Struct, frozen=True, gc=False):
    number: int
    total: int
    lone: int
    late: int
    slow: int
    slowish: int


class Quality:
    """Counts of one series; `steps` are the changes of its flags."""

    __slots__ = ("_bad", "_buckets", "_counts", "_index", "_min_lone", "_min_slow", "flags", "steps")

    def __init__(self, every_us: int) -> None:
        self.retime(every_us)
        self._buckets: deque[_Bucket] = deque()
        self._bad = 0  # anything but good in the buckets kept
        self._index = -1
        self._counts = [0, 0, 0, 0, 0]
        self.flags = NONE
        self.steps: list[FlagStep] = []

    def retime(self, every_us: int) -> None:
        """From here on samples come at another interval."""
        expected = max(1, 30 * BUCKET_US // every_us)  # in five minutes
        self._min_lone = min(_MIN_INTERMITTENT, max(4, expected // 2))
        self._min_slow = min(_MIN_SLOW, max(4, expected // 5))

    @property
    def spotless(self) -> bool:
        """Nothing but good samples in all that is kept: more of them change no flag."""
        return not self._bad and not self.flags and not any(self._counts[1:])

    def pack(self, at_us: int) -> list[Any]:
        """What is counted at an instant, all earlier samples noted; what is too old to count is left out."""
        first = at_us // BUCKET_US - _WINDOW_OFF
        kept = [list(astuple(bucket)) for bucket in self._buckets if bucket.number >= first]
        counts = self._counts if self._index >= first else [0, 0, 0, 0, 0]
        return [sorted(self.flags), kept, self._index if any(counts) else -1, list(counts)]

    def unpack(self, kept: Sequence[Any]) -> None:
        """Goes on from what `pack` described."""
        flags, buckets, index, counts = kept
        self.flags = frozenset(flags)
        self._buckets = deque(_Bucket(*bucket) for bucket in buckets)
        self._bad = sum(bucket.lone + bucket.late + bucket.slowish for bucket in self._buckets)
        self._index, self._counts = index, list(counts)

    def note(self, at_us: int, lone: int, late: int, slow: int) -> None:
        """One sample that was not part of an outage; `lone` failures were settled by it."""
        index = at_us // BUCKET_US
        if index != self._index:
            self.roll(index)
        counts = self._counts
        counts[0] += 1 + lone
        if lone or late or slow:
            counts[1] += lone
            counts[2] += late
            counts[3] += slow > 1
            counts[4] += slow > 0

    def roll(self, index: int) -> None:
        """A new bucket begins: judge what has ended."""
        if index < self._index:
            return
        counts = self._counts
        if counts[0]:
            bucket = _Bucket(self._index, *counts)
            self._buckets.append(bucket)
            self._bad += counts[1] + counts[2] + counts[4]
            self._counts = [0, 0, 0, 0, 0]
        while self._buckets and self._buckets[0].number < index - _WINDOW_OFF:
            gone = self._buckets.popleft()
            self._bad -= gone.lone + gone.late + gone.slowish
        self._index = index
        if self._bad or self.flags:
            self._judge(index)

    def _judge(self, index: int) -> None:
        flags = set()
        if self._intermittent(index):
            flags.add("intermittent")
        if self._slow(index):
            flags.add("options_slow")
        if flags != self.flags:
            self.flags = frozenset(flags)
            self.steps.append(FlagStep(index * BUCKET_US, self.flags))

    def _window(self, index: int, buckets: int) -> tuple[int, int, int, int, int]:
        total = lone = late = slow = slowish = 0
        for bucket in reversed(self._buckets):
            if bucket.number < index - buckets:
                break
            total += bucket.total
            lone += bucket.lone
            late += bucket.late
            slow += bucket.slow
            slowish += bucket.slowish
        return total, lone, late, slow, slowish

    def _intermittent(self, index: int) -> bool:
        if "intermittent" in self.flags:
            total, lone, *_ = self._window(index, _WINDOW_OFF)
            return total > 0 and lone / total >= _INTERMITTENT_OFF
        total, lone, *_ = self._window(index, _WINDOW_ON)
        return total >= self._min_lone and lone > 1 and lone / total >= _INTERMITTENT_ON

    def _slow(self, index: int) -> bool:
        total, _, late, slow, slowish = self._window(index, _WINDOW_SLOW)
        if "options_slow" in self.flags:
            return total > 0 and (late / total >= _LATE_OFF or slowish / total >= _P95)
        return total >= self._min_slow and (late / total >= _LATE_ON or slow / total >= _P95)
