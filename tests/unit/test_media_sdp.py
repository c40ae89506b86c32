"""SDP in SIP messages: where each side receives and what it calls its payload types."""

import pytest

from probes.media.meter import StreamMeter
from probes.media.payload import Kind, Law, announced
from probes.media.sdp import endpoints, packed

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


CALL = (
    b'INVITE sip:b@example.net SIP/2.0\r\nFrom: "A <x>" <sip:a@example.net;user=phone>;tag=1\r\n'
    b"t: sip:b@example.net;tag=2\r\ni: 77@example.net\r\nc: application/sdp\r\n\r\nv=0\r\nc=IN IP4 192.0.2.1\r\n"
)


def info_of(*lines, head=CALL):
    (one,) = endpoints(head + "\r\n".join(lines).encode())
    return one.info


def test_the_call_by_short_names_of_headers():
    info = info_of("m=audio 4000 RTP/AVP 8")
    assert (info.call_id, info.from_, info.to) == (
        "77@example.net",
        "sip:a@example.net;user=phone",
        "sip:b@example.net",
    )
    assert (info.ptime_seconds, info.secure, info.direction) == (None, False, "sendrecv")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ("Call-ID: a\r\n b", ("a b", None, None)),
        ("CALL-ID:x\r\nFROM:<sip:y>", ("x", "sip:y", None)),
        ("Call-ID:\r\nFrom: Anonymous <sip:c>\r\nTo: tel:+50622223333;tag=1", (None, "sip:c", "tel:+50622223333")),
        ("From: <>", (None, None, None)),
        ('From: "unclosed <sip:d>\r\nTo: <sip:e', (None, "sip:d", None)),
        ("Call-ID: " + "x" * 999, ("x" * 256, None, None)),
    ],
)
def test_headers_as_people_write_them(headers, expected):
    head = f"SIP/2.0 200 OK\r\n{headers}\r\nContent-Type: application/sdp\r\n\r\nc=IN IP4 192.0.2.1\r\n".encode()
    info = info_of("m=audio 4000 RTP/AVP 8", head=head)
    assert (info.call_id, info.from_, info.to) == expected


@pytest.mark.parametrize(
    ("lines", "ptime"),
    [
        (["a=ptime:20"], 0.02),
        (["a=ptime: 30 "], 0.03),
        (["a=ptime:2.5"], 0.0025),
        (["a=ptime:0"], None),
        (["a=ptime:x"], None),
    ],
)
def test_ptime(lines, ptime):
    assert info_of("m=audio 4000 RTP/AVP 8", *lines).ptime_seconds == ptime


@pytest.mark.parametrize("direction", ["sendrecv", "sendonly", "recvonly", "inactive"])
def test_direction_of_the_session_and_of_the_media(direction):
    assert info_of(f"a={direction}", "m=audio 4000 RTP/AVP 8").direction == direction
    assert info_of("a=recvonly", "m=audio 4000 RTP/AVP 8", f"a={direction}").direction == direction


@pytest.mark.parametrize(
    "lines",
    [
        ["m=audio 4000 RTP/SAVP 8"], ["m=audio 4000 UDP/TLS/RTP/SAVPF 8"],
        ["m=audio 4000 RTP/AVP 8", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x"],
        ["a=fingerprint:sha-256 AA", "m=audio 4000 RTP/AVP 8"],
    ],
)  # fmt: skip
def test_encrypted_media(lines):
    (one,) = endpoints(CALL + "\r\n".join(lines).encode())
    assert one.info.secure
    assert [entry.law for entry in one.formats] == [Law.SECURE]


def test_laws():
    (one,) = endpoints(sdp("c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 0 8 96 9", "a=rtpmap:96 pcma/8000"))
    assert [entry.law for entry in one.formats] == [Law.MU, Law.A, Law.A, Law.NONE]


@pytest.mark.parametrize(
    ("fmtp", "codec"),
    [
        ("a=fmtp:97 mode-set=2", "AMR-WB-12.65"), ("a=fmtp:97 octet-align=1; mode-set=8", "AMR-WB-23.85"),
        ("a=fmtp:97 mode-set=0;octet-align=1", "AMR-WB-6.60"), ("a=fmtp:97 mode-set=0,1,2", "AMR-WB"),
        ("a=fmtp:98 mode-set=2", "AMR-WB"), ("a=fmtp:97 mode-set=9", "AMR-WB"),
    ],
)  # fmt: skip
def test_one_mode_of_amr_wb_is_a_rate(fmtp, codec):
    (one,) = endpoints(sdp("c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 97", "a=rtpmap:97 AMR-WB/16000", fmtp))
    assert one.formats[0].codec == codec


def test_bundled_media_share_a_port():
    lines = ["m=audio 4000 RTP/AVP 8", "m=video 4000 RTP/AVP 34 8"]
    (one,) = endpoints(sdp("c=IN IP4 192.0.2.1", *lines))
    assert [entry.codec for entry in one.formats] == ["PCMA", "H263"]


def test_sdp_among_the_parts_of_a_body():
    body = (
        b"SIP/2.0 200 OK\r\nContent-Type: multipart/mixed;boundary=x\r\n\r\n--x\r\nContent-Type: application/pidf\r\n"
        b"\r\n<a/>\r\n"
        b"--x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 8\r\n--x\r\n"
        b"m=audio 5000 RTP/AVP 8\r\n--x--\r\n"
    )
    assert [(one.address, one.port) for one in endpoints(body)] == [("192.0.2.1", 4000)]


def test_what_is_announced_again_takes_no_more_memory():
    """A probe's calls have other ports each, for years."""
    meter = StreamMeter()
    opus, speex = announced(96, "opus", 48_000), announced(96, "speex", 16_000)
    for turn in range(4_000):
        meter.announce("10.9.0.2", 20_000 + turn % 500, [opus if turn % 3 else speex])
    assert meter.names == {(1, 96): "speex", (2, 96): "opus"}
    assert meter.core.endpoint(packed("10.9.0.2"), 30_000, []) == 3, "the third profile ever"
