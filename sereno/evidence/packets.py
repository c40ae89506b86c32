"""SIP messages of a stored transaction as packets: raw IP with UDP or TCP, addresses where they are known. Pure.

A message that was cut when it was kept is a packet of which only a part was captured: its length is the whole one's.
What went over TLS is shown as UDP, since nobody keeps the ciphertext; the file's manifest says so.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from sereno.evidence.sip import Message

LINK_RAW = 101  # LINKTYPE_RAW: an IPv4 or IPv6 header comes first
_FILE = struct.Struct("<IHHiIII")
_RECORD = struct.Struct("<IIII")
_MAGIC_US = 0xA1B2C3D4
_SNAP = 65_535
_UDP, _TCP = 17, 6
_MOST = 65_000  # octets of a message: more does not fit an IP packet
_PUSH_ACK = 0x18
_TTL = 64
_PROBE, _PEER = (
    ("192.0.2.1", "198.51.100.1"),
    ("2001:db8::1", "2001:db8::2"),
)  # documentation: nobody's (RFC 5737, 3849)
_DEFAULT_PORT = {"udp": 5060, "tcp": 5060, "tls": 5061}
_ADDRESS = re.compile(
    r"sips?:(?:[^@\s;<>]*@)?(?P<host>\[[0-9a-fA-F:.]+\]|[^\s;:<>@\[\]]+)(?::(?P<port>[0-9]{1,5}))?", re.IGNORECASE
)
_TRANSPORT = re.compile(r"transport=([a-z]+)", re.IGNORECASE)
_VIA = re.compile(
    r"SIP\s*/\s*2\.0\s*/\s*[A-Za-z]+\s+(?P<host>\[[0-9a-fA-F:.]+\]|[^\s;:,\[\]]+)(?::(?P<port>[0-9]{1,5}))?",
    re.IGNORECASE,
)
_PARAMETER = re.compile(r";\s*(received|rport)\s*=\s*(\[?[0-9a-fA-F:.]+\]?)", re.IGNORECASE)

Address = IPv4Address | IPv6Address


class End(NamedTuple):
    """One side of a transaction; `known` is false where another's address stands in."""

    address: Address
    port: int
    known: bool


class Wire(NamedTuple):
    """Both sides, and what carried the messages."""

    probe: End
    peer: End
    transport: str


def wire_of(messages: Sequence[Message], address: str | None, transport: str | None) -> Wire:
    """Who spoke with whom: our side by Via (received and rport, where an answer tells), theirs by the address asked."""
    given = _ADDRESS.search(address or "")
    carried = (transport or "").lower()
    if carried not in _DEFAULT_PORT:
        found = _TRANSPORT.search(address or "")
        carried = found[1].lower() if found else "tls" if (address or "").lower().startswith("sips:") else "udp"
        carried = carried if carried in _DEFAULT_PORT else "udp"
    peer = _ip(given["host"]) if given else None
    peer_port = _port(given["port"] if given else None, _DEFAULT_PORT[carried])
    ours, our_port = _own(messages, carried)
    version = next((one.version for one in (peer, ours) if one is not None), 4)
    stand_in = (_PROBE, _PEER)[version == 6]  # noqa: PLR2004
    if ours is not None and ours.version != version:
        ours = None
    return Wire(
        probe=End(ours or ip_address(stand_in[0]), our_port, ours is not None),
        peer=End(peer or ip_address(stand_in[1]), peer_port, peer is not None),
        transport=carried,
    )


def _own(messages: Sequence[Message], transport: str) -> tuple[Address | None, int]:
    address: Address | None = None
    port = _DEFAULT_PORT[transport]
    vias = [one.via for one in messages if one.via and one.sent and one.method] or [
        one.via for one in messages if one.via and not one.sent and one.code
    ]
    for via in vias[:1]:
        found = _VIA.match(via)
        if found:
            address, port = _ip(found["host"]), _port(found["port"], port)
    for one in messages:  # what the far end saw is what was on the wire there, and all that a name leaves to know
        if one.via and not one.sent and one.code and address is None:
            told = {name.lower(): value for name, value in _PARAMETER.findall(one.via)}
            address = _ip(told.get("received", ""))
            port = _port(told.get("rport"), port)
    return address, port


def _ip(host: str) -> Address | None:
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


def _port(text: str | None, otherwise: int) -> int:
    number = int(text) if text and text.isdigit() else 0
    return number if 0 < number < 1 << 16 else otherwise


def pcap(messages: Sequence[Message], wire: Wire, begin_us: int) -> bytes:
    """The file: microseconds, raw IP, one packet a message in their order."""
    records = [
        _RECORD.pack(at_us // 1_000_000, at_us % 1_000_000, len(data), length) + data
        for at_us, data, length in _packets(messages, wire, begin_us)
    ]
    return _FILE.pack(_MAGIC_US, 2, 4, 0, 0, _SNAP, LINK_RAW) + b"".join(records)


def _packets(messages: Sequence[Message], wire: Wire, begin_us: int) -> Iterator[tuple[int, bytes, int]]:
    sent = {True: 1, False: 1}  # TCP: the next octet of each side
    last_us = begin_us
    for number, message in enumerate(messages):
        last_us = message.at_us if message.at_us is not None and message.at_us >= 0 else last_us
        text = message.text[:-1] if message.cut and message.text.endswith("…") else message.text
        data = text.encode("utf-8", "replace")[:_MOST]
        whole = min(len(data) + message.cut, _MOST)
        source, target = (wire.probe, wire.peer) if message.sent else (wire.peer, wire.probe)
        if wire.transport == "tcp":
            head = _tcp(source, target, data, sent[message.sent], sent[not message.sent], cut=whole > len(data))
            sent[message.sent] += whole
            protocol = _TCP
        else:
            head, protocol = _udp(source, target, data, whole), _UDP
        header = _ip_header(source.address, target.address, protocol, len(head) + whole, number)
        packet = header + head + data
        yield last_us, packet, len(packet) + whole - len(data)


def _udp(source: End, target: End, data: bytes, whole: int) -> bytes:
    length = 8 + whole
    head = struct.pack(">HHHH", source.port, target.port, length, 0)
    if whole > len(data):
        return head  # of what is not here no sum can be made; 0 is "none" (RFC 768)
    total = _sum(_pseudo(source.address, target.address, _UDP, length) + head + data)
    return head[:6] + struct.pack(">H", total or 0xFFFF)


def _tcp(source: End, target: End, data: bytes, sequence: int, acknowledged: int, *, cut: bool) -> bytes:
    head = struct.pack(
        ">HHIIBBHHH", source.port, target.port, sequence & 0xFFFFFFFF, acknowledged & 0xFFFFFFFF, 5 << 4, _PUSH_ACK,
        65_535, 0, 0,
    )  # fmt: skip
    if cut:
        return head
    total = _sum(_pseudo(source.address, target.address, _TCP, len(head) + len(data)) + head + data)
    return head[:16] + struct.pack(">H", total) + head[18:]


def _pseudo(source: Address, target: Address, protocol: int, length: int) -> bytes:
    """RFC 768, RFC 8200 section 8.1."""
    ends = source.packed + target.packed
    if source.version == 4:  # noqa: PLR2004
        return ends + struct.pack(">BBH", 0, protocol, length)
    return ends + struct.pack(">IHBB", length, 0, 0, protocol)


def _ip_header(source: Address, target: Address, protocol: int, length: int, number: int) -> bytes:
    if source.version == 6:  # noqa: PLR2004
        return struct.pack(">IHBB", 6 << 28, length, protocol, _TTL) + source.packed + target.packed
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + length, number & 0xFFFF, 0x4000, _TTL, protocol, 0)
    head += source.packed + target.packed
    return head[:10] + struct.pack(">H", _sum(head)) + head[12:]


def _sum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\x00"
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
