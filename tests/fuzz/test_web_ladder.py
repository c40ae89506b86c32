"""One invariant: whatever evidence is, its pictures are well-formed, bounded, and hold no element but ours."""

import json
from xml.etree import ElementTree as ET

from hypothesis import example, given, settings
from hypothesis import strategies as st

from dashboards.web.ladder import rtp_seconds, side_by_side
from dashboards.web.words import Words

HOSTILE = st.sampled_from(
    (
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "</title></svg><iframe src=//x>",
        "]]>",
        "&amp;&#x0;",
        "\x00\x01\x1b[2J",
        "\u202e\u2066abc",
        "\ud800",
        "SIP/2.0 200 </text><script>",
        "A" * 9_000,
        "javascript:alert(1)",
        "INVITE sip:<svg/onload=alert(1)> SIP/2.0\r\nCSeq: 1 <b>\r\n\r\n",
        "INVITE sip:a SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n",
        "SIP/2.0 100 trying\r\nCSeq: 1 INVITE\r\n\r\n",
        "timeout",
        "bye_unanswered",
        "late",
        "core",
        "sbc",
        "udp",
        "2026-11-21T15:00:00Z",
        "2026-11-21T15:00:09Z",
        "9999-12-31T23:59:59.999999Z",
        "0001-01-01T00:00:00Z",
    )
)
texts = st.one_of(HOSTILE, st.text(max_size=40))
numbers = st.one_of(st.integers(-(2**70), 2**70), st.floats(), st.booleans(), st.none())
junk = st.recursive(
    st.one_of(numbers, texts),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
message = st.fixed_dictionaries(
    {},
    optional={
        "at": texts | junk,
        "direction": st.sampled_from(("sent", "received")) | junk,
        "text": texts,
        "repeats": numbers,
        "cut": numbers,
    },
)
columns = st.dictionaries(
    st.sampled_from(("second", "packets", "lost", "discarded", "mos_lq", "jitter_max_seconds")),
    st.lists(numbers, max_size=5) | junk,
    max_size=6,
)
evidence = st.fixed_dictionaries(
    {},
    optional={
        "messages": st.lists(message, max_size=8) | junk,
        "callee": st.lists(message, max_size=3),
        "left_out": numbers,
        "detail": texts | junk,
        "error": texts | junk,
        "rtp_seconds": st.dictionaries(st.sampled_from(("rx", "tx")), columns, max_size=2) | junk,
        "rtp": st.fixed_dictionaries(
            {"columns": st.just(["seconds", "rx_packets"]) | junk, "rows": st.just([[1, 2], [2, 90]]) | junk}
        ),
    },
)
FIELDS = (
    "probe",
    "at",
    "check",
    "sbc",
    "core",
    "address",
    "transport",
    "outcome",
    "reason",
    "phrase",
    "answered_by",
    "answered_core",
    "target",
)
bodies = st.fixed_dictionaries(
    {"evidence": evidence | junk},
    optional=dict.fromkeys(FIELDS, texts | junk)
    | {
        "code": numbers,
        "duration_seconds": numbers,
        "answered_after_seconds": numbers,
        "rtt_seconds": numbers,
        "setup_seconds": numbers,
    }
    | {
        "media": junk
        | st.just({"rx": {"codec": "<b>", "packets": 1e300, "mos_lq": True, "start": 1e300}, "tx": {"loss_ratio": 0.1}})
    }
    | {"facts": junk | st.just({"connection": "new", "connect_seconds": 0.1, "tls": {"version": "<svg>"}})},
)
TAGS = {
    "div",
    "figure",
    "figcaption",
    "svg",
    "title",
    "desc",
    "g",
    "text",
    "line",
    "rect",
    "circle",
    "polygon",
    "polyline",
    "details",
    "summary",
    "ol",
    "li",
    "p",
    "b",
    "pre",
    "section",
    "strong",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
}
WORDS = Words("es", "America/Bogota")


@given(bodies)
@settings(max_examples=60)
@example({"evidence": {"messages": [{"text": "x\r\n" * 4_000, "direction": "sent"}] * 60}, "reason": "timeout"})
@example(
    {
        "evidence": {"messages": [{"text": "INVITE sip:a SIP/2.0", "direction": "sent"}, *[{"repeats": 0}] * 499]},
        "at": "x",
    }
)
@example({"evidence": {"rtp_seconds": {"rx": {"second": [0, 1e4], "lost": [1e14, -1], "packets": [-5, 1e14]}}}})
def test_any_evidence_is_a_harmless_picture(body):
    text = json.dumps(body).replace("Infinity", "1e999").replace("NaN", "null")
    for given_ in (text.encode("utf-8", "surrogatepass"), body):
        shown = f"<div>{side_by_side(WORDS, text, given_)}{rtp_seconds(WORDS, given_)}</div>"
        assert len(shown) < 1_500_000
        tree = ET.fromstring(shown)  # noqa: S314 - the point: it is well-formed
        for one in tree.iter():
            assert one.tag.rpartition("}")[2] in TAGS
            assert not [name for name in one.attrib if name == "style" or name.startswith("on") or "href" in name]
