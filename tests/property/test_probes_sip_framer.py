"""Messages in a stream: any cutting of the bytes gives the same messages and the same fault, all of it bounded."""

import itertools
import os
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from probes.sip.stream import BODY_LIMIT, HEADER_LIMIT, Crlf, Frame, Framer

EXAMPLES = 300 * int(os.environ.get("SERENO_FUZZ_SECONDS", "1"))


def message(body: bytes = b"", header: bytes = b"Content-Length", extra: bytes = b"") -> bytes:
    return b"SIP/2.0 200 OK\r\nVia: x\r\n" + extra + header + b": %d\r\n\r\n" % len(body) + body


def run(pieces: list[bytes]) -> tuple[list[Frame | Crlf], str | None, int]:
    framer = Framer()
    found = [one for piece in pieces for one in framer.feed(piece)]
    return found, framer.fault, framer.pending


def cut(data: bytes, places: list[int]) -> list[bytes]:
    at = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(at)]


PIECES = st.sampled_from([
    message(), message(b"v=0\r\n\r\n"), message(b"\r\n" * 3), message(b"x", b"l"), message(b"ab", b"CONTENT-LENGTH "),
    b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"SIP/2.0 200 OK\n\nl: 3\n", b"SIP/2.0 200 OK\nl: 2\n\nhi", b"Content-Length:",
    b"Content-Length: 5\r\n", b"Content-Length: 7\r\n\r\n", b"l: x\r\n\r\n", b"\x00\xff", b" ", b"l:\r\n 4\r\n\r\nabcd",
])  # fmt: skip


@settings(max_examples=EXAMPLES)
@given(
    st.lists(PIECES | st.binary(max_size=20), max_size=12).map(b"".join), st.lists(st.integers(0, 5_000), max_size=30)
)
@example(message() + b"\r\n\r\n" + message(b"abc"), list(range(200)))
@example(b"SIP/2.0 200 OK\r\nl: 1\r\n\n", [22, 23, 24])
def test_any_cutting_gives_the_same(data, places):
    whole = run([data])
    assert run(cut(data, places)) == whole
    assert run([data[n : n + 1] for n in range(len(data))]) == whole


@settings(max_examples=EXAMPLES)
@given(st.lists(st.binary(max_size=200), max_size=8), st.lists(st.integers(0, 5_000), max_size=20))
def test_what_was_put_in_comes_out(bodies, places):
    """Whatever the bodies hold, line ends and other messages too."""
    messages = [message(body) for body in bodies]
    found, fault, pending = run(cut(b"\r\n".join(messages), places))
    assert [one.data for one in found if isinstance(one, Frame)] == messages
    assert (fault, pending) == (None, 0)


@settings(max_examples=EXAMPLES)
@given(st.binary(max_size=400))
def test_any_bytes_give_messages_or_one_fault(data):
    found, fault, pending = run([data])
    assert fault is None or (fault and pending == 0)
    assert sum(len(one.data) for one in found if isinstance(one, Frame)) + pending <= len(data)


def test_after_a_fault_nothing_comes():
    framer = Framer()
    assert [type(one) for one in framer.feed(message() + b"SIP/2.0 200 OK\r\n\r\n" + message())] == [Frame]
    assert "no Content-Length" in framer.fault
    assert framer.feed(message()) == []


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"SIP/2.0 200 OK\r\nX: y\r\n\r\n", "no Content-Length"),
        (b"SIP/2.0 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "several Content-Lengths: 1, 2"),
        (b"SIP/2.0 200 OK\r\nContent-Length: -1\r\n\r\n", "is no number"),
        (b"SIP/2.0 200 OK\r\nContent-Length: 1e3\r\n\r\n", "is no number"),
        (b"SIP/2.0 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", "is no number"),
        (b"SIP/2.0 200 OK\r\nContent-Length: %d\r\n\r\n" % (BODY_LIMIT + 1), f"{BODY_LIMIT} is the most"),
        (b"SIP/2.0 200 OK\r\nX: " + b"y" * HEADER_LIMIT, "does not end in 32768 octets"),
        (b"y" * (HEADER_LIMIT - 3) + b"\r\n\r\n", "does not end in 32768 octets"),
    ],
)
def test_faults_in_words(data, says):
    _, fault, pending = run([data])
    assert says in fault
    assert pending == 0


def test_the_same_length_twice_is_one_length():
    assert run([message(b"abc", extra=b"l: 3\r\n")])[1] is None


@pytest.mark.parametrize("data", [b"\r\n" * 300_000, message() * 20_000, b"X: y\r\n" * 5_000, b"\r" * 40_000])
def test_hostile_streams_take_no_time(data):
    began = time.process_time()
    run([data])
    framer = Framer()
    for at in range(0, len(data), 1_000):
        framer.feed(data[at : at + 1_000])
    assert time.process_time() - began < 3


def test_an_endless_head_octet_by_octet_is_linear():
    framer, began = Framer(), time.process_time()
    for _ in range(HEADER_LIMIT + 10):
        framer.feed(b"x")
    assert framer.fault is not None
    assert time.process_time() - began < 2
