"""Pictures for a terminal: a strip of days, a bar of what is spent."""

from collections.abc import Sequence

from sereno.availability import Figures
from sereno.contract.calendar import local_date

_SHORTEST, _LONGEST = 2, 62
_WIDTH = 20


def strip(days: Sequence[tuple[int, Figures]], zone: str) -> list[str]:
    """Two lines, one character a day: ✕ down, ? unknown, ◆ wholly excluded, ✓ the rest; nothing for long windows."""
    if not _SHORTEST <= len(days) <= _LONGEST:
        return []
    dates = [local_date(zone, begin_us).day for begin_us, _ in days]
    marks = [day if day == 1 or day % 5 == 0 else None for day in dates]
    above = [" "] * (len(days) + 1)
    for place, mark in enumerate(marks):
        if mark is None:
            continue
        for offset, figure in enumerate(str(mark)):
            above[place + offset] = figure
    legend = "✓ arriba  ✕ caída  ? desconocido  ◆ excluido"
    return ["".join(above).rstrip(), "".join(_glyph(one) for _, one in days) + f"   {legend}"]


def _glyph(one: Figures) -> str:
    if one.down_us:
        return "✕"
    if one.unknown_us:
        return "?"
    return "◆" if one.counted_us == 0 else "✓"


def bar(spent_us: int, budget_us: int) -> str:
    """How much of a budget is spent: `[████░░░░] 50 %`."""
    if budget_us <= 0:
        return ""
    full = min(_WIDTH, -(-spent_us * _WIDTH // budget_us))
    return f"[{'█' * full}{'░' * (_WIDTH - full)}] {100 * spent_us / budget_us:.1f} %"
