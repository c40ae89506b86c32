"""What was seen: the first failing exchange of each kind, its call's seconds, and when the same last went well."""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from itertools import islice
from typing import Any

import msgspec
from markupsafe import Markup
from sqlalchemy import Connection, select

from dashboards.web.incidents.filters import elements_of
from dashboards.web.ladder import ladder, rtp_seconds, side_by_side
from dashboards.web.words import Words
from sereno.clock import SECOND_US
from sereno.incident import IncidentRecord
from sereno.incident.told import made_of
from sereno.store.queries.forensics import Mark, ResultRow, Series, before, odd
from sereno.store.tables import verdict_changes
from sereno.topology.model import Topology

BEFORE_US, AFTER_US, OPENING_US = SECOND_US, 180 * SECOND_US, 30 * SECOND_US
MOST_ROWS = 3_000
MOST_SHOWN = 3
MOST_KEPT = 64
_LOOK_BACK_US = 3_600 * SECOND_US
_PLANES = {"options": 0, "edge": 0, "natural": 0, "register": 1, "call": 2, "terminating": 2, "pstn": 2}
_KEPT = ('"messages":', '"seconds":', '"rtp":')  # what makes a result worth a picture


class Good(msgspec.Struct, frozen=True, kw_only=True):
    """The last time that the same check went well before."""

    at_us: int
    code: int | None = None
    seconds: float | None = None


class Exhibit(msgspec.Struct, frozen=True, kw_only=True):
    """One failing result."""

    at_us: int
    element: str
    check: str
    probe: str
    reason: str | None
    link: str
    picture: Markup
    seconds: Markup
    good: Good | None


class _Brief(msgspec.Struct):
    code: int | None = None
    rtt_seconds: float | None = None
    setup_seconds: float | None = None


class Vitrine:
    """Exhibits of the incidents that somebody watches: read once for each change of an incident."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[int, int, str, str | None], tuple[Exhibit, ...]] = OrderedDict()

    def of(
        self, connection: Connection, record: IncidentRecord, topology: Topology, words: Words
    ) -> tuple[Exhibit, ...]:
        """Those of an incident, as it stands now."""
        key = (record.number, record.version, words.language, words.locale)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found = tuple(exhibits(connection, record, topology, words))
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return found


def exhibits(connection: Connection, record: IncidentRecord, topology: Topology, words: Words) -> list[Exhibit]:
    """The earliest of each kind of check, signalling before registrations before calls; of the present episode."""
    names = result_elements(record, topology)
    if not names:
        return []
    for windows in _episodes(record):
        best = _best(connection, names, _reason(record), windows)
        if best:
            order = sorted(best, key=lambda place: (best[place][0][:2], place))  # what it is called after, what decided
            return [_exhibit(connection, best[place][1], words, place) for place in order][:MOST_SHOWN]
    return []


def _best(
    connection: Connection, names: set[str], wanted: str | None, windows: list[tuple[int, int]]
) -> dict[int, tuple[tuple[bool, bool, bool, int], ResultRow]]:
    """Of each kind of check the failure that tells most: by reason, by what decided, by what was kept of it."""
    best: dict[int, tuple[tuple[bool, bool, bool, int], ResultRow]] = {}
    for window in windows:
        decided = _deciding(connection, names, window)
        for count, row in enumerate(islice(odd(connection, names, None, *window), MOST_ROWS)):
            if row.outcome != "failed":
                continue
            place = _PLANES.get(row.check, 3)
            bare = not any(word in row.body for word in _KEPT)
            other = wanted is not None and row.reason != wanted
            rank = (other, (row.probe, row.boot, row.seq) not in decided, bare, count)
            if place not in best or rank < best[place][0]:
                best[place] = (rank, row)
    return best


def _episodes(record: IncidentRecord) -> list[list[tuple[int, int]]]:
    """Around its reopening, if there was one; else around its beginning, and its opening where that came much later."""
    found = [(record.since_us - BEFORE_US, record.since_us + AFTER_US)]
    if record.opened_us > found[0][1]:
        found.append((record.opened_us - OPENING_US, record.opened_us + OPENING_US))
    if record.reopened_us is None:
        return [found]
    return [[(record.reopened_us - OPENING_US, record.reopened_us + AFTER_US)], found]


def _reason(record: IncidentRecord) -> str | None:
    """The reason that its evidence names."""
    for part in (record.evidence or "").split("; "):
        found = made_of(part)
        if found is not None and found[0] == "reason {reason}" and " " not in found[1]["reason"]:
            return found[1]["reason"]
    return None


def _deciding(connection: Connection, names: set[str], window: tuple[int, int]) -> set[tuple[Any, ...]]:
    """The results by which verdicts on these elements were decided then: (probe, boot, seq)."""
    columns = verdict_changes.c
    query = select(columns.name, columns.facts).where(
        columns.at_us >= window[0], columns.at_us < window[1], columns.state.in_(("down", "degraded", "true"))
    )
    found: set[tuple[Any, ...]] = set()
    for row in connection.execute(query.order_by(columns.id).limit(MOST_ROWS)):
        if row.name in names:
            facts: Any = msgspec.json.decode(row.facts)
            named = facts.get("results") if isinstance(facts, dict) else None
            found |= {tuple(one) for one in (named if isinstance(named, list) else ()) if isinstance(one, list)}
    return found


def result_elements(record: IncidentRecord, topology: Topology) -> set[str]:
    """The names under which results of its elements are stored: paths, SBCs, targets."""
    about = elements_of(record)
    names = {name for kind, name in about if kind in {"path", "sbc", "portal", "database"}}
    cores = {name for kind, name in about if kind == "core"}
    sites = {name for kind, name in about if kind == "site"}
    sbcs = {name for kind, name in about if kind == "sbc"}
    if record.cause.kind == "service" and record.opened_by == "sereno":
        sbcs |= set(topology.sbcs)
    sbcs |= {sbc for site in sites if site in topology.sites for sbc in topology.sites[site].sbcs}
    paths = topology.paths()
    if any(kind == "path" for kind, _ in about) and not cores:
        return names
    if cores:
        return names | {path.name for path in paths if path.core in cores}
    return names | sbcs | {path.name for path in paths if path.sbc in sbcs}


def _exhibit(connection: Connection, row: ResultRow, words: Words, place: int) -> Exhibit:
    brief, picture = _last_good(connection, row, words, place)
    return Exhibit(
        at_us=row.at_us, element=row.element, check=row.check, probe=row.probe, reason=row.reason,
        link=f"/forensics/result/{row.probe}/{row.boot}/{row.seq}", good=brief,
        picture=picture or ladder(words, row.body, name=f"failing-{place}"),
        seconds=rtp_seconds(words, row.body, name=f"rtp-{place}"),
    )  # fmt: skip


def _last_good(connection: Connection, row: ResultRow, words: Words, place: int) -> tuple[Good | None, Markup | None]:
    """When the same went well before; beside the failing one where its messages were kept."""
    series = Series(row.element, row.probe, row.check)
    mark = _first_good(before(connection, series, row.at_us, row.at_us - _LOOK_BACK_US))
    if mark is None:
        return None, None
    told = _brief(mark.body)
    good = Good(at_us=mark.at_us, code=told.code, seconds=told.rtt_seconds or told.setup_seconds)
    if '"messages":' in mark.body:
        return good, side_by_side(words, row.body, mark.body, name=f"beside-{place}")
    return good, None


def _first_good(marks: Iterable[Mark]) -> Mark | None:
    return next((mark for mark in marks if mark.outcome == "ok"), None)


def _brief(body: str) -> _Brief:
    found: Any = None
    try:
        found = msgspec.json.decode(body, type=_Brief)
    except msgspec.MsgspecError:  # a row of a newer version says nothing of it here
        return _Brief()
    return found if isinstance(found, _Brief) else _Brief()
