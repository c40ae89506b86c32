"""What is asked of the SIP client and what it gives back: plain records, the same over every transport."""

from collections.abc import Callable
from typing import Literal

import msgspec

from probes.sip.errors import Trouble
from probes.sip.link import Link
from probes.sip.message import MAX_FORWARDS, Reply
from probes.sip.tls import TlsSettings
from probes.sip.uri import SipUri

Kind = Literal["answered"] | Trouble


class Message(msgspec.Struct, frozen=True):
    """A message with its instant, for evidence; `cut` octets of its end were not kept."""

    at_us: int
    direction: Literal["sent", "received"]
    data: bytes
    cut: int = 0


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one transaction.

    `rtt_seconds` is absent after a retransmission (Karn) or, over UDP, without a kernel stamp; `answered_after_seconds`
    then says how long the answer took since the first transmission. Over TCP and TLS the round trip is between our own
    clocks, from the write to the arrival of the answer's last octet here: connecting and handshake are not in it.
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
    messages: tuple[Message, ...] = ()  # the first ones; `unlogged` says how many more there were
    unlogged: int = 0
    link: Link | None = None
    call_id: str | None = None
    sender: str | None = None


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One OPTIONS to make: where the packet goes, and what it says.

    `call_id`, `sender` (From) and `cseq` continue an exchange that was challenged (RFC 3261 section 22.2).
    """

    to: SipUri
    uri: str
    route: str | None = None
    headers: tuple[str, ...] = ()
    max_forwards: int = MAX_FORWARDS
    timeout_seconds: float
    tls: TlsSettings | None = None
    call_id: str | None = None
    sender: str | None = None
    cseq: int = 1


Late = Callable[[Exchange], None]
