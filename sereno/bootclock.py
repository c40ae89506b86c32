"""A clock for one boot: wall time read once, then monotonic time; a wall that steps means a new boot (of a process).

Intervals between results of one boot are true whatever NTP or an administrator does to the wall clock meanwhile.
"""

import secrets

from sereno.clock import SECOND_US, Clock

STEP_US = SECOND_US  # a step beyond this starts a new boot


class BootClock:
    """`now_us` = wall clock at boot + monotonic time elapsed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.boot = ""
        self.began_us = 0
        self._began = 0.0
        self.begin()

    def begin(self) -> int:
        """A new boot, with a new random name, from the wall clock as it is now; by how much that moves us (µs)."""
        step_us = self.behind_us() if self.boot else 0
        self.boot = secrets.token_hex(8)
        self.began_us, self._began = self._clock.now_us(), self._clock.monotonic()
        return step_us

    def now_us(self) -> int:
        return self.began_us + round((self._clock.monotonic() - self._began) * SECOND_US)

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def stepped(self) -> bool:
        """Whether the wall clock was set since the boot (or the machine slept: the monotonic clock did)."""
        return abs(self.behind_us()) > STEP_US

    def behind_us(self) -> int:
        """How far the wall clock is ahead of this one by now."""
        return self._clock.now_us() - self.now_us()
