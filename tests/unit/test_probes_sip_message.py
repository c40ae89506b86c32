import pytest

from probes.sip.errors import SipSyntaxError
from probes.sip.message import OptionsRequest, build_options, parse_reply, split_values

REQUEST = OptionsRequest(
    uri="sip:10.8.0.1", local="192.0.2.1:40000", branch="z9hG4bKabc", call_id="cid", tag="t1", probe="bog-1",
    route="<sip:198.51.100.11:5060;lr>", headers=("X-Core: core-a",), max_forwards=0,
)  # fmt: skip


def reply(*lines: str, status: str = "SIP/2.0 200 OK", end: str = "\r\n") -> bytes:
    return (end.join([status, *lines]) + end + end).encode()


BASE = (
    "Via: SIP/2.0/UDP 192.0.2.1:40000;rport=40000;branch=z9hG4bKabc;received=192.0.2.1",
    "From: <sip:bog-1@192.0.2.1>;tag=t1",
    "To: <sip:10.8.0.1>;tag=as5f;x=1",
    "Call-ID: cid",
    "CSeq: 1 OPTIONS",
)


def test_the_request_says_everything_that_rfc3261_8_1_1_demands():
    text = build_options(REQUEST).decode()
    lines = text.split("\r\n")
    assert lines[0] == "OPTIONS sip:10.8.0.1 SIP/2.0"
    assert "Via: SIP/2.0/UDP 192.0.2.1:40000;rport;branch=z9hG4bKabc" in lines
    assert "Max-Forwards: 0" in lines
    assert "Route: <sip:198.51.100.11:5060;lr>" in lines
    assert "From: <sip:bog-1@192.0.2.1:40000>;tag=t1" in lines
    assert "To: <sip:10.8.0.1>" in lines
    assert {"Call-ID: cid", "CSeq: 1 OPTIONS", "Contact: <sip:bog-1@192.0.2.1:40000>", "X-Core: core-a"} <= set(lines)
    assert any(line.startswith("User-Agent: Sereno") for line in lines)
    assert text.endswith("Content-Length: 0\r\n\r\n")


def test_a_line_break_cannot_get_into_a_request():
    with pytest.raises(ValueError, match="line break"):
        build_options(
            OptionsRequest(
                uri="sip:a", local="b", branch="c", call_id="d", tag="e", probe="f", headers=("X: 1\r\nY: 2",)
            )
        )


def test_a_plain_reply():
    got = parse_reply(reply(*BASE, "Server: core-a (kamailio)", "Retry-After: 18000;duration=3600"))
    assert (got.code, got.phrase, got.branch, got.cseq, got.method) == (200, "OK", "z9hG4bKabc", 1, "OPTIONS")
    assert (got.to_tag, got.call_id, got.vias, got.retry_after) == ("as5f", "cid", 1, 18000)
    assert got.values("SERVER") == ["core-a (kamailio)"]
    assert got.final


def test_compact_folded_and_bare_line_feeds():
    got = parse_reply(
        reply(
            "v: SIP/2.0/UDP 192.0.2.1:40000", " ;branch=z9hG4bKabc", "\t;rport=1", "f: <sip:a@b>;tag=t1",
            'T : "a <b>;tag=no, c" <sip:x;tag=no@y>;tag=yes', "I:cid", "CSeq:   7   options",
            'Warning: 399 core-a "no, thanks", 399 other "x"', end="\n", status="sip/2.0 503 Service  Unavailable",
        )
    )  # fmt: skip
    assert (got.code, got.phrase) == (503, "Service  Unavailable")
    assert (got.branch, got.to_tag, got.cseq, got.method, got.call_id) == ("z9hG4bKabc", "yes", 7, "OPTIONS", "cid")
    assert split_values(got.values("warning")[0]) == ['399 core-a "no, thanks"', '399 other "x"']


def test_two_vias_are_counted_in_one_header_or_two():
    second = "SIP/2.0/TCP 10.0.0.1;branch=z9hG4bKother"
    assert parse_reply(reply(BASE[0] + ", " + second, *BASE[1:])).vias == 2
    two = parse_reply(reply(BASE[0], "Via: " + second, *BASE[1:]))
    assert (two.vias, two.branch) == (2, "z9hG4bKabc")


def test_leading_empty_lines_are_skipped_and_no_phrase_is_fine():
    got = parse_reply(b"\r\n\r\n" + reply(*BASE, status="SIP/2.0 486"))
    assert (got.code, got.phrase) == (486, "")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no status line"),
        (b"\x00\x01\x02", "no status line"),
        (b"SIP/2.0 99 Low\r\n\r\n", "no status line"),
        (b"SIP/2.0 700 High\r\n\r\n", "no status line"),
        (b"SIP/3.0 200 OK\r\n\r\n", "no status line"),
        (reply(*BASE[1:]), "mandatory header missing: via"),
        (reply(BASE[0]), "mandatory header missing: from, to, call-id, cseq"),
        (reply(*BASE[:4], "CSeq: one OPTIONS"), "CSeq"),
        (reply(*BASE, "no colon here"), "not a header"),
        (reply(" folded first", *BASE), "folded"),
    ],
)
def test_what_is_wrong_is_said(data, says):
    with pytest.raises(SipSyntaxError, match=says) as caught:
        parse_reply(data)
    assert not caught.value.request


def test_a_request_is_told_apart_from_garbage():
    with pytest.raises(SipSyntaxError) as caught:
        parse_reply(build_options(REQUEST))
    assert caught.value.request
