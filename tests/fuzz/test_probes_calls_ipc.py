"""Whatever a worker or a pool writes: a message, or `IpcError`. Whatever the wire says: a ladder."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.sip.ipc import (
    AccountSpec,
    Call,
    Hangup,
    IpcError,
    Message,
    Quit,
    Ready,
    Register,
    decode_command,
    decode_event,
    encode,
)
from probes.sip.ladder import read

SPEC = AccountSpec(key="k", aor="sip:a@b", registrar="sip:c", route=None, user="a", password="hush")
COMMANDS = [
    Register(id=1, account=SPEC, timeout_seconds=1.0),
    Call(id=2, account=SPEC, to="sip:x@y", codecs=("PCMA",), timeout_seconds=1.0, hold_seconds=1.0, bye_seconds=1.0),
    Hangup(id=3),
    Quit(seconds=1.0),
]
SEEDS = [encode(command) for command in COMMANDS] + [encode(Ready(sip_port=5060))]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_survive_the_wire(command):
    line = encode(command)
    assert line.count(b"\n") == 1
    assert decode_command(line.removesuffix(b"\n")) == command


def test_a_password_is_not_in_a_repr():
    assert "hush" not in repr(COMMANDS)


def decoded(line):
    for decode in (decode_command, decode_event):
        try:
            decode(line)
        except IpcError:
            continue


@given(st.binary(max_size=400))
def test_any_bytes(line):
    decoded(line)


@given(st.sampled_from(SEEDS), st.data())
def test_damaged_messages(seed, data):
    cut = data.draw(st.integers(0, len(seed)))
    decoded(seed[:cut] + data.draw(st.binary(max_size=8)) + seed[cut + data.draw(st.integers(0, 8)) :])


LINES = st.sampled_from(
    [
        "INVITE sip:x SIP/2.0", "SIP/2.0 200 OK", "Via: SIP/2.0/UDP h;branch=z9hG4bKx", "From: a;tag=1", "To: b",
        "Call-ID: c", "CSeq: 1 INVITE", "CSeq: 99999999999 INVITE", "Contact: <sip:a@b>;expires=", "Expires: x", "",
        "\x00",
    ]
)  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(["sent", "received"]), st.lists(LINES | st.text(max_size=40)))))
def test_any_messages_give_a_ladder(messages):
    ladder = read(Message(0, direction, "\r\n".join(lines)) for direction, lines in messages)
    assert len(ladder.requests) + len(ladder.answers) <= len(messages)
    assert ladder.final("INVITE") is None or ladder.sent("INVITE")
