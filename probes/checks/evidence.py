"""The evidence of a failed SIP transaction: its messages with their instants, credentials out, bounded in JSON."""

from collections.abc import Sequence
from typing import Any

import msgspec

from probes.sip.client import Message
from probes.sip.message import printable
from sereno.clock import iso

LIMIT = 4_096
_ENVELOPE = 96  # JSON around one message's text
_RESERVE = 320  # detail, canaries and the outer braces


def ladder(messages: Sequence[Message], *, detail: str | None = None, limit: int = LIMIT) -> dict[str, Any]:
    """The messages in order; a copy of one already shown is only named (`repeats`), long ones are cut."""
    shown: list[bytes] = []
    rows: list[dict[str, Any]] = []
    distinct = len({(m.direction, m.data) for m in messages}) or 1
    share = (limit - _RESERVE - _ENVELOPE * len(messages)) // distinct
    for message in messages:
        row: dict[str, Any] = {"at": iso(message.at_us), "direction": message.direction}
        if message.data in shown:
            row["repeats"] = shown.index(message.data)
        else:
            row["text"] = _fitting(message.data, share)
        shown.append(message.data)
        rows.append(row)
    evidence: dict[str, Any] = {"messages": rows} if rows else {}
    if detail:
        evidence["detail"] = detail[:160]
    return evidence


def _fitting(data: bytes, room: int) -> str:
    """As much of the message as takes `room` bytes of JSON: escapes and line ends count."""
    text = printable(data, max(room, 0))
    while text and len(msgspec.json.encode(text)) > room:
        text = text[: len(text) * 3 // 4].rstrip("…") + "…" if len(text) > 1 else ""
    return text
