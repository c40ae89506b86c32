"""One timer of the event loop for any number of waits: most waits here end long before they are due."""

import asyncio
import heapq
from typing import Protocol


class Waiter(Protocol):
    """Whoever waits; `due_at` is when it wants to be woken, `number` tells it from all others."""

    number: int
    due_at: float | None

    def due(self) -> None:
        """The time has come."""


class Timers:
    """Wakes its waiters in the order in which they are due.

    A heap of (due, number): what was given up or put off stays in it until its time, and is then passed over.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []
        self._waiters: dict[int, Waiter] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next = float("inf")

    def __len__(self) -> int:
        return len(self._waiters)

    def at(self, due: float, waiter: Waiter) -> None:
        """Wake it then (seconds of the loop's clock), and no more at the time that was told before."""
        waiter.due_at = due
        self._waiters[waiter.number] = waiter
        heapq.heappush(self._heap, (due, waiter.number))
        if due < self._next:
            self._arm(due)

    def forget(self, waiter: Waiter) -> None:
        """It wants to be woken no more; idempotent."""
        waiter.due_at = None
        self._waiters.pop(waiter.number, None)

    def close(self) -> None:
        """Nobody is woken any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._heap.clear()
        self._waiters.clear()

    def _arm(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = due
        self._timer = asyncio.get_running_loop().call_at(due, self._ring)

    def _ring(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer, self._next = None, float("inf")
        now = loop.time()
        while self._heap and (self._heap[0][0] <= now or not self._wanted(*self._heap[0])):
            due, number = heapq.heappop(self._heap)
            if not self._wanted(due, number):
                continue
            waiter = self._waiters[number]
            self.forget(waiter)
            try:
                waiter.due()
            except Exception as error:  # noqa: BLE001 - told as asyncio tells it; the others are still woken
                loop.call_exception_handler({"message": f"a timer of {waiter!r} failed", "exception": error})
        if self._heap and self._heap[0][0] < self._next:
            self._arm(self._heap[0][0])

    def _wanted(self, due: float, number: int) -> bool:
        waiter = self._waiters.get(number)
        return waiter is not None and waiter.due_at == due
