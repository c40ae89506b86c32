"""Results and runs of a window as forensics reads them, never all at once.

By elements a piece of the window at a time (each piece is found by an index and put in order by itself); of the whole
service by time. What is not plainly ok has an index of its own: "what failed anywhere" does not read what did not.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, func, literal, select, text

from sereno.clock import SECOND_US
from sereno.store.queries.results import of_elements
from sereno.store.runs import COLUMNS, Run
from sereno.store.tables import ODD, results, runs

CHUNK = 2_000
DAY_US = 86_400 * SECOND_US  # the longest that a run reaches
_PARAMETERS = 500  # names in one IN
_PIECE_US = 600 * SECOND_US  # of a window, read and sorted at once
_STEPS_US = (5 * SECOND_US, 60 * SECOND_US, _PIECE_US)  # how far is looked for a neighbour, at first and then


class ResultRow(NamedTuple):
    """A stored result; rows compare in the order of the timeline."""

    at_us: int
    element: str
    probe: str
    boot: str
    seq: int
    check: str
    outcome: str
    reason: str | None
    arrived_us: int
    body: str


_RESULT = tuple(results.c[name] for name in ResultRow._fields)
_NO_BODY = (*_RESULT[:-1], literal("").label("body"))
_RUN = tuple(runs.c[name] for name in COLUMNS)
_ORDER = _RESULT[:5]
_RUN_ORDER = (runs.c.from_us, runs.c.element, runs.c.probe, runs.c.boot, runs.c.first_seq)
_ODD = text(f"({ODD})")
Names = Collection[str] | None  # None: all


def read_at_leisure(connection: Connection) -> None:
    """A person may read page by page: PostgreSQL waits for them, an hour at most, within this transaction."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = '1h'")


def window(connection: Connection, elements: Names, probes: Names, from_us: int, to_us: int) -> Iterator[ResultRow]:
    """Results of these elements by these probes sent in [from, to), in order."""
    if elements is None or len(elements) > _PARAMETERS:
        rows = _stream(connection, _within(from_us, to_us).order_by(*_ORDER))
        yield from (row for row in rows if _of(row.element, elements) and _of(row.probe, probes))
        return
    while from_us < to_us and elements:
        until_us = min(to_us, from_us - from_us % _PIECE_US + _PIECE_US)
        query = of_elements(select(*_RESULT), connection, elements, from_us, until_us, probes)
        yield from _stream(connection, query.order_by(*_ORDER))
        from_us = until_us


def odd(
    connection: Connection, elements: Names, probes: Names, from_us: int, to_us: int, *, bodies: bool = True
) -> Iterator[ResultRow]:
    """Those of them that are not plainly ok; without `bodies`, which are most of the work, theirs are empty."""
    query = _within(from_us, to_us, _RESULT if bodies else _NO_BODY).where(_ODD).order_by(*_ORDER)
    if elements is not None and len(elements) <= _PARAMETERS:
        query = query.where(results.c.element.in_(sorted(elements)))
    rows = _stream(connection, query)
    return (row for row in rows if _of(row.element, elements) and _of(row.probe, probes))


def _within(from_us: int, to_us: int, columns: Sequence[ColumnElement[Any]] = _RESULT) -> Select[Any]:
    return select(*columns).where(results.c.at_us >= from_us, results.c.at_us < to_us)


def _of(name: str, names: Names) -> bool:
    return names is None or name in names


def _stream(connection: Connection, query: Select[Any]) -> Iterator[ResultRow]:
    for row in connection.execute(query.execution_options(yield_per=CHUNK)):
        yield ResultRow._make(row)


def runs_window(connection: Connection, elements: Names, probes: Names, from_us: int, to_us: int) -> Iterator[Run]:
    """Runs that reach into [from, to), in order of their beginning."""
    within = and_(runs.c.from_us >= from_us - DAY_US, runs.c.from_us < to_us, runs.c.to_us >= from_us)
    query = select(*_RUN).where(within).order_by(*_RUN_ORDER).execution_options(yield_per=CHUNK)
    if elements is not None and len(elements) <= _PARAMETERS:
        query = query.where(runs.c.element.in_(sorted(elements)))
    for row in connection.execute(query):
        one = Run(*row)
        if _of(one.element, elements) and _of(one.probe, probes):
            yield one


def probes_seen(connection: Connection) -> set[str]:
    """Every probe that has results or runs; each is found by one step in an index."""
    found: set[str] = set()
    last = ""
    query = select(results.c.probe).order_by(results.c.probe).limit(1)
    while (probe := connection.execute(query.where(results.c.probe > last)).scalar()) is not None:
        found.add(probe)
        last = probe
    return found | {str(probe) for (probe,) in connection.execute(select(runs.c.probe).distinct())}


# -- one series, and who stands beside whom --------------------------------------------------------------------------


class Series(NamedTuple):
    """What is compared with itself when one asks whether it changed: one check of one probe, towards one element."""

    element: str
    probe: str
    check: str


class Mark(NamedTuple):
    """One result of a series, as far as it says whether all was well.

    `body` is the result's, in a run its first one's: who asks tells by it which address it went to.
    """

    at_us: int
    boot: str
    seq: int
    outcome: str
    reason: str | None
    body: str


_MARK = tuple(results.c[name] for name in Mark._fields)


def before(connection: Connection, series: Series, at_us: int, least_us: int) -> Iterator[Mark]:
    """Results of a series sent in [least, at), the newest first, in runs too."""
    steps = iter(_STEPS_US)
    step = next(steps)
    until_us = at_us
    while until_us > least_us:
        begin_us = max(least_us, until_us - step)
        found = [*_marks(connection, series, begin_us, until_us), *_compacted(connection, series, begin_us, until_us)]
        yield from sorted(found, reverse=True, key=lambda mark: mark[:3])
        until_us, step = begin_us, next(steps, step)


def after(connection: Connection, series: Series, at_us: int, to_us: int) -> Iterator[Mark]:
    """Results of a series sent in (at, to), the oldest first, in runs too."""
    steps = iter(_STEPS_US)
    step = next(steps)
    begin_us = at_us + 1
    while begin_us < to_us:
        until_us = min(to_us, begin_us + step)
        found = [*_marks(connection, series, begin_us, until_us), *_compacted(connection, series, begin_us, until_us)]
        yield from sorted(found, key=lambda mark: mark[:3])
        begin_us, step = until_us, next(steps, step)


def _marks(connection: Connection, series: Series, from_us: int, to_us: int) -> Iterator[Mark]:
    query = select(*_MARK).where(results.c.check == series.check)
    query = of_elements(query, connection, [series.element], from_us, to_us, [series.probe])
    return (Mark._make(row) for row in connection.execute(query))


def _compacted(connection: Connection, series: Series, from_us: int, to_us: int) -> Iterator[Mark]:
    of_it = and_(runs.c.element == series.element, runs.c.probe == series.probe, runs.c.check == series.check)
    within = and_(runs.c.from_us >= from_us - DAY_US, runs.c.from_us < to_us, runs.c.to_us >= from_us)
    for row in connection.execute(select(*_RUN).where(of_it, within)):
        yield from marks_of(Run(*row), from_us, to_us)


def marks_of(run: Run, from_us: int, to_us: int) -> Iterator[Mark]:
    """The results of a run that were sent in [from, to)."""
    ats, seqs, _ = run.open()
    for place in range(bisect_left(ats, from_us), bisect_left(ats, to_us)):
        yield Mark(ats[place], run.boot, seqs[place], run.outcome, run.reason, run.body)


class Coverage(NamedTuple):
    """What the store holds at all: the first and last `at` of results, and of runs."""

    first_us: int | None
    last_us: int | None
    first_run_us: int | None
    last_run_us: int | None


def coverage(connection: Connection) -> Coverage:
    """From where to where there are results, and runs of older ones."""
    raw = [connection.execute(select(how(results.c.at_us))).scalar() for how in (func.min, func.max)]
    old = [connection.execute(select(how(runs.c.from_us))).scalar() for how in (func.min, func.max)]
    first, last, first_run, last_run = (None if value is None else int(value) for value in (*raw, *old))
    return Coverage(first, last, first_run, last_run)


def one(connection: Connection, probe: str, boot: str, seq: int) -> ResultRow | None:
    """The result with this name; None where it is not stored as a row (any more)."""
    columns = results.c
    query = select(*_RESULT).where(columns.probe == probe, columns.boot == boot, columns.seq == seq)
    row = connection.execute(query.order_by(columns.at_us).limit(1)).first()
    return None if row is None else ResultRow._make(row)
