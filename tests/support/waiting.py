"""Waiting inside a loop for what another thread or process brings about."""

import asyncio
from collections.abc import Callable
from typing import Any


async def until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """The first true answer of `condition`, asked in a thread."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not (found := await asyncio.to_thread(condition)):
        assert asyncio.get_running_loop().time() < deadline, "it did not happen"
        await asyncio.sleep(0.01)
    return found
