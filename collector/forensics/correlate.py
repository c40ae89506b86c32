"""What changed first, where, seen by whom; what it shares; what stayed well. Pure, whatever the order of its input.

A failing series began to fail after its last good result was sent and not later than its first bad one: (low, high].
Of two such spans one is *before* the other only if it ends before the other begins. Between two probes stand their
clocks too: what is known of their error widens both. Order and coincidence are told; a cause is never claimed.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from collector.forensics.samples import GOOD
from sereno.clock import SECOND_US, iso
from sereno.topology.model import Topology

CLOCK_US = SECOND_US // 2  # a probe whose clock is off by more is not believed (docs/verdicts.md §3)
_COARSE = 3  # times the finest interval: what is sampled more rarely cannot be ordered with it


Series = tuple[str, str, str, str]  # element, probe, check, lane


class Seen(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """What one result said of one series: an element, a probe, a check, by one address and account (its lane)."""

    element: str
    probe: str
    check: str
    lane: str
    at_us: int
    boot: str
    seq: int
    said: str  # ok, late, failed, invalid
    reason: str | None = None

    @property
    def good(self) -> bool:
        return self.said == GOOD


class Onset(msgspec.Struct, frozen=True, kw_only=True):
    """A series that was good begins to fail: after `low`, at `high` at the latest. `sure`: the next one was bad too."""

    element: str
    probe: str
    check: str
    lane: str
    low_us: int
    high_us: int
    said: str
    reason: str | None
    source: tuple[str, str, int]
    sure: bool
    recovered_us: int | None = None

    @property
    def series(self) -> Series:
        return self.element, self.probe, self.check, self.lane


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """How what failed divides by one property: so many of those that have it, so many of those that have not."""

    what: str
    name: str
    inside: int
    of_inside: int
    outside: int
    of_outside: int

    @property
    def separates(self) -> bool:
        """All that has it failed, and nothing that has it not."""
        return self.inside == self.of_inside > 0 and self.outside == 0 < self.of_outside

    @property
    def holds(self) -> bool:
        """Everything that failed has it."""
        return self.inside > 0 and self.outside == 0


class Correlation(msgspec.Struct, frozen=True, kw_only=True):
    """The answer. `first` cannot be told apart in time, within `within_us`; `later` began after one of them, in order.

    `unordered` may have been first or not: they are sampled too rarely to tell.
    """

    first: tuple[Onset, ...] = ()
    later: tuple[Onset, ...] = ()
    unordered: tuple[Onset, ...] = ()
    within_us: int = 0
    already: tuple[Series, ...] = ()  # bad from the window's first result on
    lone: int = 0  # single bad results among good ones, in series that never failed twice in a row
    affected: tuple[str, ...] = ()
    unaffected: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    shared: tuple[Shared, ...] = ()


def correlate(
    seen: Iterable[Seen], topology: Topology, from_us: int, to_us: int, clocks: Mapping[str, int] | None = None
) -> Correlation:
    """The answer for [from, to). Results before it say how a series was; `clocks`: what probes' may be off by."""
    series: dict[Series, list[Seen]] = {}
    for one in sorted(set(seen)):
        if one.at_us < to_us:
            results = series.setdefault((one.element, one.probe, one.check, one.lane), [])
            if not results or results[-1].at_us != one.at_us:  # else the late answer of the same transaction
                results.append(one)
    onsets: list[Onset] = []
    already = []
    lone = 0
    watched = set()
    for key, results in series.items():
        inside = [one for one in results if one.at_us >= from_us]
        if not inside:
            continue
        watched.add(key)
        found, begins_bad, single = _onset(results, from_us)
        lone += single if found is None or not found.sure else 0
        if begins_bad:
            already.append(key)
        if found is not None:
            onsets.append(found)
    sure = [one for one in onsets if one.sure] or ([] if already else onsets)
    first, later, unordered, within_us = _waves(sure, clocks or {})
    during = _during(sure, to_us)
    bad = {one.series for one in sure} | set(already)
    bad |= {one.series for one in onsets if during is not None and during[0] <= one.high_us < during[1]}
    affected = {one[0] for one in bad}
    known = _elements(topology)
    observed = {one[0] for one in watched}
    if during is not None:  # what was not looked at meanwhile is no evidence that it was well
        watched = {key for key in watched if any(during[0] <= one.at_us < during[1] for one in series[key])} | bad
    return Correlation(
        first=first,
        later=later,
        unordered=unordered,
        within_us=within_us,
        already=tuple(sorted(already)),
        lone=lone,
        affected=tuple(sorted(affected)),
        unaffected=tuple(sorted(observed - affected)),
        unseen=tuple(sorted(known - observed)),
        shared=_shared(watched, bad, topology) if bad else (),
    )


def _during(onsets: Sequence[Onset], to_us: int) -> tuple[int, int] | None:
    """From the first bad result to the last recovery."""
    if not onsets:
        return None
    ends = [to_us if one.recovered_us is None else one.recovered_us for one in onsets]
    return min(one.high_us for one in onsets), max(ends)


def _onset(results: Sequence[Seen], from_us: int) -> tuple[Onset | None, bool, int]:
    """The first sure onset of a series (else its first), whether it was bad from the beginning, and lone failures."""
    maybe: Onset | None = None
    begins_bad = False
    lone = 0
    for index, one in enumerate(results):
        if one.at_us < from_us or one.good:
            continue
        before = results[index - 1] if index else None
        after = results[index + 1] if index + 1 < len(results) else None
        if before is None or not before.good:
            begins_bad = begins_bad or not any(earlier.at_us >= from_us and earlier.good for earlier in results[:index])
            continue
        sure = after is not None and not after.good
        lone += after is not None and after.good
        if maybe is None or sure:
            maybe = Onset(
                element=one.element, probe=one.probe, check=one.check, lane=one.lane, low_us=before.at_us,
                high_us=one.at_us, said=one.said, reason=one.reason, source=(one.probe, one.boot, one.seq), sure=sure,
                recovered_us=_recovery(results[index + 1 :]) if sure else None,
            )  # fmt: skip
        if sure:
            return maybe, begins_bad, lone
    return maybe, begins_bad, lone


def _recovery(results: Sequence[Seen]) -> int | None:
    """The first good result after which the next was good too; a good last one counts."""
    for index, one in enumerate(results):
        if one.good and (index + 1 == len(results) or results[index + 1].good):
            return one.at_us
    return None


_Waves = tuple[tuple[Onset, ...], tuple[Onset, ...], tuple[Onset, ...], int]


def _waves(onsets: Sequence[Onset], clocks: Mapping[str, int]) -> _Waves:
    """Who may have been first, who was not, who is sampled too rarely to tell; how finely the first is known."""
    ordered = sorted(onsets, key=lambda one: (one.high_us, one.low_us, one.series))
    if not ordered:
        return (), (), (), 0

    def later_than(one: Onset, other: Onset) -> bool:
        slack = 0
        if one.probe != other.probe:
            slack = clocks.get(one.probe, CLOCK_US) + clocks.get(other.probe, CLOCK_US)
        return one.low_us - slack >= other.high_us

    maybe = [one for one in ordered if not any(later_than(one, other) for other in ordered)]
    finest = min(one.high_us - one.low_us for one in maybe)
    first = [one for one in maybe if one.high_us - one.low_us <= _COARSE * finest]
    widest = max(one.high_us - one.low_us for one in first)
    probes = {one.probe for one in first}
    if len(probes) > 1:
        worst = sorted((clocks.get(probe, CLOCK_US) for probe in probes), reverse=True)
        widest += worst[0] + worst[1]
    vague = tuple(one for one in maybe if one not in first)
    return tuple(first), tuple(one for one in ordered if one not in maybe), vague, widest


def _elements(topology: Topology) -> set[str]:
    return {path.name for path in topology.paths() if not path.passive}


def _shared(watched: Iterable[Series], bad: set[Series], topology: Topology) -> tuple[Shared, ...]:
    """Every property that all failing observations have, those first that nothing well has."""
    groups: dict[tuple[str, str], set[Series]] = {}
    every = set(watched)
    for series in every:
        for group in _properties(series, topology):
            groups.setdefault(group, set()).add(series)
    found = []
    for (what, name), members in sorted(groups.items()):
        others = {one for one in every - members if what in {kind for kind, _ in _properties(one, topology)}}
        found.append(
            Shared(
                what=what, name=name, inside=len(members & bad), of_inside=len(members),
                outside=len(bad - members), of_outside=len(others),
            )
        )  # fmt: skip
    telling = [one for one in found if one.holds and one.of_outside]
    order = ("core", "sbc", "path", "network", "probe", "check")
    return tuple(sorted(telling, key=lambda one: (not one.separates, order.index(one.what), one.name)))


def _properties(series: Series, topology: Topology) -> list[tuple[str, str]]:
    element, probe, check, _ = series
    found = [("probe", probe), ("check", check)]
    if probe in topology.probes:
        found.append(("network", topology.probes[probe].network))
    sbc, _, core = element.partition("/")
    if core:
        found += [("sbc", sbc), ("core", core), ("path", element)]
    elif sbc in topology.sbcs:
        found.append(("sbc", sbc))
    return found


def as_json(found: Correlation, from_us: int, to_us: int) -> dict[str, Any]:
    """The shape of docs/forensics.md."""
    begin = min((one.high_us for one in found.first), default=None)

    def shown(one: Onset) -> dict[str, Any]:
        return {
            "at": iso(one.high_us), "not_before": iso(one.low_us),
            "lead_seconds": (one.high_us - (begin if begin is not None else one.high_us)) / SECOND_US,
            "uncertainty_seconds": (one.high_us - one.low_us) / SECOND_US,
            "element": one.element, "probe": one.probe, "check": one.check, "address": one.lane or None,
            "what": one.said, "reason": one.reason,
            "confirmed": one.sure, "recovered": None if one.recovered_us is None else iso(one.recovered_us),
            "source": {"probe": one.source[0], "boot": one.source[1], "seq": one.source[2]},
        }  # fmt: skip

    return {
        "from": iso(from_us),
        "to": iso(to_us),
        "first": [shown(one) for one in found.first],
        "later": [shown(one) for one in found.later],
        "unordered": [shown(one) for one in found.unordered],
        "within_seconds": found.within_us / SECOND_US,
        "already": [
            {"element": one[0], "probe": one[1], "check": one[2], "address": one[3] or None} for one in found.already
        ],
        "lone_failures": found.lone,
        "affected": list(found.affected),
        "unaffected": list(found.unaffected),
        "unseen": list(found.unseen),
        "shared": [
            {
                "what": one.what, "name": one.name, "failed": one.inside, "of": one.of_inside,
                "failed_elsewhere": one.outside, "of_elsewhere": one.of_outside, "separates": one.separates,
            }
            for one in found.shared
        ],
    }  # fmt: skip
