"""The little of SDP (RFC 8866) that a meter needs: where each side receives, and what it calls its payload types."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from probes.media.payload import STATIC, Format, announced

Names: TypeAlias = dict[tuple[int, int], str]  # (announcement, payload type) → codec

_RTPMAP = re.compile(r"rtpmap:\s*(\d{1,3})\s+([A-Za-z0-9][A-Za-z0-9._+-]{0,63})/(\d{1,9})")
_MEDIA = re.compile(r"(audio|video)\s+(\d{1,5})(?:/\d+)?\s+\S*RTP/\S+\s+(.*)")
_MAX_PAYLOAD_TYPE = 127
_MAX_PORT = 65535


@dataclass(frozen=True)
class Endpoint:
    """An address and port that receives RTP, and the formats announced for it."""

    address: str
    port: int
    formats: tuple[Format, ...]


def endpoints(message: bytes) -> list[Endpoint]:
    """The endpoints in a SIP message's SDP; an empty list where there is none. Never raises."""
    head, found, body = message.partition(b"\r\n\r\n")
    if not found:
        head, found, body = message.partition(b"\n\n")
    if not found or not re.search(rb"(?im)^(?:content-type|c)\s*:\s*(?:application/sdp|multipart/)", head):
        return []
    result: list[Endpoint] = []
    session = address = ""
    media: re.Match[str] | None = None
    maps: dict[int, Format] = {}
    for line in [*body.decode("utf-8", "replace").splitlines(), "m="]:
        kind, _, value = line.partition("=")
        if kind == "m":
            if media:
                result.extend(_endpoint(media, address, maps))
            media, address, maps = _MEDIA.match(value.strip()), session, {}
        elif kind == "c":
            address = _literal(value)
            if media is None and not result:
                session = address
        elif kind == "a" and (named := _RTPMAP.match(value)) and int(named[1]) <= _MAX_PAYLOAD_TYPE:
            maps[int(named[1])] = announced(int(named[1]), named[2], int(named[3]))
    return result


def _literal(value: str) -> str:
    """The address of a `c=` line when it is a literal; host names are not looked up."""
    words = value.split()
    try:
        return str(ipaddress.ip_address(words[2].split("/")[0]))
    except (IndexError, ValueError):
        return ""


def _endpoint(media: re.Match[str], address: str, maps: dict[int, Format]) -> list[Endpoint]:
    port = int(media[2])
    if not address or not 0 < port <= _MAX_PORT:
        return []
    numbers = [int(word) for word in media[3].split() if word.isdecimal() and len(word) <= 3]  # noqa: PLR2004
    formats = [maps.get(number) or STATIC.get(number) for number in dict.fromkeys(numbers)]
    return [Endpoint(address, port, tuple(entry for entry in formats if entry is not None))]


class Announcing(Protocol):
    """A meter that can be told what an endpoint calls its payload types."""

    def announce(self, address: str, port: int, formats: Iterable[Format]) -> None:
        """Take the formats that `address:port` receives."""


def packed(address: str) -> bytes:
    """The 16 octets of an address; IPv4 is mapped."""
    parsed = ipaddress.ip_address(address)
    return parsed.packed if parsed.version == 6 else bytes(10) + b"\xff\xff" + parsed.packed  # noqa: PLR2004


def announce_sdp(meter: Announcing, message: bytes) -> None:
    """Tell the meter every endpoint in a SIP message."""
    for endpoint in endpoints(message):
        meter.announce(endpoint.address, endpoint.port, endpoint.formats)
