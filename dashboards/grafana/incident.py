"""Incidente/forense: what is open, what fell first, and what was measured around it."""

from dashboards.grafana import common
from dashboards.grafana.frame import About, annotations_list
from dashboards.grafana.kit import BAD, GOOD, POOR, Query, Sheet
from dashboards.grafana.queries import AT, failed_ratio, newest, pick, quantile, rate, ratio, timeline, while_watched


def fill(sheet: Sheet) -> None:
    say = sheet.words.text
    sheet.line(4)
    common.watch(sheet)
    common.incidents(
        sheet, 6, say("Not acknowledged"), say("Incidents that nobody has taken yet, by priority."), common.NEW,
        ((None, GOOD), (1, BAD)),
    )  # fmt: skip
    common.incidents(sheet, 6, say("Open incidents"), say("Incidents that are not resolved, by priority."), common.OPEN)
    common.next_due(sheet, 4)
    common.data_age(sheet, 4)
    _timelines(sheet)
    _failures(sheet)
    _around(sheet)


def _timelines(sheet: Sheet) -> None:
    say = sheet.words.text
    everything = "service|site|core|sbc|path|portal|database"
    sheet.line(10)
    sheet.states(
        16, say("What fell, and what first"),
        say("Verdict of every element over time; of more than 24, those alone that were not up all the time."),
        Query(timeline(everything, by="kind, element"), "{{kind}} {{element}}"), nothing=common.all_up(sheet),
        renamed=[(f"^{kind} (.*)$", f"{word} $1") for kind, word, _ in common.kinds(sheet.words)],
    )  # fmt: skip
    annotations_list(
        sheet, 8, say("Incidents and maintenance"), say("As `sereno dashboards push` wrote them into Grafana.")
    )
    sheet.line(7)
    found = newest("sereno_finding", by="kind, element, finding")
    sheet.states(
        16, say("Findings"), say("What is said of an element beside its verdict, while it is true."),
        Query(found, "{{finding}} {{kind}} {{element}}"),
        choices=((1, say("▲ True"), POOR), (0, say("✓ Over"), GOOD)),
        nothing=say("Nothing was ever found (if «Watch» is ✓)"),
    )  # fmt: skip
    counted = f"sum by (priority) (max by (priority, state) ({pick('sereno_incidents', common.OPEN)}))"
    sheet.series(
        8, say("Open incidents over time"), say("Incidents that are not resolved, by priority."),
        [Query(while_watched(counted), "{{priority}}")], unit="none", decimals=0,
    )  # fmt: skip


def _failures(sheet: Sheet) -> None:
    say = sheet.words.text
    failed = rate("sereno_check_results_total", 'outcome="failed"', AT, by="check, reason, sbc, core")
    refused = rate("sereno_sip_responses_total", 'check!="edge"', 'code=~"[3-6].."', AT, by="code, sbc, core")
    none_failed = say("No failure in the time range (if «Watch» is ✓)")
    sheet.line(8)
    sheet.series(
        12, say("Failures by check and reason"), say("Failed results a second, per path."),
        [Query(failed, "{{check}} {{reason}} {{sbc}}/{{core}}")], unit="cps", nothing=none_failed,
    )  # fmt: skip
    sheet.series(
        12, say("Refusals by SIP code"), say("Final answers from 300 on a second, per path."),
        [Query(refused, "{{code}} {{sbc}}/{{core}}")], unit="cps",
        nothing=say("No refusal in the time range (if «Watch» is ✓)"),
    )  # fmt: skip
    sheet.line(8)
    sheet.series(
        12, say("Who sees it: failed share by probe"), say("One probe alone: its network. All of them: the platform."),
        [Query(failed_ratio(AT, by="probe, sbc"), "{{probe}} → {{sbc}}")], unit="percentunit", maximum=1, step="1m",
    )  # fmt: skip
    doubted = rate("sereno_probe_doubted_results_total", by="probe, reason")
    sheet.series(
        12, say("Results that probes doubt"), say("Invalid by the probe's own word: its network, processor or clock."),
        [Query(doubted, "{{probe}} {{reason}}")], unit="cps",
    )  # fmt: skip


def _around(sheet: Sheet) -> None:
    say = sheet.words.text
    where = "{{sbc}}/{{core}}"
    duration = "sereno_check_duration_seconds"
    lost = rate("sereno_rtp_lost_packets_total", AT, by="sbc, direction")
    received = rate("sereno_rtp_packets_total", AT, by="sbc, direction")
    sheet.line(8)
    sheet.series(
        8, say("OPTIONS: 95th percentile"), say("Time until the final answer, per path."),
        [Query(quantile(0.95, duration, 'check="options"', AT, by="sbc, core"), where)], unit="s",
    )  # fmt: skip
    sheet.series(
        8, say("RTP loss"), say("Packets lost among those expected, per SBC and direction."),
        [Query(ratio(lost, f"{received} + ({lost})"), "{{sbc}} {{direction}}")], unit="percentunit", decimals=2,
        step="2m",
    )  # fmt: skip
    sheet.states(
        8, say("Canaries"), say("Targets outside the platform: if they are silent too, it is the probe's network."),
        Query(newest("sereno_probe_canary_up", by="probe, element", least=True), "{{probe}} {{element}}"),
        choices=((1, say("✓ Answers"), GOOD), (0, say("✕ Silent"), BAD)),
        nothing=say("No probe has canaries (if «Watch» is ✓)"),
    )  # fmt: skip


ABOUT = About(
    "incident", "Incident and forensics", "What is open, what fell first, who saw it, and what was measured around it.",
    "now-30m", ("sbc", "core"), fill,
)  # fmt: skip
