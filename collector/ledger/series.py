"""One series of the ledger, sample by sample in order of `at`: its witness, its quality, what still waits.

Most samples are good, plain and in time, and change nothing but the instant of the last one. While a series is *calm*
that is all they cost; a run of thousands of them is swallowed whole.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from collector.verdicts.guard import explained
from collector.verdicts.quality import KEPT_US, FlagStep, Quality
from collector.verdicts.samples import GOOD, LATE, PLAIN, Sample, Signature
from collector.verdicts.witness import DOWN, UP, Step, Witness, pack_sample, packed, unpack_sample, unpacked

_STEPS_KEPT_US = 600_000_000  # what signalling said lately, for the slow planes that still wait for it


class Series:
    """Feed it in order of `at`; read `witness.steps` and `quality.steps` after `close`."""

    __slots__ = (
        "_boot",
        "_calm",
        "_held",
        "_later",
        "_limit_us",
        "_lone",
        "_p_us",
        "_seq",
        "_slow",
        "_why",
        "guards",
        "quality",
        "waiting",
        "witness",
    )

    def __init__(self, every_us: int, *, quality: bool) -> None:
        self.witness = Witness(every_us * 5 // 2)  # docs/verdicts.md §1
        self.quality = Quality(every_us) if quality else None
        self.guards: list[Series] | None = None  # of a slow plane: the signalling of the same probe and path
        self.waiting: deque[Sample] = deque()  # of a slow plane: what the signalling may yet explain
        self._held: Sample | None = None  # the newest, in case a later result supersedes it
        self._lone = 0
        self._calm = False  # up, nothing pending; the newest sample is held in the five below
        self._p_us, self._boot, self._seq, self._slow, self._why = 0, "", 0, 0, PLAIN
        self._limit_us = 0  # up to which gap the next sample leaves it calm
        self._later: list[
            tuple[int, Callable[[], Sequence[int]]]
        ] = []  # good samples still to be counted: end, instants

    # -- samples ---------------------------------------------------------------------------------------------------

    def good(self, at_us: int, boot: str, seq: int, slow: int, why: Signature) -> None:
        """A good sample."""
        if self._calm:
            if 0 < at_us - self._p_us <= self._limit_us and why is self._why:
                if self.quality is not None:
                    self.quality.note(self._p_us, 0, 0, self._slow)
                self._p_us, self._boot, self._seq, self._slow = at_us, boot, seq, slow
                return
            self._excite()
        self.feed(Sample(at_us, (boot, seq), GOOD, why, at_us, at_us, slow))

    def feed(self, new: Sample) -> None:
        """Any sample."""
        if self._calm:
            self._excite()
        held = self._held
        if held is not None:
            if held.at_us == new.at_us:
                if held.order < new.order:
                    self._held = new  # a late reply, or the same result told again
                return
            self._take(held)
        self._held = new
        self._rest(new)

    def swallow(
        self, first_us: int, last: tuple[int, str, int], why: Signature, instants: Callable[[], Sequence[int]]
    ) -> bool:
        """A run of good samples, none slow, no gap beyond the hold; false when they must come one by one."""
        quality = self.quality
        if (
            not self._calm
            or self._slow
            or why is not self._why
            or not 0 < first_us - self._p_us <= self.witness.hold_us
        ):
            return False
        if quality is not None:
            if not quality.spotless:
                return False
            pending, last_us = self._p_us, last[0]
            later = [one for one in self._later if one[0] >= last_us - KEPT_US]
            if pending >= last_us - KEPT_US:
                later.append((pending, lambda: (pending,)))
            later.append((last_us, lambda: instants()[:-1]))
            self._later, self._limit_us = later, 0
        self._p_us, self._boot, self._seq = last
        return True

    # -- calm --------------------------------------------------------------------------------------------------------

    def _rest(self, held: Sample) -> None:
        """Becomes calm where the sample that is held can change nothing."""
        witness = self.witness
        if held.weight != GOOD or self.guards is not None or held.signature is not witness.signature:
            return
        if witness.quiet and witness.state == UP and held.at_us - (witness.last_us or 0) <= witness.hold_us:
            self._calm, self._held, self._why = True, None, held.signature
            self._p_us, (self._boot, self._seq), self._slow = held.at_us, held.order, held.slow
            self._limit_us = witness.hold_us

    def _excite(self) -> None:
        """Back to the machine: the sample held is one as any other."""
        self._count_later()
        self._calm = False
        self.witness.last_us = self._p_us  # or the one before it: no gap either way
        self._held = Sample(self._p_us, (self._boot, self._seq), GOOD, self._why, self._p_us, self._p_us, self._slow)

    def _count_later(self) -> None:
        if not self._later:
            return
        later, self._later = self._later, []
        from_us = self._p_us - KEPT_US
        for end_us, instants in later:
            if end_us < from_us or self.quality is None:
                continue
            found = instants()
            for at_us in found[bisect_left(found, from_us) :]:
                self.quality.note(at_us, 0, 0, 0)

    # -- the machine -------------------------------------------------------------------------------------------------

    def _take(self, one: Sample) -> None:
        if self.guards is not None:
            self.waiting.append(one)
            self._judge(one.at_us - self._undecided_us(), one.at_us)
            return
        witness = self.witness
        witness.feed(one)
        quality = self.quality
        if quality is None or witness.state == DOWN or one.weight not in (GOOD, LATE):
            return
        lone, self._lone = witness.lone - self._lone, witness.lone
        quality.note(one.at_us, lone, one.weight == LATE, one.slow)

    def _undecided_us(self) -> int:
        """For how long what the signalling says of an instant may still change."""
        return max((guard.witness.reach_us + guard.witness.hold_us for guard in self.guards or ()), default=0)

    def _judge(self, until_us: int, now_us: int) -> None:
        """Take what was sent so long ago that the signalling beside it has made up its mind about that time."""
        if not self.waiting or self.waiting[0].at_us > until_us:
            return
        guards = self.guards or ()
        for guard in guards:
            guard.settle(now_us)
        steps = [guard.witness.steps for guard in guards]
        while self.waiting and self.waiting[0].at_us <= until_us:
            one = self.waiting.popleft()
            if not explained(one, steps):
                self.witness.feed(one)

    def settle(self, now_us: int) -> None:
        """Everything sent before `now_us` was fed: nothing is held back, silence is heard."""
        if self._calm and self._p_us < now_us:
            self._excite()
        if self._held is not None and self._held.at_us < now_us:
            self._take(self._held)
            self._held = None
        if not self._calm and self._held is None:
            self.witness.pass_time(min(now_us, self.waiting[0].at_us) if self.waiting else now_us)

    def close(self, to_us: int) -> None:
        """Nothing more comes."""
        if self._calm:
            self._excite()
        if self._held is not None:
            self._take(self._held)
            self._held = None
        if self.waiting:
            self._judge(self.waiting[-1].at_us, to_us)
        self.witness.close(to_us)

    # -- other settings, and what is kept between two folds ----------------------------------------------------------

    def retime(self, at_us: int, every_us: int) -> None:
        """Samples come at another interval from here on."""
        self.settle(at_us)
        if self.waiting:
            self._judge(self.waiting[-1].at_us, at_us)
        self.witness.retime(at_us, every_us * 5 // 2)
        if self.quality is not None:
            self.quality.retime(every_us)

    def pack(self, at_us: int) -> list[Any]:
        """What is known at an instant, everything earlier fed."""
        self.settle(at_us)
        if self.guards is not None:
            self._judge(at_us - self._undecided_us(), at_us)
        steps = self.witness.steps
        first = max(0, bisect_right(steps, at_us - _STEPS_KEPT_US, key=lambda step: step.from_us) - 1)
        return [
            self.witness.pack(at_us),
            self.witness.lone - self._lone,
            None if self.quality is None else self.quality.pack(at_us),
            [pack_sample(one) for one in self.waiting],
            [[step.from_us, step.state, packed(step.signature)] for step in steps[first:]],
        ]

    @classmethod
    def unpack(cls, every_us: int, kept: Sequence[Any]) -> "Series":
        """The series that `pack` described."""
        witness, lone, quality, waiting, steps = kept
        series = cls(every_us, quality=quality is not None)
        series.witness = Witness.unpack(series.witness.hold_us, witness)
        series.witness.lone = lone
        if series.quality is not None:
            series.quality.unpack(quality)
        series.waiting.extend(one for one in map(unpack_sample, waiting) if one is not None)
        series.witness.steps += [Step(from_us, state, unpacked(why)) for from_us, state, why in steps]
        return series


__all__ = ["FlagStep", "Series"]
