"""The OPTIONS client's edge: sockets, kernel timestamps and asyncio around the pure transaction.

Over UDP each transaction has its own connected socket, source port, branch, tag and Call-ID: a stuck NAT binding or one
bad member of a load-balanced link shows as what it is, and ICMP refusal names its transaction. RTT joins the kernel's
receive time (wall clock, SO_TIMESTAMPNS) and our monotonic send time by the difference of the clocks read together.
Over TCP and TLS transactions share one kept connection (`probes.sip.connection`).
"""

import asyncio
import errno
import logging
import socket
import struct
import time
from collections import OrderedDict

from probes.sip.channel import Channel
from probes.sip.connection import Connections, StreamChannel
from probes.sip.digest import Nonces
from probes.sip.errors import NetworkError
from probes.sip.exchange import Ask, Exchange, Kind, Late, Link, Message
from probes.sip.resolve import Address, Resolver
from sereno.clock import Clock, SystemClock

__all__ = ["LISTENING_LIMIT", "Ask", "Exchange", "Kind", "Late", "Link", "Message", "SipClient"]

log = logging.getLogger(__name__)

SO_TIMESTAMPNS = 35  # asm-generic/socket.h; Python 3.11 does not name it
_STAMP = struct.Struct("@ll")
_ANCILLARY = socket.CMSG_SPACE(_STAMP.size)
_DATAGRAM = 65_535
_MAX_AGE = 40.0  # longer than any socket here lives
_QUEUE = 1_024  # datagrams that a socket's buffer can hold, and more
_AT_ONCE = 64  # datagrams read before other work has its turn: a flood on one socket must not stop the others
_CLOCK_TRIES, _CLOCK_APART = 3, 0.000_002
_CLOCK_SLACK = 0.000_1  # the two clocks are not read in the same instant
LISTENING_LIMIT = 256  # transactions that wait for a late reply at once; the oldest gives way


class SipClient:
    """Makes OPTIONS transactions over UDP, TCP and TLS, any number at once. Use it in one event loop; `close()` it."""

    def __init__(self, probe: str = "sereno", *, clock: Clock | None = None, bind: str | None = None) -> None:
        self.probe = probe
        self.clock: Clock = clock or SystemClock()
        self._bind = bind
        self.resolver = Resolver()
        self.nonces = Nonces()
        self._connections = Connections(bind)
        self._channels: set[Channel] = set()
        self._listening: OrderedDict[Channel, None] = OrderedDict()
        # The kernel stamps packets only while some socket asks for it, and starts and stops lazily: keep one asking.
        self._stamper = _udp_socket(socket.AF_INET)

    async def options(self, ask: Ask, on_late: Late | None = None) -> Exchange:
        """The answer, or its absence at the deadline. `on_late` is called with a reply that comes after it."""
        loop = asyncio.get_running_loop()
        began_us, began = self.clock.now_us(), loop.time()
        try:
            address = self.resolver.literal(ask.to)
            if address is None:
                address = await self.resolver.first(ask.to, seconds=ask.timeout_seconds)
            if address.transport == "udp":
                channel: Channel = _Channel(self, ask, address, on_late)
            else:
                left = ask.timeout_seconds - (loop.time() - began)
                connection, link = await self._connections.get(address, ask.tls, left)
                channel = StreamChannel(self, ask, on_late, connection, link)
        except NetworkError as error:
            return Exchange(
                kind=error.reason,
                at_us=began_us,
                duration_seconds=loop.time() - began,
                detail=str(error),
                link=error.link,
            )
        self._channels.add(channel)
        try:
            return await channel.run(timeout_seconds=max(0.001, ask.timeout_seconds - (loop.time() - began)))
        except BaseException:  # a cancelled check, a request that cannot be built: nobody waits for an answer
            channel.close()
            raise

    async def close(self) -> None:
        """Close every socket: those that wait for a late reply, those that absorb duplicates, the kept connections."""
        for channel in list(self._channels):
            channel.close()
        await self._connections.close()
        await self.resolver.close()
        self._stamper.close()

    @property
    def listening(self) -> int:
        """Transactions past their deadline that still wait for a late reply."""
        return len(self._listening)

    @property
    def sockets(self) -> int:
        """Transactions that are not over; over UDP each has its own socket."""
        return len(self._channels)

    @property
    def connections(self) -> int:
        """TCP and TLS connections that are kept now."""
        return len(self._connections)

    def expired(self, channel: Channel) -> None:
        """It waits for a late reply from now on; beyond the limit the oldest gives way."""
        self._listening[channel] = None
        if len(self._listening) > LISTENING_LIMIT:
            next(iter(self._listening)).close()

    def closed(self, channel: Channel) -> None:
        self._channels.discard(channel)
        self._listening.pop(channel, None)

    def open(self, address: Address) -> socket.socket:
        """A connected UDP socket with kernel timestamps; NetworkError when this machine has no way there."""
        sock = _udp_socket(address.family)
        try:
            if self._bind is not None:
                sock.bind((self._bind, 0))
            sock.connect(address.sockaddr)
        except OSError as error:
            sock.close()
            raise NetworkError("transport", _words(error)) from None
        return sock


class _Channel(Channel):
    """One transaction over UDP with its socket."""

    def __init__(self, client: SipClient, ask: Ask, address: Address, on_late: Late | None) -> None:
        super().__init__(client, ask, on_late)
        self._sock = client.open(address)

    def _local(self) -> tuple[str, int]:
        host, port = self._sock.getsockname()[:2]
        return host, port

    def _listen(self) -> None:
        self._loop.add_reader(self._sock.fileno(), self._readable)

    def _release(self) -> None:
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()

    def _overdue(self) -> None:
        # What the kernel took in before the deadline counts, however late this loop wakes. Its queue holds what came
        # first, so a flood ends this at the first datagram of after the deadline.
        self._read(_QUEUE, until=self._transaction.next_due)

    def _put(self, data: bytes) -> None:
        try:
            self._sock.send(data)
        except BlockingIOError:
            log.debug("the send buffer is full; the next retransmission tries again")
        except OSError as error:
            self._failed(error)

    def _readable(self) -> None:
        """What waits in the socket, in order of arrival; the rest at the next turn of the loop."""
        self._read(_AT_ONCE)

    def _read(self, most: int, until: float | None = None) -> None:
        for _ in range(most):
            if not self._open:
                return
            try:
                data, ancillary, _flags, _address = self._sock.recvmsg(_DATAGRAM, _ANCILLARY)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._failed(error)
                return
            received, self._stamped = _received_at(ancillary)
            self._note("received", data, received)
            self._apply(self._transaction.received(data, received))
            if until is not None and received > until:
                return

    def _failed(self, error: OSError) -> None:
        """ICMP says that nobody is there, or this machine has no route."""
        self.broken("refused" if error.errno == errno.ECONNREFUSED else "transport", _words(error))


def _udp_socket(family: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    return sock


def _received_at(ancillary: list[tuple[int, int, bytes]]) -> tuple[float, bool]:
    """Monotonic time at which the kernel took the datagram in, and whether it is the kernel's own stamp.

    A stamp from the future, or older than a datagram can be here, means that the wall clock stepped in between.
    """
    now, wall_ns = _clocks()
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(payload) >= _STAMP.size:
            seconds, nanoseconds = _STAMP.unpack_from(payload)
            age = (wall_ns - (seconds * 1_000_000_000 + nanoseconds)) / 1e9
            if -_CLOCK_SLACK <= age <= _MAX_AGE:
                return now - max(0.0, age), True
    return now, False


def _clocks() -> tuple[float, int]:
    """Monotonic seconds and wall nanoseconds of one instant: read again if this process was interrupted in between."""
    for _ in range(_CLOCK_TRIES):
        before, wall_ns, after = time.monotonic(), time.time_ns(), time.monotonic()
        if after - before < _CLOCK_APART:
            break
    return (before + after) / 2, wall_ns


def _words(error: OSError) -> str:
    return error.strerror or str(error)
