"""The last packets of calls, kept in memory and written as pcap only when a call went wrong.

One packet socket per interface, from the capture helper, filtered to this probe's own RTP ports: nobody else's media is
ever read. Of RTP the headers are kept, payload only when asked for (RTCP always whole: it is the far end's view).
"""

import asyncio
import contextlib
import os
import socket
import struct
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import msgspec

SO_TIMESTAMPNS = 35  # asm-generic/socket.h; Python 3.11 does not name it
_STAMP = struct.Struct("@ll")
_OUTGOING = 4  # PACKET_OUTGOING, linux/if_packet.h
_ETHERNET, _VLAN, _IPV4, _IPV6 = 14, (0x8100, 0x88A8), 0x0800, 0x86DD
_UDP, _RTP_HEADER = 17, 12
_FRAME = 2_048
_AT_ONCE = 256
_FILE = struct.Struct("=IHHiIII")  # magic of nanoseconds, version 2.4, zone, accuracy, snap length, link type
_RECORD = struct.Struct("=IIII")
_MAGIC, _LINK_ETHERNET = 0xA1B23C4D, 1
_PATTERN = "call-*.pcap"


class Packet(msgspec.Struct, frozen=True):
    """A packet as far as it is kept."""

    at_ns: int
    data: bytes
    length: int


class Written(msgspec.Struct, frozen=True):
    """A file of a call, and how many packets are not in it (None: nobody counted)."""

    path: str
    packets: int
    left_out: int


class PacketRing:
    """The last packets of each of our RTP ports. Reads in the loop that made it; `close()` it."""

    def __init__(self, descriptor: int, ports: tuple[int, int], *, most: int, payload: bool, loopback: bool) -> None:
        self._sock = socket.socket(fileno=descriptor)
        self._sock.setblocking(False)
        self._sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._ports, self._most, self._payload, self._loopback = ports, most, payload, loopback
        self._kept: dict[int, deque[Packet]] = {}
        self._passed: dict[int, int] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._sock.fileno(), self._readable)

    def close(self) -> None:
        """Idempotent."""
        if self._sock.fileno() != -1:
            self._loop.remove_reader(self._sock.fileno())
            self._sock.close()
        self._kept.clear()

    def forget(self, port: int) -> None:
        """What was there before a call began on this port is not its own."""
        self._kept.pop(port & ~1, None)
        self._passed.pop(port & ~1, None)

    def take(self, port: int, since_ns: int, address: str | None = None) -> tuple[list[Packet], int]:
        """The packets of a call by its own RTP port, oldest first, and how many older ones the ring let go.

        With its address, too: others on this interface (all of 127/8 is one) may have the same port.
        """
        self._readable()
        own = socket.inet_aton(address) if address is not None else None
        found = [
            packet
            for packet in self._kept.get(port & ~1, ())
            if packet.at_ns >= since_ns and (own is None or _of(packet.data, own, port & ~1))
        ]
        passed = self._passed.get(port & ~1, 0)
        kept = len(self._kept.get(port & ~1, ()))
        self.forget(port)
        return found, max(0, passed - kept)

    def _readable(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                data, ancillary, _, source = self._sock.recvmsg(_FRAME, socket.CMSG_SPACE(_STAMP.size))
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # the interface went down; the meter tells of it, and packets come again when it is up
                return
            if not (self._loopback and source[2] == _OUTGOING):  # on lo each packet passes twice
                self._packet(data, _stamp(ancillary))

    def _packet(self, data: bytes, at_ns: int) -> None:
        found = udp_of(data)
        if found is None:
            return
        start, source, destination = found
        low, high = self._ports
        for port in {source & ~1, destination & ~1}:
            if not low <= port <= high:
                continue
            whole = self._payload or (source | destination) & 1
            end = len(data) if whole else min(len(data), start + 8 + _RTP_HEADER)
            ring = self._kept.setdefault(port, deque(maxlen=self._most))
            ring.append(Packet(at_ns, data[:end], len(data)))
            self._passed[port] = self._passed.get(port, 0) + 1


def udp_of(frame: bytes) -> tuple[int, int, int] | None:
    """Where the UDP header of an Ethernet frame begins, and its ports; None for anything else."""
    at, kind = _ETHERNET, int.from_bytes(frame[12:14], "big")
    while kind in _VLAN:
        kind, at = int.from_bytes(frame[at + 2 : at + 4], "big"), at + 4
    if kind == _IPV4 and len(frame) > at + 9 and frame[at + 9] == _UDP:
        if int.from_bytes(frame[at + 6 : at + 8], "big") & 0x1FFF:
            return None  # a later fragment has no ports
        at += 4 * (frame[at] & 0x0F)
    elif kind == _IPV6 and len(frame) > at + 6 and frame[at + 6] == _UDP:
        at += 40
    else:
        return None
    if len(frame) < at + 8:
        return None
    return at, int.from_bytes(frame[at : at + 2], "big"), int.from_bytes(frame[at + 2 : at + 4], "big")


def _of(frame: bytes, address: bytes, port: int) -> bool:
    """Whether this is from or to an IPv4 address and one of the two ports of its RTP and RTCP."""
    found = udp_of(frame)
    if found is None:
        return False
    at = _ETHERNET
    while int.from_bytes(frame[at - 2 : at], "big") in _VLAN:
        at += 4
    _, source, destination = found
    ends = ((frame[at + 12 : at + 16], source), (frame[at + 16 : at + 20], destination))
    return any(given == address and number & ~1 == port for given, number in ends)


def write(
    packets: Sequence[Packet], folder: str, name: str, *, max_bytes: int, keep: int, left_out: int = 0
) -> Written:
    """A pcap of the newest packets that fit, for its owner alone; the oldest files beyond `keep` go. OSError."""
    room, first = max_bytes - _FILE.size, len(packets)
    while first > 0 and room >= _RECORD.size + len(packets[first - 1].data):
        first -= 1
        room -= _RECORD.size + len(packets[first].data)
    where = Path(folder)
    where.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = where / f"call-{time.time_ns()}-{name}.pcap"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
        file.write(_FILE.pack(_MAGIC, 2, 4, 0, 0, _FRAME, _LINK_ETHERNET))
        for packet in packets[first:]:
            seconds, nanoseconds = divmod(packet.at_ns, 1_000_000_000)
            file.write(_RECORD.pack(seconds, nanoseconds, len(packet.data), packet.length) + packet.data)
    for old in sorted(where.glob(_PATTERN))[:-keep]:
        with contextlib.suppress(FileNotFoundError):  # another probe on this folder was quicker
            old.unlink()
    return Written(str(path), len(packets) - first, left_out + first)


def _stamp(ancillary: Sequence[tuple[int, int, bytes]]) -> int:
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(payload) >= _STAMP.size:
            seconds, nanoseconds = _STAMP.unpack_from(payload)
            return int(seconds * 1_000_000_000 + nanoseconds)
    return time.time_ns()
