"""Panorama: is voice up, what is not, how old is the data, how good are the calls."""

from dashboards.grafana import common
from dashboards.grafana.frame import About
from dashboards.grafana.kit import BAD, GOOD, PAGE_OF_ELEMENT, PAGE_OF_PATH, POOR, Column, Query, Sheet
from dashboards.grafana.media import lost_share
from dashboards.grafana.queries import AT, WHOLE, failed_ratio, pick, quantile, state, timeline, while_watched, worst


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
    all_up = common.all_up(sheet)
    sheet.line(6)
    sheet.states(
        24, say("Paths (SBC/core)"),
        say("Verdict of each path over time; of more than 24, those alone that were not up all the time."),
        Query(timeline("path", 'element=~"$sbc/.+"'), "{{element}}"), nothing=all_up,
        link=PAGE_OF_ELEMENT, board="paths",
    )  # fmt: skip
    sheet.line(5)
    for title, description, kind, matcher in (
        (say("Cores"), say("Verdict of each core over time."), "core", ""),
        ("SBC", say("Verdict of each SBC's own edge over time."), "sbc", 'element=~"$sbc"'),
        (say("Sites"), say("What each site has: one path is enough where failover is automatic."), "site", ""),
    ):
        sheet.states(
            8, title, description, Query(timeline(kind, matcher), "{{element}}"), nothing=all_up, board="incident"
        )
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
    where, direction = "sbc, core", "sbc, core, direction"
    duration, options = "sereno_check_duration_seconds", 'check="options"'
    sheet.line(8)
    slow = quantile(0.95, duration, options, AT, by=where)
    slowest = quantile(0.95, duration, options, AT, by=where, window=WHOLE)
    sheet.series(
        12, say("OPTIONS: 95th percentile"), say("Time until the final answer, of the twenty slowest paths."),
        [Query(worst(slow, slowest, by=where), "{{sbc}}/{{core}}")], unit="s", link=PAGE_OF_PATH,
    )  # fmt: skip
    checks = "check, sbc, core"
    failed, most = failed_ratio(AT, by=checks), failed_ratio(AT, by=checks, window=WHOLE)
    sheet.series(
        12, say("Failed share"), say("Failed results among the valid ones, of the twenty worst checks of a path."),
        [Query(worst(failed, most, by=checks), "{{check}} {{sbc}}/{{core}}")], unit="percentunit", maximum=1, step="2m",
    )  # fmt: skip
    sheet.line(8)
    quality = quantile(0.5, "sereno_mos_lq", AT, by=direction)
    poorest = quantile(0.5, "sereno_mos_lq", AT, by=direction, window=WHOLE)
    sheet.series(
        12, say("MOS-LQ: median"),
        say("Listening quality of test calls (G.107), of the twenty worst paths and directions."),
        [Query(worst(quality, poorest, by=direction, least=True), "{{sbc}}/{{core}} {{direction}}")],
        unit="none", minimum=1, maximum=4.5, decimals=2, step="2m", link=PAGE_OF_PATH,
    )  # fmt: skip
    sheet.series(
        12, say("RTP loss"), say("Packets lost among those expected, of the twenty worst paths and directions."),
        [Query(worst(lost_share(), lost_share(WHOLE), by=direction), "{{sbc}}/{{core}} {{direction}}")],
        unit="percentunit", step="2m", decimals=2, link=PAGE_OF_PATH,
    )  # fmt: skip


ABOUT = About(
    "panorama", "Overview", "Is there voice? Which SBC, core or path is not there, and how old is what you see.",
    "now-1h", ("sbc", "core"), fill,
)  # fmt: skip
