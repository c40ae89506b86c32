"""The non-INVITE client transaction (RFC 3261 section 17.1.2) as a pure machine, over UDP and over streams.

Three things differ from the RFC's figure 6, because a check asks another question than a phone:

- The check's deadline ends the wait before timer F does: `Expired`, no retransmission after it.
- After the deadline the machine listens on until timer F (64 × T1 = 32 s): a reply then is `Answered` with
  `late` true. Nobody is told of a second reply.
- Timer K (T4) keeps an answered transaction only if it was retransmitted: a request sent once has no duplicate
  replies coming but those the network makes.

Over a reliable transport there is no timer E and timer K is zero (section 17.1.2.2): one transmission, one answer.
"""

from typing import Literal

import msgspec

from probes.sip.errors import SipSyntaxError
from probes.sip.message import Reply, check_length, parse_reply

T1 = 0.5  # RFC 3261 section 17.1.1.1, round-trip estimate
T2 = 4.0  # section 17.1.2.2, ceiling of the retransmission interval
T4 = 5.0  # section 17.1.2.2, how long a message stays in the network
TIMER_F = 64 * T1
STRAYS_READ = 20  # strays that are looked at for what is wrong with them; of a flood the rest is only counted

State = Literal["new", "trying", "proceeding", "completed", "expired", "terminated"]
_WAITING: tuple[State, ...] = ("trying", "proceeding")


class Send(msgspec.Struct, frozen=True):
    """Put these bytes on the wire; `number` 1 is the first transmission."""

    data: bytes
    number: int


class Provisional(msgspec.Struct, frozen=True):
    """A 1xx (RFC 4320 forbids most of them here; 100 may come after 3.5 s)."""

    reply: Reply


class Answered(msgspec.Struct, frozen=True):
    """The one final reply that counts. `retransmitted`: which copy was answered is unknown (Karn), so no RTT."""

    reply: Reply
    received: float
    after_seconds: float
    retransmitted: bool
    late: bool


class Expired(msgspec.Struct, frozen=True):
    """The deadline passed without a final reply.

    `garbled` says what was wrong with what came instead, `foreign` why a proper reply that came was none to this.
    """

    garbled: str | None = None
    foreign: str | None = None


class Ended(msgspec.Struct, frozen=True):
    """Nothing more will happen: the socket can be closed."""


Event = Send | Provisional | Answered | Expired | Ended


class Transaction:
    """One request and what comes of it. Times are seconds of one monotonic clock; each call returns events in order."""

    __slots__ = (
        "_deadline", "_end_at", "_foreign", "_garbled", "_interval", "_retransmit_at", "_started", "branch", "call_id",
        "cseq", "duplicates", "method", "reliable", "request", "sent", "state", "strays", "timeout",
    )  # fmt: skip

    def __init__(
        self,
        request: bytes,
        *,
        branch: str,
        cseq: int,
        method: str,
        timeout: float,
        reliable: bool = False,
        call_id: str | None = None,
    ) -> None:
        self.request, self.branch, self.cseq, self.method = request, branch, cseq, method
        self.call_id = call_id
        self.reliable = reliable
        self.timeout = timeout
        self.state: State = "new"
        self.sent = 0
        self.strays = 0
        self.duplicates = 0
        self._garbled: str | None = None
        self._foreign: str | None = None
        self._started = self._interval = 0.0
        self._retransmit_at: float | None = None
        self._deadline: float | None = None
        self._end_at: float | None = None

    @property
    def retransmissions(self) -> int:
        return max(0, self.sent - 1)

    @property
    def next_due(self) -> float | None:
        """When `tick` has something to do."""
        due = self._deadline if self._deadline is not None else self._end_at  # there are never both
        again = self._retransmit_at
        return due if again is None or (due is not None and due < again) else again

    def start(self, now: float) -> list[Event]:
        """Send for the first time."""
        if self.state != "new":
            raise RuntimeError("a transaction starts once")
        self.state = "trying"
        self._started, self._deadline, self._interval = now, now + self.timeout, T1
        self._retransmit_at = None if self.reliable else now + T1
        self.sent = 1
        return [Send(self.request, 1)]

    def left(self, at: float) -> None:
        """When the first transmission really went: round trips count from there, timers from `start`."""
        self._started = at

    def tick(self, now: float) -> list[Event]:
        """Timers that are due: E (retransmission), our deadline, F or K (the end)."""
        events: list[Event] = []
        if self.state in _WAITING and self._deadline is not None and now >= self._deadline:
            self.state = "expired"
            self._retransmit_at = self._deadline = None
            self._end_at = max(self._started + TIMER_F, now)
            events.append(Expired(self._garbled, self._foreign))
        elif self._retransmit_at is not None and now >= self._retransmit_at:
            # Timer E doubles up to T2; in Proceeding it fires every T2 (section 17.1.2.2). Missed firings of a
            # stalled process are not made up for: a burst of copies would measure nothing.
            self._interval = T2 if self.state == "proceeding" else min(self._interval * 2, T2)
            self._retransmit_at = now + self._interval
            self.sent += 1
            events.append(Send(self.request, self.sent))
        if self.state in {"expired", "completed"} and self._end_at is not None and now >= self._end_at:
            events += self.stop()
        return events

    def received(self, data: bytes, received: float) -> list[Event]:
        """A datagram from the peer, with the time the kernel took it in."""
        if self.state in {"new", "terminated"}:
            return []
        if self.strays >= STRAYS_READ and self.branch.encode() not in data:
            self.strays += 1  # no answer of ours is without our branch
            return []
        if not data.strip(b"\r\n\x00"):
            self.strays += 1  # a keep-alive, empty or of line ends (RFC 5626 section 3.5.1), is no garbage
            return []
        try:
            reply = parse_reply(data)
            check_length(data, reply)
        except SipSyntaxError as error:
            self.stray(None if error.request else str(error))
            return []
        return self.hear(reply, received)

    def stray(self, garbled: str | None) -> None:
        """Something came that is no answer to this request; `garbled` says what is wrong with it, if it is no SIP."""
        self.strays += 1
        self._garbled = garbled or self._garbled

    def hear(self, reply: Reply, received: float) -> list[Event]:
        """A reply that was parsed already (of a stream, where the branch led here)."""
        if self.state in {"new", "terminated"}:
            return []
        foreign = self._foreignness(reply)
        if foreign is not None:
            self.strays += 1
            self._foreign = foreign
            return []
        if self.state == "completed":
            self.duplicates += 1
            return []
        if not reply.final:
            return self._provisional(reply)
        return self._final(reply, received)

    def stop(self) -> list[Event]:
        """No further interest (a transport error, a newer transaction in its place)."""
        if self.state == "terminated":
            return []
        self.state = "terminated"
        self._retransmit_at = self._deadline = self._end_at = None
        return [Ended()]

    def _foreignness(self, reply: Reply) -> str | None:
        """Why this is no answer to our request, in words; None when it is one."""
        # Section 17.1.3: top Via branch and CSeq method. Section 8.1.3.3: with more than one Via it is not for us.
        # Section 8.2.6.2: CSeq and Call-ID are copied as they were.
        if reply.branch != self.branch:
            return "a reply came, with another branch"
        if reply.vias != 1:
            return f"a reply came, with {reply.vias} Vias: it is for somebody else"
        if reply.method != self.method or reply.cseq != self.cseq:
            return "a reply came, with another CSeq"
        if self.call_id is not None and reply.call_id != self.call_id:
            return "a reply came, with another Call-ID"
        return None

    def _provisional(self, reply: Reply) -> list[Event]:
        if self.state == "trying":
            self.state = "proceeding"
        return [Provisional(reply)]

    def _final(self, reply: Reply, received: float) -> list[Event]:
        late = self.state == "expired" or (self._deadline is not None and received > self._deadline)
        answered = Answered(
            reply=reply,
            received=received,
            after_seconds=max(0.0, received - self._started),
            retransmitted=self.sent > 1,
            late=late,
        )
        events: list[Event] = []
        if late and self.state in _WAITING:
            # It came after the deadline but before the loop noticed that the deadline had passed.
            events.append(Expired(self._garbled, self._foreign))
        self.state = "completed"
        self._retransmit_at = self._deadline = None
        if self.sent == 1 or late:
            return [*events, answered, *self.stop()]
        self._end_at = received + T4
        return [*events, answered]
