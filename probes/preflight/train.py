"""Trains of packets that stand for calls, without I/O: what one looks like, and what arrived of many.

Each is an RTP packet (RFC 3550 section 5.1) of 250 octets with its IP header, fifty a second: 100 kbit/s each way and
call, what G.711 with 20 ms takes on an Ethernet access. The far side returns each as it came, with its own numbering.
"""

import struct

import msgspec

PACKETS_PER_SECOND = 50
IP_OCTETS = 250
_HEADER = struct.Struct("!BBHII")  # V P X CC, M PT, sequence number, timestamp, SSRC
_BODY = struct.Struct(
    "!4sc16sIIQ"
)  # magic, kind, cookie, number, number of the return, sent (ns of the sender's clock)
_TOLD = struct.Struct(
    "!IIIIIB"
)  # received, duplicates, reordered, jitter in µs, highest number + 1, type of service + 1
MAGIC = b"SRNO"
OUT, BACK, ASK, TOLD = b"O", b"B", b"A", b"T"
LEAST = _HEADER.size + _BODY.size + _TOLD.size


class Packet(msgspec.Struct, frozen=True):
    """One packet of a train."""

    kind: bytes
    cookie: str
    ssrc: int
    number: int
    returned: int
    sent_ns: int


class Arrivals:
    """What came of numbered packets: lost, double, out of order, and jitter (RFC 3550 A.8, between two clocks)."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self.received = self.duplicates = self.reordered = 0
        self.highest = -1
        self.jitter_seconds = 0.0
        self._transit: dict[int, int] = {}
        self.tos: int | None = None

    def packet(self, ssrc: int, number: int, sent_ns: int, at_ns: int, tos: int | None) -> None:
        """One has come; `number` counts over all calls, jitter is taken within each."""
        if number in self._seen:
            self.duplicates += 1
            return
        self._seen.add(number)
        self.received += 1
        self.tos = tos if tos is not None else self.tos
        if number < self.highest:
            self.reordered += 1
        self.highest = max(self.highest, number)
        transit = at_ns - sent_ns
        before = self._transit.get(ssrc)
        self._transit[ssrc] = transit
        if before is not None:
            self.jitter_seconds += (abs(transit - before) / 1e9 - self.jitter_seconds) / 16


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the far side says of what it received."""

    received: int
    duplicates: int
    reordered: int
    jitter_seconds: float
    expected: int
    tos: int | None


def build(packet: Packet, octets: int, told: bytes = b"") -> bytes:
    """The datagram, filled up to so many octets."""
    head = _HEADER.pack(0x80, 8, packet.number & 0xFFFF, packet.number * 160 & 0xFFFFFFFF, packet.ssrc)
    body = _BODY.pack(MAGIC, packet.kind, packet.cookie.encode(), packet.number, packet.returned, packet.sent_ns)
    data = head + body + told
    return data + bytes(max(0, octets - len(data)))


def parse(data: bytes) -> Packet | None:
    """The packet in a datagram; None for anything else."""
    if len(data) < LEAST:
        return None
    magic, kind, cookie, number, returned, sent_ns = _BODY.unpack_from(data, _HEADER.size)
    if magic != MAGIC or kind not in (OUT, BACK, ASK, TOLD):
        return None
    ssrc = _HEADER.unpack_from(data)[4]
    return Packet(kind, cookie.decode("ascii", "replace"), ssrc, number, returned, sent_ns)


def tell(arrivals: Arrivals) -> bytes:
    """What the far side says at the end."""
    return _TOLD.pack(
        arrivals.received,
        arrivals.duplicates,
        arrivals.reordered,
        min(round(arrivals.jitter_seconds * 1e6), 0xFFFFFFFF),
        arrivals.highest + 1,
        0 if arrivals.tos is None else min(arrivals.tos + 1, 255),
    )


def told_in(data: bytes) -> Told:
    """The same, read; of a datagram that `parse` took."""
    received, duplicates, reordered, jitter_us, expected, tos = _TOLD.unpack_from(data, _HEADER.size + _BODY.size)
    return Told(
        received=received,
        duplicates=duplicates,
        reordered=reordered,
        jitter_seconds=jitter_us / 1e6,
        expected=expected,
        tos=tos - 1 if tos else None,
    )
