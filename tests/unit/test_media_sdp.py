"""SDP in SIP messages: where each side receives and what it calls its payload types."""

import pytest

from probes.media.payload import Kind
from probes.media.sdp import endpoints

HEAD = b"SIP/2.0 200 OK\r\nContent-Type: application/sdp\r\n\r\n"


def sdp(*lines):
    return HEAD + "\r\n".join(lines).encode() + b"\r\n"


def test_audio_with_static_and_mapped_types():
    (one,) = endpoints(
        sdp(
            "v=0",
            "c=IN IP4 192.0.2.1",
            "m=audio 4000 RTP/AVP 8 0 101 99",
            "a=rtpmap:101 telephone-event/8000",
            "a=rtpmap:99 opus/48000/2",
        )
    )
    assert (one.address, one.port) == ("192.0.2.1", 4000)
    assert [(f.payload_type, f.codec, f.clock_rate, f.kind) for f in one.formats] == [
        (8, "PCMA", 8000, Kind.MEDIA),
        (0, "PCMU", 8000, Kind.MEDIA),
        (101, "telephone-event", 8000, Kind.EVENT),
        (99, "opus", 48000, Kind.MEDIA),
    ]


def test_media_address_wins_over_the_sessions():
    found = endpoints(
        sdp("c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 0", "c=IN IP4 192.0.2.9", "m=video 5000 RTP/SAVPF 34")
    )
    assert [(e.address, e.port) for e in found] == [("192.0.2.9", 4000), ("192.0.2.1", 5000)]


def test_ipv6():
    (one,) = endpoints(sdp("c=IN IP6 2001:db8::1", "m=audio 4000 RTP/AVP 0"))
    assert one.address == "2001:db8::1"


def test_an_unmapped_dynamic_type_is_left_out():
    (one,) = endpoints(sdp("c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 8 97"))
    assert [f.payload_type for f in one.formats] == [8]


@pytest.mark.parametrize(
    "message",
    [
        b"", b"INVITE sip:x SIP/2.0\r\n\r\n", HEAD, b"\r\n\r\nv=0", HEAD + b"\xff\xfe=\x00",
        sdp("c=IN IP4 host.example", "m=audio 4000 RTP/AVP 0"),
        sdp("c=IN IP4 192.0.2.1", "m=audio 0 RTP/AVP 0"),
        sdp("c=IN IP4 192.0.2.1", "m=audio 99999 RTP/AVP 0"),
        sdp("c=IN IP4 192.0.2.1", "m=application 4000 UDP/BFCP *"),
        sdp("m=audio 4000 RTP/AVP 0"),
    ],
)  # fmt: skip
def test_what_says_nothing_gives_nothing(message):
    assert endpoints(message) == []
