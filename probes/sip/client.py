"""The OPTIONS client's edge: UDP sockets, kernel timestamps and asyncio around the pure transaction.

Each transaction has its own connected socket, source port, branch, tag and Call-ID: a stuck NAT binding or one bad
member of a load-balanced link shows as what it is, and ICMP refusal names its transaction. RTT joins the kernel's
receive time (wall clock, SO_TIMESTAMPNS) and our monotonic send time by the difference of the clocks read together.
"""

import asyncio
import errno
import logging
import secrets
import socket
import struct
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

import msgspec

from probes.sip.errors import NetworkError
from probes.sip.message import MAX_FORWARDS, OptionsRequest, Reply, build_options
from probes.sip.resolve import Address, Resolver
from probes.sip.transaction import Answered, Ended, Event, Expired, Provisional, Send, Transaction
from probes.sip.uri import SipUri
from sereno.clock import Clock, SystemClock

log = logging.getLogger(__name__)

SO_TIMESTAMPNS = 35  # asm-generic/socket.h; Python 3.11 does not name it
_STAMP = struct.Struct("@ll")
_ANCILLARY = socket.CMSG_SPACE(_STAMP.size)
_DATAGRAM = 65_535
_MAX_AGE = 40.0  # longer than any socket here lives
_CLOCK_SLACK = 0.000_1  # the two clocks are not read in the same instant
_LOG_LIMIT = 12  # messages remembered of one transaction
LISTENING_LIMIT = 256  # transactions that wait for a late reply at once; the oldest gives way

Kind = Literal["answered", "timeout", "malformed", "refused", "dns", "transport"]


class Message(msgspec.Struct, frozen=True):
    """A datagram with its instant, for evidence."""

    at_us: int
    direction: Literal["sent", "received"]
    data: bytes


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one transaction.

    `rtt_seconds` is absent after a retransmission (Karn) or without a kernel stamp; `answered_after_seconds` then says
    how long the answer took since the first transmission.
    """

    kind: Kind
    at_us: int
    duration_seconds: float
    reply: Reply | None = None
    late: bool = False
    rtt_seconds: float | None = None
    answered_after_seconds: float | None = None
    retransmissions: int = 0
    strays: int = 0
    detail: str | None = None
    messages: tuple[Message, ...] = ()


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One OPTIONS to make: where the packet goes, and what it says."""

    to: SipUri
    uri: str
    route: str | None = None
    headers: tuple[str, ...] = ()
    max_forwards: int = MAX_FORWARDS
    timeout_seconds: float


Late = Callable[[Exchange], None]


class SipClient:
    """Makes OPTIONS transactions over UDP, any number at once. Use it inside one event loop; `close()` it."""

    def __init__(self, probe: str = "sereno", *, clock: Clock | None = None, bind: str | None = None) -> None:
        self.probe = probe
        self.clock: Clock = clock or SystemClock()
        self._bind = bind
        self._resolver = Resolver()
        self._channels: set[_Channel] = set()
        self._listening: OrderedDict[_Channel, None] = OrderedDict()
        # The kernel stamps packets only while some socket asks for it, and starts and stops lazily: keep one asking.
        self._stamper = _udp_socket(socket.AF_INET)

    async def options(self, ask: Ask, on_late: Late | None = None) -> Exchange:
        """The answer, or its absence at the deadline. `on_late` is called with a reply that comes after it."""
        loop = asyncio.get_running_loop()
        began_us, began = self.clock.now_us(), loop.time()

        def failed(error: NetworkError) -> Exchange:
            duration = loop.time() - began
            return Exchange(kind=error.reason, at_us=began_us, duration_seconds=duration, detail=str(error))

        try:
            address = await self._resolver.resolve(ask.to, timeout_seconds=ask.timeout_seconds)
            channel = _Channel(self, ask, address, on_late)
        except NetworkError as error:
            return failed(error)
        try:
            return await channel.run(timeout_seconds=max(0.001, ask.timeout_seconds - (loop.time() - began)))
        except asyncio.CancelledError:
            channel.close()
            raise

    async def close(self) -> None:
        """Close every socket: those that wait for a late reply, and those that absorb duplicates."""
        for channel in list(self._channels):
            channel.close()
        self._stamper.close()

    @property
    def listening(self) -> int:
        """Transactions past their deadline that still wait for a late reply."""
        return len(self._listening)

    @property
    def sockets(self) -> int:
        """Sockets open now, one per transaction that is not over."""
        return len(self._channels)

    def expired(self, channel: "_Channel") -> None:
        """It waits for a late reply from now on; beyond the limit the oldest gives way."""
        self._listening[channel] = None
        if len(self._listening) > LISTENING_LIMIT:
            next(iter(self._listening)).close()

    def closed(self, channel: "_Channel") -> None:
        self._channels.discard(channel)
        self._listening.pop(channel, None)

    def open(self, channel: "_Channel", address: Address) -> socket.socket:
        """A connected socket with kernel timestamps; NetworkError when this machine has no way there."""
        sock = _udp_socket(address.family)
        try:
            if self._bind is not None:
                sock.bind((self._bind, 0))
            sock.connect(address.sockaddr)
        except OSError as error:
            sock.close()
            raise NetworkError("transport", _words(error)) from None
        self._channels.add(channel)
        return sock


class _Channel:
    """One transaction with its socket and timer."""

    def __init__(self, client: SipClient, ask: Ask, address: Address, on_late: Late | None) -> None:
        self._client, self._ask, self._on_late = client, ask, on_late
        self._loop = asyncio.get_running_loop()
        self._sock = client.open(self, address)
        self._timer: asyncio.TimerHandle | None = None
        self._done: asyncio.Future[Exchange] = self._loop.create_future()
        self._messages: list[Message] = []
        self._at_us = 0
        self._sent_at = 0.0
        self._stamped = False
        self._open = True
        self._transaction: Transaction

    async def run(self, timeout_seconds: float) -> Exchange:
        host, port = self._sock.getsockname()[:2]
        branch = "z9hG4bK" + secrets.token_hex(10)  # RFC 3261 section 8.1.1.7
        request = OptionsRequest(
            uri=self._ask.uri,
            local=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            branch=branch,
            call_id=secrets.token_hex(12),
            tag=secrets.token_hex(6),
            probe=self._client.probe,
            route=self._ask.route,
            headers=self._ask.headers,
            max_forwards=self._ask.max_forwards,
        )
        data = build_options(request)
        self._transaction = Transaction(data, branch=branch, cseq=1, method="OPTIONS", timeout=timeout_seconds)
        self._loop.add_reader(self._sock.fileno(), self._readable)
        self._at_us = self._client.clock.now_us()
        self._sent_at = time.monotonic()
        self._apply(self._transaction.start(self._sent_at))
        return await self._done

    def close(self) -> None:
        """Stop listening; idempotent."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()
        if self._timer is not None:
            self._timer.cancel()
        self._client.closed(self)

    # --- input: the socket and the timer ---

    def _readable(self) -> None:
        """Everything that waits in the socket, in order of arrival."""
        while self._open:
            try:
                data, ancillary, _flags, _address = self._sock.recvmsg(_DATAGRAM, _ANCILLARY)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._broken(error)
                return
            received, self._stamped = _received_at(ancillary)
            self._note("received", data, received)
            self._apply(self._transaction.received(data, received))

    def _due(self) -> None:
        self._timer = None
        self._readable()  # what the kernel took in before the deadline counts, however late this loop wakes
        if self._open:
            self._apply(self._transaction.tick(time.monotonic()))

    # --- output: what the machine decided ---

    def _apply(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case Send():
                    self._send(event.data)
                case Provisional():
                    pass
                case Answered():
                    self._answered(event)
                case Expired():
                    kind: Kind = "timeout" if event.garbled is None else "malformed"
                    self._finish(self._exchange(kind, detail=event.garbled))
                    self._client.expired(self)
                case Ended():
                    self.close()
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._transaction.next_due
        if self._open and due is not None:
            self._timer = self._loop.call_at(due, self._due)

    def _send(self, data: bytes) -> None:
        self._note("sent", data, time.monotonic())
        try:
            self._sock.send(data)
        except BlockingIOError:
            log.debug("the send buffer is full; the next retransmission tries again")
        except OSError as error:
            self._broken(error)

    def _broken(self, error: OSError) -> None:
        """ICMP says that nobody is there, or this machine has no route: no reply can come any more."""
        if not self._open:
            return
        if not self._done.done():
            refused = error.errno == errno.ECONNREFUSED
            self._finish(self._exchange("refused" if refused else "transport", detail=_words(error)))
        # After the deadline the result already stands; a refusal then says nothing new of that transaction.
        self._transaction.stop()
        self.close()

    def _answered(self, event: Answered) -> None:
        exchange = self._exchange("answered", event)
        if not event.late:
            self._finish(exchange)
            return
        if self._on_late is not None:
            self._on_late(exchange)

    def _exchange(self, kind: Kind, event: Answered | None = None, *, detail: str | None = None) -> Exchange:
        rtt = after = None
        if event is not None:
            measured = self._stamped and not event.retransmitted and not event.late
            rtt, after = (event.after_seconds, None) if measured else (None, event.after_seconds)
        return Exchange(
            kind=kind,
            at_us=self._at_us,
            duration_seconds=event.after_seconds if event else time.monotonic() - self._sent_at,
            reply=event.reply if event else None,
            late=event is not None and event.late,
            rtt_seconds=rtt,
            answered_after_seconds=after,
            retransmissions=self._transaction.retransmissions,
            strays=self._transaction.strays,
            detail=detail,
            messages=tuple(self._messages),
        )

    def _finish(self, exchange: Exchange) -> None:
        if not self._done.done():
            self._done.set_result(exchange)

    def _note(self, direction: Literal["sent", "received"], data: bytes, monotonic: float) -> None:
        if len(self._messages) < _LOG_LIMIT:
            at_us = self._at_us + round((monotonic - self._sent_at) * 1e6)
            self._messages.append(Message(at_us, direction, data))


def _udp_socket(family: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    return sock


def _received_at(ancillary: list[tuple[int, int, bytes]]) -> tuple[float, bool]:
    """Monotonic time at which the kernel took the datagram in, and whether it is the kernel's own stamp.

    A stamp from the future, or older than a datagram can be here, means that the wall clock stepped in between.
    """
    now = time.monotonic()
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(payload) >= _STAMP.size:
            seconds, nanoseconds = _STAMP.unpack_from(payload)
            age = (time.time_ns() - (seconds * 1_000_000_000 + nanoseconds)) / 1e9
            if -_CLOCK_SLACK <= age <= _MAX_AGE:
                return now - max(0.0, age), True
    return now, False


def _words(error: OSError) -> str:
    return error.strerror or str(error)
