"""Stored results and runs as entries of the timeline, each with its messages and its packets. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from collector.forensics.entry import Entry, Kind
from sereno import evidence
from sereno.clock import SECOND_US, iso
from sereno.store.queries.forensics import ResultRow
from sereno.store.runs import Run

GOOD, LATE, FAILED, VOID = "ok", "late", "failed", "invalid"


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """Of a stored result, what people are shown on one line; all of it stays in the row."""

    address: Any = None
    transport: Any = None
    code: Any = None
    phrase: Any = None
    answered_by: Any = None
    answered_core: Any = None
    target: Any = None
    account: Any = None
    rtt_seconds: Any = None
    answered_after_seconds: Any = None
    duration_seconds: Any = None
    setup_seconds: Any = None
    media: Any = None
    evidence: Any = None


_decode = msgspec.json.Decoder(Body).decode
_NOTHING = Body()


def body_of(text: str) -> Body | None:
    """What is stored, or None when it is no JSON object any more."""
    try:
        return _decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


class _Lane(msgspec.Struct, frozen=True, kw_only=True):
    address: Any = None
    account: Any = None


_decode_lane = msgspec.json.Decoder(_Lane).decode


def lane_of(text: str) -> str:
    """The address that a result went to, and the account: results of another one say nothing of this."""
    try:
        lane = _decode_lane(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ""
    return " ".join(part for part in (lane.address, lane.account) if isinstance(part, str))


def standing(outcome: str, reason: str | None) -> str:
    """What a result says: ok, late (answered after the deadline, or ok with a reason), failed, invalid."""
    return LATE if outcome == GOOD and reason is not None else outcome


def kind_of(element: str, check: str) -> str:
    """What an element of a result is: a path, an SBC, or what the check names."""
    if "/" in element:
        return "path"
    if check in {"edge", "natural", "options", "register", "call"}:
        return "sbc"
    return {"https": "portal", "database": "database", "tcp": "core"}.get(check, "target")


def of_result(row: ResultRow) -> Iterator[Entry]:
    """The result; after it the messages of its transaction and its packets, where it kept them."""
    body = body_of(row.body)
    place = (row.element, row.probe, row.boot, row.seq)
    source = {"table": "results", "probe": row.probe, "boot": row.boot, "seq": row.seq}
    kind = kind_of(row.element, row.check)
    facts: dict[str, Any] = {"check": row.check}
    if row.reason is not None:
        facts["reason"] = row.reason
    yield Entry(
        at_us=row.at_us, kind="result", element_kind=kind, element=row.element,
        what=standing(row.outcome, row.reason) if body is not None else "unreadable", order=(*place, 0),
        source=source, facts=facts, body=row.body if body is not None else None, arrived_us=row.arrived_us, read=body,
    )  # fmt: skip
    if body is None or not isinstance(body.evidence, dict):
        return
    yield from _beside(row, body, kind, source)


def _beside(row: ResultRow, body: Body, kind: str, source: Mapping[str, Any]) -> Iterator[Entry]:
    for number, key, what in ((1, "messages", "messages"), (2, "callee", "messages of the callee")):
        found = evidence.messages(body.evidence, key)
        if found:
            facts: dict[str, Any] = {"check": row.check, "messages": [one.as_json() for one in found]}
            if left := evidence.left_out(body.evidence):
                facts["left_out"] = left
            yield _of(row, "sip", what, number, kind, source, facts)
    packets = evidence.seconds(body.evidence, row.at_us, evidence.starts(body.media, body.setup_seconds, row.at_us))
    capture = evidence.capture(body.evidence)
    if packets or capture:
        shown: dict[str, Any] = {"check": row.check, "seconds": [second_json(one) for one in packets]}
        if capture:
            shown["pcap"] = capture
        yield _of(row, "rtp", "packets by the second", 3, kind, source, shown)


def _of(
    row: ResultRow, kind: Kind, what: str, place: int, element: str, source: Mapping[str, Any], facts: dict[str, Any]
) -> Entry:
    return Entry(
        at_us=row.at_us, kind=kind, element_kind=element, element=row.element, what=what,
        order=(row.element, row.probe, row.boot, row.seq, place), source=source, facts=facts,
    )  # fmt: skip


def second_json(one: evidence.Second) -> dict[str, Any]:
    """A second of a direction; what was not measured is absent."""
    known = {name: value for name, value in one.values.items() if value is not None}
    return {"at": iso(one.at_us), "direction": one.direction, **known}


def of_run(row: Run) -> Entry:
    """Many results in one line: what they said, how many, the largest gap between two."""
    body = body_of(row.body)
    facts: dict[str, Any] = {
        "check": row.check, "count": row.size, "largest_gap_seconds": row.largest_gap_us / SECOND_US,
        "probe": row.probe, "boot": row.boot, "first_seq": row.first_seq, "last_seq": row.last_seq,
    }  # fmt: skip
    if row.reason is not None:
        facts["reason"] = row.reason
    return Entry(
        at_us=row.from_us, to_us=row.to_us, kind="run", element_kind=kind_of(row.element, row.check),
        element=row.element, what=standing(row.outcome, row.reason),
        order=(row.element, row.probe, row.boot, row.first_seq, 0),
        source={"table": "runs", "probe": row.probe, "boot": row.boot, "seq": row.first_seq}, facts=facts,
        body=row.body if body is not None else None, read=body,
    )  # fmt: skip
