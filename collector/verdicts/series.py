"""One live series: its samples of the last while in order of `at`, whatever order they came in.

Older samples that arrive after newer ones (a spool is sent newest first) are put where they belong and the witness
is run again over the window; what is older than the window cannot change what is said now: it is the ledger's.
"""

from bisect import bisect_left

from collector.verdicts.guard import explained, state_at
from collector.verdicts.nodes import Leaf
from collector.verdicts.quality import Quality
from collector.verdicts.samples import FAIL, GOOD, LATE, Sample, Signature
from collector.verdicts.witness import DOWN, NO_DATA, Step, Witness

_WINDOW = 24  # samples; an outage's confirming pair is the last two, the rest is room for a spool's disorder
_SLACK_US = 60_000_000
_STEPS = 32  # past opinions kept for the slow planes of the same path


class Series:
    """The live opinion of one (probe, check, SBC, core, address, account)."""

    __slots__ = (
        "_base",
        "_every_us",
        "_lone",
        "_now",
        "_quality",
        "_samples",
        "_told",
        "arrived_us",
        "guarded",
        "guards",
        "hold_us",
        "last",
        "leaf",
        "silent",
        "timeout_us",
    )

    def __init__(self, leaf: Leaf, hold_us: int, every_us: int, timeout_us: int, *, quality: bool) -> None:
        self.leaf, self.hold_us, self.timeout_us, self._every_us = leaf, hold_us, timeout_us, every_us
        self._base, self._now = Witness(hold_us), Witness(hold_us)
        leaf.seen_us = 0
        self._samples: list[Sample] = []
        self._quality = Quality(every_us) if quality else None
        self._lone = 0
        self._told: tuple[Signature | None, int, str] = (None, 0, "")  # what the leaf was told last
        self.guards: list[Series] = []  # of a slow plane: the signalling of the same probe and path
        self.guarded: list[Series] = []  # of signalling: the slow planes beside it
        self.arrived_us = 0
        self.silent = True
        self.last: Sample | None = None

    @property
    def due_us(self) -> int:
        """When silence makes it unknown."""
        return self.arrived_us + self.hold_us

    def feed(self, sample: Sample, arrived_us: int) -> bool:
        """True when the leaf now says something else."""
        self.arrived_us = max(self.arrived_us, arrived_us)
        samples = self._samples
        if not self.guards and (not samples or sample.at_us > samples[-1].at_us):
            samples.append(sample)
            self._now.feed(sample)
            self._count(sample)
            if len(samples) > _WINDOW:
                self._base.feed(samples.pop(0))
        elif not self._insert(sample):
            return False
        self.last = samples[-1]
        if sample.weight > FAIL and sample.at_us > (self.leaf.seen_us or 0):
            self.leaf.seen_us = sample.at_us
        if samples[-1].at_us < arrived_us - self.hold_us - _SLACK_US:
            return False  # a spool from long ago says nothing about now
        return self._tell()

    def expire(self, now_us: int) -> bool:
        """Nothing has come for too long; true when that changes what is said."""
        if self.silent or now_us < self.due_us:
            return False
        self.silent = True
        if self.leaf.value.state == "unknown":
            return False
        last = self.last.at_us + self._every_us * 5 // 2 if self.last is not None else now_us
        self.leaf.say("unknown", NO_DATA, max(self.leaf.value.since_us, last))
        return True

    def _insert(self, sample: Sample) -> bool:
        samples = self._samples
        told_late = False
        index = bisect_left(samples, sample.at_us, key=lambda one: one.at_us)
        if index < len(samples) and samples[index].at_us == sample.at_us:
            if samples[index].order >= sample.order:
                return False  # seen already, or superseded before it came
            told_late = sample.weight == LATE and samples[index].weight == FAIL
            samples[index] = sample
        elif (index == 0 and len(samples) >= _WINDOW) or (
            index == 0 and self._base.expires_us is not None and sample.at_us <= self._base.expires_us - self.hold_us
        ):
            return False
        else:
            samples.insert(index, sample)
        if len(samples) > _WINDOW:
            oldest = samples.pop(0)
            if not self._explained(oldest):
                self._base.feed(oldest)
        self._run()
        if told_late and self._quality is not None:
            step = state_at(self.steps, sample.at_us)
            if step is None or step.state != DOWN:  # what a thawed element answers belongs to its outage
                self._quality.note(sample.at_us, 0, 1, 0)
        return True

    def again(self) -> bool:
        """The signalling beside it said something else; true when that changes what is said here."""
        if not self._samples or self.silent:
            return False
        self._run()
        return self._tell()

    def _run(self) -> None:
        self._now = self._base.copy()
        self._now.steps = self._base.steps[-_STEPS:]
        for one in self._samples:
            if not self._explained(one):
                self._now.feed(one)
        self._lone = self._now.lone

    def _explained(self, one: Sample) -> bool:
        return bool(self.guards) and explained(one, [guard.steps for guard in self.guards])

    @property
    def steps(self) -> list[Step]:
        """What it has said lately, by `at`."""
        return self._now.steps

    def _count(self, sample: Sample) -> None:
        if self._quality is None or self._now.state == DOWN:
            return
        lone, self._lone = max(0, self._now.lone - self._lone), self._now.lone
        if sample.weight in (GOOD, LATE):
            self._quality.note(sample.at_us, lone, sample.weight == LATE, sample.slow)

    def _tell(self) -> bool:
        leaf, now = self.leaf, self._now
        told = self._told
        flags = self._quality.flags if self._quality is not None else leaf.flags
        if (
            not self.silent
            and now.since_us == told[1]
            and now.signature is told[0]
            and now.state == told[2]
            and flags == leaf.flags
        ):
            return False  # most of all samples
        self._told = now.signature, now.since_us, now.state
        before = leaf.opinion()
        self.silent = False
        for kept in (now.steps, self._base.steps):
            if len(kept) > 2 * _STEPS:
                del kept[:-_STEPS]
        leaf.say(now.state, now.signature, now.since_us)
        if self._quality is not None and self._quality.flags != leaf.flags:
            leaf.flag(self._quality.flags, self._quality.steps[-1].from_us)
            del self._quality.steps[:]
        return leaf.opinion() != before
