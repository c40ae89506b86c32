"""What travels over MQTT and what `check --json` prints: JSON by msgspec, `v` first, unknown fields ignored.

Unmeasured values are absent, never zero. Instants are ISO 8601 UTC with microseconds, durations seconds.
"""

import re
from typing import Any, Literal, TypeVar, get_args

import msgspec

from sereno.clock import parse_instant
from sereno.errors import WireError

T = TypeVar("T", bound=msgspec.Struct)

VERSION = 1
TOPIC_PREFIX = "sereno/v1"
BATCH_LIMIT = 500  # results in a batch

CheckName = Literal[
    "edge", "options", "natural", "register", "call", "terminating", "pstn",
    "https", "dns", "tcp", "database", "traffic",
]  # fmt: skip
Outcome = Literal["ok", "failed", "invalid"]
AnsweredBy = Literal["core", "sbc", "unknown", "none"]
Reason = Literal[
    "timeout", "late", "refused", "dns", "tls", "transport", "sip_3xx", "sip_408", "sip_4xx", "sip_5xx", "sip_6xx",
    "loop", "blocked", "steering", "wrong_core", "auth", "binding_missing", "malformed", "no_answer", "no_media",
    "one_way", "dead_air", "wrong_audio", "cut_off", "bye_unanswered", "codec", "srtp", "http_status", "tls_grade",
    "dns_incomplete", "role", "lag", "backup_stale", "probe_fault",
]  # fmt: skip
CHECKS: tuple[str, ...] = get_args(CheckName)
REASONS: tuple[str, ...] = get_args(Reason)
# Kamailio and OpenSIPS say these themselves, and nobody else does: the next hop is on a blocklist (473), has no
# address (476, 478), or nothing could be sent to it, as over TCP to a dead host (477).
UNSENT_CODES = frozenset({473, 476, 477, 478})

PROBE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one check measured; immutable; identified by (probe, boot, seq). `at` is the time of sending."""

    v: int
    probe: str
    boot: str
    seq: int
    at: str
    check: CheckName
    outcome: Outcome
    sbc: str | None = None
    core: str | None = None
    address: str | None = None
    transport: str | None = None
    reason: Reason | None = None
    code: int | None = None
    phrase: str | None = None
    answered_by: AnsweredBy | None = None
    answered_core: str | None = None
    target: str | None = None
    duration_seconds: float | None = None
    rtt_seconds: float | None = None
    answered_after_seconds: float | None = None
    retransmissions: int | None = None
    retry_after_seconds: float | None = None
    setup_seconds: float | None = None
    post_dial_delay_seconds: float | None = None
    disconnect_seconds: float | None = None
    expires_seconds: float | None = None
    account: str | None = None
    codec: str | None = None
    media: dict[str, dict[str, Any]] | None = None
    facts: dict[str, Any] | None = None  # what the check learnt besides: tls, addresses, lag… (docs/checks.md)
    evidence: Any = None

    @property
    def at_us(self) -> int:
        """`at` as integer microseconds UTC; ValueError if it is no instant."""
        return parse_instant(self.at)


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Results of one boot, contiguous in seq from `first`: the place of a result that cannot be read is known too.

    `oldest` is the oldest seq that the spool still holds, per boot.
    """

    v: int
    probe: str
    boot: str
    first: int
    oldest: dict[str, int]
    results: list[msgspec.Raw]


class Echo(msgspec.Struct, frozen=True, kw_only=True):
    """The collector's times of one status: its own `at`, when it was taken in, when this answer left.

    With the time of arrival they are the four timestamps of NTP (RFC 5905, section 8).
    """

    at: str
    received: str
    sent: str


class Ack(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is committed to the store, cumulative and retained: per boot, closed ranges of seq."""

    v: int
    epoch: int
    committed: dict[str, list[tuple[int, int]]]
    echo: Echo | None = None


class Lateness(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How late a probe began its checks: counts per bucket since the process began, percentiles of the last seconds.

    `counts` has one more than `bounds`: what is above the last bound.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum_seconds: float
    p50_seconds: float | None = None
    p99_seconds: float | None = None
    max_seconds: float | None = None


class Status(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Retained; the last will of a probe says `offline`."""

    v: int
    probe: str
    state: Literal["online", "offline"]
    at: str | None = None
    boot: str | None = None
    topology_hash: str | None = None
    spooled: int | None = None
    notes: list[str] | None = None
    meter_dropped: int | None = None  # packets the media meter missed since this process began; absent: it has none
    version: str | None = None
    clock_offset_seconds: float | None = None  # what the collector's clock is ahead of the probe's; absent: unknown
    clock_error_seconds: float | None = None  # that figure is right within this
    canaries: dict[str, bool] | None = None  # who answered in the newest round; absent: there are none
    cpu_seconds: float | None = None  # of this process since it began, its workers not counted
    dropped: int | None = None  # results given up since the process began: spool full, or its disk broken
    unsaved: int | None = None  # results that wait in memory, because the disk takes none
    fired: int | None = None  # checks begun, extra ones included, since the process began; so the next four
    extras: int | None = None
    overruns: int | None = None
    missed: int | None = None
    stalled_seconds: float | None = None  # this process did not run
    doubted: dict[str, int] | None = None  # results called invalid by the probe itself: network, cpu, clock
    lateness: Lateness | None = None
    spool_oldest_seconds: float | None = None  # age of the oldest result that no collector has committed; 0: none waits
    disk_free_ratio: float | None = None  # room left on the disk of the spool, of what this user may fill


class TopologyPart(msgspec.Struct, frozen=True, kw_only=True):
    """A probe's own part of the topology (JSON of the validated model, secrets by reference), retained."""

    v: int
    hash: str
    topology: dict[str, Any]


class _Version(msgspec.Struct):
    v: int


_encoder = msgspec.json.Encoder()
_version = msgspec.json.Decoder(_Version)
_decoders: dict[type, msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(kind) for kind in (Result, Batch, Ack, Status, TopologyPart)
}


def encode(message: msgspec.Struct) -> bytes:
    """The JSON of any wire struct."""
    return _encoder.encode(message)


def decode(payload: bytes | msgspec.Raw, kind: type[T]) -> T:
    """The struct in `payload`; WireError, and nothing else, when it is garbage or of an unknown version."""
    try:
        version = _version.decode(payload).v
        if version != VERSION:
            raise WireError(f"unknown version {version} (this one reads {VERSION})", version=version)
        message: T = _decoders[kind].decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"not a {kind.__name__.lower()}: {error}") from None
    if isinstance(message, Result):
        _validate(message)
    return message


def _validate(result: Result) -> None:
    if result.seq < 1 or not result.boot or not PROBE_NAME.fullmatch(result.probe):
        raise WireError(f"not a result: probe {result.probe!r}, boot {result.boot!r}, seq {result.seq}")
    try:
        parse_instant(result.at)
    except ValueError as error:
        raise WireError(f"not a result: at: {error}") from None


def topic(kind: Literal["results", "acks", "status", "topology"], probe: str) -> str:
    """The MQTT topic of a probe."""
    return f"{TOPIC_PREFIX}/{kind}/{probe}"
