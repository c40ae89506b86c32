"""Pictures of a report as SVG for white paper: a strip of days, what the budget holds, a histogram.

Shape tells as much as colour, each has its sentence in `<title>`, and colours are presentation attributes: a strict
content policy allows no styles, and WeasyPrint reads none of the document's inside SVG.
"""

from collections import Counter
from collections.abc import Sequence

from markupsafe import Markup, escape

from dashboards.reports.model import Arithmetic, Availability, Day, Distribution
from dashboards.reports.words import ReportWords

_FILL = {"up": "#d9edf7", "down": "#b34700", "unknown": "#e6e6e6", "excluded": "#d8cfe8"}
_INK = {"up": "#0b4f75", "down": "#ffffff", "unknown": "#333333", "excluded": "#4b2e83"}
_MARK = {  # drawn, not written: no font need have them
    "up": '<path d="M5 11.5 8.6 15 15 7" fill="none" stroke="{ink}" stroke-width="2.2"/>',
    "down": '<path d="M6 6 14 15M14 6 6 15" fill="none" stroke="{ink}" stroke-width="2.4"/>',
    "unknown": (
        '<path d="M7 8.2c0-4 6-4 6-.4 0 2.4-3 2.2-3 4.7" fill="none" stroke="{ink}" stroke-width="2"/>'
        '<circle cx="10" cy="15.6" r="1.3" fill="{ink}"/>'
    ),
    "excluded": '<path d="M10 4.5 15 10.5 10 16.5 5 10.5z" fill="{ink}"/>',
}
_STROKE = {  # the same marks with their first points left open
    "up": "M{0} 11.5 {1} 15 {2} 7",
    "down": "M{0} 6 {1} 15M{1} 6 {0} 15",
    "unknown": "M{0} 8.2c0-4 6-4 6-.4 0 2.4-3 2.2-3 4.7m0 1.8v2",
    "excluded": "M{0} 4.5 {1} 10.5 {0} 16.5 {2} 10.5z",
}
_OFFSETS: dict[str, tuple[float, ...]] = {"up": (5, 8.6, 15), "down": (6, 14), "unknown": (7,), "excluded": (10, 15, 5)}
_STATES = ("up", "down", "unknown", "excluded")
_CELL, _GAP = 20, 2
_LONGEST = 31  # days of a month


def _svg(width: int, height: int, title: str, body: str, kind: str) -> Markup:
    return Markup(  # noqa: S704 - what is said is escaped, the rest is ours
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{kind}" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>{body}</svg>'
    )


def strip(days: Sequence[Day], words: ReportWords) -> Markup:
    """One cell a day: ✓ nothing lost, ✕ down, ? unknown, ◆ wholly excluded."""
    cells = []
    for place, day in enumerate(days):
        x = place * (_CELL + _GAP)
        number = int(day.date[8:])
        cells.append(
            f'<g transform="translate({x} 14)"><title>{escape(_told(day, words))}</title>'
            f'<rect width="{_CELL}" height="21" rx="3" fill="{_FILL[day.state]}"/>'
            f"{_MARK[day.state].format(ink=_INK[day.state])}</g>"
        )
        if number == 1 or number % 5 == 0:
            cells.append(
                f'<text x="{x + _CELL / 2:g}" y="9" font-size="9" text-anchor="middle" fill="#444444"'
                f' font-family="Noto Sans, DejaVu Sans, sans-serif">{number}</text>'
            )
    return _svg(max(len(days), _LONGEST) * (_CELL + _GAP) - _GAP, 36, summary(days, words), "".join(cells), "strip")


def row(days: Sequence[Day], words: ReportWords) -> Markup:
    """The same without numbers, drawn at one stroke for each state: a hundred of them stand on some reports."""
    parts = []
    for state in _STATES:
        places = [place * (_CELL + _GAP) for place, day in enumerate(days) if day.state == state]
        if places:
            cells = "".join(f"M{x} 0h{_CELL}v21h-{_CELL}z" for x in places)
            marks = "".join(_STROKE[state].format(*(x + dx for dx in _OFFSETS[state])) for x in places)
            ink = _INK[state]
            style = f'fill="{ink}"' if state == "excluded" else f'fill="none" stroke="{ink}" stroke-width="2.2"'
            parts.append(f'<path d="{cells}" fill="{_FILL[state]}"/><path d="{marks}" {style}/>')
    width = max(len(days), _LONGEST) * (_CELL + _GAP) - _GAP  # a month under way is no taller than a whole one
    return _svg(width, 21, summary(days, words), "".join(parts), "strip")


def _told(day: Day, words: ReportWords) -> str:
    said = f"{words.date(day.date)}: {words.keyed('day', day.state)}"
    return f"{said}, {words.seconds(day.down_seconds)}" if day.down_seconds else said


def summary(days: Sequence[Day], words: ReportWords) -> str:
    """The strip in a sentence."""
    counts = Counter(day.state for day in days)
    parts = [f"{words.keyed('days', state)}: {counts[state]}" for state in _STATES if counts[state]]
    return f"{words.text('Days of the month')}: {len(days)}. {'; '.join(parts)}."


def budget(figures: Availability, sums: Arithmetic, words: ReportWords) -> Markup:
    """Down, bound and unknown against what the promise leaves room for, on one scale."""
    allowed = sums.allowed_seconds or 0.0
    whole = max(allowed, sums.at_worst_seconds, 1.0) * 1.04
    width = 640.0
    parts, x = [], 0.0
    for value, fill in (
        (figures.down_seconds, "#b34700"),
        (figures.bound_seconds, "#e3a777"),
        (figures.unknown_seconds, "#bdbdbd"),
    ):
        length = width * value / whole
        parts.append(f'<rect x="{x:.2f}" y="6" width="{length:.2f}" height="16" fill="{fill}"/>')
        x += length
    mark = width * allowed / whole
    body = (
        f'<rect x="0" y="6" width="{width:g}" height="16" fill="#f2f2f2"/>{"".join(parts)}'
        f'<path d="M{mark:.2f} 1V27" stroke="#111111" stroke-width="2"/>'
    )
    title = words.text(
        "Down {down}, sampling bound {bound}, unknown {unknown}; allowed {allowed}.",
        down=words.seconds(figures.down_seconds), bound=words.seconds(figures.bound_seconds),
        unknown=words.seconds(figures.unknown_seconds), allowed=words.seconds(sums.allowed_seconds),
    )  # fmt: skip
    return _svg(640, 28, title, body, "budget")


def histogram(found: Distribution, words: ReportWords, title: str) -> Markup:
    """How many lie up to each bound; the last bar is what lies above all of them."""
    width, height, foot = 300, 92, 14
    step = width / len(found.counts)
    highest = max(found.counts)
    labels = [f"≤{words.figure(bound, '#,##0.##')}" for bound in found.bounds]
    labels.append(f">{words.figure(found.bounds[-1], '#,##0.##')}")
    parts = []
    for place, (count, label) in enumerate(zip(found.counts, labels, strict=True)):
        x, tall = place * step, (height - foot - 12) * count / highest
        font = 'font-size="7.5" text-anchor="middle" font-family="Noto Sans, DejaVu Sans, sans-serif"'
        middle = f"{x + step / 2:.2f}"
        parts.append(
            f'<rect x="{x + 1:.2f}" y="{height - foot - tall:.2f}" width="{step - 2:.2f}" height="{tall:.2f}"'
            f' fill="#2a6f97"/><text x="{middle}" y="{height - 4}" {font} fill="#444444">{escape(label)}</text>'
        )
        if count:
            above = f"{height - foot - tall - 2:.2f}"
            parts.append(f'<text x="{middle}" y="{above}" {font} fill="#111111">{words.count(count)}</text>')
    told = "; ".join(
        f"{label}: {words.count(count)}" for count, label in zip(found.counts, labels, strict=True) if count
    )
    return _svg(width, height, f"{title}. {told}.", "".join(parts), "histogram")
