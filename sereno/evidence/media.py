"""What the evidence of a call holds of its packets: second by second, and the name of a capture. Pure."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from sereno.clock import SECOND_US
from sereno.evidence.sip import instant

_ROWS = 4_000
_HUGE = 1e15
_LONGEST = 86_400  # seconds; no test call is as long
_LAST_SECOND = 7_258_118_400  # of the year 2199

COLUMNS = (
    "packets", "lost", "discarded", "jitter_mean_seconds", "jitter_max_seconds", "pdv_max_seconds", "mos_lq", "burst",
)  # fmt: skip


class Second(msgspec.Struct, frozen=True, kw_only=True):
    """A second of one direction of a call: what the meter saw of it; None what it could not say."""

    direction: str
    at_us: int
    values: Mapping[str, float | int | bool | None]


def seconds(evidence: Any, at_us: int, starts: Mapping[str, int]) -> list[Second]:
    """Both directions' seconds in order of time, by the meter; by pjsua2's half seconds where it had none.

    The meter counts seconds from the beginning of the stream (`starts`), pjsua2 from the call's own (`at_us`).
    """
    if not isinstance(evidence, dict):
        return []
    metered = evidence.get("rtp_seconds")
    found: list[Second] = []
    if isinstance(metered, dict):
        for direction in ("rx", "tx"):
            found += _columns(direction, metered.get(direction), starts.get(direction, at_us))
    return sorted(found or _looks(evidence.get("rtp"), at_us), key=lambda one: (one.at_us, one.direction))


def _columns(direction: str, given: Any, at_us: int) -> Iterator[Second]:
    if not isinstance(given, dict):
        return
    stamps = given.get("second")
    for index, stamp in enumerate(stamps[:_ROWS] if isinstance(stamps, list) else ()):
        second = _number(stamp)
        if second is None:
            continue
        values = {}
        for name in COLUMNS:
            column = given.get(name)
            values[name] = _number(column[index]) if isinstance(column, list) and index < len(column) else None
        if 0 <= second < _LONGEST:
            yield Second(direction=direction, at_us=at_us + round(second * SECOND_US), values=values)


def _looks(given: Any, at_us: int) -> Iterator[Second]:
    columns, rows = (given.get("columns"), given.get("rows")) if isinstance(given, dict) else (None, None)
    if not isinstance(columns, list) or not isinstance(rows, list) or "seconds" not in columns:
        return
    before: dict[str, float | int] = {}
    for line in rows[:_ROWS]:
        if not isinstance(line, list):
            continue
        values = {name: _number(value) for name, value in zip(columns, line, strict=False) if isinstance(name, str)}
        when = values.get("seconds")
        if when is None or not 0 <= when < _LONGEST:
            continue
        for direction in ("rx", "tx"):
            total = values.get(f"{direction}_packets")
            if total is not None:
                step = total - before.get(direction, 0)
                before[direction] = total
                yield Second(
                    direction=direction, at_us=at_us + round(when * SECOND_US), values={"packets": max(0, step)}
                )


def _number(value: Any) -> float | int | None:
    if isinstance(value, bool):
        return int(value)
    if not isinstance(value, int | float) or abs(value) > _HUGE or not math.isfinite(value):
        return None
    return value


def capture(evidence: Any) -> str | None:
    """The file that the packets of this call were kept in, on the probe's machine."""
    given = evidence.get("pcap") if isinstance(evidence, dict) else None
    path = given.get("path") if isinstance(given, dict) else None
    return path if isinstance(path, str) and path and "\x00" not in path else None


def starts(media: Any, setup_seconds: Any, at_us: int) -> dict[str, int]:
    """When each direction's stream began; where nobody tells, when the call was answered."""
    answered = _number(setup_seconds) or 0.0
    found = dict.fromkeys(("rx", "tx"), at_us + round(min(max(answered, 0.0), 3_600.0) * SECOND_US))
    for direction in found:
        stream = media.get(direction) if isinstance(media, dict) else None
        start = stream.get("start") if isinstance(stream, dict) else None
        given = instant(start)
        if (
            given is None
            and not isinstance(start, bool)
            and (second := _number(start)) is not None
            and 0 < second < _LAST_SECOND
        ):
            given = round(second * SECOND_US)
        if given is not None and abs(given - at_us) < 3_600 * SECOND_US:
            found[direction] = given
    return found
