"""Results and runs of a window as forensics reads them: by element and probe, or by time; never all at once.

`results` lies by (element, probe, at): a window of one series is one range of the primary key. What is not plainly ok
has an index of its own, so that "what failed anywhere" does not read what did not.
"""

from collections.abc import Collection, Iterator, Sequence
from heapq import merge
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, Table, and_, func, select, text

from sereno.clock import SECOND_US
from sereno.store.tables import ODD, results, runs

CHUNK = 2_000
DAY_US = 86_400 * SECOND_US  # the longest that a run reaches
_PARAMETERS = 500  # names in one IN
_LEAN = 200  # series up to which each is read by its own range


class Pair(NamedTuple):
    """An element and a probe that watched it."""

    element: str
    probe: str


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


class RunRow(NamedTuple):
    """Many results of one series that said the same."""

    from_us: int
    element: str
    probe: str
    boot: str
    first_seq: int
    last_seq: int
    to_us: int
    check: str
    outcome: str
    reason: str | None
    results: int
    largest_gap_us: int
    body: str


_RESULT = tuple(results.c[name] for name in ResultRow._fields)
_RUN = tuple(runs.c["count" if name == "results" else name] for name in RunRow._fields)
_ORDER = _RESULT[:5]
_ODD = text(f"({ODD})")


def pairs(connection: Connection, elements: Collection[str] | None, probes: Collection[str] | None) -> list[Pair]:
    """Who watched these elements, in results or in runs; each is found by one step in the key, however many rows."""
    found: set[Pair] = set()
    for table in (results, runs):
        for element in sorted(elements) if elements is not None else _steps(connection, table, None):
            watching = _steps(connection, table, element)
            found |= {Pair(element, probe) for probe in watching if probes is None or probe in probes}
    return sorted(found)


def _steps(connection: Connection, table: Table, element: str | None) -> Iterator[str]:
    """The distinct elements, or the probes of one, each looked for after the one before."""
    column = table.c.element if element is None else table.c.probe
    query = select(column).order_by(column).limit(1)
    if element is not None:
        query = query.where(table.c.element == element)
    last = connection.execute(query).scalar()
    while last is not None:
        yield last
        last = connection.execute(query.where(column > last)).scalar()


def window(
    connection: Connection, found: Sequence[Pair], from_us: int, to_us: int, *, odd: bool = False
) -> list[Iterator[ResultRow]]:
    """Results sent in [from, to), as streams that are each in order; with `odd` those that are not plainly ok alone."""
    within = and_(results.c.at_us >= from_us, results.c.at_us < to_us)
    if odd or len(found) > _LEAN:
        query = select(*_RESULT).where(within).order_by(*_ORDER)
        if odd:
            query = query.where(_ODD)
        return [_only(_stream(connection, _narrowed(query, found)), frozenset(found))]
    return [
        _stream(
            connection,
            select(*_RESULT)
            .where(results.c.element == pair.element, results.c.probe == pair.probe, within)
            .order_by(results.c.at_us, results.c.boot, results.c.seq),
        )
        for pair in found
    ]


def _narrowed(query: Select[Any], found: Sequence[Pair]) -> Select[Any]:
    elements = {pair.element for pair in found}
    return query.where(results.c.element.in_(sorted(elements))) if len(elements) <= _PARAMETERS else query


def _stream(connection: Connection, query: Select[Any]) -> Iterator[ResultRow]:
    for row in connection.execute(query.execution_options(yield_per=CHUNK)):
        yield ResultRow._make(row)


def _only(rows: Iterator[ResultRow], wanted: frozenset[Pair]) -> Iterator[ResultRow]:
    return (row for row in rows if (row.element, row.probe) in wanted)


def runs_window(connection: Connection, found: Sequence[Pair], from_us: int, to_us: int) -> list[Iterator[RunRow]]:
    """Runs that reach into [from, to), as streams that are each in order of their beginning."""
    within = and_(runs.c.from_us >= from_us - DAY_US, runs.c.from_us < to_us, runs.c.to_us >= from_us)
    if len(found) > _LEAN:
        query = select(*_RUN).where(within).order_by(*_RUN[:5])
        wanted = frozenset(found)
        return [(row for row in _run_stream(connection, query) if (row.element, row.probe) in wanted)]
    return [
        _run_stream(
            connection,
            select(*_RUN)
            .where(runs.c.element == pair.element, runs.c.probe == pair.probe, within)
            .order_by(runs.c.from_us, runs.c.boot, runs.c.first_seq),
        )
        for pair in found
    ]


def _run_stream(connection: Connection, query: Select[Any]) -> Iterator[RunRow]:
    for row in connection.execute(query.execution_options(yield_per=CHUNK)):
        yield RunRow._make(row)


class Series(NamedTuple):
    """What is compared with itself when one asks whether it changed: one check of one probe, towards one element."""

    element: str
    probe: str
    check: str


class Mark(NamedTuple):
    """One result of a series, as far as it says whether all was well; of a run, its first or its last.

    `body` is the result's, of a run its first one's: who asks tells by it which address it went to.
    """

    at_us: int
    boot: str
    seq: int
    outcome: str
    reason: str | None
    body: str


def before(connection: Connection, series: Series, at_us: int, least_us: int) -> Iterator[Mark]:
    """Results of a series sent in [least, at), the newest first; of runs those of the last day before."""
    order = [results.c.at_us.desc(), results.c.boot.desc(), results.c.seq.desc()]
    query = _of_runs(series).where(runs.c.from_us < at_us, runs.c.from_us >= least_us - DAY_US)
    ends = [mark for row in connection.execute(query) for mark in _ends(row) if least_us <= mark.at_us < at_us]
    last_us, step = at_us, 8
    while True:
        query = _marks(series).where(results.c.at_us < last_us, results.c.at_us >= least_us).order_by(*order)
        rows = [Mark._make(row) for row in connection.execute(query.limit(step))]
        least = rows[-1].at_us if len(rows) == step else least_us
        near = [mark for mark in ends if least <= mark.at_us < last_us]
        yield from sorted([*rows, *near], reverse=True, key=lambda mark: mark[:3])
        if len(rows) < step:
            return
        last_us, step = least, CHUNK


def after(connection: Connection, series: Series, at_us: int, to_us: int) -> Iterator[Mark]:
    """Results of a series sent in (at, to), the oldest first; of a run the first and the last."""
    return merge(_after_in_results(connection, series, at_us, to_us), _after_in_runs(connection, series, at_us, to_us))


def _marks(series: Series) -> Select[Any]:
    columns = [results.c[name] for name in Mark._fields]
    of_it = and_(results.c.element == series.element, results.c.probe == series.probe)
    return select(*columns).where(of_it, results.c.check == series.check)


def _of_runs(series: Series) -> Select[Any]:
    of_it = and_(runs.c.element == series.element, runs.c.probe == series.probe, runs.c.check == series.check)
    return select(runs).where(of_it)


def _after_in_results(connection: Connection, series: Series, at_us: int, to_us: int) -> Iterator[Mark]:
    order = (results.c.at_us, results.c.boot, results.c.seq)
    last_us, step = at_us, 8
    while True:  # a few at first: who asks mostly stops at the next one
        query = _marks(series).where(results.c.at_us > last_us, results.c.at_us < to_us).order_by(*order)
        rows = [Mark._make(row) for row in connection.execute(query.limit(step))]
        yield from rows
        if len(rows) < step:
            return
        last_us, step = rows[-1].at_us, CHUNK


def _after_in_runs(connection: Connection, series: Series, at_us: int, to_us: int) -> Iterator[Mark]:
    query = _of_runs(series).where(runs.c.from_us >= at_us - DAY_US, runs.c.from_us < to_us)
    for row in connection.execute(query.order_by(runs.c.from_us).execution_options(yield_per=CHUNK)):
        yield from (mark for mark in _ends(row) if at_us < mark.at_us < to_us)


def _ends(row: Row[Any]) -> list[Mark]:
    first = Mark(row.from_us, row.boot, row.first_seq, row.outcome, row.reason, row.body)
    last = Mark(row.to_us, row.boot, row.last_seq, row.outcome, row.reason, row.body)
    return [first, last] if row.to_us > row.from_us else [first]


def checks_seen(connection: Connection, pair: Pair, from_us: int, to_us: int) -> set[str]:
    """Which checks have a result of this pair in [from, to); each is looked for beside those that are known."""
    found: set[str] = set()
    for table, at in ((results, results.c.at_us), (runs, runs.c.from_us)):
        columns = table.c
        least_us = from_us if table is results else from_us - DAY_US
        query = select(columns.check).where(columns.element == pair.element, columns.probe == pair.probe)
        query = query.where(at >= least_us, at < to_us).limit(1)
        while (check := connection.execute(query.where(columns.check.not_in(found))).scalar()) is not None:
            found.add(check)
    return found


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
