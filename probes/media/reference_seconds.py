"""Losses in plain Python: runs, RFC 3611 bursts, what a listener misses, and the stream second by second."""

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from probes.media.reference_delay import Delays, Sample, second_variation
from probes.media.reference_numbering import Arrival, Segment
from probes.media.rows import SECOND_DTYPE, SecondRows

GMIN = 16  # RFC 3611 section 4.7.2
BURST = 1  # flag of a second


@dataclass
class Losses:
    """Runs of consecutive losses, and RFC 3611 bursts: losses with fewer than Gmin received packets between them."""

    runs: int = 0
    longest: int = 0
    bursts: int = 0
    burst_packets: int = 0
    burst_lost: int = 0


def losses_of(segments: list[Segment]) -> Losses:
    """The losses of every numbering; no run goes over a restart."""
    result = Losses()
    for segment in segments:
        lost = [number for number, _ in segment.losses()]
        for run in grouped(lost, 1):
            result.runs += 1
            result.longest = max(result.longest, len(run))
        for cluster in grouped(lost, GMIN):
            if len(cluster) > 1:
                result.bursts += 1
                result.burst_packets += cluster[-1] - cluster[0] + 1
                result.burst_lost += len(cluster)
    return result


def impaired_runs(segments: list[Segment], discarded: list[Sample]) -> int:
    """Runs of consecutive numbers that nobody heard: lost, or discarded by the buffer."""
    count = 0
    for index, segment in enumerate(segments):
        thrown = {s.arrival.number for s in discarded if s.arrival.segment == index}
        count += len(grouped(sorted(thrown | {number for number, _ in segment.losses()}), 1))
    return count


def grouped(numbers: list[int], apart: int) -> list[list[int]]:
    """Sorted numbers in groups whose neighbours differ by at most `apart`."""
    groups: list[list[int]] = []
    for number in numbers:
        if groups and number - groups[-1][-1] <= apart:
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups


def _burst_seconds(segments: list[Segment]) -> list[tuple[int, int]]:
    """Of each burst the seconds in which its first and its last lost packet were first expected."""
    found: list[tuple[int, int]] = []
    for segment in segments:
        expected = dict(segment.losses())
        clusters = [cluster for cluster in grouped(list(expected), GMIN) if len(cluster) > 1]
        found.extend((expected[cluster[0]], expected[cluster[-1]]) for cluster in clusters)
    return found


def second_rows(
    arrivals: list[Arrival], segments: list[Segment], delays: Delays, discarded: list[Sample]
) -> SecondRows:
    """The seconds of a stream that have packets or losses, oldest first."""
    packets = Counter(arrival.second for arrival in arrivals)
    lost = Counter(second for segment in segments for _, second in segment.losses())
    thrown = Counter(sample.second for sample in discarded)
    jitters: dict[int, list[float]] = {}
    for second, value in delays.jitters:
        jitters.setdefault(second, []).append(value)
    variations = second_variation(delays.stretches)
    bursts = _burst_seconds(segments)
    seconds = sorted(packets.keys() | lost.keys())
    rows = np.zeros(len(seconds), dtype=SECOND_DTYPE)
    for row, second in zip(rows, seconds, strict=True):
        own = jitters.get(second)
        row["second"], row["packets"] = second, packets[second]
        row["lost"], row["discarded"] = lost[second], thrown[second]
        row["jitter_mean"] = math.fsum(own) / len(own) if own else math.nan
        row["jitter_max"] = max(own) if own else math.nan
        row["pdv_max"] = variations.get(second, math.nan)
        row["flags"] = BURST if any(min(ends) <= second <= max(ends) for ends in bursts) else 0
    return rows
