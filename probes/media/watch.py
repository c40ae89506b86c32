"""What a live meter says each second: every stream's figures, those of the last ten seconds, who has fallen silent.

Pure: rows and times go in, what is to be said comes out. What the sensor missed is never told as loss of the network.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probes.media.built import native
from probes.media.live import Blind, missed
from probes.media.quality import listen
from probes.media.report import Names, codec_name, stream_fields
from probes.media.rows import StreamRows

SILENT_SECONDS = 30  # then a stream has ended
RECENT_SECONDS = 10
_ALIKE_SECONDS = 0.005  # jitters nearer than this do not change places every second
_NS = 1_000_000_000
# Figures that a packet which the sensor missed would spoil.
_OF_LOSS = (
    "lost", "lost_rfc3550", "loss_ratio", "loss_run_max", "reordered", "duplicates", "captured_twice", "burst_ratio",
    "bursts", "burst_density", "burst_packets_mean", "burst_duration_seconds", "gap_density", "gap_duration_seconds",
    "discarded", "discarded_late", "discarded_early", "fixed_late", "fixed_early", "adaptive_late", "adaptive_early",
    "effective_loss_ratio", "effective_burst_ratio", "largest_gap_seconds", "r_lq", "mos_lq", "r_cq", "mos_cq",
)  # fmt: skip

_ONE_WAY = (None, False, True)  # enum one_way (csrc/partners.h)

Floats = NDArray[np.float64]
Reports = Callable[[np.void], dict[str, Any] | None]  # what RTCP says of a stream


@dataclass(frozen=True)
class Counts:
    """What of every stream is remembered for its recent figures; ordered by id."""

    at_ns: int
    ids: NDArray[np.uint64]
    expected: Floats
    lost: Floats
    discarded: Floats
    packets: Floats


@dataclass(frozen=True)
class Look:
    """All streams at one instant, worst first; arrays go with `rows`. NaN: not known."""

    at_ns: int
    rows: StreamRows
    recent_loss: Floats
    recent_mos: Floats
    rate: Floats  # packets a second
    ended: NDArray[np.bool_]
    one_way: NDArray[np.uint8]
    blind: tuple[Blind, ...] = ()

    def fields(self, index: int, names: Names, *, plc: bool = True, reports: Reports | None = None) -> dict[str, Any]:
        """The fields of one stream, as `rtp analyze` names them, and what is live about it."""
        row = self.rows[index]
        gone = missed(self.blind, int(row["start_ns"]), int(row["end_ns"]))
        told = reports(row) if reports else None
        return {
            **trusted(stream_fields(row, names, plc=plc), gone),
            "one_way": _ONE_WAY[int(self.one_way[index])],
            "rtcp": told,
            "round_trip_seconds": told and told["round_trip_mean_seconds"],
            "silent_seconds": max(0.0, round((self.at_ns - int(row["end_ns"])) / _NS, 3)),
            "packets_per_second": _value(self.rate[index]),
            "recent_loss_ratio": _value(self.recent_loss[index]),
            "recent_mos_lq": _value(self.recent_mos[index]),
            "ended": bool(self.ended[index]),
        }


@dataclass
class Watch:
    """Keeps the last ten seconds of every stream's counters, from `since_ns` on."""

    since_ns: int
    plc: bool = True
    _past: deque[Counts] = field(default_factory=deque)

    def __post_init__(self) -> None:
        nothing = np.empty(0)
        self._past.append(Counts(self.since_ns, np.empty(0, np.uint64), nothing, nothing, nothing, nothing))

    def look(self, at_ns: int, rows: StreamRows, names: Names, blind: Iterable[Blind] = ()) -> Look:
        """What is to be said at `at_ns` of these streams."""
        spans = tuple(blind)
        rows = rows[rows["id"].argsort()]
        now = _counts(at_ns, rows)
        while len(self._past) > 1 and self._past[1].at_ns <= at_ns - RECENT_SECONDS * _NS:
            self._past.popleft()
        then = self._past[0]
        self._past.append(now)
        span_ns = max(1, at_ns - then.at_ns)
        expected, lost, discarded, packets = _since(then, now)
        with np.errstate(divide="ignore", invalid="ignore"):
            loss = np.clip(lost / expected, 0, 1)
            effective = np.clip((lost + discarded) / expected, 0, 1)
        loss[_doubtful(rows, spans, at_ns - max(span_ns, _NS))] = np.nan
        effective[np.isnan(loss)] = np.nan
        mos = self._rated(rows, names, effective)
        ages = np.minimum(span_ns, np.maximum(at_ns - rows["start_ns"], _NS)) / _NS
        order = np.lexsort(
            (
                rows["id"],
                -np.round(np.nan_to_num(rows["jitter_mean"]) / _ALIKE_SECONDS),
                -_worst(rows, effective),
                _poor(mos),
            )
        )
        silent = at_ns - rows["end_ns"] > SILENT_SECONDS * _NS
        one_way = np.frombuffer(native.one_way(rows.tobytes()), np.uint8)
        return Look(
            at_ns, rows[order], loss[order], mos[order], (packets / ages)[order], silent[order].astype(np.bool_),
            one_way[order], spans,
        )  # fmt: skip

    def _rated(self, rows: StreamRows, names: Names, effective: Floats) -> Floats:
        mos = np.full(len(rows), np.nan)
        codecs = [codec_name(row, names) for row in rows]
        for codec in {codec for codec in codecs if codec}:
            where = np.array([name == codec for name in codecs])
            rated = listen(codec, loss_ratio=effective[where], burst_ratio=np.ones(int(where.sum())), plc=self.plc)
            mos[where] = rated[1]
        return mos


def trusted(fields: dict[str, Any], gone: int | None) -> dict[str, Any]:
    """The fields of a stream of which the sensor missed at most `gone` packets (None: an unknown number).

    Unless that is 0, what it would spoil is unknown, and `lost_at_most` says what the sensor and the network lost
    together.
    """
    if gone == 0:
        return {**fields, "lost_at_most": fields["lost"], "sensor_dropped": 0}
    known = {key: None if key in _OF_LOSS else value for key, value in fields.items()}
    return {**known, "lost_at_most": fields["lost"], "sensor_dropped": gone}


def _counts(at_ns: int, rows: StreamRows) -> Counts:
    fixed = (rows["fixed_late"] + rows["fixed_early"]).astype(np.float64)
    adaptive = (rows["adaptive_late"] + rows["adaptive_early"]).astype(np.float64)
    expected, lost, packets = (rows[name].astype(np.float64) for name in ("expected", "lost", "packets"))
    discarded = np.select([rows["buffer"] == 1, rows["buffer"] == 2], [fixed, adaptive], 0.0)  # noqa: PLR2004
    return Counts(at_ns, rows["id"].copy(), expected, lost, discarded, packets)


def _since(then: Counts, now: Counts) -> tuple[Floats, ...]:
    """How much each counter grew; a stream that was not there began at 0."""
    names = ("expected", "lost", "discarded", "packets")
    if not len(then.ids):
        return tuple(getattr(now, name).copy() for name in names)
    at = np.minimum(np.searchsorted(then.ids, now.ids), len(then.ids) - 1)
    same = then.ids[at] == now.ids
    return tuple(getattr(now, name) - np.where(same, getattr(then, name)[at], 0.0) for name in names)


def _doubtful(rows: StreamRows, blind: Sequence[Blind], since_ns: int) -> NDArray[np.bool_]:
    """Streams of which the sensor may have missed something since then."""
    doubt = np.zeros(len(rows), dtype=np.bool_)
    for span in blind:
        if span.to_ns >= since_ns:
            doubt |= (rows["start_ns"] <= span.to_ns) & (rows["end_ns"] >= span.from_ns)
    return doubt


def _worst(rows: StreamRows, effective: Floats) -> Floats:
    """The greater of what is lost now and what was lost in all."""
    whole = rows["lost"] / np.maximum(rows["expected"], 1)
    worst: Floats = np.fmax(effective, whole)
    return worst


def _poor(mos: Floats) -> Floats:
    """MOS where it says poor (G.107 Annex B: under 3.6 many are dissatisfied); what is not poor counts alike."""
    poor: Floats = np.where(mos < 3.6, mos, 5.0)  # noqa: PLR2004
    return poor


def _value(number: np.float64) -> float | None:
    return None if np.isnan(number) else round(float(number), 6)
