"""From a captured frame to what is in it, in plain Python: what csrc/frame.c does, written to be read."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

KNOWN = {0, 1, 9, 12, 14, 50, 51, 101, 104, 105, 108, 113, 127, 228, 229, 276}  # tcpdump.org/linktypes
_IP = {0x0800, 0x86DD}
_TAGS = {0x8100, 0x88A8, 0x9100}
_MPLS = {0x8847, 0x8848}
_PPPOE = 0x8864
_PPP_IP = {0x0021, 0x0057}
_EXTENSIONS = {0, 43, 44, 51, 60, 135, 139, 140}  # RFC 8200 section 4, and RFC 6275, 7401, 5533
_MAPPED = bytes(10) + b"\xff\xff"


@dataclass
class Part:
    """A UDP datagram, a TCP segment, or a later fragment of a UDP datagram."""

    kind: Literal["udp", "tcp", "fragment"]
    src: bytes
    dst: bytes
    dscp: int
    payload: bytes
    length: int  # of the payload on the wire
    src_port: int = 0
    dst_port: int = 0
    number: int = 0  # TCP: sequence number; a fragment: identification
    offset: int = 0  # a fragment: of its octets in the datagram's payload
    fragment: bool = False  # the first one too
    begins: bool = False  # TCP: SYN


@dataclass
class _Ip:
    src: bytes
    dst: bytes
    dscp: int
    protocol: int
    rest: bytes  # at hand, without the link's padding
    room: int  # octets the packet has
    sized: bool
    fragment: bool = False
    offset: int = 0
    number: int = 0


class _DamagedError(Exception):
    """Too short for its own headers."""


def be16(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2])


def read_frame(link_type: int, frame: bytes, counts: Counter[str]) -> Part | None:
    """What the frame holds; None where a counter says what it was instead."""
    counts["packets"] += 1
    if link_type not in KNOWN:
        counts["unread"] += 1
        return None
    at = _behind_link(link_type, frame)
    if at is None:
        counts["not_udp"] += 1
        return None
    try:
        packet = _ip(frame[at:])
        if packet is None:
            counts["not_udp"] += 1
            return None
        return _transport(packet, counts)
    except _DamagedError:
        counts["damaged"] += 1
        return None


# ---- link layer -----------------------------------------------------------------------------------------------------


def _behind_link(link_type: int, frame: bytes) -> int | None:
    """Where the IP header begins."""
    length = len(frame)
    if link_type in {0, 108}:
        return 4 if length > 4 else None
    if link_type in {9, 50}:
        return _behind_ppp(frame, 2 if frame[:2] == b"\xff\x03" else 0)
    if link_type == 51:
        return _behind_ppp(frame, 6)
    if link_type in {105, 127}:
        return _behind_wlan(frame, int.from_bytes(frame[2:4], "little") if link_type == 127 else 0)
    if link_type in {1, 104, 113, 276}:
        type_at, behind = {1: (12, 14), 104: (2, 4), 113: (14, 16), 276: (0, 20)}[link_type]
        return _behind_type(frame, be16(frame, type_at), behind) if length >= behind else None
    return 0 if length else None


def _behind_ppp(frame: bytes, at: int) -> int | None:
    return at + 2 if len(frame) >= at + 2 and be16(frame, at) in _PPP_IP else None


def _behind_type(frame: bytes, kind: int, at: int) -> int | None:
    """`at`: what follows an EtherType of this value."""
    while kind in _TAGS:
        at += 4
        if len(frame) < at:
            return None
        kind = be16(frame, at - 2)
    if kind in _IP:
        return at
    if kind == _PPPOE:
        return _behind_ppp(frame, at + 6)
    if kind in _MPLS:
        return _behind_labels(frame, at)
    return _behind_snap(frame, at) if kind < 0x600 else None


def _behind_snap(frame: bytes, at: int) -> int | None:
    """IEEE 802.2."""
    known = frame[at : at + 6] == b"\xaa\xaa\x03\x00\x00\x00" and be16(frame, at + 6) in _IP
    return at + 8 if known and len(frame) >= at + 8 else None


def _behind_wlan(frame: bytes, at: int) -> int | None:
    """IEEE 802.11 section 9.3.2.1: a data frame that is not encrypted."""
    control = frame[at : at + 2]
    if len(control) < 2 or control[0] & 0x4C != 0x08 or control[1] & 0x40:
        return None
    header = 30 if control[1] & 3 == 3 else 24
    if control[0] & 0x80:
        header += 6 if control[1] & 0x80 else 2
    return _behind_snap(frame, at + header)


def _behind_labels(frame: bytes, at: int) -> int | None:
    """RFC 3032: the last label is marked."""
    while len(frame) > at + 4:
        at += 4
        if frame[at - 2] & 1:
            return at if frame[at] >> 4 in {4, 6} else None
    return None


# ---- network layer --------------------------------------------------------------------------------------------------


def _ip(data: bytes) -> _Ip | None:
    if not data:
        raise _DamagedError
    if data[0] >> 4 == 4:
        return _ipv4(data)
    return _ipv6(data) if data[0] >> 4 == 6 else None


def _ipv4(data: bytes) -> _Ip:
    header = (data[0] & 15) * 4
    if len(data) < 20 or header < 20 or len(data) < header:
        raise _DamagedError
    told = be16(data, 2)
    total = told or len(data)  # segmentation offload leaves it empty
    if total < header:
        raise _DamagedError
    bits = be16(data, 6)
    return _Ip(
        src=_MAPPED + data[12:16], dst=_MAPPED + data[16:20], dscp=data[1] >> 2, protocol=data[9],
        rest=data[header:total], room=total - header, sized=bool(told),
        fragment=bool(bits & 0x3FFF), offset=(bits & 0x1FFF) * 8, number=be16(data, 4),
    )  # fmt: skip


def _ipv6(data: bytes) -> _Ip:
    if len(data) < 40:
        raise _DamagedError
    told = be16(data, 4)
    rest = data[40 : 40 + told] if told else data[40:]
    dscp = (be16(data, 0) >> 4 & 0xFF) >> 2
    packet = _Ip(data[8:24], data[24:40], dscp, data[6], rest, told or len(rest), bool(told))
    for _ in range(16):
        if packet.protocol not in _EXTENSIONS:
            return packet
        _pass_extension(packet)
        if packet.fragment and packet.offset:
            return packet
    raise _DamagedError


def _pass_extension(packet: _Ip) -> None:
    rest = packet.rest
    if len(rest) < 8:
        raise _DamagedError
    size = (rest[1] + 1) * 8
    if packet.protocol == 51:
        size = (rest[1] + 2) * 4
    elif packet.protocol == 44:
        size, bits = 8, be16(rest, 2)
        packet.fragment, packet.offset, packet.number = bool(bits & 0xFFF9), bits & 0xFFF8, int.from_bytes(rest[4:8])
    if len(rest) < size or packet.room < size:
        raise _DamagedError
    packet.protocol = rest[0]
    packet.rest = rest[size:]
    packet.room -= size


# ---- transport ------------------------------------------------------------------------------------------------------


def _transport(packet: _Ip, counts: Counter[str]) -> Part | None:
    if packet.fragment:
        counts["fragments"] += 1
        if packet.offset:
            if packet.protocol != 17 or packet.offset < 8:
                return None
            part = Part("fragment", packet.src, packet.dst, packet.dscp, packet.rest, packet.room, number=packet.number)
            part.offset = packet.offset - 8
            return part
    if packet.protocol == 17:
        return _udp(packet)
    counts["not_udp"] += 1
    return _tcp(packet) if packet.protocol == 6 and not packet.fragment else None


def _udp(packet: _Ip) -> Part:
    rest = packet.rest
    length = be16(rest, 4)
    if len(rest) < 8 or length < 8:
        raise _DamagedError
    if packet.sized and not packet.fragment:
        length = min(length, packet.room)
    return Part(
        "udp", packet.src, packet.dst, packet.dscp, rest[8:length], length - 8, be16(rest, 0), be16(rest, 2),
        number=packet.number, fragment=packet.fragment,
    )  # fmt: skip


def _tcp(packet: _Ip) -> Part | None:
    rest = packet.rest
    if len(rest) < 20:
        return None
    header = (rest[12] >> 4) * 4
    if header < 20 or len(rest) < header or packet.room < header:
        return None
    return Part(
        "tcp", packet.src, packet.dst, packet.dscp, rest[header:], packet.room - header, be16(rest, 0), be16(rest, 2),
        number=int.from_bytes(rest[4:8]), begins=bool(rest[13] & 2),
    )  # fmt: skip
