"""Instants as people write them in a hurry, in Spanish or English; nothing is guessed that could be another day."""

import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sereno.clock import SECOND_US, parse_instant, to_datetime

_AGO = re.compile(
    r"(?:hace|-)\s*(\d{1,6})\s*(s|seg|segundos?|m|min|minutos?|minutes?|h|horas?|hours?|d|d[ií]as?|days?)"
)
_AGO_EN = re.compile(r"(\d{1,6})\s*(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?)\s+ago")
_ISO_DAY = r"(?P<y>\d{4})[-/](?P<mo>\d{1,2})[-/](?P<d>\d{1,2})"
_DAY = rf"(?:(?P<word>hoy|ayer|today|yesterday)|{_ISO_DAY}|(?P<d2>\d{{1,2}})/(?P<mo2>\d{{1,2}})/(?P<y2>\d{{4}}))"
_TIME = r"(?P<h>\d{1,2}):(?P<mi>\d{2})(?::(?P<s>\d{2})(?:[.,](?P<f>\d{1,6}))?)?"
_WRITTEN = re.compile(rf"(?:{_DAY})?(?:[ T,]+|(?<!^)\s+a\s+las\s+)?(?:a\s+las\s+)?(?:{_TIME})?")
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_BACK = {"hoy": 0, "today": 0, "ayer": 1, "yesterday": 1}
_NOW = {"ahora", "now"}
_LONGEST = 60


def instant(text: str, zone: ZoneInfo, now_us: int) -> int:
    """Microseconds; ValueError where it is no instant.

    ISO 8601 with an offset as everywhere; without one, and the shorter forms, by the service's clock: `2026-11-21
    09:49`, `21/11/2026 9:49:26`, `09:49` and `hoy 9:49` today, `ayer 14:00`, `hace 15 min`, `ahora`.
    """
    said = " ".join(text.strip().split()).casefold()
    if not said or len(said) > _LONGEST:
        raise ValueError("no instant")
    whole_us = now_us - now_us % SECOND_US  # nobody who counts backwards means microseconds
    if said in _NOW:
        return whole_us + SECOND_US
    ago = _AGO.fullmatch(said) or _AGO_EN.fullmatch(said)
    if ago is not None:
        return whole_us - int(ago[1]) * _UNITS[ago[2][0]] * SECOND_US
    try:
        return parse_instant(
            text.strip().replace(" ", "+") if re.search(r"\d [0-9]{2}:?[0-9]{2}$", text) else text.strip()
        )
    except ValueError:
        return _written(said, zone, now_us)


def _written(said: str, zone: ZoneInfo, now_us: int) -> int:
    found = _WRITTEN.fullmatch(said)
    if found is None:
        raise ValueError("no instant")
    today = to_datetime(now_us).astimezone(zone).date()
    day = _day(found, today)
    fraction = int((found["f"] or "0").ljust(6, "0"))
    hour, minute, second = (int(found[name] or 0) for name in ("h", "mi", "s"))
    local = datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=zone)
    return int(local.timestamp()) * SECOND_US + fraction


def _day(found: re.Match[str], today: date) -> date:
    if found["word"]:
        return today - timedelta(days=_BACK[found["word"]])
    if found["y"]:
        return date(int(found["y"]), int(found["mo"]), int(found["d"]))
    if found["y2"]:
        return date(int(found["y2"]), int(found["mo2"]), int(found["d2"]))
    if not found["h"]:
        raise ValueError("no instant")
    return today
