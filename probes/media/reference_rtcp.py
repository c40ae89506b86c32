"""RTCP in plain Python: what the figures of csrc/rtcp.c mean, written to be read, not to be fast.

Everything said is kept in lists; the fields are computed from these at the end. Both pass the same tests.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

SR, RR, BYE, APP, RTPFB, PSFB, XR = 200, 201, 203, 204, 205, 206, 207
REFERENCE_TIME, DLRR, STATISTICS, VOIP = 4, 5, 6, 7
TWICE_NS, NOISE_NS = 5_000_000, 1_000_000
KEPT = 4  # a report names one of the last SRs
_HEADER, _LEAST_FIRST, _REPORT = 4, 8, 24  # octets
_LEAST = {APP: 12, RTPFB: 12, PSFB: 12, XR: 8}
_WORDS = {REFERENCE_TIME: 2, STATISTICS: 9, VOIP: 8}
_UNAVAILABLE = 127


@dataclass(frozen=True)
class Way:
    """Media of an SSRC from one endpoint to another; ports are even."""

    ssrc: int
    src: bytes
    dst: bytes
    src_port: int
    dst_port: int


@dataclass(frozen=True)
class Report:
    """One report block."""

    time_ns: int
    reporter: int
    fraction: int
    lost: int
    highest: int
    jitter: int
    last_sr: int
    delay: int


@dataclass
class Said:
    """All that was said of one way."""

    reports: list[Report] = field(default_factory=list)
    sender: list[tuple[int, int, int, int, int]] = field(default_factory=list)  # time, NTP, RTP, packets, octets
    times: list[tuple[int, int, int]] = field(default_factory=list)  # (type, middle of NTP, time)
    trips: list[int] = field(default_factory=list)
    refused: int = 0
    byes: int = 0
    reason: str | None = None
    encrypted: int = 0
    voip: list[bytes] = field(default_factory=list)
    statistics: list[tuple[int, bytes]] = field(default_factory=list)


def _is_header(data: bytes) -> bool:
    """Version 2, and a type of RFC 5761 section 4."""
    return len(data) >= _HEADER and data[0] & 0xC0 == 0x80 and 192 <= data[1] <= 223  # noqa: PLR2004


def _size(data: bytes) -> int:
    return 4 * (int.from_bytes(data[2:4]) + 1)


class Damaged(Exception):  # noqa: N818 - what the packet is
    """The octets are no RTCP; `at` is how far they are."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.at = at


def packets(data: bytes) -> list[tuple[int, int, bytes]]:
    """(type, count, octets without padding) of a compound; Damaged when its lengths do not add up."""
    result, at = [], 0
    while at < len(data):
        if not _is_header(data[at:]):
            raise Damaged(at)
        size = _size(data[at:])
        packet = data[at : at + size]
        if len(packet) < size or (packet[0] & 0x20 and at + size < len(data)):
            raise Damaged(at)
        if packet[0] & 0x20:
            padding = packet[-1]
            if padding == 0 or padding % 4 or padding > size - _HEADER:
                raise Damaged(at)
            packet = packet[:-padding]
        if not _sound(packet[1], packet[0] & 31, packet):
            raise Damaged(at)
        result.append((packet[1], packet[0] & 31, packet))
        at += size
    return result


def _sound(kind: int, count: int, packet: bytes) -> bool:
    least = {SR: 28 + _REPORT * count, RR: 8 + _REPORT * count, BYE: 4 + 4 * count, **_LEAST}.get(kind, _HEADER)
    if len(packet) < least:
        return False
    if kind == BYE:
        rest = packet[least:]
        return not rest or len(rest) > rest[0]
    return kind != XR or all(blocks_sound(packet))


def blocks_sound(packet: bytes) -> Iterator[bool]:
    """Block by block of an XR, whether its length is right; the last one says whether they fill the packet."""
    at = 8
    while at + 4 <= len(packet):
        kind, words = packet[at], int.from_bytes(packet[at + 2 : at + 4])
        yield words % 3 == 0 if kind == DLRR else words == _WORDS.get(kind, words)
        at += 4 * (words + 1)
    yield at == len(packet)


def secured(data: bytes, sound: int) -> bool:
    """Does it end as SRTCP does (RFC 3711 section 3.4, RFC 7714)? `sound`: how far it is RTCP."""
    for trailer in (14, 18, 8, 4):
        if len(data) >= 8 + trailer:
            word = int.from_bytes(data[len(data) - trailer :][:4])
            plain = trailer > _HEADER and sound == len(data) - trailer  # authenticated, not encrypted
            if word & 0x7FFFFFFF < 1 << 24 and (word >> 31 or plain):
                return True
    return False


_Lookup = Callable[[int], Way]  # from an SSRC, one of the two directions of a datagram


class ReferenceRtcp:
    """As csrc/rtcp.h, of whole (not snapped) datagrams."""

    def __init__(self) -> None:
        self.said: dict[Way, Said] = {}
        self.counters = {"whole": 0, "encrypted": 0, "damaged": 0}

    def take(self, time_ns: int, src: bytes, src_port: int, dst: bytes, dst_port: int, data: bytes) -> None:
        """Take a datagram that is RTCP by RFC 5761 section 4."""
        ports = src_port & ~1, dst_port & ~1

        def along(ssrc: int) -> Way:
            return self._way(Way(ssrc, src, dst, *ports))

        def against(ssrc: int) -> Way:
            return self._way(Way(ssrc, dst, src, *reversed(ports)))

        first = _is_header(data) and _LEAST_FIRST <= _size(data) <= len(data)
        try:
            found = packets(data) if first else []
        except Damaged as damage:
            if secured(data, damage.at):
                self.counters["encrypted"] += 1
                self.said[along(int.from_bytes(data[4:8]))].encrypted += 1
                return
            first = False
        if not first:
            self.counters["damaged"] += 1
            return
        self.counters["whole"] += 1
        for kind, count, packet in found:
            self._packet(kind, count, packet, time_ns, (along, against))

    def _way(self, way: Way) -> Way:
        self.said.setdefault(way, Said())
        return way

    def _packet(self, kind: int, count: int, packet: bytes, time_ns: int, ways: tuple[_Lookup, _Lookup]) -> None:
        along, against = ways
        ssrc = int.from_bytes(packet[4:8])
        if kind == SR:
            self._sender(self.said[along(ssrc)], time_ns, struct.unpack_from("!QIII", packet, 8))
        if kind in {SR, RR}:
            first = 28 if kind == SR else 8
            for at in range(first, first + _REPORT * count, _REPORT):
                way = against(int.from_bytes(packet[at : at + 4]))
                self._report(way, ssrc, time_ns, packet[at : at + _REPORT])
        elif kind == BYE:
            for at in range(4, 4 + 4 * count, 4):
                self._bye(self.said[along(int.from_bytes(packet[at : at + 4]))], packet[4 + 4 * count :])
        elif kind == XR:
            for block in _blocks(packet):
                self._extended(ways, ssrc, time_ns, block)

    def _sender(self, said: Said, time_ns: int, info: tuple[int, ...]) -> None:
        ntp, rtp, sent, octets = info
        if said.sender and said.sender[-1][1:3] == (ntp, rtp) and abs(time_ns - said.sender[-1][0]) <= TWICE_NS:
            return
        said.sender.append((time_ns, ntp, rtp, sent, octets))
        if ntp:
            self._time(said, SR, ntp >> 16 & 0xFFFFFFFF, time_ns)

    @staticmethod
    def _time(said: Said, kind: int, middle: int, time_ns: int) -> None:
        if (kind, middle) not in [entry[:2] for entry in said.times]:
            said.times = [*said.times, (kind, middle, time_ns)][-KEPT:]

    def _report(self, way: Way, reporter: int, time_ns: int, block: bytes) -> None:
        said = self.said[way]
        _, fraction, lost, highest, jitter, last_sr, delay = struct.unpack("!IB3sIIII", block)
        report = Report(time_ns, reporter, fraction, int.from_bytes(lost, signed=True), highest, jitter, last_sr, delay)
        if said.reports:
            last = said.reports[-1]
            same = (last.reporter, last.lost, last.highest, last.jitter, last.last_sr, last.delay) == (
                reporter, report.lost, highest, jitter, last_sr, delay,
            )  # fmt: skip
            if same and abs(time_ns - last.time_ns) <= TWICE_NS:
                return
        said.reports.append(report)
        self._trip(way, SR, (last_sr, delay), time_ns)

    def _trip(self, way: Way, kind: int, answer: tuple[int, int], time_ns: int) -> None:
        """RFC 3550 section 6.4.1, seen from between: answer's passing - question's passing - delay at the receiver."""
        said, (middle, delay) = self.said[way], answer
        if not middle:
            return
        for other, what in self.said.items():
            if (other.ssrc, other.src, other.dst) != (way.ssrc, way.src, way.dst):
                continue
            for entry_kind, entry_middle, at_ns in what.times:
                if (entry_kind, entry_middle) == (kind, middle):
                    trip = time_ns - at_ns - delay * 1_000_000_000 // 65536
                    if trip < -NOISE_NS:
                        said.refused += 1
                    else:
                        said.trips.append(max(trip, 0))
                    return

    @staticmethod
    def _bye(said: Said, rest: bytes) -> None:
        said.byes += 1
        text = rest[1 : 1 + rest[0]] if rest else b""
        if len(text) > 64:  # noqa: PLR2004
            end = 64
            while end and text[end] >> 6 == 2:  # noqa: PLR2004 - inside a character
                end -= 1
            text = text[:end]
        try:
            said.reason = text.decode() or said.reason
        except UnicodeDecodeError:
            return

    def _extended(self, ways: tuple[_Lookup, _Lookup], ssrc: int, time_ns: int, block: bytes) -> None:
        along, against = ways
        kind = block[0]
        if kind == REFERENCE_TIME:
            self._time(self.said[along(ssrc)], REFERENCE_TIME, int.from_bytes(block[6:10]), time_ns)
        elif kind == DLRR:
            for at in range(4, len(block), 12):
                receiver, middle, delay = struct.unpack_from("!III", block, at)
                self._trip(against(receiver), REFERENCE_TIME, (middle, delay), time_ns)
        elif kind == VOIP:
            self.said[against(int.from_bytes(block[4:8]))].voip.append(block[8:])
        elif kind == STATISTICS:
            self.said[against(int.from_bytes(block[4:8]))].statistics.append((block[1], block[8:]))

    def fields(self, way: Way, clock_rate: int | None) -> dict[str, Any]:
        """The fields of one way, as the C meter words them."""
        said = self.said[way]
        return {
            **_sender_fields(said),
            **_receiver_fields(said, clock_rate),
            "voip": _voip_fields(said.voip) if said.voip else None,
            "statistics": _statistics_fields(said.statistics, clock_rate) if said.statistics else None,
        }


def _blocks(packet: bytes) -> Iterator[bytes]:
    at = 8
    while at < len(packet):
        size = 4 * (int.from_bytes(packet[at + 2 : at + 4]) + 1)
        yield packet[at : at + size]
        at += size


def _sender_fields(said: Said) -> dict[str, Any]:
    time_ns, ntp, _, sent, octets = said.sender[-1] if said.sender else (0, 0, 0, None, None)
    offset = None
    if ntp:
        ahead = (ntp >> 32) - (time_ns // 1_000_000_000 + 2_208_988_800)
        ahead = (ahead + (1 << 31)) % (1 << 32) - (1 << 31)  # the era nearest to the capture
        offset = ahead + (ntp & 0xFFFFFFFF) / 2**32 - time_ns % 1_000_000_000 / 1e9
        offset = offset if abs(offset) <= 86400 else None  # noqa: PLR2004 - no wall clock
    return {
        "sender_reports": len(said.sender),
        "sender_packets": sent,
        "sender_octets": octets,
        "sender_clock_rate": _clock(said.sender),
        "sender_clock_offset_seconds": offset,
        "bye": said.byes > 0,
        "bye_reason": said.reason,
        "encrypted": said.encrypted,
    }


def _clock(sender: list[tuple[int, int, int, int, int]]) -> float | None:
    """RTP ticks in a second of the sender's NTP clock, since it last began its timestamps anew."""
    seconds, ticks = 0.0, 0
    for (_, ntp, rtp, *_), (_, next_ntp, next_rtp, *_) in pairwise(sender):
        step = ((next_ntp - ntp + (1 << 63)) % (1 << 64) - (1 << 63)) / 2**32
        units = (next_rtp - rtp + (1 << 31)) % (1 << 32) - (1 << 31)
        rate = ticks / seconds if seconds >= 1 else None
        if step <= 0 or (rate is not None and step >= 1 and abs(units / step - rate) > 0.1 * rate):
            seconds, ticks = 0.0, 0
        else:
            seconds, ticks = seconds + step, ticks + units
    return ticks / seconds if seconds >= 1 and ticks > 0 else None


def _receiver_fields(said: Said, clock_rate: int | None) -> dict[str, Any]:
    reports, trips = said.reports, [trip / 1e9 for trip in said.trips]
    fractions = [report.fraction / 256 for report in reports]
    jitters = [report.jitter / clock_rate for report in reports] if clock_rate else []

    return {
        "reports": len(reports),
        "lost": reports[-1].lost if reports else None,
        "highest_sequence": reports[-1].highest if reports else None,
        **_spread(fractions, "loss_ratio_{}"),
        **_spread(jitters, "jitter_{}_seconds"),
        "round_trips": len(trips),
        "round_trips_refused": said.refused,
        "round_trip_min_seconds": min(trips, default=None),
        **_spread(trips, "round_trip_{}_seconds"),
    }


def _spread(values: list[float], name: str) -> dict[str, float | None]:
    words = {"last": values[-1], "mean": sum(values) / len(values), "max": max(values)} if values else {}
    return {name.format(word): words.get(word) for word in ("last", "mean", "max")}


def _voip_fields(reports: list[bytes]) -> dict[str, Any]:
    """RFC 3611 section 4.7."""
    (loss, discard, burst, gap, burst_ms, gap_ms, trip_ms, end_ms, signal, noise, echo, gmin, r, external_r, lq, cq,
     config, nominal, most, absolute) = struct.unpack("!BBBBHHHHbbBBBBBBBxHHH", reports[-1])  # fmt: skip

    def within(value: int, low: int, high: int) -> int | None:
        return value if low <= value <= high and value != _UNAVAILABLE else None

    def mos(value: int) -> float | None:
        return value / 10 if within(value, 10, 50) else None

    return {
        "reports": len(reports),
        "loss_ratio": loss / 256,
        "discard_ratio": discard / 256,
        "burst_density": burst / 256,
        "gap_density": gap / 256,
        "burst_duration_seconds": burst_ms / 1000,
        "gap_duration_seconds": gap_ms / 1000,
        "round_trip_seconds": trip_ms / 1000 if trip_ms else None,
        "end_system_delay_seconds": end_ms / 1000,
        "signal_level_dbm0": within(signal, -128, 127),
        "noise_level_dbm0": within(noise, -128, 127),
        "residual_echo_return_loss_db": within(echo, 0, 255),
        "gmin": gmin,
        "r_factor": within(r, 0, 100),
        "external_r_factor": within(external_r, 0, 100),
        "mos_lq": mos(lq),
        "mos_cq": mos(cq),
        "concealment": (None, "disabled", "enhanced", "standard")[config >> 6],
        "jitter_buffer_adaptive": (None, None, False, True)[config >> 4 & 3],
        "jitter_buffer_nominal_seconds": nominal / 1000,
        "jitter_buffer_max_seconds": most / 1000,
        "jitter_buffer_absolute_max_seconds": absolute / 1000,
    }


def _statistics_fields(reports: list[tuple[int, bytes]], clock_rate: int | None) -> dict[str, Any]:
    """RFC 3611 section 4.6; the flags say what was measured."""
    flags, block = reports[-1]
    begin, end, lost, duplicates, *jitter = struct.unpack_from("!HHIIIIII", block)
    names = ("min", "max", "mean", "deviation")
    timed = bool(flags & 0x20 and clock_rate)
    return {
        "reports": len(reports),
        "begin_sequence": begin,
        "end_sequence": end,
        "lost": lost if flags & 0x80 else None,
        "duplicates": duplicates if flags & 0x40 else None,
        **{
            f"jitter_{name}_seconds": value / (clock_rate or 1) if timed else None
            for name, value in zip(names, jitter, strict=True)
        },
    }
