"""A message as it came, read without trust: bytes go in, a `Letter` comes out, whatever the bytes are.

Everything is bounded: headers, parts, nesting, text. What cannot be read is shown with � or left out, never refused:
somebody wrote it, and wants an answer.
"""

import email
import email.errors
import email.message
import email.policy
import html.parser
import logging
import re
from collections.abc import Iterator
from email.header import decode_header
from email.utils import getaddresses

import msgspec

log = logging.getLogger(__name__)
BOUNCE = "bounce"
LONGEST_RAW = 1_048_576  # bytes of a message that are read; attachments come after the text
LONGEST_TEXT = 20_000
LONGEST_HEADER = 4_000
MOST_BOUNDARIES = 60  # more parts in parts than this is an attack: it is read as plain text
MOST_PARTS = 200
MOST_REFERENCES = 100
MOST_ATTACHMENTS = 50
LONGEST_ADDRESS = 254  # RFC 5321 §4.5.3.1.3
_ID = re.compile(r"<([^<>\s]{1,250})>")
_OURS = re.compile(rb"^Message-ID:\s*<(sereno\.[!-;=?-~]{1,250})>", re.IGNORECASE | re.MULTILINE)
_ADDRESS = re.compile(r"[^@\s<>,;\"()]+@[^@\s<>,;\"()]+")
_BLANKS = re.compile(r"[^\S\n]+")
_BROKEN = (  # what the library raises of what it cannot read
    email.errors.MessageError, ValueError, LookupError, AssertionError, AttributeError, TypeError, RecursionError,
)  # fmt: skip
_NESTING = re.compile(rb"boundary\s*=|message/rfc822", re.IGNORECASE)
_CONTROL = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 127, *range(55296, 57344)])


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """What was attached: listed, not kept."""

    name: str
    type: str
    size: int


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """What the desk reads of a message."""

    sender: str  # address in small letters; empty: there is none
    sender_name: str
    subject: str
    text: str
    message_id: str | None = None
    references: tuple[str, ...] = ()  # what it answers, the nearest first
    attachments: tuple[Attachment, ...] = ()
    automatic: str | None = None  # why it is no person's message, in one word of RFC 3834's trade
    authentication: tuple[str, ...] = ()
    cut: bool = False


def read(raw: bytes, *, size: int | None = None) -> Letter:
    """The letter in these bytes; `size` is the whole message's, of which they may be the beginning."""
    cut = len(raw) > LONGEST_RAW or (size is not None and size > len(raw))
    raw = raw[:LONGEST_RAW]
    try:
        return _letter(_parsed(raw), raw, cut=cut)
    except Exception:  # one message must never stop the mailbox, whatever the library makes of it
        log.exception("a message is read as plain text, because of a fault of ours or of the library")
        return _letter(_plain(raw), raw, cut=cut)


def _letter(message: email.message.Message, raw: bytes, *, cut: bool) -> Letter:
    names = getaddresses(_headers(message, "From")[:1])
    name, sender = names[0] if names else ("", "")
    found = _ADDRESS.search(sender) or _ADDRESS.search(" ".join(_headers(message, "From")[:1]))
    text, attachments = _contents(message)
    ids = _ID.findall(" ".join(_headers(message, "Message-ID")[:1]))
    automatic = _automatic(message)
    return Letter(
        sender=found[0].lower()[:LONGEST_ADDRESS] if found else "",
        sender_name=_line(name)[:120],
        subject=_line(" ".join(_headers(message, "Subject")[:1]))[:300],
        text=text,
        message_id=ids[0] if ids else None,
        references=_references(message) or _bounced(automatic, raw),
        attachments=tuple(attachments),
        automatic=automatic,
        authentication=tuple(_headers(message, "Authentication-Results")[:5]),
        cut=cut,
    )


def _parsed(raw: bytes) -> email.message.Message:
    if len(_NESTING.findall(raw)) <= MOST_BOUNDARIES:
        try:
            return email.message_from_bytes(raw, policy=email.policy.compat32)
        except _BROKEN:
            pass  # nested or broken beyond the parser
    return _plain(raw)


def _plain(raw: bytes) -> email.message.Message:
    """The headers that say nothing of parts, and the rest as text."""
    head, _, body = raw.partition(b"\n\n" if b"\r\n\r\n" not in raw else b"\r\n\r\n")
    lines = [line for line in head.splitlines() if not re.match(rb"content-|mime-|\s", line, re.IGNORECASE)]
    plain = b"\r\n".join([*lines, b"Content-Type: text/plain; charset=utf-8", b"", body])
    return email.message_from_bytes(plain, policy=email.policy.compat32)


# -- headers -----------------------------------------------------------------------------------------------------------


def _headers(message: email.message.Message, name: str) -> list[str]:
    """All headers of this name, decoded (RFC 2047), each no longer than is worth reading."""
    found = []
    for value in _raw(message, name)[:20]:
        raw = value[:LONGEST_HEADER]
        try:
            pieces = decode_header(raw)
        except _BROKEN:
            pieces = [(raw, None)]
        found.append(_line("".join(_piece(piece, charset) for piece, charset in pieces)))
    return found


def _raw(message: email.message.Message, name: str) -> list[str]:
    """The values as they came; octets beyond ASCII, which no header should have, as the UTF-8 that they mostly are."""
    found = [str(value) for key, value in message.raw_items() if key.lower() == name.lower()]
    return [
        value if value.isascii() else _decoded(value.encode("utf-8", "surrogateescape"), "utf-8") for value in found
    ]


def _piece(piece: bytes | str, charset: str | None) -> str:
    return piece if isinstance(piece, str) else _decoded(piece, charset or "utf-8")


def _decoded(raw: bytes, charset: str) -> str:
    """The text, by the charset that was named or, where that is none, by what it may be."""
    for name in (charset, "utf-8"):
        try:
            return raw.decode(name, "strict" if name != charset else "replace")
        except (LookupError, ValueError):
            continue
    return raw.decode("latin-1")


def _line(text: str) -> str:
    """One line of what can be printed."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def _clean(text: str) -> str:
    return text.translate(_CONTROL)


def _references(message: email.message.Message) -> tuple[str, ...]:
    """What it answers (RFC 5322 §3.6.4): In-Reply-To first, then References from the last to the first."""
    near = _ID.findall(_line(" ".join(one[:LONGEST_HEADER] for one in _raw(message, "In-Reply-To")[:3])))
    far = _ID.findall(_line(" ".join(one[-20_000:] for one in _raw(message, "References")[:3])))
    return tuple(dict.fromkeys([*near, *reversed(far)]))[:MOST_REFERENCES]


def _bounced(automatic: str | None, raw: bytes) -> tuple[str, ...]:
    """The messages of ours that a delivery report brings back: it has their headers inside (RFC 3462)."""
    if automatic != BOUNCE:
        return ()
    return tuple(dict.fromkeys(one.decode("ascii", "replace") for one in _OURS.findall(raw)))[:MOST_REFERENCES]


def _automatic(message: email.message.Message) -> str | None:
    """Why no person wrote this (RFC 3834 §2, and the headers that came before it)."""
    submitted = _first(message, "Auto-Submitted").partition(";")[0].strip()
    signs = {
        "auto-submitted": submitted not in {"", "no"},
        "precedence": _first(message, "Precedence") in {"bulk", "list", "junk", "auto_reply"},
        BOUNCE: _kind(message) in _REPORTS
        or _first(message, "Return-Path") == "<>"
        or _ROBOT.search(_first(message, "From")) is not None,
    }
    signs |= {why: any(message.get(name) is not None for name in names) for why, names in _MARKS.items()}
    return next((why for why, there in signs.items() if there), None)


_REPORTS = frozenset({"multipart/report", "message/delivery-status", "message/disposition-notification"})
_MARKS = {
    "own": ("X-Sereno",),
    "auto-response-suppress": ("X-Auto-Response-Suppress",),
    "list": ("List-Id",),
    "auto-reply": ("X-Autoreply", "X-Autorespond"),
    "failed-recipients": ("X-Failed-Recipients",),
    "loop": ("X-Loop",),
}
_ROBOT = re.compile(r"(?:^|<|\s)(?:mailer-daemon|mail-daemon)(?:@|>|$)")


def _first(message: email.message.Message, name: str) -> str:
    return str(message.get(name, ""))[:LONGEST_HEADER].strip().lower()


def _kind(message: email.message.Message) -> str:
    try:
        return message.get_content_type()
    except _BROKEN:
        return "text/plain"


# -- contents ----------------------------------------------------------------------------------------------------------


def _contents(message: email.message.Message) -> tuple[str, list[Attachment]]:
    """The text (plain before HTML), and what was attached."""
    plain: list[str] = []
    rich: list[str] = []
    attachments: list[Attachment] = []
    for part in _parts(message):
        kind, name = _kind(part), _filename(part)
        if kind.startswith("multipart/"):
            continue
        if name or not kind.startswith("text/") or "attachment" in _first(part, "Content-Disposition"):
            if len(attachments) < MOST_ATTACHMENTS:
                attachments.append(Attachment(name=name or "?", type=_line(kind)[:100], size=len(_payload(part))))
            continue
        target = rich if kind == "text/html" else plain
        if sum(map(len, target)) < LONGEST_TEXT:
            target.append(_decoded(_payload(part), _charset(part)))
    text = "\n".join(plain)
    if not text.strip():
        text = "\n".join(map(_without_tags, rich))
    text = _BLANKS.sub(" ", _clean(text.replace("\r\n", "\n").replace("\r", "\n")))
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(line.strip() for line in text.split("\n"))).strip()
    return (text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"), attachments


def _parts(message: email.message.Message) -> Iterator[email.message.Message]:
    """The leaves, and those that hold them; what another message brought along is one attachment."""
    waiting, seen = [message], 0
    while waiting and seen < MOST_PARTS:
        part = waiting.pop(0)
        seen += 1
        yield part
        if part.is_multipart() and not _kind(part).startswith("message/"):
            waiting[:0] = [one for one in part.get_payload() if isinstance(one, email.message.Message)]


def _filename(part: email.message.Message) -> str:
    try:
        name = part.get_filename()
    except _BROKEN:
        return "?"
    return _line(" ".join(_piece(piece, charset) for piece, charset in _safe_header(str(name))))[:200] if name else ""


def _safe_header(text: str) -> list[tuple[bytes | str, str | None]]:
    try:
        return list(decode_header(text[:LONGEST_HEADER]))
    except _BROKEN:
        return [(text[:LONGEST_HEADER], None)]


def _payload(part: email.message.Message) -> bytes:
    try:
        held = part.get_payload(decode=True)
    except _BROKEN:
        held = None
    return held if isinstance(held, bytes) else b""


def _charset(part: email.message.Message) -> str:
    try:
        return str(part.get_content_charset() or "utf-8")
    except _BROKEN:
        return "utf-8"


class _Text(html.parser.HTMLParser):
    """HTML's text: blocks end lines; scripts and styles are no text."""

    _BLOCKS = frozenset({"p", "div", "br", "tr", "li", "h1", "h2", "h3", "table", "ul", "ol", "blockquote"})
    _HIDDEN = frozenset({"script", "style", "head", "title"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        del attrs
        self._hidden += tag in self._HIDDEN
        if tag in self._BLOCKS:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in self._HIDDEN and self._hidden > 0
        if tag in self._BLOCKS:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.pieces.append(data)


def _without_tags(text: str) -> str:
    reader = _Text()
    try:
        reader.feed(text[: 5 * LONGEST_TEXT])
        reader.close()
    except _BROKEN:
        return re.sub(r"<[^<>]*>", " ", text)
    return "".join(reader.pieces)
