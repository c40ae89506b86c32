"""SLO 99.99: what was promised, what was used of it, how fast it goes.

All from the ledger's gauges (late results revise them, exclusions are left out) and the live seconds by state: the
boards need no rule file.
"""

from dashboards.grafana import common
from dashboards.grafana.frame import HOME, About
from dashboards.grafana.kit import BAD, GOOD, NEUTRAL, POOR, Choice, Column, Query, Sheet
from dashboards.grafana.queries import increase, pick, timeline, while_watched

SITE = 'site=~"$site"'
SECONDS = {"hour": 3_600, "day": 86_400, "3d": 259_200}
MONTH = "(scalar(days_in_month()) * 86400)"  # the budget is that of the calendar month
BURN = ((None, GOOD), (1, POOR), (14.4, BAD))


def gauge(metric: str, *matchers: str) -> str:
    return f"min by (site) ({pick(metric, SITE, *matchers)})"


def down(period: str) -> str:
    return gauge("sereno_down_seconds", f'period="{period}"')


def unknown(period: str) -> str:
    return gauge("sereno_unknown_seconds", f'period="{period}"')


BUDGET, LEFT = gauge("sereno_error_budget_seconds"), gauge("sereno_error_budget_remaining_seconds")


def verdict() -> str:
    """0 met so far, 1 not provable (unknown time could spend what is left), 2 missed; per site."""
    return f"({LEFT} < bool 0) + (({LEFT} - {unknown('month')}) < bool 0)"


def at_least(period: str) -> str:
    """The share that is proved: what nobody measured counts against it."""
    return f"1 - ({down(period)} + {unknown(period)}) / {SECONDS[period]}"


def burn(period: str) -> str:
    """How many times faster than allowed the budget went; 1 spends a month's budget in a month."""
    return f"({down(period)} / {SECONDS[period]}) / (({BUDGET} > 0) / {MONTH})"


def fill(sheet: Sheet) -> None:
    say = sheet.words.text
    verdicts: tuple[Choice, ...] = (
        (0, say("✓ Met so far"), GOOD), (1, say("? Not provable"), NEUTRAL), (2, say("✕ Missed"), BAD),
    )  # fmt: skip
    sheet.line(4)
    common.watch(sheet)
    common.data_age(sheet, 4)
    promised = say("No contract promises an availability (if «Watch» is ✓)")
    sheet.stat(
        4, say("Verdict of the month, worst site"),
        say("By the contract's target; not provable where unknown time decides."),
        [Query(while_watched(f"max({verdict()})"))], choices=verdicts, nothing=promised,
    )  # fmt: skip
    for title, description, value in (
        (say("Sites that miss it"), say("More downtime this month than the contract allows."), 2),
        (say("Sites not provable"), say("What nobody measured could spend what is left."), 1),
    ):
        sheet.stat(
            3, title, description, [Query(while_watched(f"count(({verdict()}) == {value}) or vector(0)"))], decimals=0,
            steps=((None, GOOD), (1, BAD if value > 1 else NEUTRAL)),
        )  # fmt: skip
    sheet.stat(
        3, say("Least budget left"), say("Seconds of downtime that the contract still allows this month, worst site."),
        [Query(while_watched(f"min({LEFT})"))], unit="s", decimals=1, steps=((None, BAD), (0, POOR), (60, GOOD)),
        nothing=promised,
    )  # fmt: skip
    sheet.stat(
        3, say("Burn, last hour"), say("Worst site; 1 spends a month's budget in a month, 14.4 wakes people."),
        [Query(while_watched(f"max({burn('hour')})"))], decimals=1, steps=BURN, nothing=promised,
    )  # fmt: skip
    sheet.line(9)
    _table(sheet, verdicts)
    _series(sheet)
    _states(sheet)


def _table(sheet: Sheet, verdicts: tuple[Choice, ...]) -> None:
    say = sheet.words.text
    sheet.table(
        24, say("Sites, least budget first"), say("This month by the ledger: exclusions left out, late results in."),
        [
            Query(while_watched(expression))
            for expression in (
                verdict(), LEFT, BUDGET, down("month"), unknown("month"), at_least("day"), at_least("3d"),
                burn("hour"), burn("3d"),
            )
        ],
        (
            Column("site", say("Site"), link=f"{HOME}/reports"),
            Column("Value #A", say("Verdict"), choices=verdicts),
            Column("Value #B", say("Budget left"), unit="s", decimals=1),
            Column("Value #C", say("Budget"), unit="s", decimals=1),
            Column("Value #D", say("Down this month"), unit="s", decimals=1),
            Column("Value #E", say("Unknown this month"), unit="s", decimals=1),
            Column("Value #F", say("Proved, last day"), unit="percentunit", decimals=4),
            Column("Value #G", say("Proved, 3 days"), unit="percentunit", decimals=4),
            Column("Value #H", say("Burn, last hour"), unit="none", decimals=2, steps=BURN),
            Column("Value #I", say("Burn, 3 days"), unit="none", decimals=2, steps=BURN),
        ),
        sort=say("Budget left"), descending=False,
        nothing=say("No contract promises an availability (if «Watch» is ✓)"),
    )  # fmt: skip


def _series(sheet: Sheet) -> None:
    say = sheet.words.text
    sheet.line(8)
    sheet.series(
        12, say("Budget left"), say("Below zero it is overspent; a late result may revise it."),
        [Query(while_watched(LEFT), "{{site}}")], unit="s", minimum=None, steps=((None, BAD), (0, "transparent")),
    )  # fmt: skip
    sheet.series(
        12, say("Proved availability, last 3 days"), say("What nobody measured counts against it."),
        [Query(while_watched(at_least("3d")), "{{site}}")], unit="percentunit", minimum=None, maximum=1, decimals=4,
    )  # fmt: skip
    sheet.line(8)
    sheet.series(
        12, say("Burn of the budget"), say("Times faster than allowed: last hour and last 3 days; 14.4 and 1 alarm."),
        [
            Query(while_watched(burn("hour")), "1 h {{site}}"),
            Query(while_watched(burn("3d")), "3 d {{site}}"),
        ],
        unit="none", decimals=2,
        steps=((None, "transparent"), (1, POOR), (14.4, BAD)),
    )  # fmt: skip
    sheet.series(
        12, say("Unknown time"), say("Seconds of the last day and of this month in which nobody knows."),
        [
            Query(while_watched(unknown("day")), f"{say('day')} {{{{site}}}}"),
            Query(while_watched(unknown("month")), f"{say('month')} {{{{site}}}}"),
        ],
        unit="s",
    )  # fmt: skip


def _states(sheet: Sheet) -> None:
    say = sheet.words.text
    sheet.line(7)
    sheet.states(
        14, say("Sites over time"), say("Live verdict of each site; the ledger may revise it."),
        Query(timeline("site", 'element=~"$site"'), "{{element}}"), nothing=common.all_up(sheet),
    )  # fmt: skip
    spent = [
        Query(f"sum({increase('sereno_site_state_seconds_total', SITE, _of(name), by='site')})", word)
        for name, word in (
            ("down", say("time down")), ("degraded", say("time degraded")), ("unknown", say("time unknown")),
            ("maintenance", say("time in maintenance")),
        )
    ]  # fmt: skip
    sheet.bars(
        10, say("Time not up, in the time range"), say("Seconds of all shown sites by live state; maintenance apart."),
        spent, unit="s", steps=((None, NEUTRAL), (0.5, POOR)), decimals=0,
    )  # fmt: skip


def _of(state_name: str) -> str:
    return f'state="{state_name}"'


ABOUT = About(
    "slo", "SLO 99.99 %", "What the contract promises, what was used of it this month, and how fast it goes.",
    "now-7d", ("site",), fill, "1m",
)  # fmt: skip
