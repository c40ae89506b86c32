"""Evidence keeps what happened and no secret, within its bounds, and tells what it left out."""

import time

import msgspec
import pytest

from probes.checks.evidence import ladder
from probes.sip.client import Message
from probes.sip.redaction import redact

SECRET = "hunter2-s3cr3t"
HEAD = "SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n"
SECRETS = [
    f'Authorization: Digest username="a", response="{SECRET}"\r\n',
    f"authorization : Basic {SECRET}\r\n",
    f'Proxy-Authorization: Digest username="a",\r\n\tresponse="{SECRET}"\r\n',
    f'Authentication-Info: qop=auth, rspauth="{SECRET}", cnonce="{SECRET}", nc=00000001\r\n',
    f"Contact: <sip:9000:{SECRET}@198.51.100.1:5060;transport=udp>\r\n",
    f"Contact: sips:9000:{SECRET}@[2001:db8::1]\r\n",
    f"Content-Type: application/sdp\r\n\r\nv=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{SECRET}|2^20\r\n",
    f"Content-Type: application/sdp\r\n\r\nv=0\na=key-mgmt:mikey {SECRET}\n",
    f"Content-Type: application/sdp\r\n\r\nv=0\r\nk=clear:{SECRET}\r\n",
    f"c: text/plain\r\n\r\nmy PIN is {SECRET}",
    f"Content-Type: application/dtmf-relay\r\n\r\nSignal={SECRET}\r\n",
    f"\r\n{SECRET}",
    f'Content-Type: message/sipfrag\r\n\r\nREGISTER sip:a SIP/2.0\r\nAuthorization: Digest response="{SECRET}"\r\n',
    f'Warning: 399 x "you sent Digest username=a, response={SECRET}"\r\n',
]


@pytest.mark.parametrize("part", SECRETS)
@pytest.mark.parametrize("first", [HEAD, "MESSAGE sip:a@b SIP/2.0\r\nCSeq: 1 MESSAGE\r\n"])
def test_no_secret_is_kept_and_the_rest_is(first, part):
    left = redact((first + part).encode()).decode()
    assert SECRET not in left
    assert left.startswith(first)
    assert SECRET not in msgspec.json.encode(ladder([Message(0, "sent", (first + part).encode())])).decode()


def test_the_detail_is_redacted_too():
    assert SECRET not in ladder((), detail=f"no status line: sip:a:{SECRET}@host")["detail"]


def test_what_an_engineer_needs_stays():
    offer = (
        HEAD + 'WWW-Authenticate: Digest realm="acme", nonce="abc", qop="auth"\r\nVia: SIP/2.0/UDP 192.0.2.1:5060\r\n'
        "Contact: <sip:9000@192.0.2.1:5060>\r\nContent-Type: application/sdp\r\n\r\nv=0\r\nc=IN IP4 192.0.2.1\r\n"
        "m=audio 20000 RTP/SAVP 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:k\r\na=rtpmap:8 PCMA/8000\r\n"
    ).encode()
    left = redact(offer)
    assert left == offer.replace(b"inline:k", b"[redacted]")


def test_a_body_tells_how_long_it_was():
    assert redact(b"MESSAGE sip:a SIP/2.0\r\nTo: x\r\n\r\n12345").endswith(b"\r\n\r\n[body of 5 octets left out]")


def test_many_messages_keep_the_first_and_the_last_and_tell_how_many_are_out():
    made = [Message(at, "sent", b"OPTIONS %d " % at + b"x" * 500) for at in range(200)]
    evidence = ladder(made, unlogged=7)
    assert len(msgspec.json.encode(evidence)) <= 4096
    rows = evidence["messages"]
    assert rows[0]["text"].startswith("OPTIONS 0 ")
    assert rows[-1]["text"].startswith("OPTIONS 199 ")
    assert evidence["left_out"] == 200 - len(rows) + 7
    assert all(row["cut"] > 0 for row in rows)


def test_a_short_message_is_whole_and_says_nothing_of_cutting():
    (row,) = ladder([Message(0, "received", b"SIP/2.0 200 OK\r\n\r\n")])["messages"]
    assert row == {"at": "1970-01-01T00:00:00.000000Z", "direction": "received", "text": "SIP/2.0 200 OK\r\n\r\n"}


def test_octets_that_were_never_kept_are_told():
    (row,) = ladder([Message(0, "received", b"SIP/2.0 200 OK", 60_000)])["messages"]
    assert row["cut"] == 60_000


@pytest.mark.parametrize(
    "hostile",
    [b" " * 60_000, b"response" * 8_000, b"sip:" * 15_000, b"sip:a:" * 10_000, b"a=crypto:1 x " * 5_000,
     b"Authorization:" * 4_000, b"Authorization: x\r\n " * 3_000, b"\r\n" * 30_000, b"inline:" * 8_000,
     b"response" + b" " * 60_000, b"REGISTER " + b" " * 60_000],
)  # fmt: skip
def test_hostile_octets_take_no_time(hostile):
    for head in (b"", HEAD.encode(), b"X-A: "):
        began = time.process_time()
        redact(head + hostile)
        assert time.process_time() - began < 0.5
