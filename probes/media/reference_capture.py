"""Captures for the plain Python meter: what csrc/pcap.c and csrc/pcapng.c do, written to be read.

A capture is one piece of memory here, and one generator a format yields its frames.
"""

import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from probes.media.capture import CaptureFacts
from probes.media.errors import CaptureError
from probes.media.link_types import link_name
from probes.media.reference import Packet, ReferenceMeter
from probes.media.reference_frame import KNOWN, read_frame
from probes.media.reference_sip import SipFinder
from probes.media.sdp import announce_sdp

_LARGEST = 1 << 20  # octets of a record
_LAST_NS = 1 << 61  # times are held within this of the epoch, either side
_PCAP = {0xA1B2C3D4: (1000, 16), 0xA1B23C4D: (1, 16), 0xA1B2CD34: (1000, 24)}  # nanoseconds a fraction, record header
_SECTION = b"\x0a\x0d\x0d\x0a"
_INTERFACE, _PACKET, _SIMPLE, _ENHANCED = 1, 2, 3, 6


@dataclass(frozen=True)
class _Record:
    link_type: int
    time_ns: int
    frame: bytes
    original: int  # octets on the wire


class _EndsError(Exception):
    """Nothing behind this octet can be read."""

    def __init__(self, offset: int, *, damaged: bool) -> None:
        super().__init__(offset)
        self.offset, self.damaged = offset, damaged


class _Capture:
    """What is known of a capture while it is read."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.counts: Counter[str] = Counter()
        self.link_types: dict[int, None] = {}

    def u32(self, order: str, at: int) -> int:
        return int(struct.unpack_from(order + "I", self.data, at)[0])


def feed_capture(meter: ReferenceMeter, data: bytes, name: str = "capture") -> CaptureFacts:
    """Meter a capture; as `probes.media.capture.feed_capture`, but for compression, and with the shortest warnings."""
    capture = _Capture(data)
    ends = _read(capture, meter, _records(capture, name))
    counts = capture.counts
    strange = capture.link_types.keys() - KNOWN
    unread = counts["packets"] == counts["unread"] and (counts["packets"] or strange == capture.link_types.keys())
    if (unread and strange) or (ends and ends.damaged and not counts["packets"]):
        raise CaptureError(f"{name}: nothing can be read")
    warning = None
    if ends or counts["unread"]:
        warning = f"{name}: ends at octet {ends.offset}" if ends else f"{name}: not all link types are read"
    names = tuple(dict.fromkeys(link_name(number) for number in list(capture.link_types)[:16]))
    return CaptureFacts(
        format="pcapng" if data.startswith(_SECTION) else "pcap",
        compression=None,
        link_types=names,
        packets=counts["packets"],
        fragments=counts["fragments"],
        not_udp=counts["not_udp"],
        damaged=counts["damaged"],
        snapped=counts["snapped"],
        unread=counts["unread"],
        untimed=counts["untimed"],
        warning=warning,
    )


def _read(capture: _Capture, meter: ReferenceMeter, records: Iterator[_Record]) -> _EndsError | None:
    finder = SipFinder()
    try:
        for record in records:
            capture.counts["snapped"] += len(record.frame) < record.original
            part = read_frame(record.link_type, record.frame, capture.counts)
            if part is None:
                continue
            messages = finder.take(part)
            for message in messages:
                announce_sdp(meter, message)
            if part.kind == "udp" and not messages:
                ends = (part.src, part.src_port, part.dst, part.dst_port)
                meter.packet(Packet(record.time_ns, *ends, part.payload, part.length, part.dscp))
    except _EndsError as ends:
        return ends
    return None


def _records(capture: _Capture, name: str) -> Iterator[_Record]:
    data = capture.data
    if data.startswith(_SECTION):
        if len(data) < 28:
            raise CaptureError(f"{name}: ends inside its file header")
        return _Pcapng(capture).records()
    for order in "<>":
        if len(data) >= 4 and capture.u32(order, 0) in _PCAP:
            if len(data) < 24:
                raise CaptureError(f"{name}: ends inside its file header")
            return _pcap(capture, order)
    raise CaptureError(f"{name}: neither pcap nor pcapng")


def _clamp(time_ns: int) -> int:
    return max(-_LAST_NS, min(_LAST_NS, time_ns))


# ---- pcap-savefile(5) -----------------------------------------------------------------------------------------------


def _pcap(capture: _Capture, order: str) -> Iterator[_Record]:
    data = capture.data
    unit, header = _PCAP[capture.u32(order, 0)]
    link_type = capture.u32(order, 20) & 0xFFFF
    capture.link_types[link_type] = None
    at = 24
    while at < len(data):
        if len(data) - at < header:
            raise _EndsError(at, damaged=False)
        seconds, fraction, captured, original = struct.unpack_from(order + "4I", data, at)
        if captured > _LARGEST:
            raise _EndsError(at, damaged=True)
        frame = data[at + header : at + header + captured]
        if len(frame) < captured:
            raise _EndsError(at, damaged=False)
        at += header + captured
        yield _Record(link_type, _clamp(seconds * 10**9 + fraction * unit), frame, original)


# ---- pcapng ---------------------------------------------------------------------------------------------------------


@dataclass
class _Interface:
    link_type: int
    snaplen: int
    resolution: int = 6
    offset_seconds: int = 0

    def time_ns(self, units: int) -> int:
        power = self.resolution & 0x7F
        if self.resolution & 0x80:
            since = units * 10**9 >> power
        elif power <= 9:
            since = units * 10 ** (9 - power)
        else:
            since = units // 10 ** min(power - 9, 19)
        most = _LAST_NS // 10**9
        return _clamp(min(since, _LAST_NS) + max(-most, min(most, self.offset_seconds)) * 10**9)


class _Pcapng:
    def __init__(self, capture: _Capture) -> None:
        self._capture = capture
        self._order = "<"
        self._interfaces: list[_Interface] = []
        self._last_ns = 0

    def records(self) -> Iterator[_Record]:
        data, at = self._capture.data, 0
        while at < len(data):
            kind, body, behind = self._block(at)
            try:
                if kind == _SECTION:
                    self._section(body)
                elif kind == _INTERFACE:
                    self._interface(body)
                elif record := self._packet(int(kind), body):
                    yield record
            except (ValueError, struct.error):
                raise _EndsError(at, damaged=True) from None
            at = behind

    def _block(self, at: int) -> tuple[int | bytes, bytes, int]:
        """The block's type, its body and where the next one begins."""
        data = self._capture.data
        rest = len(data) - at
        section = data[at : at + 4] == _SECTION
        if rest < (12 if section else 8):
            raise _EndsError(at, damaged=False)
        if section:
            magic = data[at + 8 : at + 12]
            if magic not in {b"\x1a\x2b\x3c\x4d", b"\x4d\x3c\x2b\x1a"}:
                raise _EndsError(at, damaged=True)
            self._order = ">" if magic[0] == 0x1A else "<"
        kind, total = struct.unpack_from(self._order + "2I", data, at)
        read = section or kind in {_INTERFACE, _PACKET, _SIMPLE, _ENHANCED}
        if total < 12 or total % 4 or (read and total > _LARGEST):
            raise _EndsError(at, damaged=True)
        if total > rest:
            raise _EndsError(at, damaged=False)
        if self._capture.u32(self._order, at + total - 4) != total:
            raise _EndsError(at, damaged=True)
        return (_SECTION if section else kind), data[at + 8 : at + total - 4], at + total

    def _unpack(self, form: str, body: bytes, at: int = 0) -> tuple[int, ...]:
        return struct.unpack_from(self._order + form, body, at)

    def _section(self, body: bytes) -> None:
        if len(body) < 16 or self._unpack("H", body, 4)[0] != 1:
            raise ValueError
        self._interfaces = []

    def _interface(self, body: bytes) -> None:
        link_type, _, snaplen = self._unpack("HHI", body)
        interface = _Interface(link_type, snaplen)
        at = 8
        while len(body) - at >= 4:
            code, size = self._unpack("HH", body, at)
            value = body[at + 4 : at + 4 + size]
            if code == 0 or len(value) < size:
                break
            if (code, size) == (9, 1):
                interface.resolution = value[0]
            elif (code, size) == (14, 8):
                (interface.offset_seconds,) = self._unpack("q", value)
            at += 4 + (size + 3) // 4 * 4
        self._interfaces.append(interface)
        if len(self._interfaces) > 1 << 16:
            raise ValueError
        self._capture.link_types[link_type] = None

    def _packet(self, kind: int, body: bytes) -> _Record | None:
        if kind == _SIMPLE:
            (original,) = self._unpack("I", body)
            if not self._interfaces:
                raise ValueError
            limit = self._interfaces[0].snaplen or original
            self._capture.counts["untimed"] += 1
            return _Record(self._interfaces[0].link_type, self._last_ns, body[4 : 4 + min(original, limit)], original)
        if kind not in {_PACKET, _ENHANCED}:
            return None
        number, high, low, captured, original = self._unpack("5I", body)
        if kind == _PACKET:
            (number,) = self._unpack("H", body)
        if number >= len(self._interfaces):
            raise ValueError
        interface = self._interfaces[number]
        self._last_ns = interface.time_ns(high << 32 | low)
        if captured > len(body) - 20:
            raise ValueError
        return _Record(interface.link_type, self._last_ns, body[20 : 20 + captured], original)
