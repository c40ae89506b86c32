"""Live streams by the address that they go to: one address cannot take them all."""

import weakref
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

MOST_OF_ADDRESS = 400  # a wall of screens behind one address has them, a flood does not


class Seats:
    """How many each address has."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    def free(self, address: str) -> bool:
        return self._taken[address] < MOST_OF_ADDRESS

    def seated(self, address: str, events: AsyncGenerator[Any]) -> AsyncGenerator[Any]:
        """The events; the seat is taken now and left at their end, or when nobody ever listened."""
        seat = _Seat(self._taken, address)
        watched = _listened(seat, events)
        weakref.finalize(watched, seat.leave)
        return watched


class _Seat:
    def __init__(self, taken: Counter[str], address: str) -> None:
        self._taken, self._address, self._left = taken, address, False
        taken[address] += 1

    def leave(self) -> None:
        """Once, however often it is said."""
        if self._left:
            return
        self._left = True
        self._taken[self._address] -= 1
        if self._taken[self._address] <= 0:
            del self._taken[self._address]


async def _listened(seat: _Seat, events: AsyncGenerator[Any]) -> AsyncGenerator[Any]:
    try:
        async with aclosing(events):
            async for event in events:
                yield event
    finally:
        seat.leave()
