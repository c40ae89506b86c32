"""Paths that fall again and again, each time for too short to be told: together they are an intermittence (alarm 14).

Failures inside a confirmed outage are the outage's, so that shares of failures never show it.
"""

from collections import deque

from collector.verdicts.votes import Value
from sereno.clock import SECOND_US

WINDOW_US = 10 * 60 * SECOND_US
TIMES = 3


class Flaps:
    """`changed` for every verdict of a path; `ended` when time has passed."""

    def __init__(self) -> None:
        self._falls: dict[str, deque[int]] = {}
        self.now: set[str] = set()  # the paths that flap

    def changed(self, name: str, old: Value, new: Value, now_us: int) -> bool:
        """A path's verdict changed; true when that makes it flap."""
        if new.state != "down" or not old.alive:
            return False
        falls = self._falls.setdefault(name, deque(maxlen=TIMES))
        falls.append(now_us)
        if name in self.now or len(falls) < TIMES or falls[0] < now_us - WINDOW_US:
            return False
        self.now.add(name)
        return True

    def ended(self, now_us: int) -> list[str]:
        """Paths that have not fallen for ten minutes."""
        found = sorted(name for name in self.now if self._falls[name][-1] <= now_us - WINDOW_US)
        self.now.difference_update(found)
        return found

    @property
    def due_us(self) -> int | None:
        """When one of them may have ended."""
        return min(self._falls[name][-1] + WINDOW_US for name in self.now) if self.now else None
