"""SIP with SDP, found in captures however it was packed, by the C readers and by the plain Python ones."""

import struct
from itertools import pairwise

import pytest

from tests.media_captures import DST, START_NS, ethernet, frame, pcap, stream, udp4
from tests.media_files import fragments4, fragments6, invite, tcp4
from tests.media_readers import BOTH, row


@pytest.fixture(params=BOTH)
def meter(request):
    return request.param()


OPUS = stream(20, payload_type=96, step=960)
MESSAGE = invite(*DST)
SIP_SRC, SIP_DST = ("10.9.0.1", 5060), ("10.9.0.2", 5060)


def announced(meter, frames: list[bytes]) -> bool:
    """Is the stream known to be Opus of that call, with the signalling before it?"""
    meter.feed(pcap([(START_NS - 1, one) for one in frames] + list(map(frame, OPUS))))
    found = row(meter)
    info = meter.meter.infos.get(int(found["profile"]))
    if not info:
        return False
    assert (found["clock_rate"], found["packets"]) == (48000, 20)
    assert (info.call_id, info.from_, info.to) == ("call-1@example.net", "sip:a@example.net", "sip:b@example.net")
    return True


def on_udp(message: bytes) -> bytes:
    return udp4(SIP_SRC, SIP_DST, message)


def segments(*pieces: bytes, first: int = 1000) -> list[bytes]:
    places = [first + sum(map(len, pieces[:i])) for i in range(len(pieces))]
    return [ethernet(tcp4(SIP_SRC, SIP_DST, at, piece)) for at, piece in zip(places, pieces, strict=True)]


def cut(message: bytes, *at: int) -> list[bytes]:
    return [message[a:b] for a, b in pairwise((0, *at, len(message)))]


OPTIONS = b"OPTIONS sip:b@example.net SIP/2.0\r\nContent-Length: 4\r\n\r\nbody"
RINGING = b"SIP/2.0 180 Ringing\r\nl:0\r\n\r\n"
CUT3 = segments(*cut(MESSAGE, 100, 300))
SIGNALLING = {
    "a datagram": [ethernet(on_udp(MESSAGE))],
    "an answer": [ethernet(on_udp(invite(*DST, method="SIP/2.0 200 OK")))],
    "a datagram in a VLAN": [ethernet(on_udp(MESSAGE), vlans=1)],
    "fragments": [ethernet(one) for one in fragments4(on_udp(MESSAGE), 240)],
    "fragments in disorder": [ethernet(fragments4(on_udp(MESSAGE), 80)[i]) for i in (0, 3, 2, 4, 1)],
    "fragments, the first at last": [ethernet(one) for one in reversed(fragments4(on_udp(MESSAGE), 80))],
    "fragments of a number that had another datagram": [
        ethernet(one) for octets in (b"\x80" * 900, MESSAGE) for one in fragments4(on_udp(octets), 80)
    ],
    "fragments of IPv6": [
        ethernet(one, ethertype=0x86DD)
        for one in fragments6(17, struct.pack("!HHHH", 5060, 5060, 8 + len(MESSAGE), 0) + MESSAGE, 240)
    ],
    "a segment": segments(MESSAGE),
    "a segment behind a keep-alive": segments(b"\r\n\r\n", MESSAGE),
    "segments": CUT3,
    "one octet a segment": segments(*(MESSAGE[i : i + 1] for i in range(16, len(MESSAGE))), first=1016)
    and segments(MESSAGE[:20], *(MESSAGE[i : i + 1] for i in range(20, len(MESSAGE)))),
    "segments in disorder": [CUT3[0], CUT3[2], CUT3[1]],
    "segments sent again": [CUT3[0], CUT3[0], CUT3[1], CUT3[0], CUT3[1], CUT3[2]],
    "segments over the wrap": segments(*cut(MESSAGE, 100, 300), first=2**32 - 200),
    "behind other messages": segments(*cut(OPTIONS + b"\r\n" + RINGING + MESSAGE, 30, 90, 200)),
    "before another": segments(*cut(MESSAGE + OPTIONS, 30, len(MESSAGE) + 5)),
    "two at once": segments(invite("10.9.9.9", 4000) + MESSAGE),
    "after the connection was something else": [*segments(b"HTTP/1.1 200 OK\r\n\r\n"), *segments(MESSAGE, first=5)],
}


@pytest.mark.parametrize("name", SIGNALLING)
def test_sip_is_found(meter, name):
    assert announced(meter, SIGNALLING[name])


NOTHING = {
    "a segment is missing": [CUT3[0], CUT3[2]],
    "the first is missing": [CUT3[1], CUT3[2]],
    "the first fragment is missing": [ethernet(one) for one in fragments4(on_udp(MESSAGE), 240)[1:]],
    "no SIP": segments(b"INVITE me to dinner\r\n\r\n" + MESSAGE),
    "fragments of other datagrams": [
        ethernet(fragments4(on_udp(MESSAGE), 240, number)[i]) for i, number in enumerate((1, 2))
    ],
}


@pytest.mark.parametrize("name", NOTHING)
def test_what_is_not_whole_announces_nothing(meter, name):
    if name == "fragments of other datagrams":
        meter.feed(pcap([(START_NS, one) for one in NOTHING[name]]))
        assert not meter.meter.names
        return
    assert not announced(meter, NOTHING[name])


def test_a_snapped_message_says_what_its_lines_say(meter):
    frames = [(START_NS - 1, ethernet(on_udp(MESSAGE + b"a=ptime:60\r\n"))), *map(frame, OPUS)]
    meter.feed(pcap(frames, snaplen=len(ethernet(on_udp(MESSAGE))) + 5))
    (info,) = meter.meter.infos.values()
    assert info.ptime_seconds is None
    assert row(meter)["clock_rate"] == 48000


def test_a_message_that_comes_again_is_no_news(meter):
    meter.feed(pcap([(START_NS, ethernet(on_udp(MESSAGE)))] * 3))
    assert list(meter.meter.infos) == [1]
