"""The doctor's table: a group for each question, the worst first in it; as wide as the terminal."""

from collections.abc import Iterable, Iterator, Mapping

from rich.text import Text

from sereno.cli._screen import COLOURS, console, put, table
from sereno.doctor import Finding, State
from sereno.doctor.findings import QUESTIONS
from sereno.doctor.model import GLYPHS, STATES, say

_LISTED = 8
_COLOUR = {"ok": "up", "warning": "degraded", "broken": "down", "unknown": "unknown"}


def show(findings: list[Finding], counts: Mapping[State, int], language: str) -> None:
    """Every finding; what cannot be told for one and the same reason is one line."""
    screen, rows = console(), table()
    titles = {one.name: say(language, one.title) for one in QUESTIONS}
    rows.add_column(no_wrap=True)
    rows.add_column(no_wrap=True, overflow="fold")
    rows.add_column(ratio=1, overflow="fold")
    for names, one in together(findings):
        heading = ", ".join(titles[name] for name in names[:_LISTED]) + (" …" if len(names) > _LISTED else "")
        style = COLOURS[_COLOUR[one.state]]
        words = Text(one.told(language))
        if one.where:
            words = Text(one.placed(language), style="bold") + Text(": ") + words
        if len(names) > 1:
            words = words + Text(f" ({heading})")
            heading = say(language, "{count} questions", count=str(len(names)))
        if one.mend:
            words = words + Text("\n→ " + one.mended(language), style="dim" if one.state == "unknown" else "")
        rows.add_row(Text(GLYPHS[one.state], style=style), heading, words)
    put(screen, rows, Text(""), Text(_sentence(counts, language)))


def together(findings: Iterable[Finding]) -> Iterator[tuple[list[str], Finding]]:
    """Findings in the order of the questions, the worst first in each; unknowns of one cause at their first place."""
    order = {one.name: place for place, one in enumerate(QUESTIONS)}
    ranked = sorted(findings, key=lambda one: (order.get(one.about, 0), STATES.index(one.state)))
    shared: dict[tuple[object, ...], list[str]] = {}
    for one in ranked:
        shared.setdefault(_cause(one), []).append(one.about)
    told = set()
    for one in ranked:
        cause = _cause(one)
        if cause not in told:
            told.add(cause)
            yield (list(dict.fromkeys(shared[cause])) if one.state == "unknown" else [one.about]), one


def _cause(one: Finding) -> tuple[object, ...]:
    if one.state == "unknown":
        return ("unknown", one.what, one.where, tuple(sorted(one.values.items())))
    return (one.about, one.state, one.what, one.where, tuple(sorted(one.values.items())))


def _sentence(counts: Mapping[State, int], language: str) -> str:
    values = {name: str(count) for name, count in counts.items()}
    if counts["broken"]:
        return say(language, "✕ {broken} broken · ▲ {warning} to mend · ? {unknown} not known · ✓ {ok} fine", **values)
    if counts["warning"] or counts["unknown"]:
        return say(language, "Nothing is broken · ▲ {warning} to mend · ? {unknown} not known · ✓ {ok} fine", **values)
    return say(language, "All is well · ✓ {ok} fine", **values)
