"""Results in folding order, as the ledger reads them."""

import heapq
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple, TypeVar

import msgspec
from sqlalchemy import Connection, Select, func, literal, literal_column, select

from sereno.clock import SECOND_US
from sereno.store.runs import COLUMNS, Run
from sereno.store.tables import SECOND, results, runs
from sereno.wire import Result

VOICE = ("edge", "natural", "options", "register", "call")
JUDGED = (*VOICE, "https", "database")  # checks that make verdicts
HOUR_US = 3_600 * SECOND_US
_CHUNK = 5_000
Q = TypeVar("Q", bound=Select[Any])


def of_elements(
    query: Q,
    connection: Connection,
    elements: Collection[str],
    from_us: int,
    to_us: int,
    probes: Collection[str] | None = None,
) -> Q:
    """The query of `results` narrowed to these elements sent in [from, to), such that an index finds them.

    On SQLite they are looked for second by second (`ix_results_place`): about a microsecond for each second and
    element. `probes` belong here too: a condition of the caller's own would lead the planner to the primary key.
    """
    query = query.where(results.c.element.in_(sorted(elements)), results.c.at_us >= from_us, results.c.at_us < to_us)
    if connection.dialect.name != "sqlite":
        return query if probes is None else query.where(results.c.probe.in_(sorted(probes)))
    seconds = select(literal(from_us // SECOND_US).label("second")).cte("seconds", recursive=True)
    last = max(from_us // SECOND_US, (to_us - 1) // SECOND_US)
    seconds = seconds.union_all(select(seconds.c.second + 1).where(seconds.c.second < last))
    query = query.where(literal_column(f"results.{SECOND}").in_(select(seconds.c.second)))
    plus = literal_column("+results.probe", results.c.probe.type)  # the plus keeps the primary key's index away
    return query if probes is None else query.where(plus.in_(sorted(probes)))


def in_order(connection: Connection, from_us: int, to_us: int) -> Iterator[tuple[Result, int]]:
    """Results of the checks that verdicts come from, sent in [from, to), with their `at`, in folding order.

    That is (at, probe, boot, seq). Rows and runs are one stream; what was compacted lacks what a run does not keep.
    """
    decode = msgspec.json.Decoder(Result).decode
    stored = ((decode(body), at_us) for body, at_us in rows(connection, from_us, to_us))
    return heapq.merge(stored, _of_runs(connection, from_us, to_us), key=_place)


class Stored(NamedTuple):
    """A result as the store has it."""

    result: Result
    at_us: int
    arrived_us: int  # of a compacted one: of the last of its run
    compacted: bool


def stored(
    connection: Connection,
    from_us: int,
    to_us: int,
    *,
    elements: Collection[str] | None = None,
    probes: Collection[str] | None = None,
    checks: Collection[str] | None = None,
) -> Iterator[Stored]:
    """Results sent in [from, to), in folding order, whether they lie in rows or in runs."""
    query = select(results.c.body, results.c.at_us, results.c.arrived_us).execution_options(yield_per=_CHUNK)
    if elements is not None:
        query = of_elements(query, connection, elements, from_us, to_us, probes)
    else:
        query = query.where(results.c.at_us >= from_us, results.c.at_us < to_us)
        query = query if probes is None else query.where(results.c.probe.in_(sorted(probes)))
    if checks is not None:
        query = query.where(results.c.check.in_(sorted(checks)))
    query = query.order_by(results.c.at_us, results.c.probe, results.c.boot, results.c.seq)
    decode = msgspec.json.Decoder(Result).decode
    whole = (Stored(decode(body), at_us, arrived, False) for body, at_us, arrived in connection.execute(query))
    return heapq.merge(whole, _compacted(connection, from_us, to_us, elements, probes, checks), key=_place)


def rows(connection: Connection, from_us: int, to_us: int) -> Iterator[tuple[str, int]]:
    """Bodies and instants of the rows that verdicts come from, in folding order; read as they are asked for."""
    query = (
        select(results.c.body, results.c.at_us)
        .where(results.c.at_us >= from_us, results.c.at_us < to_us, results.c.check.in_(JUDGED))
        .order_by(results.c.at_us, results.c.probe, results.c.boot, results.c.seq)
        .execution_options(yield_per=_CHUNK)
    )
    yield from connection.execute(query)


def next_run(connection: Connection, from_us: int) -> int | None:
    """When the first run begins at an instant or later."""
    found = connection.execute(select(func.min(runs.c.from_us)).where(runs.c.from_us >= from_us)).scalar()
    return None if found is None else int(found)


def runs_between(connection: Connection, from_us: int, to_us: int) -> list[Run]:
    """The runs that begin in [from, to), in order of their beginnings."""
    query = select(*(runs.c[name] for name in COLUMNS)).where(runs.c.from_us >= from_us, runs.c.from_us < to_us)
    query = query.order_by(runs.c.from_us, runs.c.probe, runs.c.boot, runs.c.first_seq)
    return [Run(*row) for row in connection.execute(query)]


def _of_runs(connection: Connection, from_us: int, to_us: int) -> Iterator[tuple[Result, int]]:
    for one in _compacted(connection, from_us, to_us, None, None, JUDGED):
        yield one.result, one.at_us


def _compacted(
    connection: Connection,
    from_us: int,
    to_us: int,
    elements: Collection[str] | None,
    probes: Collection[str] | None,
    checks: Collection[str] | None,
) -> Iterator[Stored]:
    """Runs never reach over a full hour: hour by hour, the results of all of them in order."""
    hour: int | None = from_us // HOUR_US * HOUR_US
    while hour is not None and (begin := next_run(connection, hour)) is not None and begin < to_us:
        hour = begin // HOUR_US * HOUR_US
        wanted = [
            run
            for run in runs_between(connection, hour, hour + HOUR_US)
            if (elements is None or run.element in elements)
            and (probes is None or run.probe in probes)
            and (checks is None or run.check in checks)
            and run.to_us >= from_us
            and run.from_us < to_us
        ]
        yield from heapq.merge(*(_told(run, from_us, to_us) for run in wanted), key=_place)
        hour += HOUR_US


def _told(run: Run, from_us: int, to_us: int) -> Iterator[Stored]:
    for result, at_us in run.results():
        if from_us <= at_us < to_us:
            yield Stored(result, at_us, run.arrived_us, True)


def _place(one: tuple[Any, ...]) -> tuple[int, str, str, int]:
    result = one[0]
    return one[1], result.probe, result.boot, result.seq


def span(connection: Connection) -> tuple[int, int] | None:
    """When the first and the last result were sent; None of an empty store. Looks up the ends of the indexes."""
    ends = [
        connection.execute(select(find(column))).scalar()
        for find in (func.min, func.max)
        for column in (results.c.at_us, runs.c.from_us)
    ]
    known = [int(end) for end in ends if end is not None]
    return (min(known), max(known)) if known else None
