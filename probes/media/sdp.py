"""The little of SIP and SDP (RFC 3261, RFC 8866) that a meter needs.

Where each side receives, what it calls its payload types, and which call that is.
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, TypeAlias, get_args

from probes.media.payload import STATIC, Format, Law, announced

Names: TypeAlias = dict[tuple[int, int], str]  # (announcement, payload type) → codec
Infos: TypeAlias = "dict[int, Info]"  # announcement → what its call said
Direction: TypeAlias = Literal["sendrecv", "sendonly", "recvonly", "inactive"]

_RTPMAP = re.compile(r"rtpmap:\s*(\d{1,3})\s+([A-Za-z0-9][A-Za-z0-9._+-]{0,63})/(\d{1,9})", re.ASCII)
_PORT = re.compile(r"(\d{1,5})(?:/\d{1,5})?", re.ASCII)
_NUMBER = re.compile(r"\d{1,3}", re.ASCII)
_PTIME = re.compile(r"ptime:\s*(\d{1,4}(?:\.\d{1,6})?)\s*", re.ASCII)
_MODE_SET = re.compile(r"fmtp:\s*(\d{1,3})\s(?:.*[\s;])?mode-set=([0-8])\s*(?:;.*)?", re.ASCII | re.IGNORECASE)
_DESCRIBED = re.compile(r"(application/sdp|multipart/)", re.IGNORECASE)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_URI = re.compile(r"[^<;]*<([^<>]*)>|([^;<>]*)")
_KINDS = {"audio", "video", "text"}
_LEAST_WORDS = 4
_MAX_PAYLOAD_TYPE = 127
_MAX_PORT = 65535
_MAX_TEXT = 256
# RFC 4867 section 8.1: a set of one mode says at what rate AMR-WB is sent.
_AMR_WB = ("6.60", "8.85", "12.65", "14.25", "15.85", "18.25", "19.85", "23.05", "23.85")
_LONG = {"i": "call-id", "f": "from", "t": "to", "c": "content-type"}  # RFC 3261 section 7.3.3


@dataclass(frozen=True)
class Info:
    """What the call said of a stream: to the side that receives it."""

    call_id: str | None = None
    from_: str | None = None  # URIs of the dialogue, not of this message's sender
    to: str | None = None
    ptime_seconds: float | None = None
    secure: bool = False  # SRTP
    direction: Direction = "sendrecv"  # of the side that receives: sendonly is a caller on hold


@dataclass(frozen=True)
class Endpoint:
    """An address and port that receives RTP, the formats announced for it, and the call it is in."""

    address: str
    port: int
    formats: tuple[Format, ...]
    info: Info = Info()


@dataclass
class _Media:
    """A media line (or what stands before the first), and what its attributes say."""

    port: int = 0
    numbers: list[int] = field(default_factory=list)
    address: str = ""
    maps: dict[int, Format] = field(default_factory=dict)
    ptime: float | None = None
    secure: bool = False
    direction: Direction = "sendrecv"


def endpoints(message: bytes) -> list[Endpoint]:
    """The endpoints in a SIP message's SDP; an empty list where there is none. Never raises."""
    if b"m=" not in message:  # most messages
        return []
    head, found, body = message.partition(b"\r\n\r\n")
    if not found:
        head, found, body = message.partition(b"\n\n")
    if not found:
        return []
    headers = _headers(head.decode("utf-8", "replace"))
    kind = _DESCRIBED.match(headers.get("content-type", ""))
    if not kind:
        return []
    lines = body.decode("utf-8", "replace").splitlines()
    if kind[1].lower() == "multipart/":
        lines = _part(lines)
    call = Info(headers.get("call-id"), _uri(headers.get("from")), _uri(headers.get("to")))
    merged: dict[tuple[str, int], Endpoint] = {}
    for media in _media(lines):
        _merge(merged, media, call)
    return list(merged.values())


def _headers(head: str) -> dict[str, str]:
    """The header fields by their long names in lower case; the first of each, unfolded."""
    fields: dict[str, str] = {}
    for line in re.sub(r"\r?\n[ \t]+", " ", head).splitlines()[1:]:
        name, found, value = line.partition(":")
        name = name.strip().lower()
        if found and (text := value.strip()[:_MAX_TEXT]):
            fields.setdefault(_LONG.get(name, name), text)
    return fields


def _uri(value: str | None) -> str | None:
    """The URI of a From or To, without the name and the tag."""
    match = _URI.match(_QUOTED.sub("", value)) if value else None
    return ((match[1] or match[2] or "").strip() or None) if match else None


def _part(lines: list[str]) -> list[str]:
    """The SDP among the parts of a body (RFC 2046 section 5.1): from its version to the next boundary."""
    start = next((at for at, line in enumerate(lines) if line.startswith("v=0")), len(lines))
    end = next((at for at in range(start, len(lines)) if lines[at].startswith("--")), len(lines))
    return lines[start:end]


def _media(lines: list[str]) -> Iterator[_Media]:
    """The media lines that carry RTP; what the session says holds for each that says nothing else."""
    session = current = _Media()
    for line in lines:
        kind, _, value = line.partition("=")
        value = value.strip()
        if kind == "m":
            if current.port:
                yield current
            current = _Media(address=session.address, secure=session.secure, direction=session.direction)
            _begin(current, value.split())
        elif kind == "c":
            current.address = _literal(value)
        elif kind == "a":
            _attribute(current, value)
    if current.port:
        yield current


def _begin(media: _Media, words: list[str]) -> None:
    """The words of an `m=` line: media, port, protocol, formats (RFC 8866 section 5.14)."""
    if len(words) < _LEAST_WORDS or words[0] not in _KINDS or "RTP/" not in words[2]:
        return
    if port := _PORT.fullmatch(words[1]):
        media.port = int(port[1])
        media.secure |= "SAVP" in words[2]
        media.numbers = [int(word) for word in words[3:] if _NUMBER.fullmatch(word)]


def _attribute(media: _Media, value: str) -> None:
    if named := _RTPMAP.match(value):
        if int(named[1]) <= _MAX_PAYLOAD_TYPE:
            media.maps[int(named[1])] = announced(int(named[1]), named[2], int(named[3]))
    elif ptime := _PTIME.fullmatch(value):
        media.ptime = float(ptime[1]) / 1000 or None
    elif value in get_args(Direction):
        media.direction = value  # type: ignore[assignment] # it is one of them
    elif value.startswith(("crypto:", "fingerprint:")):  # RFC 4568, RFC 5763
        media.secure = True
    elif mode := _MODE_SET.fullmatch(value):
        entry = media.maps.get(int(mode[1]))
        if entry and entry.codec.upper() == "AMR-WB":
            media.maps[entry.payload_type] = replace(entry, codec=f"AMR-WB-{_AMR_WB[int(mode[2])]}")


def _literal(value: str) -> str:
    """The address of a `c=` line when it is a literal; host names are not looked up."""
    words = value.split()
    try:
        return str(ipaddress.ip_address(words[2].split("/")[0]))
    except (IndexError, ValueError):
        return ""


def _merge(merged: dict[tuple[str, int], Endpoint], media: _Media, call: Info) -> None:
    """Take a media line; several may share one port (RFC 9143)."""
    if not media.address or not 0 < media.port <= _MAX_PORT:
        return
    known = [media.maps.get(number) or STATIC.get(number) for number in dict.fromkeys(media.numbers)]
    formats = [entry for entry in known if entry is not None]
    if media.secure:
        formats = [replace(entry, law=Law.SECURE) for entry in formats]
    key = (media.address, media.port)
    if before := merged.get(key):
        taken = {entry.payload_type for entry in before.formats}
        added = tuple(entry for entry in formats if entry.payload_type not in taken)
        merged[key] = replace(before, formats=before.formats + added)
    else:
        info = replace(call, ptime_seconds=media.ptime, secure=media.secure, direction=media.direction)
        merged[key] = Endpoint(media.address, media.port, tuple(formats), info)


class Announcing(Protocol):
    """A meter that can be told what an endpoint calls its payload types."""

    def announce(self, address: str, port: int, formats: Iterable[Format], info: Info | None = None) -> None:
        """Take the formats that `address:port` receives, and the call it is in."""


class Announced:
    """What a meter was told, under the numbers (profiles) that it gave."""

    def __init__(self) -> None:
        self.names: Names = {}
        self.infos: Infos = {}
        self._numbers: dict[tuple[tuple[Format, ...], Info | None], int] = {}
        self._last: dict[tuple[str, int], int] = {}

    def known(self, formats: tuple[Format, ...], info: Info | None) -> int | None:
        """The number under which exactly this was said before, by whomever: what comes again takes no more memory."""
        return self._numbers.get((formats, info))

    def is_news(self, address: str, port: int, number: int | None) -> bool:
        """False where this is what the endpoint said last: messages come again, and on both sides of a proxy."""
        return number is None or self._last.get((address, port)) != number

    def said(self, address: str, port: int, number: int) -> None:
        """The endpoint said what is kept under that number."""
        self._last[address, port] = number

    def take(self, profile: int, formats: tuple[Format, ...], info: Info | None) -> None:
        """Keep what was said under its number."""
        self._numbers[formats, info] = profile
        self.names.update({(profile, entry.payload_type): entry.codec for entry in formats})
        if info:
            self.infos[profile] = info


def packed(address: str) -> bytes:
    """The 16 octets of an address; IPv4 is mapped."""
    parsed = ipaddress.ip_address(address)
    return parsed.packed if parsed.version == 6 else bytes(10) + b"\xff\xff" + parsed.packed  # noqa: PLR2004


def announce_sdp(meter: Announcing, message: bytes) -> None:
    """Tell the meter every endpoint in a SIP message."""
    for endpoint in endpoints(message):
        meter.announce(endpoint.address, endpoint.port, endpoint.formats, endpoint.info)
