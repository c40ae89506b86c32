"""Salud del monitor: who watches the watchman. What is red here says nothing about voice."""

from dashboards.grafana import common
from dashboards.grafana.frame import HOME, About
from dashboards.grafana.kit import BAD, GOOD, NEUTRAL, POOR, Column, Query, Sheet
from dashboards.grafana.queries import (
    RANGE,
    RATE,
    age,
    collectors,
    fresh,
    increase,
    newest,
    pick,
    rate,
    state,
    while_watched,
)

PROBE = 'probe=~"$probe"'


def fill(sheet: Sheet) -> None:
    say = sheet.words.text
    sheet.line(4)
    common.watch(sheet)
    common.data_age(sheet, 4)
    reached = ((1, say("✓ Reached"), GOOD), (0, say("✕ Not reached"), BAD))
    sheet.stat(
        4, say("Collectors"), say("Whether Prometheus reaches each collector that it ever reached in the time range."),
        [Query(collectors("up"), "{{instance}}")], choices=reached, names=True,
        nothing=say("No collector in the time range"),
    )  # fmt: skip
    sheet.stat(
        3, say("Store"), say("Whether the last scrape of each collector could read the store."),
        [Query(while_watched(f"min({pick('sereno_store_readable')})"))],
        choices=((1, say("✓ Readable"), GOOD), (0, say("✕ Not readable"), BAD)),
    )  # fmt: skip
    sheet.stat(
        3, say("Files"), say("Whether the operator's files were valid when they were last read."),
        [Query(while_watched(f"min({pick('sereno_topology_last_reload_successful')})"))],
        choices=((1, say("✓ Valid"), GOOD), (0, say("✕ Refused"), BAD)), link=f"{HOME}/health",
    )  # fmt: skip
    sheet.stat(
        3, say("Channels failing"), say("Channels by which a page was not delivered within a minute."),
        [Query(while_watched(f"sum(max by (channel) ({pick('sereno_notification_channel_failing')}))"))], decimals=0,
        steps=((None, GOOD), (1, BAD)), nothing=say("No notification was ever sent (if «Watch» is ✓)"),
    )  # fmt: skip
    lost = increase("sereno_results_missing_total", by="probe")
    dropped = increase("sereno_spool_dropped_results_total", by="probe")
    sheet.stat(
        3, say("Results lost"), say("Results of the time range that no longer exist: given up by a spool, or missing."),
        [Query(while_watched(f"round(sum({lost} or {dropped}))"))], decimals=0, steps=((None, GOOD), (1, BAD)),
    )  # fmt: skip
    sheet.line(8)
    _probes(sheet)
    _flow(sheet)
    _probe_figures(sheet)
    _collectors(sheet)
    _messages(sheet)


def _probes(sheet: Sheet) -> None:
    say = sheet.words.text
    of = 'element=~"$probe"'
    verdicts = f'max by (probe) (label_replace({state("probe", of)}, "probe", "$1", "element", "(.*)"))'

    def figure(metric: str) -> Query:
        return Query(newest(metric, PROBE, by="probe"))

    current = ((1, say("✓ Current"), GOOD), (0, say("▲ Other"), POOR))
    sheet.table(
        24, say("Probes, worst first"), say("Verdict of each probe, and what it last said of itself."),
        [
            Query(verdicts), Query(age(common.NEWEST, "probe")), figure("sereno_probe_topology_current"),
            figure("sereno_spool_results"), figure("sereno_probe_lateness_p99_seconds"),
            figure("sereno_probe_clock_offset_seconds"), figure("sereno_probe_clock_error_seconds"),
        ],
        (
            Column("probe", say("Probe"), link=f"{HOME}/health"),
            Column("Value #A", say("State"), choices=sheet.words.states()),
            Column("Value #B", say("Age of the data"), unit="s", decimals=0, steps=common.FRESH),
            Column("Value #C", say("Topology"), choices=current),
            Column("Value #D", say("Waiting results"), unit="none", decimals=0),
            Column("Value #E", say("Lateness p99"), unit="s", decimals=4),
            Column("Value #F", say("Clock offset"), unit="s", decimals=4),
            Column("Value #G", say("± at most"), unit="s", decimals=4),
        ),
        sort=say("State"),
    )  # fmt: skip


def _flow(sheet: Sheet) -> None:
    say = sheet.words.text
    sheet.line(8)
    sheet.series(
        8, say("Age of the data by probe"), say("Since the newest committed result of each probe was sent."),
        [Query(f"time() - max by (probe) ({pick(common.NEWEST, PROBE)})", "{{probe}}")], unit="s",
        steps=((None, "transparent"), (10, POOR), (30, BAD)),
    )  # fmt: skip
    sheet.series(
        8, say("Results committed"), say("Results a second that reached the store."),
        [Query(f"sum(rate({pick('sereno_results_committed_total')}{RATE}))", say("all probes"))],
        unit="cps",
    )  # fmt: skip
    sheet.series(
        8, say("Waiting in spools"),
        say("Results that probes keep until they are committed; they come late, not never."),
        [Query(newest("sereno_spool_results", PROBE, by="probe"), "{{probe}}")], unit="none", decimals=0,
    )  # fmt: skip
    sheet.line(8)
    sheet.series(
        8, say("Results lost over time"), say("Results a second that no longer exist, and why."),
        [
            Query(rate("sereno_results_missing_total", PROBE, by="probe"), f"{{{{probe}}}} {say('missing')}"),
            Query(rate("sereno_spool_dropped_results_total", PROBE, by="probe"), f"{{{{probe}}}} {say('given up')}"),
        ],
        unit="cps",
    )  # fmt: skip
    sheet.series(
        8, say("Refused by the collector"), say("Results, batches and statuses a second that lie in quarantine."),
        [Query(rate("sereno_results_refused_total", PROBE, by="probe, reason"), "{{probe}} {{reason}}")], unit="cps",
        nothing=say("Nothing was refused (if «Watch» is ✓)"),
    )  # fmt: skip
    sheet.series(
        8, say("Names that nobody declared"),
        say("Label values a second that no topology or list has, counted as other."),
        [Query(f"sum(rate({pick('sereno_label_values_folded_total')}{RATE}))", say("all probes"))],
        unit="cps",
    )  # fmt: skip


def _probe_figures(sheet: Sheet) -> None:
    say = sheet.words.text
    sheet.heading(say("Probes"))
    sheet.line(8)
    sheet.series(
        8, say("Lateness of checks: 99th percentile"), say("How late a probe began its checks: its processor is busy."),
        [Query(newest("sereno_probe_lateness_p99_seconds", PROBE, by="probe"), "{{probe}}")], unit="s",
    )  # fmt: skip
    sheet.series(
        8, say("Clock offset"), say("The collector's clock against the probe's; from 0.5 s on results are invalid."),
        [Query(newest("sereno_probe_clock_offset_seconds", PROBE, by="probe"), "{{probe}}")], unit="s",
        minimum=None,
    )  # fmt: skip
    skipped = (
        Query(rate("sereno_probe_overruns_total", PROBE, by="probe"), f"{{{{probe}}}} {say('still running')}"),
        Query(rate("sereno_probe_missed_turns_total", PROBE, by="probe"), f"{{{{probe}}}} {say('slept through')}"),
    )
    sheet.series(
        8, say("Turns not taken"), say("Checks a second that a probe did not make, and why."), skipped, unit="cps"
    )
    sheet.line(7)
    sheet.series(
        12, say("Stalled"), say("Share of time in which a probe's process did not run."),
        [Query(rate("sereno_probe_stalled_seconds_total", PROBE, by="probe"), "{{probe}}")], unit="percentunit",
    )  # fmt: skip
    sheet.series(
        12, say("Processor of the probe"),
        say("Share of one core that the probe's process uses, call workers not counted."),
        [Query(rate("sereno_probe_cpu_seconds_total", PROBE, by="probe"), "{{probe}}")], unit="percentunit",
    )  # fmt: skip


def _collectors(sheet: Sheet) -> None:
    say = sheet.words.text
    sheet.heading(say("Collectors"))
    sheet.line(7)
    leads = ((1, say("✓ Leads"), GOOD), (0, say("◆ Stands by"), NEUTRAL))
    sheet.states(
        8, say("Who leads"), say("A gap: it was not reached. Two that lead can be seen for one scrape of a take-over."),
        Query(f"max by (instance) ({fresh('sereno_collector_leader')})", "{{instance}}"), choices=leads,
    )  # fmt: skip
    sheet.stat(
        5, say("Take-overs"), say("How often the lead changed hands in the time range."),
        [Query(while_watched(f"max(max_over_time({pick('sereno_collector_lease_epoch')}{RANGE}))"
                             f" - min(min_over_time({pick('sereno_collector_lease_epoch')}{RANGE}))"))],
        decimals=0, steps=((None, GOOD), (1, POOR)),
    )  # fmt: skip
    sheet.series(
        6, say("Time of a scrape"),
        say("How long Prometheus took to read each collector; beyond its time-out it is blind."),
        [Query(collectors("scrape_duration_seconds"), "{{instance}}")], unit="s",
    )  # fmt: skip
    sheet.table(
        5, say("Versions"),
        say("Of collectors and probes; different ones are normal only while they are being updated."),
        [
            Query(f"count by (version) (max by (version, instance) ({fresh('sereno_build_info')}))"),
            Query(f"count by (version) ({newest('sereno_probe_info', by='version, probe')})"),
        ],
        (
            Column("version", say("Version")),
            Column("Value #A", say("Collectors"), unit="none", decimals=0),
            Column("Value #B", say("Probes"), unit="none", decimals=0),
        ),
    )  # fmt: skip


def _messages(sheet: Sheet) -> None:
    say = sheet.words.text
    never = say("No notification was ever sent (if «Watch» is ✓)")
    sheet.heading(say("Notifications"))
    sheet.line(7)
    waiting = newest("sereno_notifications_pending", by="channel")
    sheet.series(
        12, say("Waiting to be handed over"), say("Notifications by channel that wait, or wait for another try."),
        [Query(waiting, "{{channel}}")], unit="none", decimals=0, nothing=never,
    )  # fmt: skip
    became = f"round({increase('sereno_notifications_total', by='channel, outcome')})"
    sheet.stat(
        12, say("What became of them"), say("Notifications of the time range, by channel and outcome."),
        [Query(became, "{{channel}} {{outcome}}")], decimals=0, names=True, nothing=never,
    )  # fmt: skip


ABOUT = About(
    "health", "Health of the monitor", "Who watches the watchman: collectors, probes, clocks, spools and channels.",
    "now-3h", ("probe",), fill,
)  # fmt: skip
