"""The C meter as an object: forgetting, limits, snapshots, words."""

import io
from pathlib import Path

import numpy as np
import pytest

from probes.media.capture import feed_capture
from probes.media.meter import StreamMeter
from probes.media.report import stream_fields, streams_fields
from tests.media_captures import START_NS, rtp_pcap, stream


def test_forget_and_reuse():
    meter = StreamMeter()
    many = [p for ssrc in range(500) for p in stream(3, ssrc=ssrc)]
    feed_capture(io.BytesIO(rtp_pcap(many)), meter, "x")
    rows = meter.snapshot()
    odd = rows[rows["ssrc"] % 2 == 1]
    assert meter.forget(odd) == 250
    assert meter.forget(odd) == 0
    assert sorted(meter.snapshot()["ssrc"].tolist()) == list(range(0, 500, 2))
    feed_capture(io.BytesIO(rtp_pcap([p for ssrc in range(500) for p in stream(3, ssrc=ssrc)])), meter, "x")
    counts = {int(r["ssrc"]): int(r["packets"]) for r in meter.snapshot()}
    assert counts == {ssrc: 3 if ssrc % 2 else 6 for ssrc in range(500)}
    assert len(set(meter.snapshot()["id"].tolist())) == 500


def test_limit_of_streams_is_counted():
    meter = StreamMeter(max_streams=10)
    feed_capture(io.BytesIO(rtp_pcap([p for ssrc in range(12) for p in stream(3, ssrc=ssrc)])), meter, "x")
    assert len(meter.snapshot()) == 10
    assert meter.counters()["overflow"] == 6


def test_sweep_drops_only_what_never_became_a_stream():
    meter = StreamMeter()
    feed_capture(io.BytesIO(rtp_pcap(stream(3) + stream(1, ssrc=5))), meter, "x")
    assert meter.core.sweep(START_NS + 10**12) == 1
    assert len(meter.snapshot()) == 1


def test_snapshot_is_a_copy_that_can_be_written():
    meter = StreamMeter()
    feed_capture(io.BytesIO(rtp_pcap(stream(3))), meter, "x")
    rows = meter.snapshot()
    rows["packets"] = 99
    assert meter.snapshot()["packets"].tolist() == [3]
    assert np.isnan(meter.snapshot()["jitter"]).tolist() == [False]


def test_many_rows_together_say_the_same_as_one_by_one():
    meter = StreamMeter()
    packets = [
        p
        for ssrc, payload_type in enumerate((8, 0, 18, 3, 4, 9, 97))
        for gone in ((), (5,), (5, 6, 20))
        for i, p in enumerate(stream(60, ssrc=100 * ssrc + len(gone), payload_type=payload_type))
        if i not in gone
    ]
    feed_capture(io.BytesIO(rtp_pcap(packets)), meter, "x")
    for plc in (True, False):
        together = streams_fields(meter.snapshot(), meter.names, plc=plc)
        alone = {f["ssrc"]: f for f in (stream_fields(row, meter.names, plc=plc) for row in meter.snapshot())}
        assert len(together) == len(alone) == 21
        for fields in together:
            other = alone[fields["ssrc"]]
            assert (fields["r_lq"] is None) == (other["r_lq"] is None)
            if fields["r_lq"] is not None:
                assert fields["r_lq"] == pytest.approx(other["r_lq"], abs=1e-9)
                assert fields["mos_lq"] == pytest.approx(other["mos_lq"], abs=1e-9)
            for name in fields.keys() - {"r_lq", "mos_lq"}:
                assert fields[name] == other[name], name


def test_every_field_is_documented():
    meter = StreamMeter()
    feed_capture(io.BytesIO(rtp_pcap(stream(5))), meter, "x")
    (fields,) = streams_fields(meter.snapshot())
    words = (Path(__file__).parents[2] / "docs" / "media.md").read_text(encoding="utf-8")
    assert [name for name in fields if f"`{name}`" not in words] == []
