"""Every figure of the meter, on the C kernel and on the plain Python reference."""

import io
import struct
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from probes.media import reference, reference_capture
from probes.media.capture import feed_capture, meter_file
from probes.media.errors import CaptureError
from probes.media.meter import StreamMeter
from probes.media.payload import announced
from probes.media.report import stream_fields, streams_fields
from tests.media_captures import DST, SRC, START_NS, Rtp, ethernet, frame, pcap, rtp_pcap, stream, udp4


class CMeter:
    def __init__(self):
        self.meter = StreamMeter()

    def feed(self, data):
        return feed_capture(io.BytesIO(data), self.meter, "test.pcap").warning is not None


class Reference:
    def __init__(self):
        self.meter = reference.ReferenceMeter()

    def feed(self, data):
        return reference_capture.feed_capture(self.meter, data).warning is not None


@pytest.fixture(params=[CMeter, Reference])
def meter(request):
    return request.param()


def fields_of(meter, data):
    meter.feed(data)
    rows = meter.meter.snapshot()
    rows = rows[rows.argsort(order=("start_ns", "ssrc"))]
    return [stream_fields(row, meter.meter.names) for row in rows]


def one(meter, packets):
    (fields,) = fields_of(meter, rtp_pcap(packets))
    return fields


def test_perfect_stream(meter):
    fields = one(meter, stream(100))
    assert fields["src"] == "10.9.0.1:20000"
    assert fields["dst"] == "10.9.0.2:30000"
    assert (fields["ssrc"], fields["payload_type"], fields["codec"], fields["clock_rate"]) == (
        "0x00001234",
        8,
        "PCMA",
        8000,
    )
    assert (fields["packets"], fields["expected"], fields["lost"], fields["bytes"]) == (100, 100, 0, 17_200)
    assert fields["jitter_max_seconds"] == 0.0
    assert fields["loss_ratio"] == 0.0
    assert fields["burst_ratio"] is None  # no loss, no bursts to compare
    assert fields["mos_lq"] == pytest.approx(4.4094, abs=1e-4)
    assert fields["discarded"] == 0
    assert fields["start"] == "2023-11-14T22:13:20.000000Z"
    assert fields["end"] == "2023-11-14T22:13:21.980000Z"
    assert fields["largest_gap_seconds"] == 0.02


def test_loss_runs_and_burst_ratio(meter):
    gone = {10, 50, 51, 52, 80}
    fields = one(meter, [p for i, p in enumerate(stream(100)) if i not in gone])
    assert (fields["expected"], fields["lost"], fields["loss_run_max"]) == (100, 5, 3)
    assert fields["loss_ratio"] == 0.05
    assert fields["burst_ratio"] == pytest.approx(5 / 3 * 0.95)  # mean run over 1 / (1 - p)


def test_rfc3611_bursts(meter):
    # 30, 40 and 55 are less than Gmin received packets apart, 100 is alone, 170 and 171 are a burst of their own.
    gone = {30, 40, 55, 100, 170, 171}
    fields = one(meter, [p for i, p in enumerate(stream(300)) if i not in gone])
    assert fields["bursts"] == 2
    assert fields["burst_density"] == pytest.approx(5 / (26 + 2))
    assert fields["burst_packets_mean"] == 14
    assert fields["gap_density"] == pytest.approx(1 / (300 - 28))


def test_gmin_is_sixteen_received_packets(meter):
    apart = [p for i, p in enumerate(stream(100)) if i not in {30, 47}]  # sixteen between them
    assert one(meter, apart)["bursts"] == 0


def test_gmin_less_one_is_a_burst(meter):
    close = [p for i, p in enumerate(stream(100)) if i not in {30, 46}]  # fifteen between them
    assert one(meter, close)["bursts"] == 1


def test_duplicates_are_not_received_twice(meter):
    packets = stream(50)
    del packets[20]
    packets.insert(30, packets[29])
    packets.insert(40, packets[10])  # a late duplicate is a duplicate, not a reordered packet
    fields = one(meter, packets)
    assert (fields["duplicates"], fields["reordered"], fields["lost"], fields["lost_rfc3550"]) == (2, 0, 1, -1)


def test_a_late_packet_is_not_lost(meter):
    packets = stream(50)
    packets.insert(25, packets.pop(20))
    fields = one(meter, packets)
    assert (fields["reordered"], fields["lost"], fields["duplicates"]) == (1, 0, 0)


def test_older_than_the_first_lowers_the_base(meter):
    packets = stream(50)
    packets[0:3] = [packets[2], packets[0], packets[1]]
    fields = one(meter, packets)
    assert (fields["expected"], fields["lost"], fields["reordered"], fields["duplicates"]) == (50, 0, 2, 0)


def test_sequence_and_timestamp_wrap(meter):
    packets = stream(1000, first=65_000, timestamp=2**32 - 80_000)
    del packets[535:537]  # around 65535
    fields = one(meter, packets)
    assert (fields["expected"], fields["lost"], fields["restarts"]) == (1000, 2, 0)
    assert fields["jitter_max_seconds"] == pytest.approx(0, abs=1e-12)


def test_sequence_wraps_many_times(meter):
    packets = [Rtp(START_NS + i * 1_000_000, i, i * 8, size=0) for i in range(140_000) if i % 1000]
    fields = one(meter, packets)
    assert (fields["packets"], fields["expected"], fields["lost"]) == (139_860, 139_999, 139)
    assert fields["loss_run_max"] == 1


def test_wrap_before_the_base(meter):
    packets = stream(20, first=65_534)
    packets[0:4] = [packets[2], packets[3], packets[0], packets[1]]
    fields = one(meter, packets)
    assert (fields["expected"], fields["lost"], fields["reordered"]) == (20, 0, 2)


def test_restart_of_the_same_source(meter):
    before, after = stream(100), stream(100, first=40_000, timestamp=9_000_000)
    after = [replace(p, at_ns=p.at_ns + 5_000_000_000) for p in after if p.sequence != 40_050]
    fields = one(meter, before + after)
    assert (fields["packets"], fields["expected"], fields["lost"]) == (199, 200, 1)
    assert (fields["restarts"], fields["strays"]) == (1, 0)
    assert fields["jitter_max_seconds"] == pytest.approx(0, abs=1e-12)  # the clocks of two lives are not compared


def test_long_outage_is_loss_not_restart(meter):
    packets = stream(10_000)
    fields = one(meter, packets[:2000] + packets[7000:])
    assert (fields["lost"], fields["restarts"], fields["loss_run_max"]) == (5000, 0, 5000)
    assert fields["largest_gap_seconds"] == pytest.approx(100.02)


def test_a_stray_packet_disturbs_nothing(meter):
    packets = stream(100)
    packets.insert(50, replace(packets[50], sequence=30_000))
    fields = one(meter, packets)
    assert (fields["packets"], fields["strays"], fields["expected"], fields["lost"]) == (101, 1, 100, 0)
    assert (fields["duplicates"], fields["reordered"], fields["restarts"]) == (0, 0, 0)


def test_probation(meter):
    """RFC 3550 A.1: one packet, or packets never in sequence, are no stream; then all count, the first too."""
    assert fields_of(meter, rtp_pcap(stream(1))) == []
    assert fields_of(meter, rtp_pcap(stream(20, ssrc=77)[::2])) == []
    late = stream(20, ssrc=78)
    del late[1:3]
    (fields,) = fields_of(meter, rtp_pcap(late))
    assert (fields["packets"], fields["lost"]) == (18, 2)


def test_jitter_by_hand(meter):
    """RFC 3550 A.8 in double precision: |D| of 3, 3 and 1 ms."""
    shifts = [0, 3_000_000, 0, 1_000_000]
    packets = [replace(p, at_ns=p.at_ns + shift) for p, shift in zip(stream(4), shifts, strict=True)]
    fields = one(meter, packets)
    j1 = 3 / 16
    j2 = j1 + (3 - j1) / 16
    j3 = j2 + (1 - j2) / 16
    assert fields["jitter_seconds"] == pytest.approx(j3 / 1000)
    assert fields["jitter_mean_seconds"] == pytest.approx((j1 + j2 + j3) / 3000)
    assert fields["jitter_max_seconds"] == pytest.approx(max(j1, j2, j3) / 1000)


def test_markers_count_for_jitter_but_not_its_mean(meter):
    packets = stream(3)
    packets[1] = replace(packets[1], at_ns=packets[1].at_ns + 16_000_000, marker=True)
    fields = one(meter, packets)
    after_marker = 1 + (16 - 1) / 16
    assert fields["jitter_mean_seconds"] == pytest.approx(after_marker / 1000)


def test_timestamp_jump_at_talk_spurt_costs_no_loss(meter):
    packets = [replace(p, at_ns=p.at_ns + 3_000_000_000, timestamp=p.timestamp + 24_000) for p in stream(100)[50:]]
    packets[0] = replace(packets[0], marker=True)
    fields = one(meter, stream(100)[:50] + packets)
    assert (fields["lost"], fields["expected"]) == (0, 100)
    assert fields["jitter_max_seconds"] == pytest.approx(0, abs=1e-12)
    assert fields["largest_gap_seconds"] == pytest.approx(3.02)


def test_comfort_noise_stays_out_of_jitter(meter):
    packets = stream(100)
    packets[40] = replace(packets[40], payload_type=13, at_ns=packets[40].at_ns + 9_000_000)
    fields = one(meter, packets)
    assert (fields["comfort_noise"], fields["lost"], fields["payload_type"]) == (1, 0, 8)
    assert fields["jitter_max_seconds"] == pytest.approx(0, abs=1e-12)
    assert fields["payload_type_changes"] == 0


def _events(payload_type):
    """Digits inside a stream: timestamps stand still and ends repeat (RFC 4733)."""
    packets = stream(100)
    for i in range(40, 50):
        packets[i] = replace(packets[i], payload_type=payload_type, timestamp=packets[40].timestamp, size=4)
    return packets


def test_events_stay_out_of_jitter(meter):
    meter.meter.announce(DST[0], DST[1], [announced(8, "PCMA", 8000), announced(101, "telephone-event", 8000)])
    fields = one(meter, _events(101))
    assert (fields["events"], fields["lost"], fields["codec"], fields["packets"]) == (10, 0, "PCMA", 100)
    assert fields["jitter_max_seconds"] == pytest.approx(0, abs=1e-12)


def test_events_of_another_clock_leave_the_chain_whole(meter):
    meter.meter.announce(DST[0], DST[1], [announced(96, "opus", 48000), announced(101, "telephone-event", 8000)])
    packets = [replace(p, payload_type=96, timestamp=p.timestamp * 6) for p in stream(100)]
    packets[50] = replace(packets[50], payload_type=101)
    packets[70] = replace(packets[70], at_ns=packets[70].at_ns + 8_000_000)
    fields = one(meter, packets)
    assert (fields["codec"], fields["clock_rate"], fields["mos_lq"]) == ("opus", 48000, None)
    assert fields["jitter_max_seconds"] == pytest.approx((0.5 + (8 - 0.5) / 16) / 1000)


def test_dynamic_type_without_sdp_has_no_jitter(meter):
    fields = one(meter, [replace(p, payload_type=97) for p in stream(50)])
    assert (fields["payload_type"], fields["codec"], fields["clock_rate"]) == (97, None, None)
    assert fields["jitter_mean_seconds"] is None
    assert fields["mos_lq"] is None
    assert fields["loss_ratio"] == 0.0


def _sip(body, start=b"INVITE sip:x@y SIP/2.0"):
    head = start + b"\r\nContent-Type: application/sdp\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n"
    return (START_NS - 1_000_000, ethernet(udp4((SRC[0], 5060), (DST[0], 5060), head + body)))


def test_sdp_in_the_capture_names_the_codec(meter):
    body = f"v=0\r\nc=IN IP4 {DST[0]}\r\nm=audio {DST[1]} RTP/AVP 97\r\na=rtpmap:97 speex/16000\r\n".encode()
    packets = [replace(p, payload_type=97, timestamp=p.timestamp * 2) for p in stream(50)]
    (fields,) = fields_of(meter, pcap([_sip(body, b"SIP/2.0 183 Session Progress"), *map(frame, packets)]))
    assert (fields["codec"], fields["clock_rate"]) == ("speex", 16000)
    assert fields["jitter_max_seconds"] == pytest.approx(0, abs=1e-12)


def test_own_sdp_serves_where_the_peers_is_missing(meter):
    body = f"v=0\r\nc=IN IP4 {SRC[0]}\r\nm=audio {SRC[1]} RTP/AVP 97\r\na=rtpmap:97 iLBC/8000\r\n".encode()
    packets = [replace(p, payload_type=97) for p in stream(50)]
    (fields,) = fields_of(meter, pcap([_sip(body), *map(frame, packets)]))
    assert fields["codec"] == "iLBC"


def test_a_later_call_on_the_same_port_has_its_own_types(meter):
    def offer(codec):
        return f"v=0\r\nc=IN IP4 {DST[0]}\r\nm=audio {DST[1]} RTP/AVP 97\r\na=rtpmap:97 {codec}\r\n".encode()

    first = [replace(p, payload_type=97, timestamp=p.timestamp * 2) for p in stream(50)]
    second = [replace(p, payload_type=97, ssrc=9, at_ns=p.at_ns + 10**10) for p in stream(50)]
    frames = [_sip(offer("speex/16000")), *map(frame, first), _sip(offer("iLBC/8000")), *map(frame, second)]
    codecs = [(f["codec"], f["clock_rate"], f["jitter_max_seconds"]) for f in fields_of(meter, pcap(frames))]
    assert codecs == [("speex", 16000, 0.0), ("iLBC", 8000, 0.0)]


def test_g722_clock_is_8000_and_opus_48000():
    assert announced(9, "G722", 16000).clock_rate == 8000
    assert announced(96, "opus", 16000).clock_rate == 48000


def test_rtcp_on_the_same_port_is_told_apart(meter):
    frames = list(map(frame, stream(50)))
    for kind in (200, 201, 202, 203, 204, 207):
        frames.insert(10, (START_NS, ethernet(udp4(SRC, DST, struct.pack("!BBHI", 0x81, kind, 6, 0x1234) + bytes(20)))))
    (fields,) = fields_of(meter, pcap(frames))
    assert (fields["packets"], fields["strays"], fields["payload_type"]) == (50, 0, 8)


def test_streams_are_told_apart_by_every_part_of_the_key(meter):
    variants = [{}, {"ssrc": 5}, {"src": ("10.9.0.9", 20000)}, {"src": ("10.9.0.1", 20002)}, {"dst": (DST[0], 30002)}]
    packets = sorted((p for fields in variants for p in stream(30, **fields)), key=lambda p: p.at_ns)
    assert [f["packets"] for f in fields_of(meter, rtp_pcap(packets))] == [30] * 5


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("nanoseconds", [True, False])
def test_byte_orders_and_resolutions(meter, order, nanoseconds):
    packets = [replace(p, at_ns=p.at_ns + 1_234_567 * (i % 2)) for i, p in enumerate(stream(20))]
    (fields,) = fields_of(meter, rtp_pcap(packets, order=order, nanoseconds=nanoseconds))
    exact = 0.021234567 if nanoseconds else 0.021234
    assert fields["largest_gap_seconds"] == pytest.approx(exact, abs=1e-12)
    assert fields["packets"] == 20


def test_link_layers(meter):
    packets = stream(20)
    vlan = [(p.at_ns, ethernet(udp4(p.src, p.dst, p.payload()), vlans=2)) for p in packets]
    null = [(p.at_ns, b"\x02\0\0\0" + udp4(p.src, p.dst, p.payload())) for p in packets]
    assert fields_of(meter, pcap(vlan))[0]["lost"] == 0
    assert fields_of(meter, pcap(null, link_type=0))[0]["packets"] == 40  # the same meter goes on
    assert fields_of(meter, pcap(null, link_type=108))[0]["packets"] == 60


@pytest.mark.parametrize(
    ("link_type", "header"),
    [
        (101, b""), (12, b""), (228, b""), (113, bytes(14) + b"\x08\x00"), (276, b"\x08\x00" + bytes(18)),
        (1, bytes(12) + b"\x08\x00"),
    ],
)  # fmt: skip
def test_link_layers_of_the_c_reader(link_type, header):
    meter = CMeter()
    frames = [(p.at_ns, header + udp4(p.src, p.dst, p.payload())) for p in stream(20)]
    (fields,) = fields_of(meter, pcap(frames, link_type=link_type))
    assert fields["packets"] == 20


def test_ipv6(meter):
    def ip6(payload):
        udp = struct.pack("!HHHH", 20000, 30000, 8 + len(payload), 0) + payload
        addresses = bytes.fromhex("20010db8" + "00" * 11 + "01" + "20010db8" + "00" * 11 + "02")
        return struct.pack("!IHBB", 6 << 28, len(udp), 17, 64) + addresses + udp

    frames = [(p.at_ns, ethernet(ip6(p.payload()), ethertype=0x86DD)) for p in stream(20)]
    (fields,) = fields_of(meter, pcap(frames))
    assert (fields["src"], fields["packets"]) == ("[2001:db8::1]:20000", 20)


def test_snapped_packets_are_metered_by_their_headers(meter):
    (fields,) = fields_of(meter, rtp_pcap(stream(50), snaplen=54))
    assert (fields["packets"], fields["bytes"]) == (50, 50 * 172)


def test_padding_of_short_frames_is_not_payload(meter):
    frames = [(p.at_ns, frame(p)[1] + bytes(6)) for p in stream(10, size=0)]
    (fields,) = fields_of(meter, pcap(frames))
    assert fields["bytes"] == 120


def test_later_fragments_are_not_read_as_udp(meter):
    frames = list(map(frame, stream(20)))
    fragment = bytearray(frames[5][1])
    fragment[14 + 6 : 14 + 8] = b"\x00\x10"
    frames.insert(6, (frames[5][0], bytes(fragment)))
    (fields,) = fields_of(meter, pcap(frames))
    assert (fields["packets"], fields["duplicates"]) == (20, 0)


@pytest.mark.parametrize("cut", [1, 15, 17, 100])
def test_truncated_file_is_read_as_far_as_it_is_whole(meter, cut):
    data = rtp_pcap(stream(50))
    record = len(frame(stream(1)[0])[1]) + 16
    assert meter.feed(data[: 24 + 30 * record + cut]) is True
    (row,) = meter.meter.snapshot()
    assert row["packets"] == 30


def test_whole_file_has_no_warning(meter):
    assert meter.feed(rtp_pcap(stream(50))) is False
    assert meter.feed(rtp_pcap([])) is False


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"\xd4\xc3\xb2\xa1", b"\x0a\x0d\x0d\x0a" + bytes(60), b"\x1f\x8b" + bytes(60)]
)
def test_what_is_no_pcap_is_refused(meter, data):
    with pytest.raises(CaptureError):
        meter.feed(data)


def test_impossible_record_ends_the_reading_with_a_warning(meter):
    data = rtp_pcap(stream(5)) + struct.pack("<IIII", 1, 1, 0x7FFFFFFF, 0x7FFFFFFF) + bytes(100)
    assert meter.feed(data) is True
    assert meter.meter.snapshot()["packets"].tolist() == [5]


def test_unknown_link_type_is_named():
    with pytest.raises(CaptureError, match="link type 127"):
        CMeter().feed(pcap([], link_type=127))


def test_file_is_read_in_pieces(tmp_path):
    path = tmp_path / "x.pcap"
    path.write_bytes(rtp_pcap(stream(3000)))
    seen = []
    meter = StreamMeter()
    assert meter_file(path, meter, seen.append).warning is None
    assert meter.snapshot()["packets"].tolist() == [3000]
    assert len(seen) > 2
    assert seen[-1] == path.stat().st_size
    assert all(a < b for a, b in pairwise(seen))


class _Pipe(io.RawIOBase):
    """Gives a few octets at a time, as a pipe may."""

    def __init__(self, data, most):
        self._data, self._most = io.BytesIO(data), most

    def readable(self):
        return True

    def readinto(self, buffer):
        return self._data.readinto(memoryview(buffer)[: self._most])


@pytest.mark.parametrize("most", [1, 23, 1000])
def test_a_pipe_that_drips(most):
    meter = StreamMeter()
    assert feed_capture(_Pipe(rtp_pcap(stream(100)), most), meter, "x").warning is None
    assert meter.snapshot()["packets"].tolist() == [100]


def test_records_larger_than_a_piece():
    meter = StreamMeter()
    large = (START_NS, ethernet(bytes(900_000), ethertype=0x88B5))
    frames = [item for p in stream(10) for item in (large, frame(p))]
    assert feed_capture(io.BytesIO(pcap(frames, snaplen=1 << 20)), meter, "x").warning is None
    assert meter.snapshot()["packets"].tolist() == [10]


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
