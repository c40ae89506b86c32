"""Many rows at once, the quickest way of each database: statements of many rows on SQLite, COPY on PostgreSQL.

Python's sqlite3 gives up the interpreter's lock for every row of an `executemany`, and while another thread computes
(the ledger's fold) each return costs a switch interval, 5 ms: a thousand rows, five seconds. A statement of many rows
gives it up once.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from typing import Any, cast

from sqlalchemy import Connection

Row = Sequence[Any]
_STEPS = (256, 32, 4, 1)  # rows of one statement; SQLite takes 32,766 values in all


def insert_rows(connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Writes rows, whose values stand in the order of `columns` and are of the columns' own Python types."""
    driver = cast("Any", connection.connection.driver_connection)
    if connection.dialect.name == "sqlite":
        _insert(driver, table, tuple(columns), list(rows))
        return
    with driver.cursor() as cursor, cursor.copy(_copy(table, tuple(columns))) as copy:
        write = copy.write_row
        for row in rows:
            write(row)


def _insert(driver: Any, table: str, columns: tuple[str, ...], rows: list[Row]) -> None:
    """In steps of a few sizes, so that few statements are there to be prepared."""
    place = 0
    for size in _STEPS:
        while len(rows) - place >= size:
            driver.execute(_several(table, columns, size), [*chain.from_iterable(rows[place : place + size])])
            place += size


def quoted(*names: str) -> str:
    """Names as SQL takes them: `check` and `class` are words of its own."""
    return ", ".join('"' + name.replace('"', '""') + '"' for name in names)


@cache
def _several(table: str, columns: tuple[str, ...], size: int) -> str:
    row = f"({', '.join('?' * len(columns))})"
    return f"INSERT INTO {quoted(table)} ({quoted(*columns)}) VALUES {', '.join([row] * size)}"  # noqa: S608 - quoted


@cache
def _copy(table: str, columns: tuple[str, ...]) -> str:
    return f"COPY {quoted(table)} ({quoted(*columns)}) FROM STDIN"
