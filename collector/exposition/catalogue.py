"""Every metric that the collector exports, declared once: its family is made from here, its documentation too."""

from typing import NamedTuple

from collector.exposition.kinds import CALL_TIMES, DURATIONS, JITTER, LATENESS, MOS, OWN_JITTER

_UNITS = ("seconds", "bytes", "ratio")
RESULT = "once such a result was committed since this process began to lead"
STATUS = "while the probe is offline, or says nothing of it"
ALWAYS = "never, on the collector that leads"
_UNSAID = "while the newest result does not say, or is older than 2.5 intervals"
_SITES = "never; without sites in the topology the service is one"


class Declared(NamedTuple):
    """What a metric is, in words."""

    name: str  # as a plain-text scrape shows it; a histogram's without suffix
    kind: str
    labels: tuple[str, ...]
    meaning: str
    absent: str
    series: str  # how many there may be; `sizes.py` counts it
    bounds: tuple[float, ...] = ()

    @property
    def family(self) -> str:
        """Its name in OpenMetrics."""
        return self.name.removesuffix("_total") if self.kind == "counter" else self.name

    @property
    def unit(self) -> str:
        """Its unit, which is the end of its name; empty for plain numbers."""
        return next((unit for unit in _UNITS if self.family.endswith(f"_{unit}")), "")


def _counter(name: str, labels: str, meaning: str, absent: str, series: str) -> Declared:
    return Declared(name, "counter", tuple(labels.split()), meaning, absent, series)


def _gauge(name: str, labels: str, meaning: str, absent: str, series: str) -> Declared:
    return Declared(name, "gauge", tuple(labels.split()), meaning, absent, series)


def _histogram(name: str, labels: str, meaning: str, absent: str, series: str, bounds: tuple[float, ...]) -> Declared:
    return Declared(name, "histogram", tuple(labels.split()), meaning, absent, series, bounds)


_CHECKS = (
    _counter(
        "sereno_check_results_total", "probe sbc core check outcome reason",
        "Results committed, by outcome.", f"until {RESULT}", "probes results",
    ),
    _histogram(
        "sereno_check_duration_seconds", "sbc core check",
        "From sending to the final answer.", f"until {RESULT}, answered", "subjects buckets", DURATIONS,
    ),
    _counter(
        "sereno_sip_responses_total", "probe sbc core check code",
        "SIP final responses.", f"until {RESULT}, answered", "probes codes",
    ),
    _gauge(
        "sereno_register_expires_seconds", "probe sbc core",
        "Expiry granted by the last registration.", "until a registration was granted, and when it has lapsed",
        "probes registrations",
    ),
)  # fmt: skip
_CALLS = (
    _histogram(
        "sereno_call_setup_seconds", "sbc core", "From INVITE to its 200 (test calls).",
        f"until {RESULT}, answered", "calls buckets", CALL_TIMES,
    ),
    _histogram(
        "sereno_call_post_dial_delay_seconds", "sbc core",
        "Session request delay of test calls that were answered (RFC 6076, 4.3.1).",
        f"until {RESULT}, answered", "calls buckets", CALL_TIMES,
    ),
    _histogram(
        "sereno_call_failed_post_dial_delay_seconds", "sbc core",
        "The same of test calls that were not answered with a 2xx, kept apart (RFC 6076, 4.3.2).",
        f"until {RESULT}, refused", "calls buckets", CALL_TIMES,
    ),
    _histogram(
        "sereno_rtp_jitter_seconds", "sbc core direction codec",
        "Mean interarrival jitter of a call's stream (RFC 3550, A.8).",
        f"until {RESULT}, its jitter measured", "calls streams buckets", JITTER,
    ),
    _counter(
        "sereno_rtp_packets_total", "probe sbc core direction codec",
        "RTP packets of test calls.", f"until {RESULT}, with media", "probes media",
    ),
    _counter(
        "sereno_rtp_lost_packets_total", "probe sbc core direction codec",
        "RTP packets expected and never received.", f"until {RESULT}, its loss measured", "probes media",
    ),
    _counter(
        "sereno_rtp_discarded_packets_total", "probe sbc core direction codec",
        "RTP packets that came too late or too early for the de-jitter buffer (RFC 7002).",
        f"until {RESULT}, metered", "probes media",
    ),
    _histogram(
        "sereno_mos_lq", "sbc core direction codec", "Listening quality of a call's stream (G.107).",
        f"until {RESULT}, its quality measured", "calls streams buckets", MOS,
    ),
    _histogram(
        "sereno_mos_cq", "sbc core direction codec", "Conversational quality of a call's stream (G.107).",
        f"until {RESULT}, its quality and delay measured", "calls streams buckets", MOS,
    ),
    _histogram(
        "sereno_call_own_jitter_seconds", "",
        "Mean jitter that probes themselves added to what they sent in a test call, before any network.",
        ALWAYS, "buckets", OWN_JITTER,
    ),
    _gauge(
        "sereno_probe_own_jitter_seconds", "probe",
        "Mean jitter that a probe itself added to its newest test call.",
        f"until {RESULT}, its own jitter measured", "probes",
    ),
    _counter(
        "sereno_calls_unmeasured_total", "probe reason",
        "Test calls whose quality was not measured, because the probe itself was uneven.",
        "until there was one", "probes unmeasured",
    ),
)  # fmt: skip
_TRUTH = (
    _gauge(
        "sereno_verdict_state", "kind element state", "The verdict of an element: 1 at its state, 0 at the others.",
        "for what is no longer in the topology; what nobody judged yet is unknown", "elements states",
    ),
    _gauge(
        "sereno_finding", "kind element finding",
        "What is said of an element beside its verdict: 1 while it is true, 0 when it is over.",
        "until it was true once", "found",
    ),
    _counter(
        "sereno_site_state_seconds_total", "site state",
        "Time that a site's live verdict was in a state; provisional, the ledger revises.", _SITES, "sites states",
    ),
    _gauge(
        "sereno_down_seconds", "site period",
        "Downtime of the period so far by the ledger, exclusions left out; late results revise it.",
        "until the ledger was read, seconds after a start", "sites periods",
    ),
    _gauge(
        "sereno_unknown_seconds", "site period",
        "Time of the period so far in which nobody knows; late results revise it.",
        "until the ledger was read, seconds after a start", "sites periods",
    ),
    _gauge(
        "sereno_error_budget_seconds", "site",
        "Downtime that the contract allows in this calendar month.", "without a target in the contract", "sites",
    ),
    _gauge(
        "sereno_error_budget_remaining_seconds", "site",
        "What is left of this month's budget; below zero when overspent.",
        "without a target in the contract", "sites",
    ),
    _gauge(
        "sereno_incidents", "priority state", "Incidents that are not closed.", ALWAYS, "priorities incidents",
    ),
    _gauge(
        "sereno_clock_next_due_seconds", "priority clock",
        "When the next running service-level clock falls due (seconds since the epoch).",
        "while no such clock runs", "priorities clocks",
    ),
    _counter(
        "sereno_notifications_total", "channel outcome", "Notifications by channel and what became of them.",
        "until the first one through the channel", "channels outcomes",
    ),
    _gauge(
        "sereno_notifications_pending", "channel", "Notifications that wait to be handed over, or for another try.",
        "until the first one through the channel", "channels",
    ),
    _gauge(
        "sereno_notification_channel_failing", "channel",
        "1 while a page by this channel has no receipt after a minute, or was refused for good.",
        "until the first one through the channel", "channels",
    ),
)  # fmt: skip
_OTHERS = (
    _gauge(
        "sereno_element_ok", "probe check element",
        "Newest check of a portal, name, database, server or traffic: 1 ok, 0 failed.",
        _UNSAID, "probes targets",
    ),
    _gauge(
        "sereno_portal_answering_servers", "probe element", "Servers behind a portal's name that answer.",
        _UNSAID, "probes portals",
    ),
    _gauge(
        "sereno_portal_servers", "probe element", "Servers behind a portal's name, missing ones included.",
        _UNSAID, "probes portals",
    ),
    _gauge(
        "sereno_tls_certificate_expiry_seconds", "probe element address", "Until the certificate ends.",
        _UNSAID, "probes listeners",
    ),
    _gauge(
        "sereno_tls_grade", "probe element address",
        "Held TLS standing of a server: 5 A+, 4 A, 3 B, 2 C, 1 D, 0 F.",
        "until all of it was measured", "probes listeners",
    ),
    _gauge(
        "sereno_database_replication_lag_seconds", "probe element replica", "How far a replica is behind.",
        _UNSAID, "probes databases",
    ),
    _gauge(
        "sereno_database_backup_age_seconds", "probe element", "Since the last backup was finished.",
        _UNSAID, "probes databases",
    ),
    _gauge(
        "sereno_database_backup_size_bytes", "probe element", "Size of the last backup.",
        _UNSAID, "probes databases",
    ),
    _gauge(
        "sereno_traffic_registered", "probe sbc", "Registered users, from the platform's Prometheus.",
        _UNSAID, "probes traffic",
    ),
    _gauge(
        "sereno_traffic_calls", "probe sbc", "Live calls, from the platform's Prometheus.",
        _UNSAID, "probes traffic",
    ),
)  # fmt: skip
_PROBES = (
    _gauge(
        "sereno_probe_last_result_timestamp_seconds", "probe", "When the newest committed result was sent.",
        f"until {RESULT}", "probes",
    ),
    _gauge(
        "sereno_probe_topology_current", "probe",
        "1 if a probe uses the topology in force, 0 if another one or none, or while it is offline.",
        "until the probe said anything", "probes",
    ),
    _gauge(
        "sereno_probe_topology_info", "probe hash",
        "Constant 1; the label is the hash of the topology that a probe uses, other if it was never ours.",
        STATUS, "probes",
    ),
    _gauge("sereno_probe_info", "probe version", "Constant 1; a probe's version is a label.", STATUS, "probes"),
    _gauge(
        "sereno_probe_clock_offset_seconds", "probe", "What the collector's clock is ahead of a probe's.",
        "while unknown", "probes",
    ),
    _gauge(
        "sereno_probe_clock_error_seconds", "probe", "The clock offset of a probe is right within this.",
        "while unknown", "probes",
    ),
    _gauge(
        "sereno_probe_canary_up", "probe element", "1 if a canary answered in a probe's newest round.",
        "without canaries, or while the probe is offline", "canaries",
    ),
    _counter(
        "sereno_probe_doubted_results_total", "probe reason",
        "Results that a probe called invalid by itself: its own network, CPU or clock.", STATUS, "probes doubts",
    ),
    _histogram(
        "sereno_probe_lateness_seconds", "",
        "How late probes began their checks: the jitter of their own schedulers.",
        ALWAYS, "buckets", LATENESS,
    ),
    _gauge(
        "sereno_probe_lateness_p50_seconds", "probe",
        "How late a probe began its checks, median between its last two statuses.", STATUS, "probes",
    ),
    _gauge(
        "sereno_probe_lateness_p99_seconds", "probe",
        "How late a probe began its checks, 99th percentile between its last two statuses.", STATUS, "probes",
    ),
    _gauge(
        "sereno_probe_lateness_max_seconds", "probe",
        "How late a probe began a check at most, between its last two statuses.", STATUS, "probes",
    ),
    _counter(
        "sereno_probe_checks_total", "probe", "Checks that a probe began, extra ones included.", STATUS, "probes",
    ),
    _counter(
        "sereno_probe_extra_checks_total", "probe", "Checks out of turn: a first failure, a new target.",
        STATUS, "probes",
    ),
    _counter(
        "sereno_probe_overruns_total", "probe", "Turns skipped because the same check still ran.", STATUS, "probes",
    ),
    _counter("sereno_probe_missed_turns_total", "probe", "Turns that a probe slept through.", STATUS, "probes"),
    _counter(
        "sereno_probe_stalled_seconds_total", "probe",
        "Time in which a probe's process did not run: no CPU, stopped or suspended.", STATUS, "probes",
    ),
    _counter(
        "sereno_probe_cpu_seconds_total", "probe",
        "Processor time of a probe's process, its call workers not counted.", STATUS, "probes",
    ),
    _gauge(
        "sereno_spool_results", "probe", "Results waiting in a probe's spool, as it last said.", STATUS, "probes",
    ),
    _gauge(
        "sereno_spool_memory_results", "probe",
        "Results of a probe that wait in memory, because its disk takes none.", STATUS, "probes",
    ),
    _counter(
        "sereno_spool_dropped_results_total", "probe",
        "Results that a probe gave up because its spool was full or its disk broken.", STATUS, "probes",
    ),
    _counter(
        "sereno_meter_dropped_packets_total", "probe",
        "Packets that a probe's media meter missed: lost by the sensor, not by the network.",
        "without a meter, or while the probe is offline", "probes",
    ),
)  # fmt: skip
_COLLECTOR = (
    _gauge(
        "sereno_collector_leader", "", "1 on the collector that writes, 0 on one that stands by.",
        "never", "one",
    ),
    _gauge(
        "sereno_collector_lease_epoch", "", "Epoch of the lease: one more at each take-over.",
        "never; 0 while no collector ever led", "one",
    ),
    _gauge("sereno_build_info", "version", "Constant 1; the version is a label.", "never", "one"),
    _gauge(
        "sereno_store_readable", "", "1 if this scrape could read the store, else 0 and what it says is left out.",
        "never", "one",
    ),
    _counter("sereno_results_committed_total", "", "Results committed to the store.", ALWAYS, "one"),
    _counter(
        "sereno_results_missing_total", "probe", "Results that a probe's spool no longer holds.",
        "for probes that the topology does not name, until one lost some", "probes",
    ),
    _counter(
        "sereno_results_refused_total", "probe reason",
        "Results, batches and statuses that could not be taken, each time they came; they lie in quarantine.",
        "until there was one", "probes refusals",
    ),
    _counter(
        "sereno_label_values_folded_total", "",
        "Label values that no topology or list has, counted as other instead.", ALWAYS, "one",
    ),
    _gauge(
        "sereno_topology_info", "hash", "Constant 1; the label is the hash of the topology in force.",
        "while there is no topology", "one",
    ),
    _gauge(
        "sereno_topology_last_reload_successful", "",
        "1 if the files were valid when they were last read, 0 if what was in use stayed.", "never", "one",
    ),
    _gauge(
        "sereno_topology_last_reload_success_timestamp_seconds", "", "When valid files were last taken up.",
        "while what was stored earlier is in use", "one",
    ),
)  # fmt: skip

GROUPS = {
    "Checks": _CHECKS,
    "Test calls": _CALLS,
    "What is true": _TRUTH,
    "Portals, databases, real traffic": _OTHERS,
    "Probes": _PROBES,
    "The collector itself": _COLLECTOR,
}
CATALOGUE = {one.name: one for group in GROUPS.values() for one in group}
