"""Prometheus exposition: counters and histograms fed by committed results, states read from the store at each scrape.

Base units, `sereno_` prefix; histograms carry no probe label (cardinality); labels come from the topology and closed
lists. Counters start at zero with the process (Prometheus expects resets); states come from the store, the truth.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from sqlalchemy import func, select

from collector.other_metrics import OtherMetrics
from collector.probe_metrics import ProbeMetrics
from sereno.clock import SECOND_US
from sereno.store import Store
from sereno.store.tables import incidents, outbox, verdict_changes
from sereno.verdict import VERDICT
from sereno.version import __version__
from sereno.wire import Result, Status

STATES = ("up", "degraded", "down", "unknown", "maintenance")
PRIORITIES = ("Urgente", "Alta", "Normal", "Baja")
INCIDENT_STATES = ("open", "acknowledged", "in_progress", "reopened", "resolved")
_DURATIONS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.9, 1.5, 2.5, 5.0, 10.0, 30.0)
_CALL_TIMES = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 10.0, 20.0)
_JITTER = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
_UNMEASURED = frozenset({"own_jitter", "own_stall"})
_OWN_JITTER = (0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
_MOS = (1.0, 2.0, 2.58, 3.1, 3.6, 3.8, 4.0, 4.1, 4.2, 4.3, 4.4, 4.5)


class Metrics:
    """The registry of one collector process."""

    def __init__(self, store: Store) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a series beside every counter that nobody asks for
        self.registry = CollectorRegistry(auto_describe=True)
        self._children: dict[tuple[str, ...], Any] = {}
        self._results = self._counter(
            "sereno_check_results", "Results committed, by outcome.", "probe sbc core check outcome reason"
        )
        self._responses = self._counter("sereno_sip_responses", "SIP final responses.", "probe sbc core check code")
        self._packets = self._counter(
            "sereno_rtp_packets", "RTP packets of test calls.", "probe sbc core direction codec"
        )
        self._lost = self._counter(
            "sereno_rtp_lost_packets", "RTP packets expected and never received.", "probe sbc core direction codec"
        )
        self._discarded = self._counter(
            "sereno_rtp_discarded_packets",
            "RTP packets that came too late or too early for the de-jitter buffer (RFC 7002).",
            "probe sbc core direction codec",
        )
        self._committed = self._counter("sereno_results_committed", "Results committed to the store.", "")
        self._missing = self._counter(
            "sereno_results_missing", "Results that a probe's spool no longer holds.", "probe"
        )
        self._duration = self._histogram(
            "sereno_check_duration_seconds", "From sending to the final answer.", "sbc core check", _DURATIONS
        )
        self._setup = self._histogram(
            "sereno_call_setup_seconds", "From INVITE to its 200 (test calls).", "sbc core", _CALL_TIMES
        )
        self._post_dial = self._histogram(
            "sereno_call_post_dial_delay_seconds",
            "Session request delay of test calls that were answered (RFC 6076, 4.3.1).",
            "sbc core",
            _CALL_TIMES,
        )
        self._failed_post_dial = self._histogram(
            "sereno_call_failed_post_dial_delay_seconds",
            "The same of test calls that were not answered with a 2xx, kept apart (RFC 6076, 4.3.2).",
            "sbc core",
            _CALL_TIMES,
        )
        self._jitter = self._histogram(
            "sereno_rtp_jitter_seconds",
            "Mean interarrival jitter of a call's stream (RFC 3550, A.8).",
            "sbc core direction codec",
            _JITTER,
        )
        self._mos_lq = self._histogram(
            "sereno_mos_lq", "Listening quality of a call's stream (G.107).", "sbc core direction codec", _MOS
        )
        self._mos_cq = self._histogram(
            "sereno_mos_cq", "Conversational quality of a call's stream (G.107).", "sbc core direction codec", _MOS
        )
        self._own_jitter = self._histogram(
            "sereno_call_own_jitter_seconds",
            "Mean jitter that a probe itself added to what it sent in a test call, before any network.",
            "probe",
            _OWN_JITTER,
        )
        self._unmeasured = self._counter(
            "sereno_calls_unmeasured",
            "Test calls whose quality was not measured, because the probe itself was uneven.",
            "probe reason",
        )
        self._expires = self._gauge(
            "sereno_register_expires_seconds", "Expiry granted by the last registration.", "probe sbc core"
        )
        self._last = self._gauge(
            "sereno_probe_last_result_timestamp_seconds", "When the newest committed result was sent.", "probe"
        )
        self._newest: dict[str, int] = {}
        info = self._gauge("sereno_build_info", "Constant 1; the version is a label.", "version")
        info.labels(__version__).set(1)
        self._others = OtherMetrics(self.registry)
        self._probes = ProbeMetrics()
        self.registry.register(self._probes)
        self.registry.register(_StoreStates(store))

    def observe(self, result: Result) -> None:
        """Counts one committed result."""
        where = (result.sbc or "", result.core or "")
        self._child(self._results, result.probe, *where, result.check, result.outcome, result.reason or "").inc()
        at_us = result.at_us
        if at_us > self._newest.get(result.probe, 0):
            self._newest[result.probe] = at_us
            self._child(self._last, result.probe).set(at_us / SECOND_US)
        if result.code is not None:
            self._child(self._responses, result.probe, *where, result.check, str(result.code)).inc()
        if result.duration_seconds is not None:
            self._child(self._duration, *where, result.check).observe(result.duration_seconds)
        if result.expires_seconds is not None:
            self._child(self._expires, result.probe, *where).set(result.expires_seconds)
        self._others.observe(result)
        self._observe_own(result)
        if result.check == "call":
            self._observe_call(result, where)

    def _observe_call(self, result: Result, where: tuple[str, str]) -> None:
        """Delays and media of a path's own calls; those across the cores and over the PSTN are no path's."""
        answered = result.setup_seconds is not None
        for histogram, value in (
            (self._setup, result.setup_seconds),
            (self._post_dial if answered else self._failed_post_dial, result.post_dial_delay_seconds),
        ):
            if value is not None:
                self._child(histogram, *where).observe(value)
        for direction, stream in (result.media or {}).items():
            if direction in ("rx", "tx"):
                self._observe_stream(result, where, direction, stream)

    def _observe_own(self, result: Result) -> None:
        """How evenly the probe sent its call."""
        facts = result.facts or {}
        if (seconds := _number(facts.get("own_jitter_seconds"))) is not None:
            self._child(self._own_jitter, result.probe).observe(seconds)
        reason = facts.get("quality_unmeasured")
        if isinstance(reason, str) and reason in _UNMEASURED:
            self._child(self._unmeasured, result.probe, reason).inc()

    def _observe_stream(self, result: Result, where: tuple[str, str], direction: str, stream: dict[str, Any]) -> None:
        codec = result.codec or str(stream.get("codec") or "")
        for counter, key in (
            (self._packets, "packets"),
            (self._lost, "lost"),
            (self._discarded, "discarded"),
        ):
            if (amount := _number(stream.get(key))) is not None:
                self._child(counter, result.probe, *where, direction, codec).inc(amount)
        for histogram, key in (
            (self._jitter, "jitter_mean_seconds"),
            (self._mos_lq, "mos_lq"),
            (self._mos_cq, "mos_cq"),
        ):
            if (value := _number(stream.get(key))) is not None:
                self._child(histogram, *where, direction, codec).observe(value)

    def committed(self, count: int) -> None:
        """Counts results that one transaction committed."""
        self._committed.inc(count)

    def missing(self, probe: str, count: int) -> None:
        """Counts results that are gone for good: below the oldest that the spool holds, and never committed."""
        self._child(self._missing, probe).inc(count)

    def status(self, status: Status, *, current: bool) -> None:
        """Takes what a probe says of itself; `current`: it uses the topology in force."""
        self._probes.take(status, current=current)

    def render(self) -> tuple[bytes, str]:
        """The exposition and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_PLAIN_0_0_4

    def catalogue(self) -> list[dict[str, str]]:
        """Name, type and meaning of every metric, for `sereno metrics`."""
        found = []
        for metric in self.registry.collect():
            name = metric.name + ("_total" if metric.type == "counter" else "")
            found.append({"name": name, "type": metric.type, "help": metric.documentation})
        return sorted(found, key=lambda row: row["name"])

    def _child(self, metric: Any, *labels: str) -> Any:
        """A labelled child, looked up once: `labels()` on every sample is four times slower."""
        key = (metric._name, *labels)  # noqa: SLF001 - the library offers no public name
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = metric.labels(*labels)
        return child

    def _counter(self, name: str, meaning: str, labels: str) -> Any:
        return Counter(name, meaning, labels.split(), registry=self.registry)

    def _gauge(self, name: str, meaning: str, labels: str) -> Any:
        return Gauge(name, meaning, labels.split(), registry=self.registry)

    def _histogram(self, name: str, meaning: str, labels: str, bounds: tuple[float, ...]) -> Any:
        return Histogram(name, meaning, labels.split(), buckets=bounds, registry=self.registry)


class _StoreStates:
    """What the store says at the instant of the scrape."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._last_id = 0
        self._verdicts: dict[tuple[str, str], str] = {}

    def describe(self) -> list[Metric]:
        """Nothing in advance: the names are fixed in `collect`, and a scrape before the first write must work."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The families, read in one transaction."""
        with self._store.read() as connection:
            rows = connection.execute(
                select(verdict_changes.c.id, verdict_changes.c.kind, verdict_changes.c.name, verdict_changes.c.state)
                .where(verdict_changes.c.id > self._last_id, verdict_changes.c.what == VERDICT)
                .order_by(verdict_changes.c.id)
            )
            for row in rows:
                self._last_id = row.id
                self._verdicts[row.kind, row.name] = row.state
            counts = connection.execute(
                select(incidents.c.priority, incidents.c.state, func.count()).group_by(
                    incidents.c.priority, incidents.c.state
                )
            ).all()
            running = connection.execute(
                select(incidents.c.priority, incidents.c.body).where(
                    incidents.c.state.not_in(("resolved", "closed", "merged"))
                )
            ).all()
            sent = connection.execute(
                select(outbox.c.channel, outbox.c.state, func.count()).group_by(outbox.c.channel, outbox.c.state)
            ).all()
        yield _verdict_states(self._verdicts)
        yield _incident_counts([(str(p), str(s), int(n)) for p, s, n in counts])
        yield _next_due([(str(priority), str(body)) for priority, body in running])
        yield _notifications([(str(c), str(s), int(n)) for c, s, n in sent])


def _verdict_states(verdicts: dict[tuple[str, str], str]) -> Metric:
    family = GaugeMetricFamily(
        "sereno_verdict_state",
        "The verdict of an element: 1 at its state, 0 at the others.",
        labels=["kind", "element", "state"],
    )
    for (kind, name), current in sorted(verdicts.items()):
        for state in STATES:
            family.add_metric([kind, name, state], 1.0 if state == current else 0.0)
    return family


def _incident_counts(counts: list[tuple[str, str, int]]) -> Metric:
    family = GaugeMetricFamily("sereno_incidents", "Incidents that are not closed.", labels=["priority", "state"])
    known = {(priority, state): count for priority, state, count in counts}
    for priority in PRIORITIES:
        for state in INCIDENT_STATES:
            family.add_metric([priority, state], float(known.get((priority, state), 0)))
    return family


def _next_due(rows: list[tuple[str, str]]) -> Metric:
    family = GaugeMetricFamily(
        "sereno_clock_next_due_seconds",
        "When the next running service-level clock falls due (seconds since the epoch).",
        labels=["priority", "clock"],
    )
    earliest: dict[tuple[str, str], int] = {}
    for priority, body in rows:
        for clock in msgspec.json.decode(body).get("clocks", []):
            due_us = clock.get("due_us")
            if clock.get("state") == "running" and due_us:
                key = (priority, str(clock["clock"]))
                earliest[key] = min(due_us, earliest.get(key, due_us))
    for (priority, name), due_us in sorted(earliest.items()):
        family.add_metric([priority, name], due_us / SECOND_US)
    return family


def _notifications(rows: list[tuple[str, str, int]]) -> Metric:
    family = CounterMetricFamily(
        "sereno_notifications", "Notifications by channel and what became of them.", labels=["channel", "outcome"]
    )
    for channel, state, count in sorted(rows):
        family.add_metric([channel, state], float(count))
    return family


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
