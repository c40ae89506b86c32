"""The C parser of usual replies against the one in Python: what it takes, it takes as that one does."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torture import GOOD, RIGHT, WRONG, filled

from probes.sip.built import native
from probes.sip.errors import SipSyntaxError
from probes.sip.message import OptionsRequest, build_options, parse_reply, parse_unusual

REQUEST = build_options(
    OptionsRequest(uri="sip:a", local="127.0.0.1:5070", branch="z9hG4bKours", call_id="c", tag="t", probe="p")
)
KAMAILIO = (
    b"SIP/2.0 200 Keepalive\r\n"
    b"Via: SIP/2.0/UDP 127.0.0.1:49731;received=127.0.0.1;rport=49731;branch=z9hG4bK6dfe4a2c9f\r\n"
    b"From: <sip:bog-1@127.0.0.1:49731>;tag=5f3a9c\r\n"
    b"To: <sip:127.0.2.1>;tag=8fcae1f2ca3ee4c1a4ff8c3bd2f5b3a1.b27a0000\r\n"
    b"Call-ID: 0d3bcf6a\r\nCSeq: 1 OPTIONS\r\nServer: core-a (5.6.3 (x86_64/linux))\r\nContent-Length: 0\r\n\r\n"
)


def same(data: bytes) -> bool:
    """Both agree, or the C parser leaves it; whether it took it."""
    fast = native.parse(data)
    if fast is None:
        return False
    slow = parse_unusual(data)  # a SipSyntaxError here is a reply that only one of them sees
    assert fast == slow
    assert [type(value) for value in (fast.code, fast.vias, fast.cseq)] == [int, int, int]
    return True


def test_what_servers_send_is_usual():
    assert same(KAMAILIO)
    assert same(filled(GOOD, REQUEST))
    assert same(KAMAILIO.replace(b"200 Keepalive", b"503 "))
    assert same(KAMAILIO.replace(b"200 Keepalive", b"486"))
    assert same(KAMAILIO.replace(b"Server:", b"Retry-After: 120;duration=5\r\nServer:"))
    assert same(KAMAILIO.replace(b"\r\nFrom:", b"\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nFrom:", 1))


@pytest.mark.parametrize(
    "change",
    [
        (b"Via:", b"v:"),
        (b"\r\n", b"\n"),
        (b"Server: core-a", b"Server: n\xc3\xbacleo"),
        (b"Server: core-a", b"Server: core-a\r\n folded"),
        (b"To: <", b'To: "a;tag=no" <'),
        (b";branch", b", SIP/2.0/UDP 192.0.2.1;branch"),
        (b"SIP/2.0 ", b"sip/2.0 "),
        (b"CSeq:", b"CSeq :"),
    ],
)  # fmt: skip
def test_what_is_unusual_is_left_to_the_other_parser(change):
    data = KAMAILIO.replace(*change, 1) if change[0] != b"\r\n" else KAMAILIO.replace(*change)
    assert data != KAMAILIO
    assert native.parse(data) is None
    assert parse_reply(data).code == 200


SEPARATORS = st.sampled_from(["\r\n"] * 30 + ["\n", "\r\n ", "\r", "\r\n\t", "\r\n\r\n"])
VALUES = st.text(
    st.sampled_from('abz019 ;;==,"<>@:.\\\t%\u00e9\x00\x7f') | st.characters(max_codepoint=300), max_size=20
)
VIA = st.builds(
    "SIP/2.0/UDP 192.0.2.1{}{}{}".format,
    st.sampled_from(["", ":5060", ";rport", ";rport=5;received=192.0.2.9"]),
    st.sampled_from([";branch=z9hG4bKours", ";Branch = z9hG4bKours ", ";branch", ";branch=", "", ";branch==;branch=b"]),
    VALUES,
)
ADDRESS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["<sip:a@b>", "sip:a@b", "<sip:a@b;tag=uri>", '"q;tag=1" <sip:a>', "a>b<c", "<sip:a", ""]),
    st.sampled_from([";tag=x", "; TAG = x ", ";tag", ";tag=", ";tags=1;tag=2", ""]),
    VALUES,
)
CSEQ = st.builds(
    "{}{}{}".format,
    st.sampled_from(["1", "0", "4294967296", "9999999999", "10000000000", "-1", "x", "", "１"]),
    st.sampled_from([" ", "   ", "\t", ""]),
    st.sampled_from(["OPTIONS", "options", "Op-t.i!o%n*s_+`'~", "OPT IONS", "", "OPTIONS;x", "ö"]),
)
HEADER = st.one_of(
    st.tuples(st.sampled_from(["Via", "VIA", "vIa", "v", "Via "]), VIA),
    st.tuples(st.sampled_from(["To", "t", "TO", "From", "f"]), ADDRESS),
    st.tuples(st.sampled_from(["CSeq", "cseq"]), CSEQ),
    st.tuples(st.sampled_from(["Call-ID", "i", "CALL-ID"]), VALUES),
    st.tuples(
        st.sampled_from(["Retry-After", "retry-after"]),
        st.sampled_from(["5", "120;duration=3", "999999999", "9999999999", "x", "", "5 (later)", "12345678901x"]),
    ),
    st.tuples(st.sampled_from(["Server", "Content-Length", "Allow", "X-" + "y" * 80, "X!%*", "a b", "", "é"]), VALUES),
)
LINES = st.sampled_from(["Via", "From", "To", "Call-ID", "CSeq"])
USUAL = {"Via": "SIP/2.0/UDP h;branch=z9hG4bKours", "From": "<sip:a>;tag=1", "To": "<sip:b>;tag=2", "Call-ID": "c"}
STATUS = st.sampled_from(
    ["SIP/2.0 200 OK"] * 8
    + ["SIP/2.0 200", "SIP/2.0 200 ", "SIP/2.0  200 OK", "sip/2.0 200 OK", "SIP/2.0 700 X", "SIP/2.0 2000 X"]
    + ["SIP/2.0 200OK", "SIP/2.0\t200\tOK", "SIP/2.0 486   Busy  Here  ", "SIP/2.0 100 é", " SIP/2.0 200 OK"]
    + ["SIP/2.0 099 X", "SIP/2.0 20", ""]
)  # fmt: skip


@st.composite
def replies(draw) -> bytes:
    """Mostly right, with anything that a header may be, in any order, any of them missing or there twice."""
    headers = [*USUAL.items(), ("CSeq", "1 OPTIONS")]
    for _ in range(draw(st.integers(0, 5))):
        at = draw(st.integers(0, len(headers) - 1))
        if draw(st.booleans()):
            headers[at] = draw(HEADER)
        else:
            headers.insert(at, draw(HEADER))
    text = draw(STATUS)
    for name, value in headers:
        text += draw(SEPARATORS) + name + draw(st.sampled_from([": "] * 8 + [":", " : ", "", ":  "])) + value
    text += draw(st.sampled_from(["\r\n\r\n"] * 8 + ["\r\n\r\nbody\r\n\r\n", "\r\n", "", "\n\n", "\r\n\r\n\x00"]))
    return text.encode("utf-8", "surrogatepass")


@settings(max_examples=1500, deadline=None)
@given(replies())
def test_both_parsers_agree(data):
    same(data)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_octets(data):
    assert native.parse(data) is None
    same(b"SIP/2.0 200 OK\r\n" + data)


def test_both_agree_on_torture_and_what_is_made_of_it():
    chosen = random.Random(7)
    corpus = [filled(text, REQUEST) for text in (*RIGHT.values(), *WRONG.values())] + [KAMAILIO] * 40
    taken = 0
    for data in corpus:
        taken += same(data)
    for _ in range(20_000):
        data = bytearray(chosen.choice(corpus)[:3_000])
        for _ in range(chosen.randrange(1, 4)):
            at = chosen.randrange(len(data) + 1)
            if chosen.random() < 0.5:
                data[at : at + chosen.randrange(2)] = bytes([chosen.choice(b'\r\n\t ;:=,"<>\x00\xffaZ019')])
            else:
                del data[at : at + chosen.randrange(12)]
        taken += same(bytes(data))
    assert taken > 5_000, "the C parser takes what is usual"


def test_what_it_refuses_is_not_a_reply_by_chance():
    with pytest.raises(SipSyntaxError):
        parse_reply(KAMAILIO.replace(b"CSeq: 1 OPTIONS\r\n", b""))
    with pytest.raises(TypeError):
        native.parse("SIP/2.0 200 OK")
