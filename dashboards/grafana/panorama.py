"""Panorama: is voice up, what is not, how old is the data, how good are the calls."""

from dashboards.grafana import common
from dashboards.grafana.frame import About
from dashboards.grafana.kit import BAD, GOOD, POOR, Column, Query, Sheet
from dashboards.grafana.queries import AT, FILL, failed_ratio, pick, quantile, rate, ratio, state, while_watched


def fill(sheet: Sheet) -> None:
    say = sheet.words.text
    sheet.line(4)
    common.watch(sheet)
    common.service(sheet, 4)
    common.data_age(sheet, 5)
    common.incidents(sheet, 6, say("Open incidents"), say("Incidents that are not resolved, by priority."), common.OPEN)
    common.next_due(sheet, 5)
    sheet.line(7)
    _not_up(sheet)
    left = f"min by (site) ({pick('sereno_error_budget_remaining_seconds')})"
    whole = f"min by (site) ({pick('sereno_error_budget_seconds')})"
    sheet.bars(
        10, say("Error budget left this month"),
        say("Share of the downtime that the contract allows this month and that is left; the ten sites with least."),
        [Query(while_watched(f"bottomk(10, {left} / ({whole} > 0))"), "{{site}}")],
        unit="percentunit", minimum=0, maximum=1, decimals=1, steps=((None, BAD), (0, POOR), (0.25, GOOD)),
        nothing=say("No contract promises an availability (if «Watch» is ✓)"),
    )  # fmt: skip
    sheet.line(6)
    sheet.states(
        24, say("Paths (SBC/core)"), say("Verdict of each path over time."),
        Query(state("path", 'element=~"$sbc/.+"', window=FILL), "{{element}}"),
    )  # fmt: skip
    sheet.line(5)
    for title, description, kind, matcher in (
        (say("Cores"), say("Verdict of each core over time."), "core", ""),
        ("SBC", say("Verdict of each SBC's own edge over time."), "sbc", 'element=~"$sbc"'),
        (say("Sites"), say("What each site has: one path is enough where failover is automatic."), "site", ""),
    ):
        sheet.states(8, title, description, Query(state(kind, matcher, window=FILL), "{{element}}"))
    _measures(sheet)


def _not_up(sheet: Sheet) -> None:
    say = sheet.words.text
    worst = f"sort_desc(({state('.+', by='kind, element')}) > 0)"
    sheet.table(
        14, say("What is not up"), say("Every element whose verdict is not up, the worst first."), [Query(worst)],
        (
            Column("Value", say("State"), choices=sheet.words.states()),
            Column("kind", say("Kind"), choices=common.kinds(sheet.words), plain=True),
            Column("element", say("Element")),
        ),
        sort=say("State"), nothing=say("Everything is up (if «Watch» is ✓)"),
    )  # fmt: skip


def _measures(sheet: Sheet) -> None:
    say = sheet.words.text
    by = "sbc, core"
    sheet.line(8)
    sheet.series(
        12, say("OPTIONS: 95th percentile"), say("Time until the final answer, per path."),
        [Query(quantile(0.95, "sereno_check_duration_seconds", 'check="options"', AT, by=by), "{{sbc}}/{{core}}")],
        unit="s",
    )  # fmt: skip
    sheet.series(
        12, say("Failed share"), say("Failed results among the valid ones, per check and path."),
        [Query(failed_ratio(AT, by="sbc, core, check"), "{{check}} {{sbc}}/{{core}}")], unit="percentunit", maximum=1,
        step="2m",
    )  # fmt: skip
    sheet.line(8)
    sheet.series(
        12, say("MOS-LQ: median"), say("Listening quality of test calls (G.107), per path and direction."),
        [Query(quantile(0.5, "sereno_mos_lq", AT, by=f"{by}, direction"), "{{sbc}}/{{core}} {{direction}}")],
        unit="none", minimum=1, maximum=4.5, decimals=2, step="2m",
    )  # fmt: skip
    lost = rate("sereno_rtp_lost_packets_total", AT, by=f"{by}, direction")
    received = rate("sereno_rtp_packets_total", AT, by=f"{by}, direction")
    sheet.series(
        12, say("RTP loss"), say("Packets lost among those expected, per path and direction."),
        [Query(ratio(lost, f"{received} + ({lost})"), "{{sbc}}/{{core}} {{direction}}")], unit="percentunit",
        step="2m", decimals=2,
    )  # fmt: skip


ABOUT = About(
    "panorama", "Overview", "Is there voice? Which SBC, core or path is not there, and how old is what you see.",
    "now-1h", ("sbc", "core"), fill,
)  # fmt: skip
