"""The last backup of a database, as the backup job's status file tells it."""

import os
from typing import Any

import msgspec

from sereno.clock import SECOND_US, parse_instant
from sereno.topology.model import Backup

_STATUS_OCTETS = 65_536
_SLACK_SECONDS = 300.0  # by which the clock of whoever makes backups may be ahead of ours


class _Status(msgspec.Struct, frozen=True):
    """What the backup job leaves behind; other keys are its own affair."""

    finished: str
    size_bytes: int
    verified: bool


def last_backup(given: Backup, now_us: int) -> dict[str, Any]:
    """The status file's word; `trouble` where there is none that can be read."""
    try:
        status = msgspec.json.decode(_read(given.status_file), type=_Status)
        finished_us = parse_instant(status.finished)
    except OSError as error:
        return {"trouble": f"{given.status_file}: {error.strerror or type(error).__name__}"}
    except (msgspec.DecodeError, ValueError, UnicodeDecodeError) as error:
        return {"trouble": f"{given.status_file}: {str(error)[:120]}"}
    return {
        "finished": status.finished,
        "age_seconds": round((now_us - finished_us) / SECOND_US, 3),
        "size_bytes": status.size_bytes,
        "verified": status.verified,
    }


def stale(given: Backup, backup: dict[str, Any]) -> str | None:
    """What is wrong with it, in words; None: nothing."""
    if "trouble" in backup:
        return str(backup["trouble"])
    size, age, limit = backup["size_bytes"], backup["age_seconds"], given.max_age_us / SECOND_US
    wrong = (
        (not backup["verified"], "the last backup is not verified"),
        (size <= 0, "the last backup is empty"),
        (size < given.min_bytes, f"the last backup has {size} octets; {given.min_bytes} are the least"),
        (age < -_SLACK_SECONDS, f"the last backup was finished in the future ({backup['finished']}): a clock is wrong"),
        (age > limit, f"the last backup is {age / 3600:.1f} h old; {limit / 3600:g} h are allowed"),
    )
    return next((words for bad, words in wrong if bad), None)


def _read(path: str) -> bytes:
    """What is in the file; a pipe is empty, and holds nobody up."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        return file.read(_STATUS_OCTETS) or b""
