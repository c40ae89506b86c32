"""The C meter and the plain Python reference behind one face, so that the same tests run on both."""

import io
from typing import Any, Protocol

import numpy as np

from probes.media import reference, reference_capture
from probes.media.capture import feed_capture
from probes.media.meter import StreamMeter
from probes.media.report import stream_fields
from probes.media.rows import SecondRows, StreamRows
from tests.media_captures import rtp_pcap


class AnyMeter(Protocol):
    meter: Any

    def feed(self, data: bytes) -> bool:
        """Meter a capture; True if it is cut off."""


class CMeter:
    def __init__(self, **options: Any) -> None:
        self.meter = StreamMeter(**options)

    def feed(self, data: bytes) -> bool:
        return feed_capture(io.BytesIO(data), self.meter, "test.pcap").warning is not None


class Reference:
    def __init__(self, **options: Any) -> None:
        self.meter = reference.ReferenceMeter(**options)

    def feed(self, data: bytes) -> bool:
        return reference_capture.feed_capture(self.meter, data).warning is not None


BOTH = (CMeter, Reference)


def rows_of(meter: AnyMeter, data: bytes) -> StreamRows:
    """The rows of a capture in the order of their starts."""
    meter.feed(data)
    rows = meter.meter.snapshot()
    return rows[rows.argsort(order=("start_ns", "ssrc", "src_port"))]


def row_of(meter: AnyMeter, packets: Any) -> np.void:
    (row,) = rows_of(meter, rtp_pcap(packets))
    return row


def seconds_of(meter: AnyMeter, packets: Any) -> SecondRows:
    return meter.meter.seconds(int(row_of(meter, packets)["id"]))


def fields_of(meter: AnyMeter, data: bytes) -> list[dict[str, Any]]:
    return [stream_fields(row, meter.meter.names) for row in rows_of(meter, data)]


def one(meter: AnyMeter, packets: Any) -> dict[str, Any]:
    """The fields of the only stream of these packets."""
    (fields,) = fields_of(meter, rtp_pcap(packets))
    return fields


_EQUAL = {"jitter": 1e-9, "jitter_mean": 1e-9, "jitter_max": 1e-9}
_FLOATS = ("pdv_max", "drift_ppm", "adaptive_delay")
_PERCENTILES = ("pdv_p50", "pdv_p95", "pdv_p99")


def agree(c: np.void, plain: np.void, *, settled: bool = True) -> None:
    """Both meters' rows of a stream are alike; `settled`: its transit stays within seconds, so floats are exact."""
    names = [name for name in c.dtype.names or () if name not in {"id", "_"}]
    for name in names:
        mine, other = c[name], plain[name]
        if name in _EQUAL:
            assert np.isclose(mine, other, rtol=1e-9, atol=1e-15, equal_nan=True), (name, mine, other)
        elif name in _PERCENTILES or name in _FLOATS:
            assert np.isnan(mine) == np.isnan(other), (name, mine, other)
        else:
            assert mine == other, (name, mine, other)
    if not settled or np.isnan(plain["pdv_max"]):
        return
    assert abs(c["pdv_max"] - plain["pdv_max"]) <= 1e-6 + plain["pdv_max"] * 1e-6, (c["pdv_max"], plain["pdv_max"])
    assert abs(c["adaptive_delay"] - plain["adaptive_delay"]) <= 1e-5, (c["adaptive_delay"], plain["adaptive_delay"])
    for name in _PERCENTILES:
        bound = 0.15 * plain[name] + plain["pdv_max"] / 100 + 4e-6
        assert abs(c[name] - plain[name]) <= bound, (name, c[name], plain[name])
    if not np.isnan(plain["drift_ppm"]):
        assert abs(c["drift_ppm"] - plain["drift_ppm"]) <= 0.5 + abs(plain["drift_ppm"]) / 1e5, "drift_ppm"


def agree_by_second(c: SecondRows, plain: SecondRows, *, settled: bool = True) -> None:
    for name in ("second", "packets", "lost", "discarded", "flags"):
        assert c[name].tolist() == plain[name].tolist(), name
    for name in ("jitter_mean", "jitter_max"):
        assert np.allclose(c[name], plain[name], rtol=1e-4, atol=1e-9, equal_nan=True), name
    if settled:
        assert np.allclose(c["pdv_max"], plain["pdv_max"], rtol=1e-4, atol=1e-6, equal_nan=True), "pdv_max"
