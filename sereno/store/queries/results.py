"""Results in folding order, as the ledger reads them."""

from collections.abc import Collection, Iterator
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Select, func, literal, literal_column, select

from sereno.clock import SECOND_US
from sereno.store.tables import SECOND, results
from sereno.wire import Result

VOICE = ("edge", "natural", "options", "register", "call")
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
    """Voice results sent in [from, to) with their `at`, by (at, probe, boot, seq); read as they are asked for."""
    query = (
        select(results.c.body, results.c.at_us)
        .where(results.c.at_us >= from_us, results.c.at_us < to_us, results.c.check.in_(VOICE))
        .order_by(results.c.at_us, results.c.probe, results.c.boot, results.c.seq)
        .execution_options(yield_per=_CHUNK)
    )
    decode = msgspec.json.Decoder(Result).decode
    for body, at_us in connection.execute(query):
        yield decode(body), at_us


def arrivals(connection: Connection, block_us: int) -> list[tuple[int, int]]:
    """Per block of time: its beginning, and when the last of its results arrived."""
    block = results.c.at_us - results.c.at_us % literal(block_us, literal_execute=True)  # GROUP BY takes no parameter
    query = select(block, func.max(results.c.arrived_us)).group_by(block).order_by(block)
    return [(int(begin), int(arrived)) for begin, arrived in connection.execute(query)]


def span(connection: Connection) -> tuple[int, int] | None:
    """When the first and the last result were sent; None of an empty store."""
    row = connection.execute(select(func.min(results.c.at_us), func.max(results.c.at_us))).one()
    return None if row[0] is None else (int(row[0]), int(row[1]))
