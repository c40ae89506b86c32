"""Running things side by side."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
AGAIN_SECONDS = 4.0  # a part that ends in order (un-registering) needs less


async def together(*parts: Coroutine[Any, Any, None]) -> None:
    """Runs all parts until the first fails (its error is raised), all are done, or we are cancelled; none is left.

    Not a TaskGroup: in Python 3.11 one leaves its parent marked as cancelled when a part fails while it waits, and
    swallows a true cancellation that comes in the same moment.
    """
    await _run(parts, asyncio.FIRST_EXCEPTION)


async def until_first(*parts: Coroutine[Any, Any, None]) -> None:
    """Runs all parts until the first is done or fails (its error is raised), or we are cancelled; none is left."""
    await _run(parts, asyncio.FIRST_COMPLETED)


async def _run(parts: Sequence[Coroutine[Any, Any, None]], until: str) -> None:
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=until)
    finally:
        await _end(tasks)
    for task in done:
        if not task.cancelled():
            task.result()


async def _end(tasks: Sequence[asyncio.Future[None]]) -> None:
    """Cancels, waits, and cancels again whatever lost the first word; a cancellation of ours waits for its end."""
    cancelled = False
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        try:
            _, pending = await asyncio.wait(pending, timeout=AGAIN_SECONDS)
        except asyncio.CancelledError:
            cancelled = True
    for task in tasks:
        if not task.cancelled():
            task.exception()  # seen; the first one is raised by whoever waits
    if cancelled:
        raise asyncio.CancelledError


async def in_thread(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Like `asyncio.to_thread`, but over only when the thread is: a cancelled one must not outlive its store."""
    going = asyncio.ensure_future(asyncio.to_thread(work, *arguments, **named))
    try:
        return await asyncio.shield(going)
    except asyncio.CancelledError:
        await asyncio.wait([going])
        if not going.cancelled():
            going.exception()  # seen; the cancellation is what is told
        raise


def raise_if_cancelled() -> None:
    """Ends a task that was cancelled although something on its way swallowed it.

    `asyncio.wait_for` of Python 3.11 does when what it waits for is done in the same moment; so does any `async with`
    whose exit fails. Loops that would otherwise go on for ever ask here.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
