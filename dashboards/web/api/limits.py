"""How much one caller may ask: a bucket of requests each, and few of what is heavy at a time."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from dashboards.web.refusal import Refused, overloaded
from sereno.clock import Clock

BURST = 600.0  # requests at once
PER_SECOND = 60.0  # and from then on: no dashboard of people or programs comes near
HEAVY_AT_ONCE = 2  # of one caller; more are told to wait their turn
_MOST_KNOWN = 10_000  # callers remembered
_LIGHT_THREADS, _HEAVY_THREADS = 3, 1
_MOST_LIGHT, _MOST_HEAVY = 48, 6  # under way and waiting
_Found = TypeVar("_Found")


class Buckets:
    """One bucket of requests a caller; the one who asked longest ago is forgotten first."""

    def __init__(self, clock: Clock, burst: float = BURST, per_second: float = PER_SECOND) -> None:
        self._clock, self._burst, self._rate = clock, burst, per_second
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # key → (left, at)

    def take(self, key: str) -> None:
        """One request; 429 when there is none left, and after how long there is."""
        now = self._clock.monotonic()
        left, at = self._left.pop(key, (self._burst, now))
        left = min(self._burst, left + max(0.0, now - at) * self._rate)
        if left < 1:
            self._left[key] = left, now
            seconds = max(1, round((1 - left) / self._rate + 0.5))
            raise Refused(429, f"too many requests: {self._rate:.0f} a second are served", retry_after=str(seconds))
        self._left[key] = left - 1, now
        while len(self._left) > _MOST_KNOWN:
            self._left.popitem(last=False)


class Workers:
    """Threads of the API's own, so that what programs ask never stands before what people look at."""

    def __init__(self) -> None:
        self._light = ThreadPoolExecutor(_LIGHT_THREADS, thread_name_prefix="api")
        self._heavy = ThreadPoolExecutor(_HEAVY_THREADS, thread_name_prefix="api-heavy")
        self._busy = {False: 0, True: 0}
        self._of_caller: dict[str, int] = {}

    async def run(self, work: Callable[[], _Found], *, heavy: bool = False) -> _Found:
        """What the work gives; 503 when too much waits already."""
        if self._busy[heavy] >= (_MOST_HEAVY if heavy else _MOST_LIGHT):
            raise overloaded("too many requests at once")
        self._busy[heavy] += 1
        try:
            pool = self._heavy if heavy else self._light
            return await asyncio.get_running_loop().run_in_executor(pool, work)
        finally:
            self._busy[heavy] -= 1

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[None]:
        """A heavy request of one caller; 429 when it has too many under way."""
        if self._of_caller.get(key, 0) >= HEAVY_AT_ONCE:
            raise Refused(429, f"{HEAVY_AT_ONCE} such requests at a time; wait for one", retry_after="2")
        self._of_caller[key] = self._of_caller.get(key, 0) + 1
        try:
            yield
        finally:
            self._of_caller[key] -= 1
            if not self._of_caller[key]:
                del self._of_caller[key]

    def close(self) -> None:
        self._light.shutdown(wait=False, cancel_futures=True)
        self._heavy.shutdown(wait=False, cancel_futures=True)
