"""What probes say of themselves, for Prometheus: their own figures, kept as the last status said them.

Counters are the probe's own: they go on over restarts of the collector and begin anew with the probe's. The histogram
of lateness has no probe label; what one probe was late is a gauge.
"""

from collections.abc import Callable, Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from sereno.wire import Lateness, Status

_Figure = Callable[[Status], float | None]

_GAUGES: tuple[tuple[str, str, _Figure], ...] = (
    ("sereno_spool_results", "Results waiting in a probe's spool, as it last said.", lambda one: one.spooled),
    (
        "sereno_spool_memory_results",
        "Results of a probe that wait in memory, because its disk takes none.",
        lambda one: one.unsaved,
    ),
    (
        "sereno_probe_clock_offset_seconds",
        "What the collector's clock is ahead of a probe's; absent while unknown.",
        lambda one: one.clock_offset_seconds,
    ),
    (
        "sereno_probe_clock_error_seconds",
        "The clock offset of a probe is right within this.",
        lambda one: one.clock_error_seconds,
    ),
    (
        "sereno_probe_lateness_p50_seconds",
        "How late a probe began its checks, median between its last two statuses.",
        lambda one: one.lateness.p50_seconds if one.lateness is not None else None,
    ),
    (
        "sereno_probe_lateness_p99_seconds",
        "How late a probe began its checks, 99th percentile between its last two statuses.",
        lambda one: one.lateness.p99_seconds if one.lateness is not None else None,
    ),
    (
        "sereno_probe_lateness_max_seconds",
        "How late a probe began a check at most, between its last two statuses.",
        lambda one: one.lateness.max_seconds if one.lateness is not None else None,
    ),
)
_COUNTERS: tuple[tuple[str, str, _Figure], ...] = (
    (
        "sereno_meter_dropped_packets",
        "Packets that a probe's media meter missed: lost by the sensor, not by the network.",
        lambda one: one.meter_dropped,
    ),
    (
        "sereno_spool_dropped_results",
        "Results that a probe gave up because its spool was full or its disk broken.",
        lambda one: one.dropped,
    ),
    ("sereno_probe_checks", "Checks that a probe began, extra ones included.", lambda one: one.fired),
    ("sereno_probe_extra_checks", "Checks out of turn: a first failure, a new target.", lambda one: one.extras),
    (
        "sereno_probe_overruns",
        "Turns skipped because the same check still ran.",
        lambda one: one.overruns,
    ),
    ("sereno_probe_missed_turns", "Turns that a probe slept through.", lambda one: one.missed),
    (
        "sereno_probe_stalled_seconds",
        "Time in which a probe's process did not run: no CPU, stopped or suspended.",
        lambda one: one.stalled_seconds,
    ),
    (
        "sereno_probe_cpu_seconds",
        "Processor time of a probe's process, its call workers not counted.",
        lambda one: one.cpu_seconds,
    ),
)  # fmt: skip


class ProbeMetrics:
    """A collector for a registry; `take` what comes in."""

    def __init__(self) -> None:
        self._last: dict[str, Status] = {}
        self._current: dict[str, bool] = {}
        self._counted: dict[str, Lateness] = {}  # of each probe, also while it is offline
        self._buckets: list[float] = []
        self._bounds: tuple[float, ...] = ()
        self._sum = 0.0

    def take(self, status: Status, *, current: bool) -> None:
        """What a probe said last; its last will says nothing of its figures."""
        if status.state == "offline":
            self._last.pop(status.probe, None)
            self._current[status.probe] = False
            return
        if status.lateness is not None:
            self._add(status.lateness, self._counted.get(status.probe))
            self._counted[status.probe] = status.lateness
        self._last[status.probe] = status
        self._current[status.probe] = current

    def describe(self) -> list[Metric]:
        """Every family there may be."""
        return list(self.collect())

    def collect(self) -> Iterator[Metric]:
        """The last words of every probe that is online."""
        probes = sorted(self._last.items())
        for name, meaning, figure in _GAUGES:
            yield _filled(GaugeMetricFamily(name, meaning, labels=["probe"]), probes, figure)
        for name, meaning, figure in _COUNTERS:
            yield _filled(CounterMetricFamily(name, meaning, labels=["probe"]), probes, figure)
        yield self._in_use()
        yield _canaries(probes)
        yield _doubted(probes)
        yield _versions(probes)
        yield self._lateness()

    def _in_use(self) -> Metric:
        family = GaugeMetricFamily(
            "sereno_probe_topology_current",
            "1 if a probe uses the topology in force, 0 if another one or none, or while it is offline.",
            labels=["probe"],
        )
        for probe, current in sorted(self._current.items()):
            family.add_metric([probe], float(current))
        return family

    def _add(self, now: Lateness, before: Lateness | None) -> None:
        """Counters of a probe into those of all; one that began anew counts from zero."""
        if len(now.counts) != len(now.bounds) + 1:
            return
        if self._bounds != now.bounds:  # the first probe, or another version: buckets of two kinds cannot be added
            self._bounds, self._buckets, self._sum, before = now.bounds, [0.0] * len(now.counts), 0.0, None
        same = before is not None and before.bounds == now.bounds and sum(before.counts) <= sum(now.counts)
        base = before.counts if same and before is not None else (0,) * len(now.counts)
        for index, count in enumerate(now.counts):
            self._buckets[index] += max(0, count - base[index])
        self._sum += max(0.0, now.sum_seconds - (before.sum_seconds if same and before is not None else 0.0))

    def _lateness(self) -> Metric:
        family = HistogramMetricFamily(
            "sereno_probe_lateness_seconds", "How late probes began their checks: the jitter of their own schedulers."
        )
        total, rows = 0.0, []
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._buckets, strict=False):
            total += count
            rows.append((bound, total))
        family.add_metric([], rows or [("+Inf", 0.0)], self._sum)
        return family


def _filled(family: Metric, probes: list[tuple[str, Status]], figure: _Figure) -> Metric:
    for probe, status in probes:
        value = figure(status)
        if value is not None:
            family.add_metric([probe], float(value))  # type: ignore[attr-defined]  # every family but Metric itself
    return family


def _canaries(probes: list[tuple[str, Status]]) -> Metric:
    family = GaugeMetricFamily(
        "sereno_probe_canary_up", "1 if a canary answered in a probe's newest round.", labels=["probe", "element"]
    )
    for probe, status in probes:
        for canary, answered in sorted((status.canaries or {}).items()):
            family.add_metric([probe, canary], float(answered))
    return family


def _doubted(probes: list[tuple[str, Status]]) -> Metric:
    family = CounterMetricFamily(
        "sereno_probe_doubted_results",
        "Results that a probe called invalid by itself: its own network, CPU or clock.",
        labels=["probe", "reason"],
    )
    for probe, status in probes:
        for cause in ("clock", "cpu", "network"):
            family.add_metric([probe, cause], float((status.doubted or {}).get(cause, 0)))
    return family


def _versions(probes: list[tuple[str, Status]]) -> Metric:
    family = GaugeMetricFamily(
        "sereno_probe_info", "Constant 1; a probe's version is a label.", labels=["probe", "version"]
    )
    for probe, status in probes:
        if status.version is not None:
            family.add_metric([probe, status.version], 1.0)
    return family
