"""Capture files and frames of every kind, made for tests; what `tests.media_captures` makes are the common ones."""

import socket
import struct
from collections.abc import Iterable, Sequence

from tests.media_captures import Rtp, udp4

SRC6, DST6 = socket.inet_pton(socket.AF_INET6, "2001:db8::1"), socket.inet_pton(socket.AF_INET6, "2001:db8::2")


class Pcapng:
    """Blocks of a pcapng file in one byte order."""

    def __init__(self, order: str = "<") -> None:
        self.order = order

    def pack(self, form: str, *values: object) -> bytes:
        return struct.pack(self.order + form, *values)

    def block(self, kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        total = self.pack("I", len(body) + 12)
        return self.pack("I", kind) + total + body + total

    def option(self, code: int, value: bytes) -> bytes:
        return self.pack("HH", code, len(value)) + value + bytes(-len(value) % 4)

    def section(self, *, major: int = 1, length: int = -1) -> bytes:
        return self.block(0x0A0D0D0A, self.pack("IHHq", 0x1A2B3C4D, major, 0, length))

    def interface(
        self,
        link_type: int = 1,
        *,
        snaplen: int = 0,
        resolution: int | None = None,
        offset: int | None = None,
        junk: bytes = b"",
    ) -> bytes:
        body = self.pack("HHI", link_type, 0, snaplen)
        if resolution is not None:
            body += self.option(9, bytes([resolution]))
        if offset is not None:
            body += self.option(14, self.pack("q", offset))
        return self.block(1, body + junk)

    def enhanced(
        self, units: int, frame: bytes, *, interface: int = 0, original: int = 0, options: bytes = b""
    ) -> bytes:
        head = self.pack("IIIII", interface, units >> 32, units & 0xFFFFFFFF, len(frame), original or len(frame))
        return self.block(6, head + frame + bytes(-len(frame) % 4) + options)

    def obsolete(self, units: int, frame: bytes, *, interface: int = 0, drops: int = 0) -> bytes:
        head = self.pack("HHIIII", interface, drops, units >> 32, units & 0xFFFFFFFF, len(frame), len(frame))
        return self.block(2, head + frame)

    def simple(self, frame: bytes, *, original: int = 0) -> bytes:
        return self.block(3, self.pack("I", original or len(frame)) + frame)


def pcapng(frames: Iterable[tuple[int, bytes]], *, order: str = "<", resolution: int = 9, link_type: int = 1) -> bytes:
    """One section, one interface."""
    made = Pcapng(order)
    unit = 10 ** (9 - resolution)
    packets = b"".join(made.enhanced(at_ns // unit, frame) for at_ns, frame in frames)
    return made.section() + made.interface(link_type, resolution=resolution) + packets


def kuznetzov(frames: Iterable[tuple[int, bytes]]) -> bytes:
    """The pcap of patched libpcaps of the nineties."""
    parts = [struct.pack("<IHHiIII", 0xA1B2CD34, 2, 4, 0, 0, 65535, 1)]
    for at_ns, data in frames:
        seconds, rest = divmod(at_ns, 1_000_000_000)
        parts.append(struct.pack("<IIIIIHBB", seconds, rest // 1000, len(data), len(data), 2, 0x0800, 0, 0) + data)
    return b"".join(parts)


def ip4_of(packet: Rtp) -> bytes:
    return udp4(packet.src, packet.dst, packet.payload())


def ip4_options(ip: bytes, options: bytes) -> bytes:
    """The same packet with options in its header."""
    words = 5 + len(options) // 4
    total = struct.pack("!H", len(ip) + len(options))
    return bytes([0x40 | words]) + ip[1:2] + total + ip[4:20] + options + ip[20:]


def udp(packet: Rtp) -> bytes:
    payload = packet.payload()
    return struct.pack("!HHHH", packet.src[1], packet.dst[1], 8 + len(payload), 0) + payload


def ip6(protocol: int, body: bytes, *, traffic_class: int = 0) -> bytes:
    return struct.pack("!IHBB", 6 << 28 | traffic_class << 20, len(body), protocol, 64) + SRC6 + DST6 + body


def ip6_of(packet: Rtp, extensions: Sequence[tuple[int, bytes]] = (), *, traffic_class: int = 0) -> bytes:
    """A UDP packet behind extension headers (protocol, octets whose first one is filled in here)."""
    body, protocol = udp(packet), 17
    for kind, data in reversed(extensions):
        body = bytes([protocol]) + data[1:] + body
        protocol = kind
    return ip6(protocol, body, traffic_class=traffic_class)


def fragments4(ip: bytes, most: int, number: int = 7) -> list[bytes]:
    """The packet in pieces of `most` octets, a multiple of eight."""
    body = ip[20:]
    pieces = []
    for at in range(0, len(body), most):
        piece = body[at : at + most]
        bits = at // 8 | (0x2000 if at + most < len(body) else 0)
        pieces.append(ip[:2] + struct.pack("!HHH", 20 + len(piece), number, bits) + ip[8:20] + piece)
    return pieces


def fragments6(protocol: int, body: bytes, most: int, number: int = 7) -> list[bytes]:
    pieces = []
    for at in range(0, len(body), most):
        more = at + most < len(body)
        pieces.append(ip6(44, struct.pack("!BBHI", protocol, 0, at | more, number) + body[at : at + most]))
    return pieces


def tcp4(src: tuple[str, int], dst: tuple[str, int], number: int, payload: bytes, *, flags: int = 0x18) -> bytes:
    """An IPv4 packet with a TCP segment."""
    tcp = struct.pack("!HHIIBBHHH", src[1], dst[1], number & 0xFFFFFFFF, 0, 0x50, flags, 65535, 0, 0) + payload
    addresses = socket.inet_aton(src[0]) + socket.inet_aton(dst[0])
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + addresses + tcp


def invite(
    address: str, port: int, *, codecs: str = "96", more: str = "a=rtpmap:96 opus/48000/2\r\n", method: str = ""
) -> bytes:
    """An INVITE with SDP."""
    where = f"IN IP4 {address}"
    sdp = f"v=0\r\no=- 1 1 {where}\r\ns=-\r\nc={where}\r\nt=0 0\r\nm=audio {port} RTP/AVP {codecs}\r\n{more}"
    head = (
        f"{method or 'INVITE sip:b@example.net SIP/2.0'}\r\nVia: SIP/2.0/UDP 10.9.0.1:5060;branch=z9hG4bKx\r\n"
        'From: "A" <sip:a@example.net>;tag=1\r\nTo: <sip:b@example.net>\r\nCall-ID: call-1@example.net\r\n'
        f"CSeq: 1 INVITE\r\nContent-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n\r\n"
    )
    return (head + sdp).encode()


# Link layers: (type, octets before an IPv4 header, its name)
SLL = struct.pack("!HHH8s", 0, 1, 6, bytes(8))
SNAP = b"\xaa\xaa\x03\x00\x00\x00\x08\x00"
SLL2 = struct.pack("!HHIHBB8s", 0x0800, 0, 3, 1, 0, 6, bytes(8))
LINKS = {
    "ethernet": (1, bytes(12) + b"\x08\x00", "ETHERNET"),
    "802.1Q": (1, bytes(12) + b"\x81\x00\x20\x64\x08\x00", "ETHERNET"),
    "QinQ": (1, bytes(12) + b"\x88\xa8\x00\x01\x81\x00\x00\x02\x08\x00", "ETHERNET"),
    "QinQ, old": (1, bytes(12) + b"\x91\x00\x00\x01\x81\x00\x00\x02\x08\x00", "ETHERNET"),
    "three tags": (1, bytes(12) + b"\x81\x00\x00\x07" * 3 + b"\x08\x00", "ETHERNET"),
    "PPPoE": (1, bytes(12) + b"\x88\x64\x11\x00\x00\x01\x00\xd2\x00\x21", "ETHERNET"),
    "PPPoE in a VLAN": (1, bytes(12) + b"\x81\x00\x00\x07\x88\x64\x11\x00\x00\x01\x00\xd2\x00\x21", "ETHERNET"),
    "MPLS": (1, bytes(12) + b"\x88\x47\x00\x01\x00\xff\x00\x02\x01\xff", "ETHERNET"),
    "SNAP": (1, bytes(12) + b"\x00\xd2\xaa\xaa\x03\x00\x00\x00\x08\x00", "ETHERNET"),
    "cooked": (113, SLL + b"\x08\x00", "LINUX_SLL"),
    "cooked, tagged": (113, SLL + b"\x81\x00\x00\x07\x08\x00", "LINUX_SLL"),
    "cooked 2": (276, SLL2, "LINUX_SLL2"),
    "raw": (101, b"", "RAW"),
    "raw of BSD": (12, b"", "RAW"),
    "raw of OpenBSD": (14, b"", "RAW"),
    "IPv4": (228, b"", "IPV4"),
    "null, little": (0, b"\x02\x00\x00\x00", "NULL"),
    "null, big": (0, b"\x00\x00\x00\x02", "NULL"),
    "loop": (108, b"\x00\x00\x00\x02", "LOOP"),
    "PPP": (9, b"\x00\x21", "PPP"),
    "PPP, framed": (9, b"\xff\x03\x00\x21", "PPP"),
    "PPP in HDLC": (50, b"\xff\x03\x00\x21", "PPP_HDLC"),
    "PPPoE alone": (51, b"\x11\x00\x00\x01\x00\xd2\x00\x21", "PPP_ETHER"),
    "802.11": (105, b"\x08\x01" + bytes(22) + SNAP, "IEEE802_11"),
    "802.11, QoS": (105, b"\x88\x02" + bytes(24) + SNAP, "IEEE802_11"),
    "802.11, QoS, HT": (105, b"\x88\x82" + bytes(28) + SNAP, "IEEE802_11"),
    "802.11 between stations": (105, b"\x08\x03" + bytes(28) + SNAP, "IEEE802_11"),
    "radiotap": (127, b"\x00\x00\x0a\x00" + bytes(6) + b"\x88\x01" + bytes(24) + SNAP, "IEEE802_11_RADIOTAP"),
    "Cisco HDLC": (104, b"\x0f\x00\x08\x00", "C_HDLC"),
}
