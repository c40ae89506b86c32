"""Any bytes give a reply or SipSyntaxError, nothing else, and quickly."""

import os
import time

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from probes.sip.errors import SipSyntaxError
from probes.sip.message import Reply, parse_reply, printable, split_values
from probes.sip.redaction import redact

EXAMPLES = 200 * int(os.environ.get("SERENO_FUZZ_SECONDS", "1"))

GOOD = (
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:5;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n"
    b"To: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)
PIECES = st.sampled_from([
    b"SIP/2.0 ", b"SIP/2.0 200 OK", b"200", b"\r\n", b"\n", b"\r", b"\r\n\r\n", b" ", b"\t", b"Via: ", b"v:", b"To:",
    b"From: <sip:a@b>;tag=1\r\n", b"CSeq: 1 OPTIONS\r\n", b"CSeq: 99999999999999999999 X\r\n", b"i: x\r\n", b":", b";",
    b",", b'"', b"\\", b"<", b">", b"branch=", b"tag=", b"Retry-After: ", b"\xff", b"\x00", b"\xc3", b"Via", b"=",
    "٣".encode(), b"OPTIONS sip:a SIP/2.0\r\n", GOOD,
])  # fmt: skip


def parses_or_says(data: bytes) -> None:
    try:
        reply = parse_reply(data)
    except SipSyntaxError as error:
        assert str(error)  # noqa: PT017  # both ways out are fine, a third is not
        return
    assert isinstance(reply, Reply)
    assert 100 <= reply.code <= 699
    msgspec.json.encode(reply)  # no lone surrogates: it may travel as evidence


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=600))
@example(b"")
@example(b"\r\n\r\n")
@example(GOOD)
def test_any_bytes(data):
    parses_or_says(data)


@given(st.lists(PIECES, max_size=30).map(b"".join))
@settings(max_examples=EXAMPLES, deadline=None)
def test_bytes_that_look_like_sip(data):
    parses_or_says(data)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=0, max_size=4), st.integers(0, 4))
def test_a_good_reply_with_damage(position, patch, cut):
    parses_or_says(GOOD[:position] + patch + GOOD[position + cut :])


@given(st.binary(max_size=300), st.integers(0, 200))
def test_evidence_text_is_always_json(data, limit):
    text = printable(data, limit)
    msgspec.json.encode(text)
    assert len(text) <= max(limit, 1)


@given(st.text(max_size=200))
def test_splitting_keeps_every_character_but_separators(value):
    assert sum(map(len, split_values(value))) <= len(value)


@given(st.text(st.characters(codec="ascii", exclude_characters="\r\n"), min_size=8).filter(lambda t: t.strip() == t))
def test_credentials_never_survive(secret):
    secret = "s3cr3t" + secret
    for head in (b"Authorization", b"proxy-authorization", b"PROXY-AUTHORIZATION "):
        message = (
            b"REGISTER sip:a SIP/2.0\r\n" + head + b": Digest " + secret.encode() + b"\r\n\tmore=1\r\nTo: x\r\n\r\n"
        )
        left = redact(message)
        assert b"s3cr3t" not in left
        assert b"more=1" not in left
        assert b"To: x" in left


@pytest.mark.parametrize(
    "hostile", [b'"\\' * 30_000, b"," * 60_000, b'"' * 60_000, b"<" * 60_000, b";=" * 30_000, b" \r\n" * 20_000]
)
def test_a_hostile_datagram_takes_no_time(hostile):
    for head in (b"Via: ", b"To: ", b"", b"Subject: "):
        data = GOOD[:-2] + head + hostile + b"\r\n\r\n"
        began = time.process_time()
        parses_or_says(data[:65_507])
        assert time.process_time() - began < 0.5
