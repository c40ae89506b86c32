"""What one result says to its witness: a good, late, failed or void sample, and why.

The table of answers is in docs/reasons.md: the probe decides `outcome`; here it is only weighed. Results of one series
(same probe, check, SBC, core, address and account) share a `LeafKey`.
"""

import functools
from typing import Any, NamedTuple

import msgspec

from sereno.clock import SECOND_US
from sereno.doubt import own_network
from sereno.topology.model import Database, Portal, Topology
from sereno.wire import UNSENT_CODES, Result

GOOD, LATE, FAIL, VOID = 1, 2, 0, -1

DEFAULT_EVERY_US = {
    "edge": SECOND_US,
    "natural": SECOND_US,
    "options": SECOND_US,
    "register": 30 * SECOND_US,
    "call": 60 * SECOND_US,
}
TARGETED = ("https", "database")  # of a portal, of a database: told apart by `target`
DEFAULT_TIMEOUT_US = {
    "edge": 900_000,
    "natural": 900_000,
    "options": 900_000,
    "register": 4 * SECOND_US,
    "call": 8 * SECOND_US,
}

_LONGEST_SECONDS = 3_600.0
SLOW_SECONDS, CLEAR_SECONDS = 0.5, 0.3  # p95 of the round trip that raises and clears options_slow

# What makes a phone try its next server: silence, no connection, 408 and 5xx (RFC 3263 §4.3). Any other answer ends
# the attempt, so failover by itself does not help.
_VISIBLE = frozenset({"timeout", "refused", "dns", "tls", "transport", "sip_408", "sip_5xx"})
_REFUSAL_CODES = frozenset({401, 403, 404, 407})
_AUDIO = frozenset({"no_media", "one_way", "dead_air"})
# A call that was answered and carried media both ways: quality, never downtime (docs/verdicts.md §6).
_CALL_QUALITY = frozenset({"wrong_audio", "cut_off", "bye_unanswered", "codec", "srtp", "late"})


class LeafKey(NamedTuple):
    """One series of samples; `address` is what was asked: an SBC's address, or the name of a portal or a database."""

    probe: str
    check: str
    sbc: str | None
    core: str | None
    address: str | None
    account: str | None


class Signature(NamedTuple):
    """Why a sample is as it is; equal signatures are the same object."""

    reason: str | None
    tags: frozenset[str]

    def __deepcopy__(self, _: object) -> "Signature":
        return self  # there is one of each, also in a copy of who remembers it


class Sample(msgspec.Struct, frozen=True, gc=False):  # a million may be alive: none that the garbage collector visits
    """A result as its witness sees it.

    `order` breaks ties of `at_us`; `reply_us` is a late reply's arrival; `settled_us` is when the sample was known
    to have had no timely reply (its deadline).
    """

    at_us: int
    order: tuple[str, int]
    weight: int
    signature: Signature
    reply_us: int
    settled_us: int
    slow: int = 0  # 1 above 300 ms, 2 above 500 ms


@functools.cache
def signature(reason: str | None, *tags: str) -> Signature:
    """The one Signature of a reason and tags, in whatever order."""
    return _the_one(reason, frozenset(tags))


@functools.cache
def _the_one(reason: str | None, tags: frozenset[str]) -> Signature:
    return Signature(reason, tags)


PLAIN = signature(None)
LATE_SIGNATURE = signature("late", "late")


class Timing:
    """Intervals and deadlines of the checks in use, from the topology or the defaults."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        checks = topology.checks
        set_checks = {
            "edge": checks.edge,
            "natural": checks.natural,
            "options": checks.options,
            "register": checks.register_,
            "call": checks.call,
        }
        self.every_us = {
            name: found.every_us if found else DEFAULT_EVERY_US[name] for name, found in set_checks.items()
        }
        self.timeout_us = {
            name: found.timeout_us if found else DEFAULT_TIMEOUT_US[name] for name, found in set_checks.items()
        }

    def hold_us(self, check: str) -> int:
        """A sample speaks for at most 2.5 of its intervals (docs/verdicts.md §1)."""
        return self.every_us[check] * 5 // 2

    def live_hold_us(self, check: str) -> int:
        """Live screens forgive the wire: 10 seconds at least."""
        return max(self.hold_us(check), 10 * SECOND_US)

    def every_of(self, check: str, target: str | None) -> int:
        """The interval of a check, of a portal's or database's own where it is one of theirs."""
        return self.every_us[check] if check in self.every_us else self._target(check, target)[0]

    def timeout_of(self, check: str, target: str | None) -> int:
        """Its deadline."""
        return self.timeout_us[check] if check in self.timeout_us else self._target(check, target)[1]

    @property
    def slowest_us(self) -> int:
        """The longest interval of all."""
        portals = [one.every_us for one in self._topology.portals.values()]
        databases = [one.every_us for one in self._topology.databases.values()]
        return max(*self.every_us.values(), *portals, *databases)

    def _target(self, check: str, target: str | None) -> tuple[int, int]:
        name, topology = target or "", self._topology
        found: Portal | Database | None = (
            topology.portals.get(name) if check == "https" else topology.databases.get(name)
        )
        return (found.every_us, found.timeout_us) if found is not None else (60 * SECOND_US, 10 * SECOND_US)


def leaf_key(result: Result) -> LeafKey | None:
    """The series a result belongs to; None when its check makes no verdict."""
    if result.check in TARGETED:
        return LeafKey(result.probe, result.check, None, None, result.target, None) if result.target else None
    if result.check not in DEFAULT_EVERY_US or (result.sbc is None and result.core is None):
        return None
    return LeafKey(result.probe, result.check, result.sbc, result.core, result.address, result.account)


def span_us(seconds: float) -> int:
    """What a result says that it took, never less than nothing nor more than an hour, whatever it says."""
    return round(max(0.0, min(seconds, _LONGEST_SECONDS)) * SECOND_US)


def known(topology: Topology, key: LeafKey) -> bool:
    """Whether the topology has what the series is about."""
    if key.check in TARGETED:
        return key.address in (topology.portals if key.check == "https" else topology.databases)
    return (key.sbc is None or key.sbc in topology.sbcs) and (key.core is None or key.core in topology.cores)


def sample(result: Result, at_us: int, timeout_us: int) -> Sample:
    """What a voice result says."""
    order = (result.boot, result.seq)
    deadline = at_us + timeout_us
    outcome, reason = result.outcome, result.reason
    if outcome == "ok":
        if reason == "late":
            after = result.answered_after_seconds or result.duration_seconds
            reply = at_us + span_us(after) if after else deadline
            return Sample(at_us, order, LATE, LATE_SIGNATURE, reply, deadline)
        rtt = result.rtt_seconds or 0.0
        slow = 0 if rtt <= CLEAR_SECONDS else 1 if rtt <= SLOW_SECONDS else 2
        return Sample(at_us, order, GOOD, _good(result), at_us, at_us, slow)
    if outcome == "invalid" or _void(result):
        return Sample(at_us, order, VOID, signature(reason or "no_witness"), at_us, at_us)
    if result.check == "call" and reason in _CALL_QUALITY:
        return Sample(at_us, order, GOOD, signature(reason, "degraded"), at_us, at_us)
    if result.check in TARGETED:
        serving = _serving(result)
        if serving is not None:
            return Sample(at_us, order, GOOD, serving, at_us, at_us)
    if result.duration_seconds is not None and result.answered_after_seconds is None:
        deadline = min(deadline, at_us + span_us(result.duration_seconds))
    return Sample(at_us, order, FAIL, _failure(result), at_us, deadline)


def _good(result: Result) -> Signature:
    if result.reason is not None:
        return signature(result.reason, "degraded")
    if result.check == "options" and result.answered_by == "unknown":
        return signature("not_proved", "not_proved")
    return PLAIN


def _failure(result: Result) -> Signature:
    reason = result.reason or "timeout"
    tags = []
    code = result.code or 0
    if result.check == "register" and (reason == "auth" or code in _REFUSAL_CODES):
        return signature("auth", "refused")
    if reason in _AUDIO:
        tags.append("audio")
    if reason in _VISIBLE:
        tags.append("visible")
    unreached = code == 408 or 500 <= code < 600 or code in UNSENT_CODES  # noqa: PLR2004  # SIP status classes
    if result.answered_by == "sbc" and unreached:
        tags.append("by_sbc")
    elif result.answered_by == "core" and code >= 500:  # noqa: PLR2004
        tags.append("by_core")
    if not canaries(result.evidence):
        tags.append("no_canary")
    return signature(reason, *tags)


def _serving(result: Result) -> Signature | None:
    """Why a portal or a database that still serves is only degraded; None when it does not serve."""
    facts, reason = result.facts or {}, result.reason
    if result.check == "https":
        if reason in {"tls_grade", "dns_incomplete"}:
            return signature(reason, "degraded")
        answering = facts.get("answering")
        some = isinstance(answering, int) and answering > 0
        return signature(reason, "degraded", "member") if some else None
    if reason == "role":  # a primary where a replica should be still takes writes; the other way round nothing does
        return signature(reason, "degraded", "writable") if facts.get("role") == "primary" else None
    return signature(reason, "degraded") if reason in {"lag", "backup_stale"} else None


def _void(result: Result) -> bool:
    """A failure that says nothing: every canary silent, our own account refused in a call, our own fault."""
    if result.reason in {"probe_fault", "steering", "blocked"}:
        return True
    if result.check == "call" and result.reason == "auth":
        return True
    return own_network(result.answered_by, result.reason, canaries(result.evidence))


def canaries(evidence: Any) -> dict[str, bool]:
    """Which canaries answered, from a result's evidence: `{name: bool}` or `[{"target", "ok"}]`."""
    if not isinstance(evidence, dict):
        return {}
    found = evidence.get("canaries")
    if isinstance(found, dict):
        return {str(name): answer is True for name, answer in found.items() if isinstance(answer, bool)}
    if isinstance(found, list):
        return {
            str(one.get("target", index)): one["ok"]
            for index, one in enumerate(found)
            if isinstance(one, dict) and isinstance(one.get("ok"), bool)  # of what is not said nothing is known
        }
    return {}
