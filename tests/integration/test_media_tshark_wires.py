"""The same streams on every kind of wire and in every kind of file: tshark 4.0, the meter and the truth say the same.

Loss, duplicates (late ones too), disorder and wraps; the first packets and the last ones come in order, since tshark
takes what comes first and last for the ends, and no late packet crosses a wrap, each of which tshark counts as one more
(test_media_tshark.py says what else differs on purpose).
"""

import struct
from dataclasses import replace

import pytest

from probes.media.capture import meter_file
from probes.media.meter import StreamMeter
from probes.media.report import stream_fields
from tests.media_captures import DST, SRC, START_NS, ethernet, pcap, udp4
from tests.media_seeds import ip6, pcapng
from tests.media_streams import Plan, arrivals_of, truth_of
from tests.media_tshark import HALF_MS, tshark

SLL = struct.pack("!HHH8sH", 0, 1, 6, bytes(8), 0x0800)
SLL2 = struct.pack("!HHIHBB8s", 0x0800, 0, 1, 1, 0, 6, bytes(8))
ENDS6 = ("fd00:9::1", "fd00:9::2")
TROUBLE = (
    {"loss": 0.05},
    {"burst": 64, "loss": 0.01, "first": 65_300},
    {"duplicates": 0.05, "duplicate_late": 0},
    {"duplicates": 0.05, "duplicate_late": 300, "loss": 0.02},
    {"late": 0.05, "late_packets": 3, "jitter_ms": 3.0},
    {"late": 0.02, "late_packets": 60, "timestamp": 2**32 - 50_000},
    {"jitter_ms": 45.0, "loss": 0.1, "packet_ms": 30},
    {"drift_ppm": 300.0, "duplicates": 0.3, "packet_ms": 10},
)


def _ip4(p):
    return udp4(p.src, p.dst, p.payload())


def _ip6(p):
    return ip6(*ENDS6, p.payload())


WIRES = {
    "ethernet": lambda frames: pcap(((t, ethernet(_ip4(p))) for t, p in frames), nanoseconds=False),
    "big_endian": lambda frames: pcap(((t, ethernet(_ip4(p))) for t, p in frames), order=">"),
    "snapped": lambda frames: pcap(((t, ethernet(_ip4(p))) for t, p in frames), snaplen=64),
    "vlan": lambda frames: pcap((t, ethernet(_ip4(p), vlans=1)) for t, p in frames),
    "qinq": lambda frames: pcap((t, ethernet(_ip4(p), vlans=2)) for t, p in frames),
    "ipv6": lambda frames: pcap((t, ethernet(_ip6(p), ethertype=0x86DD)) for t, p in frames),
    "raw": lambda frames: pcap(((t, _ip4(p)) for t, p in frames), link_type=101),
    "null": lambda frames: pcap(((t, struct.pack("<I", 2) + _ip4(p)) for t, p in frames), link_type=0),
    "cooked": lambda frames: pcap(((t, SLL + _ip4(p)) for t, p in frames), link_type=113),
    "cooked2": lambda frames: pcap(((t, SLL2 + _ip4(p)) for t, p in frames), link_type=276),
    "pcapng": lambda frames: pcapng((t, ethernet(_ip4(p))) for t, p in frames),
    "pcapng_us_big": lambda frames: pcapng(((t, ethernet(_ip4(p))) for t, p in frames), order=">", nanoseconds=False),
    "pcapng_raw6": lambda frames: pcapng(((t, _ip6(p)) for t, p in frames), link_type=101),
}


def _streams(seed):
    """What was sent, by SSRC: a stream of each trouble."""
    streams = {}
    for number, trouble in enumerate(TROUBLE):
        plan = Plan(
            **{
                "seed": seed * 100 + number,
                "packets": 400,
                "first": 1000 + seed,
                "payload_type": (8, 0, 18)[number % 3],
                **trouble,
            }
        )
        sent = arrivals_of(plan)
        last = max(sent, key=lambda s: s.position)
        at_ns = sent[-1].packet.at_ns
        for more in range(1, 4):  # the last ones come in order
            packet = replace(
                last.packet,
                at_ns=at_ns + more * plan.packet_ms * 1_000_000,
                sequence=last.packet.sequence + more,
                timestamp=last.packet.timestamp + more * 8 * plan.packet_ms,
            )
            sent.append(replace(last, position=last.position + more, packet=packet))
        ssrc = 0x5E000 + number
        streams[ssrc] = [
            replace(s, packet=replace(s.packet, ssrc=ssrc, src=(SRC[0], 20_000 + 2 * number))) for s in sent
        ]
    return streams


@pytest.mark.parametrize("wire", WIRES)
def test_every_wire(tmp_path, wire):
    streams = _streams(list(WIRES).index(wire))
    frames = [(s.packet.at_ns, s.packet) for sent in streams.values() for s in sent]
    path = tmp_path / "made.pcap"
    path.write_bytes(WIRES[wire](sorted(frames, key=lambda f: f[0])))
    said = {int(ssrc, 16): theirs for (_, _, ssrc), theirs in tshark(path).items()}
    meter = StreamMeter()
    assert meter_file(path, meter).warning is None
    assert said.keys() == streams.keys()
    rows = {int(row["ssrc"]): row for row in meter.snapshot()}
    assert rows.keys() == streams.keys()
    for ssrc, sent in streams.items():
        fields, theirs, truth = stream_fields(rows[ssrc], meter.names), said[ssrc], truth_of(sent)
        for name in ("packets", "expected", "lost", "duplicates", "reordered"):
            assert fields[name] == getattr(truth, name), (ssrc, name)
        assert fields["packets"] == theirs.packets
        assert fields["lost_rfc3550"] == theirs.lost
        assert fields["jitter_mean_seconds"] == pytest.approx(theirs.jitter_mean, abs=HALF_MS)
        assert fields["jitter_max_seconds"] == pytest.approx(theirs.jitter_max, abs=HALF_MS)


SDP = (
    "v=0\r\no=- 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\n"
    "m=audio {1} RTP/AVP 96\r\na=rtpmap:96 opus/48000/2\r\n"
)


def _message(start, sdp, src, dst):
    """A SIP message with SDP, whole."""
    head = (
        f"{start}\r\nVia: SIP/2.0/UDP 10.9.0.1:5060;branch=z9hG4bK1\r\nFrom: <sip:a@10.9.0.1>;tag=1\r\n"
        f"To: <sip:b@10.9.0.2>;tag=2\r\nCall-ID: made@here\r\nCSeq: 1 INVITE\r\nContact: <sip:a@10.9.0.1>\r\n"
        f"Content-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n\r\n{sdp}"
    )
    return ethernet(udp4((src, 5060), (dst, 5060), head.encode()))


def test_a_call_by_its_signalling(tmp_path):
    """Nobody told either where RTP is: SIP did, for a dynamic type at 48 kHz."""
    plan = Plan(seed=5, clock=48_000, payload_type=96, loss=0.03, duplicates=0.03, duplicate_late=40, jitter_ms=4.0)
    sent = [s for s in arrivals_of(plan) if s.packet.sequence]
    invite = _message("INVITE sip:b@10.9.0.2 SIP/2.0", SDP.format(*SRC), SRC[0], DST[0])
    answer = _message("SIP/2.0 200 OK", SDP.format(*DST), DST[0], SRC[0])
    frames = [(START_NS - 2_000_000, invite), (START_NS - 1_000_000, answer)]
    path = tmp_path / "call.pcap"
    path.write_bytes(pcap(frames + [(s.packet.at_ns, ethernet(_ip4(s.packet))) for s in sent]))
    (theirs,) = tshark(path, "-o", "rtp.heuristic_rtp:TRUE").values()
    meter = StreamMeter()
    meter_file(path, meter)
    (row,) = meter.snapshot()
    fields, truth = stream_fields(row, meter.names), truth_of(sent)
    assert (fields["codec"], fields["clock_rate"], theirs.payload) == ("opus", 48_000, "opus")
    assert meter.infos[int(row["profile"])].call_id == "made@here"
    assert (fields["packets"], fields["lost"], fields["duplicates"]) == (truth.packets, truth.lost, truth.duplicates)
    assert (fields["packets"], fields["lost_rfc3550"]) == (theirs.packets, theirs.lost)
    assert fields["jitter_mean_seconds"] == pytest.approx(theirs.jitter_mean, abs=HALF_MS)
    assert fields["jitter_max_seconds"] == pytest.approx(theirs.jitter_max, abs=HALF_MS)
