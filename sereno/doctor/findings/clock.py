"""The clock of this machine is kept by somebody (adjtimex(2), read only)."""

import ctypes
import os
from collections.abc import Iterator

import msgspec

from sereno.doctor.model import CannotLookError, Finding, Question, ok, warning
from sereno.doctor.patient import Patient

_STA_UNSYNC = 0x0040  # <sys/timex.h>
_TIME_ERROR = 5
_ROUGH_SECONDS = 0.1


class _Timex(ctypes.Structure):
    """`struct timex` of Linux; only the beginning is read, the rest is room for what the kernel writes."""

    _fields_ = (
        ("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long), ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long), ("status", ctypes.c_int), ("rest", ctypes.c_byte * 256),
    )  # fmt: skip


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What the kernel says; `maxerror_seconds` is its own bound of how far off the clock may be."""

    synchronised: bool
    maxerror_seconds: float


def look(patient: Patient) -> Kept:
    """Asks the kernel with `modes` 0, which sets nothing."""
    del patient
    told = _Timex()
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(told))
    if state < 0:
        raise CannotLookError("the kernel does not say ({why})", "timedatectl, or chronyc tracking",
                              why=os.strerror(ctypes.get_errno()))  # fmt: skip
    return kept(state, told.status, told.maxerror)


def kept(state: int, status: int, maxerror_us: int) -> Kept:
    """What adjtimex's answer means."""
    unkept = state == _TIME_ERROR or bool(status & _STA_UNSYNC)
    return Kept(synchronised=not unkept, maxerror_seconds=maxerror_us / 1_000_000)


def judge(clock: Kept) -> Iterator[Finding]:
    """A clock that drifts moves every outage and, half a second off, makes every probe's results invalid."""
    if not clock.synchronised:
        yield warning(
            "nobody keeps this machine's clock", "apt-get install chrony, and let it reach its servers (UDP 123); in a "
            "container keep the host's"
        )  # fmt: skip
    elif clock.maxerror_seconds > _ROUGH_SECONDS:
        yield warning("the clock may be off by {seconds} s", "chronyc sources: are they reachable?",
                      seconds=f"{clock.maxerror_seconds:.2f}")  # fmt: skip
    else:
        yield ok("kept, within {seconds} s", seconds=f"{clock.maxerror_seconds:.3f}")


QUESTION = Question(name="clock", title="Clock", look=look, judge=judge)
