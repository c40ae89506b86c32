"""RTCP: known answers by hand, through the C meter and the plain Python reference alike."""

import io
import json
import random
import struct

import pytest

from probes.media.capture import feed_capture
from probes.media.meter import StreamMeter
from probes.media.reference_rtcp import ReferenceRtcp, Way
from probes.media.rtcp import rtcp_fields, rtcp_rows
from probes.media.sdp import packed
from tests.media_captures import START_NS, ethernet, frame, pcap, stream, udp4
from tests.rtcp_packets import block, bye, dlrr, packet, reference_time, rr, sdes, sr, srtcp, statistics, voip, xr

A, B = ("10.0.0.1", 20000), ("10.0.0.2", 30000)
A_RTCP, B_RTCP = ("10.0.0.1", 20001), ("10.0.0.2", 30001)
SSRC, THEIRS = 0xABC, 0xDEF
NTP = (START_NS // 10**9 + 2_208_988_800) << 32
MS = 1_000_000


def middle(ntp):
    return ntp >> 16 & 0xFFFFFFFF


def units(seconds):
    return round(seconds * 65536)


def same(told, expected):
    """Equal, and numbers to a nanosecond."""
    if isinstance(expected, dict):
        return (
            isinstance(told, dict) and told.keys() == expected.keys() and all(same(told[k], expected[k]) for k in told)
        )
    if isinstance(expected, float) and told is not None:
        return abs(told - expected) <= 2e-9 + 1e-9 * abs(expected)
    return told == expected


class Seen:
    """Datagrams given to both decoders, and a stream of media from A to B (PCMA) to join them to."""

    def __init__(self, *datagrams, media=True, snaplen=65535, src=A, dst=B):
        self.reference = ReferenceRtcp()
        frames = [frame(p) for p in stream(100, src=src, dst=dst, ssrc=SSRC)] if media else []
        for at_ns, source, target, data in datagrams:
            frames.append((START_NS + at_ns, ethernet(udp4(source, target, data))))
        for at_ns, source, target, data in sorted(datagrams, key=lambda one: one[0]):
            self.reference.take(START_NS + at_ns, packed(source[0]), source[1], packed(target[0]), target[1], data)
        frames.sort(key=lambda one: one[0])
        self.meter = StreamMeter()
        feed_capture(io.BytesIO(pcap(frames, snaplen=snaplen)), self.meter, "made")
        self.counters = self.meter.core.rtcp_counters()

    def fields(self):
        """Of the media stream, by C; the reference has said the same."""
        (row,) = self.meter.snapshot()
        told = rtcp_fields(self.meter.core, row.tobytes())
        way = Way(SSRC, packed(A[0]), packed(B[0]), A[1], B[1])
        expected = self.reference.fields(way, 8000) if way in self.reference.said else None
        assert same(told, expected), (told, expected)
        return told


def from_a(at_ms, data):
    return at_ms * MS, A_RTCP, B_RTCP, data


def from_b(at_ms, data):
    return at_ms * MS, B_RTCP, A_RTCP, data


def test_sender_report():
    told = Seen(
        from_a(10, sr(SSRC, NTP + (1 << 30), 8000, 10, 1600) + sdes(SSRC)),
        from_a(5010, sr(SSRC, NTP + (1 << 30) + (5 << 32), 8000 + 40000, 260, 41600) + sdes(SSRC)),
    ).fields()
    assert (told["sender_reports"], told["sender_packets"], told["sender_octets"]) == (2, 260, 41600)
    assert told["sender_clock_rate"] == 8000
    assert told["sender_clock_offset_seconds"] == pytest.approx(0.24)
    assert told["reports"] == 0
    assert told["lost"] is told["loss_ratio_last"] is told["jitter_last_seconds"] is told["voip"] is None
    assert told["round_trips"] == 0
    assert told["round_trip_mean_seconds"] is None


def test_reports_of_the_far_end():
    told = Seen(
        from_b(1000, rr(THEIRS, block(SSRC, fraction=64, lost=5, highest=0x1_0010, jitter=80))),
        from_b(2000, rr(THEIRS, block(SSRC, fraction=0, lost=-2, highest=0x1_0020, jitter=16))),
    ).fields()
    assert (told["reports"], told["lost"], told["highest_sequence"]) == (2, -2, 0x1_0020)
    assert (told["loss_ratio_last"], told["loss_ratio_mean"], told["loss_ratio_max"]) == (0, 0.125, 0.25)
    assert (told["jitter_last_seconds"], told["jitter_mean_seconds"], told["jitter_max_seconds"]) == (
        0.002, 0.006, 0.01,
    )  # fmt: skip
    assert told["sender_reports"] == 0
    assert told["sender_packets"] is None


def test_jitter_of_an_unknown_clock_is_unknown():
    meter = StreamMeter()
    frames = [frame(p) for p in stream(9, src=A, dst=B, ssrc=SSRC, payload_type=96)]
    frames.append((START_NS + 10**9, ethernet(udp4(B_RTCP, A_RTCP, rr(THEIRS, block(SSRC, jitter=80, lost=1))))))
    feed_capture(io.BytesIO(pcap(frames)), meter, "made")
    told = rtcp_fields(meter.core, meter.snapshot()[0].tobytes())
    assert told is not None
    assert told["lost"] == 1
    assert told["jitter_last_seconds"] is None


def test_round_trip_between_the_capture_and_the_reporter():
    """SR passes at 100 ms and 5100 ms; B answers 40 and 60 ms (and its own delay) after."""
    later = NTP + (5 << 32)
    told = Seen(
        from_a(100, sr(SSRC, NTP, 0)),
        from_b(1140, rr(THEIRS, block(SSRC, lsr=middle(NTP), dlsr=units(1)))),
        from_a(5100, sr(SSRC, later, 40000)),
        from_b(7660, sr(THEIRS, NTP, 0, blocks=(block(SSRC, lsr=middle(later), dlsr=units(2.5)),))),
    ).fields()
    assert told["round_trips"] == 2
    assert told["round_trip_min_seconds"] == pytest.approx(0.04)
    assert told["round_trip_max_seconds"] == told["round_trip_last_seconds"] == pytest.approx(0.06)
    assert told["round_trip_mean_seconds"] == pytest.approx(0.05)


def test_round_trip_that_cannot_be():
    """A reporter that says it waited longer than was: not counted beyond the noise of clocks, zero within."""
    told = Seen(
        from_a(0, sr(SSRC, NTP, 0)),
        from_b(1000, rr(THEIRS, block(SSRC, lsr=middle(NTP), dlsr=units(1.2)))),
        from_b(2000, rr(THEIRS, block(SSRC, lsr=middle(NTP), dlsr=units(2.0005)))),
        from_b(3000, rr(THEIRS, block(SSRC, lsr=0, dlsr=0))),
        from_b(4000, rr(THEIRS, block(SSRC, lsr=12345, dlsr=10))),
    ).fields()
    assert (told["reports"], told["round_trips"], told["round_trips_refused"]) == (4, 1, 1)
    assert told["round_trip_last_seconds"] == 0


def test_an_answer_may_come_by_other_ports():
    """Of both directions through one port each (RFC 5761), or from a port that nobody announced."""
    for source in (B, ("10.0.0.2", 41234)):
        seen = Seen(
            (0, A, B, sr(SSRC, NTP, 0)),
            (540 * MS, source, A, rr(THEIRS, block(SSRC, lsr=middle(NTP), dlsr=units(0.5), lost=7))),
        )
        (row,) = seen.meter.snapshot()
        told = rtcp_fields(seen.meter.core, row.tobytes())
        assert told is not None
        assert (told["sender_reports"], told["lost"], told["round_trips"]) == (1, 7, 1)
        assert told["round_trip_last_seconds"] == pytest.approx(0.04)
        assert row["packets"] == 100


def test_streams_of_one_ssrc_between_two_hosts_keep_apart():
    """As through a relay that keeps SSRCs: the ports decide."""
    other_a, other_b = ("10.0.0.1", 22000), ("10.0.0.2", 32000)
    frames = [frame(p) for p in stream(20, src=A, dst=B, ssrc=SSRC)]
    frames += [frame(p) for p in stream(20, src=other_a, dst=other_b, ssrc=SSRC)]
    said = [(B_RTCP, A_RTCP, 1), (("10.0.0.2", 32001), ("10.0.0.1", 22001), 2)]
    frames += [
        (START_NS + 10**9, ethernet(udp4(src, dst, rr(THEIRS, block(SSRC, lost=lost))))) for src, dst, lost in said
    ]
    meter = StreamMeter()
    feed_capture(io.BytesIO(pcap(sorted(frames, key=lambda one: one[0]))), meter, "made")
    told = {int(row["src_port"]): rtcp_fields(meter.core, row.tobytes()) for row in meter.snapshot()}
    assert {port: fields and fields["lost"] for port, fields in told.items()} == {20000: 1, 22000: 2}


def test_captured_twice_counts_once():
    report = from_b(1000, rr(THEIRS, block(SSRC, fraction=1, lost=5, lsr=middle(NTP), dlsr=units(0.5))))
    sender = from_a(0, sr(SSRC, NTP, 0))
    again = [(at + MS // 5, src, dst, data) for at, src, dst, data in (report, sender)]
    told = Seen(sender, report, *again).fields()
    assert (told["sender_reports"], told["reports"], told["round_trips"]) == (1, 1, 1)


def test_bye():
    told = Seen(from_a(1900, rr(SSRC) + sdes(SSRC) + bye(SSRC, 5, reason='Adiós "todos"\n'.encode()))).fields()
    assert (told["bye"], told["bye_reason"]) == (True, 'Adiós "todos"\n')
    assert Seen(from_a(1900, rr(SSRC) + bye(SSRC))).fields()["bye_reason"] is None
    assert Seen(from_a(1900, rr(SSRC) + bye(SSRC, reason=b"\xff\xfe"))).fields()["bye_reason"] is None
    assert Seen(from_a(1900, rr(SSRC) + bye(SSRC, reason=b"x" * 63 + "é".encode()))).fields()["bye_reason"] == "x" * 63


def test_names_are_not_kept():
    seen = Seen(from_a(10, sr(SSRC, NTP, 0) + sdes(SSRC, b"alice@example.com")), from_b(20, rr(THEIRS, block(SSRC))))
    assert "alice" not in json.dumps([row.fields for row in rtcp_rows(seen.meter.core)])
    assert [(row.src, row.dst, row.ssrc) for row in rtcp_rows(seen.meter.core)] == [
        ("10.0.0.1:20000", "10.0.0.2:30000", SSRC)
    ]


def test_voip_metrics():
    values = (13, 26, 128, 5, 240, 4000, 180, 95, -21, -60, 55, 16, 88, 127, 41, 39, 0b11_11_0101, 60, 80, 200)
    told = Seen(from_b(1000, rr(THEIRS) + xr(THEIRS, voip(SSRC, *values)))).fields()["voip"]
    assert told == {
        "reports": 1,
        "loss_ratio": 13 / 256,
        "discard_ratio": 26 / 256,
        "burst_density": 0.5,
        "gap_density": 5 / 256,
        "burst_duration_seconds": 0.24,
        "gap_duration_seconds": 4.0,
        "round_trip_seconds": 0.18,
        "end_system_delay_seconds": 0.095,
        "signal_level_dbm0": -21,
        "noise_level_dbm0": -60,
        "residual_echo_return_loss_db": 55,
        "gmin": 16,
        "r_factor": 88,
        "external_r_factor": None,
        "mos_lq": 4.1,
        "mos_cq": 3.9,
        "concealment": "standard",
        "jitter_buffer_adaptive": True,
        "jitter_buffer_nominal_seconds": 0.06,
        "jitter_buffer_max_seconds": 0.08,
        "jitter_buffer_absolute_max_seconds": 0.2,
    }


def test_voip_metrics_that_are_unavailable_or_out_of_range():
    unknown = (0, 0, 0, 0, 0, 0, 0, 0, 127, 127, 127, 16, 127, 127, 127, 127, 0, 0, 0, 0)
    told = Seen(from_b(1000, xr(THEIRS, voip(SSRC, *unknown)))).fields()["voip"]
    names = ("signal_level_dbm0", "noise_level_dbm0", "residual_echo_return_loss_db", "r_factor", "mos_lq", "mos_cq")
    assert {told[name] for name in (*names, "round_trip_seconds", "concealment", "jitter_buffer_adaptive")} == {None}
    wrong = (*unknown[:12], 101, 255, 9, 51, 0, 0, 0, 0)
    told = Seen(from_b(1000, xr(THEIRS, voip(SSRC, *wrong)))).fields()["voip"]
    assert {told[name] for name in ("r_factor", "external_r_factor", "mos_lq", "mos_cq")} == {None}


def test_statistics_summary():
    jitter = [8, 80, 16, 4]
    whole = statistics(SSRC, 0xE0, begin=1000, end=1100, lost=7, duplicates=2, jitter=jitter)
    told = Seen(from_b(1000, xr(THEIRS, whole))).fields()["statistics"]
    assert told == {
        "reports": 1,
        "begin_sequence": 1000,
        "end_sequence": 1100,
        "lost": 7,
        "duplicates": 2,
        "jitter_min_seconds": 0.001,
        "jitter_max_seconds": 0.01,
        "jitter_mean_seconds": 0.002,
        "jitter_deviation_seconds": 0.0005,
    }
    nothing = statistics(SSRC, 0, begin=1000, end=1100, lost=7, duplicates=2, jitter=jitter)
    told = Seen(from_b(1000, xr(THEIRS, nothing))).fields()["statistics"]
    assert (told["lost"], told["duplicates"], told["jitter_max_seconds"]) == (None, None, None)


def test_round_trip_by_reference_time():
    """A receiver that sends no SR asks with XR (RFC 3611 section 4.4) and is answered with DLRR."""
    told = Seen(
        from_a(0, rr(SSRC) + xr(SSRC, reference_time(NTP))),
        from_b(330, rr(THEIRS) + xr(THEIRS, dlrr((7, 1, 1), (SSRC, middle(NTP), units(0.3))))),
    ).fields()
    assert told["round_trips"] == 1
    assert told["round_trip_last_seconds"] == pytest.approx(0.03, abs=1e-4)


def test_reduced_size_feedback_and_others_are_passed_over():
    feedback = packet(205, 1, struct.pack("!III", THEIRS, SSRC, 0x10000))
    application = packet(204, 0, struct.pack("!I4s", THEIRS, b"pink"))
    unheard_of = packet(211, 3, bytes(8))
    seen = Seen(
        from_b(10, feedback),
        from_b(20, feedback + application + unheard_of + rr(THEIRS, block(SSRC, lost=3))),
        from_b(30, packet(201, 1, struct.pack("!I", THEIRS) + block(SSRC, lost=4), padding=8)),
    )
    assert (seen.counters["whole"], seen.counters["damaged"]) == (3, 0)
    assert seen.fields()["lost"] == 4


@pytest.mark.parametrize(
    "data",
    [
        rr(THEIRS, block(SSRC))[:-4],
        rr(THEIRS, block(SSRC)) + b"\0\0\0\0",
        rr(THEIRS, block(SSRC)) + b"\0",
        packet(201, 2, struct.pack("!I", THEIRS) + block(SSRC)),
        packet(201, 1, struct.pack("!I", THEIRS) + block(SSRC), padding=4) + sdes(THEIRS),
        packet(200, 0, struct.pack("!I", THEIRS)),
        packet(201, 0, b""),
        packet(203, 1, struct.pack("!IB3s", SSRC, 9, b"abc")),
        packet(207, 0, struct.pack("!IBBH", THEIRS, 7, 0, 8)),
        packet(207, 0, struct.pack("!IBBHI", THEIRS, 5, 0, 1, SSRC)),
        b"\x80\xc9",
    ],
)  # fmt: skip
def test_damaged(data):
    seen = Seen(from_b(10, data))
    assert (seen.counters["damaged"], seen.counters["whole"]) == (1, 0) == (seen.reference.counters["damaged"], 0)
    assert seen.fields() is None


@pytest.mark.parametrize("tag", [10, 4])
@pytest.mark.parametrize("index", [1, 7, 70000])
def test_srtcp_is_counted_and_not_read(tag, index):
    cipher = random.Random(index + tag).randbytes(200)
    plain = sr(SSRC, NTP, 0, 10, 1600, (block(THEIRS, lost=1),)) + sdes(SSRC)
    seen = Seen(from_a(10, srtcp(plain, cipher, index, tag)), from_a(20, srtcp(rr(SSRC), cipher, index + 1, tag)))
    assert (seen.counters["encrypted"], seen.counters["damaged"], seen.counters["whole"]) == (2, 0, 0)
    told = seen.fields()
    assert (told["encrypted"], told["sender_reports"], told["sender_packets"]) == (2, 0, None)


def test_srtcp_with_gcm_or_without_cipher():
    cipher = random.Random(5).randbytes(200)
    plain = sr(SSRC, NTP, 0) + sdes(SSRC)
    gcm = plain[:8] + cipher[: len(plain) - 8 + 16] + struct.pack("!I", 0x80000003)
    seen = Seen(from_a(10, gcm), from_a(20, srtcp(plain, cipher, encrypted=False)))
    assert seen.counters["encrypted"] == 2
    assert seen.fields()["encrypted"] == 2


def test_snapped():
    """What is whole is read once the next header was seen; the rest is not guessed at."""
    compound = sr(SSRC, NTP, 0, 10, 1600) + sdes(SSRC)
    header = 14 + 20 + 8
    for at_hand, reports in ((28, None), (31, None), (32, 1), (40, 1)):
        seen = Seen(from_a(10, compound), snaplen=header + at_hand)
        (row,) = seen.meter.snapshot()
        told = rtcp_fields(seen.meter.core, row.tobytes())
        assert (told and told["sender_reports"]) == reports
        assert (seen.counters["snapped"], seen.counters["damaged"]) == (1, 0)
    secret = srtcp(compound, random.Random(1).randbytes(200))
    assert Seen(from_a(10, secret), snaplen=header + 40).counters["encrypted"] == 1


def test_ntp_of_2036_and_of_no_wall_clock():
    ahead = Seen(from_a(0, sr(SSRC, (NTP + (3 << 32)) % (1 << 64), 0))).fields()
    assert ahead["sender_clock_offset_seconds"] == pytest.approx(3)
    assert Seen(from_a(0, sr(SSRC, 77 << 32, 0))).fields()["sender_clock_offset_seconds"] is None
    assert Seen(from_a(0, sr(SSRC, 0, 0))).fields()["sender_clock_offset_seconds"] is None


def test_a_sender_that_begins_anew_measures_its_clock_anew():
    reports = [
        from_a(at * 1000, sr(SSRC, NTP + (at << 32), (base + at * 8000) & 0xFFFFFFFF))
        for at, base in ((0, 0), (1, 0), (2, 0), (3, 1 << 30), (4, 1 << 30), (5, 1 << 30))
    ]
    assert Seen(*reports).fields()["sender_clock_rate"] == pytest.approx(8000)


def test_the_table_is_bounded_and_swept():
    meter = StreamMeter(4)
    frames = [
        (START_NS + i * MS, ethernet(udp4(B_RTCP, A_RTCP, rr(THEIRS, block(1000 + i, lost=i))))) for i in range(50)
    ]
    feed_capture(io.BytesIO(pcap(frames)), meter, "made")
    counters = meter.core.rtcp_counters()
    assert (counters["whole"], counters["overflow"], len(rtcp_rows(meter.core))) == (50, 42, 8)
    assert meter.core.rtcp_sweep(START_NS + 3 * MS) == 3
    assert [row.ssrc for row in rtcp_rows(meter.core)] == [1003, 1004, 1005, 1006, 1007]
    assert meter.core.rtcp_sweep(START_NS + 99 * MS) == 5
    assert rtcp_rows(meter.core) == []


def test_many_ports_of_one_ssrc_do_not_slow_it_down():
    """Nobody can make the table long to search: beyond eight pairs of ports an SSRC's are taken as one."""
    frames = [
        (START_NS + i * MS, ethernet(udp4(("10.0.0.2", 1024 + 2 * i), A_RTCP, rr(THEIRS, block(SSRC, lost=i)))))
        for i in range(20000)
    ]
    meter = StreamMeter()
    feed_capture(io.BytesIO(pcap(frames)), meter, "made")
    assert len(rtcp_rows(meter.core)) == 8
    assert sum(row.fields["reports"] for row in rtcp_rows(meter.core)) == 20000


def test_ipv6():
    def udp6(src, dst, payload):
        udp = struct.pack("!HHHH", src[1], dst[1], 8 + len(payload), 0) + payload
        return struct.pack("!IHBB16s16s", 6 << 28, len(udp), 17, 64, packed(src[0]), packed(dst[0])) + udp

    a, b = ("2001:db8::1", 5005), ("2001:db8::2", 6005)
    frames = [
        (START_NS, ethernet(udp6(a, b, sr(SSRC, NTP, 0)), ethertype=0x86DD)),
        (START_NS + 50 * MS, ethernet(udp6(b, a, rr(THEIRS, block(SSRC, lsr=middle(NTP)))), ethertype=0x86DD)),
    ]
    meter = StreamMeter()
    feed_capture(io.BytesIO(pcap(frames)), meter, "made")
    (row,) = rtcp_rows(meter.core)
    assert (row.src, row.dst) == ("[2001:db8::1]:5004", "[2001:db8::2]:6004")
    assert row.fields["round_trip_last_seconds"] == pytest.approx(0.05)
