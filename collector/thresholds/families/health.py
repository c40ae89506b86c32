"""The monitor's own: clocks, meters, spools and disks, from what probes say of themselves (wire `Status`)."""

from collections.abc import Iterator

from collector.thresholds.known import Known
from collector.thresholds.source import Reading, Source, facts, number
from sereno.wire import Result, Status

_LONGEST_SECONDS = 1e10
_SURE_SECONDS = 0.05  # a figure no better than this says that a clock is off, never that it is right


def of_status(status: Status, before: Status | None) -> dict[str, list[Reading]]:
    """What one status measures; `before` is the last one of the same probe and boot."""
    found: dict[str, list[Reading]] = {}

    def say(measure: str, value: float | None, weight: float = 1.0) -> None:
        if value is not None:
            found[measure] = [Reading(value, weight, element=status.probe)]

    say("clock_offset_seconds", _offset(status))
    say("spool_oldest_seconds", number(status.spool_oldest_seconds))
    say("disk_free_ratio", number(status.disk_free_ratio))
    missed = _missed(status, before)
    if missed:
        say("meter_dropped_ratio", missed, missed)
    return found


def _offset(status: Status) -> float | None:
    offset, error = status.clock_offset_seconds, number(status.clock_error_seconds) or 0.0
    if offset is None or abs(offset) > _LONGEST_SECONDS:
        return None
    if error <= _SURE_SECONDS:
        return abs(offset)
    certain = abs(offset) - error
    return certain if certain > _SURE_SECONDS else None


def _missed(status: Status, before: Status | None) -> float | None:
    """Packets that the meter missed since the status before; none of a process that has only begun."""
    now = status.meter_dropped
    if now is None or before is None or before.boot != status.boot or before.meter_dropped is None:
        return None
    return number(max(0, now - before.meter_dropped))


def _metered(result: Result, _at_us: int, known: Known) -> Iterator[Reading]:
    """Packets that the meter did see: those of test calls that it measured."""
    seen = 0.0
    for stream in (result.media or {}).values():
        told = facts(stream)
        seen += number(told.get("packets")) or 0.0
    if seen and known.has("probe", result.probe):
        yield Reading(0.0, seen, element=result.probe)


_OWN = "the probe's status: "
SOURCES = {
    "clock_offset_seconds": Source((), reads=_OWN + "`clock_offset_seconds`, as far as `clock_error_seconds` lets it"),
    "spool_oldest_seconds": Source((), reads=_OWN + "`spool_oldest_seconds`"),
    "disk_free_ratio": Source((), reads=_OWN + "`disk_free_ratio`; of the monitor the disk of its store"),
    "meter_dropped_ratio": Source(
        ("call", "terminating", "pstn"), many=_metered,
        reads=_OWN + "`meter_dropped`, of those and the packets of its test calls",
    ),
}  # fmt: skip
