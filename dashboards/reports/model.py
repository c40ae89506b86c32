"""One report: everything that any of its forms shows, frozen, and at once the shape of its JSON (docs/reports.md).

Instants are ISO 8601 UTC, durations seconds, availabilities ratios, as in `sereno availability --json`. Nothing here
depends on language, edition or form: whoever renders adds words, and no number.
"""

from typing import Any

import msgspec

FORMAT = 1


class Availability(msgspec.Struct, frozen=True, kw_only=True):
    """Field by field what `sereno availability --json` says of the same scope and month."""

    scope: str
    from_: str = msgspec.field(name="from")
    to: str
    low: float | None
    observed: float | None
    high: float | None
    down_seconds: float
    excluded_seconds: float
    unknown_seconds: float
    total_seconds: float
    target: float | None
    verdict: str | None
    timezone: str
    outages: int
    bound_seconds: float
    budget_seconds: float | None
    budget_remaining_seconds: float | None


class Arithmetic(msgspec.Struct, frozen=True, kw_only=True):
    """How the verdict follows; every figure in seconds."""

    counted_seconds: float  # T − X
    seen_seconds: float  # T − X − U
    allowed_seconds: float | None  # what the promise leaves room for in the time that counts, to the microsecond
    at_worst_seconds: float  # D + b + U
    at_least_seconds: float  # D − b
    met: bool | None  # at worst ≤ allowed
    missed: bool | None  # at least > allowed


class Promised(msgspec.Struct, frozen=True, kw_only=True):
    from_: str = msgspec.field(name="from")
    to: str
    contract: str
    effective: str
    target: float | None


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    name: str


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    from_: str = msgspec.field(name="from")
    to: str
    down_seconds: float
    excluded_seconds: float
    bound_seconds: float
    reason: str | None
    sites: tuple[str, ...]
    begun_before: bool
    goes_on: bool
    incidents: tuple[int, ...]
    cause: Cause | None
    evidence: str  # the page of ours that has the samples, from its root
    command: str  # the same at a terminal


class Exclusion(msgspec.Struct, frozen=True, kw_only=True):
    from_: str = msgspec.field(name="from")
    to: str
    seconds: float
    windows: tuple[int, ...]


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One announced window; `counts` says why its time is not excluded, or not all of it."""

    window: int
    scope: str
    from_: str = msgspec.field(name="from")
    to: str
    announced: str | None
    notice_days: int | None
    critical_fix: bool
    cancelled: str | None
    who: str
    contract: str
    least_days: int | None
    most_days: int | None
    hours: str | None  # `19:00-05:00`
    same_day: bool
    excluded_seconds: float
    counts: tuple[str, ...]
    sites: tuple[str, ...]


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    from_: str = msgspec.field(name="from")
    to: str
    seconds: float
    reason: str
    sites: tuple[str, ...]


class Day(msgspec.Struct, frozen=True, kw_only=True):
    date: str
    state: str  # down, unknown, excluded (wholly), up: the first of them that applies
    total_seconds: float
    down_seconds: float
    unknown_seconds: float
    excluded_seconds: float
    observed: float | None


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """One site by itself, as its own report would have it."""

    site: str
    availability: Availability
    outages: tuple[Outage, ...]
    unknown: tuple[Unknown, ...]
    days: tuple[Day, ...]


class ClockRow(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one clock at one priority: cases that fell due in the month."""

    kind: str
    clock: str
    priority: str
    met: int
    missed: int
    pending: int
    recovered_alone: int


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    kind: str
    state: str
    priority: str
    severity: str | None
    title: dict[str, str]  # by language
    cause: Cause
    sites: tuple[str, ...]
    since: str
    opened: str
    acknowledged: str | None
    resolved: str | None
    closed: str | None
    reopenings: int


class Tickets(msgspec.Struct, frozen=True, kw_only=True):
    """Incidents and requests of the customer that were open at any time of the month."""

    incidents: int
    requests: int
    opened: int  # of both, within the month
    resolved: int  # within the month
    open_at_end: int
    listed: tuple[Ticket, ...]


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """Percentiles are measured values (nearest rank); `counts` are of what is at most each bound, and one for above."""

    count: int
    minimum: float | None
    p5: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    maximum: float | None
    bounds: tuple[float, ...]
    counts: tuple[int, ...]


class Calls(msgspec.Struct, frozen=True, kw_only=True):
    """Test calls of the month: of an SBC, of a site's SBCs together, or of all of them."""

    name: str
    sbcs: tuple[str, ...]
    made: int
    ok: int
    failed: int
    invalid: int
    mos_lq: Distribution
    mos_cq: Distribution
    sent_mos_lq: Distribution  # by the far end's reports
    setup_seconds: Distribution
    session_request_delay_seconds: Distribution  # RFC 6076 §4.3, of calls that were answered
    failed_session_request_delay_seconds: Distribution  # of those that were not
    session_disconnect_delay_seconds: Distribution  # §4.4


class AllCalls(msgspec.Struct, frozen=True, kw_only=True):
    whole: Calls
    by_sbc: tuple[Calls, ...]
    by_site: tuple[Calls, ...]


class Topology(msgspec.Struct, frozen=True, kw_only=True):
    """By which plan of the network the figures are read."""

    read_by: str
    changed: tuple[str, ...]
    other_sites: tuple[str, ...]


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """The newest seal of the ledger's days up to the month's end (docs/availability.md)."""

    number: int
    day: str
    hash: str


class Check(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    every_seconds: float
    timeout_seconds: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A customer's month, or a site's."""

    format: int = FORMAT
    service: str
    customer: str
    customer_name: str
    locale: str
    site: str | None
    month: str
    timezone: str
    from_: str = msgspec.field(name="from")
    to: str
    ends: str
    over: bool
    contract: str
    availability: Availability
    arithmetic: Arithmetic
    promised: tuple[Promised, ...]
    year: Availability | None
    days: tuple[Day, ...]
    outages: tuple[Outage, ...]
    exclusions: tuple[Exclusion, ...]
    notices: tuple[Notice, ...]
    unknown: tuple[Unknown, ...]
    sites: tuple[Site, ...]
    revisions: tuple[dict[str, str], ...]
    topology: Topology
    seal: Seal | None
    compliance: dict[str, Any]  # as `sereno contract compliance --json`, without the availability
    clocks: tuple[ClockRow, ...]
    tickets: Tickets
    calls: AllCalls
    checks: tuple[Check, ...]
    version: str = ""
    data_hash: str = ""
