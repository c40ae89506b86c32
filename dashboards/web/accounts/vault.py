"""Passwords are hashed one after the other, in a thread that yields to all else: a storm of logins stays here."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TypeVar

from starlette.exceptions import HTTPException

from sereno.accounts import passwords

MOST_WAITING = 8  # 80 ms each; who comes after that is told to come back
_NICE = 5  # a third of a share: after the collector, and yet soon on a machine that is busy
_Found = TypeVar("_Found")


class Vault:
    """Hashes and compares, beside the loop; 503 when too many wait."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="passwords", initializer=_yield_to_others)
        self._waiting = 0

    async def verified(self, stored: str | None, password: str) -> bool:
        return await self._done(lambda: passwords.verified(stored, password))

    async def hashed(self, password: str) -> str:
        return await self._done(lambda: passwords.hashed(password))

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _done(self, work: Callable[[], _Found]) -> _Found:
        if self._waiting >= MOST_WAITING:
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "too many log in at once", {"retry-after": "2"})
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._waiting -= 1


def _yield_to_others() -> None:
    """On Linux a thread has a niceness of its own."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
