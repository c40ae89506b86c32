"""When time alone will change an alarm: a heap, so that a storm of a thousand alarms costs no more than its news."""

import heapq
from collections.abc import Iterable, Mapping

from alerting import machine
from alerting.causes import Key
from alerting.machine import AlarmState
from sereno.alarms import Alarms


class Dues:
    """The due times of the alarms; entries that no longer hold are dropped when they come up."""

    def __init__(self, alarms: Alarms, states: Mapping[Key, AlarmState]) -> None:
        self._alarms, self._states = alarms.alarms, states
        self._damping = alarms.flapping
        self._heap: list[tuple[int, Key]] = []

    def restart(self, states: Mapping[Key, AlarmState]) -> None:
        self._states, self._heap = states, []
        self.note(states.values())

    def note(self, states: Iterable[AlarmState]) -> None:
        """These are new, or not as they were."""
        for state in states:
            due = machine.due_us(self._alarms[state.alarm], state, self._damping)
            if due is not None:
                heapq.heappush(self._heap, (due, state.key))

    def first_us(self) -> int | None:
        """The first instant at which an alarm changes by itself."""
        while self._heap:
            due, key = self._heap[0]
            state = self._states.get(key)
            if state is not None and machine.due_us(self._alarms[key[0]], state, self._damping) == due:
                return due
            heapq.heappop(self._heap)
        return None

    def take(self, now_us: int) -> list[Key]:
        """The alarms that are due by now, each once, in the order they fell due."""
        found: dict[Key, None] = {}
        while (due := self.first_us()) is not None and due <= now_us:
            found[heapq.heappop(self._heap)[1]] = None
        return list(found)
