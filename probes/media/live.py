"""RTP measured live: a packet socket from the capture helper, drained by the C meter's own thread."""

import fcntl
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

from probes.media.errors import CaptureError, CaptureUnavailable
from probes.media.payload import Format
from probes.media.rows import StreamRows

_HELPER_SECONDS = 10.0
_SWEEP_SECONDS = 10  # what has not become a stream by then is forgotten
_SIOCGIFFLAGS, _IFF_UP = 0x8913, 1
_BLOCK_SIZE, _BLOCKS = 1 << 18, 16  # 4 MiB: 0 drops at a million packets a second


class LiveMeter:
    """Counts the RTP of a port range on one interface until closed.

    >>> with LiveMeter(ports=(10000, 10999)) as meter:
    ...     rows = meter.snapshot()
    """

    def __init__(
        self,
        ports: tuple[int, int],
        interface: str = "lo",
        *,
        max_streams: int = 1 << 16,
        helper: Sequence[str] = (sys.executable, "-m", "probes.media.helper"),
    ) -> None:
        try:
            from probes.media import _meter
            from probes.media.meter import StreamMeter
        except CaptureError as error:
            raise CaptureUnavailable(str(error)) from None
        self._ring_type = _meter.Ring
        self._meter = StreamMeter(max_streams)
        self._ring: _meter.Ring | None = None
        self._ports, self._interface, self._helper = ports, interface, tuple(helper)
        self._dropped = 0
        self._error = 0

    def start(self) -> None:
        """Begin; CaptureUnavailable, in one line, when this machine does not let us."""
        if self._ring is not None:
            return
        descriptor = _descriptor(self._helper, self._interface, self._ports)
        try:
            self._ring = self._ring_type(self._meter.core, descriptor, _BLOCK_SIZE, _BLOCKS)
        except OSError as error:
            os.close(descriptor)
            raise CaptureUnavailable(f"capture on {self._interface}: {error.strerror or error}") from None

    def announce(self, address: str, port: int, formats: Iterable[Format]) -> None:
        """Tell what `address:port` calls its dynamic payload types; without it their clock is unknown."""
        self._meter.announce(address, port, formats)

    def snapshot(self) -> StreamRows:
        """One row per stream, cumulative; what arrived in the last 50 ms may be missing."""
        self._meter.core.sweep(time.time_ns() - _SWEEP_SECONDS * 1_000_000_000)
        return self._meter.snapshot()

    def forget(self, rows: StreamRows) -> int:
        """Drop these streams (a call ended); how many were still there."""
        return self._meter.forget(rows)

    @property
    def names(self) -> dict[tuple[int, int], str]:
        """Codec names that were announced, for `stream_fields`."""
        return self._meter.names

    @property
    def dropped(self) -> int:
        """Packets that the kernel dropped because the ring was full, and those of streams beyond the limit."""
        self._read_status()
        return self._dropped + self._meter.counters()["overflow"]

    @property
    def error(self) -> str | None:
        """Why nothing can be captured now; None while all is well."""
        if self._ring is None:
            return None
        self._read_status()
        return os.strerror(self._error) if self._error else _interface_fault(self._interface)

    def close(self) -> None:
        """End the capture; the last snapshot stays readable."""
        if self._ring is not None:
            self._ring.close()
            self._read_status()
            self._ring = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read_status(self) -> None:
        if self._ring is not None:
            status = self._ring.status()
            self._dropped, self._error = int(status["dropped"]), int(status["error"])  # type: ignore[arg-type]


def _interface_fault(interface: str) -> str | None:
    """An interface that is gone or down gives no packets, and says nothing of it to the socket for long."""
    request = struct.pack("16sH14x", interface.encode(), 0)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            answer = fcntl.ioctl(asker, _SIOCGIFFLAGS, request)
    except OSError:
        return f"interface {interface} is gone"
    (flags,) = struct.unpack_from("H", answer, 16)
    return None if flags & _IFF_UP else f"interface {interface} is down"


def _descriptor(helper: Sequence[str], interface: str, ports: tuple[int, int]) -> int:
    """Run the helper and take the packet socket it sends."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        ours.settimeout(_HELPER_SECONDS)
        command = [*helper, "--fd", str(theirs.fileno()), "--interface", interface, "--ports", f"{ports[0]}-{ports[1]}"]
        try:
            process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )
        except OSError as error:
            raise CaptureUnavailable(f"capture helper {helper[0]}: {error.strerror or error}") from None
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
