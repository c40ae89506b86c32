"""The C meter for Python: streams go in by file, buffer or ring; a snapshot is a NumPy structured array."""

import sys
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, TypeAlias

from probes.media.built import native as _meter
from probes.media.errors import CaptureError
from probes.media.payload import Format
from probes.media.sdp import Names, announce_sdp, packed

if TYPE_CHECKING:
    import numpy as np

    from probes.media.rows import SecondRows, StreamRows

Buffer: TypeAlias = Literal["none", "fixed", "adaptive"]
BUFFERS: tuple[Buffer, ...] = ("none", "fixed", "adaptive")  # enum buffer_kind
Progress: TypeAlias = Callable[[int], None]

_PIECE = 1 << 18  # octets read at once: they stay in the second-level cache
_LARGEST = (1 << 20) + 16  # PCAP_MAX_RECORD and its header
_FILE_HEADER = 24
_DAMAGED, _SIP = 3, 4  # enum pcap_stop
_REFUSALS = {
    1: "empty, or shorter than a pcap header: is the capture complete?",
    2: "not a pcap file: give a classic pcap capture",
    3: "pcapng: convert it with `editcap -F pcap IN OUT`",
    4: "compressed: gunzip it first",
}


class StreamMeter:
    """Streams and their statistics; safe to use from several threads."""

    def __init__(
        self,
        max_streams: int = 1 << 20,
        *,
        probation: int = 2,
        buffer: Buffer = "adaptive",
        series: bool = True,
        fixed_delay_ms: float = 60,
        fixed_size_ms: float = 200,
        audio: bool = False,
    ) -> None:
        """Make an empty meter.

        `probation`: packets in sequence that make a stream (RFC 3550 A.1). `buffer`: the simulated de-jitter buffer
        whose discards count. `series`: keep every second of every stream. `audio`: listen to G.711 (reads payload).
        """
        self.core = _meter.Meter(
            max_streams,
            probation,
            BUFFERS.index(buffer),
            series,
            round(fixed_delay_ms * 1e6),
            round(fixed_size_ms * 1e6),
            audio,
        )
        self.names: Names = {}  # (profile, payload type) → codec

    def announce(self, address: str, port: int, formats: Iterable[Format]) -> None:
        """Take what SDP says that `address:port` receives; it counts from the next packet on."""
        entries = list(formats)
        codes = [(entry.payload_type, int(entry.kind), entry.clock_rate) for entry in entries]
        profile = self.core.endpoint(packed(address), port, codes)
        self.names.update({(profile, entry.payload_type): entry.codec for entry in entries})

    def snapshot(self) -> "StreamRows":
        """One row per stream, cumulative."""
        import numpy as np

        return np.frombuffer(self.core.snapshot(), dtype=_dtypes()[0])

    def seconds(self, stream_id: int) -> "SecondRows":
        """A stream second by second, from its start; none when there is no such stream or no series."""
        import numpy as np

        return np.frombuffer(self.core.seconds(stream_id), dtype=_dtypes()[1])

    def forget(self, rows: "StreamRows") -> int:
        """Drop the streams of these rows; how many were still there."""
        return int(self.core.forget([int(number) for number in rows["id"]]))

    def counters(self) -> dict[str, int]:
        """Datagrams by what they were: rtp, rtcp, other, overflow."""
        return dict(self.core.counters())


@cache
def _dtypes() -> "tuple[np.dtype[np.void], np.dtype[np.void]]":
    """The dtypes of a stream and of a second, which are laid out as the C meter lists its own.

    Looked at when a snapshot is first taken: who reports a file in JSON never loads NumPy.
    """
    import numpy as np

    from probes.media.rows import SECOND_DTYPE, STREAM_DTYPE

    for dtype, size, listed in (
        (STREAM_DTYPE, _meter.ROW_SIZE, _meter.ROW_LAYOUT),
        (SECOND_DTYPE, _meter.SECOND_SIZE, _meter.SECOND_LAYOUT),
    ):
        layout = {name: (field[0], field[1]) for name, field in (dtype.fields or {}).items() if name != "_"}
        if dtype.itemsize != size or layout != {name: (np.dtype(code), at) for name, code, at in listed}:
            raise CaptureError("the C meter is of another build: run python setup.py build_ext --inplace")
    return STREAM_DTYPE, SECOND_DTYPE


def feed_pcap(meter: StreamMeter, source: BinaryIO, name: str, progress: Progress | None = None) -> str | None:
    """Meter a classic pcap; a warning when it ends inside a record. CaptureError when it is none.

    Read in pieces that stay in the processor's cache: 37 ns a packet where a memory map took 67 (its page faults cost
    more than the copy), and a pipe or a file that shrinks meanwhile is no special case.
    """
    reader = _meter.Pcap(meter.core)
    buffer = memoryview(bytearray(_PIECE + _LARGEST))
    have = _fill(source, buffer, 0)
    refusal, link_type = reader.open(buffer[:have])
    if refusal:
        what = _REFUSALS.get(refusal) or f"link type {link_type} is not read: capture on Ethernet, loopback or any"
        raise CaptureError(f"{name}: {what}")
    behind, offset = 0, _FILE_HEADER  # of the file before the buffer; in the buffer
    while True:
        offset, stop, message = reader.feed(buffer[:have], offset, len(buffer))
        if stop == _SIP and message is not None:
            announce_sdp(meter, message)
            continue
        if stop == _DAMAGED:
            raise CaptureError(
                f"{name}: damaged at octet {behind + offset}: a record there claims an impossible length"
            )
        rest = have - offset
        buffer[:rest] = buffer[offset:have]
        behind, offset = behind + offset, 0
        if progress:
            progress(behind)
        have = _fill(source, buffer, rest)
        if have == rest:
            return f"{name}: cut off at octet {behind}: read as far as its records are whole" if rest else None


def _fill(source: BinaryIO, buffer: memoryview, have: int) -> int:
    """Read a piece more behind what is there (a pipe gives less at a time); how much there is now."""
    end = have + _PIECE
    while have < end and (got := source.readinto(buffer[have:end])):  # type: ignore[attr-defined]
        have += got
    return have


def meter_file(path: Path, meter: StreamMeter, progress: Progress | None = None) -> str | None:
    """Meter a capture file; as `feed_pcap`. `-` is standard input."""
    try:
        if str(path) == "-":
            return feed_pcap(meter, sys.stdin.buffer, "standard input", progress)
        # Asked first: opening a pipe would wait for a writer.
        if path.exists() and not path.is_file():
            raise CaptureError(f"{path}: not a regular file: give a pcap file, or - for standard input")
        with path.open("rb", buffering=0) as file:
            return feed_pcap(meter, file, str(path), progress)
    except OSError as error:
        raise CaptureError(f"{path}: {error.strerror or error}: give a capture that can be read") from None
