"""How far the collector's clock is from this probe's: NTP's four timestamps over MQTT, pure (RFC 5905, section 8).

t1 is a status's own `at`, t2 when the collector took it in, t3 when its answer left, t4 when that came here. The offset
is ((t2 - t1) + (t3 - t4)) / 2, wrong by half of the round trip at most. Of the last answers the one with the shortest
round trip counts (RFC 5905, section 10: the clock filter), because queues on the way only lengthen it.
"""

from collections import deque
from typing import NamedTuple

from sereno.clock import SECOND_US, parse_instant
from sereno.wire import Echo

_KEPT = 8
ROUGH_SECONDS = 0.05
_DRIFT_RATIO = 200e-6  # how fast two clocks part at worst that nobody keeps: crystals are within 100 ppm
_DRIFT_SECONDS = 0.05  # what two clocks that are kept may part while a sample is fresh
_BURST = 4
FRESH_SECONDS = 120.0  # older answers say nothing of now: then the offset is unknown


class Sample(NamedTuple):
    """Seconds that the collector's clock is ahead, right within `error_seconds`; when it came (monotonic)."""

    offset_seconds: float
    error_seconds: float
    at: float


def _agree(before: Sample, after: Sample) -> bool:
    """Whether both can be true of clocks that nobody set in between; else only the newer one can be true now."""
    apart = abs(after.offset_seconds - before.offset_seconds)
    return apart <= before.error_seconds + after.error_seconds + _DRIFT_SECONDS


class Offset:
    """Fed with statuses sent and echoes heard."""

    def __init__(self) -> None:
        self._asked: dict[str, None] = {}
        self._samples: deque[Sample] = deque(maxlen=_KEPT)

    def asked(self, at: str) -> None:
        """A status with this `at` leaves now."""
        self._asked[at] = None
        while len(self._asked) > _KEPT:
            del self._asked[next(iter(self._asked))]

    def heard(self, echo: Echo, now_us: int, now: float) -> bool:
        """An answer came; False for one to a question of another time, or that cannot be read."""
        if echo.at not in self._asked:
            return False  # retained from before, or said twice
        del self._asked[echo.at]
        try:
            t1, t2, t3 = parse_instant(echo.at), parse_instant(echo.received), parse_instant(echo.sent)
        except ValueError:
            return False
        trip_us = (now_us - t1) - (t3 - t2)
        if trip_us < 0 or t3 < t2:
            return False  # a clock was set while it was on its way
        offset = ((t2 - t1) + (t3 - now_us)) / 2
        sample = Sample(offset / SECOND_US, trip_us / 2 / SECOND_US, now)
        agreeing = [before for before in self._samples if _agree(before, sample)]
        self._samples = deque([*agreeing, sample], maxlen=_KEPT)
        return True

    def stepped(self, step_us: int) -> None:
        """Our own clock was set by so much: what was measured moves along, what is on its way says nothing any more."""
        self._asked.clear()
        moved = [
            sample._replace(offset_seconds=sample.offset_seconds - step_us / SECOND_US) for sample in self._samples
        ]
        self._samples = deque(moved, maxlen=_KEPT)

    def best(self, now: float) -> Sample | None:
        """The most exact of the fresh samples; None: unknown."""
        fresh = [sample for sample in self._samples if now - sample.at <= FRESH_SECONDS]
        return min(fresh, key=lambda sample: (sample.error_seconds, -sample.at), default=None)

    def _aged(self, now: float) -> Sample | None:
        """What is left of the newest answer while no collector is there: our own steps are known all the same."""
        if not self._samples:
            return None
        last = self._samples[-1]
        return last._replace(error_seconds=last.error_seconds + (now - last.at) * _DRIFT_RATIO)

    def rough(self, now: float) -> bool:
        """Whether the offset is unknown, or not exact yet for want of answers: then the next is asked for at once."""
        best = self.best(now)
        return best is None or (best.error_seconds > ROUGH_SECONDS and len(self._samples) < _BURST)

    def beyond(self, limit_seconds: float, now: float) -> float | None:
        """The offset, if it is certainly beyond the limit; None where it is not, or not known to be."""
        best = self.best(now) or self._aged(now)
        if best is None or abs(best.offset_seconds) - best.error_seconds <= limit_seconds:
            return None
        return best.offset_seconds
