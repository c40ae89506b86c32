"""Delay and its variation in plain Python: jitter, relative transit, PDV, clock drift and simulated de-jitter buffers.

Each is computed from the whole list of a stream's packets at the end. "Counted" are media packets with a known clock:
no events (RFC 4733), no comfort noise (RFC 3389), no strays. Times are double seconds.
"""

import math
from dataclasses import dataclass, field

from probes.media.payload import Kind
from probes.media.reference_numbering import Arrival, Place, signed

JUMP_SECONDS = 2.0  # a larger step of transit between packets in sequence is a jump of the timestamp
TALKSPURT_NS = 200_000_000  # a marker after this much silence begins a talkspurt
SLACK = 0.5e-6  # seconds: limits of buffers are passed by more than rounding
MIN_DRIFT_SECONDS = 10
SECONDS_A_MINUTE = 60


@dataclass
class Sample:
    """A counted packet that is no duplicate: its relative transit, and where it belongs."""

    arrival: Arrival
    second: int  # under way when it was counted
    transit: float

    @property
    def minute(self) -> int:
        return self.second // SECONDS_A_MINUTE


def counted(arrival: Arrival) -> bool:
    """Whether this packet counts for jitter and delay."""
    known = arrival.clock_rate and arrival.kind is Kind.MEDIA
    return bool(known) and arrival.place not in {Place.STRAY, Place.FORMER}


@dataclass
class Delays:
    """What the counted packets of a stream tell, taken in arrival order."""

    jitter: float = 0.0
    jitters: list[tuple[int, float]] = field(default_factory=list)  # second, J; without markers
    stretches: list[list[Sample]] = field(default_factory=list)
    jumps: int = 0
    _transit: float = 0.0  # of the packet before
    _highest: float = 0.0  # of the last one that moved the highest number
    _before: Arrival | None = None

    def take(self, second: int, arrival: Arrival) -> int | None:
        """RFC 3550 A.8 in double precision, and transit summed from the same differences.

        J takes duplicates and late packets, as A.8 does, and markers too, which count for neither its mean nor its
        maximum. A restart or another clock breaks the chain. Where the timestamp jumps from one packet that moved the
        highest number to the next, transit starts anew, and J does not; then it returns the units jumped.
        """
        units = self._chained(second, arrival)
        is_highest = arrival.place is Place.HIGHEST
        jumped = units is not None and is_highest and abs(self._transit - self._highest) > JUMP_SECONDS
        self.jumps += jumped
        if units is None or jumped:
            self.stretches.append([])
            self._transit = self._highest = 0.0
        if is_highest:
            self._highest = self._transit
        if arrival.place is not Place.DUPLICATE and arrival.fits:
            self.stretches[-1].append(Sample(arrival, second, self._transit))
        self._before = arrival
        return units if jumped else None

    def _chained(self, second: int, arrival: Arrival) -> int | None:
        """Jitter and transit with the packet before; the units between them, None where there is no such packet."""
        before = self._before
        if not before or (before.segment, before.era) != (arrival.segment, arrival.era):
            return None
        units = signed(arrival.timestamp - before.timestamp)
        difference = (arrival.time_ns - before.time_ns) * 1e-9 - units / arrival.clock_rate
        self._transit += difference
        self.jitter += (abs(difference) - self.jitter) / 16
        if not arrival.marker:
            self.jitters.append((second, self.jitter))
        return units


def variation(stretches: list[list[Sample]]) -> list[tuple[Sample, float]]:
    """PDV (RFC 5481 section 4.2) of each packet: its transit over the lowest of its own minute and stretch.

    By the minute, so that clocks that drift for hours do not pose as delay variation.
    """
    result: list[tuple[Sample, float]] = []
    for stretch in stretches:
        lowest: dict[int, float] = {}
        for sample in stretch:
            lowest[sample.minute] = min(lowest.get(sample.minute, math.inf), sample.transit)
        result.extend((sample, sample.transit - lowest[sample.minute]) for sample in stretch)
    return result


def second_variation(stretches: list[list[Sample]]) -> dict[int, float]:
    """The highest PDV of each second, over the lowest transit of the minute until that second's end."""
    result: dict[int, float] = {}
    for stretch in stretches:
        lowest: dict[int, float] = {}
        highest: dict[int, float] = {}
        minima: dict[int, float] = {}
        for sample in stretch:
            lowest[sample.minute] = min(lowest.get(sample.minute, math.inf), sample.transit)
            minima[sample.second] = lowest[sample.minute]
            highest[sample.second] = max(highest.get(sample.second, -math.inf), sample.transit)
        for second, value in highest.items():
            result[second] = max(result.get(second, 0.0), value - minima[second])
    return result


def percentile(values: list[float], percent: int) -> float:
    """Nearest rank: the smallest value that at least `percent` of all are not above; NaN of none."""
    if not values:
        return math.nan
    return sorted(values)[-(-percent * len(values) // 100) - 1]


def drift_ppm(stretches: list[list[Sample]]) -> float:
    """How much slower the sender's clock runs than the capturer's: the slope of the lowest transit of each second.

    Least squares over the last stretch; the lowest, because queues only ever add. NaN under ten seconds with packets.
    """
    lowest: dict[int, float] = {}
    for sample in stretches[-1] if stretches else []:
        lowest[sample.second] = min(lowest.get(sample.second, math.inf), sample.transit)
    if len(lowest) < MIN_DRIFT_SECONDS:
        return math.nan
    mean_t = math.fsum(lowest) / len(lowest)
    mean_x = math.fsum(lowest.values()) / len(lowest)
    covariance = math.fsum((t - mean_t) * (x - mean_x) for t, x in lowest.items())
    return covariance / math.fsum((t - mean_t) ** 2 for t in lowest) * 1e6


@dataclass
class Buffer:
    """What a simulated de-jitter buffer threw away (RFC 7002)."""

    late: list[Sample] = field(default_factory=list)
    early: list[Sample] = field(default_factory=list)
    offsets: list[float] = field(default_factory=list)  # adaptive: the playout offset after each packet


def fixed_buffer(stretches: list[list[Sample]], delay: float, size: float) -> Buffer:
    """The first packet of a stretch or talkspurt is played `delay` after it came; all others at its distance."""
    result = Buffer()
    for stretch in stretches:
        anchor = 0.0  # transit where the stretch begins, which may be at a duplicate
        for sample in stretch:
            if sample.arrival.marker and sample.arrival.idle_ns >= TALKSPURT_NS:
                anchor = sample.transit
            waits = delay - (sample.transit - anchor)
            if waits < -SLACK:
                result.late.append(sample)
            elif waits > size + SLACK:
                result.early.append(sample)
    return result


def adaptive_buffer(stretches: list[list[Sample]]) -> Buffer:
    """A buffer whose delay follows the network: it jumps up when a packet came too late and shrinks 1 ms a packet."""
    result = Buffer()
    for stretch in stretches:
        _adaptive_stretch(stretch, result)
    return result


def _adaptive_stretch(stretch: list[Sample], result: Buffer) -> None:
    """The offset is over `low`; when that moves, the point of playout stays where it was."""
    low = minute_low = 0.0
    delay = deviation = 0.0
    offset = 0.040
    minute = stretch[0].minute if stretch else 0
    for sample in stretch:
        transit = sample.transit
        if sample.minute != minute:
            minute = sample.minute
            offset -= minute_low - low
            low, minute_low = minute_low, math.inf
        minute_low = min(minute_low, transit)
        if transit < low:
            offset += low - transit
            low = transit
        over = transit - low
        delay += (over - delay) / 64
        deviation += (abs(over - delay) - deviation) / 64
        target = min(max(delay + 4 * deviation, 0.020), 0.200)
        if over > offset + SLACK:
            result.late.append(sample)
            offset = max(offset, target)
        elif offset - over > 0.500 + SLACK:
            result.early.append(sample)
        if offset > target:
            offset = max(target, offset - 0.001)
        result.offsets.append(offset)
