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


_LEAST = 160  # octets of a message's text below which it says too little: rather fewer messages than shorter ones


def ladder(
    messages: Sequence[Message], *, detail: str | None = None, limit: int = LIMIT, unlogged: int = 0
) -> dict[str, Any]:
    """The messages in order; a copy of one already shown is only named (`repeats`), long ones are cut (`cut` octets).

    `left_out` counts messages that are not here: those of the middle when there are too many, and `unlogged` ones.
    """
    kept, omitted = _ends(messages, max(2, (limit - _RESERVE) // (_ENVELOPE + _LEAST)))
    shown: list[bytes] = []
    rows: list[dict[str, Any]] = []
    distinct = len({m.data for m in kept}) or 1
    share = (limit - _RESERVE - _ENVELOPE * len(kept)) // distinct
    for message in kept:
        row: dict[str, Any] = {"at": iso(message.at_us), "direction": message.direction}
        if message.data in shown:
            row["repeats"] = shown.index(message.data)
        else:
            row["text"], cut = _fitting(message.data, share)
            if cut + message.cut:
                row["cut"] = cut + message.cut
        shown.append(message.data)
        rows.append(row)
    evidence: dict[str, Any] = {"messages": rows} if rows else {}
    if omitted + unlogged:
        evidence["left_out"] = omitted + unlogged
    if detail:
        evidence["detail"] = printable(detail.encode("utf-8", "surrogateescape"), 160)
    return evidence


def _ends(messages: Sequence[Message], most: int) -> tuple[list[Message], int]:
    """The first and the last of too many: what was asked, and how it ended."""
    if len(messages) <= most:
        return list(messages), 0
    first = (most + 1) // 2
    return [*messages[:first], *messages[len(messages) - (most - first) :]], len(messages) - most


def _fitting(data: bytes, room: int) -> tuple[str, int]:
    """As much of the message as takes `room` octets of JSON (escapes and line ends count), and how many are cut."""
    whole = printable(data, 4 * len(data) + 64)  # garbage takes four characters an octet; marks of what is taken out
    text = whole if len(whole) <= room else whole[: max(room - 1, 0)] + "…"
    while text and len(msgspec.json.encode(text)) > room:
        text = text[: len(text) * 3 // 4].rstrip("…") + "…" if len(text) > 1 else ""
    return text, 0 if text == whole else len(whole) - len(text.removesuffix("…"))
