"""Jitter, and what payload types have to do with it: on the C kernel and on the plain Python reference."""

import struct
from dataclasses import replace

import pytest

from probes.media.payload import announced
from tests.media_captures import DST, SRC, START_NS, ethernet, frame, pcap, rtp_pcap, stream, udp4
from tests.media_meters import BOTH, fields_of, one


@pytest.fixture(params=BOTH)
def meter(request):
    return request.param()


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
