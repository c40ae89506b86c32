"""The OPTIONS client's edge: sockets, kernel timestamps and asyncio around the pure transaction.

Over UDP each transaction has its own connected socket, source port, branch, tag and Call-ID: a stuck NAT binding or one
bad member of a load-balanced link shows as what it is, and ICMP refusal names its transaction. The round trip is
between two stamps of the kernel, of the request as it left and of the answer as it came (csrc/wire/socket.c); where the
driver stamps nothing that leaves, from the clock read just before. All sockets are one descriptor to the event loop.
Over TCP and TLS transactions share one kept connection (`probes.sip.connection`).
"""

import asyncio
import errno
import functools
import logging
import os
import socket
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from probes.sip.built import native
from probes.sip.channel import Channel
from probes.sip.connection import Connections, StreamChannel
from probes.sip.digest import Nonces
from probes.sip.errors import NetworkError
from probes.sip.exchange import Ask, Exchange, Kind, Late, Message
from probes.sip.link import Link
from probes.sip.resolve import Address, Resolver
from probes.sip.timers import Timers
from probes.sip.uri import SipUri
from sereno.clock import Clock, SystemClock

__all__ = ["LISTENING_LIMIT", "Ask", "Exchange", "Kind", "Late", "Link", "Message", "SipClient"]

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from probes.sip._wire import Row, Socket

SO_TIMESTAMPNS = 35  # asm-generic/socket.h; Python 3.11 does not name it
_STAMPED = True  # whether the kernel is asked to stamp
_QUEUE = 1_024  # datagrams that a socket's buffer can hold, and more
_AT_ONCE = 64  # datagrams of one socket read before other work has its turn: a flood must not stop the others
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
        self.timers = Timers()
        self._poller = native.Poller()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._channels: set[Channel] = set()
        self._listening: OrderedDict[Channel, None] = OrderedDict()
        # The kernel stamps packets only while some socket asks for it, and starts and stops lazily: keep one asking.
        self._stamper = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._stamper.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)

    async def options(self, ask: Ask, on_late: Late | None = None) -> Exchange:
        """The answer, or its absence at the deadline. `on_late` is called with a reply that comes after it."""
        loop = asyncio.get_running_loop()
        began_us, began = self.clock.now_us(), loop.time()
        try:
            address = _literal(ask.to)
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
        if self._loop is not None:
            self._loop.remove_reader(self._poller.fileno())
            self._loop = None
        self.timers.close()
        self._poller.close()
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

    def open(self, address: Address) -> "Socket":
        """A connected UDP socket with kernel timestamps; NetworkError when this machine has no way there."""
        host, port = address.sockaddr[:2]
        try:
            return native.Socket(address.family, host, port, self._bind, _STAMPED)
        except OSError as error:
            raise NetworkError("transport", _words(error)) from None

    def listen(self, sock: "Socket", channel: "_Channel") -> None:
        """Give this channel what comes to its socket, until that is closed."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._poller.fileno(), self._readable)
        self._poller.add(sock, channel)

    def _readable(self) -> None:
        """What waits in all sockets, of each in order of arrival; what is too much at the next turn of the loop."""
        for row in self._poller.take(_AT_ONCE):
            try:
                row[0].came(row)
            except Exception as error:  # noqa: BLE001 - told as asyncio tells it; the others still get what is theirs
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "a reply could not be handed on", "exception": error}
                )


class _Channel(Channel):
    """One transaction over UDP with its socket."""

    def __init__(self, client: SipClient, ask: Ask, address: Address, on_late: Late | None) -> None:
        super().__init__(client, ask, on_late)
        self._client = client
        self._sock = client.open(address)

    def came(self, row: "Row") -> None:
        """A datagram, or the socket's error."""
        _, data, received, self._stamped, sent, error = row
        if not self._open:
            return  # it was closed by what came before, and this came with it
        if data is None:
            self._failed(OSError(error, os.strerror(error)))
            return
        if sent != self._sent_at:
            self._left(sent)  # the driver stamped it only after the call had returned
        self._note("received", data, received)
        self._apply(self._transaction.received(data, received))

    def _local(self) -> str:
        return self._sock.local

    def _release(self) -> None:
        self._sock.close()

    def _overdue(self) -> None:
        # What the kernel took in before the deadline counts, however late this loop wakes. Its queue holds what came
        # first, so a flood ends this at the first datagram of after the deadline.
        until = self._transaction.next_due
        for _ in range(_QUEUE):
            row = self._sock.receive()
            if row is None:
                return
            self.came(row)
            if not self._open or (until is not None and row[2] > until):
                return

    def _put(self, data: bytes, *, first: bool) -> float:
        at = time.monotonic()
        try:
            at = self._sock.send(data)
        except BlockingIOError:
            log.debug("the send buffer is full; the next retransmission tries again")
        except OSError as error:
            self._failed(error)
            return at
        if first:  # only now: its own stamp has been read already, and wakes nobody
            self._client.listen(self._sock, self)
        return at

    def _failed(self, error: OSError) -> None:
        """ICMP says that nobody is there, or this machine has no route."""
        self.broken("refused" if error.errno == errno.ECONNREFUSED else "transport", _words(error))


@functools.lru_cache(maxsize=1024)
def _literal(uri: SipUri) -> Address | None:
    """The address of a URI that needs no resolving."""
    return Resolver.literal(uri)


def _words(error: OSError) -> str:
    return error.strerror or str(error)
