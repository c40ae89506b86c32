"""Paths that fall again and again, each time for too short to be told: together they are an intermittence (alarm 14).

Failures inside a confirmed outage are the outage's, so that shares of failures never show it. A fall during which the
path's SBC or core was down too is theirs, and makes no path intermittent.
"""

from collections import deque

from collector.verdicts.votes import Value
from sereno.clock import SECOND_US

WINDOW_US = 10 * 60 * SECOND_US
TIMES = 3
_FOR_EVER = 2**62


class Flaps:
    """`changed` for every verdict of a path, `larger` of its SBC or core; `ended` when time has passed."""

    def __init__(self) -> None:
        self._falls: dict[str, deque[int]] = {}
        self._fell: dict[str, int] = {}  # paths that are down, and since when
        self._down_until: dict[str, int] = {}  # SBCs and cores that were down, and until when
        self.now: set[str] = set()  # the paths that flap

    def larger(self, name: str, *, down: bool, now_us: int) -> None:
        """An SBC or a core went down, or is not down any more."""
        if down or name in self._down_until:
            self._down_until[name] = _FOR_EVER if down else min(self._down_until[name], now_us)

    def changed(self, name: str, old: Value, new: Value, now_us: int) -> bool:
        """A path's verdict changed; true when that makes it flap: with its third fall of its own that is over."""
        if new.state == "down" and old.alive:
            self._fell[name] = now_us
        if new.state == "down" or not new.alive or name not in self._fell:
            return False
        fell_us = self._fell.pop(name)
        if any(self._down_until.get(one, -1) >= fell_us for one in name.split("/")):
            return False
        falls = self._falls.setdefault(name, deque(maxlen=TIMES))
        falls.append(fell_us)
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
