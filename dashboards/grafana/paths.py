"""Rutas: each way through an SBC to a core, and why one fails."""

from dashboards.grafana import common
from dashboards.grafana.frame import HOME, About
from dashboards.grafana.kit import BAD, GOOD, NEUTRAL, PAGE_OF_ELEMENT, PLANNED, POOR, Column, Query, Sheet
from dashboards.grafana.queries import (
    AT,
    PATH,
    RANGE,
    WHOLE,
    failed_ratio,
    in_state,
    increase,
    quantile,
    rate,
    state,
    timeline,
    worst,
)

OPTIONS = 'check="options"'
BY = "sbc, core"


def fill(sheet: Sheet) -> None:
    say = sheet.words.text
    sheet.line(4)
    common.watch(sheet)
    common.data_age(sheet, 5)
    for title, description, name, steps in (
        (say("Paths down"), say("Paths whose verdict is down now."), "down", ((None, GOOD), (1, BAD))),
        (say("Paths unknown"), say("Paths of which nobody knows now."), "unknown", ((None, GOOD), (1, NEUTRAL))),
        (say("Paths degraded"), say("Paths that work with a remark now."), "degraded", ((None, GOOD), (1, POOR))),
        (say("In maintenance"), say("Paths in announced work now."), "maintenance", ((None, GOOD), (1, PLANNED))),
        (say("Paths up"), say("Paths whose verdict is up now."), "up", ((None, BAD), (1, GOOD))),
    ):
        sheet.stat(3, title, description, [Query(in_state("path", name, PATH))], decimals=0, steps=steps)
    sheet.line(9)
    _table(sheet)
    reasons = increase("sereno_check_results_total", 'outcome="failed"', AT, by="reason")
    sheet.bars(
        8, say("Failures by reason"), say("Failed results in the time range, by reason."),
        [Query(f"sort_desc(({reasons}) > 0)", "{{reason}}")], unit="none", steps=((None, POOR),), decimals=0,
        nothing=say("No failure in the time range (if «Watch» is ✓)"),
    )  # fmt: skip
    sheet.line(7)
    sheet.states(
        24, say("Paths over time"),
        say("Verdict of each path over time; of more than 24, those alone that were not up all the time."),
        Query(timeline("path", PATH), "{{element}}"), nothing=common.all_up(sheet), link=PAGE_OF_ELEMENT,
    )  # fmt: skip
    _times(sheet)
    _answers(sheet)


def _table(sheet: Sheet) -> None:
    say = sheet.words.text

    def path(expression: str) -> str:
        return f'max by (element) (label_join({expression}, "element", "/", "sbc", "core"))'

    failed = path(failed_ratio(OPTIONS, AT, by=BY, window=RANGE))
    slow = path(quantile(0.95, "sereno_check_duration_seconds", OPTIONS, AT, by=BY, window=RANGE))
    sheet.table(
        16, say("Paths, worst first"), say("Verdict now; failures and answer times of OPTIONS in the time range."),
        [Query(state("path", PATH)), Query(failed), Query(slow)],
        (
            Column("Value #A", say("State"), choices=sheet.words.states()),
            Column("element", say("Path"), link=f"{HOME}/paths/${{__data.fields.element:raw}}"),
            Column("Value #B", say("Failed"), unit="percentunit", decimals=2),
            Column("Value #C", "p95", unit="s", decimals=4),
        ),
        sort=say("State"),
    )  # fmt: skip


def _times(sheet: Sheet) -> None:
    say = sheet.words.text
    where = "{{sbc}}/{{core}}"
    duration = "sereno_check_duration_seconds"
    slowest = quantile(0.95, duration, OPTIONS, AT, by=BY, window=WHOLE)
    most = failed_ratio(OPTIONS, AT, by=BY, window=WHOLE)
    sheet.line(8)
    sheet.series(
        12, say("OPTIONS: median and 95th percentile"),
        say("Time until the final answer, of the twenty slowest paths."),
        [
            Query(worst(quantile(0.5, duration, OPTIONS, AT, by=BY), slowest, by=BY), f"p50 {where}"),
            Query(worst(quantile(0.95, duration, OPTIONS, AT, by=BY), slowest, by=BY), f"p95 {where}"),
        ],
        unit="s",
    )  # fmt: skip
    sheet.series(
        12, say("OPTIONS: failed share"), say("Failed OPTIONS among the valid ones, of the twenty worst paths."),
        [Query(worst(failed_ratio(OPTIONS, AT, by=BY), most, by=BY), where)], unit="percentunit", maximum=1,
    )  # fmt: skip
    sheet.line(8)
    plain = 'sbc=~"$sbc"'
    sheet.series(
        12, say("Edge of each SBC: failed share"), say("The SBC answers for itself; if it does, a core is to blame."),
        [Query(failed_ratio('check="edge"', plain, by="sbc"), "{{sbc}}")], unit="percentunit", maximum=1,
    )  # fmt: skip
    sheet.series(
        12, say("Natural checks: failed share"), say("What a phone sees through each SBC, failover included."),
        [Query(failed_ratio('check="natural"', plain, by="sbc"), "{{sbc}}")], unit="percentunit", maximum=1,
    )  # fmt: skip


def _answers(sheet: Sheet) -> None:
    say = sheet.words.text
    sheet.line(8)
    sheet.series(
        12, say("Final answers by SIP code"),
        say("Final answers a second, by their code; the edges' own ones, mostly a 483, are left out."),
        [Query(rate("sereno_sip_responses_total", 'check!="edge"', AT, by="code"), "{{code}}")], unit="cps",
    )  # fmt: skip
    failed = rate("sereno_check_results_total", 'outcome="failed"', AT, by="check, reason")
    sheet.series(
        12, say("Failures over time"), say("Failed results a second, by check and reason."),
        [Query(failed, "{{check}} {{reason}}")], unit="cps",
        nothing=say("No failure in the time range (if «Watch» is ✓)"),
    )  # fmt: skip


ABOUT = About(
    "paths", "Paths", "Every way through an SBC to a core: which one fails, since when, and with what answer.",
    "now-1h", ("sbc", "core"), fill,
)  # fmt: skip
