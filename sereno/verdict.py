"""The words that collector, alerting and dashboards share about verdicts; the machines live in their rooms."""

from typing import Any, Literal

import msgspec

State = Literal["up", "degraded", "down", "unknown", "maintenance"]
ElementKind = Literal[
    "service", "site", "core", "sbc", "path", "probe", "portal", "database", "account", "network", "monitor",
    "channel", "external", "customer",
]  # fmt: skip

LEDGER_REVISED = (
    "ledger_revised"  # Change.what: late results changed the past; its state is "found", for it is no state
)
VERDICT = "verdict"  # Change.what of the element's own state; any other value is a finding


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change of what is said of an element, in the order decided.

    `what` is "verdict" (then `state` is a State) or the name of a finding such as "core_refusing",
    "redundancy_lost", "failover_broken", "account_refused", "wrong_core", "intermittent", "options_slow",
    "outage_suspected", "network_split", "portal_member", "cert_expiry", "tls_grade", "dns_incomplete",
    "replication_lag", "backup_stale" (then `state` is "true" or "false").
    `since_us` is when it began by the samples (an outage: the first failed sample; a recovery: the first good sample
    of the confirming pair); `at_us` is when it was decided. `facts` is JSON evidence: planes, answered_by, voters,
    the results that decided as [probe, boot, seq].
    """

    kind: ElementKind
    name: str
    what: str
    state: str
    since_us: int
    at_us: int
    reason: str | None = None
    facts: dict[str, Any] = {}


class ElementVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of an element now."""

    kind: ElementKind
    name: str
    state: State
    since_us: int | None
    reason: str | None = None
    facts: dict[str, Any] = {}


class MaintenanceWindow(msgspec.Struct, frozen=True, kw_only=True):
    """Announced work on a scope (`service`, `customer`, `site`, `sbc`, `core`, `path`).

    It silences alarms; whether its time is excluded is the contract's affair.
    """

    scope_kind: str
    scope_name: str
    from_us: int
    to_us: int
    announced_us: int
    critical_fix: bool = False
