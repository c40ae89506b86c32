"""One check, guarded: whatever it does, a result comes back."""

import asyncio
import errno
import logging
import time
from collections.abc import Mapping

from probes.checks.base import CheckFunction, Runtime, Target, result
from sereno.wire import Result

log = logging.getLogger(__name__)

_AGAIN_SECONDS = 600.0
_TOLD_KEPT = 200
_OWN_LIMITS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EACCES, errno.EPERM})
_told: dict[str, float] = {}
HUNG_AFTER_SECONDS = 30.0  # beyond the check's own deadline and hold; a check that is still not back never will be


async def guarded(
    target: Target,
    runtime: Runtime,
    registry: Mapping[str, CheckFunction],
    hung_after_seconds: float = HUNG_AFTER_SECONDS,
) -> Result:
    """What the check measured; if it raised or never came back, `invalid`/`probe_fault`: our fault, no downtime."""
    at_us = runtime.clock.now_us()
    limit = target.timeout_seconds + (target.hold_us or 0) / 1e6 + hung_after_seconds
    bound = asyncio.timeout(limit)
    try:
        async with bound:
            return await registry[target.check](target, runtime)
    except Exception as fault:  # the border between a check and the scheduler
        if bound.expired():
            words = f"the check did not come back in {limit:g} s"
            log.error("%s %s: %s", target.check, target.key, words)  # noqa: TRY400  # its stack says nothing
        else:
            words = f"{type(fault).__name__}: {fault}"[:500]
            if _to_be_told(f"{target.check}: {words}"):
                said = "the %s check of %s failed by its own fault: %s"
                log.exception(said, target.check, target.key, words, exc_info=_stack(fault))
    return result(target, at_us, "invalid", "probe_fault", evidence={"error": words})


def _to_be_told(what: str) -> bool:
    """Once in ten minutes: a fault of this process spoils every check of every second alike."""
    now = time.monotonic()
    if now - _told.get(what, -_AGAIN_SECONDS) < _AGAIN_SECONDS:
        return False
    if len(_told) >= _TOLD_KEPT:
        _told.clear()
    _told[what] = now
    return True


def _stack(fault: Exception) -> Exception | None:
    """Where it happened, except for what the system refuses us: the words say what to mend."""
    return None if isinstance(fault, OSError) and fault.errno in _OWN_LIMITS else fault
