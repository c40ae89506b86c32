"""One invariant: whatever the evidence of a stored result is, it is shown, exported and counted; nothing raises."""

import json
import struct
from ipaddress import ip_address

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from collector.forensics.entry import as_json
from collector.forensics.fold import folded
from collector.forensics.samples import lane_of, of_result
from collector.forensics.text import Terminal
from collector.forensics.words import Words
from sereno import evidence
from sereno.evidence import packets
from sereno.store.queries.forensics import ResultRow

AT = 1_795_273_200_000_000
texts = st.one_of(
    st.text(max_size=80),
    st.sampled_from(
        (
            "OPTIONS sip:10.8.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.7:5060;branch=z\r\nCall-ID: a@b\r\n\r\n",
            "SIP/2.0 503 Unavailable\r\nv: SIP/2.0/TCP [2001:db8::9]:1;received=10.0.0.1;rport=99999\r\ni: x\r\n\r\n",
            "SIP/2.0 200", "\x1b[2J\x1b]0;x\x07", "…", "\r\n" * 40,
        )
    ),
)  # fmt: skip
instants = st.one_of(st.sampled_from(("2026-11-21T15:00:00.000001Z", "2026-11-21T15:00:00", "9999-99-99", "")), texts)
numbers = st.one_of(st.integers(-(2**70), 2**70), st.floats(), st.booleans(), st.none(), st.just("12"))
junk = st.recursive(
    st.one_of(numbers, texts), lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
message = st.fixed_dictionaries(
    {},
    optional={"at": instants | junk, "direction": st.sampled_from(("sent", "received")) | junk, "text": texts | junk,
                  "repeats": numbers, "cut": numbers},
)  # fmt: skip
columns = st.dictionaries(
    st.sampled_from((*evidence.COLUMNS, "second")), st.lists(numbers, max_size=4) | junk, max_size=6
)
shapes = st.fixed_dictionaries(
    {},
    optional={
        "messages": st.lists(message | junk, max_size=5) | junk,
        "callee": st.lists(message, max_size=2) | junk,
        "left_out": numbers,
        "detail": texts | junk,
        "rtp_seconds": st.dictionaries(st.sampled_from(("rx", "tx", "?")), columns | junk, max_size=3) | junk,
        "rtp": st.fixed_dictionaries(
            {"columns": junk | st.just(["seconds", "rx_packets"]), "rows": junk | st.just([[1, 2]])}
        ),
        "pcap": st.fixed_dictionaries({}, optional={"path": texts | junk}) | junk,
    },
)  # fmt: skip
bodies = st.fixed_dictionaries(
    {"evidence": shapes | junk},
    optional={"address": texts | junk, "transport": texts | junk, "code": numbers, "phrase": texts | junk,
              "media": junk | st.just({"rx": {"start": 1e300, "mos_lq": True}}), "setup_seconds": numbers,
              "rtt_seconds": numbers, "answered_after_seconds": numbers, "answered_by": texts | junk},
)  # fmt: skip


def row(body):
    return ResultRow(AT, "sbc-1/core-a", "bog-1", "b", 7, "call", "failed", "timeout", AT + 1, body)


@given(bodies)
@settings(max_examples=120)
@example({"evidence": {"messages": [{"repeats": 0}, {"text": "x", "cut": 1 << 40}, {"repeats": 1, "cut": 5}]}})
@example(
    {"evidence": {"messages": [{"text": "x" * 70_000}], "rtp_seconds": {"rx": {"second": [1e14], "lost": [None]}}}}
)
def test_any_evidence_is_shown(body):
    text = json.dumps(body).replace("Infinity", "1e999").replace("NaN", "null")
    lane_of(text)
    found = list(of_result(row(text)))
    assert found[0].kind == "result"
    assert [one.key for one in found] == sorted(one.key for one in found)
    for one in found:
        json.loads(as_json(one))
    for full in (False, True):
        lines = list(Terminal(Words("es", "UTC"), full=full).timeline(iter(found)))
        assert all(len(line) <= 100 and line.isprintable() for line in lines), lines
    assert list(folded(found))


@given(st.lists(message, max_size=6), texts, st.sampled_from((None, "udp", "tcp", "tls", "sctp")))
@settings(max_examples=120)
def test_any_messages_are_packets_of_which_every_length_adds_up(given_, address, transport):
    found = evidence.messages({"messages": given_})
    wire = packets.wire_of(found, f"sip:{address}", transport)
    data = packets.pcap(found, wire, AT)
    assert struct.unpack("<IHHiIII", data[:24])[0] == 0xA1B2C3D4
    at, count = 24, 0
    while at < len(data):
        _, micro, kept, whole = struct.unpack("<IIII", data[at : at + 16])
        packet = data[at + 16 : at + 16 + kept]
        assert micro < 1_000_000
        assert kept <= whole <= 65_535 + 40
        six = packet[0] >> 4 == 6
        assert whole == (40 + int.from_bytes(packet[4:6], "big") if six else int.from_bytes(packet[2:4], "big"))
        ends = (packet[8:24], packet[24:40]) if six else (packet[12:16], packet[16:20])
        assert {ip_address(end) for end in ends} == {wire.probe.address, wire.peer.address}
        at, count = at + 16 + kept, count + 1
    assert count == len(found)


@given(st.binary(max_size=60) | st.text(max_size=40).map(str.encode))
@settings(max_examples=80)
def test_any_stored_text_is_a_result_or_unreadable(body):
    (one, *_) = of_result(row(body.decode("utf-8", "replace")))
    assert one.what in {"failed", "unreadable"}
    msgspec.json.decode(as_json(one))
