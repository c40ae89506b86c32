"""The list: open ones first, the gravest and unattended before the others, then the recent ones, page by page."""

import threading
from collections import OrderedDict
from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection, Select, func, select

from dashboards.web.incidents.filters import Filters, elements_of
from dashboards.web.incidents.sight import Sight, seen
from dashboards.web.words import Words
from sereno.incident import ACTIVE, PRIORITIES, IncidentRecord, decode_record
from sereno.incident.reading import titled
from sereno.store.tables import incident_timeline, incidents
from sereno.topology.model import Topology

PAGE = 50
MOST_KEPT = 32  # ways of asking for what is over
MOST_LOOKED_AT = 20_000  # of the past; what is older is found by its dates
WAITING = ("open", "reopened")
_FAR_US = 2**62


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One incident in the list."""

    number: int
    kind: str
    state: str
    class_: str
    priority: str
    severity: str | None
    title: str
    cause_kind: str
    cause_name: str
    since_us: int
    opened_us: int
    resolved_us: int | None
    assigned: str | None
    customers: tuple[str, ...]
    sites: tuple[str, ...]
    next_clock: str | None  # the promise that falls due first, of those that run
    next_due_us: int | None
    paused: bool
    missed: int  # promises not kept
    reopenings: int

    @property
    def waiting(self) -> bool:
        return self.state in WAITING

    @property
    def open(self) -> bool:
        return self.state in ACTIVE


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What of it is shown, and how many there are."""

    open: tuple[Line, ...]
    recent: tuple[Line, ...]
    page: int
    more: bool
    counts: dict[str, int]  # of all that he sees: by state, and those that wait
    found: int  # of the past, by these filters
    cut: bool  # older ones were not looked at


def listed(
    connection: Connection, filters: Filters, sight: Sight, topology: Topology | None, words: Words, kept: "Past"
) -> Page:
    """The page that the filters ask for."""
    active = [
        one for one in _records(connection, select(incidents).where(incidents.c.state.in_(sorted(ACTIVE))))
        if sight.sees(one)
    ]  # fmt: skip
    window = filters.window(words.zone.key)
    open_ = [
        seen(one, sight, topology, words) for one in active if _wanted(one, filters, window, sight, topology, words)
    ]
    past, cut = kept.of(connection, filters, sight, topology, words)
    first = (filters.page - 1) * PAGE
    return Page(
        open=tuple(sorted((line(one, words) for one in open_), key=_gravity)) if filters.page == 1 else (),
        recent=past[first : first + PAGE],
        page=filters.page,
        more=len(past) > first + PAGE,
        counts=_counts(active),
        found=len(past),
        cut=cut,
    )


def _counts(active: Iterable[IncidentRecord]) -> dict[str, int]:
    found = dict.fromkeys(("open", "waiting", *PRIORITIES), 0)
    for one in active:
        if one.class_ == "service":
            found["open"] += 1
            found["waiting"] += one.state in WAITING
            found[one.priority] += 1
    found["monitor"] = sum(one.class_ == "monitor" for one in active)
    return found


class Past:
    """What is over, as somebody asked for it: read again once the desk has written another line of anything."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[object, ...], tuple[tuple[Line, ...], bool]] = OrderedDict()

    def of(
        self, connection: Connection, filters: Filters, sight: Sight, topology: Topology | None, words: Words
    ) -> tuple[tuple[Line, ...], bool]:
        """The lines, the newest first, and whether there are older ones that were not looked at."""
        last = connection.execute(select(func.max(incident_timeline.c.id))).scalar()
        key = (last, msgspec.structs.replace(filters, page=1), sight.word, words.language, words.locale, id(topology))
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found = _past(connection, filters, sight, topology, words)
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return found


def _past(
    connection: Connection, filters: Filters, sight: Sight, topology: Topology | None, words: Words
) -> tuple[tuple[Line, ...], bool]:
    window = filters.window(words.zone.key)
    query = select(incidents).where(incidents.c.state.not_in(sorted(ACTIVE))).order_by(incidents.c.number.desc())
    query = _narrowed(query, filters, window).limit(MOST_LOOKED_AT + 1)
    records = _records(connection, query)
    found = [
        line(seen(one, sight, topology, words), words)
        for one in records[:MOST_LOOKED_AT]
        if sight.sees(one) and _wanted(one, filters, window, sight, topology, words)
    ]
    return tuple(found), len(records) > MOST_LOOKED_AT


def _narrowed(
    query: Select[tuple[object, ...]], filters: Filters, window: tuple[int | None, int | None]
) -> Select[tuple[object, ...]]:
    columns = incidents.c
    if filters.states:
        query = query.where(columns.state.in_(filters.states))
    if filters.priorities:
        query = query.where(columns.priority.in_(filters.priorities))
    if filters.class_:
        query = query.where(columns["class"] == filters.class_)
    if window[0] is not None:
        query = query.where(columns.opened_us >= window[0])
    if window[1] is not None:
        query = query.where(columns.opened_us < window[1])
    return query


def _wanted(
    record: IncidentRecord, filters: Filters, window: tuple[int | None, int | None], sight: Sight,
    topology: Topology | None, words: Words,
) -> bool:  # fmt: skip
    if filters.states and record.state not in filters.states:
        return False
    if filters.priorities and record.priority not in filters.priorities:
        return False
    if filters.class_ and record.class_ != filters.class_:
        return False
    if (window[0] is not None and record.opened_us < window[0]) or (
        window[1] is not None and record.opened_us >= window[1]
    ):
        return False
    shown = seen(record, sight, topology, words)
    return filters.holds(shown, _said(shown, words) if filters.text else "")


def _said(record: IncidentRecord, words: Words) -> str:
    """All of it that people look for, in small letters."""
    parts = [
        f"#{record.number}", titled(record, words.language), record.title, record.assigned, record.reporter,
        record.contact, record.extension, record.counterpart, record.description, record.category, record.severity,
        *record.customers, *record.sites, *(name for _, name in elements_of(record)),
    ]  # fmt: skip
    return "\n".join(part for part in parts if part).casefold()


def _records(connection: Connection, query: Select[tuple[object, ...]]) -> list[IncidentRecord]:
    return [decode_record(row.body) for row in connection.execute(query)]


def line(record: IncidentRecord, words: Words) -> Line:
    """An incident in one line."""
    running = [(clock.due_us, clock.clock) for clock in record.clocks if clock.state == "running"]
    due_us, clock = min(running, default=(None, None))
    return Line(
        number=record.number, kind=record.kind, state=record.state, class_=record.class_, priority=record.priority,
        severity=record.severity, title=titled(record, words.language), cause_kind=record.cause.kind,
        cause_name=record.cause.name, since_us=record.since_us, opened_us=record.opened_us,
        resolved_us=record.resolved_us, assigned=record.assigned, customers=tuple(record.customers),
        sites=record.sites, next_clock=clock, next_due_us=due_us,
        paused=any(one.state == "paused" for one in record.clocks),
        reopenings=record.reopenings,
        missed=sum(one.state == "missed" for one in record.clocks),
    )  # fmt: skip


def _gravity(one: Line) -> tuple[bool, int, bool, int, int]:
    due_us = _FAR_US if one.next_due_us is None else one.next_due_us
    return (one.class_ == "monitor", PRIORITIES.index(one.priority), not one.waiting, due_us, one.number)


__all__ = ["PAGE", "Line", "Page", "Past", "line", "listed"]
