"""Results in folding order, as the ledger reads them."""

from collections.abc import Iterator

import msgspec
from sqlalchemy import Connection, func, literal, select

from sereno.store.tables import results
from sereno.wire import Result

VOICE = ("edge", "natural", "options", "register", "call")
_CHUNK = 5_000


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
