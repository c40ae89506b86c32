"""Availability of a scope in a window: low, observed, high, and an honest verdict (docs/verdicts.md §9–§11).

All arithmetic is in integer microseconds; ratios are only for showing. What nobody measured is unknown, what the
contract excludes is excluded, and excluded goes before down, down before unknown.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

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

    def unknown(self, scope: Scope) -> list[Interval]:
        return [one for one in self._by.get(scope, []) if one.state == "unknown"]

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
    found = reckon(topology, book, scope, from_us, to_us, excluded)
    if promised:
        target_ppm = None if any(ppm is None for _, _, ppm in promised) else promised[0][2]
    return Figures(
        scope=scope,
        from_us=from_us,
        to_us=to_us,
        down_us=spans.total(found.down),
        excluded_us=spans.total(found.excluded),
        unknown_us=spans.total(found.unknown),
        bound_us=sum(bound_of(outage) for outage in found.outages),
        outages=len(found.outages),
        target_ppm=target_ppm,
        allowed=allowance(promised or (), found.excluded),
    )


def parts_of(topology: Topology, scope: Scope) -> list[Scope]:
    """What a scope's figures are read from: a customer's sites, else the element itself."""
    if scope.kind != "customer":
        return [scope]
    return [Scope("site", name) for name, site in topology.sites.items() if site.customer == scope.name]


class Reckoning(NamedTuple):
    """The time of a window as it is counted, and the outages in it, each with all its parts."""

    down: Spans
    unknown: Spans
    excluded: Spans
    vague: dict[Scope, Spans]  # of each part: what nobody knows of it, whatever the others did
    outages: list[list[Interval]]


def reckon(topology: Topology, book: Book, scope: Scope, from_us: int, to_us: int, excluded: Excluded) -> Reckoning:
    """Which time of a scope counts as what: excluded before down, down before unknown."""
    window = [(from_us, to_us)]
    down: Spans = []
    vague: dict[Scope, Spans] = {}
    everywhere: Spans | None = None
    outages: list[Interval] = []
    for part in parts_of(topology, scope):
        out = spans.clip(excluded(part), from_us, to_us)
        everywhere = out if everywhere is None else spans.intersect(everywhere, out)
        counted = spans.subtract(window, out)
        bad = spans.intersect(spans.union((one.from_us, one.to_us) for one in book.down(part)), counted)
        down += bad
        vague[part] = spans.subtract(counted, book.known(part))
        outages += [one for one in book.down(part) if spans.intersect([(one.from_us, one.to_us)], counted)]
    if not vague:  # a customer without sites: nothing of it is measured
        vague[scope] = window
    down = spans.union(down)
    unseen = spans.union(one for part in vague.values() for one in part)
    return Reckoning(down, spans.subtract(unseen, down), everywhere or [], vague, _together(outages))


def allowance(promised: Sequence[Promise], out: Spans) -> int | None:
    """(10⁶ − p)·(T − X) summed over the pieces; None where a piece has no promise, or there are none."""
    total = 0
    for begin, end, ppm in promised:
        if ppm is None:
            return None
        total += (PPM - ppm) * (end - begin - spans.total(spans.clip(out, begin, end)))
    return total if promised else None


def _together(outages: Sequence[Interval]) -> list[list[Interval]]:
    """Outages of several sites that overlap or touch are one."""
    found: list[list[Interval]] = []
    end = 0
    for one in sorted(outages, key=lambda one: one.from_us):
        if found and one.from_us <= end:
            found[-1].append(one)
            end = max(end, one.to_us)
        else:
            found.append([one])
            end = one.to_us
    return found


def bound_of(outage: Sequence[Interval]) -> int:
    """One interval per outage: what sampling cannot see of its ends."""
    return max(one.interval_us for one in outage)


def weighted_down(topology: Topology, by_site: Mapping[str, Figures]) -> float:
    """Platform downtime in seconds, sites weighted (docs/verdicts.md §11)."""
    weights = {name: topology.sites[name].weight for name in by_site}
    heavy = sum(weights.values())
    if not heavy:
        return 0.0
    return sum(weights[name] * one.down_us for name, one in by_site.items()) / heavy / SECOND_US
