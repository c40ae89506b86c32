"""What the pool and its pjsua2 workers say to each other: one JSON object per line over a socketpair.

Instants are `_ns` of the monotonic clock, which all processes of a machine share. Passwords go down, never up:
messages come back with their credentials taken out. The decoders promise: a message, or `IpcError`, nothing else.
"""

from typing import Literal, TypeVar

import msgspec

T = TypeVar("T")

LINE_LIMIT = 1 << 20  # octets; a call's evidence is at most a twentieth of it


class IpcError(Exception):
    """The other side wrote what is no message."""


class AccountSpec(msgspec.Struct, frozen=True, kw_only=True):
    """An account through one SBC to one core. `key` names it within a worker, `route` is the way (RFC 3261 8.1.2)."""

    key: str
    aor: str
    registrar: str
    route: str | None
    user: str
    password: str
    expires_seconds: int = 300
    headers: tuple[tuple[str, str], ...] = ()
    srtp: Literal["none", "optional", "required"] = "none"
    display: str | None = None

    def __repr__(self) -> str:
        return f"AccountSpec({self.key!r})"  # a repr ends up in logs: no password in it


class Register(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", tag="register"):
    id: int
    account: AccountSpec
    timeout_seconds: float


class Call(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", tag="call"):
    """`hold_seconds` counts from the answer, `bye_seconds` is how long the BYE's answer may take.

    `record`: where the sound goes, as `record` + `.sent.wav` and `.heard.wav` (same clock, same first sample).
    `callee`: an account of this worker, registered before, to which the call comes back; it answers and echoes what
    comes from `callers` (any, when there are none), recorded as `record` + `.callee.wav`.
    """

    id: int
    account: AccountSpec
    to: str
    codecs: tuple[str, ...]
    timeout_seconds: float
    hold_seconds: float
    bye_seconds: float
    record: str | None = None
    callee: AccountSpec | None = None
    callers: tuple[str, ...] = ()


class Hangup(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", tag="hangup"):
    """End call `id` now: its `Called` comes as of any other."""

    id: int


class Unregister(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", tag="unregister"):
    id: int
    key: str
    timeout_seconds: float


class Quit(msgspec.Struct, frozen=True, kw_only=True, tag_field="do", tag="quit"):
    """Un-register, hang up, end; all within `seconds`."""

    seconds: float


class Message(msgspec.Struct, frozen=True):
    """A SIP message as it went over the wire, without credentials."""

    at_ns: int
    direction: Literal["sent", "received"]
    text: str


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="ready"):
    sip_port: int


Ending = Literal["answered", "timeout", "transport", "busy", "error"]


class Renewal(msgspec.Struct, frozen=True, kw_only=True):
    """pjsip renewed a binding by itself, because it was about to lapse; `granted_seconds` 0: it was refused."""

    at_ns: int
    granted_seconds: int


class Registered(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="registered"):
    """`ending` is how pjsip saw it end: a local timer is `timeout`, a 408 from the wire is `answered`.

    `renewals`: what it did since the last command for the same account.
    """

    id: int
    ending: Ending
    started_ns: int
    ended_ns: int
    messages: tuple[Message, ...] = ()
    detail: str | None = None
    renewals: tuple[Renewal, ...] = ()


class Unregistered(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="unregistered"):
    id: int
    ending: Ending


class Answered(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="answered"):
    """The call has media from now on; the SDP is in its messages."""

    id: int
    messages: tuple[Message, ...]


class Second(msgspec.Struct, frozen=True, array_like=True):
    """One look at a running call: packets so far, and the greatest received level (0-255) since the last look."""

    at_ns: int
    rx_packets: int
    tx_packets: int
    rx_level: int
    far_reports: int


class Counters(msgspec.Struct, frozen=True, kw_only=True):
    """pjsua2's own statistics at the end of the media; `far_reports` counts RTCP reports about what we send."""

    rx_packets: int
    rx_lost: int
    rx_duplicates: int
    rx_reordered: int
    rx_discarded: int
    rx_jitter_mean_seconds: float
    rx_jitter_max_seconds: float
    tx_packets: int
    tx_lost: int
    tx_jitter_mean_seconds: float
    tx_jitter_max_seconds: float
    far_reports: int
    rtt_samples: int
    rtt_mean_seconds: float
    buffer_mean_seconds: float
    ptime_seconds: float


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """How evenly the worker's clock asked for what a call sent; `skipped` turns were left out altogether."""

    ticks: int
    skipped: int
    jitter_mean_seconds: float
    realtime: bool


CallEnding = Literal[
    "refused", "timeout", "transport", "completed", "remote", "stalled", "unreachable", "hung_up", "error"
]  # fmt: skip


class Inbound(msgspec.Struct, frozen=True, kw_only=True):
    """The call as it came back to us. `others`: INVITEs to the same account that were refused meanwhile.

    `marked`: our X-Test-Call was still in it; `aligned`: its recording begins with the caller's.
    """

    invited_ns: int
    answered_ns: int | None = None
    caller: str
    marked: bool
    others: int = 0
    messages: tuple[Message, ...] = ()
    media_active: bool = False
    codec: str | None = None
    local: str | None = None
    remote: str | None = None
    counters: Counters | None = None
    aligned: bool = False


class Called(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="called"):
    """A call is over.

    `completed`: we ended it after its hold. `stalled`: packets from there stopped. `unreachable`: nobody
    answers inside the dialog any more, though somebody did before. `refused`: a bad final answer. `alive_ns`: the last
    sign of life before `stalled` or `unreachable`, `noticed_ns` when that was decided. `stalled_seconds`: for how long
    the worker itself did not run meanwhile.
    """

    id: int
    ending: CallEnding
    started_ns: int
    ended_ns: int
    messages: tuple[Message, ...] = ()
    media_active: bool = False
    codec: str | None = None
    local: str | None = None
    remote: str | None = None
    seconds: tuple[Second, ...] = ()
    counters: Counters | None = None
    alive_ns: int | None = None
    noticed_ns: int | None = None
    clock: Clock | None = None
    stalled_seconds: float = 0.0
    detail: str | None = None
    inbound: Inbound | None = None


class Fault(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="fault"):
    """A command could not be done; no `id`: the worker as a whole."""

    id: int | None
    detail: str


AnyCommand = Register | Call | Hangup | Unregister | Quit
AnyEvent = Ready | Registered | Unregistered | Answered | Called | Fault

_encoder = msgspec.json.Encoder()
_commands: "msgspec.json.Decoder[AnyCommand]" = msgspec.json.Decoder(AnyCommand)
_events: "msgspec.json.Decoder[AnyEvent]" = msgspec.json.Decoder(AnyEvent)


def encode(message: AnyCommand | AnyEvent) -> bytes:
    """One line, its end included."""
    return _encoder.encode(message) + b"\n"


def decode_command(line: bytes) -> AnyCommand:
    """The command in a line; IpcError otherwise."""
    return _decoded(_commands, line)


def decode_event(line: bytes) -> AnyEvent:
    """The event in a line; IpcError otherwise."""
    return _decoded(_events, line)


def _decoded(decoder: "msgspec.json.Decoder[T]", line: bytes) -> T:
    try:
        return decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise IpcError(f"not a message: {error}") from None
