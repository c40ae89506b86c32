"""Torture replies, mutated over and over: parsed or refused in words, matched only when they are ours, never slow.

One second in `make test`; SERENO_FUZZ_SECONDS in `make fuzz`, another seed each time by SERENO_FUZZ_SEED.
"""

import json
import os
import random
import time

import pytest
from torture import GOOD, RIGHT, WRONG, filled

from probes.checks.evidence import ladder
from probes.preflight import alg, echo, train
from probes.sip.built import native
from probes.sip.client import Message
from probes.sip.errors import SipSyntaxError
from probes.sip.message import OptionsRequest, build_options, check_length, parse_reply, parse_unusual
from probes.sip.redaction import redact
from probes.sip.transaction import Answered, Transaction

SECONDS = float(os.environ.get("SERENO_FUZZ_SECONDS", "1"))
SEED = int(os.environ.get("SERENO_FUZZ_SEED", "1"))
REQUEST = build_options(
    OptionsRequest(uri="sip:a", local="127.0.0.1:5070", branch="z9hG4bKours", call_id="c", tag="t", probe="p")
)
SPLICES = [b"\r\n", b"\r\n ", b'"', b"\\", b"\x00", b"<", b">", b";", b",", b":", b" ", b"\xff", b"SIP/2.0 ", b"Via: "]


def mutated(chosen, corpus):
    """Some of the corpus with octets changed, cut, doubled, spliced in, or crossed with another."""
    data = bytearray(chosen.choice(corpus))
    for _ in range(chosen.randrange(1, 6)):
        at = chosen.randrange(len(data) + 1)
        match chosen.randrange(5):
            case 0:
                data[at : at + 1] = chosen.randbytes(1)
            case 1:
                del data[at : at + chosen.randrange(60)]
            case 2:
                data[at:at] = data[at : at + chosen.randrange(80)]
            case 3:
                data[at:] = chosen.choice(corpus)[at:]
            case _:
                data[at:at] = chosen.choice(SPLICES) * chosen.choice([1, 1, 1, 50])
    return bytes(data[:65_507])


def one(data):
    try:
        reply = parse_reply(data)
        check_length(data, reply)
    except SipSyntaxError as error:
        reply = None
        assert str(error)  # noqa: PT017 - both ways out are fine, a third is not
    fast = native.parse(data)
    assert fast is None or fast == parse_unusual(data), "what the C parser takes, it takes as the other does"
    machine = Transaction(REQUEST, branch="z9hG4bKours", cseq=1, method="OPTIONS", timeout=1)
    machine.start(0.0)
    answers = [event for event in machine.received(data, 0.1) if isinstance(event, Answered)]
    ours = reply is not None and (reply.branch, reply.vias, reply.method, reply.cseq) == (
        "z9hG4bKours",
        1,
        "OPTIONS",
        1,
    )
    assert bool(answers) == (ours and reply.final)
    assert len(json.dumps(ladder([Message(0, "received", data)]), ensure_ascii=False).encode()) <= 4_300
    alg.copied_changes(REQUEST, data)
    alg.message_changes(REQUEST, data)
    echo.cookie_in(data)
    echo.copy_in(data)
    train.parse(data)
    echo.answer(data, ("192.0.2.1", 5), 0, ("0" * 16,))
    assert b"hunter2" not in redact(data + b"\r\nAuthorization: Digest hunter2\r\n")


@pytest.mark.parametrize("name", [*RIGHT, *WRONG])
def test_the_corpus_itself(name):
    one(filled({**RIGHT, **WRONG}[name], REQUEST))


def test_mutations():
    corpus = [filled(text, REQUEST) for text in (*RIGHT.values(), *WRONG.values(), *[GOOD] * 20)]
    corpus = [data for data in corpus if len(data) < 10_000]
    chosen = random.Random(SEED)
    end, done, slowest = time.monotonic() + SECONDS, 0, 0.0
    while time.monotonic() < end or done < 200:
        data = mutated(chosen, corpus)
        began = time.process_time()
        one(data)
        slowest = max(slowest, time.process_time() - began)
        done += 1
    assert slowest < 1.0
