"""Time: instants are integer microseconds UTC (`_us`); durations inside the monotonic clock; ISO 8601 at the edges."""

import functools
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

SECOND_US = 1_000_000
_FIRST_YEAR, _LAST_YEAR = 1970, 2200  # what lies outside is a slip of the pen, and beyond what can be computed with
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OURS = len("2026-11-21T02:03:04.000005Z")
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)(ms|us|s|m|h|d))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|s|m|h|d)")
_UNIT_US = {"us": 1, "ms": 1_000, "s": SECOND_US, "m": 60 * SECOND_US, "h": 3_600 * SECOND_US, "d": 86_400 * SECOND_US}


class Clock(Protocol):
    """Wall clock for stamps, monotonic clock for durations; injected everywhere a decision needs time."""

    def now_us(self) -> int:
        """UTC microseconds since the epoch."""

    def monotonic(self) -> float:
        """Seconds of a clock that never steps."""


class SystemClock:
    """The machine's clocks."""

    def now_us(self) -> int:
        return time.time_ns() // 1_000

    def monotonic(self) -> float:
        return time.monotonic()


class FakeClock:
    """A clock that moves only when told; for tests and replay."""

    def __init__(self, start_us: int = 0) -> None:
        self._us = start_us

    def now_us(self) -> int:
        return self._us

    def monotonic(self) -> float:
        return self._us / SECOND_US

    def advance(self, seconds: float) -> None:
        self._us += round(seconds * SECOND_US)

    def set(self, at_us: int) -> None:
        self._us = at_us


def iso(at_us: int) -> str:
    """ISO 8601 UTC, always six decimals: `2026-11-21T02:03:04.000005Z`."""
    seconds, microseconds = divmod(at_us, SECOND_US)
    return f"{_second(seconds)}.{microseconds:06d}Z"


@functools.lru_cache(maxsize=256)
def _second(seconds: int) -> str:
    """The instants of results come in the order of time: many share their second."""
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")


def to_datetime(at_us: int) -> datetime:
    """The aware UTC datetime of an instant."""
    return _EPOCH + timedelta(microseconds=at_us)


def from_datetime(moment: datetime) -> int:
    """Microseconds of an aware datetime; exact (no float)."""
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * SECOND_US + delta.microseconds


def parse_instant(text: str) -> int:
    """Microseconds UTC of an ISO 8601 instant with an offset or Z.

    Raises ValueError, in words fit for a person, when it is no instant, has no offset, or lies in another age.
    """
    if len(text) == _OURS and text[19] == "." and text[26] == "Z" and text[20:26].isdecimal() and text.isascii():
        return _us_of_second(text[:19]) + int(text[20:26])  # as `iso` writes it
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an ISO 8601 instant such as 2026-07-10T17:30-05:00") from None
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no UTC offset: add Z or -05:00")
    if not _FIRST_YEAR <= moment.year < _LAST_YEAR:
        raise ValueError(f"{text!r} is out of range: write an instant between {_FIRST_YEAR} and {_LAST_YEAR}")
    return from_datetime(moment)


@functools.lru_cache(maxsize=4_096)
def _us_of_second(text: str) -> int:
    return parse_instant(text + "Z")


def parse_duration(text: str) -> int:
    """Microseconds of `900ms`, `1s`, `1h30m`, `2.5s`; ValueError otherwise."""
    if not isinstance(text, str) or not _DURATION.fullmatch(text):
        raise ValueError(
            f"{text!r} is not a duration: write a number and a unit (us ms s m h d), such as 900ms or 1h30m"
        )
    try:
        return round(sum(float(number) * _UNIT_US[unit] for number, unit in _PART.findall(text)))
    except OverflowError:
        raise ValueError(f"{text[:20]!r}… is not a duration: write a shorter time") from None
