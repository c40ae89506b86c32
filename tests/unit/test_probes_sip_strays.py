"""What is no answer to an OPTIONS though it looks like one, and what is said of it at the deadline."""

import pytest

from probes.sip.errors import SipSyntaxError
from probes.sip.message import check_length, parse_reply, parse_unusual
from probes.sip.transaction import Answered, Expired, Transaction

HEAD = (
    "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKme\r\nFrom: <sip:p@x>;tag=1\r\n"
    "To: <sip:c@y>;tag=2\r\nCall-ID: ours\r\nCSeq: 1 OPTIONS\r\n"
)


def machine():
    made = Transaction(
        b"request", branch="z9hG4bKme", cseq=1, method="OPTIONS", timeout=0.9, reliable=True, call_id="ours"
    )
    made.start(0.0)
    return made


def said(data):
    """What the machine says at the deadline after this datagram; None: it took it for the answer."""
    transaction = machine()
    if any(isinstance(event, Answered) for event in transaction.received(data, 0.1)):
        return None
    (expired,) = transaction.tick(0.9)
    assert isinstance(expired, Expired)
    assert transaction.strays == 1
    return expired.garbled, expired.foreign


def reply(head=HEAD, tail="Content-Length: 0\r\n\r\n"):
    return (head + tail).encode()


def test_the_answer_is_taken():
    assert said(reply()) is None


@pytest.mark.parametrize(
    ("ours", "theirs", "words"),
    [
        ("Call-ID: ours", "Call-ID: theirs", "a reply came, with another Call-ID"),
        ("CSeq: 1 OPTIONS", "CSeq: 2 OPTIONS", "a reply came, with another CSeq"),
        ("CSeq: 1 OPTIONS", "CSeq: 1 INVITE", "a reply came, with another CSeq"),
        ("z9hG4bKme", "z9hG4bKyou", "a reply came, with another branch"),
        (
            "From:",
            "Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKx\r\nFrom:",
            "a reply came, with 2 Vias: it is for somebody else",
        ),
    ],
)
def test_replies_to_something_else_are_named_at_the_deadline(ours, theirs, words):
    assert said(reply(HEAD.replace(ours, theirs, 1))) == (None, words)


@pytest.mark.parametrize("data", [b"", b"\r\n", b"\r\n\r\n", b"\x00", b"\x00\x00\r\n"])
def test_keep_alives_are_no_garbage(data):
    assert said(data) == (None, None)


@pytest.mark.parametrize(
    ("tail", "words"),
    [
        ("Content-Length: 500\r\n\r\n", "cut short: Content-Length is 500, 0 octets came"),
        ("l: 6\r\n\r\nhello", "cut short: Content-Length is 6, 5 octets came"),
        ("Content-Length: -5\r\n\r\n", "Content-Length is no number: '-5'"),
        ("Content-Length: 9999999999\r\n\r\n", "Content-Length is no number: '9999999999'"),
        ("Content-Length: 4\r\n", "cut short: Content-Length is 4, 0 octets came"),
    ],
)
def test_a_datagram_that_ends_before_its_body_is_dropped(tail, words):
    assert said(reply(tail=tail)) == (words, None)


@pytest.mark.parametrize(
    "data",
    [
        reply(tail="Content-Length: 5\r\n\r\nhello"),
        reply(tail="Content-Length: 2\r\n\r\nhello, and what is not part of it"),
        reply(tail="\r\n"),
        reply(tail="Content-Length: 0\r\n"),
        b"\r\n\r\n" + reply(tail="Content-Length: 5\r\n\r\nhello"),
        reply(tail="Content-Length: 5\r\n\r\nhello").replace(b"\r\n", b"\n"),
    ],
)
def test_whole_datagrams_are_taken(data):
    check_length(data, parse_reply(data))
    assert said(data) is None


@pytest.mark.parametrize("parse", [parse_reply, parse_unusual])
@pytest.mark.parametrize(
    ("value", "seconds"), [("30", 30), ("30 (later);duration=9", 30), ("99999999999999", None), ("Fri, 1 Jan", None)]
)
def test_a_retry_after_is_believed_only_if_it_is_one(parse, value, seconds):
    assert parse(reply(tail=f"Retry-After: {value}\r\nContent-Length: 0\r\n\r\n")).retry_after == seconds


def test_a_reply_without_a_head_is_still_none():
    with pytest.raises(SipSyntaxError):
        parse_reply(b"\r\n\r\n")
