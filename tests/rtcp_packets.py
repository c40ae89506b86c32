"""RTCP made for tests."""

import struct


def packet(kind: int, count: int, body: bytes, *, padding: int = 0) -> bytes:
    """One packet: its header, and padding if told."""
    body += bytes(padding - 1) + bytes([padding]) if padding else b""
    return struct.pack("!BBH", 0x80 | (0x20 if padding else 0) | count, kind, len(body) // 4) + body


def block(
    ssrc: int, *, fraction: int = 0, lost: int = 0, highest: int = 0, jitter: int = 0, lsr: int = 0, dlsr: int = 0
) -> bytes:
    return struct.pack("!IIIIII", ssrc, fraction << 24 | lost & 0xFFFFFF, highest, jitter, lsr, dlsr)


def sr(ssrc: int, ntp: int, rtp: int, packets: int = 0, octets: int = 0, blocks: tuple[bytes, ...] = ()) -> bytes:
    return packet(200, len(blocks), struct.pack("!IQIII", ssrc, ntp, rtp, packets, octets) + b"".join(blocks))


def rr(ssrc: int, *blocks: bytes) -> bytes:
    return packet(201, len(blocks), struct.pack("!I", ssrc) + b"".join(blocks))


def sdes(ssrc: int, cname: bytes = b"someone@example.com") -> bytes:
    item = struct.pack("!IBB", ssrc, 1, len(cname)) + cname + b"\0"
    return packet(202, 1, item + bytes(-len(item) % 4))


def bye(*ssrcs: int, reason: bytes = b"") -> bytes:
    text = bytes([len(reason)]) + reason if reason else b""
    return packet(203, len(ssrcs), struct.pack(f"!{len(ssrcs)}I", *ssrcs) + text + bytes(-len(text) % 4))


def xr(ssrc: int, *blocks: bytes) -> bytes:
    return packet(207, 0, struct.pack("!I", ssrc) + b"".join(blocks))


def xr_block(kind: int, specific: int, body: bytes) -> bytes:
    return struct.pack("!BBH", kind, specific, len(body) // 4) + body


def reference_time(ntp: int) -> bytes:
    return xr_block(4, 0, struct.pack("!Q", ntp))


def dlrr(*answers: tuple[int, int, int]) -> bytes:
    return xr_block(5, 0, b"".join(struct.pack("!III", *answer) for answer in answers))


def statistics(ssrc: int, flags: int, *, begin: int, end: int, lost: int, duplicates: int, jitter: list[int]) -> bytes:
    body = struct.pack("!IHHIIIIIIBBBB", ssrc, begin, end, lost, duplicates, *jitter, 1, 2, 3, 4)
    return xr_block(6, flags, body)


VOIP = struct.Struct("!IBBBBHHHHbbBBBBBBBxHHH")


def voip(ssrc: int, *values: int) -> bytes:
    return xr_block(7, 0, VOIP.pack(ssrc, *values))


def srtcp(plain: bytes, cipher: bytes, index: int = 1, tag: int = 10, *, encrypted: bool = True) -> bytes:
    """As RFC 3711 section 3.4: eight octets as they are, `cipher` for the rest, the index word and a tag."""
    body = plain[:8] + cipher[: len(plain) - 8] if encrypted else plain
    return body + struct.pack("!I", (0x80000000 if encrypted else 0) | index) + cipher[-tag:]
