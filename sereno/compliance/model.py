"""The words of a month's compliance: cases, tallies, parts under one set of terms, credits."""

from collections.abc import Iterable
from decimal import ROUND_DOWN, Decimal
from fractions import Fraction
from typing import Literal

import msgspec

from sereno.activity import Activity
from sereno.incident import ClockName, Priority, TicketKind

Outcome = Literal["met", "missed", "running", "paused", "alone"]
Verdict = Literal["met", "missed", "no_cases", "no_target"]
PenaltyName = Literal["shortfall", "late", "activities"]
_SHOWN = Decimal("0.0001")


class Scope(msgspec.Struct, frozen=True):
    """A customer, or one of his sites."""

    customer: str
    site: str | None = None


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What one ticket owed a customer by one of its clocks, once, however often it was reopened.

    `due_us` is the date that decides: the first one that was missed, else the last.
    """

    incident: int
    kind: TicketKind
    clock: ClockName
    priority: Priority
    severity: str | None
    due_us: int
    outcome: Outcome
    agreed: bool
    sites: tuple[str, ...]


class Tally(msgspec.Struct, frozen=True):
    """How many clocks were met and missed."""

    met: int
    missed: int

    @classmethod
    def of(cls, cases: Iterable[Case]) -> "Tally":
        """Of those that are decided."""
        outcomes = [case.outcome for case in cases]
        return cls(outcomes.count("met"), outcomes.count("missed"))

    @property
    def total(self) -> int:
        return self.met + self.missed

    @property
    def share(self) -> Fraction | None:
        """Percent met, exactly; None without cases."""
        return Fraction(100 * self.met, self.total) if self.total else None


class Credit(msgspec.Struct, frozen=True, kw_only=True):
    """One discount: for how many units, on which invoice, by how much; no amount: none was agreed."""

    penalty: PenaltyName
    invoice: Literal["general", "site"]
    units: Decimal
    site: str | None = None
    amount: Decimal | None = None
    percent: Decimal | None = None
    incidents: tuple[int, ...] = ()
    activities: tuple[int, ...] = ()


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a month under one set of terms; most months have one."""

    from_us: int
    to_us: int
    target_percent: float | None
    tally: Tally
    currency: str | None
    credits: tuple[Credit, ...] = ()

    @property
    def verdict(self) -> Verdict:
        if self.tally.share is None:
            return "no_cases"
        if self.target_percent is None:
            return "no_target"
        return "met" if self.tally.share >= Fraction(str(self.target_percent)) else "missed"

    @property
    def shortfall(self) -> Fraction | None:
        """Percentage points below the target; None without cases or target."""
        share = self.tally.share
        if share is None or self.target_percent is None:
            return None
        return max(Fraction(0), Fraction(str(self.target_percent)) - share)


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """A month of a customer or a site; every figure names its tickets."""

    scope: Scope
    contract: str
    month: str
    timezone: str
    from_us: int
    to_us: int
    now_us: int
    cases: tuple[Case, ...]  # decided ones that fell due in the month
    pending: tuple[Case, ...]  # of those that fall due in it, the ones that nothing has decided yet
    alone: tuple[Case, ...]  # met without anybody's work: apart, they prove nothing
    parts: tuple[Part, ...]
    activities: tuple[Activity, ...]  # due in the month

    @property
    def tally(self) -> Tally:
        return Tally.of(self.cases)

    @property
    def verdict(self) -> Verdict:
        """Of all parts that had cases: the worst one's."""
        said = [part.verdict for part in self.parts]
        return next((word for word in ("missed", "met", "no_target") if word in said), "no_cases")

    @property
    def over(self) -> bool:
        """The month has ended and nothing in it is undecided."""
        return self.now_us >= self.to_us and not self.pending


def shown(value: Fraction | None) -> Decimal | None:
    """A percentage for people and JSON, cut rather than rounded: what misses a target never reads as if it met it."""
    if value is None:
        return None
    return (Decimal(value.numerator) / Decimal(value.denominator)).quantize(_SHOWN, ROUND_DOWN)
