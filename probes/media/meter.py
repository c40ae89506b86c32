"""The C meter for Python: streams go in by file, buffer or ring; a snapshot is a NumPy structured array."""

import mmap
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from probes.media.errors import CaptureError
from probes.media.payload import Format
from probes.media.rows import STREAM_DTYPE, StreamRows
from probes.media.sdp import Names, announce_sdp, packed

try:
    from probes.media import _meter
except ImportError as error:  # a checkout that was not built
    raise CaptureError(f"the C meter is not built ({error}): run python setup.py build_ext --inplace") from None


def _layout() -> dict[str, tuple[np.dtype[Any], int]]:
    """The dtype's fields as the C meter lists its own."""
    fields: Mapping[str, tuple[Any, ...]] = STREAM_DTYPE.fields or {}
    return {name: (kind, offset) for name, (kind, offset, *_) in fields.items() if name != "_"}


if STREAM_DTYPE.itemsize != _meter.ROW_SIZE or _layout() != {
    name: (np.dtype(code), offset) for name, code, offset in _meter.ROW_LAYOUT
}:
    raise CaptureError("the C meter is of another build: run python setup.py build_ext --inplace")

Progress: TypeAlias = Callable[[int], None]

_SLICE = 8 << 20  # octets between two progress reports
_MADV_POPULATE_READ = 22  # Linux 5.14: fault pages in by the slice, not one by one
_BUDGET, _END, _PARTIAL, _DAMAGED, _SIP = range(5)  # enum pcap_stop
_REFUSALS = {
    1: "shorter than a pcap header: is the capture complete?",
    2: "not a pcap file: give a classic pcap capture",
    3: "pcapng: convert it with `editcap -F pcap IN OUT`",
    4: "compressed: gunzip it first",
}


class StreamMeter:
    """Streams and their statistics; safe to use from several threads."""

    def __init__(self, max_streams: int = 1 << 20) -> None:
        self.core = _meter.Meter(max_streams)
        self.names: Names = {}  # (profile, payload type) → codec

    def announce(self, address: str, port: int, formats: Iterable[Format]) -> None:
        """Take what SDP says that `address:port` receives; it counts from the next packet on."""
        entries = list(formats)
        codes = [(entry.payload_type, int(entry.kind), entry.clock_rate) for entry in entries]
        profile = self.core.endpoint(packed(address), port, codes)
        self.names.update({(profile, entry.payload_type): entry.codec for entry in entries})

    def snapshot(self) -> StreamRows:
        """One row per stream, cumulative."""
        return np.frombuffer(self.core.snapshot(), dtype=STREAM_DTYPE)

    def forget(self, rows: StreamRows) -> int:
        """Drop the streams of these rows; how many were still there."""
        return int(self.core.forget([int(number) for number in rows["id"]]))

    def counters(self) -> dict[str, int]:
        """Datagrams by what they were: rtp, rtcp, other, overflow."""
        return dict(self.core.counters())


def feed_pcap(
    meter: StreamMeter, buffer: "bytes | mmap.mmap", name: str, progress: Progress | None = None
) -> str | None:
    """Meter a classic pcap in memory; a warning when it ends inside a record. CaptureError when it is none."""
    reader = _meter.Pcap(meter.core)
    refusal, link_type = reader.open(buffer)
    if refusal:
        what = _REFUSALS.get(refusal) or f"link type {link_type} is not read: capture on Ethernet, loopback or any"
        raise CaptureError(f"{name}: {what}")
    offset, stop, message = 24, _BUDGET, None
    while True:
        if isinstance(buffer, mmap.mmap) and stop != _SIP:
            _populate(buffer, offset)
        offset, stop, message = reader.feed(buffer, offset, _SLICE)
        if progress:
            progress(offset)
        if stop == _SIP and message is not None:
            announce_sdp(meter, message)
        elif stop == _DAMAGED:
            raise CaptureError(
                f"{name}: damaged at octet {offset}: a record there claims an impossible length; cut it with editcap"
            )
        elif stop == _PARTIAL:
            return f"{name}: cut off at octet {offset}: read as far as its records are whole"
        elif stop == _END:
            return None


def _populate(buffer: mmap.mmap, offset: int) -> None:
    start = offset // mmap.PAGESIZE * mmap.PAGESIZE
    try:
        buffer.madvise(_MADV_POPULATE_READ, start, min(_SLICE + (1 << 20), len(buffer) - start))
    except OSError:
        return  # an older kernel: pages come in one by one, only slower


def meter_file(path: Path, meter: StreamMeter, progress: Progress | None = None) -> str | None:
    """Meter a capture file, memory-mapped; as `feed_pcap`."""
    try:
        # Asked first: opening a pipe would wait for a writer.
        if path.exists() and not path.is_file():
            raise CaptureError(f"{path}: not a regular file: give a pcap file")
        with path.open("rb") as file:
            if path.stat().st_size == 0:
                raise CaptureError(f"{path}: empty: give a pcap file")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
                return feed_pcap(meter, view, str(path), progress)
    except OSError as error:
        raise CaptureError(f"{path}: {error.strerror or error}: give a capture that can be read") from None
