"""One stored result: what it says in full, what lies beside it in its series, its messages as a capture."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection

from dashboards.web.svg import clean
from sereno import evidence
from sereno.answers.cases import Source
from sereno.clock import SECOND_US
from sereno.evidence import packets
from sereno.store.queries import forensics as stored
from sereno.store.queries.forensics import Mark, ResultRow, Series

_LOOK_US = 900 * SECOND_US
_FACTS = 40
_NAMED = ("address", "transport", "target", "account", "codec", "answered_by", "answered_core")
_LONG = 400


class Neighbour(msgspec.Struct, frozen=True, kw_only=True):
    """Another result of the same series."""

    source: Source
    at_us: int
    outcome: str
    reason: str | None


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A result with its neighbours: the one before, the one after, the last good one before it."""

    row: ResultRow
    source: Source
    body: Mapping[str, Any]
    before: Neighbour | None
    after: Neighbour | None
    good: Neighbour | None
    good_body: str | None
    messages: int


def find(connection: Connection, source: Source) -> Found | None:
    """The result, or None where there is none (any more)."""
    row = stored.one(connection, source.probe, source.boot, source.seq)
    if row is None:
        return None
    try:
        body = msgspec.json.decode(row.body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        body = {}
    body = body if isinstance(body, dict) else {}
    series = Series(row.element, row.probe, row.check)
    before: Neighbour | None = None
    good: Neighbour | None = None
    good_body: str | None = None
    for mark in stored.before(connection, series, row.at_us, row.at_us - _LOOK_US):
        one = _neighbour(row.probe, mark)
        before = before or one
        if mark.outcome == "ok" and mark.reason is None:
            good, good_body = one, mark.body
            break
    after = next(stored.after(connection, series, row.at_us, row.at_us + _LOOK_US), None)
    return Found(
        row=row, source=source, body=body, before=before,
        after=None if after is None else _neighbour(row.probe, after),
        good=good, good_body=good_body, messages=len(evidence.messages(body.get("evidence"))),
    )  # fmt: skip


def _neighbour(probe: str, mark: Mark) -> Neighbour:
    source = Source(probe, mark.boot, mark.seq)
    return Neighbour(source=source, at_us=mark.at_us, outcome=mark.outcome, reason=mark.reason)


def capture(found: Found) -> bytes | None:
    """Its messages as pcap, as `sereno forensics --export` writes them; None where it kept none."""
    messages = evidence.messages(found.body.get("evidence"))
    if not messages:
        return None
    address, transport = found.body.get("address"), found.body.get("transport")
    wire = packets.wire_of(
        messages, address if isinstance(address, str) else None, transport if isinstance(transport, str) else None
    )
    return packets.pcap(messages, wire, found.row.at_us)


def facts(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the check learnt besides, one name and value a line: DNS, TLS, addresses, digest, timings."""
    found: list[tuple[str, str]] = [(name, body[name]) for name in _NAMED if isinstance(body.get(name), str)]
    found += [(name, f"{value:g}") for name, value in body.items() if name.endswith("_seconds") and _is_number(value)]
    if _is_number(body.get("retransmissions")):
        found.append(("retransmissions", f"{body['retransmissions']:g}"))
    found += _flat("", body.get("facts"))
    kept = body.get("evidence")
    if isinstance(kept, dict):
        rest = {name: value for name, value in kept.items() if name not in {"messages", "callee", "rtp", "rtp_seconds"}}
        found += _flat("evidence", rest)
    for direction, stream in body["media"].items() if isinstance(body.get("media"), dict) else ():
        found += _flat(f"media.{direction}", stream)
    return [(clean(name, 80), clean(value, _LONG)) for name, value in found]


def _flat(name: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        lines = [line for key, each in list(value.items())[:_FACTS] for line in _flat(f"{name}.{key}".strip("."), each)]
        return lines[:_FACTS]
    if isinstance(value, list):
        return [(name, ", ".join(str(each) for each in value[:8])[:_LONG])]
    if value is None:
        return []
    return [(name, f"{value:g}" if _is_number(value) else str(value)[:_LONG])]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15  # noqa: PLR2004


def raw(row: ResultRow) -> str:
    """The result as it is stored, in lines that people read; what is no JSON as it is."""
    try:
        return msgspec.json.format(row.body, indent=2)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return row.body
