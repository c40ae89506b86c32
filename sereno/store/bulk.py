"""Many rows at once, the quickest way of each database: executemany on SQLite, COPY on PostgreSQL."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, cast

from sqlalchemy import Connection

Row = Sequence[Any]


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


def quoted(*names: str) -> str:
    """Names as SQL takes them: `check` and `class` are words of its own."""
    return ", ".join('"' + name.replace('"', '""') + '"' for name in names)


@cache
def _statement(table: str, columns: tuple[str, ...], *, sqlite: bool) -> str:
    into = f"{quoted(table)} ({quoted(*columns)})"
    if sqlite:
        return f"INSERT INTO {into} VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - quoted names
    return f"COPY {into} FROM STDIN"
