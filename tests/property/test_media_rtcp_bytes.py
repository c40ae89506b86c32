"""RTCP of any shape: the C meter says what the plain Python reference says, and nothing makes it stumble."""

import io
import struct

from hypothesis import given
from hypothesis import strategies as st

from probes.media.capture import feed_capture
from probes.media.meter import StreamMeter
from probes.media.reference_rtcp import ReferenceRtcp
from probes.media.rtcp import rtcp_rows
from probes.media.sdp import packed
from tests.media_captures import START_NS, ethernet, pcap, udp4
from tests.rtcp_packets import VOIP, block, bye, dlrr, packet, reference_time, rr, sdes, sr, srtcp, statistics, voip, xr
from tests.unit.test_media_rtcp import same

ENDS = [("10.0.0.1", 5001), ("10.0.0.2", 6001), ("10.0.0.1", 5003), ("10.0.0.2", 7000)]
words = st.integers(0, 0xFFFFFFFF)
small = st.integers(0, 60)
ssrcs = st.integers(1, 4)
octets = st.integers(0, 255)
# NTP of few seconds, so that reports name reports.
ntps = st.integers(0, 6).map(lambda s: (0xE8000000 + s) << 32) | st.just(0)
middles = ntps.map(lambda ntp: ntp >> 16 & 0xFFFFFFFF)
blocks = st.builds(
    block,
    ssrcs,
    fraction=octets,
    lost=st.integers(-(1 << 23), (1 << 23) - 1),
    highest=words,
    jitter=words,
    lsr=middles,
    dlsr=st.integers(0, 4 << 16),
)
senders = st.builds(sr, ssrcs, ntps, words, words, words, st.lists(blocks, max_size=3).map(tuple))
receivers = st.builds(lambda ssrc, some: rr(ssrc, *some), ssrcs, st.lists(blocks, max_size=3))
durations = st.integers(0, 0xFFFF)
levels = st.integers(-128, 127)
voips = st.builds(
    voip,
    *[ssrcs, *[octets] * 4, *[durations] * 4, *[levels] * 2, *[octets] * 7, *[durations] * 3],
)
summaries = st.builds(
    lambda ssrc, flags, some: statistics(
        ssrc, flags, begin=some[0] & 0xFFFF, end=some[1] & 0xFFFF, lost=some[2], duplicates=some[3], jitter=some[4:]
    ),
    ssrcs,
    octets,
    st.lists(words, min_size=8, max_size=8),
)
answers = st.lists(st.tuples(ssrcs, middles, st.integers(0, 4 << 16)), max_size=3).map(lambda some: dlrr(*some))
extended = st.builds(
    lambda ssrc, some: xr(ssrc, *some),
    ssrcs,
    st.lists(st.one_of(voips, summaries, answers, ntps.map(reference_time)), max_size=4),
)
goodbyes = st.builds(
    lambda some, reason: bye(*some, reason=reason),
    st.lists(ssrcs, min_size=1, max_size=3),
    st.binary(max_size=100) | st.text(max_size=60).map(lambda text: text.encode()[:255]),
)
others = st.builds(
    lambda kind, count, body: packet(kind, count, struct.pack("!II", 1, 2) + body * 4),
    st.sampled_from([192, 204, 205, 206, 209, 223]),
    st.integers(0, 31),
    st.binary(max_size=8),
)
packets = st.one_of(senders, receivers, extended, goodbyes, st.builds(sdes, ssrcs), others)
compounds = st.lists(packets, min_size=1, max_size=4).map(b"".join)


@st.composite
def wounded(draw):
    """A compound with some octets changed, cut off or added, or as SRTCP would send it."""
    data = bytearray(draw(compounds))
    what = draw(st.integers(0, 4))
    if what == 0:
        for _ in range(draw(st.integers(1, 3))):
            data[draw(st.integers(0, len(data) - 1))] = draw(octets)
    elif what == 1:
        del data[draw(st.integers(0, len(data))) :]
    elif what == 2:
        data += draw(st.binary(max_size=24))
    elif what == 3:
        cipher = draw(st.binary(min_size=len(data) + 16, max_size=len(data) + 16))
        data = bytearray(srtcp(bytes(data), cipher, draw(st.integers(0, 1 << 25)), encrypted=draw(st.booleans())))
    else:
        data[0] |= 0x20
    return bytes(data)


class Both:
    """Datagrams into C, by way of a capture, and into the reference."""

    def __init__(self, datagrams):
        self.reference = ReferenceRtcp()
        frames, at_ns = [], START_NS
        for step_ms, (here, there), data in datagrams:
            at_ns += step_ms * 1_000_000
            src, dst = ENDS[here], ENDS[there]
            frames.append((at_ns, ethernet(udp4(src, dst, data))))
            if len(data) >= 2 and data[0] >> 6 == 2 and 192 <= data[1] <= 223:  # RFC 5761 section 4
                self.reference.take(at_ns, packed(src[0]), src[1], packed(dst[0]), dst[1], data)
        self.meter = StreamMeter()
        feed_capture(io.BytesIO(pcap(frames)), self.meter, "made")

    def agree(self):
        counters = self.meter.core.rtcp_counters()
        assert {name: counters[name] for name in self.reference.counters} == self.reference.counters
        told = rtcp_rows(self.meter.core)
        assert len(told) == len(self.reference.said)
        for row, way in zip(told, self.reference.said, strict=True):
            assert row.ssrc == way.ssrc
            expected = self.reference.fields(way, None)
            assert same(row.fields, expected), (row.fields, expected)


ways = st.sampled_from([(0, 1), (1, 0), (2, 1), (1, 2), (0, 3), (3, 0)])
steps = st.integers(0, 1500)


@given(st.lists(st.tuples(steps, ways, compounds), min_size=1, max_size=12))
def test_sound_compounds(datagrams):
    both = Both(datagrams)
    both.agree()
    assert both.reference.counters["damaged"] + both.reference.counters["encrypted"] == 0


@given(st.lists(st.tuples(steps, ways, wounded() | compounds | st.binary(max_size=60)), min_size=1, max_size=8))
def test_wounded_compounds(datagrams):
    Both(datagrams).agree()


@given(st.lists(st.tuples(ways, compounds | st.binary(max_size=60), st.integers(0, 200)), min_size=1, max_size=8))
def test_snapped_compounds(datagrams):
    """Cut anywhere by the capture, a packet says nothing that the whole one would not have said."""
    for (here, there), data, at_hand in datagrams:
        whole, cut = StreamMeter(), StreamMeter()
        frame = (START_NS, ethernet(udp4(ENDS[here], ENDS[there], data)))
        feed_capture(io.BytesIO(pcap([frame])), whole, "whole")
        feed_capture(io.BytesIO(pcap([frame], snaplen=42 + at_hand)), cut, "cut")
        if at_hand < len(data):
            assert cut.core.rtcp_counters()["whole"] == 0
        if whole.core.rtcp_counters()["whole"]:
            rows = {(row.src, row.dst, row.ssrc): row.fields for row in rtcp_rows(whole.core)}
            for row in rtcp_rows(cut.core):
                assert row.fields["sender_reports"] <= rows[row.src, row.dst, row.ssrc]["sender_reports"]
                assert row.fields["reports"] <= rows[row.src, row.dst, row.ssrc]["reports"]


def test_voip_layout_is_of_rfc_3611():
    assert VOIP.size == 4 * 8
