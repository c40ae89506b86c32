"""Captures and the frames in them, as far as both meters read them, and how files and pipes are read."""

import io
import struct
from dataclasses import replace
from itertools import pairwise

import pytest

from probes.media.capture import feed_capture, meter_file
from probes.media.errors import CaptureError
from probes.media.meter import StreamMeter
from tests.media_captures import START_NS, ethernet, frame, pcap, rtp_pcap, stream, udp4
from tests.media_meters import BOTH, CMeter, fields_of


@pytest.fixture(params=BOTH)
def meter(request):
    return request.param()


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
    with pytest.raises(CaptureError, match="link type 119"):
        CMeter().feed(pcap([], link_type=119))


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
