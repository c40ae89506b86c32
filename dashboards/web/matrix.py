"""Which rows of the matrix stand by themselves and which are counted together: pure, worst first.

Up to `ALL` SBCs every one has its row. Beyond that, SBCs with a trouble of their own keep theirs, and the others are
counted by place and by what is said of them; a group can be opened by its place. Nothing that is not up is left out:
where too much fails for rows of its own, groups name their SBCs.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

from dashboards.web.records import LastResult, Panorama, PathCell, SbcRow

ALL = 24  # SBCs that fit one screen as rows
STABLE = 6  # so few stay where the file puts them, whatever happens
GRAVITY = {"down": 0, "unknown": 1, "degraded": 2, "maintenance": 3, "up": 4}
_DIGITS = re.compile(r"(\d+)")
_NAMED = 12  # names that a group lists


class Look(NamedTuple):
    """How somebody looks at the page; as it stands in the URL."""

    q: str = ""
    places: frozenset[str] = frozenset()  # opened groups
    wall: bool = False
    act: bool = False  # he may acknowledge

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]], *, act: bool) -> "Look":
        """From a query: `q`, `open` (several), `wall`."""
        listed = list(pairs)
        said = dict(listed)
        places = frozenset(value[:80] for name, value in listed if name == "open")
        return cls(said.get("q", "").strip()[:80], places, said.get("wall") == "1", act)

    @classmethod
    def read(cls, argument: str) -> "Look":
        """From the argument of a live stream."""
        pairs = parse_qsl(argument, keep_blank_values=True)
        return cls.of(pairs, act=("act", "1") in pairs)

    @property
    def argument(self) -> str:
        """The same look always says the same."""
        return urlencode([*self.pairs(self.places), *([("act", "1")] if self.act else [])])

    def pairs(self, places: Iterable[str]) -> list[tuple[str, str]]:
        """The query with these groups open."""
        found = [("q", self.q)] if self.q else []
        return found + [("open", place) for place in sorted(places)] + ([("wall", "1")] if self.wall else [])

    def toggled(self, place: str) -> str:
        """The query that opens or closes a group."""
        return "?" + urlencode(self.pairs(self.places ^ {place}))


class Span(NamedTuple):
    """Of several measured values the middle one and the worst one, in seconds or MOS."""

    middle: float
    worst: float


@dataclass(frozen=True)
class Sum:
    """What several SBCs say of one column: alike in state and reason, for that makes them a group."""

    state: str
    reason: str | None
    count: int  # of the SBCs that have this column
    rtt: Span | None = None
    mos: float | None = None  # the worst
    registered: tuple[int, int] = (0, 0)  # of how many that were tried


@dataclass(frozen=True)
class Group:
    """SBCs of one place of which the same is said."""

    key: str  # of its element in the page
    place: str | None
    rows: tuple[SbcRow, ...]
    state: str  # the worst of it
    own: bool  # a trouble of its own, not of a core
    edge: Sum
    natural: Sum
    cells: Mapping[str, Sum]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(row.name for row in self.rows[:_NAMED])


class Shown(NamedTuple):
    """The body of the matrix in its order."""

    lines: tuple[SbcRow | Group, ...]
    total: int
    found: int  # of them by the search

    @property
    def grouped(self) -> bool:
        return any(isinstance(line, Group) for line in self.lines)


def arrange(page: Panorama, look: Look) -> Shown:
    """Rows and groups."""
    rows = [row for row in page.rows if _found(row, look.q)]
    cores = {core.name: core.state for core in page.cores}
    graded = [(_gravity(row, cores), row) for row in rows]
    if len(page.rows) <= STABLE:
        return Shown(tuple(rows), len(page.rows), len(rows))
    graded.sort(key=lambda pair: (not _own(pair[1], cores), pair[0], natural_order(pair[1].name)))
    if len(rows) <= ALL:
        return Shown(tuple(row for _, row in graded), len(page.rows), len(rows))
    troubled = sum(_own(row, cores) for row in rows)
    lines: list[SbcRow | Group] = []
    kept: dict[tuple[object, ...], list[SbcRow]] = {}
    for _, row in graded:
        own = _own(row, cores)
        if (own and troubled <= ALL) or (row.place or "") in look.places:
            lines.append(row)
        else:
            kept.setdefault((not own, row.place or "", _said(row)), []).append(row)
    groups = [_group(key, members, cores) for key, members in kept.items()]
    groups.sort(key=lambda group: (not group.own, GRAVITY[group.state], group.place or "", group.key))
    first = [line for line in lines if isinstance(line, SbcRow) and _own(line, cores)]
    rest = [line for line in lines if isinstance(line, SbcRow) and not _own(line, cores)]
    return Shown((*first, *groups, *rest), len(page.rows), len(rows))


def natural_order(name: str) -> list[tuple[int, str]]:
    """So that sbc-10 comes after sbc-9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in _DIGITS.split(name) if part]


def natural_state(row: SbcRow) -> str:
    """What a phone sees through this SBC."""
    if row.natural is None:
        return "unknown"
    return {"ok": "up", "failed": "down"}.get(row.natural.outcome, "unknown")


def row_state(row: SbcRow) -> str:
    """The worst that is said of an SBC and its paths."""
    said = [row.verdict.state, *(cell.verdict.state for cell in row.cells.values())]
    return min(said, key=GRAVITY.__getitem__)


def _found(row: SbcRow, q: str) -> bool:
    wanted = q.casefold()
    return not q or any(wanted in text.casefold() for text in (row.name, row.place or "", *row.cells))


def _own(row: SbcRow, cores: Mapping[str, str]) -> bool:
    """Whether something is wrong that the cores and the page's own blindness do not explain."""
    if row.verdict.reason == "collector_stopped":
        return False
    if row.verdict.state != "up" or (row.natural is not None and row.natural.outcome == "failed"):
        return True
    return any(_odd(cell, cores) for cell in row.cells.values())


def _odd(cell: PathCell, cores: Mapping[str, str]) -> bool:
    return cell.verdict.state != "up" and cell.verdict.state != cores.get(cell.core)


def _gravity(row: SbcRow, cores: Mapping[str, str]) -> tuple[int, int, int]:
    own = [cell.verdict.state for cell in row.cells.values() if _odd(cell, cores)]
    seen = "down" if row.natural is not None and row.natural.outcome == "failed" else "up"
    worst = min((GRAVITY[state] for state in (row.verdict.state, seen, *own)), default=4)
    return GRAVITY[row.verdict.state], worst, -len(own)


def _said(row: SbcRow) -> tuple[object, ...]:
    cells = tuple((core, cell.verdict.state, cell.verdict.reason) for core, cell in sorted(row.cells.items()))
    return row.verdict.state, row.verdict.reason, natural_state(row), cells


def _group(key: tuple[object, ...], rows: Sequence[SbcRow], cores: Mapping[str, str]) -> Group:
    first = rows[0]
    by_core = {core: [row.cells[core] for row in rows if core in row.cells] for core in cores}
    return Group(
        key="group-" + hashlib.sha256(repr(key).encode()).hexdigest()[:10],
        place=first.place,
        rows=tuple(rows),
        state=row_state(first),
        own=_own(first, cores),
        edge=_sum(first.verdict.state, first.verdict.reason, [row.edge for row in rows]),
        natural=_sum(natural_state(first), None, [row.natural for row in rows]),
        cells={core: _cell_sum(cells) for core, cells in by_core.items() if cells},
    )


def _sum(state: str, reason: str | None, lasts: Sequence[LastResult | None]) -> Sum:
    return Sum(state, reason, len(lasts), _rtt(lasts))


def _cell_sum(cells: Sequence[PathCell]) -> Sum:
    tried = [cell.register.outcome == "ok" for cell in cells if cell.register is not None]
    heard = [cell.call.mos for cell in cells if cell.call is not None and cell.call.mos is not None]
    verdict = cells[0].verdict
    return Sum(
        verdict.state, verdict.reason, len(cells), _rtt([cell.options for cell in cells]), min(heard, default=None),
        (sum(tried), len(tried)),
    )  # fmt: skip


def _rtt(lasts: Iterable[LastResult | None]) -> Span | None:
    seconds = [last.rtt_seconds for last in lasts if last is not None and last.rtt_seconds is not None]
    return Span(median(seconds), max(seconds)) if seconds else None
