"""How availability is asked for by pages, reports and the API, and what comes back: figures and all that they are of.

Every total is the sum of what is listed beside it: the outages' `down_us` is D, the unknown spans' length is U, the
exclusions' length is X, the outages' `bound_us` is b.
"""

from collections.abc import Callable, Collection
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from sereno.availability import Figures, Scope
from sereno.store.queries.revisions import Revision
from sereno.topology.model import Topology

Progress = Callable[[float], None]  # how far it has come, 0 to 1
Refusal = Literal[
    "no_exclusion", "not_received", "after_begin", "notice_short", "notice_long", "outside_hours", "not_covered"
]  # fmt: skip


class Asked(NamedTuple):
    """A scope and a window, or a calendar month in the zone of the scope's contract."""

    scope: str
    from_us: int = 0
    to_us: int = 0
    month: str | None = None


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """One outage as it is counted: of a customer, outages of several sites that overlap or touch are one."""

    from_us: int
    to_us: int
    down_us: int  # what of it counts
    excluded_us: int  # what of it the contract takes out; of a customer, while another site was well and counted
    bound_us: int
    reason: str | None  # of the first of its parts
    sites: tuple[str, ...]
    begun_before: bool  # it reaches over the window's beginning
    goes_on: bool  # and over its end


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """Time that counts and of which nobody knows; `reason` None: there is not even a record of it."""

    from_us: int
    to_us: int
    reason: str | None
    sites: tuple[str, ...]


class Exclusion(msgspec.Struct, frozen=True, kw_only=True):
    """Time that the contract takes out, and the announced windows that it rests on."""

    from_us: int
    to_us: int
    windows: tuple[int, ...]


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One announced window that touches the scope, and what the contract's rule makes of it.

    `announced_us` is None where the notice did not reach every customer. `refused` says why time of it counts all the
    same: none of it is excluded, or with `outside_hours` only what lies in the contract's hours.
    """

    number: int
    scope_kind: str
    scope_name: str
    from_us: int
    to_us: int  # where it was called off before its end: that instant
    announced_us: int | None
    critical_fix: bool
    cancelled_us: int | None
    who: str
    contract: str
    notice_days: int | None  # local days between announcement and beginning
    least_days: int | None  # the rule: None where the contract excludes nothing
    most_days: int | None
    hours: tuple[int, int] | None  # the contract's daily window, in minutes of the local day
    same_day: bool  # the rule lets a critical fix be announced and done on one day
    refused: tuple[Refusal, ...]
    excluded_us: int  # of this scope, within the window asked for
    sites: tuple[str, ...]  # that it covers wholly


class Promised(msgspec.Struct, frozen=True, kw_only=True):
    """What one version of a contract promised over a part of the window."""

    from_us: int
    to_us: int
    contract: str
    effective: str
    target_ppm: int | None


class Day(NamedTuple):
    """One local day, or what of it lies in the window."""

    from_us: int
    to_us: int
    figures: Figures


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A scope's figures in a window with everything that they are made of."""

    scope: Scope
    month: str | None
    zone: str
    from_us: int
    to_us: int  # where a month is not over: now
    ends_us: int  # of the month
    figures: Figures
    budget_us: int | None  # of the whole month
    outages: tuple[Outage, ...]
    unknown: tuple[Unknown, ...]
    exclusions: tuple[Exclusion, ...]
    notices: tuple[Notice, ...]
    promised: tuple[Promised, ...]
    days: tuple[Day, ...]
    year: Figures | None
    revisions: tuple[Revision, ...]
    topologies: tuple[int, ...]  # when another topology came into force within the window
    plan: Topology  # by which the figures are read, in force from `read_by_us` on
    read_by_us: int
    sites: tuple["Account", ...]  # of a customer, or of the service: each site by itself
    others: tuple[str, ...]  # sites that the customer had within the window by another topology: not in the figures

    @property
    def over(self) -> bool:
        """Whether the month has ended."""
        return self.to_us >= self.ends_us


class Availability(Protocol):
    """Answers from one snapshot of the store each; UsageError for a scope or a month that there is not."""

    def answer(self, asked: Asked, now_us: int) -> dict[str, Any]:
        """The object that `sereno availability --json` prints."""

    def account(self, asked: Asked, now_us: int, progress: Progress | None = None) -> Account:
        """Everything of one scope; seconds for a month of a hundred sites."""

    def days(self, scopes: Collection[Scope], zone: str, from_us: int, to_us: int) -> dict[Scope, tuple[Day, ...]]:
        """Local days by the ledger's rows alone: what it has not written yet is unknown."""


__all__ = [
    "Account",
    "Asked",
    "Availability",
    "Day",
    "Exclusion",
    "Notice",
    "Outage",
    "Progress",
    "Promised",
    "Refusal",
    "Unknown",
]
