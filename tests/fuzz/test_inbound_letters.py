"""Whatever bytes a mailbox holds, `read` gives a letter, bounded and storable, in bounded time; sorting never fails."""

import time
from email.message import EmailMessage

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.mailbox import Letter, read, sort
from alerting.mailbox.message import LONGEST_RAW, LONGEST_TEXT
from sereno.alertmanager import Told, decode, told
from sereno.desk.inbound import Mailbox
from sereno.errors import WireError
from sereno.topology.model import Secret

BOX = Mailbox(imap="imaps://h:993", user="u@x.example", secret=Secret(env="X"), senders={})
HEADERS = st.sampled_from([
    b"From", b"To", b"Subject", b"Message-ID", b"In-Reply-To", b"References", b"Content-Type", b"Auto-Submitted",
    b"Content-Transfer-Encoding", b"Content-Disposition", b"Precedence", b"Return-Path", b"Authentication-Results",
])  # fmt: skip
VALUES = st.one_of(
    st.binary(max_size=80),
    st.sampled_from([
        b"multipart/mixed; boundary=x", b"multipart/mixed", b"message/rfc822", b"text/html; charset=utf-9",
        b'text/plain; charset="=?utf-8?q?x?="', b"text/plain; charset*=utf-8''%00", b"base64", b"x-uuencode",
        b"quoted-printable", b"=?utf-8?b?w4FuaW1v?=", b"=?nope?b?AAAA?=", b"=?utf-8?b?A?=", b"=?utf-8?q?=FF=00?=",
        b"attachment; filename*=x''%FF", b"attachment; filename*0*=utf-8''a; filename*1=b", b"<a@b>", b"<>", b'"<a@b',
        b"multipart/report; report-type=delivery-status; boundary=x", b"[#7] re: [SER-8]", b"a@b.example",
    ]),
)  # fmt: skip
BODY = st.one_of(
    st.binary(max_size=300),
    st.lists(st.sampled_from([b"--x\r\n", b"--x--\r\n", b"\r\n", b"<p>a<b", b"=\r\n", b"=ZZ", b"begin 666 x\r\n",
                              b"Content-Type: text/html\r\n", b"> recibido\r\n"]), max_size=20).map(b"".join),
)  # fmt: skip


def check(raw: bytes) -> Letter:
    letter = read(raw)
    assert len(letter.text) <= LONGEST_TEXT
    assert letter.sender.isprintable() or letter.sender == ""
    assert letter.subject.isprintable()
    again = msgspec.convert(msgspec.json.decode(msgspec.json.encode(msgspec.to_builtins(letter))), type=Letter)
    assert again == letter  # what the inbox keeps is what was read
    assert b"\\u0000" not in msgspec.json.encode(letter)  # which PostgreSQL does not keep
    sort.kind_of(letter, BOX)
    sort.is_ack(letter.text)
    sort.referred(letter)
    sort.tokened(letter)
    sort.believed(letter, "mx.example")
    assert sort.subject_of(letter)
    return letter


@given(st.binary(max_size=2_000))
def test_any_bytes(raw: bytes) -> None:
    check(raw)


@given(st.lists(st.tuples(HEADERS, VALUES), max_size=12), BODY)
def test_broken_headers_and_bodies(headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    check(b"".join(name + b": " + value + b"\r\n" for name, value in headers) + b"\r\n" + body)


@given(st.data())
def test_a_good_message_with_a_few_octets_changed(data: st.DataObject) -> None:
    message = EmailMessage()
    message["From"], message["Subject"] = "Ana Ñ <ana@x.example>", "Caída"
    message.set_content("Sin audio\n")
    message.add_alternative("<p>Sin audio</p>", subtype="html")
    message.add_attachment(b"12345", maintype="audio", subtype="wav", filename="ñ.wav")
    raw = bytearray(message.as_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    check(bytes(raw))


def nested(depth: int) -> bytes:
    raw = b"Content-Type: text/plain\r\n\r\ndeep\r\n"
    for place in range(depth):
        mark = b"b%d" % place
        raw = b"Content-Type: multipart/mixed; boundary=%s\r\n\r\n--%s\r\n%s\r\n--%s--\r\n" % (mark, mark, raw, mark)
    return b"From: a@b.example\r\n" + raw


@pytest.mark.parametrize(
    "raw",
    [
        nested(40),
        nested(3_000),
        b"From: a@b.example\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 5_000,
        b"From: a@b.example\r\nSubject: " + b"=?utf-8?q?a?= " * 100_000 + b"\r\n\r\nx",
        b"From: a@b.example\r\nReferences: " + b"<a@b> " * 100_000 + b"\r\n\r\nx",
        b"From: " + b"a@b.example, " * 50_000 + b"\r\n\r\nx",
        b"From: a@b.example\r\n" + b"Received: x\r\n" * 20_000 + b"\r\nx",
        b"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n\r\na\r\n" * 25_000,
        b"From: a@b.example\r\nContent-Type: text/html\r\n\r\n" + b"<div><!--" * 30_000,
        b"From: a@b.example\r\n\r\n" + b"on " * 100_000,
        b"From: a@b.example\r\n\r\n" + b"\n \n" * 100_000,
        b"x" * (3 * LONGEST_RAW),
    ],
    ids=[
        "deep",
        "deeper",
        "rfc822",
        "words",
        "references",
        "from",
        "received",
        "parts",
        "html",
        "quotes",
        "blank",
        "huge",
    ],
)
def test_bombs_cost_little(raw: bytes) -> None:
    begun = time.process_time()
    check(raw)
    assert time.process_time() - begun < 3.0


@given(st.one_of(st.binary(max_size=400), st.from_regex(rb'\{"version":"4",.{0,100}\}', fullmatch=True)))
def test_any_bytes_are_no_webhook(raw: bytes) -> None:
    with pytest.raises(WireError) as caught:
        decode(raw)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=60), st.text(max_size=60), st.datetimes(), st.sampled_from(["Z", "+14:00", "-12:00"]))
def test_any_labels_and_times_of_a_webhook_are_kept_bounded(key: str, value: str, moment: object, zone: str) -> None:
    alert = {
        "status": "resolved", "labels": {key: value * 100}, "annotations": {"summary": value}, "fingerprint": "a1",
        "startsAt": str(moment).replace(" ", "T") + zone, "endsAt": "0001-01-01T00:00:00Z",
    }  # fmt: skip
    body = {"version": "4", "groupKey": "", "status": "firing", "receiver": "x", "alerts": [alert]}
    try:
        found: list[Told] = told(decode(msgspec.json.encode(body)))
    except WireError:
        return
    assert found[0].starts_us >= 0
    assert all(len(one) <= 1_000 for one in found[0].labels.values())


def test_a_fault_of_the_library_costs_the_parts_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OverflowError

    monkeypatch.setattr("alerting.mailbox.message._parsed", broken)
    letter = check(
        b"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=x\r\nSubject: s\r\n\r\n--x\r\n\r\nhola\r\n"
    )
    assert (letter.sender, letter.subject) == ("a@b.example", "s")
    assert "hola" in letter.text
