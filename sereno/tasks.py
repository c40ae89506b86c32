"""Running things side by side."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def together(*parts: Coroutine[Any, Any, None]) -> None:
    """Runs all parts until the first fails (its error is raised), all are done, or we are cancelled; none is left.

    Not a TaskGroup: in Python 3.11 one leaves its parent marked as cancelled when a part fails while it waits, and
    swallows a true cancellation that comes in the same moment.
    """
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        if not task.cancelled():
            task.result()
