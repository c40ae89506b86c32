"""How well this process keeps time itself: checks fired late, moments in which it did not run at all. Pure.

A probe that was stopped, starved of CPU or paused with its machine cannot testify that nobody answered meanwhile: it
did not send its retransmissions and was not there to listen.
"""

from bisect import bisect_left
from collections import deque

from probes.cadence import Counts
from sereno.wire import Lateness

BEAT_SECONDS = 0.2
STALL_SECONDS = 0.1  # a beat later than this is a stall; less is what a busy machine does
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
_RECENT = 20_000
_STALLS = 1_000


class Pulse:
    """One per process. Instants are monotonic seconds, given by whoever has a clock."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.stalled_seconds = 0.0
        self._buckets = [0] * (len(BOUNDS) + 1)
        self._sum = 0.0
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._stalls: deque[tuple[float, float, float]] = deque(maxlen=_STALLS)
        self._last: float | None = None

    # -- checks ------------------------------------------------------------------------------------------------------

    def fired(self, late_seconds: float) -> None:
        """A check began so long after its turn."""
        late = max(0.0, late_seconds)
        self._buckets[bisect_left(BOUNDS, late)] += 1
        self._sum += late
        self._recent.append(late)

    def lateness(self) -> Lateness:
        """Counts since the process began; percentiles since the last call."""
        recent = sorted(self._recent)
        self._recent.clear()
        return Lateness(
            bounds=BOUNDS,
            counts=tuple(self._buckets),
            sum_seconds=round(self._sum, 6),
            p50_seconds=_percentile(recent, 0.50),
            p99_seconds=_percentile(recent, 0.99),
            max_seconds=_percentile(recent, 1.0),
        )

    # -- the process -------------------------------------------------------------------------------------------------

    def beat(self, now: float, slept_seconds: float = 0.0) -> None:
        """Called every BEAT_SECONDS; `slept_seconds`: the machine was suspended for so long since the last beat."""
        last, self._last = self._last, now
        if last is None:
            return
        lost = self._late(last, now) + max(0.0, slept_seconds)
        if lost >= STALL_SECONDS:
            self._stalls.append((min(last + BEAT_SECONDS, now), now, lost))
            self.stalled_seconds += lost

    def lost(self, since: float, until: float) -> float:
        """For how many of these seconds the process did not run (a beat that is overdue at `until` counts)."""
        total = 0.0
        for began, ended, lost in self._stalls:
            if began <= until and since <= ended:
                asleep = lost - (ended - began)  # suspended: no monotonic time went by
                total += max(0.0, min(ended, until) - max(began, since)) + max(0.0, asleep)
        if self._last is not None and self._late(self._last, until) >= STALL_SECONDS:
            total += max(0.0, until - max(self._last + BEAT_SECONDS, since))
        return total

    @staticmethod
    def _late(last: float, now: float) -> float:
        return max(0.0, now - last - BEAT_SECONDS)


def _percentile(ordered: list[float], part: float) -> float | None:
    """The nearest-rank percentile; None of nothing."""
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, max(0, round(part * len(ordered) + 0.499999) - 1))], 6)
