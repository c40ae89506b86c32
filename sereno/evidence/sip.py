"""The SIP messages that the evidence of a stored result holds. Pure.

Evidence is whatever a probe wrote, of this version or another: what is not understood is left where it is, never an
error. Nothing here believes a length, an index or a type that it was told.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from sereno.clock import iso, parse_instant

_REQUEST = re.compile(r"([A-Za-z]{1,32}) (\S{1,2048}) SIP/2\.0\s*$")
_STATUS = re.compile(r"SIP/2\.0 ([0-9]{3})(?: (.{0,200}))?\s*$")
_HEADER = {
    "call_id": re.compile(r"^(?:call-id|i)[ \t]*:[ \t]*([^\r\n]{1,256})", re.IGNORECASE | re.MULTILINE),
    "cseq": re.compile(r"^cseq[ \t]*:[ \t]*([^\r\n]{1,64})", re.IGNORECASE | re.MULTILINE),
    "via": re.compile(r"^(?:via|v)[ \t]*:[ \t]*([^\r\n]{1,512})", re.IGNORECASE | re.MULTILINE),
}
_MESSAGES = 500


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One SIP message of a transaction, as it was kept. `cut` octets of its end are missing."""

    at_us: int | None
    sent: bool
    text: str
    cut: int = 0
    repeats: int | None = None  # the message that it is a copy of
    method: str | None = None
    uri: str | None = None
    code: int | None = None
    phrase: str | None = None
    call_id: str | None = None
    cseq: str | None = None
    via: str | None = None

    @property
    def title(self) -> str:
        """`OPTIONS sip:…`, `503 Service Unavailable`, or what its first line says."""
        if self.method is not None:
            return f"{self.method} {self.uri}"
        if self.code is not None:
            return f"{self.code} {self.phrase or ''}".rstrip()
        return self.text.strip().split("\n", 1)[0].strip()[:80] or "…"

    def as_json(self) -> dict[str, Any]:
        """What is known of it; the text stands in the result's evidence."""
        shown = {
            "at": None if self.at_us is None else iso(self.at_us),
            "direction": "sent" if self.sent else "received",
            "method": self.method, "uri": self.uri, "code": self.code, "phrase": self.phrase,
            "call_id": self.call_id, "cseq": self.cseq, "repeats": self.repeats, "cut": self.cut or None,
        }  # fmt: skip
        return {name: value for name, value in shown.items() if value is not None}


def messages(evidence: Any, key: str = "messages") -> list[Message]:
    """The messages of a transaction in the order they were kept; none where there are none."""
    given = evidence.get(key) if isinstance(evidence, dict) else None
    found: list[Message] = []
    for index, one in enumerate(given[:_MESSAGES] if isinstance(given, list) else ()):
        if isinstance(one, dict):
            message = _message(one, found, index)
            if message is not None:
                found.append(message)
    return found


def _message(one: Mapping[Any, Any], before: list[Message], index: int) -> Message | None:
    text, repeats = one.get("text"), one.get("repeats")
    cut = one.get("cut")
    if not isinstance(text, str):
        if not isinstance(repeats, int) or isinstance(repeats, bool) or not 0 <= repeats < min(index, len(before)):
            return None
        text, cut = before[repeats].text, before[repeats].cut
    else:
        repeats = None
    return Message(
        at_us=instant(one.get("at")),
        sent=one.get("direction") == "sent",
        text=text,
        cut=cut if isinstance(cut, int) and not isinstance(cut, bool) and 0 < cut < 1 << 24 else 0,
        repeats=repeats,
        **_first_line(text),
        **_headers(text),
    )


def _headers(text: str) -> dict[str, Any]:
    return {name: found[1].strip() for name, pattern in _HEADER.items() if (found := pattern.search(text))}


def _first_line(text: str) -> dict[str, Any]:
    line = text.lstrip("\r\n").split("\n", 1)[0][:4_096]
    if asked := _REQUEST.match(line):
        return {"method": asked[1].upper(), "uri": asked[2]}
    if said := _STATUS.match(line):
        return {"code": int(said[1]), "phrase": (said[2] or "").strip() or None}
    return {}


def instant(given: Any) -> int | None:
    """Microseconds of an instant; None of anything else."""
    if not isinstance(given, str):
        return None
    try:
        return parse_instant(given)
    except ValueError:
        return None


def left_out(evidence: Any) -> int:
    """How many messages are not here."""
    given = evidence.get("left_out") if isinstance(evidence, dict) else None
    return given if isinstance(given, int) and not isinstance(given, bool) and given > 0 else 0


def detail(evidence: Any) -> str | None:
    """What the probe says of it in words, on one line."""
    if not isinstance(evidence, dict):
        return None
    for key in ("detail", "error"):
        given = evidence.get(key)
        if isinstance(given, str) and given.strip():
            return " ".join("".join(c if c.isprintable() else " " for c in given[:300]).split())
    return None
