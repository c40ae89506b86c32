"""One series of samples, one opinion: the confirm and hold machine of docs/verdicts.md §1–§2.

Fed in order of `at`; what it says changes by *steps*, each from an instant that may lie before the sample that
decided it (an outage begins at its first failed sample). The ledger and the live engine use the same machine; they
differ only in the hold and in who puts the samples in order.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from msgspec.structs import astuple

from collector.verdicts.samples import FAIL, GOOD, LATE, LATE_SIGNATURE, PLAIN, VOID, Sample, Signature, signature
from sereno.clock import SECOND_US

UP, DOWN, UNKNOWN = "up", "down", "unknown"
NO_DATA = signature("no_data")
_WORSE = frozenset({"late", "degraded"})  # up, and yet not well: degraded has a beginning of its own
LATEST_REPLY_US = 40 * SECOND_US  # a probe listens for late replies for 32 s (64·T1, RFC 3261 §17.1.1.2)


class Step(NamedTuple):
    """From `from_us` on, the witness says `state`."""

    from_us: int
    state: str
    signature: Signature


class Witness:
    """Confirm 2 down, 2 up; hold; a lone failure followed by silence is unknown from that failure."""

    __slots__ = (
        "_fail",
        "_flavour",
        "_from",
        "_good",
        "_last",
        "_replies",
        "_reply_last",
        "hold_us",
        "lone",
        "signature",
        "since_us",
        "state",
        "steps",
    )

    def __init__(self, hold_us: int) -> None:
        self.hold_us = hold_us
        self.state = UNKNOWN
        self.signature = NO_DATA
        self.since_us = 0  # since when `state` holds
        self.steps: list[Step] = []
        self._from = 0
        self.lone = 0  # failures so far that were no outage: what intermittence is made of
        self._last: int | None = None
        self._fail: Sample | None = None  # an unconfirmed failure
        self._good: Sample | None = None  # while down: an unconfirmed success
        self._flavour: Sample | None = None  # an unconfirmed change of reason within the same state
        self._replies: list[int] = []  # late replies still to come, by arrival
        self._reply_last = -1

    def copy(self) -> "Witness":
        """The same machine, without its past steps."""
        twin = Witness(self.hold_us)
        for name in (
            "state",
            "signature",
            "since_us",
            "_from",
            "lone",
            "_last",
            "_fail",
            "_good",
            "_flavour",
            "_reply_last",
        ):
            setattr(twin, name, getattr(self, name))
        twin._replies = list(self._replies)
        return twin

    @property
    def reach_us(self) -> int:
        """How long before the newest sample a step may begin at most."""
        return self.hold_us + LATEST_REPLY_US

    @property
    def expires_us(self) -> int | None:
        """When what it says stops holding, if nothing more comes."""
        return None if self._last is None else self._last + self.hold_us

    def feed(self, sample: Sample) -> None:
        """Take the next sample by `at`."""
        if self._replies:
            self._deliver(sample.at_us)
        last = self._last
        if last is not None and sample.at_us - last > self.hold_us:
            self._expire(last + self.hold_us)
        self._last = sample.at_us
        weight = sample.weight
        if weight == GOOD:
            self._success(sample)
        elif weight == VOID:
            self._void(sample)
        else:
            if weight == LATE:
                self._replies.append(sample.reply_us)
                self._replies.sort()
            self._failure(sample)

    def close(self, to_us: int) -> None:
        """Nothing more comes before `to_us`: late replies land, holds run out, a lone failure stays unproved."""
        self._deliver(to_us)
        last = self._last
        if last is None:
            return
        if self._fail is not None and self._fail.weight == FAIL and self.state != DOWN:
            self._expire(min(to_us, last + self.hold_us))
        elif to_us > last + self.hold_us:
            self._expire(last + self.hold_us)

    @property
    def quiet(self) -> bool:
        """Nothing is pending: another sample like those before changes only when the last one was."""
        return self._fail is None and self._good is None and self._flavour is None and not self._replies

    @property
    def last_us(self) -> int | None:
        """When the newest sample was sent."""
        return self._last

    @last_us.setter
    def last_us(self, at_us: int) -> None:
        self._last = at_us

    def pass_time(self, to_us: int) -> None:
        """No sample lies between the last one and `to_us`: what feeding a later one would do first."""
        self._deliver(to_us)
        if self._last is not None and to_us - self._last > self.hold_us:
            self._expire(self._last + self.hold_us)

    def retime(self, at_us: int, hold_us: int) -> None:
        """From here on samples come at another interval; what was said speaks on, for as long as the new ones do."""
        self.pass_time(at_us)
        self.hold_us = hold_us
        if self._last is not None and self.state != UNKNOWN:
            self._last = max(self._last, at_us)

    # -- kept between two folds ------------------------------------------------------------------------------------

    def pack(self, at_us: int) -> list[Any]:
        """What the machine knows at an instant, all earlier samples fed; `lone` is kept by who counts it."""
        floor = at_us - self.reach_us
        return [
            self.state,
            packed(self.signature),
            max(self._from, floor),
            self._last,
            pack_sample(self._fail),
            pack_sample(self._good),
            pack_sample(self._flavour),
            list(self._replies),
            max(self._reply_last, floor),
        ]

    @classmethod
    def unpack(cls, hold_us: int, kept: Sequence[Any]) -> "Witness":
        """The machine that `pack` described."""
        witness = cls(hold_us)
        state, why, from_us, witness._last, fail, good, flavour, replies, reply_last = kept
        witness.state, witness.signature, witness._from = str(state), unpacked(why), int(from_us)
        witness._fail, witness._good = unpack_sample(fail), unpack_sample(good)
        witness._flavour = unpack_sample(flavour)
        witness._replies, witness._reply_last = list(replies), int(reply_last)
        return witness

    # -- samples ---------------------------------------------------------------------------------------------------

    def _success(self, sample: Sample) -> None:
        if self.state == UP:
            if self._fail is not None:
                self._settle(self._fail)
                self._fail = None
            self._flavoured(sample)
        elif self.state == UNKNOWN:
            self._fail = None
            self._step(sample.at_us, UP, sample.signature)
        elif self._good is not None:
            self._step(self._good.at_us, UP, sample.signature)
        else:
            self._good = sample

    def _failure(self, sample: Sample) -> None:
        if self.state == DOWN:
            if sample.weight == FAIL:
                self._good = None
                self._flavoured(sample)
            return
        first = self._fail
        if first is None or self._answered(first.at_us, sample.settled_us):
            if first is not None:
                self._settle(first)
            if self.state == UNKNOWN and sample.weight == LATE:
                self._step(sample.at_us, UP, LATE_SIGNATURE)  # from unknown, the first success counts from its own time
            self._fail = sample
        else:
            # Two failures with no reply, even late, since the first was sent (docs/verdicts.md §2).
            confirming = sample if sample.weight == FAIL or first.weight == LATE else first
            why = confirming.signature if confirming.weight == FAIL else signature("timeout", "visible")
            self._step(first.at_us, DOWN, why)

    def _void(self, sample: Sample) -> None:
        if self._fail is not None and self._fail.weight == FAIL and self.state == UP:
            self._step(self._fail.at_us, UNKNOWN, sample.signature)
        elif self.state != UNKNOWN or self.signature is not sample.signature:
            self._step(sample.at_us, UNKNOWN, sample.signature)
        self._fail = None

    # -- the passing of time -----------------------------------------------------------------------------------------

    def _deliver(self, until_us: int) -> None:
        """Late replies that arrived by `until_us`: while down, each is a success at its arrival.

        It never rewrites a confirmed outage: a thawed core answers everything that queued up while it was frozen.
        """
        while self._replies and self._replies[0] <= until_us:
            arrived = self._replies.pop(0)
            self._reply_last = max(self._reply_last, arrived)
            if self.state == DOWN and self._last is not None and arrived - self._last <= self.hold_us:
                self._success(Sample(arrived, ("", 0), GOOD, PLAIN, arrived, arrived))

    def _answered(self, from_us: int, to_us: int) -> bool:
        if from_us <= self._reply_last <= to_us:
            return True
        return any(from_us <= arrived <= to_us for arrived in self._replies)

    def _expire(self, at_us: int) -> None:
        first = self._fail
        if first is not None and first.weight == FAIL and self.state == UP:
            self._step(first.at_us, UNKNOWN, NO_DATA)
        elif self.state != UNKNOWN or self.signature is not NO_DATA:  # what was invalid holds no longer than the rest
            self._step(at_us, UNKNOWN, NO_DATA)
        self._fail = self._good = self._flavour = None

    # -- changes -------------------------------------------------------------------------------------------------------

    def _settle(self, sample: Sample) -> None:
        """A pending failure turned out not to be an outage."""
        if sample.weight == LATE:
            self._flavoured(sample)
        else:
            self.lone += 1

    def _flavoured(self, sample: Sample) -> None:
        """The same state for another reason (late, another code): it too takes two in a row."""
        new = sample.signature
        if new is self.signature:
            self._flavour = None
        elif self._flavour is not None and self._flavour.signature is new:
            self._step(self._flavour.at_us, self.state, new)
        else:
            self._flavour = sample

    def _step(self, from_us: int, state: str, why: Signature) -> None:
        from_us = self._from = max(from_us, self._from, (self._last or 0) - self.reach_us)
        turned = _WORSE.isdisjoint(why.tags) != _WORSE.isdisjoint(self.signature.tags)
        if state != self.state or (state == UP and turned):
            self.since_us = from_us
        self.state, self.signature = state, why
        self._fail = self._good = self._flavour = None
        self.steps.append(Step(from_us, state, why))


def packed(why: Signature) -> list[Any]:
    """A signature in plain values."""
    return [why.reason, sorted(why.tags)]


def unpacked(kept: Sequence[Any]) -> Signature:
    """The one signature of these values."""
    return signature(kept[0], *kept[1])


def pack_sample(one: Sample | None) -> list[Any] | None:
    if one is None:
        return None
    at_us, order, weight, why, reply_us, settled_us, slow = astuple(one)
    return [at_us, order, weight, packed(why), reply_us, settled_us, slow]


def unpack_sample(kept: Sequence[Any] | None) -> Sample | None:
    if kept is None:
        return None
    at_us, order, weight, why, reply_us, settled_us, slow = kept
    return Sample(at_us, (order[0], order[1]), weight, unpacked(why), reply_us, settled_us, slow)


__all__ = ["DOWN", "LATEST_REPLY_US", "NO_DATA", "PLAIN", "UNKNOWN", "UP", "Step", "Witness"]
