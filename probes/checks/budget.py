"""How many calls were made in the last hour, kept in a file: a probe that starts anew every minute must not forget."""

import fcntl
import json
import os
from collections.abc import Sequence
from pathlib import Path

HOUR_US = 3_600_000_000
_MOST = 60  # that a topology can allow


def within(stamps: Sequence[int], now_us: int) -> list[int]:
    """Those that count: of the last hour, and of a time to come (a clock that stepped back makes nobody richer)."""
    return [stamp for stamp in stamps if stamp > now_us - HOUR_US]


def spend(path: Path, now_us: int, most: int) -> bool:
    """Note a call in the file, before it is made; False: that would be one too many. OSError: it cannot be noted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        spent = within(_read(file.read(), now_us), now_us)
        allowed = len(spent) < most
        file.seek(0)
        file.truncate()
        file.write(json.dumps([*spent, now_us] if allowed else spent).encode())
        file.flush()
        os.fsync(file.fileno())
    return allowed


def _read(data: bytes, now_us: int) -> list[int]:
    """A damaged file is a full one, for an hour from now: better no call than one too many."""
    if not data:
        return []
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(stamp, int) for stamp in found):
        return [now_us] * _MOST
    return found
