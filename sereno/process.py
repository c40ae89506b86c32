"""How a long-running command lives: logs on standard error, SIGTERM and SIGINT end it in order."""

import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine
from typing import Any

_GRACE_SECONDS = 8  # a process that does not end in order by then ends by SIGALRM


def setup_logging() -> None:
    """One line per event: time, level, logger, text."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells every request, with all that is in its URL


def run(main: Coroutine[Any, Any, None]) -> None:
    """Runs until done, or until SIGTERM or SIGINT, which cancel it once; a stubborn process ends all the same."""

    async def under_signals() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_told)
        task = asyncio.ensure_future(main)

        def stop() -> None:
            signal.alarm(_GRACE_SECONDS)
            task.cancel()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        try:
            await task
        except asyncio.CancelledError:
            logging.getLogger("sereno").info("stopped")

    asyncio.run(under_signals())


def _told(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What nobody waited for. A socket that closed under a library's hands is no fault: one line, no stack.

    Nor is a connection that we gave up in the moment in which the far end did: the library meets its own cancellation.
    """
    error = context.get("exception")
    if isinstance(error, OSError | asyncio.CancelledError):
        logging.getLogger("sereno").warning("a connection ended in the middle of things: %s", error)
    else:
        loop.default_exception_handler(context)
