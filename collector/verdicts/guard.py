"""Failures of registrations and calls that the signalling of the same path already explains.

While OPTIONS through a path get no good answer, registrations and calls through it fail too: one fault, told once, by
the plane that is sampled every second. Without this the slow planes would keep a path down for the two intervals they
need to come back, long after it works. What fails while signalling is well (a core without its database, a call
without audio) is the slow plane's own.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from collector.verdicts.samples import FAIL, LeafKey, Sample
from collector.verdicts.witness import DOWN, NO_DATA, UNKNOWN, Step

if TYPE_CHECKING:
    from collector.verdicts.series import Series

GUARDED = frozenset({"register", "call"})
_UNANSWERED = frozenset({"timeout", "transport", "dns", "no_answer"})


def guardian(core: str | None) -> str:
    """The signalling check beside a slow one: forced to the same core, or natural."""
    return "options" if core is not None else "natural"


def link(beside: "tuple[dict[LeafKey, Series], dict[LeafKey, Series]]", key: LeafKey, series: "Series") -> None:
    """Links a new series of a probe's path with those beside it, by address where both have the same.

    `beside` is the signalling of that path, and its slow planes.
    """
    fast, slow = beside
    if key.check in GUARDED:
        slow[key] = series
    elif key.check == guardian(key.core):
        fast[key] = series
    for one in fast.values():
        one.guarded = []
    for slow_key, one in slow.items():
        same = [guard for fast_key, guard in fast.items() if fast_key.address == slow_key.address]
        one.guards = same or list(fast.values())
        for guard in one.guards:
            guard.guarded.append(one)


def explained(one: Sample, signalling: Iterable[Sequence[Step]]) -> bool:
    """Whether the signalling of the same probe and path was down when this failure was sent.

    `signalling` is the steps of each of its series. A failure without an answer is explained as well by signalling
    that the probe itself could not judge (its canaries were silent).
    """
    if one.weight != FAIL:
        return False
    states = [state_at(steps, one.at_us) for steps in signalling]
    spoken = [step for step in states if step is not None and step.signature is not NO_DATA]
    if not spoken:
        return False
    if all(step.state == DOWN for step in spoken):
        return True
    return one.signature.reason in _UNANSWERED and all(step.state in {DOWN, UNKNOWN} for step in spoken)


def state_at(steps: Sequence[Step], at_us: int) -> Step | None:
    """What a witness said of an instant, in hindsight; None before its first word."""
    index = bisect_right(steps, at_us, key=lambda step: step.from_us)
    return steps[index - 1] if index else None
