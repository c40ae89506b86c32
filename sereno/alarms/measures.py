"""What a threshold alarm can measure: a closed list, each measure with its samples, its elements and its parts.

What a sample is, and where it comes from, is the collector's affair (collector/thresholds/); a name means the same
here, there, in docs/alarms.md and in the rules for Prometheus.
"""

from typing import Literal, NamedTuple

Scope = Literal[
    "service", "site", "core", "sbc", "path", "probe", "portal", "database", "account", "network", "monitor"
]
Aggregate = Literal["p5", "p25", "p50", "p75", "p95", "mean", "min", "max", "last", "ratio", "count", "sum"]
Part = Literal["codec", "direction", "address", "account", "network", "replica", "probe", "cores"]
# value: a number per sample; event: yes or no per sample; pooled: so many of so many per sample.
Shape = Literal["value", "event", "pooled"]

AGGREGATES: dict[Shape, tuple[Aggregate, ...]] = {
    "value": ("p5", "p25", "p50", "p75", "p95", "mean", "min", "max", "last", "sum"),
    "event": ("ratio", "count"),
    "pooled": ("ratio",),
}


class Measure(NamedTuple):
    """One thing that is measured: of which elements, divisible by what, in which unit, in words."""

    shape: Shape
    unit: Literal["seconds", "ratio", "mos", "days", "count"]
    scopes: tuple[Scope, ...]
    by: tuple[Part, ...]
    meaning: str


_PATHS: tuple[Scope, ...] = ("path", "sbc", "core", "site", "service")
_CALLED: tuple[Part, ...] = ("network", "probe", "account")
_HEARD: tuple[Part, ...] = ("codec", "direction", "network", "probe")

MEASURES: dict[str, Measure] = {
    # forced OPTIONS
    "failed": Measure("event", "ratio", _PATHS, ("network", "probe"), "Forced OPTIONS that failed."),
    "late": Measure("event", "ratio", _PATHS, ("network", "probe"), "Forced OPTIONS answered after the deadline."),
    "retransmitted": Measure("event", "ratio", _PATHS, ("network", "probe"), "Forced OPTIONS that had to be repeated."),
    "rtt_seconds": Measure("value", "seconds", _PATHS, ("network", "probe"), "Round trip of a forced OPTIONS."),
    "rtt_shift_ratio": Measure(
        "value", "ratio", ("path",), ("network", "probe"),
        "Round trip over the median of the last seven days; 1 where it is less than 50 ms above it.",
    ),
    "wrong_core": Measure(
        "event", "ratio", _PATHS, ("network", "probe"), "Forced OPTIONS answered by another core than the one forced.",
    ),
    # registrations
    "register_failed": Measure("event", "ratio", _PATHS, _CALLED, "Registrations that failed."),
    "register_seconds": Measure("value", "seconds", _PATHS, _CALLED, "From REGISTER to its final answer."),
    "expires_seconds": Measure("value", "seconds", _PATHS, _CALLED, "Expiry that a registration was granted."),
    "rebind_seconds": Measure(
        "value", "seconds", ("site", "service"), ("account", "probe"),
        "From the loss of a registration until it works again through any SBC of the site.",
    ),
    "binding_missing": Measure(
        "event", "ratio", ("sbc", "account"), ("account", "probe"), "Registrations gone before their expiry.",
    ),
    # test calls
    "call_failed": Measure("event", "ratio", _PATHS, _CALLED, "Test calls that failed while their path was up."),
    "call_answered": Measure(
        "event", "ratio", _PATHS, _CALLED, "Test calls answered with a 2xx: SER (RFC 6076, section 4.6).",
    ),
    "cut_off": Measure("event", "ratio", _PATHS, _CALLED, "Test calls that ended before their time."),
    "bye_unanswered": Measure("event", "ratio", _PATHS, _CALLED, "Test calls whose BYE nobody answered."),
    "setup_seconds": Measure("value", "seconds", _PATHS, _CALLED, "From INVITE to its 200."),
    "post_dial_delay_seconds": Measure(
        "value", "seconds", _PATHS, _CALLED, "Session request delay of answered calls (RFC 6076, section 4.3.1).",
    ),
    "disconnect_seconds": Measure("value", "seconds", _PATHS, _CALLED, "From BYE to its answer."),
    "cross_core_failed": Measure(
        "event", "ratio", ("service",), ("cores",), "Calls from one core to a callee of another that failed.",
    ),
    # media of test calls, per stream
    "no_audio": Measure(
        "event", "ratio", _PATHS, ("direction", "network", "probe"),
        "Test calls without good audio in a direction: none at all, dead air, or the wrong one.",
    ),
    "mos_lq": Measure("value", "mos", _PATHS, _HEARD, "Listening quality (G.107)."),
    "mos_cq": Measure("value", "mos", _PATHS, _HEARD, "Conversational quality (G.107)."),
    "loss_ratio": Measure("pooled", "ratio", _PATHS, _HEARD, "RTP packets lost of those expected, pooled over calls."),
    "discard_ratio": Measure(
        "pooled", "ratio", _PATHS, _HEARD, "RTP packets too late for the de-jitter buffer, of those received.",
    ),
    "jitter_mean_seconds": Measure("value", "seconds", _PATHS, _HEARD, "A call's mean interarrival jitter (RFC 3550)."),
    "delay_seconds": Measure("value", "seconds", _PATHS, _HEARD, "One-way delay, mouth to ear, or half RTCP's trip."),
    # portals, names, databases, real traffic
    "certificate_days": Measure("value", "days", ("portal", "sbc"), ("address", "probe"), "Until a certificate ends."),
    "portal_seconds": Measure("value", "seconds", ("portal",), ("address", "probe"), "What a portal takes to answer."),
    "replication_lag_seconds": Measure(
        "value", "seconds", ("database",), ("replica", "probe"), "How far a replica is behind.",
    ),
    "backup_age_seconds": Measure("value", "seconds", ("database",), ("probe",), "Since the last backup was finished."),
    "registered": Measure("value", "count", ("sbc",), ("probe",), "Users registered, as the platform says."),
    "calls": Measure("value", "count", ("sbc",), ("probe",), "Live calls, as the platform says."),
    "registered_change_ratio": Measure(
        "value", "ratio", ("sbc",), ("probe",), "Registered users against the same hour a week ago: -0.2 is 20 % less.",
    ),
    "calls_change_ratio": Measure(
        "value", "ratio", ("sbc",), ("probe",), "Live calls against the same hour a week ago: -0.2 is 20 % less.",
    ),
    # the monitor itself
    "clock_offset_seconds": Measure("value", "seconds", ("probe",), (), "How far a probe's clock is off, either way."),
    "meter_dropped_ratio": Measure("pooled", "ratio", ("probe",), (), "Packets that a probe's media meter missed."),
    "spool_oldest_seconds": Measure("value", "seconds", ("probe",), (), "Age of the oldest result not committed yet."),
    "disk_free_ratio": Measure("value", "ratio", ("probe", "monitor"), (), "Room left on the disk of spool or store."),
}  # fmt: skip
