"""Availability of a scope in a window: low, observed, high, and an honest verdict (docs/verdicts.md §9–§11).

All arithmetic is in integer microseconds; ratios are only for showing. What nobody measured is unknown, what the
contract excludes is excluded, and excluded goes before down, down before unknown.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import ROUND_DOWN, Decimal
from typing import Literal, NamedTuple

from collector.ledger import spans
from collector.ledger.fold import Interval
from collector.ledger.spans import Spans
from sereno.clock import SECOND_US, iso
from sereno.topology.model import Topology

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
        allowed = self._allowed
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
        return None if self._allowed is None else self._allowed // PPM

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
    def _allowed(self) -> int | None:
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


Excluded = Callable[[Scope], Spans]
Promise = tuple[int, int, int | None]  # from, to, parts per million


class Book:
    """The intervals of one window, by element."""

    def __init__(self, intervals: Iterable[Interval]) -> None:
        self._by: dict[Scope, list[Interval]] = {}
        for one in intervals:
            self._by.setdefault(Scope(one.kind, one.name), []).append(one)

    def down(self, scope: Scope) -> list[Interval]:
        return [one for one in self._by.get(scope, []) if one.state == "down"]

    def known(self, scope: Scope) -> Spans:
        """Time that is neither unknown nor missing."""
        return spans.union((one.from_us, one.to_us) for one in self._by.get(scope, []) if one.state != "unknown")


def figures(
    topology: Topology,
    book: Book,
    scope: Scope,
    from_us: int,
    to_us: int,
    *,
    excluded: Excluded,
    target_ppm: int | None = None,
    promised: Sequence[Promise] | None = None,
) -> Figures:
    """The figures of a scope. A customer is, at every instant, its worst site that is not excluded.

    `promised` says what was promised in every piece of the window; a piece without a promise leaves no verdict.
    """
    parts = [scope]
    if scope.kind == "customer":
        parts = [Scope("site", name) for name, site in topology.sites.items() if site.customer == scope.name]
    window = [(from_us, to_us)]
    down: Spans = []
    vague: Spans = []
    everywhere: Spans | None = None
    outages: list[Interval] = []
    for part in parts:
        out = spans.clip(excluded(part), from_us, to_us)
        everywhere = out if everywhere is None else spans.intersect(everywhere, out)
        counted = spans.subtract(window, out)
        bad = spans.intersect(spans.union((one.from_us, one.to_us) for one in book.down(part)), counted)
        down = spans.union([*down, *bad])
        vague = spans.union([*vague, *spans.subtract(counted, book.known(part))])
        outages += [one for one in book.down(part) if spans.intersect([(one.from_us, one.to_us)], counted)]
    bound, count = _bound(outages)
    if promised:
        target_ppm = None if any(ppm is None for _, _, ppm in promised) else promised[0][2]
    return Figures(
        scope=scope,
        from_us=from_us,
        to_us=to_us,
        down_us=spans.total(down),
        excluded_us=spans.total(everywhere or []),
        unknown_us=spans.total(spans.subtract(vague, down)),
        bound_us=bound,
        outages=count,
        target_ppm=target_ppm,
        allowed=allowance(promised or (), everywhere or []),
    )


def allowance(promised: Sequence[Promise], out: Spans) -> int | None:
    """(10⁶ − p)·(T − X) summed over the pieces; None where a piece has no promise, or there are none."""
    total = 0
    for begin, end, ppm in promised:
        if ppm is None:
            return None
        total += (PPM - ppm) * (end - begin - spans.total(spans.clip(out, begin, end)))
    return total if promised else None


def _bound(outages: Sequence[Interval]) -> tuple[int, int]:
    """One interval per outage; outages of several sites that overlap are one."""
    total = count = 0
    end: int | None = None
    widest = 0
    for one in sorted(outages, key=lambda one: one.from_us):
        if end is None or one.from_us > end:
            total, count, widest = total + widest, count + 1, one.interval_us
            end = one.to_us
        else:
            end, widest = max(end, one.to_us), max(widest, one.interval_us)
    return total + widest, count


def weighted_down(topology: Topology, by_site: Mapping[str, Figures]) -> float:
    """Platform downtime in seconds, sites weighted (docs/verdicts.md §11)."""
    weights = {name: topology.sites[name].weight for name in by_site}
    heavy = sum(weights.values())
    if not heavy:
        return 0.0
    return sum(weights[name] * one.down_us for name, one in by_site.items()) / heavy / SECOND_US
