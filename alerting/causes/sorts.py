"""Sorts of alarms, by what they watch: faults, conditions, and standing matters that have an incident of their own."""

from functools import cache

from sereno.verdict import VERDICT

FAULTS = frozenset({
    VERDICT, "core_refusing", "sbc_unreachable_internet", "failover_broken", "register_failing", "call_failing",
    "audio_broken", "redundancy_lost", "outage_suspected", "network_split", "intermittent", "cross_core_call",
    "portal_member", "replication_stopped", "external_alert",
})  # fmt: skip
"""Something does not work. Every other alarm is a condition: it works, and not as it should (slow, lossy, expiring)."""

_STANDING = ("cert_", "tls_", "dns_", "backup_", "replication_", "budget_")
BUDGET = "budget"


def is_fault(what: str) -> bool:
    """What is a part of an outage, and keeps its incident open."""
    return what in FAULTS


@cache
def topic_of(what: str) -> str:
    """Standing matters of an element, each an incident of its own.

    A certificate that runs out for a month is not the outage of a night, nor a stale backup its replication.
    """
    return next((prefix[:-1] for prefix in _STANDING if what.startswith(prefix)), "")
