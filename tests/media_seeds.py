"""Small captures of every format and their parts: what fuzzers begin with.

`python -m tests.media_seeds` writes tests/fuzz/corpus again.
"""

import gzip
import socket
import struct
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from tests.media_captures import DST, SRC, START_NS, Rtp, ethernet, frame, pcap, rtp_pcap, stream, udp4
from tests.rtcp_packets import block, bye, dlrr, reference_time, rr, sdes, sr, srtcp, statistics, voip, xr

CORPUS = Path(__file__).parent / "fuzz" / "corpus"
SDP = (
    "v=0\r\no=- 1 1 IN IP4 10.9.0.2\r\ns=-\r\nc=IN IP4 10.9.0.2\r\nt=0 0\r\nm=audio 30000 RTP/AVP 8 96 101\r\n"
    "a=rtpmap:8 PCMA/8000\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n"
)
INVITE = (
    "INVITE sip:b@10.9.0.2 SIP/2.0\r\nCall-ID: 1@seed\r\nFrom: <sip:a@10.9.0.1>;tag=1\r\nTo: <sip:b@10.9.0.2>\r\n"
    f"Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n\r\n{SDP}"
).encode()
BYE = b"BYE sip:b@10.9.0.2 SIP/2.0\r\nCall-ID: 1@seed\r\nl: 0\r\n\r\n"
_STATISTICS = statistics(0x1234, 0xE0, begin=1, end=9, lost=1, duplicates=2, jitter=[1, 2, 3, 4])
_VOIP = (10, 20, 30, 40, 50, 60, 70, 80, -20, -70, 127, 16, 90, 91, 40, 41, 0x34, 60, 80, 200)
RTCP = (
    sr(0x1234, 0xE9000000_00000000, 5000, 4, 640, (block(0x99, fraction=3, lost=2, jitter=40, lsr=7, dlsr=9),))
    + sdes(0x1234),
    rr(0x99, block(0x1234, fraction=255, lost=-1, highest=70_000, jitter=1, lsr=1, dlsr=1 << 16))
    + bye(0x99, reason=b"gone"),
    rr(0x99) + xr(0x99, reference_time(5), dlrr((0x1234, 1, 2)), _STATISTICS),
    rr(0x99) + xr(0x99, voip(0x1234, *_VOIP)),
    srtcp(rr(0x99), bytes(range(24))),
)
_SMALL = {"size": 4}


def ip6(src: str, dst: str, payload: bytes, extensions: bytes = b"", first: int = 17) -> bytes:
    """IPv6 with a UDP datagram from port 20000 to 30000, extension headers before it."""
    udp = struct.pack("!HHHH", SRC[1], DST[1], 8 + len(payload), 0) + payload
    ends = socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6, dst)
    return struct.pack("!IHBB", 0x6B800000, len(extensions) + len(udp), first, 64) + ends + extensions + udp


def fragments(ip: bytes, size: int) -> list[bytes]:
    """An IPv4 packet in pieces; `size` is a multiple of eight."""
    body = ip[20:]
    pieces = []
    for at in range(0, len(body), size):
        more = 0x2000 if at + size < len(body) else 0
        piece = body[at : at + size]
        pieces.append(ip[:2] + struct.pack("!HHH", 20 + len(piece), 77, more | at // 8) + ip[8:20] + piece)
    return pieces


def tcp4(src: tuple[str, int], dst: tuple[str, int], number: int, payload: bytes) -> bytes:
    segment = struct.pack("!HHIIBBHHH", src[1], dst[1], number, 0, 0x50, 0x18, 1000, 0, 0) + payload
    ends = socket.inet_aton(src[0]) + socket.inet_aton(dst[0])
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0, 64, 6, 0) + ends + segment


def block_of(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    total = len(body) + 12
    return struct.pack(order + "II", kind, total) + body + struct.pack(order + "I", total)


def section(order: str) -> bytes:
    return block_of(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(order: str, link_type: int = 1, resolution: int | None = None, offset: int | None = None) -> bytes:
    options = b""
    if resolution is not None:
        options += struct.pack(order + "HHB3x", 9, 1, resolution)
    if offset is not None:
        options += struct.pack(order + "HHq", 14, 8, offset)
    return block_of(order, 1, struct.pack(order + "HHI", link_type, 0, 0) + options + (bytes(4) if options else b""))


def enhanced(order: str, data: bytes, units: int, number: int = 0) -> bytes:
    head = struct.pack(order + "IIIII", number, units >> 32, units & 0xFFFFFFFF, len(data), len(data))
    return block_of(order, 6, head + data)


def pcapng(
    frames: Iterable[tuple[int, bytes]], *, order: str = "<", nanoseconds: bool = True, link_type: int = 1
) -> bytes:
    """A pcapng file of one section and one interface."""
    per = 1 if nanoseconds else 1000
    blocks = [enhanced(order, data, at_ns // per) for at_ns, data in frames]
    return section(order) + interface(order, link_type, 9 if nanoseconds else None) + b"".join(blocks)


def _mixed() -> list[tuple[int, bytes]]:
    """SIP, RTP both ways, RTCP, a later fragment, TCP, ARP."""
    there = [frame(p) for p in stream(6, **_SMALL)]
    back = [frame(p) for p in stream(6, src=DST, dst=SRC, ssrc=0x99, payload_type=0, **_SMALL)]
    reports = [(START_NS + i, ethernet(udp4((SRC[0], 20001), (DST[0], 30001), data))) for i, data in enumerate(RTCP)]
    pieces = [(START_NS, ethernet(ip)) for ip in fragments(udp4((SRC[0], 5060), (DST[0], 5060), INVITE), 240)]
    cut = [INVITE[:100], INVITE[100:] + BYE]
    segments = [
        (START_NS, ethernet(tcp4((SRC[0], 40000), (DST[0], 5060), 9 + 100 * i, data))) for i, data in enumerate(cut)
    ]
    others = [(START_NS, ethernet(b"\0\1\x08\0\6\4\0\1" + bytes(20), ethertype=0x0806))]
    whole = [(START_NS, ethernet(udp4((SRC[0], 5060), (DST[0], 5060), INVITE)))]
    return whole + pieces + segments + others + sorted(there + back + reports)


def _linked(link_type: int, head: bytes) -> bytes:
    return pcap(((p.at_ns, head + udp4(p.src, p.dst, p.payload())) for p in stream(4, **_SMALL)), link_type=link_type)


def captures() -> dict[str, bytes]:
    """One small capture of every kind, by name."""
    few = stream(5, **_SMALL)
    six = [ethernet(ip6("fd00::1", "fd00::2", p.payload()), ethertype=0x86DD) for p in few]
    hops = [
        ethernet(ip6("fd00::1", "fd00::2", p.payload(), b"\x11\0\1\4" + bytes(4), 0), ethertype=0x86DD) for p in few
    ]
    sll = struct.pack("!HHH8sH", 0, 1, 6, bytes(8), 0x0800)
    sll2 = struct.pack("!HHIHBB8s", 0x0800, 0, 1, 1, 0, 6, bytes(8))
    odd = [
        replace(p, sequence=p.sequence + jump)
        for p, jump in zip(stream(12, **_SMALL), [0, 0, 0, 3, 0, 0, -2, 900, 900, 900, 900, 900], strict=True)
    ]
    sections = (
        section(">") + interface(">", 1, 9) + interface(">", 101, 0x80 | 20, 1_600_000_000)
        + b"".join(enhanced(">", frame(p)[1], p.at_ns) for p in few)
        + enhanced(">", udp4(SRC, DST, few[0].payload()), 5 << 20, 1)
        + block_of(">", 5, bytes(12)) + section("<") + interface("<")
        + b"".join(enhanced("<", frame(p)[1], p.at_ns // 1000) for p in few)
        + block_of("<", 3, struct.pack("<I", len(six[0])) + six[0])
    )  # fmt: skip
    return {
        "pcap_us": rtp_pcap(few, nanoseconds=False),
        "pcap_ns_big": rtp_pcap(few, order=">"),
        "pcap_snapped": pcap((frame(p) for p in few), snaplen=58),
        "pcap_vlan": pcap((p.at_ns, ethernet(udp4(p.src, p.dst, p.payload()), vlans=2)) for p in few),
        "pcap_ipv6": pcap(zip((p.at_ns for p in few), six, strict=True)),
        "pcap_ipv6_hop": pcap(zip((p.at_ns for p in few), hops, strict=True)),
        "pcap_mixed": pcap(_mixed()),
        "pcap_odd": rtp_pcap(odd),
        "pcap_raw": _linked(101, b""),
        "pcap_null": _linked(0, struct.pack("<I", 2)),
        "pcap_sll": _linked(113, sll),
        "pcap_sll2": _linked(276, sll2),
        "pcapng_ns": pcapng(frame(p) for p in few),
        "pcapng_mixed_big": pcapng(_mixed(), order=">"),
        "pcapng_sections": sections,
        "gzip": gzip.compress(rtp_pcap(few), mtime=0),
    }


def _frames() -> dict[str, bytes]:
    """Behind the link type, two octets."""
    rtp = udp4(SRC, DST, Rtp(0, 1, 1, size=4).payload())
    routed = ip6("fd00::1", "fd00::2", b"\x80\x08" + bytes(12), b"\x3c\0\0\0" + bytes(4) + b"\x11\0\1\0" + bytes(4), 43)
    return {
        "ethernet": b"\0\1" + ethernet(rtp),
        "vlan": b"\0\1" + ethernet(rtp, vlans=2),
        "mpls": b"\0\1" + ethernet(b"\0\0\x10\xff\0\0\x11\xff" + rtp, ethertype=0x8847),
        "pppoe": b"\0\1" + ethernet(b"\x11\0\0\1" + struct.pack("!HH", len(rtp) + 2, 0x21) + rtp, ethertype=0x8864),
        "snap": b"\0\1" + ethernet(b"\xaa\xaa\3\0\0\0\x08\0" + rtp, ethertype=200),
        "raw": b"\0\x65" + rtp,
        "raw6": b"\0\x65" + routed,
        "options": b"\0\x65" + b"\x46" + rtp[1:20] + b"\1\1\1\1" + rtp[20:],
        "fragment": b"\0\x65" + fragments(udp4(SRC, DST, bytes(64)), 32)[1],
        "fragment6": b"\0\x65" + ip6("fd00::1", "fd00::2", bytes(16), b"\x11\0\0\1\0\0\0\7", 44),
        "tcp": b"\0\x65" + tcp4(SRC, DST, 7, BYE),
        "ppp": b"\0\x09\xff\x03\0\x21" + rtp,
        "sll2": b"\1\x14" + struct.pack("!HHIHBB8s", 0x8100, 0, 1, 1, 0, 6, bytes(8)) + b"\0\7\x08\0" + rtp,
    }


def _piece(how: int, place: int, data: bytes) -> bytes:
    return struct.pack("!BHH", how, place, len(data)) + data


def _sip() -> dict[str, bytes]:
    """How the piece comes (fuzz_sip.c), where it belongs, its length, and its octets."""
    both = INVITE + BYE + INVITE
    return {
        "datagram": _piece(0, 0, INVITE),
        "snapped": _piece(16, 0, INVITE[:150]),
        "fragments": _piece(20, 0, INVITE[:200]) + _piece(1, 200, INVITE[200:400]) + _piece(5, 400, INVITE[400:]),
        "segments": b"".join(_piece(2, at, both[at : at + 150]) for at in range(0, len(both), 150)),
        "disorder": b"".join(_piece(2, at, both[at : at + 150]) for at in (0, 300, 150, 150, 600, 450, 750, 900)),
    }


def _rtcp() -> dict[str, bytes]:
    """Datagrams behind their lengths."""
    alone = {f"compound{number}": bytes([len(data)]) + data for number, data in enumerate(RTCP)}
    return alone | {"all": b"".join(alone.values()) * 2}


def _audio() -> dict[str, bytes]:
    """Law, length and RTP packet."""
    rtp = Rtp(0, 1, 1, size=0).payload()
    loud = b"".join(struct.pack("BB", 2, 172) + rtp + bytes([0xAA, 0x2A] * 80) for _ in range(4))
    silent = b"".join(struct.pack("BB", 1, 172) + rtp + b"\xff" * 160 for _ in range(4))
    padded = struct.pack("BB", 1, 32) + b"\xb1" + rtp[1:] + bytes(4) + b"\0\0\0\1" + bytes(11) + b"\x04"
    return {"loud": loud, "silent": silent, "padded": padded}


def _kernel() -> dict[str, bytes]:
    """Steps of fuzz_kernel.c."""
    plain = b"\x02" + b"\0\0" * 40
    return {
        "plain": plain,
        "loss": plain + b"\4\0" * 5 + b"\0\0" * 20 + b"\x0a\0" + b"\0\0" * 9 + b"\6\0\5\0",
        "restart": plain + b"\x1f\x12\x34\x56\x78\0" + b"\0\0" * 30 + b"\x0f\0" + b"\0\0" * 9,
        "seconds": plain + b"\x20\0\0\x27\x10\0" * 70,
        "others": plain + b"\xe1\1\0\x1f\x40" + b"\0\4" * 9 + b"\xe0\x10\0\0\0" + bytes(16) + b"\xe2\0\0\0" + plain,
    }


def corpora() -> dict[str, dict[str, bytes]]:
    """The seeds of every libFuzzer target."""
    return {
        "capture": {name: data for name, data in captures().items() if name != "gzip"},
        "frame": _frames(), "sip": _sip(), "rtcp": _rtcp(), "audio": _audio(), "kernel": _kernel(),
        "report": {"zeros": bytes(16), "ones": b"\xff" * 500, "numbers": bytes(range(256)) * 3},
    }  # fmt: skip


def main() -> None:
    for target, seeds in corpora().items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in seeds.items():
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
