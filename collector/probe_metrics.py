"""What probes say of themselves, for Prometheus: their own figures, kept as the last status said them.

Counters are the probe's own: they go on over restarts of the collector and begin anew with the probe's. The histogram
of lateness has no probe label; what one probe was late is a gauge.
"""

import math
import re
from collections.abc import Callable, Collection, Iterator
from itertools import pairwise

from collector.exposition.catalogue import CATALOGUE
from collector.exposition.families import Family, Histograms, Values
from collector.exposition.kinds import DOUBTS
from collector.exposition.names import HASH_LENGTH, OTHER, Names, Spare
from sereno.wire import Lateness, Status

_Figure = Callable[[Status], float | None]

_FIGURES: dict[str, _Figure] = {
    "sereno_spool_results": lambda one: one.spooled,
    "sereno_spool_memory_results": lambda one: one.unsaved,
    "sereno_spool_dropped_results_total": lambda one: one.dropped,
    "sereno_probe_clock_offset_seconds": lambda one: one.clock_offset_seconds,
    "sereno_probe_clock_error_seconds": lambda one: one.clock_error_seconds,
    "sereno_probe_lateness_p50_seconds": lambda one: one.lateness.p50_seconds if one.lateness is not None else None,
    "sereno_probe_lateness_p99_seconds": lambda one: one.lateness.p99_seconds if one.lateness is not None else None,
    "sereno_probe_lateness_max_seconds": lambda one: one.lateness.max_seconds if one.lateness is not None else None,
    "sereno_meter_dropped_packets_total": lambda one: one.meter_dropped,
    "sereno_probe_checks_total": lambda one: one.fired,
    "sereno_probe_extra_checks_total": lambda one: one.extras,
    "sereno_probe_overruns_total": lambda one: one.overruns,
    "sereno_probe_missed_turns_total": lambda one: one.missed,
    "sereno_probe_stalled_seconds_total": lambda one: one.stalled_seconds,
    "sereno_probe_cpu_seconds_total": lambda one: one.cpu_seconds,
}
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]{0,31}")
_VERSIONS = 256  # that one collector ever shows
_MOST = 2.0**53  # counters beyond are not exact
_BOUNDS = 32  # buckets of a histogram that a probe may tell


class ProbeMetrics:
    """`take` what comes in; `families` for a scrape."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._last: dict[str, Status] = {}
        self._current: dict[str, bool] = {}
        self._counted: dict[str, Lateness] = {}  # of each probe, also while it is offline
        self._buckets: list[int] = []
        self._bounds: tuple[float, ...] = ()
        self._sum = 0.0
        self._version = Spare((), _VERSIONS)
        self._figures = {name: Values(CATALOGUE[name]) for name in _FIGURES}
        self._in_use = Values(CATALOGUE["sereno_probe_topology_current"])
        self._hashes = Values(CATALOGUE["sereno_probe_topology_info"])
        self._versions = Values(CATALOGUE["sereno_probe_info"])
        self._canaries = Values(CATALOGUE["sereno_probe_canary_up"])
        self._doubted = Values(CATALOGUE["sereno_probe_doubted_results_total"])
        self._lateness = Histograms(CATALOGUE["sereno_probe_lateness_seconds"])

    def take(self, status: Status, *, current: bool) -> None:
        """What a probe said last; its last will says nothing of its figures."""
        probe = self._names.probe(status.probe)
        if status.state == "offline":
            self._last.pop(probe, None)
            self._current[probe] = False
            return
        if status.lateness is not None:
            self._add(status.lateness, self._counted.get(probe))
            self._counted[probe] = status.lateness
        self._last[probe] = status
        self._current[probe] = current

    def families(self, hashes: Collection[str] = ()) -> Iterator[Family]:
        """The last words of every probe that is online; `hashes` are those of the topologies that ever were ours."""
        last = self._last
        for name, figure in _FIGURES.items():
            least = 0.0 if name.endswith("_total") else -_MOST  # a counter is never below zero
            told = {(probe,): figure(one) for probe, one in last.items()}
            found = {labels: value for labels, value in told.items() if value is not None and least <= value <= _MOST}
            self._figures[name].replace(found)
        self._in_use.replace({(probe,): int(current) for probe, current in self._current.items()})
        self._hashes.replace({(probe, _hash(one, hashes)): 1 for probe, one in last.items() if one.topology_hash})
        self._versions.replace({(probe, self._of(one.version)): 1 for probe, one in last.items() if one.version})
        self._canaries.replace(
            {
                (probe, canary): int(answered)
                for probe, one in last.items()
                for canary, answered in (one.canaries or {}).items()
                if canary in self._names.canaries(probe)
            }
        )
        self._doubted.replace(
            {
                (probe, cause): max(0, (one.doubted or {}).get(cause, 0))
                for probe, one in last.items()
                for cause in DOUBTS
            }
        )
        if not self._bounds:
            self._lateness.child()
        else:
            self._lateness.only((), self._bounds, self._buckets, self._sum)
        yield from self._figures.values()
        yield from (self._in_use, self._hashes, self._versions, self._canaries, self._doubted, self._lateness)

    def _of(self, version: str) -> str:
        return self._version(version) if _VERSION.fullmatch(version) else OTHER

    def _add(self, now: Lateness, before: Lateness | None) -> None:
        """Counters of a probe into those of all; one that began anew counts from zero."""
        if not _is_histogram(now):
            return
        if self._bounds != now.bounds:  # the first probe, or another version: buckets of two kinds cannot be added
            self._bounds, self._buckets, self._sum, before = now.bounds, [0] * len(now.counts), 0.0, None
        same = before is not None and before.bounds == now.bounds and sum(before.counts) <= sum(now.counts)
        base = before.counts if same and before is not None else (0,) * len(now.counts)
        for index, count in enumerate(now.counts):
            self._buckets[index] += max(0, count - base[index])
        self._sum += max(0.0, now.sum_seconds - (before.sum_seconds if same and before is not None else 0.0))


def _is_histogram(told: Lateness) -> bool:
    """Bounds that rise, and one count more than there are bounds."""
    bounds = told.bounds
    rising = all(one < other for one, other in pairwise(bounds)) and all(map(math.isfinite, bounds))
    fits = 0 < len(bounds) <= _BOUNDS and len(told.counts) == len(bounds) + 1
    counted = all(0 <= count <= _MOST for count in told.counts)
    return rising and fits and counted and 0 <= told.sum_seconds <= _MOST


def _hash(status: Status, known: Collection[str]) -> str:
    return (status.topology_hash or "")[:HASH_LENGTH] if status.topology_hash in known else OTHER
