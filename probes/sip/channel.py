"""One transaction with its timers and its log, whatever carries it: `Channel` is what UDP and streams share."""

import asyncio
import itertools
import secrets
import time
from abc import ABC, abstractmethod
from typing import Literal, Protocol

from probes.sip.exchange import Ask, Exchange, Kind, Late, Message
from probes.sip.link import Link
from probes.sip.message import default_sender, template
from probes.sip.timers import Timers
from probes.sip.transaction import Answered, Ended, Event, Expired, Provisional, Send, Transaction
from sereno.clock import Clock

_LOG_LIMIT = 12  # messages remembered of one transaction
_KEPT = 8_192  # octets of each; no honest answer to an OPTIONS is longer, and hundreds of transactions may wait
_CHANCE = 28  # random octets of a transaction: 12 of its Call-ID, 6 of its tag, 10 of its branch
_CHANCES = 64  # of them drawn at once: asking the kernel costs as much as half a parse
_numbers = itertools.count(1)


class _Chance:
    """Random hexadecimal digits, used once each."""

    def __init__(self) -> None:
        self._drawn: list[str] = []

    def __call__(self) -> str:
        if not self._drawn:
            digits = secrets.token_hex(_CHANCE * _CHANCES)
            self._drawn = [digits[at : at + 2 * _CHANCE] for at in range(0, len(digits), 2 * _CHANCE)]
        return self._drawn.pop()


_chance = _Chance()


class Owner(Protocol):
    """Whoever opened the channel, and hears how it goes on."""

    probe: str
    clock: Clock
    timers: Timers

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
        self.number = next(_numbers)
        self.due_at: float | None = None
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[Exchange] = self._loop.create_future()
        self._messages: list[Message] = []
        self._unlogged = 0
        self._at_us = 0
        self._sent_at = 0.0
        self._stamped = False
        self._open = True
        chance = _chance()
        self._call_id = ask.call_id or chance[:24]
        self._fresh_tag = chance[24:36]
        self._sender = ask.sender
        self.branch = "z9hG4bK" + chance[36:]  # RFC 3261 section 8.1.1.7
        self._transaction: Transaction

    async def run(self, timeout_seconds: float) -> Exchange:
        """The answer, or its absence after this time."""
        ask, local = self._ask, self._local()
        self._sender = self._sender or default_sender(self._owner.probe, local, self._fresh_tag)
        form = template(ask.uri, ask.route, ask.headers, ask.max_forwards, self.transport, self._owner.probe, ask.cseq)
        self._transaction = Transaction(
            form.filled(local=local, branch=self.branch, sender=self._sender, call_id=self._call_id),
            branch=self.branch,
            cseq=ask.cseq,
            method="OPTIONS",
            timeout=timeout_seconds,
            reliable=self.reliable,
            call_id=self._call_id,
        )
        self._at_us = self._owner.clock.now_us()
        self._sent_at = time.monotonic()
        self._apply(self._transaction.start(self._sent_at))
        return await self._done

    def close(self) -> None:
        """Stop listening; idempotent."""
        if not self._open:
            return
        self._open = False
        self._owner.timers.forget(self)
        self._release()
        self._owner.closed(self)

    # --- what carries it ---

    @abstractmethod
    def _local(self) -> str:
        """Our own end, host and port, as they stand in Via and Contact."""

    @abstractmethod
    def _release(self) -> None:
        """Replies are wanted no more."""

    @abstractmethod
    def _put(self, data: bytes, *, first: bool) -> float:
        """Put a request on the wire; when it left, in monotonic seconds. From the first on replies are wanted."""

    @abstractmethod
    def _overdue(self) -> None:
        """A last look before a timer that is due is believed."""

    def _silent(self) -> tuple[Kind, str] | None:
        """Why nothing can have come by the deadline, where that is known."""
        return None

    def _unfinished(self) -> str | None:
        """What had begun to come by the deadline, in words."""
        return None

    def _link(self) -> Link | None:
        return None

    # --- what the machine decided ---

    def due(self) -> None:
        """A timer of the transaction may be due."""
        self._overdue()
        if self._open:
            self._apply(self._transaction.tick(time.monotonic()))

    def _apply(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case Answered():
                    self._answered(event)
                case Ended():
                    self.close()
                case Send():
                    self._send(event)
                case Expired():
                    self._expired(event)
                case Provisional():
                    pass
        if self._open:
            self._arm()

    def _send(self, event: Send) -> None:
        first = event.number == 1
        at = self._put(event.data, first=first)
        if first:
            self._left(at)
        self._note("sent", event.data, at)

    def _left(self, at: float) -> None:
        """When the first transmission left."""
        self._sent_at = at
        self._transaction.left(at)

    def _arm(self) -> None:
        due = self._transaction.next_due
        if due is None:
            self._owner.timers.forget(self)
        elif due != self.due_at:
            self._owner.timers.at(due, self)

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
        self._finish(self._exchange(kind, detail=event.garbled or event.foreign or self._unfinished()))
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
