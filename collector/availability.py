"""Availability of a scope in a window: low, observed, high, and an honest verdict (docs/verdicts.md §9–§11).

All arithmetic is in integer microseconds; ratios are only for showing. What nobody measured is unknown, what the
contract excludes is excluded, and excluded goes before down, down before unknown.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from collector.ledger import spans
from collector.ledger.fold import Interval
from collector.ledger.spans import Spans
from sereno.availability import PPM, Figures, Scope
from sereno.clock import SECOND_US
from sereno.topology.model import Topology

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
