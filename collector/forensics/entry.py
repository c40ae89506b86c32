"""One line of the timeline, and the order of all of them. Pure."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

import msgspec

from sereno.clock import iso

Kind = Literal[
    "topology", "leader", "maintenance", "isolation", "probe", "hole", "run", "result", "sip", "rtp", "verdict",
    "finding", "ledger", "revision", "incident", "notification", "quarantine",
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)
# At the same microsecond what was done to the platform comes before what was measured, and that before what was
# concluded. A transaction's messages and packets stay with their result; verdicts and findings are one list.
_RANK = {kind: rank for rank, kind in enumerate(KINDS)} | {"sip": 7, "rtp": 7, "finding": 10, "verdict": 10}

Order = tuple[
    str, str, str, int, int
]  # results: element, probe, boot, seq, place; others: "", "", "", the row's id, place
Key = tuple[int, int, Order]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What happened at an instant; `source` leads to the rows that say so.

    `body` is a result as on the wire, JSON as it is stored. `to_us` ends what lasts: a run, an interval.
    """

    at_us: int
    kind: Kind
    element_kind: str
    element: str
    what: str
    order: Order
    source: Mapping[str, Any]
    to_us: int | None = None
    facts: Mapping[str, Any] = {}
    body: str | None = None
    arrived_us: int | None = None
    read: Any = None  # of the body, what samples.Body knows: read once

    @property
    def key(self) -> Key:
        """The place in the timeline: total, since no two rows have the same."""
        return self.at_us, _RANK[self.kind], self.order


def key_of(entry: Entry) -> Key:
    """`entry.key`, for sorting."""
    return entry.at_us, _RANK[entry.kind], entry.order


def row(number: int, place: int = 0) -> Order:
    """The order of an entry that comes from a numbered row."""
    return "", "", "", number, place


def as_json(entry: Entry) -> bytes:
    """One JSON object without line ends; docs/forensics.md has it field by field."""
    shown: dict[str, Any] = {
        "at": iso(entry.at_us),
        "kind": entry.kind,
        "element": {"kind": entry.element_kind, "name": entry.element},
        "what": entry.what,
    }
    if entry.to_us is not None:
        shown["to"] = iso(entry.to_us)
    shown["source"] = entry.source
    if entry.arrived_us is not None:
        shown["arrived"] = iso(entry.arrived_us)
    if entry.facts:
        shown["facts"] = entry.facts
    if entry.body is not None:
        shown["result"] = msgspec.Raw(entry.body.encode() if "\n" not in entry.body else _one_line(entry.body))
    return _encode(shown)


_encode = msgspec.json.Encoder(enc_hook=str).encode


def _one_line(body: str) -> bytes:
    return msgspec.json.format(body.encode(), indent=-1)
