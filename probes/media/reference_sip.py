"""SIP messages with SDP in a capture, in plain Python: in a datagram, in fragments of one, in a TCP connection."""

import re
from dataclasses import dataclass, field

from probes.media.reference_frame import Part

_MAX = 1 << 16
_SDP = (b"SIP/2.0 ", b"INVITE ", b"ACK ", b"UPDATE ", b"PRACK ")  # RFC 3264, 3311, 3262
_SIP = re.compile(
    rb"SIP/2\.0 |(?:INVITE|ACK|BYE|CANCEL|OPTIONS|REGISTER|PRACK|SUBSCRIBE|NOTIFY|INFO|UPDATE|MESSAGE|REFER|PUBLISH) "
    rb"(?:sips?|tel|urn):"
)
_LENGTH = re.compile(rb"^(?:content-length|l)[ \t]*:[ \t]*(\d*)", re.IGNORECASE | re.MULTILINE)
_HEAD = re.compile(rb"\r?\n\r?\n")
_LEAST = 16  # octets that say what a message is


@dataclass
class _Octets:
    """What came of a datagram or a connection, by its place."""

    whole: int = 0
    first: int = 0
    pieces: dict[int, bytes] = field(default_factory=dict)

    def at_hand(self) -> bytes:
        """What is there without a gap."""
        found = b""
        for start, octets in sorted(self.pieces.items()):
            if start > len(found):
                break
            found = found[:start] + octets + found[start + len(octets) :]
        return found


class SipFinder:
    """Puts together what begins with SIP."""

    def __init__(self) -> None:
        self._datagrams: dict[tuple[bytes, bytes, int], _Octets] = {}
        self._refused: set[tuple[bytes, bytes, int]] = set()  # datagrams that are something else
        self._connections: dict[tuple[bytes, int, bytes, int], _Octets] = {}

    def take(self, part: Part) -> list[bytes]:
        """The messages that are whole with this part."""
        if part.kind == "fragment":
            return self._fragment(part)
        return self._segment(part) if part.kind == "tcp" else self._datagram(part)

    def _datagram(self, part: Part) -> list[bytes]:
        payload, key = part.payload, (part.src, part.dst, part.number)
        if len(payload) < _LEAST or not payload.startswith(_SDP):
            if part.fragment:  # nobody waits for the others
                self._refused.add(key)
                self._datagrams.pop(key, None)
            return []
        if len(payload) >= part.length:
            return [payload]
        if part.fragment:
            self._refused.discard(key)
            if self._datagrams.get(key, _Octets(1)).whole:
                self._datagrams[key] = _Octets()
            octets = self._datagrams[key]
            octets.whole = part.length
            octets.pieces[0] = payload
            if found := self._assembled(key):
                return found
        return _begun(payload)

    def _fragment(self, part: Part) -> list[bytes]:
        """A later fragment; it may come before the first."""
        key = (part.src, part.dst, part.number)
        if key in self._refused or not part.payload:
            return []
        octets = self._datagrams.setdefault(key, _Octets())
        if part.offset + len(part.payload) > _MAX:
            del self._datagrams[key]
            return []
        octets.pieces[part.offset] = part.payload
        return self._assembled(key)

    def _assembled(self, key: tuple[bytes, bytes, int]) -> list[bytes]:
        octets = self._datagrams[key]
        found = octets.at_hand()
        if not octets.whole or len(found) < octets.whole:
            return []
        del self._datagrams[key]
        return [found[: octets.whole]]

    def _segment(self, part: Part) -> list[bytes]:
        if not part.payload or part.begins:
            return []
        key = (part.src, part.src_port, part.dst, part.dst_port)
        octets = self._connections.get(key)
        text = part.payload.lstrip(b"\r\n")
        begins = len(text) >= _LEAST and _SIP.match(text)
        if len(part.payload) < part.length:
            self._connections.pop(key, None)
            return _begun(text) if begins and text.startswith(_SDP) else []
        if octets is not None:
            start = (part.number - octets.first + (1 << 31)) % (1 << 32) - (1 << 31)
            payload = part.payload
            if start < 0:
                start, payload = 0, payload[-start:]
            if not payload:
                return []
            if start + len(payload) <= _MAX:
                octets.pieces[start] = payload
                return self._messages(key, octets)
            del self._connections[key]
        if not begins:
            return []
        octets = self._connections[key] = _Octets(first=part.number, pieces={0: part.payload})
        return self._messages(key, octets)

    def _messages(self, key: tuple[bytes, int, bytes, int], octets: _Octets) -> list[bytes]:
        found: list[bytes] = []
        while True:
            here = octets.at_hand()
            empty = len(here) - len(here.lstrip(b"\r\n"))
            text = here[empty:]
            if len(text) < _LEAST:
                self._keep(key, octets, empty)
                return found
            if not _SIP.match(text):
                self._connections.pop(key, None)
                return found
            head = _HEAD.search(text)
            lengths = _LENGTH.findall(text[: head.start() + 1]) if head else []
            body = int(lengths[-1] or 0) if lengths else 0
            if head and head.end() + body > _MAX:
                self._connections.pop(key, None)
                return found
            if not head or head.end() + body > len(text):
                self._keep(key, octets, empty)
                return found
            size = head.end() + body
            if body and text.startswith(_SDP):
                found.append(text[:size])
            self._keep(key, octets, empty + size)
            if key not in self._connections:
                return found

    def _keep(self, key: tuple[bytes, int, bytes, int], octets: _Octets, taken: int) -> None:
        """Drop the first octets; nothing left: the connection may begin anew."""
        if not taken:
            return
        rest = {
            max(0, at - taken): data[max(0, taken - at) :]
            for at, data in octets.pieces.items()
            if at + len(data) > taken
        }
        octets.pieces, octets.first = rest, (octets.first + taken) % (1 << 32)
        if not rest:
            del self._connections[key]


def _begun(payload: bytes) -> list[bytes]:
    """What there is of a message that was cut: whole lines."""
    end = payload.rfind(b"\n") + 1
    return [payload[:end]] if end else []
