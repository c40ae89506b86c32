"""Availability of a scope in a window as figures: low, observed, high, and an honest verdict (docs/availability.md).

All arithmetic is in integer microseconds; ratios are only for showing. How the figures come about is the collector's.
"""

from decimal import ROUND_DOWN, Decimal
from typing import Literal, NamedTuple

from sereno.clock import SECOND_US, iso

Verdict = Literal["met", "missed", "not_provable"]
PPM = 1_000_000
_SIX_PLACES = Decimal("0.000001")
SCOPES = ("service", "customer", "site", "core", "sbc", "path")


class Scope(NamedTuple):
    """What the figures are of."""

    kind: str
    name: str

    def __str__(self) -> str:
        return self.kind if self.kind == "service" else f"{self.kind}:{self.name}"


class Figures(NamedTuple):
    """D, X, U, T in microseconds and what they prove."""

    scope: Scope
    from_us: int
    to_us: int
    down_us: int
    excluded_us: int
    unknown_us: int
    bound_us: int  # b: one interval per outage, what sampling cannot see
    outages: int
    target_ppm: int | None
    allowed: int | None = None  # (10⁶ − p)·(T − X), piece by piece where the promise changed within the window

    @property
    def total_us(self) -> int:
        return self.to_us - self.from_us

    @property
    def counted_us(self) -> int:
        """T − X: what the contract looks at."""
        return self.total_us - self.excluded_us

    @property
    def observed(self) -> float | None:
        """Over the time that was seen; None when none was."""
        return _ratio(self.down_us, self.counted_us - self.unknown_us)

    @property
    def low(self) -> float | None:
        """As if all unknown time had been down."""
        return _ratio(self.down_us + self.unknown_us, self.counted_us)

    @property
    def high(self) -> float | None:
        """As if all unknown time had been up."""
        return _ratio(self.down_us, self.counted_us)

    @property
    def verdict(self) -> Verdict | None:
        """Met or missed only where sampling and unknown time leave no doubt; None without a target."""
        allowed = self.allowed_ppm
        if allowed is None:
            return None
        if PPM * (self.down_us + self.bound_us + self.unknown_us) <= allowed:
            return "met"
        if PPM * (self.down_us - self.bound_us) > allowed:
            return "missed"
        return "not_provable"

    @property
    def budget_us(self) -> int | None:
        """Downtime that the promise leaves room for; None without one."""
        return None if self.allowed_ppm is None else self.allowed_ppm // PPM

    @property
    def remaining_us(self) -> int | None:
        """What of the budget is not spent; negative when it is overspent."""
        return None if self.budget_us is None else self.budget_us - self.down_us

    @property
    def target(self) -> float | None:
        """The promise as a ratio; of the whole window, where it changed within."""
        if self.allowed is None or self.counted_us <= 0:
            return None if self.target_ppm is None else self.target_ppm / PPM
        if self.target_ppm is not None and self.allowed == (PPM - self.target_ppm) * self.counted_us:
            return self.target_ppm / PPM
        return 1 - self.allowed / (PPM * self.counted_us)

    @property
    def allowed_ppm(self) -> int | None:
        """Downtime that the promise leaves room for, times a million: exact."""
        if self.allowed is not None or self.target_ppm is None:
            return self.allowed
        return (PPM - self.target_ppm) * self.counted_us

    def as_json(self) -> dict[str, object]:
        """The shape of `availability --json`."""
        return {
            "scope": str(self.scope),
            "from": iso(self.from_us),
            "to": iso(self.to_us),
            "low": self.low,
            "observed": self.observed,
            "high": self.high,
            "down_seconds": self.down_us / SECOND_US,
            "excluded_seconds": self.excluded_us / SECOND_US,
            "unknown_seconds": self.unknown_us / SECOND_US,
            "total_seconds": self.total_us / SECOND_US,
            "target": self.target,
            "verdict": self.verdict,
        }


def percent(ratio: float | None) -> str:
    """A ratio as people read it, cut and never rounded up: 100 % is only what lost nothing."""
    if ratio is None:
        return "—"
    return f"{Decimal(repr(float(ratio))).scaleb(2).quantize(_SIX_PLACES, ROUND_DOWN):f}%"


def _ratio(bad_us: int, of_us: int) -> float | None:
    return None if of_us <= 0 else (of_us - bad_us) / of_us


__all__ = ["PPM", "SCOPES", "Figures", "Scope", "Verdict", "percent"]
