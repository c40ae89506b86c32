"""Many rows at once, the quickest way of each database: executemany on SQLite, COPY on PostgreSQL."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, cast

from sqlalchemy import Connection

from sereno.store.tables import metadata

Row = tuple[Any, ...]


def insert_rows(connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Writes rows, whose values stand in the order of `columns` and are of the columns' own Python types."""
    driver = cast("Any", connection.connection.driver_connection)
    if connection.dialect.name == "sqlite":
        driver.executemany(_statement(table, tuple(columns), sqlite=True), rows)
        return
    with driver.cursor() as cursor, cursor.copy(_statement(table, tuple(columns), sqlite=False)) as copy:
        write = copy.write_row
        for row in rows:
            write(row)


@cache
def _statement(table: str, columns: tuple[str, ...], *, sqlite: bool) -> str:
    """Names come from our own tables and are quoted: `check` and `class` are words of SQL."""
    known = metadata.tables[table].columns
    names = ", ".join(f'"{known[name].name}"' for name in columns)
    if sqlite:
        return f'INSERT INTO "{table}" ({names}) VALUES ({", ".join("?" * len(columns))})'  # noqa: S608 - our names
    return f'COPY "{table}" ({names}) FROM STDIN'
