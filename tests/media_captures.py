"""Captures made for tests and benchmarks: RTP whose truth is known, as classic pcap."""

import os
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SRC, DST = ("10.9.0.1", 20000), ("10.9.0.2", 30000)
START_NS = 1_700_000_000_000_000_000


@dataclass(frozen=True)
class Rtp:
    """One RTP packet of a stream; `at_ns` is its arrival."""

    at_ns: int
    sequence: int
    timestamp: int
    payload_type: int = 8
    ssrc: int = 0x1234
    marker: bool = False
    size: int = 160
    src: tuple[str, int] = SRC
    dst: tuple[str, int] = DST

    def payload(self) -> bytes:
        second = self.payload_type | (0x80 if self.marker else 0)
        header = struct.pack("!BBHII", 0x80, second, self.sequence & 0xFFFF, self.timestamp & 0xFFFFFFFF, self.ssrc)
        return header + b"\xd5" * self.size


def udp4(src: tuple[str, int], dst: tuple[str, int], payload: bytes) -> bytes:
    """An IPv4 packet with a UDP datagram (checksums left out: a meter does not read them)."""
    udp = struct.pack("!HHHH", src[1], dst[1], 8 + len(payload), 0) + payload
    header = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, socket.inet_aton(src[0]), socket.inet_aton(dst[0])
    )
    return header + udp


def ethernet(ip: bytes, *, vlans: int = 0, ethertype: int = 0x0800) -> bytes:
    """An Ethernet frame, with VLAN tags if told."""
    return bytes(12) + b"\x81\x00\x00\x07" * vlans + struct.pack("!H", ethertype) + ip


def frame(packet: Rtp) -> tuple[int, bytes]:
    return packet.at_ns, ethernet(udp4(packet.src, packet.dst, packet.payload()))


def pcap(
    frames: Iterable[tuple[int, bytes]],
    *,
    order: str = "<",
    nanoseconds: bool = True,
    link_type: int = 1,
    snaplen: int = 65535,
) -> bytes:
    """A classic pcap file of (time, frame)."""
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snaplen, link_type)]
    for at_ns, data in frames:
        seconds, rest = divmod(at_ns, 1_000_000_000)
        kept = data[:snaplen]
        parts.append(struct.pack(order + "IIII", seconds, rest if nanoseconds else rest // 1000, len(kept), len(data)))
        parts.append(kept)
    return b"".join(parts)


def rtp_pcap(packets: Iterable[Rtp], **options: object) -> bytes:
    return pcap((frame(packet) for packet in packets), **options)  # type: ignore[arg-type]


def stream(count: int, *, first: int = 1000, timestamp: int = 5000, step: int = 160, **fields: object) -> list[Rtp]:
    """A perfect stream: one packet every 20 ms."""
    return [
        Rtp(START_NS + i * 20_000_000, first + i, timestamp + i * step, **fields)  # type: ignore[arg-type]
        for i in range(count)
    ]


def shared_captures() -> Path | None:
    """Real captures to read in place: $SERENO_CAPTURES, else a folder beside the repository; None: not here."""
    named = os.environ.get("SERENO_CAPTURES")
    places = [Path(named)] if named else [Path(__file__).parents[2] / "shared" / "captures"]
    return next((place for place in places if any(place.glob("*.pcap"))), None)
