"""Kept connections over TCP and TLS, and the transactions on them (RFC 3261 section 18).

One connection per (address, transport, TLS settings), many transactions on it at once, told apart by their branch. A
connection that is lost while idle is replaced before the next check; a transaction in flight on it fails with words
that say how it was lost. A peer that sends what is no SIP loses the connection; everything it may send is bounded.
"""

import asyncio
import contextlib
import fcntl
import logging
import socket
import ssl
import struct
import termios
import time
from typing import cast

import msgspec

from probes.sip.channel import Channel, Owner
from probes.sip.dialling import Dialler
from probes.sip.errors import NetworkError, SipSyntaxError, Trouble
from probes.sip.exchange import Ask, Kind, Late
from probes.sip.link import Link, Session
from probes.sip.message import parse_reply
from probes.sip.resolve import Address
from probes.sip.stream import Crlf, Framer
from probes.sip.tls import TlsSettings, why

log = logging.getLogger(__name__)

PARTIAL_SECONDS = 5.0  # within which a message that was begun must end
STRAY_LIMIT = 2_000  # messages in a row that answer nothing
TLS_AGE_SECONDS = 300.0  # then a new session is made, so that certificate facts are never older
_CLOSING_SECONDS = 0.5
_UNSENT_LIMIT = 262_144  # octets that wait in this process for a peer that takes nothing
_SILENCE_SECONDS = 0.2  # a segment that is not acknowledged for so long is lost, or its peer is
_DIALLERS_SECONDS = 0.02  # more than the dialler has: its words say how far the connection came
_COUNT = struct.Struct("@i")


class Connection(asyncio.Protocol):
    """One stream, framed; replies go to the transaction that their branch names."""

    def __init__(self, settings: TlsSettings | None) -> None:
        self._settings = settings
        self._framer = Framer()
        self._channels: dict[str, StreamChannel] = {}
        self._transport: asyncio.Transport
        self._partial: asyncio.TimerHandle | None = None
        self._breaks = self._strays = 0
        self._ended = self._retired = False
        self.opened = time.monotonic()
        self.lost: tuple[Trouble, str] | None = None
        self.gone = asyncio.get_running_loop().create_future()
        self.link = Link()
        self.local = ""

    # --- for its users ---

    @property
    def usable(self) -> bool:
        """Whether a new transaction may go on it."""
        return self.lost is None and not self._ended and not self._retired and not self._transport.is_closing()

    @property
    def session(self) -> Session | None:
        return self.link.session

    def add(self, channel: "StreamChannel") -> None:
        self._channels[channel.branch] = channel

    def remove(self, channel: "StreamChannel") -> None:
        self._channels.pop(channel.branch, None)
        if self._retired and not self._channels:
            self._end()

    def write(self, data: bytes) -> None:
        if self._transport.is_closing():
            return  # `connection_lost` is on its way, and tells why
        self._transport.write(data)
        sock = self._transport.get_extra_info("socket")
        if sock is not None:
            # Not sticky (tcp(7)). What the peer sent before, TLS 1.3 tickets above all, is acknowledged at once: a
            # peer that minds Nagle would hold its answer back until then, 40 ms that are nobody's round trip.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        if self._transport.get_write_buffer_size() > _UNSENT_LIMIT:
            self.fail("transport", "the peer takes nothing any more")

    def retire(self) -> None:
        """No new transactions; it closes when the last of those on it is over."""
        self._retired = True
        if not self._channels:
            self._end()

    def abort(self) -> None:
        self._transport.abort()

    def _end(self) -> None:
        """Close it once: a second time takes a TLS transport of CPython 3.11 apart, and `abort` then fails."""
        if not self._transport.is_closing():
            self._transport.close()

    @property
    def unacknowledged(self) -> int:
        """Octets that were sent and that the peer's kernel has not confirmed (SIOCOUTQ, tcp(7))."""
        sock = self._transport.get_extra_info("socket")
        if sock is None:
            return 0  # it is lost already
        try:
            raw = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(_COUNT.size))
        except OSError:
            return 0
        count: int = _COUNT.unpack(raw)[0]
        return count + self._transport.get_write_buffer_size()

    @property
    def begun(self) -> str | None:
        """A message that has begun and not ended, in words."""
        pending = self._framer.pending
        return f"a message had begun and not ended: {pending} octets of it had come" if pending else None

    def fail(self, kind: Trouble, words: str) -> None:
        """The connection is of no more use: everything in flight fails, and it is closed."""
        if self.lost is None:
            self.lost = (kind, words)
        for channel in list(self._channels.values()):
            channel.broken(*self.lost)
        self._transport.abort()

    # --- asyncio's side ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        host, port = transport.get_extra_info("sockname")[:2]
        self.local = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        whole = False
        for piece in self._framer.feed(data):
            if isinstance(piece, Crlf):
                self._line_break()
                continue
            whole, self._breaks = True, 0
            self._message(piece.data, now)
            if self.lost is not None:
                return
        if self._framer.fault is not None:
            self.fail("malformed", f"what came is no SIP: {self._framer.fault}")
            return
        self._watch_partial(whole)

    def eof_received(self) -> bool:
        self._ended = True
        return False  # close our side too

    def connection_lost(self, exc: Exception | None) -> None:
        if self._partial is not None:
            self._partial.cancel()
        if self.lost is None:
            self.lost = self._cause(exc)
        for channel in list(self._channels.values()):
            channel.broken(*self.lost)
        if not self.gone.done():
            self.gone.set_result(None)

    # --- inside ---

    def _cause(self, error: Exception | None) -> tuple[Trouble, str]:
        if isinstance(error, ssl.SSLError) and self._settings is not None:
            return "tls", why(error, self._settings)
        if isinstance(error, ConnectionResetError | BrokenPipeError):
            return "transport", "the connection was reset by the peer (RST)"
        if isinstance(error, TimeoutError):
            return "transport", "the connection is half-open: the peer acknowledges nothing any more"
        if error is not None:
            return "transport", f"the connection was lost: {getattr(error, 'strerror', None) or error}"
        if self._ended:
            return "transport", "the connection was closed by the peer (FIN)"
        return "transport", "the connection was closed"

    def _message(self, data: bytes, now: float) -> None:
        try:
            reply = parse_reply(data)
        except SipSyntaxError as error:
            self._stray(None if error.request else str(error))
            return
        channel = self._channels.get(reply.branch or "")
        if channel is None:
            self._stray(None)
            return
        self._strays = 0
        channel.heard(data, reply, now)

    def _stray(self, garbled: str | None) -> None:
        """What answers nothing: counted by every transaction that waits, and not for ever."""
        for channel in self._channels.values():
            channel.stray(garbled)
        self._strays += 1
        if self._strays > STRAY_LIMIT:
            self.fail("malformed", f"{self._strays} messages in a row answered nothing that was asked")

    def _line_break(self) -> None:
        """A double line break is a ping and wants one back; a single one is a pong (RFC 5626 section 3.5.1)."""
        self._breaks += 1
        if self._breaks % 2 == 0:
            self.write(b"\r\n")

    def _watch_partial(self, whole: bool) -> None:
        if self._partial is not None and (whole or not self._framer.pending):
            self._partial.cancel()
            self._partial = None
        if self._framer.pending and self._partial is None:
            self._partial = asyncio.get_running_loop().call_later(PARTIAL_SECONDS, self._stuck)

    def _stuck(self) -> None:
        words = f"a message, of {self._framer.pending} octets so far, did not end in {PARTIAL_SECONDS:g} s"
        self.fail("malformed", words)


class StreamChannel(Channel):
    """One transaction on a connection."""

    reliable = True

    def __init__(self, owner: Owner, ask: Ask, on_late: Late | None, connection: Connection, link: Link) -> None:
        super().__init__(owner, ask, on_late)
        self._connection, self._told = connection, link
        self.transport = "TCP" if link.session is None else "TLS"
        self._stamped = True  # by our own clock, which is all there is

    def heard(self, data: bytes, reply: object, received: float) -> None:
        """A reply with our branch."""
        self._note("received", data, received)
        self._apply(self._transaction.hear(reply, received))  # type: ignore[arg-type]

    def stray(self, garbled: str | None) -> None:
        self._transaction.stray(garbled)

    def _local(self) -> str:
        return self._connection.local

    def _release(self) -> None:
        self._connection.remove(self)

    def _put(self, data: bytes, *, first: bool) -> float:
        if first:
            self._connection.add(self)
        at = time.monotonic()  # nothing is done between this and the write: it would be in the round trip
        self._connection.write(data)
        return at

    def _overdue(self) -> None:
        """Nothing is read out of turn here: asyncio reads in order."""

    def _unfinished(self) -> str | None:
        return self._connection.begun

    def _link(self) -> Link | None:
        return self._told

    def _silent(self) -> tuple[Kind, str] | None:
        """Half-open: the peer's kernel has not even confirmed the request (its process would leave that to it)."""
        age = time.monotonic() - self._sent_at
        if age < _SILENCE_SECONDS or not (left := self._connection.unacknowledged):
            return None
        words = f"the connection is half-open: {left} octets not acknowledged in {age:.2f} s"
        if self._connection.lost is None:
            self._loop.call_soon(self._connection.fail, "transport", words)
        return "transport", words


_Key = tuple[Address, TlsSettings | None]


class Connections:
    """The connections that are kept, one for each place; opened by whoever needs one first."""

    def __init__(self, bind: str | None = None) -> None:
        self._dialler = Dialler(bind)
        self._known: dict[_Key, Connection] = {}
        self._opening: dict[_Key, asyncio.Task[Connection]] = {}
        self._lost: dict[_Key, str] = {}
        self._all: set[Connection] = set()

    def __len__(self) -> int:
        return sum(one.usable for one in self._known.values())

    async def get(self, address: Address, settings: TlsSettings | None, seconds: float) -> tuple[Connection, Link]:
        """A connection to there, and what is told of it; NetworkError when there is none in time."""
        key = (address, settings if address.transport == "tls" else None)
        known = self._known.get(key)
        if known is not None and known.session is not None and time.monotonic() - known.opened > TLS_AGE_SECONDS:
            del self._known[key]
            known.retire()
        elif known is not None and known.usable:
            return known, msgspec.structs.replace(known.link, reused=True, replaced=None)
        task = self._opening.get(key)
        if task is None:
            task = self._opening[key] = asyncio.get_running_loop().create_task(self._open(key, seconds))
            task.add_done_callback(lambda done: self._opened(key, done))
        try:
            async with asyncio.timeout(seconds + _DIALLERS_SECONDS):
                connection = await asyncio.shield(task)
        except TimeoutError:
            raise NetworkError("timeout", f"no connection in {seconds:.2f} s") from None
        if connection.lost is not None:
            raise NetworkError(*connection.lost, link=connection.link)
        return connection, connection.link

    async def close(self) -> None:
        """Close everything, politely first."""
        for task in list(self._opening.values()):
            task.cancel()
        await asyncio.gather(*self._opening.values(), return_exceptions=True)
        waiting = [one.gone for one in self._all if not one.gone.done()]
        for one in list(self._all):
            one.retire()
        if waiting:
            await asyncio.wait(waiting, timeout=_CLOSING_SECONDS)
        for one in list(self._all):
            one.abort()
        left = [future for future in waiting if not future.done()]
        if left:
            await asyncio.wait(left, timeout=_CLOSING_SECONDS)

    async def _open(self, key: _Key, seconds: float) -> Connection:
        address, settings = key
        if address.transport == "tls" and settings is None:
            settings = TlsSettings(server_name=str(address.sockaddr[0]))
        found = await self._dialler.dial(address, lambda: Connection(settings), settings=settings, seconds=seconds)
        connection = found.protocol
        connection.link = msgspec.structs.replace(found.link, replaced=self._lost.pop(key, None))
        self._all.add(connection)
        connection.gone.add_done_callback(lambda _: self._gone(key, connection))
        if connection.lost is None:
            self._known[key] = connection
        return connection

    def _opened(self, key: _Key, task: asyncio.Task[Connection]) -> None:
        self._opening.pop(key, None)
        if not task.cancelled():
            with contextlib.suppress(NetworkError):
                task.exception()  # whoever waits for it tells; if nobody waits any more, nobody needs to know

    def _gone(self, key: _Key, connection: Connection) -> None:
        self._all.discard(connection)
        if self._known.get(key) is connection:
            del self._known[key]
            if connection.lost is not None:
                self._lost[key] = connection.lost[1]
                log.debug("%s: %s", key[0].sockaddr, connection.lost[1])
