"""The meter in plain Python: what every figure means, written to be read, not to be fast.

It keeps every sequence number received and computes losses from that set at the end, where the C kernel keeps a window
and settles losses on the way. Both pass the same tests.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from probes.media.errors import CaptureError
from probes.media.payload import STATIC, Format, Kind
from probes.media.rows import NO_PAYLOAD_TYPE, STREAM_DTYPE, StreamRows
from probes.media.sdp import Names, announce_sdp, packed

MAX_LATE = 960  # packets: later than this a packet cannot be placed
MAX_DROPOUT = 3000  # RFC 3550 A.1
GMIN = 16  # RFC 3611 section 4.7.2
_CYCLE = 1 << 16
_UNNAMED = Format(NO_PAYLOAD_TYPE, "", 0, Kind.UNKNOWN)


@dataclass(frozen=True)
class Packet:
    """One UDP datagram and the time it was captured; addresses are 16 octets."""

    time_ns: int
    src: bytes
    src_port: int
    dst: bytes
    dst_port: int
    payload: bytes
    length: int  # of the payload on the wire


@dataclass
class _Segment:
    """A run of sequence numbers between restarts; numbers are extended and start one cycle up."""

    base: int
    max: int
    max_timestamp: int
    received: set[int]
    step: int | None = None

    @property
    def expected(self) -> int:
        return self.max - self.base + 1

    def losses(self) -> list[int]:
        return [number for number in range(self.base, self.max + 1) if number not in self.received]


@dataclass
class _Stream:
    first_ns: int
    segments: list[_Segment]
    last_sequence: int
    valid: bool = False
    packets: int = 0
    bytes: int = 0
    duplicates: int = 0
    reordered: int = 0
    strays: int = 0
    events: int = 0
    comfort_noise: int = 0
    markers: int = 0
    changes: int = 0
    end_ns: int = 0
    last_ns: int = 0
    largest_gap_ns: int = 0
    odd: tuple[int, int, int] | None = None  # sequence, timestamp, arrival of a packet far off
    transit: tuple[int, int, int] | None = None  # arrival, timestamp, clock of the last packet of the audio
    jitter: float = 0.0
    jitters: list[float] = field(default_factory=list)
    last_media: int | None = None
    last_clock: int = 0
    last_kind: Kind = Kind.UNKNOWN
    votes: int = 0
    main: tuple[Format, int] = (_UNNAMED, 0)


class ReferenceMeter:
    """Same figures as `StreamMeter`, a few hundred times slower."""

    def __init__(self) -> None:
        self.names: Names = {}
        self._streams: dict[tuple[bytes, int, bytes, int, int], _Stream] = {}
        self._endpoints: dict[tuple[bytes, int], tuple[int, dict[int, Format]]] = {}
        self._profiles = 0

    def announce(self, address: str, port: int, formats: Iterable[Format]) -> None:
        """Take what SDP says that `address:port` receives."""
        self._profiles += 1
        entries = {entry.payload_type: entry for entry in formats}
        self._endpoints[packed(address), port] = (self._profiles, entries)
        self.names.update({(self._profiles, number): entry.codec for number, entry in entries.items()})

    def packet(self, packet: Packet) -> None:
        """Take one datagram; what is not RTP (RFC 3550 section 5.1, RFC 5761 section 4) is passed over."""
        data = packet.payload
        if len(data) < 12 or data[0] >> 6 != 2:
            return
        number = data[1] & 0x7F
        if 192 <= data[1] <= 223 or 72 <= number <= 76 or packet.length < 12 + 4 * (data[0] & 0x0F):
            return
        sequence, timestamp, ssrc = struct.unpack_from("!HII", data, 2)
        key = (packet.src, packet.src_port, packet.dst, packet.dst_port, ssrc)
        stream = self._streams.get(key)
        placed = True
        if stream is None or (not stream.valid and _far(stream, sequence)):
            # Still in probation: what came before was no stream (A.1).
            stream = _Stream(packet.time_ns, [_segment(sequence, timestamp)], sequence)
            stream.end_ns = stream.last_ns = packet.time_ns
            self._streams[key] = stream
        else:
            stream.valid = stream.valid or sequence == (stream.last_sequence + 1) % _CYCLE
            placed = _place(stream, sequence, timestamp, packet.time_ns)
        _count(stream, sequence, packet)
        if placed:
            self._payload(stream, packet, number, timestamp)

    def _payload(self, stream: _Stream, packet: Packet, number: int, timestamp: int) -> None:
        named, profile = self._format(packet, number)
        marker = packet.payload[1] >> 7
        stream.markers += marker
        stream.last_clock, stream.last_kind = named.clock_rate, named.kind
        if named.kind is Kind.MEDIA:
            stream.changes += stream.last_media not in {None, number}
            stream.last_media = number
        if named.kind is Kind.EVENT:
            stream.events += 1
        elif named.kind is Kind.COMFORT_NOISE:
            stream.comfort_noise += 1
        else:
            _vote(stream, named, profile)
            if named.clock_rate:
                _jitter(stream, packet.time_ns, timestamp, named.clock_rate, marker=bool(marker))

    def _format(self, packet: Packet, number: int) -> tuple[Format, int]:
        """By the receiver's SDP (RFC 3264 section 5.1), the sender's where that is silent, then RFC 3551."""
        for end in ((packet.dst, packet.dst_port), (packet.src, packet.src_port)):
            profile, formats = self._endpoints.get(end, (0, {}))
            if number in formats:
                return formats[number], profile
        return STATIC.get(number, Format(number, "", 0, Kind.UNKNOWN)), 0

    def snapshot(self) -> StreamRows:
        """One row per stream that passed probation."""
        valid = [(key, stream) for key, stream in self._streams.items() if stream.valid]
        rows = np.zeros(len(valid), dtype=STREAM_DTYPE)
        for row, (key, stream) in zip(rows, valid, strict=True):
            _fill(row, key, stream)
        return rows


def _segment(sequence: int, timestamp: int) -> _Segment:
    return _Segment(_CYCLE + sequence, _CYCLE + sequence, timestamp, {_CYCLE + sequence})


def _far(stream: _Stream, sequence: int) -> bool:
    ahead = (sequence - stream.segments[-1].max) % _CYCLE
    return ahead >= MAX_DROPOUT and _CYCLE - ahead > MAX_LATE


def _place(stream: _Stream, sequence: int, timestamp: int, time_ns: int) -> bool:
    """Put a sequence number where it belongs; False for a stray."""
    segment = stream.segments[-1]
    ahead = (sequence - segment.max) % _CYCLE
    behind = _CYCLE - ahead
    if ahead == 0 or (ahead >= MAX_DROPOUT and behind <= MAX_LATE):
        number = segment.max - (behind % _CYCLE)
        if number in segment.received:
            stream.duplicates += 1
        else:
            stream.reordered += 1
            segment.received.add(number)
            segment.base = min(segment.base, number)
        return True
    advance = (timestamp - segment.max_timestamp) % (1 << 32)
    if ahead < MAX_DROPOUT or (segment.step and advance == segment.step * ahead % (1 << 32)):
        _forward(stream, segment, ahead, timestamp)
        return True
    if stream.odd and sequence == (stream.odd[0] + 1) % _CYCLE:
        _restart(stream, timestamp)
        return True
    stream.odd = (sequence, timestamp, time_ns)
    stream.strays += 1
    return False


def _forward(stream: _Stream, segment: _Segment, ahead: int, timestamp: int) -> None:
    if ahead == 1:
        segment.step = (timestamp - segment.max_timestamp) % (1 << 32) or None
    segment.max += ahead
    segment.max_timestamp = timestamp
    segment.received.add(segment.max)
    stream.odd = None


def _restart(stream: _Stream, timestamp: int) -> None:
    """Two packets in sequence, far from the others: the sender began anew (A.1)."""
    assert stream.odd is not None  # noqa: S101 - the caller has just seen it
    sequence, first_timestamp, time_ns = stream.odd
    stream.odd = None
    stream.strays -= 1
    segment = _segment(sequence, first_timestamp)
    stream.segments.append(segment)
    known = stream.last_clock and stream.last_kind is Kind.MEDIA
    stream.transit = (time_ns, first_timestamp, stream.last_clock) if known else None
    _forward(stream, segment, 1, timestamp)


def _count(stream: _Stream, sequence: int, packet: Packet) -> None:
    stream.last_sequence = sequence
    stream.packets += 1
    stream.bytes += packet.length
    stream.largest_gap_ns = max(stream.largest_gap_ns, packet.time_ns - stream.last_ns)
    stream.last_ns = packet.time_ns
    stream.end_ns = max(stream.end_ns, packet.time_ns)
    stream.first_ns = min(stream.first_ns, packet.time_ns)


def _vote(stream: _Stream, named: Format, profile: int) -> None:
    """The payload type that most media packets have (the majority vote of Boyer and Moore)."""
    same = stream.main[0].payload_type == named.payload_type
    if stream.votes and not same:
        stream.votes -= 1
        return
    stream.votes += 1
    stream.main = (named, profile)


def _jitter(stream: _Stream, time_ns: int, timestamp: int, clock: int, *, marker: bool) -> None:
    """RFC 3550 A.8 in seconds, in arrival order; markers count for J, not for its mean and maximum."""
    if stream.transit and stream.transit[2] == clock:
        units = (timestamp - stream.transit[1] + (1 << 31)) % (1 << 32) - (1 << 31)
        difference = abs((time_ns - stream.transit[0]) * 1e-9 - units / clock)
        stream.jitter += (difference - stream.jitter) / 16
        if not marker:
            stream.jitters.append(stream.jitter)
    stream.transit = (time_ns, timestamp, clock)


@dataclass
class _Losses:
    runs: int = 0
    longest: int = 0
    bursts: int = 0
    burst_packets: int = 0
    burst_lost: int = 0


def _losses(segments: list[_Segment]) -> _Losses:
    """Runs of consecutive losses, and RFC 3611 bursts: losses with fewer than Gmin received packets between them."""
    result = _Losses()
    for segment in segments:
        lost = segment.losses()
        for run in _grouped(lost, 1):
            result.runs += 1
            result.longest = max(result.longest, len(run))
        for cluster in _grouped(lost, GMIN):
            if len(cluster) > 1:
                result.bursts += 1
                result.burst_packets += cluster[-1] - cluster[0] + 1
                result.burst_lost += len(cluster)
    return result


def _grouped(numbers: list[int], apart: int) -> list[list[int]]:
    """Sorted numbers in groups whose neighbours differ by at most `apart`."""
    groups: list[list[int]] = []
    for number in numbers:
        if groups and number - groups[-1][-1] <= apart:
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups


def _fill(row: np.void, key: tuple[bytes, int, bytes, int, int], s: _Stream) -> None:
    expected = sum(segment.expected for segment in s.segments)
    losses = _losses(s.segments)
    placed = s.packets - s.strays
    values: dict[str, Any] = {
        "src": np.void(key[0]), "src_port": key[1], "dst": np.void(key[2]), "dst_port": key[3], "ssrc": key[4],
        "clock_rate": s.main[0].clock_rate, "profile": s.main[1], "payload_type": s.main[0].payload_type,
        "packets": s.packets, "bytes": s.bytes, "expected": expected, "lost": expected - (placed - s.duplicates),
        "lost_rfc3550": expected - placed, "duplicates": s.duplicates, "reordered": s.reordered, "strays": s.strays,
        "events": s.events, "comfort_noise": s.comfort_noise, "markers": s.markers,
        "loss_runs": losses.runs, "loss_run_max": losses.longest, "bursts": losses.bursts,
        "burst_packets": losses.burst_packets, "burst_lost": losses.burst_lost, "jitter_samples": len(s.jitters),
        "jitter": s.jitter if s.jitters else np.nan,
        "jitter_mean": sum(s.jitters) / len(s.jitters) if s.jitters else np.nan,
        "jitter_max": max(s.jitters, default=np.nan),
        "start_ns": s.first_ns, "end_ns": s.end_ns, "largest_gap_ns": s.largest_gap_ns,
        "restarts": len(s.segments) - 1, "payload_type_changes": s.changes,
    }  # fmt: skip
    for name, value in values.items():
        row[name] = value


# ---- classic pcap: Ethernet and loopback, IPv4 and IPv6, as far as tests need it ------------------------------------


def feed_pcap(meter: ReferenceMeter, data: bytes) -> bool:
    """Meter a classic pcap; True if it ends inside a record. CaptureError when it is none."""
    magics = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}
    order = next((o for o in "<>" if len(data) >= 24 and struct.unpack_from(o + "I", data)[0] in magics), None)
    if order is None:
        raise CaptureError("not a pcap file: give a classic pcap capture")
    unit = magics[struct.unpack_from(order + "I", data)[0]]
    link_type = struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF
    at = 24
    while at < len(data):
        if len(data) - at < 16:
            return True
        seconds, fraction, captured, _ = struct.unpack_from(order + "IIII", data, at)
        if captured > 1 << 20:
            raise CaptureError(f"damaged at octet {at}")
        if captured > len(data) - at - 16:
            return True
        packet = datagram(link_type, data[at + 16 : at + 16 + captured], seconds * 1_000_000_000 + fraction * unit)
        at += 16 + captured
        if packet is None:
            continue
        if packet.payload.startswith((b"SIP/2.0 ", b"INVITE ", b"ACK ", b"UPDATE ", b"PRACK ")):
            announce_sdp(meter, packet.payload)
        else:
            meter.packet(packet)
    return False


def datagram(link_type: int, frame: bytes, time_ns: int) -> Packet | None:
    """The UDP datagram in a frame; None if there is none, or it is a later fragment, or the frame is too short."""
    if link_type == 1:
        at = 12
        while frame[at : at + 2] in {b"\x81\x00", b"\x88\xa8", b"\x91\x00"}:
            at += 4
        if frame[at : at + 2] not in {b"\x08\x00", b"\x86\xdd"}:
            return None
        ip = frame[at + 2 :]
    elif link_type in {0, 108}:
        ip = frame[4:]
    else:
        raise CaptureError(f"link type {link_type} is not read")
    version = ip[0] >> 4 if ip else 0
    if version == 4:
        return _ipv4(ip, time_ns)
    return _ipv6(ip, time_ns) if version == 6 else None


def _ipv4(ip: bytes, time_ns: int) -> Packet | None:
    header = (ip[0] & 0x0F) * 4
    if len(ip) < max(header, 20) or header < 20 or ip[9] != 17 or int.from_bytes(ip[6:8]) & 0x1FFF:
        return None
    total = int.from_bytes(ip[2:4]) or len(ip)
    mapped = bytes(10) + b"\xff\xff"
    return _udp(ip[header:total], total - header, mapped + ip[12:16], mapped + ip[16:20], time_ns)


def _ipv6(ip: bytes, time_ns: int) -> Packet | None:
    if len(ip) < 40 or ip[6] != 17:
        return None
    length = int.from_bytes(ip[4:6])
    return _udp(ip[40 : 40 + length], length, ip[8:24], ip[24:40], time_ns)


def _udp(data: bytes, room: int, src: bytes, dst: bytes, time_ns: int) -> Packet | None:
    if len(data) < 8:
        return None
    src_port, dst_port, length = struct.unpack_from("!HHH", data)
    if length < 8:
        return None
    payload = data[8:length]
    return Packet(time_ns, src, src_port, dst, dst_port, payload, length - 8 if length <= room else len(payload))
