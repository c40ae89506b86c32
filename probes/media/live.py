"""RTP measured live: a packet socket from the capture helper, drained by the C meter's own thread."""

import fcntl
import os
import socket
import struct
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np

from probes.media import helper as capture_helper
from probes.media.errors import CaptureError, CaptureUnavailable
from probes.media.payload import Format
from probes.media.rows import SecondRows, StreamRows
from probes.media.rtcp import rtcp_between, rtcp_fields
from probes.media.sdp import Info, Names

_HELPER_SECONDS = 10.0
_SWEEP_SECONDS = 10  # what has not become a stream by then is forgotten
_RTCP_SECONDS = 600  # reports of a call come every few seconds; later ones are another's
_NS = 1_000_000_000
_SIOCGIFFLAGS, _IFF_UP = 0x8913, 1
_BLOCK_SIZE = 1 << 18
RING_MIB = 4  # 0 drops at a million packets a second, while the processor is not kept away for long


@dataclass(frozen=True)
class Blind:
    """A time in which packets passed that the meter never got; `dropped` is None when nobody knows how many."""

    from_ns: int
    to_ns: int
    dropped: int | None


def missed(blind: Iterable[Blind], start_ns: int, end_ns: int) -> int | None:
    """At most how many packets of a stream the meter never got; 0: it saw all there was, None: nobody knows.

    While this is not 0, what the stream lacks is no measurement of the network.
    """
    total = 0
    for span in blind:
        if span.from_ns <= end_ns and span.to_ns >= start_ns:
            if span.dropped is None:
                return None
            total += span.dropped
    return total


class LiveMeter:
    """Counts the RTP of a port range on one interface until closed. Of the process that started it, not its children.

    >>> with LiveMeter(ports=(10000, 10999)) as meter:
    ...     rows = meter.snapshot()
    """

    def __init__(
        self,
        ports: tuple[int, int],
        interface: str = "lo",
        *,
        max_streams: int = 1 << 16,
        series: bool = True,
        ring_mib: int = RING_MIB,
        helper: str = str(capture_helper.PROGRAM),
    ) -> None:
        """Prepare; nothing is opened before `start`. `series`: keep every second of every stream."""
        try:
            from probes.media import _meter
            from probes.media.meter import StreamMeter
        except CaptureError as error:
            raise CaptureUnavailable(str(error)) from None
        self._ring_type = _meter.Ring
        self._meter = StreamMeter(max_streams, series=series)
        self._mapped: Names = {}
        self._ring: _meter.Ring | None = None
        self._ports, self._interface, self._helper = ports, interface, helper
        self._blocks = max(1, (ring_mib << 20) // _BLOCK_SIZE)
        self._owner = os.getpid()
        self._index: int | None = None
        self._dropped = 0
        self._error = 0
        self._blind: tuple[Blind, ...] = ()

    def start(self) -> None:
        """Begin; CaptureUnavailable, in one line, when this machine does not let us."""
        if self._ring is not None:
            return
        self._owner = os.getpid()
        self._index = _index(self._interface)
        descriptor = _descriptor(self._helper, self._interface, self._ports)
        try:
            self._ring = self._ring_type(self._meter.core, descriptor, _BLOCK_SIZE, self._blocks)
        except OSError as error:
            os.close(descriptor)
            raise CaptureUnavailable(f"capture on {self._interface}: {error.strerror or error}") from None

    def announce(self, address: str, port: int, formats: Iterable[Format], info: Info | None = None) -> None:
        """Tell what `address:port` calls its dynamic payload types; without it their clock is unknown."""
        del info  # who announces live knows its own call; kept, every call would take memory for ever
        self._meter.announce(address, port, formats)

    def map(self, formats: Iterable[Format]) -> None:
        """Tell what payload types are that nobody announces, whatever their ports."""
        for entry in formats:
            self._meter.core.map(entry.payload_type, int(entry.kind), entry.clock_rate, int(entry.law))
            self._mapped[0, entry.payload_type] = entry.codec

    def snapshot(self) -> StreamRows:
        """One row per stream, cumulative; what arrived in the last 50 ms may be missing."""
        self._check_owner()
        now_ns = time.time_ns()
        self._meter.core.sweep(now_ns - _SWEEP_SECONDS * _NS)
        self._meter.core.rtcp_sweep(now_ns - _RTCP_SECONDS * _NS)
        return self._meter.snapshot()

    def seconds(self, stream_id: int) -> SecondRows:
        """A stream second by second, from its start."""
        self._check_owner()
        return self._meter.seconds(stream_id)

    def rtcp(self, row: np.void) -> dict[str, Any] | None:
        """What RTCP says of this stream (docs/media.md, object `rtcp`); None: nothing was said."""
        self._check_owner()
        return rtcp_fields(self._meter.core, row.tobytes())

    def rtcp_of_others(self, row: np.void) -> tuple[dict[str, Any], ...]:
        """What the receiver of this stream reported of other streams, or of none (SSRC 0), on the same way."""
        self._check_owner()
        src, dst = ((row[side].tobytes(), int(row[f"{side}_port"])) for side in ("src", "dst"))
        told = (said for said in rtcp_between(self._meter.core, src, dst) if said.ssrc != row["ssrc"])
        return tuple(said.fields for said in told if said.fields["reports"])

    def forget(self, rows: StreamRows) -> int:
        """Drop these streams (a call ended); how many were still there."""
        self._check_owner()
        return self._meter.forget(rows)

    @property
    def ports(self) -> tuple[int, int]:
        """The range that is counted."""
        return self._ports

    @property
    def interface(self) -> str:
        return self._interface

    @property
    def helper(self) -> str:
        """The program that opens the socket."""
        return self._helper

    @property
    def names(self) -> Names:
        """Codec names that were announced or mapped, for `stream_fields`."""
        return {**self._meter.names, **self._mapped}

    @property
    def dropped(self) -> int:
        """Packets that the kernel dropped because the ring was full, and those of streams beyond the limit."""
        self._read_status()
        return self._dropped + self._meter.counters()["overflow"]

    @property
    def blind(self) -> tuple[Blind, ...]:
        """When packets passed that the meter never got. Ask after the snapshot that it is to explain."""
        self._read_status()
        return self._blind

    def missed(self, row: np.void) -> int | None:
        """`missed` of one stream's row."""
        return missed(self.blind, int(row["start_ns"]), int(row["end_ns"]))

    @property
    def error(self) -> str | None:
        """Why nothing can be captured now; None while all is well."""
        if self._ring is None:
            return None
        self._read_status()
        if self._error:
            return os.strerror(self._error)
        if (index := _index(self._interface)) is not None and index != self._index:  # the socket stays with the old one
            return f"interface {self._interface} was made anew: start again"
        return _interface_fault(self._interface)

    def close(self) -> None:
        """End the capture; the last snapshot stays readable."""
        if self._ring is not None:
            self._ring.close()
            if os.getpid() == self._owner:
                self._read_status()
            self._ring = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_owner(self) -> None:
        """In a child made by fork the thread is gone, and may have left the meter's lock taken for ever."""
        if os.getpid() != self._owner:
            raise CaptureUnavailable(f"this meter belongs to process {self._owner}: a child starts one of its own")

    def _read_status(self) -> None:
        self._check_owner()
        if self._ring is not None:
            status: dict[str, Any] = self._ring.status()
            self._dropped, self._error = status["dropped"], status["error"]
            self._blind = tuple(Blind(start, end, dropped or None) for start, end, dropped in status["blind"])


def _index(interface: str) -> int | None:
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        return None


def _interface_fault(interface: str) -> str | None:
    """An interface that is gone or down gives no packets, and says nothing of it to the socket for long."""
    request = struct.pack("16sH14x", interface.encode()[:15], 0)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asker:
            answer = fcntl.ioctl(asker, _SIOCGIFFLAGS, request)
    except OSError:
        return f"interface {interface} is gone"
    (flags,) = struct.unpack_from("H", answer, 16)
    return None if flags & _IFF_UP else f"interface {interface} is down"


def packet_socket(meter: LiveMeter) -> int:
    """A second packet socket for the packets that this meter counts; CaptureUnavailable."""
    return _descriptor(meter.helper, meter.interface, meter.ports)


def _descriptor(helper: str, interface: str, ports: tuple[int, int]) -> int:
    """Run the helper and take the packet socket it sends."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        ours.settimeout(_HELPER_SECONDS)
        words: Sequence[str] = capture_helper.command(theirs.fileno(), interface, ports, helper)
        try:
            process = subprocess.Popen(
                words, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )
        except FileNotFoundError:
            mend = "install sereno again, or in its checkout: make setup"
            raise CaptureUnavailable(f"the capture helper {helper} is missing: {mend}") from None
        except PermissionError:
            mend = f"sudo chmod 755 {helper}"
            raise CaptureUnavailable(f"the capture helper may not be run by this user: {mend}") from None
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise CaptureUnavailable(f"capture helper {helper}: {why}") from None
        theirs.close()
        try:
            message, descriptors, _, _ = socket.recv_fds(ours, 1024, 1)
        except TimeoutError:
            process.kill()
            raise CaptureUnavailable(f"the capture helper said nothing for {_HELPER_SECONDS:g} s") from None
        finally:
            process.wait(_HELPER_SECONDS)
        if len(descriptors) == 1:
            os.set_inheritable(descriptors[0], False)
            return descriptors[0]
        reason = message.decode("utf-8", "replace") or f"the capture helper ended with status {process.returncode}"
        raise CaptureUnavailable(f"capture on {interface}: {reason}")
