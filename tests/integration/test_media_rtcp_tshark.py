"""RTCP as tshark reads it: field by field, the C meter says the same."""

import io
import shutil
import struct
import subprocess

import pytest

from probes.media.capture import feed_capture
from probes.media.meter import StreamMeter
from probes.media.rtcp import rtcp_rows
from tests.media_captures import START_NS, ethernet, pcap, udp4
from tests.rtcp_packets import block, dlrr, reference_time, rr, sdes, sr, statistics, voip, xr

A, B = ("10.0.0.1", 5001), ("10.0.0.2", 6001)
NTP = (START_NS // 10**9 + 2_208_988_800) << 32
MS = 1_000_000
VOIP = (13, 26, 128, 5, 240, 4000, 180, 95, -21, -60, 55, 16, 88, 70, 41, 39, 0b10_11_0101, 60, 80, 200)
JITTER = [8, 80, 16, 4]


def call():
    """Twenty seconds between two ends 30 and 45 ms away from the capture, reports every five."""
    frames = []
    for number in range(4):
        at, ntp = number * 5000 * MS, NTP + (5 * number << 32) + 0x12345678
        middle = ntp >> 16 & 0xFFFFFFFF
        mine = block(2, fraction=number, lost=number, highest=900 + number, jitter=20 + number)
        frames.append((at, A, B, sr(1, ntp, 40000 * number, 250 * number, 40000 * number, (mine,)) + sdes(1)))
        theirs = block(
            1,
            fraction=3 * number,
            lost=number - 1,
            highest=0x10000 + number,
            jitter=40 * number,
            lsr=middle,
            dlsr=65536,
        )
        metrics = statistics(1, 0xE0, begin=5, end=9, lost=number, duplicates=2, jitter=JITTER)
        said = rr(2, theirs) + sdes(2) + xr(2, voip(1, *VOIP), metrics, reference_time(ntp))
        frames.append((at + (1045 + number) * MS, B, A, said))
        frames.append((at + 1500 * MS, A, B, rr(1) + xr(1, dlrr((2, middle, 27000)))))
    return pcap((START_NS + at, ethernet(udp4(src, dst, data))) for at, src, dst, data in frames)


def tshark(path, filter_, *names):
    """The values of fields of the packets that pass a filter, each a list of words."""
    if not shutil.which("tshark"):
        pytest.skip("tshark is not installed")
    fields = [word for name in names for word in ("-e", name)]
    options = ["-d", "udp.port==5001,rtcp", "-o", "rtcp.show_roundtrip_calculation:TRUE"]
    command = ["tshark", "-n", "-r", str(path), *options, "-Y", filter_, "-T", "fields", *fields]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [[cell.split(",") for cell in line.split("\t")] for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    data = call()
    path = tmp_path_factory.mktemp("rtcp") / "call.pcap"
    path.write_bytes(data)
    meter = StreamMeter()
    feed_capture(io.BytesIO(data), meter, "call")
    return path, {row.ssrc: row.fields for row in rtcp_rows(meter.core)}, meter


def test_every_packet_is_sound_to_both(both):
    path, _, meter = both
    checks = tshark(path, "rtcp", "rtcp.length_check")
    assert [check for (check,) in checks] == [["1"]] * 12
    assert meter.core.rtcp_counters()["whole"] == 12


def test_report_blocks(both):
    path, told, _ = both
    names = ["fraction", "cum_nr", "ext_high", "jitter"]
    reports = tshark(path, "udp.srcport == 6001 && rtcp.ssrc.fraction", *(f"rtcp.ssrc.{name}" for name in names))
    # XR blocks name their SSRC by the same fields: the report block's value comes first.
    fractions, lost, highest, jitter = ([int(row[column][0]) for row in reports] for column in range(4))
    assert told[1]["reports"] == len(reports) == 4
    assert told[1]["loss_ratio_max"] == max(fractions) / 256
    assert told[1]["loss_ratio_mean"] == sum(fractions) / 4 / 256
    assert (told[1]["lost"], told[1]["highest_sequence"]) == (lost[-1], highest[-1]) == (2, 0x10003)
    assert jitter == [0, 40, 80, 120]


def test_sender_reports(both):
    path, told, _ = both
    reports = tshark(path, "rtcp.pt == 200", "rtcp.sender.packetcount", "rtcp.sender.octetcount")
    assert told[1]["sender_reports"] == len(reports) == 4
    assert [str(told[1]["sender_packets"]), str(told[1]["sender_octets"])] == [cell for (cell,) in reports[-1]]


def test_round_trips(both):
    """tshark's whole milliseconds of `rtcp.roundtrip-delay`."""
    path, told, _ = both
    trips = [int(cell) for ((cell, *_),) in tshark(path, "rtcp.roundtrip-delay", "rtcp.roundtrip-delay")]
    assert told[1]["round_trips"] == len(trips) == 4
    assert told[1]["round_trip_min_seconds"] == pytest.approx(min(trips) / 1000, abs=1e-3)
    assert told[1]["round_trip_max_seconds"] == pytest.approx(max(trips) / 1000, abs=1e-3)
    assert told[1]["round_trip_mean_seconds"] == pytest.approx(0.0465)
    assert told[2]["round_trip_last_seconds"] == pytest.approx(0.455 - 27000 / 65536 - 0.003, abs=1e-6)


def test_extended_reports(both):
    path, told, _ = both
    names = {
        "rtcp.ssrc.discarded": ("discard_ratio", 1 / 256),
        "rtcp.xr.voipmetrics.burstdensity": ("burst_density", 1 / 256),
        "rtcp.xr.voipmetrics.gapdensity": ("gap_density", 1 / 256),
        "rtcp.xr.voipmetrics.burstduration": ("burst_duration_seconds", 1e-3),
        "rtcp.xr.voipmetrics.gapduration": ("gap_duration_seconds", 1e-3),
        "rtcp.xr.voipmetrics.rtdelay": ("round_trip_seconds", 1e-3),
        "rtcp.xr.voipmetrics.esdelay": ("end_system_delay_seconds", 1e-3),
        "rtcp.xr.voipmetrics.signallevel": ("signal_level_dbm0", 1),
        "rtcp.xr.voipmetrics.noiselevel": ("noise_level_dbm0", 1),
        "rtcp.xr.voipmetrics.rerl": ("residual_echo_return_loss_db", 1),
        "rtcp.xr.voipmetrics.gmin": ("gmin", 1),
        "rtcp.xr.voipmetrics.rfactor": ("r_factor", 1),
        "rtcp.xr.voipmetrics.extrfactor": ("external_r_factor", 1),
        "rtcp.xr.voipmetrics.moslq": ("mos_lq", 1),
        "rtcp.xr.voipmetrics.moscq": ("mos_cq", 1),
        "rtcp.xr.voipmetrics.jbnominal": ("jitter_buffer_nominal_seconds", 1e-3),
        "rtcp.xr.voipmetrics.jbmax": ("jitter_buffer_max_seconds", 1e-3),
        "rtcp.xr.voipmetrics.jbabsmax": ("jitter_buffer_absolute_max_seconds", 1e-3),
    }
    *_, last = tshark(path, "rtcp.xr.voipmetrics.gmin", *names)
    for (name, unit), (cell,) in zip(names.values(), last, strict=True):
        assert told[1]["voip"][name] == pytest.approx(float(cell) * unit), name
    *_, last = tshark(path, "rtcp.xr.stats.lost", "rtcp.xr.stats.lost", "rtcp.xr.stats.dups", "rtcp.xr.beginseq")
    assert [cell for (cell,) in last] == [
        str(told[1]["statistics"][name]) for name in ("lost", "duplicates", "begin_sequence")
    ]


def test_cut_short_is_no_report_to_either(tmp_path):
    data = rr(2, block(1, lost=5))
    cut = data[:2] + struct.pack("!H", 9) + data[4:]
    path = tmp_path / "cut.pcap"
    path.write_bytes(pcap([(START_NS, ethernet(udp4(B, A, cut)))]))
    assert tshark(path, "rtcp.length_check == 1", "rtcp.length_check") == []
    meter = StreamMeter()
    feed_capture(io.BytesIO(path.read_bytes()), meter, "cut")
    assert meter.core.rtcp_counters()["damaged"] == 1
    assert rtcp_rows(meter.core) == []
