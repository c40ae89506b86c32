"""One transaction with its timers and its log, whatever carries it: `Channel` is what UDP and streams share."""

import asyncio
import secrets
import time
from abc import ABC, abstractmethod
from typing import Literal, Protocol

from probes.sip.exchange import Ask, Exchange, Kind, Late, Link, Message
from probes.sip.message import OptionsRequest, build_options, default_sender
from probes.sip.transaction import Answered, Ended, Event, Expired, Provisional, Send, Transaction
from sereno.clock import Clock

_LOG_LIMIT = 12  # messages remembered of one transaction
_KEPT = 8_192  # octets of each; no honest answer to an OPTIONS is longer, and hundreds of transactions may wait


class Owner(Protocol):
    """Whoever opened the channel, and hears how it goes on."""

    probe: str
    clock: Clock

    def expired(self, channel: "Channel") -> None:
        """It waits for a late reply from now on."""

    def closed(self, channel: "Channel") -> None:
        """Nothing more comes of it."""


class Channel(ABC):
    """Drives a `Transaction`: sends what it says, tells what came, and gives one `Exchange`."""

    transport = "UDP"
    reliable = False

    def __init__(self, owner: Owner, ask: Ask, on_late: Late | None) -> None:
        self._owner, self._ask, self._on_late = owner, ask, on_late
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._done: asyncio.Future[Exchange] = self._loop.create_future()
        self._messages: list[Message] = []
        self._unlogged = 0
        self._at_us = 0
        self._sent_at = 0.0
        self._stamped = False
        self._open = True
        chance = secrets.token_hex(28)
        self._call_id = ask.call_id or chance[:24]
        self._fresh_tag = chance[24:36]
        self._sender = ask.sender
        self.branch = "z9hG4bK" + chance[36:]  # RFC 3261 section 8.1.1.7
        self._transaction: Transaction

    async def run(self, timeout_seconds: float) -> Exchange:
        """The answer, or its absence after this time."""
        host, port = self._local()
        local, tag = f"[{host}]:{port}" if ":" in host else f"{host}:{port}", self._fresh_tag
        self._sender = self._sender or default_sender(self._owner.probe, local, tag)
        request = OptionsRequest(
            uri=self._ask.uri,
            local=local,
            branch=self.branch,
            call_id=self._call_id,
            tag=tag,
            sender=self._sender,
            probe=self._owner.probe,
            cseq=self._ask.cseq,
            route=self._ask.route,
            headers=self._ask.headers,
            max_forwards=self._ask.max_forwards,
            transport=self.transport,
        )
        self._transaction = Transaction(
            build_options(request),
            branch=self.branch,
            cseq=self._ask.cseq,
            method="OPTIONS",
            timeout=timeout_seconds,
            reliable=self.reliable,
        )
        self._listen()
        self._at_us = self._owner.clock.now_us()
        self._sent_at = time.monotonic()
        self._apply(self._transaction.start(self._sent_at))
        return await self._done

    def close(self) -> None:
        """Stop listening; idempotent."""
        if not self._open:
            return
        self._open = False
        if self._timer is not None:
            self._timer.cancel()
        self._release()
        self._owner.closed(self)

    # --- what carries it ---

    @abstractmethod
    def _local(self) -> tuple[str, int]:
        """Our own end, for Via and Contact."""

    @abstractmethod
    def _listen(self) -> None:
        """Replies are wanted from now on."""

    @abstractmethod
    def _release(self) -> None:
        """Replies are wanted no more."""

    @abstractmethod
    def _put(self, data: bytes) -> None:
        """Put a request on the wire."""

    @abstractmethod
    def _overdue(self) -> None:
        """A last look before a timer that is due is believed."""

    def _silent(self) -> tuple[Kind, str] | None:
        """Why nothing can have come by the deadline, where that is known."""
        return None

    def _link(self) -> Link | None:
        return None

    # --- what the machine decided ---

    def _due(self) -> None:
        self._timer = None
        self._overdue()
        if self._open:
            self._apply(self._transaction.tick(time.monotonic()))

    def _apply(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case Send():
                    self._send(event)
                case Provisional():
                    pass
                case Answered():
                    self._answered(event)
                case Expired():
                    self._expired(event)
                case Ended():
                    self.close()
        self._arm()

    def _send(self, event: Send) -> None:
        """Nothing is done between reading the clock and the wire: it would be in the round trip."""
        if event.number == 1:
            self._sent_at = time.monotonic()
            self._put(event.data)
            self._transaction.left(self._sent_at)
        else:
            self._put(event.data)
        self._note("sent", event.data, self._sent_at if event.number == 1 else time.monotonic())

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._transaction.next_due
        if self._open and due is not None:
            self._timer = self._loop.call_at(due, self._due)

    def _answered(self, event: Answered) -> None:
        exchange = self._exchange("answered", event)
        if not event.late:
            self._finish(exchange)
            return
        if self._on_late is not None:
            self._on_late(exchange)

    def _expired(self, event: Expired) -> None:
        known = self._silent()
        if known is not None:
            self.broken(*known)
            return
        kind: Kind = "timeout" if event.garbled is None else "malformed"
        self._finish(self._exchange(kind, detail=event.garbled))
        self._owner.expired(self)

    def broken(self, kind: Kind, detail: str) -> None:
        """No reply can come any more. After the deadline the result stands already, and this says nothing new."""
        if not self._open:
            return
        if not self._done.done():
            self._finish(self._exchange(kind, detail=detail))
        self._transaction.stop()
        self.close()

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
            unlogged=self._unlogged,
            link=self._link(),
            call_id=self._call_id,
            sender=self._sender,
        )

    def _finish(self, exchange: Exchange) -> None:
        if not self._done.done():
            self._done.set_result(exchange)

    def _note(self, direction: Literal["sent", "received"], data: bytes, monotonic: float) -> None:
        at_us = self._at_us + round((monotonic - self._sent_at) * 1e6)
        message = Message(at_us, direction, data[:_KEPT], max(0, len(data) - _KEPT))
        if len(self._messages) < _LOG_LIMIT:
            self._messages.append(message)
        else:  # the newest takes the last place: in a flood of strays the answer is still seen
            self._messages[-1] = message
            self._unlogged += 1
