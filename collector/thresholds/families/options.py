"""Forced OPTIONS: failed, late, repeated, how long they take, and against the last seven days."""

from collections.abc import Iterator

from collector.thresholds.known import Known
from collector.thresholds.source import Reading, Source, number
from sereno.wire import Result

_SERIES = 100_000  # whose newest failure is remembered
_LONGEST_SECONDS = 3_600.0
STREAMS = frozenset({"tcp", "tls", "ws", "wss"})
_SHIFT_SECONDS = 0.05  # what a median must have grown by at least, for anybody to notice
_VOID = frozenset({"probe_fault", "steering", "blocked"})


def _corrects(result: Result, at_us: int, known: Known) -> bool:
    """A late reply comes as a second result with the same `at`, and takes its failure back (docs/adr/0004)."""
    series = (result.probe, result.sbc or "", result.core or "", result.address or "")
    if result.outcome == "failed":
        if len(known.failed_at) < _SERIES or series in known.failed_at:
            known.failed_at[series] = at_us
        return False
    return result.reason == "late" and known.failed_at.get(series) == at_us


def _failed(result: Result, at_us: int, known: Known) -> Iterator[Reading]:
    if _corrects(result, at_us, known):
        yield Reading(-1.0, 0.0)
    elif result.reason not in _VOID:
        yield Reading(float(result.outcome == "failed"))


def _late(result: Result, at_us: int, known: Known) -> Iterator[Reading]:
    late = result.outcome == "ok" and result.reason == "late"
    yield Reading(1.0, 0.0) if _corrects(result, at_us, known) else Reading(float(late))


def _retransmitted(result: Result, _at_us: int, _known: Known) -> float | None:
    """Of those answered over UDP. A round trip is told only of what went once (Karn), so it is known to be none."""
    if result.outcome != "ok" or result.transport in STREAMS:
        return None
    if result.retransmissions is not None:
        return 1.0 if result.retransmissions > 0 else 0.0
    return 0.0 if result.rtt_seconds is not None else None


def _wrong_core(result: Result, _at_us: int, _known: Known) -> float | None:
    return 1.0 if result.reason == "wrong_core" else 0.0


def _rtt(result: Result, _at_us: int, _known: Known) -> float | None:
    return number(result.rtt_seconds) if result.outcome == "ok" else None


def _shift(result: Result, at_us: int, known: Known) -> float | None:
    """The round trip over the median of the last seven days; 1 where it is less than 50 ms above that."""
    rtt = result.rtt_seconds
    if rtt is None or result.outcome != "ok" or not 0 <= rtt < _LONGEST_SECONDS:
        return None
    track = known.paths.get((result.sbc, result.core))
    if track is None:
        track = known.track(result.sbc, result.core)
    track.note(at_us, rtt, median=True)
    median = track.median
    if median is None or median <= 0:
        return None
    return rtt / median if rtt - median >= _SHIFT_SECONDS else min(1.0, rtt / median)


def plain_rtt(result: Result) -> float | None:
    """The round trip of an OPTIONS that was answered as nearly all are: in time, once, over UDP; None of any other."""
    rtt = result.rtt_seconds
    if rtt is None or result.reason is not None or result.retransmissions or result.outcome != "ok":
        return None
    return rtt if 0 <= rtt < _LONGEST_SECONDS and result.transport not in STREAMS else None


def _none(_rtts: list[float], _at_us: int, _sbc: str | None, _core: str | None, _known: Known) -> list[float]:
    """Nothing of the kind: an event that none of them was."""
    return []


def _rtts(rtts: list[float], _at_us: int, _sbc: str | None, _core: str | None, _known: Known) -> list[float]:
    return rtts


def _shifts(rtts: list[float], at_us: int, sbc: str | None, core: str | None, known: Known) -> list[float]:
    track = known.paths.get((sbc, core)) or known.track(sbc, core)
    track.note_all(at_us, rtts)
    median = track.median
    if median is None or median <= 0:
        return []
    return [rtt / median if rtt - median >= _SHIFT_SECONDS else min(1.0, rtt / median) for rtt in rtts]


SOURCES = {
    "failed": Source(("options",), many=_failed, quality=True, reads="`outcome` failed"),
    "late": Source(("options",), many=_late, quality=True, reads="`reason` late"),
    "retransmitted": Source(
        ("options",), _retransmitted, quality=True, reads="`retransmissions` above 0, of those answered over UDP",
        plain=_none,
    ),
    "wrong_core": Source(("options",), _wrong_core, reads="`reason` wrong_core", plain=_none),
    "rtt_seconds": Source(("options",), _rtt, quality=True, reads="`rtt_seconds`", plain=_rtts),
    "rtt_shift_ratio": Source(
        ("options",), _shift, quality=True,
        reads="`rtt_seconds` over the median of the hours of the last seven days (at least one); 1 below +50 ms",
        plain=_shifts,
    ),
}  # fmt: skip
