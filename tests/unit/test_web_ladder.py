"""A ladder shows what was kept and what the result says, and not one arrow more."""

import re
from xml.etree import ElementTree as ET

import pytest

from dashboards.web.exchange import Event, Gap, More, Silence, Sip, exchange
from dashboards.web.ladder import ladder, rtp_seconds, side_by_side
from dashboards.web.words import Words
from sereno.clock import SECOND_US, iso, parse_instant

AT = parse_instant("2026-11-21T15:00:00Z")
ES, EN = Words("es", "America/Costa_Rica"), Words("en", "America/Costa_Rica")


def request(method="OPTIONS", cseq=1):
    via = "Via: SIP/2.0/UDP 203.0.113.7;branch=z9"
    return f"{method} sip:10.8.0.1 SIP/2.0\r\n{via}\r\nCall-ID: a\r\nCSeq: {cseq} {method}\r\n\r\n"


def answer(status, method="OPTIONS", cseq=1):
    return f"SIP/2.0 {status}\r\nCall-ID: a\r\nCSeq: {cseq} {method}\r\n\r\n"


def kept(*messages):
    """`(seconds, direction, text or the number of the message that it repeats)`."""
    rows = []
    for seconds, direction, text in messages:
        row = {"at": iso(AT + round(seconds * SECOND_US)), "direction": direction}
        rows.append(row | ({"repeats": text} if isinstance(text, int) else {"text": text}))
    return rows


def result(messages=(), **more):
    evidence = {"messages": kept(*messages)} if messages else {}
    return {
        "v": 1, "probe": "bog-1", "boot": "b", "seq": 7, "at": iso(AT), "check": "options", "sbc": "sbc-1",
        "core": "core-a", "address": "sip:198.51.100.11:5060", "transport": "udp", "outcome": "failed",
        "evidence": evidence | more.pop("evidence", {}),
    } | more  # fmt: skip


def rows_of(body, kind):
    return [one for one in exchange(body).rows if isinstance(one, kind)]


def svg_of(markup):
    found = re.search(r"<svg.*?</svg>", markup, re.DOTALL)
    return ET.fromstring(found[0])  # noqa: S314 - ours


def texts(tree):
    return [one.text for one in tree.iter("{http://www.w3.org/2000/svg}text") if one.text]


TIMEOUT = result(
    [(0, "sent", request()), (0.5, "sent", 0), (0.75, "sent", 0)],
    reason="timeout",
    answered_by="none",
    duration_seconds=0.9,
)


def test_copies_are_one_row_and_the_missing_answer_is_named_with_its_timer():
    first, again = rows_of(TIMEOUT, Sip)
    assert (first.again, again.again, len(again.copies)) == (False, True, 2)
    (silence,) = rows_of(TIMEOUT, Silence)
    assert (silence.method, silence.waited_us, silence.timer, silence.ringing) == ("OPTIONS", 900_000, "F", False)
    shown = texts(svg_of(ladder(ES, TIMEOUT)))
    assert "OPTIONS repetido ×2" in shown
    assert "✕ sin respuesta a OPTIONS" in shown
    assert "a los 900,0 ms: plazo del chequeo (Timer F)" in shown
    assert "+500,0 ms, +750,0 ms" in shown
    assert "after 900.0 ms: the check's deadline (Timer F)" in texts(svg_of(ladder(EN, TIMEOUT)))


def test_no_arrow_ends_at_the_core_and_the_way_there_is_said_not_to_be_captured():
    tree = svg_of(ladder(ES, TIMEOUT))
    assert "no capturado" in texts(tree)
    ends = {
        x
        for one in tree.iter("{http://www.w3.org/2000/svg}line")
        if one.get("y1") == one.get("y2")
        for x in (one.get("x1"), one.get("x2"))
    }
    assert all(float(x) <= 500 for x in ends)


def test_an_answer_after_the_deadline_is_late_and_nothing_is_missing():
    body = result(
        [(0, "sent", request()), (25.2, "received", answer("200 OK"))], outcome="ok", reason="late", code=200,
        answered_by="core", answered_core="core-a", answered_after_seconds=25.2,
    )  # fmt: skip
    assert rows_of(body, Silence) == []
    assert rows_of(body, Sip)[-1].late
    assert [one.lasted_us for one in rows_of(body, Gap)] == [25_200_000]
    shown = texts(svg_of(ladder(ES, body)))
    assert "▲ 200 OK" in shown
    assert "CSeq 1 OPTIONS · tarde: a los 25,2 s" in shown
    assert "respuesta suya" in shown


def test_the_answer_that_failed_is_marked_and_whose_it_is():
    body = result(
        [(0, "sent", request()), (0.001, "received", answer("503 Service Unavailable"))], reason="sip_5xx", code=503,
        answered_by="sbc",
    )  # fmt: skip
    shown = texts(svg_of(ladder(ES, body)))
    assert "✕ 503 Service Unavailable" in shown
    assert "del propio SBC" in shown
    assert rows_of(body, Silence) == []


def test_a_call_that_was_answered_and_then_cut_blames_no_answer():
    body = result(
        [
            (0, "sent", request("INVITE")), (0.01, "received", answer("200 OK", "INVITE")),
            (4, "sent", request("BYE", 2)), (4.5, "sent", 2),
        ],
        check="call", reason="cut_off", code=200, answered_by="core",
    )  # fmt: skip
    assert [one.message.code for one in rows_of(body, Sip) if one.decides] == [200]
    shown = texts(svg_of(ladder(ES, body)))
    assert "200 OK" in shown
    (silence,) = rows_of(body, Silence)
    assert (silence.method, silence.waited_us) == ("BYE", None)
    assert "hasta el último mensaje guardado" in shown


def test_of_an_invite_that_rings_timer_b_no_longer_runs():
    body = result(
        [(0, "sent", request("INVITE")), (0.01, "received", answer("180 Ringing", "INVITE"))], check="call",
        reason="no_answer", duration_seconds=8.0,
    )  # fmt: skip
    (silence,) = rows_of(body, Silence)
    assert (silence.timer, silence.ringing) == (None, True)
    assert "✕ sin respuesta final a INVITE" in texts(svg_of(ladder(ES, body)))


def test_where_messages_were_left_out_no_answer_is_called_missing():
    body = result(
        [(0, "sent", request())],
        reason="sip_5xx",
        code=503,
        evidence={"messages": kept((0, "sent", request())), "left_out": 3},
    )
    assert rows_of(body, Silence) == []
    assert [(one.count, one.kept) for one in rows_of(body, More)] == [(3, False)]


def test_what_was_not_sip_is_said_beside_it():
    refused = result(
        [(0, "sent", request())],
        reason="refused",
        duration_seconds=0.0002,
        evidence={"messages": kept((0, "sent", request())), "detail": "Connection refused"},
    )
    assert [one.what for one in rows_of(refused, Event)] == ["icmp"]
    assert "✕ ICMP: ahí nadie escucha (conexión rechazada)" in texts(svg_of(ladder(ES, refused)))
    tls = result(
        [(0.01, "sent", request())], transport="tls", reason="timeout", duration_seconds=0.9,
        facts={"connection": "new", "connect_seconds": 0.001, "tls_handshake_seconds": 0.004,
               "tls": {"version": "TLSv1.3"}},
    )  # fmt: skip
    assert [one.what for one in rows_of(tls, Event)] == ["connected", "tls"]
    assert isinstance(exchange(tls).rows[0], Event)


def test_a_result_without_messages_says_so():
    body = result(outcome="ok", code=200, rtt_seconds=0.0009)
    shown = ladder(ES, body)
    assert "<svg" not in shown
    assert "No se guardaron sus mensajes" in shown
    assert "No se guardaron sus mensajes" in side_by_side(ES, TIMEOUT, body)
    assert side_by_side(ES, TIMEOUT, body).count("<svg") == 1


@pytest.mark.parametrize("body", ["", "[]", "7", b"\xff\x00", "{", '{"evidence": "x"}'])
def test_what_is_no_result_is_said_to_be_none(body):
    assert "<svg" not in ladder(ES, body)
    assert rtp_seconds(ES, body) == ""


SECONDS = {
    "rx": {
        "second": [0, 1, 2, 5, 6], "packets": [50, 48, 20, 50, 50], "lost": [0, 2, 30, 0, 0], "discarded": [0] * 5,
        "jitter_max_seconds": [0.001, 0.03, 0.04, None, 0.002], "mos_lq": [4.41, 3.9, 1.2, None, 4.4],
    }
}  # fmt: skip


def test_seconds_show_loss_jitter_mos_and_where_nothing_came():
    body = result(
        [(0, "sent", request("INVITE"))],
        check="call",
        media={"rx": {"start": AT / 1e6}},
        evidence={"rtp_seconds": SECONDS},
    )
    shown = rtp_seconds(ES, body)
    assert "7 segundos desde 2026-11-21 09:00:00.000 UTC−06:00" in shown
    assert "peor segundo 60,0 %" in shown
    assert "MOS mínimo 1,20" in shown
    assert "3 s sin paquetes o con pocos" in shown
    tree = svg_of(shown)
    assert "✕ 3 s" in texts(tree)
    assert len(re.findall("<tr>", shown)) == 8
    lines, dots = (list(tree.iter("{http://www.w3.org/2000/svg}" + name)) for name in ("polyline", "circle"))
    assert (len(lines), len(dots)) == (2, 2)  # jitter and MOS: no line goes over a second of which nothing is known
