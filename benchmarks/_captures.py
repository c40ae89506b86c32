"""Captures for the benchmarks: G.711, 20 ms, many streams at once, with loss, duplicates, late packets and jitter.

The same arguments give the same octets. Records are in the order of arrival and all of one size, so that a shorter
capture is a prefix of the longer one: half the file is half the packets of every stream.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

PORTS = range(16_384, 32_768)  # where the packets go, for tools that must be told
FRAME = 214  # octets: Ethernet, IPv4, UDP, RTP, 160 octets of A-law
SNAPPED = 64
_RECORD = 16  # octets of a record's header
_LOST, _DOUBLED, _LATE = 0.01, 0.005, 0.005
_PIECE = 1 << 16  # records made at once
_PTIME_NS = 20_000_000
_BEGIN_S = 1_700_000_000

Integers = npt.NDArray[np.int64]


def write_captures(folder: Path, streams: int, snap: int, sizes: Sequence[int]) -> dict[int, Path]:
    """Write a capture of each size (packets), the smaller ones prefixes of the largest; size → path."""
    turns = int(max(sizes) / streams * 1.02) + 2
    stream, turn, arrival = _arrivals(streams, turns)
    paths = {size: folder / f"{streams}x{size}.{snap}.pcap" for size in sorted(sizes)}
    header = np.array([0xA1B2C3D4, 4 << 16 | 2, 0, 0, 65_535, 1], dtype="<u4").tobytes()
    for path in paths.values():
        path.write_bytes(header)
    ends = sorted(sizes)
    begin = 0
    while begin < ends[-1]:
        end = min(begin + _PIECE, next(size for size in ends if size > begin))
        part = slice(begin, end)
        records = _records(stream[part], turn[part], arrival[part], snap).tobytes()
        for size, path in paths.items():
            if size >= end:
                with path.open("ab") as file:
                    file.write(records)
        begin = end
    return paths


def _arrivals(streams: int, turns: int) -> tuple[Integers, Integers, Integers]:
    """What arrives, in that order: whose packet, which of its packets, when (ns)."""
    rng = np.random.default_rng(1)
    count = streams * turns
    stream = np.tile(np.arange(streams, dtype=np.int64), turns)
    turn = np.repeat(np.arange(turns, dtype=np.int64), streams)
    at = turn * _PTIME_NS + stream * (_PTIME_NS // streams) + (rng.exponential(1e6, count)).astype(np.int64)
    chance = rng.random(count)
    at[chance < _LATE] += 50_000_000  # behind two or three that were sent after it
    kept = np.flatnonzero(chance < 1 - _LOST)
    again = np.flatnonzero((chance >= _LATE) & (chance < _LATE + _DOUBLED))
    which = np.concatenate([kept, again])
    at = np.concatenate([at[kept], at[again] + 300_000])
    order = np.argsort(at, kind="stable")
    return stream[which[order]], turn[which[order]], at[order]


def _dtype(snap: int) -> np.dtype[Any]:
    fields = [
        ("seconds", "<u4"), ("microseconds", "<u4"), ("captured", "<u4"), ("length", "<u4"),
        ("ethernet", "u1", 14),
        ("version", "u1"), ("ds", "u1"), ("total", ">u2"), ("identification", ">u2"), ("fragment", ">u2"),
        ("ttl", "u1"), ("protocol", "u1"), ("checksum", ">u2"), ("src", ">u4"), ("dst", ">u4"),
        ("src_port", ">u2"), ("dst_port", ">u2"), ("udp_length", ">u2"), ("udp_checksum", ">u2"),
        ("flags", "u1"), ("payload_type", "u1"), ("sequence", ">u2"), ("timestamp", ">u4"), ("ssrc", ">u4"),
        ("payload", "u1", FRAME - 54),
    ]  # fmt: skip
    whole = np.dtype(fields)
    assert whole.itemsize == _RECORD + FRAME
    assert 54 <= snap <= FRAME
    return np.dtype([*fields[:-1], ("payload", "u1", snap - 54)])


def _records(stream: Integers, turn: Integers, arrival: Integers, snap: int) -> npt.NDArray[np.void]:
    rng = np.random.default_rng(2)
    records = np.zeros(len(stream), dtype=_dtype(snap))
    records["seconds"] = _BEGIN_S + arrival // 1_000_000_000
    records["microseconds"] = arrival % 1_000_000_000 // 1000
    records["captured"], records["length"] = snap, FRAME
    records["ethernet"] = np.frombuffer(bytes.fromhex("0200000000020200000000010800"), dtype="u1")
    records["version"], records["ds"], records["total"] = 0x45, 46 << 2, FRAME - 14
    records["identification"], records["ttl"], records["protocol"] = turn & 0xFFFF, 64, 17
    records["src"], records["dst"] = 0x0A000000 + stream // 4000, 0x0A640000 + stream // 4000
    records["checksum"] = _checksum(records)
    records["src_port"], records["dst_port"] = (PORTS.start + stream % 4000 * 2 for _ in range(2))
    records["udp_length"] = FRAME - 34
    records["flags"], records["payload_type"] = 0x80, 8
    records["sequence"] = (turn + stream * 7) & 0xFFFF
    records["timestamp"] = (turn * 160 + stream * 1001) & 0xFFFFFFFF
    records["ssrc"] = 0x10000000 + stream
    records["payload"] = rng.integers(0, 256, snap - 54, dtype=np.uint8)
    return records


def _checksum(records: npt.NDArray[np.void]) -> Integers:
    """RFC 791 section 3.1, while the field itself is 0."""
    raw = np.ascontiguousarray(records).view("u1").reshape(len(records), -1)
    words = raw[:, _RECORD + 14 : _RECORD + 34].copy().view(">u2").astype(np.int64)
    total = words.sum(axis=1)
    total = (total & 0xFFFF) + (total >> 16)
    folded: Integers = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    return folded
