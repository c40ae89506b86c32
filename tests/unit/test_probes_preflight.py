"""What a preflight concludes from what it saw; every sentence has its Spanish."""

import ast
import re
from importlib import resources
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

import probes.preflight
from probes.preflight import alg, echo, nat, room, rtp_range, train, words
from probes.preflight.base import Line, Say, overall, untested
from probes.preflight.datagram import Outcome
from probes.preflight.nat import View

FOLDER = Path(probes.preflight.__file__).parent
HERE, THERE = ("192.168.1.20", 5070), ("203.0.113.4", 41000)


def sentences():
    for source in sorted(FOLDER.glob("*.py")):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Say":
                yield node.args[0].value
    yield from words.TITLES.values()
    yield from words.VERDICTS.values()
    yield from re.findall(r'\bt\("([^"]+)"', (FOLDER / "preflight.html").read_text(encoding="utf-8"))


def test_every_sentence_has_its_spanish():
    with (resources.files("probes") / "locale" / "es.po").open("rb") as file:
        spanish = {message.id for message in read_po(file, locale="es") if message.id}
    assert set(sentences()) - spanish == set()
    assert len(set(sentences())) > 60


def line(state, tested=True):
    return Line(test="alg", subject="x", state=state, said=Say("connects"), tested=tested)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["ok", "warning"], "warning"),
        (["ok", "unknown", "warning"], "unknown"),
        (["failed", "unknown", "ok"], "failed"),
        ([], "unknown"),
    ],
)
def test_the_worst_of_what_was_tested_counts(states, expected):
    lines = [line(state) for state in states]
    assert overall([*lines, untested("room", "x", Say("connects"))]) == expected


# --- ALG ---


def sent():
    return echo.request("sip:sbc.example", "192.168.1.20:5070")


def test_a_good_answer_has_nothing_changed():
    asked = sent()
    head = asked.data.decode().split("\r\n")
    kept = [h.replace(";rport", ";received=203.0.113.4;rport=41000") for h in head if h[:4] in {"Via:", "From", "To: "}]
    reply = "\r\n".join(["SIP/2.0 200 OK", *kept, *(h for h in head if h[:4] in {"Call", "CSeq"}), "", ""]).replace(
        "To: <sip:sbc.example>", "To: <sip:sbc.example>;tag=abc"
    )
    assert alg.copied_changes(asked.data, reply.encode()) == []
    compact = reply.replace("Via:", "v :").replace("From:", "f:").replace("Call-ID:", "i:")
    assert alg.copied_changes(asked.data, compact.encode()) == []
    mangled = reply.replace("192.168.1.20:5070", "203.0.113.4:5070")
    assert [one.partition(":")[0] for one in alg.copied_changes(asked.data, mangled.encode())] == ["via", "from"]


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ("Via: SIP/2.0/UDP 192.168.1.20", "Via: SIP/2.0/UDP 203.0.113.4", "via"),
        ("Contact: <sip:preflight@192.168.1.20", "Contact: <sip:preflight@203.0.113.4", "contact"),
        ("c=IN IP4 192.168.1.20", "c=IN IP4 203.0.113.4", "SDP"),
        ("m=audio 40000", "m=audio 52000", "SDP"),
        ("Content-Length: ", "Content-Length: 9", "content-length"),
        ("OPTIONS sip:sbc.example", "OPTIONS sip:203.0.113.9", "request line"),
        ("User-Agent", "X-Alg: yes\r\nUser-Agent", "x-alg"),
        ("Max-Forwards: 70", "Max-Forwards:  70", "octets between the headers"),
    ],
)
def test_what_an_alg_touches_is_named(old, new, names):
    asked = sent().data.decode()
    assert old in asked
    (changed,) = alg.message_changes(asked.encode(), asked.replace(old, new).encode())
    assert changed.startswith(names)
    assert alg.message_changes(asked.encode(), asked.encode()) == []


# --- NAT ---


@pytest.mark.parametrize(
    ("seen", "state", "kind"),
    [
        ([HERE, HERE, HERE], "ok", "none"),
        ([THERE, THERE, ("203.0.113.4", 41001)], "ok", "endpoint_independent"),
        ([THERE, ("203.0.113.4", 41007), ("203.0.113.4", 41001)], "warning", "symmetric"),
        ([THERE, ("203.0.113.9", 41000), THERE], "warning", "several"),
    ],
)
def test_the_type_of_nat(seen, state, kind):
    views = [
        View(far, number, HERE, at) for (far, number), at in zip([("a", 0), ("b", 0), ("a", 1)], seen, strict=True)
    ]
    said = nat.judge("sbc-1", views)
    assert (said.state, said.facts["type"]) == (state, kind)


def test_with_one_far_end_the_type_is_not_invented():
    said = nat.judge("sbc-1", [View("a", 0, HERE, THERE), View("a", 1, HERE, ("203.0.113.4", 41001))])
    assert said.facts["type"] == "unknown"
    assert not nat.judge("sbc-1", []).tested


# --- RTP range ---


def outcome(kind, offender=None):
    return Outcome(kind=kind, offender=offender)


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ([outcome("icmp", "198.51.100.1")] * 3, "ok"),
        ([outcome("icmp", "198.51.100.1"), outcome("silence")], "ok"),
        ([outcome("icmp", "192.168.1.1"), outcome("silence")], "failed"),
        ([outcome("unreachable")], "failed"),
        ([outcome("silence")] * 2, "unknown"),
    ],
)
def test_silence_proves_nothing_and_a_firewalls_icmp_is_told_from_the_sbcs(outcomes, state):
    said = rtp_range.judge("x", "198.51.100.1", dict(enumerate(outcomes)))
    assert said.state == state
    assert said.tested == (state != "unknown")


@pytest.mark.parametrize(("low", "high"), [(20000, 29999), (20001, 20002), (5, 5), (1, 65535), (10000, 10006)])
def test_ports_tried_are_even_within_the_range_and_few(low, high):
    found = rtp_range.sample(low, high)
    assert 1 <= len(found) <= 8
    assert all(low <= port <= high for port in found)
    assert len(found) == 1 or all(port % 2 == 0 for port in found)


# --- trains ---


def test_arrivals_tell_lost_from_late_and_double():
    got = train.Arrivals()
    for number, late in ((0, 0), (1, 0), (4, 0), (3, 0), (3, 0), (5, 8_000_000)):
        got.packet(1, number, number * 20_000_000, number * 20_000_000 + late, 184)
    told = train.told_in(train.build(train.Packet(train.TOLD, "0" * 16, 1, 0, 0, 0), 0, train.tell(got)))
    assert (told.received, told.duplicates, told.reordered, told.expected, told.tos) == (5, 1, 1, 6, 184)
    assert told.jitter_seconds == pytest.approx(0.0005)  # RFC 3550 A.8: one step of 8 ms, by 16


def test_a_packet_is_what_a_call_takes():
    data = train.build(train.Packet(train.OUT, "0123456789abcdef", 7, 70_000, 3, 99), train.IP_OCTETS - 28)
    assert len(data) + 28 == 250
    assert train.parse(data) == train.Packet(train.OUT, "0123456789abcdef", 7, 70_000, 3, 99)
    assert train.IP_OCTETS * 8 * train.PACKETS_PER_SECOND == 100_000


def told(received, jitter=0.001, reordered=0):
    return train.Told(
        received=received, duplicates=0, reordered=reordered, jitter_seconds=jitter, expected=500, tos=184
    )


@pytest.mark.parametrize(
    ("up", "down", "states"),
    [
        (told(500), told(500), ["ok", "ok"]),
        (told(495), told(500), ["warning", "ok"]),
        (told(300), told(300), ["failed", "unknown"]),  # too few came back to tell anything of the way back
        (told(480), told(480), ["failed", "ok"]),  # what was not returned is not lost on the way back
        (told(500), told(470), ["ok", "failed"]),
        (told(500, jitter=0.04), told(500, reordered=9), ["warning", "warning"]),
    ],
)
def test_each_way_has_its_own_verdict(up, down, states):
    run = room.Run(calls=1, planned=500, sent=500, seconds=10, returned=up.received, up=up, down=down)
    assert [one.state for one in room.judge("x", run)] == states


def test_a_slow_machine_is_not_a_bad_line():
    (said,) = room.judge(
        "x", room.Run(calls=1, planned=500, sent=400, seconds=10, returned=400, up=told(400), down=told(400))
    )
    assert said.state == "unknown"


# --- the responder's bytes ---


def test_nobody_without_a_cookie_gets_more_than_they_sent():
    source = ("198.51.100.7", 40000)
    cookies = echo.cookies_of(b"x" * 16, source, 1000.0)
    asked = sent()
    first = echo.answer(asked.data, source, 184, cookies)
    assert len(first) <= len(asked.data)
    assert echo.copy_in(first) is None
    known = echo.request("sip:echo@198.51.100.9", "192.168.1.20:5070", cookie=echo.cookie_in(first))
    seen = echo.copy_in(echo.answer(known.data, source, 184, cookies))
    assert (seen.data, seen.source, seen.tos) == (known.data, "198.51.100.7:40000", 184)
    other = echo.cookies_of(b"x" * 16, ("198.51.100.8", 40000), 1000.0)
    stranger = echo.answer(known.data, ("198.51.100.8", 40000), 0, other)
    assert echo.copy_in(stranger) is None, "another's cookie is none"
    assert echo.answer(b"OPTIONS sip:a SIP/2.0\r\n\r\n", source, 0, cookies) is None, "it would be more than was sent"
    for junk in (b"", b"\xff" * 40, b"SIP/2.0 200 OK\r\n\r\n", b"REGISTER sip:a SIP/2.0\r\n\r\n"):
        assert echo.answer(junk, source, 0, cookies) is None


def test_the_page_is_whole_and_escapes_what_a_far_side_said():
    hostile = Line(test="alg", subject="<script>", state="failed", said=Say("no answer: {why}", {"why": "<b>&"}))
    made = words.page([hostile], "es", sbc="sbc-1", at="2026-01-01T00:00:00Z")
    assert "<script>" not in made
    assert "&lt;b&gt;&amp;" in made
    assert "Todavía no apta para voz" in made
    assert "http" not in made.replace("http-equiv", "")
