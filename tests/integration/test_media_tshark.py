"""tshark 4.0 as the oracle, on real captures and on captures made here.

What differs on purpose: tshark's *lost* is expected - received with duplicates included (ours: `lost_rfc3550`) and
takes the last packet that arrived for the highest; it counts telephone events into jitter; its clock is a whole number
of kHz (11.025 becomes 11); its mean is `(mean * packets so far + J) / (packets so far + 1)` with marker packets in the
count but not in the sum, which equals the mean only where there are no markers. A model of that mean here shows that
nothing else differs.
"""

import random
from dataclasses import replace
from itertools import pairwise

import pytest

from probes.media.capture import meter_file
from probes.media.meter import StreamMeter
from probes.media.report import stream_fields
from tests.media_captures import START_NS, Rtp, rtp_pcap, shared_captures, stream
from tests.media_tshark import HALF_MS, read_tshark, tshark


def measure(path):
    meter = StreamMeter()
    assert meter_file(path, meter).warning is None
    found = [stream_fields(row, meter.names) for row in meter.snapshot()]
    return {(fields["src"], fields["dst"], fields["ssrc"]): fields for fields in found}


def _captures():
    folder = shared_captures()
    return sorted(folder.glob("*.pcap")) if folder else []


@pytest.mark.skipif(not _captures(), reason="no shared captures here: set SERENO_CAPTURES")
@pytest.mark.parametrize("path", _captures(), ids=lambda p: p.stem)
def test_real_captures(path):
    said = read_tshark(path.with_name(path.name + ".rtpstreams.txt").read_text())
    ours = measure(path)
    assert said
    assert ours.keys() == said.keys()
    for key, theirs in said.items():
        fields = ours[key]
        assert fields["packets"] == theirs.packets
        assert fields["lost_rfc3550"] == theirs.lost
        if "telephone-event" in theirs.payload:
            assert fields["events"] > 0
            assert fields["jitter_max_seconds"] < 0.001 < theirs.jitter_max
        elif fields["clock_rate"] % 1000:
            assert fields["jitter_max_seconds"] == pytest.approx(theirs.jitter_max, rel=0.01)
        else:
            assert fields["jitter_max_seconds"] == pytest.approx(theirs.jitter_max, abs=HALF_MS)
            if fields["codec"] != "H263":  # many markers: see the module's words, and the test below
                assert fields["jitter_mean_seconds"] == pytest.approx(theirs.jitter_mean, abs=HALF_MS)


def _disturbed(seed, *, markers):
    """Five streams with loss, duplicates, disorder, jitter and both wraps, interleaved by arrival."""
    rng = random.Random(seed)
    packets = []
    for ssrc, payload_type in enumerate((8, 0, 9, 18, 3), start=1):
        first, timestamp = rng.choice([(0, 7), (65_200, 2**32 - 9000), (rng.randrange(65_536), rng.randrange(2**32))])
        src = ("10.9.1.1", 20_000 + 2 * ssrc)
        for p in stream(800, first=first, timestamp=timestamp, ssrc=ssrc, payload_type=payload_type, src=src):
            at = p.at_ns
            if 0.1 < (p.at_ns - START_NS) / 1e9 < 15.8:  # the ends stay in order: tshark has no eye for them
                if rng.random() < 0.01:
                    continue
                at += int(rng.expovariate(1 / 3e6)) + (30_000_000 if rng.random() < 0.01 else 0)
            packet = replace(p, at_ns=at // 1000 * 1000, marker=markers and rng.random() < 0.05)
            packets.append(packet)
            if at != p.at_ns and rng.random() < 0.01:
                packets.append(replace(packet, at_ns=packet.at_ns + 1_000_000))
    return sorted(packets, key=lambda p: p.at_ns)


def _tshark_mean(packets):
    """tshark's mean of J over one stream's packets in arrival order."""
    mean = jitter = 0.0
    for number, (before, now) in enumerate(pairwise(packets)):
        units = (now.timestamp - before.timestamp + 2**31) % 2**32 - 2**31
        jitter += (abs((now.at_ns - before.at_ns) * 1e-9 - units / 8000) - jitter) / 16
        if not now.marker:
            mean = (mean * number + jitter) / (number + 1)
    return mean


@pytest.mark.parametrize("markers", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_made_captures(tmp_path, seed, markers):
    packets = _disturbed(seed, markers=markers)
    path = tmp_path / "made.pcap"
    path.write_bytes(rtp_pcap(packets, nanoseconds=False))
    said, ours = tshark(path), measure(path)
    assert len(said) == 5
    assert ours.keys() == said.keys()
    for key, theirs in said.items():
        fields, own = ours[key], [p for p in packets if f"0x{p.ssrc:08x}" == key[2]]
        sent = {p.sequence: p for p in own}
        assert fields["packets"] == theirs.packets == len(own)
        assert fields["lost_rfc3550"] == theirs.lost
        assert fields["duplicates"] == len(own) - len(sent)
        assert fields["lost"] == max(sent) - min(sent) + 1 - len(sent)
        assert fields["lost"] == theirs.lost + fields["duplicates"]
        assert fields["jitter_max_seconds"] == pytest.approx(theirs.jitter_max, abs=HALF_MS)
        assert _tshark_mean(own) == pytest.approx(theirs.jitter_mean, abs=HALF_MS)
        if not markers:
            assert fields["jitter_mean_seconds"] == pytest.approx(theirs.jitter_mean, abs=HALF_MS)


def test_a_late_first_packet_is_not_a_duplicate(tmp_path):
    packets = stream(100)
    packets[0:2] = [packets[1], packets[0]]
    packets = [replace(p, at_ns=START_NS + i * 20_000_000) for i, p in enumerate(packets)]
    path = tmp_path / "late.pcap"
    path.write_bytes(rtp_pcap(packets, nanoseconds=False))
    (fields,) = measure(path).values()
    assert (fields["packets"], fields["expected"], fields["lost"], fields["duplicates"]) == (100, 100, 0, 0)


def test_streams_without_rtp_are_not_invented(tmp_path):
    path = tmp_path / "few.pcap"
    path.write_bytes(rtp_pcap([Rtp(START_NS, 1, 1), Rtp(START_NS + 1, 9, 1)]))
    assert measure(path) == {}
