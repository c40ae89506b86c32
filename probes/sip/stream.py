"""Where SIP messages end in a stream of bytes (RFC 3261 sections 7.5, 18.3 and 20.14), without I/O.

One promise: however the bytes are cut, the same messages come out, and the same fault. After a fault the stream is of
no use (section 18.3: nobody knows where the next message begins). Everything is bounded.
"""

import re

import msgspec

HEADER_LIMIT = 32_768  # octets of one message's head; a reply with all its headers is a tenth of it
BODY_LIMIT = 65_536

_END = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"(?:content-length|l)[ \t]*:[ \t]*([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)", re.IGNORECASE)
_DIGITS = re.compile(rb"[0-9]{1,9}")


class StreamSyntaxError(Exception):
    """The peer's bytes are no stream of SIP messages."""


class Frame(msgspec.Struct, frozen=True):
    """One message, head and body, as it came."""

    data: bytes


class Crlf(msgspec.Struct, frozen=True):
    """A line break between messages: two in a row are a ping, one is a pong (RFC 5626 section 3.5.1)."""


Piece = Frame | Crlf


class Framer:
    """Bytes in, messages out, in order. `pending` octets wait for the rest of their message; `fault` ends it all."""

    def __init__(self) -> None:
        self.fault: str | None = None
        self._buffer = bytearray()
        self._searched = 0  # no end of the head begins before this offset
        self._needed = 0  # octets of the message at the beginning of the buffer, once its head is complete

    @property
    def pending(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Piece]:
        """What is complete now; nothing any more after a fault."""
        pieces: list[Piece] = []
        if self.fault is not None:
            return pieces
        self._buffer += data
        try:
            while (piece := self._next()) is not None:
                pieces.append(piece)
        except StreamSyntaxError as error:
            self.fault = str(error)
            self._buffer.clear()
        return pieces

    def _next(self) -> Piece | None:
        buffer = self._buffer
        if not self._needed:
            if buffer[:2] == b"\r\n":
                del buffer[:2]
                return Crlf()
            if buffer[:1] == b"\n":
                del buffer[:1]
                return Crlf()
            if not buffer or buffer == b"\r":
                return None
            self._head()
        if not self._needed or len(buffer) < self._needed:
            return None
        data = bytes(buffer[: self._needed])
        del buffer[: self._needed]
        self._needed = self._searched = 0
        return Frame(data)

    def _head(self) -> None:
        """Finds the end of the head, and with it of the message."""
        end = _END.search(self._buffer, self._searched)
        if end is None or end.end() > HEADER_LIMIT:
            if len(self._buffer) >= HEADER_LIMIT or end is not None:
                raise StreamSyntaxError(f"a message whose head does not end in {HEADER_LIMIT} octets")
            # The end may have begun in the last three octets.
            self._searched = max(0, len(self._buffer) - 3)
            return
        self._needed = end.end() + body_length(bytes(self._buffer[: end.start()]))


def body_length(head: bytes) -> int:
    """What Content-Length says; StreamSyntaxError when it is missing, twice and different, no number, or too much."""
    found: set[int] = set()
    for line in re.split(rb"\r?\n(?![ \t])", head)[1:]:
        field = _LENGTH.fullmatch(line)
        if field is None:
            continue
        value = field[1].strip()
        if not _DIGITS.fullmatch(value):
            raise StreamSyntaxError(f"Content-Length is no number: {value[:40]!r}")
        found.add(int(value))
    if not found:
        raise StreamSyntaxError(f"no Content-Length, which a stream needs: {head[:40]!r}")
    if len(found) > 1:
        raise StreamSyntaxError(f"several Content-Lengths: {', '.join(map(str, sorted(found)))}")
    length = found.pop()
    if length > BODY_LIMIT:
        raise StreamSyntaxError(f"a body of {length} octets; {BODY_LIMIT} is the most")
    return length
