"""Panels that stand on more than one board, always with the same words."""

from collections.abc import Sequence

from dashboards.grafana.kit import BAD, GOOD, NEUTRAL, POOR, Choice, Query, Sheet, Speech, Step
from dashboards.grafana.queries import age, pick, state, watching, while_watched

OPEN = 'state!="resolved"'
NEW = 'state=~"open|reopened"'
OVERDUE = ((None, BAD), (0, POOR), (900, GOOD))
FRESH = ((None, GOOD), (10, POOR), (30, BAD))
NEWEST = "sereno_probe_last_result_timestamp_seconds"


def watch(sheet: Sheet, width: int = 4) -> None:
    """Whether anybody watches at all: first on every board."""
    say = sheet.words.text
    sheet.stat(
        width, say("Watch"), say("Whether a collector that leads is scraped. If not, nothing on this board is news."),
        [Query(watching())], steps=((None, BAD), (1, GOOD)),
        choices=((1, say("✓ Watching"), GOOD), (0, say("✕ NO COLLECTOR"), BAD)),
    )  # fmt: skip


def service(sheet: Sheet, width: int) -> None:
    say = sheet.words.text
    sheet.stat(
        width, say("Service"), say("Verdict of the whole service, from valid results alone."),
        [Query(f"({state('service')}) or on () vector(3)", "{{element}}")], choices=sheet.words.states(),
    )  # fmt: skip


def data_age(sheet: Sheet, width: int) -> None:
    """The newest result of all, and that of the probe that is furthest behind."""
    say = sheet.words.text
    sheet.stat(
        width, say("Age of the data"),
        say("Since the newest result of the quickest and of the slowest probe was sent."),
        [Query(f"min({age(NEWEST, 'probe')})", say("quickest")), Query(f"max({age(NEWEST, 'probe')})", say("slowest"))],
        unit="s", decimals=0, steps=FRESH, names=True,
    )  # fmt: skip


def incidents(
    sheet: Sheet, width: int, title: str, description: str, matcher: str,
    steps: Sequence[Step] = ((None, GOOD), (1, POOR)),
) -> None:  # fmt: skip
    """Incidents in some states, by priority; only while somebody watches."""
    counted = f"sum by (priority) (max by (priority, state) ({pick('sereno_incidents', matcher)}))"
    sheet.stat(
        width, title, description, [Query(while_watched(counted), "{{priority}}")], decimals=0,
        steps=steps, names=True, link="${sereno:raw}/incidents",
    )  # fmt: skip


def next_due(sheet: Sheet, width: int) -> None:
    say = sheet.words.text
    clocks = (("attention", say("attention")), ("solution", say("solution")))
    sheet.stat(
        width, say("Next clock due"), say("Seconds until the next contract clock falls due; below zero it is missed."),
        [Query(_left(name), word) for name, word in clocks], unit="s", decimals=0, steps=OVERDUE, names=True,
        nothing=say("No clock runs (if «Watch» is ✓)"), link="${sereno:raw}/incidents",
    )  # fmt: skip


def all_up(sheet: Sheet) -> str:
    return sheet.words.text("All of them were up in the time range (if «Watch» is ✓)")


def _left(clock: str) -> str:
    due = pick("sereno_clock_next_due_seconds", f'clock="{clock}"')
    return while_watched(f"min({due}) - time()")


def kinds(words: Speech) -> tuple[Choice, ...]:
    """Kinds of elements in words."""
    say = words.text
    return (
        ("service", say("Service"), NEUTRAL), ("site", say("Site"), NEUTRAL), ("core", say("Core"), NEUTRAL),
        ("sbc", "SBC", NEUTRAL), ("path", say("Path"), NEUTRAL), ("probe", say("Probe"), NEUTRAL),
        ("portal", say("Portal"), NEUTRAL), ("database", say("Database"), NEUTRAL),
    )  # fmt: skip
