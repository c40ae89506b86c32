"""What a bad network does to a flow of packets: its words, and its dice, seeded so that every run is the same. Pure.

The words are `key=value` with commas between:

loss=5%          so many packets never arrive, each by its own throw
burst=3          they go in runs of so many on average (Gilbert's two states); without it each loss stands alone
jitter=30ms      every packet waits its own time, evenly from 0 to three times as long, so that the interarrival jitter
                 of RFC 3550 section 6.4.1 comes to about so much; packets that thereby overtake others are reordered
delay=80ms       every packet waits so much more
duplicate=2%     so many arrive twice, the second right behind the first
reorder=2%       so many are held back until the next one has passed
direction=rx     only what comes to the probe; tx: only what goes from it; both is what is meant without it
seed=7           other dice; 1 without it
"""

import random
import re
from dataclasses import dataclass
from typing import Literal

from sereno.clock import parse_duration
from sereno.errors import UsageError

Direction = Literal["rx", "tx"]
DIRECTIONS: tuple[Direction, ...] = ("rx", "tx")
KEYS = "loss=N% burst=N jitter=Nms delay=Nms duplicate=N% reorder=N% direction=rx|tx|both seed=N"
_LONGEST_US = 10_000_000
_LONGEST_BURST = 1000
_LARGEST_SEED = 2**63
_NUMBER = re.compile(r"[0-9]{1,19}(\.[0-9]{1,9})?", re.ASCII)
_JITTER_SPAN = 3  # two times evenly from [0, w] differ by w/3 on average: that is what RFC 3550 section 6.4.1 averages


@dataclass(frozen=True, slots=True)
class Impairment:
    """What a flow suffers; nothing by default."""

    loss_percent: float = 0.0
    burst: float | None = None
    """Mean length of a run of losses; None: each packet's throw is its own."""
    jitter_us: int = 0
    delay_us: int = 0
    duplicate_percent: float = 0.0
    reorder_percent: float = 0.0
    direction: Literal["rx", "tx", "both"] = "both"
    """As seen from the probe."""
    seed: int = 1

    @property
    def text(self) -> str:
        """The canonical spelling: what is not as it would be without being said."""
        said = [f"{key}={_plain(value)}%" for key, value in self.shares() if value]
        if self.burst is not None:
            said.insert(1, f"burst={_plain(self.burst)}")
        said += [f"{key}={_plain(value / 1000)}ms" for key, value in self.times() if value]
        if self.direction != "both":
            said.append(f"direction={self.direction}")
        if self.seed != 1:
            said.append(f"seed={self.seed}")
        return ",".join(said)

    def meets(self, direction: Direction) -> bool:
        return self.direction in {direction, "both"}

    def shares(self) -> tuple[tuple[str, float], ...]:
        return (
            ("loss", self.loss_percent),
            ("duplicate", self.duplicate_percent),
            ("reorder", self.reorder_percent),
        )

    def times(self) -> tuple[tuple[str, int], ...]:
        return ("jitter", self.jitter_us), ("delay", self.delay_us)


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one packet."""

    lost: bool
    delay_us: int
    duplicated: bool
    held: bool
    """Back until the next one has passed."""


UNTOUCHED = Fate(lost=False, delay_us=0, duplicated=False, held=False)


class Dice:
    """The fates of one flow's packets in the order of their coming, the same for the same seed and name.

    Each key throws dice of its own, once a packet: `loss=5%` loses the same packets whatever else is asked for.
    """

    def __init__(self, impairment: Impairment, flow: str) -> None:
        self._suffered = impairment
        self._throws = {
            key: random.Random(f"{impairment.seed}/{flow}/{key}")  # noqa: S311  # must be the same again
            for key in ("loss", "jitter", "duplicate", "reorder")
        }
        self._losing = self._throws["loss"].random() < impairment.loss_percent / 100  # only bursts have a state

    def next(self) -> Fate:
        """The fate of the next packet."""
        suffered = self._suffered
        wait = self._throws["jitter"].random() * _JITTER_SPAN * suffered.jitter_us
        return Fate(
            lost=self._lost(),
            delay_us=suffered.delay_us + round(wait),
            duplicated=100 * self._throws["duplicate"].random() < suffered.duplicate_percent,
            held=100 * self._throws["reorder"].random() < suffered.reorder_percent,
        )

    def _lost(self) -> bool:
        throw = self._throws["loss"].random()
        if self._suffered.burst is None:
            return 100 * throw < self._suffered.loss_percent
        self._losing = throw < stay_or_begin(self._suffered.loss_percent, self._suffered.burst)[not self._losing]
        return self._losing


def stay_or_begin(loss_percent: float, burst: float) -> tuple[float, float]:
    """Gilbert's model: the chance that a run of losses goes on, and that one begins.

    A run lasts 1/(1 - stay) on average; begin·(1 - p) = p·(1 - stay) keeps the share of losses at p.
    """
    share = loss_percent / 100
    begin = 1.0 if share >= 1 else share / ((1 - share) * burst)
    return (1.0 if share >= 1 else 1 - 1 / burst), begin


def parse_impairment(what: str, words: str) -> Impairment:
    """The impairment that `words` describe; UsageError, which quotes `what`, names the first that is wrong."""
    found: dict[str, object] = {}
    for word in words.split(","):
        key, _, value = word.partition("=")
        name, read = _READERS.get(key, ("", None))
        if read is None:
            raise UsageError(f"lab: {what!r}: no such key {key!r}; keys are {KEYS}")
        if name in found:
            raise UsageError(f"lab: {what!r}: {key} is given twice")
        try:
            found[name] = read(value)
        except ValueError as error:
            raise UsageError(f"lab: {what!r}: {key}={value}: {error}") from None
    impairment = Impairment(**found)  # type: ignore[arg-type]  # each by its own reader
    _check_whole(what, impairment)
    return impairment


def _check_whole(what: str, impairment: Impairment) -> None:
    loss, burst = impairment.loss_percent, impairment.burst
    if burst is not None and not loss:
        raise UsageError(f"lab: {what!r}: burst is the length of runs of losses; write loss=N% too")
    if not any(value for _, value in (*impairment.shares(), *impairment.times())):
        raise UsageError(f"lab: {what!r} breaks nothing; write such as media:sbc-1:loss=5%,jitter=30ms")
    if burst is not None and stay_or_begin(loss, burst)[1] > 1:
        least = loss / (100 - loss)
        raise UsageError(f"lab: {what!r}: so much loss needs longer runs; write burst={least:.3g} or more")


def _percent(value: str) -> float:
    if not value.endswith("%") or _NUMBER.fullmatch(value[:-1]) is None or not 0 < float(value[:-1]) <= 100:  # noqa: PLR2004
        raise ValueError("write a share above 0% and up to 100%, such as 5%")
    return float(value[:-1])


def _time(value: str) -> int:
    try:
        time_us = parse_duration(value)
    except ValueError:
        time_us = 0
    if not 0 < time_us <= _LONGEST_US:
        raise ValueError("write a time above 0 and up to 10s, such as 30ms")
    return time_us


def _run(value: str) -> float:
    if _NUMBER.fullmatch(value) is None or not 1 <= float(value) <= _LONGEST_BURST:
        raise ValueError("write a mean length from 1 to 1000 packets, such as 3")
    return float(value)


def _seed(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 20 and int(value) < _LARGEST_SEED):  # noqa: PLR2004
        raise ValueError("write a whole number from 0, such as 7")
    return int(value)


def _direction(value: str) -> str:
    if value not in {"rx", "tx", "both"}:
        raise ValueError("write rx, tx or both, as seen from the probe")
    return value


_READERS = {
    "loss": ("loss_percent", _percent),
    "burst": ("burst", _run),
    "jitter": ("jitter_us", _time),
    "delay": ("delay_us", _time),
    "duplicate": ("duplicate_percent", _percent),
    "reorder": ("reorder_percent", _percent),
    "direction": ("direction", _direction),
    "seed": ("seed", _seed),
}


def _plain(value: float) -> str:
    """Without exponent and without zeros that say nothing."""
    return f"{value:.9f}".rstrip("0").rstrip(".")
