"""How long a replica has been behind, from where its log stood at earlier looks. Pure.

PostgreSQL tells by time only how old the last replayed transaction is: on an idle system that says nothing, and a
primary whose replica stands still shows the lag of before. Positions (LSN) do not lie: what was there at an earlier
look and is not replayed now has waited since then at least; and since the last look at which nothing more was there,
at most.
"""

from collections import deque

_MOST = 2_000  # looks; of a replica that is behind for longer, the oldest are what counts and stay


class Looks:
    """Where the log's end stood at each look, as long as it tells something."""

    def __init__(self) -> None:
        self._beyond: deque[tuple[float, int]] = deque()  # not replayed at the last look, oldest first
        self._within: float | None = None  # the newest look of which everything is replayed

    def look(self, now: float, end: int, replayed: int) -> tuple[float, float | None]:
        """Seconds behind, at least and at most; None: there is no look that could tell."""
        while self._beyond and self._beyond[0][1] <= replayed:
            self._within = self._beyond.popleft()[0]
        if end <= replayed:
            self._beyond.clear()
            self._within = now
            return 0.0, 0.0
        if len(self._beyond) < _MOST:
            self._beyond.append((now, end))
        return now - self._beyond[0][0], None if self._within is None else now - self._within
