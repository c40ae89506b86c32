"""The meter in plain Python: what every figure means, written to be read, not to be fast.

It keeps every packet with the place it was given among the sequence numbers (`reference_numbering`) and computes all
figures from these lists at the end (`reference_delay`, `reference_seconds`), where the C kernel keeps windows and sums.
Both pass the same tests.
"""

import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from probes.media.payload import STATIC, Format, Kind
from probes.media.reference_delay import (
    Buffer,
    Delays,
    adaptive_buffer,
    counted,
    drift_ppm,
    fixed_buffer,
    percentile,
    variation,
)
from probes.media.reference_numbering import CYCLE, Arrival, Numbering, Place
from probes.media.reference_seconds import impaired_runs, losses_of, second_rows
from probes.media.rows import NO_PAYLOAD_TYPE, STREAM_DTYPE, SecondRows, StreamRows
from probes.media.sdp import Announced, Info, Infos, Names, packed

BUFFERS = ("none", "fixed", "adaptive")
ECHO_NS = 5_000_000  # a duplicate this soon after the same packet came twice into the capture
_UNNAMED = Format(NO_PAYLOAD_TYPE, "", 0, Kind.UNKNOWN)
_SECOND_NS = 1_000_000_000


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
    dscp: int = 0  # RFC 2474


@dataclass
class _Stream:
    """Every packet of a stream, and what must be known while they come."""

    number: int
    numbering: Numbering
    arrivals: list[Arrival] = field(default_factory=list)
    delays: Delays = field(default_factory=Delays)
    latest_ns: int = 0
    streak: int = 0  # packets in sequence, for probation
    valid: bool = False
    format: Format = _UNNAMED  # of the last packet that was no stray
    last_media: int | None = None
    clock_rate: int = 0  # of the last packet of media, or of nobody knows what: then 0
    era: int = 0  # how often it changed
    changes: int = 0
    votes: int = 0
    main: tuple[Format, int] = (_UNNAMED, 0)


class ReferenceMeter:
    """Same figures as `StreamMeter`, a few hundred times slower."""

    def __init__(
        self,
        *,
        probation: int = 2,
        buffer: str = "adaptive",
        fixed_delay_ms: float = 60,
        fixed_size_ms: float = 200,
    ) -> None:
        """As `StreamMeter`: packets in sequence that make a stream, and whose discards count."""
        self._announced = Announced()
        self._probation = probation
        self._buffer = BUFFERS.index(buffer)
        self._fixed = (fixed_delay_ms / 1000, fixed_size_ms / 1000)
        self._streams: dict[tuple[bytes, int, bytes, int, int], _Stream] = {}
        self._endpoints: dict[tuple[bytes, int], tuple[int, dict[int, Format]]] = {}
        self._profiles = 0

    @property
    def names(self) -> Names:
        """Codecs by (profile, payload type)."""
        return self._announced.names

    @property
    def infos(self) -> Infos:
        """What the call said, by `profile` of a row."""
        return self._announced.infos

    def announce(self, address: str, port: int, formats: Iterable[Format], info: Info | None = None) -> None:
        """Take what SDP says that `address:port` receives, and the call it is in."""
        said = tuple(formats)
        number = self._announced.known(said, info)
        if not self._announced.is_news(address, port, number):
            return
        if number is None:
            self._profiles += 1
            number = self._profiles
            self._announced.take(number, said, info)
        self._endpoints[packed(address), port] = (number, {entry.payload_type: entry for entry in said})
        self._announced.said(address, port, number)

    def packet(self, packet: Packet) -> None:
        """Take one datagram; what is not RTP (RFC 3550 section 5.1, RFC 5761 section 4) is passed over."""
        data = packet.payload
        if len(data) < 12 or data[0] >> 6 != 2:
            return
        number = data[1] & 0x7F
        if 192 <= data[1] <= 223 or 72 <= number <= 76 or packet.length < 12 + 4 * (data[0] & 0x0F):
            return
        sequence, timestamp, ssrc = struct.unpack_from("!HII", data, 2)
        marker = bool(data[1] >> 7)
        arrival = Arrival(packet.time_ns, sequence, timestamp, marker, packet.length, packet.dscp)
        key = (packet.src, packet.src_port, packet.dst, packet.dst_port, ssrc)
        stream = self._streams.get(key)
        if stream is None:
            stream = self._streams[key] = _Stream(len(self._streams) + 1, Numbering(arrival))
            stream.latest_ns = arrival.time_ns
        else:
            self._place(stream, arrival)
        in_sequence = stream.arrivals and sequence == (stream.arrivals[-1].sequence + 1) % CYCLE
        stream.streak = stream.streak + 1 if in_sequence else 1
        stream.valid = stream.valid or stream.streak >= self._probation
        stream.arrivals.append(arrival)
        stream.latest_ns = max(stream.latest_ns, arrival.time_ns)
        if arrival.place not in {Place.STRAY, Place.FORMER}:
            self._payload(stream, arrival, packet, number)

    def _place(self, stream: _Stream, arrival: Arrival) -> None:
        before = stream.arrivals[-1]
        arrival.idle_ns = arrival.time_ns - stream.latest_ns
        since = (arrival.time_ns - stream.arrivals[0].time_ns) // _SECOND_NS
        arrival.second = max(before.second, since)
        begun = stream.numbering.take(arrival, stream.clock_rate)
        if begun:  # counts as the stream's last packet did: nobody looked at its payload type
            begun.format, begun.era = stream.format, stream.era
            if counted(begun):
                stream.delays.take(arrival.second, begun)

    def _payload(self, stream: _Stream, arrival: Arrival, packet: Packet, number: int) -> None:
        stream.format, profile = self._format(packet, number)
        arrival.format = stream.format
        if arrival.kind is Kind.MEDIA:
            stream.changes += stream.last_media not in {None, number}
            stream.last_media = number
        if arrival.kind in {Kind.MEDIA, Kind.UNKNOWN}:
            _vote(stream, stream.format, profile)
            stream.era += stream.clock_rate != arrival.clock_rate
            stream.clock_rate, arrival.era = arrival.clock_rate, stream.era
        if counted(arrival) and (units := stream.delays.take(arrival.second, arrival)) is not None:
            stream.numbering.jump = units - stream.numbering.step

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
            row["id"], row["buffer"] = stream.number, self._buffer
            row["src"], row["src_port"], row["dst"], row["dst_port"] = np.void(key[0]), key[1], np.void(key[2]), key[3]
            row["ssrc"] = key[4]
            for name, value in (_loss_figures(stream) | _header_figures(stream) | self._delay_figures(stream)).items():
                row[name] = value
        return rows

    def seconds(self, stream_id: int) -> SecondRows:
        """A stream second by second, from its start."""
        stream = next(stream for stream in self._streams.values() if stream.number == stream_id)
        discarded = self._discarded(self._buffers(stream))
        return second_rows(stream.arrivals, stream.numbering.segments, stream.delays, discarded)

    def _buffers(self, stream: _Stream) -> tuple[Buffer, Buffer]:
        stretches = stream.delays.stretches
        return fixed_buffer(stretches, *self._fixed), adaptive_buffer(stretches)

    def _discarded(self, buffers: tuple[Buffer, Buffer]) -> list[Any]:
        chosen = buffers[self._buffer - 1] if self._buffer else Buffer()
        return chosen.late + chosen.early

    def _delay_figures(self, stream: _Stream) -> dict[str, Any]:
        found = stream.delays
        jitters = [value for _, value in found.jitters]
        variations = [value for _, value in variation(found.stretches)]
        fixed, adaptive = buffers = self._buffers(stream)
        return {
            "jitter_samples": len(jitters),
            "jitter": found.jitter if jitters else math.nan,
            "jitter_mean": math.fsum(jitters) / len(jitters) if jitters else math.nan,
            "jitter_max": max(jitters, default=math.nan),
            "timestamp_jumps": found.jumps,
            "pdv_p50": percentile(variations, 50), "pdv_p95": percentile(variations, 95),
            "pdv_p99": percentile(variations, 99), "pdv_max": max(variations, default=math.nan),
            "drift_ppm": drift_ppm(found.stretches),
            "fixed_late": len(fixed.late), "fixed_early": len(fixed.early),
            "adaptive_late": len(adaptive.late), "adaptive_early": len(adaptive.early),
            "adaptive_delay": math.fsum(adaptive.offsets) / len(adaptive.offsets) if adaptive.offsets else math.nan,
            "impaired_runs": impaired_runs(stream.numbering.segments, self._discarded(buffers)),
        }  # fmt: skip


def _vote(stream: _Stream, named: Format, profile: int) -> None:
    """The payload type that most media packets have (the majority vote of Boyer and Moore)."""
    same = stream.main[0].payload_type == named.payload_type
    if stream.votes and not same:
        stream.votes -= 1
        return
    stream.votes += 1
    stream.main = (named, profile)


def _loss_figures(stream: _Stream) -> dict[str, int]:
    segments = stream.numbering.segments
    places = [arrival.place for arrival in stream.arrivals]
    expected = sum(segment.expected for segment in segments)
    strays, duplicates = places.count(Place.STRAY), places.count(Place.DUPLICATE) + places.count(Place.FORMER)
    placed = len(places) - strays
    losses = losses_of(segments)
    return {
        "packets": len(places), "expected": expected, "lost": expected - (placed - duplicates),
        "lost_rfc3550": expected - placed, "duplicates": duplicates, "reordered": places.count(Place.LATE),
        "strays": strays, "loss_runs": losses.runs, "loss_run_max": losses.longest, "bursts": losses.bursts,
        "burst_packets": losses.burst_packets, "burst_lost": losses.burst_lost, "restarts": len(segments) - 1,
        "step": stream.numbering.step,
    }  # fmt: skip


def _header_figures(stream: _Stream) -> dict[str, int]:
    arrivals = stream.arrivals
    unseen = {Place.STRAY, Place.FORMER}  # nobody looked at their payload types
    looked_at = [a for a in arrivals if a.place not in unseen and not a.begins]
    kinds = [arrival.kind for arrival in looked_at]
    times = [arrival.time_ns for arrival in arrivals]
    seen = {arrival.dscp for arrival in arrivals}
    pairs = list(pairwise(arrivals))
    return {
        "bytes": sum(arrival.length for arrival in arrivals),
        "clock_rate": stream.main[0].clock_rate, "profile": stream.main[1],
        "payload_type": stream.main[0].payload_type, "payload_type_changes": stream.changes,
        "events": kinds.count(Kind.EVENT), "comfort_noise": kinds.count(Kind.COMFORT_NOISE),
        "markers": sum(arrival.marker for arrival in looked_at),
        "start_ns": min(times), "end_ns": max(times),
        "largest_gap_ns": max(arrival.idle_ns for arrival in arrivals),
        "dscp": arrivals[-1].dscp, "dscp_seen": sum(1 << dscp for dscp in seen),
        "dscp_changes": sum(before.dscp != after.dscp for before, after in pairs),
        "echoes": sum(_is_echo(before, after) for before, after in pairs),
    }  # fmt: skip


def _is_echo(before: Arrival, after: Arrival) -> bool:
    """The same packet once more at once, as a capture on two interfaces gives it."""
    same = after.place in {Place.DUPLICATE, Place.FORMER} and before.sequence == after.sequence
    return same and abs(after.idle_ns) <= ECHO_NS
