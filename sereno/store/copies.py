"""Tables read whole and written whole, on either database: what a backup, its check and its restoring are made of."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy import Boolean, Connection, Engine, Float, Integer, LargeBinary, Table, func, inspect, select

from sereno.store.archive import Counted, Row, Shape, Sum, Told, encoded
from sereno.store.bulk import insert_rows, quoted
from sereno.store.tables import metadata

_BATCH = 2_000
_UNLIMITED = ("statement_timeout", "idle_in_transaction_session_timeout")


def shapes_of() -> list[Shape]:
    """Every table of this version, by name."""
    return [shape_of(table) for _, table in sorted(metadata.tables.items())]


def shape_of(table: Table) -> Shape:
    return _shape(table.name, {column.name: column.type for column in table.columns})


def shapes_in(engine: Engine) -> list[Shape]:
    """Every table that a database of any revision has."""
    seen = inspect(engine)
    names = [name for name in sorted(seen.get_table_names()) if name != "alembic_version"]
    return [_shape(name, {column["name"]: column["type"] for column in seen.get_columns(name)}) for name in names]


def _shape(table: str, columns: Mapping[str, Any]) -> Shape:
    return Shape(str(table), tuple(map(str, columns)), tuple(map(_kind, columns.values())))


def _kind(of: Any) -> str:
    if isinstance(of, Boolean):
        return "boolean"
    if isinstance(of, LargeBinary):
        return "bytes"
    if isinstance(of, Integer):
        return "integer"
    return "real" if isinstance(of, Float) else "text"


def take_time(connection: Connection) -> None:
    """Lets this transaction last as long as it takes."""
    if connection.dialect.name == "postgresql":
        for name in _UNLIMITED:
            connection.exec_driver_sql(f"SET LOCAL {name} = 0")


@contextmanager
def batches(connection: Connection, shape: Shape) -> Iterator[Iterator[Sequence[Row]]]:
    """The rows of a table as they lie, some at a time; memory holds no more."""
    driver = cast("Any", connection.connection.driver_connection)
    named = {"name": "sereno_copy"} if connection.dialect.name == "postgresql" else {}
    cursor = driver.cursor(**named)
    try:
        cursor.execute(f"SELECT {quoted(*shape.columns)} FROM {quoted(shape.table)}")  # noqa: S608 - quoted names
        yield iter(lambda: cursor.fetchmany(_BATCH), [])
    finally:
        cursor.close()


def counted(connection: Connection, shapes: Sequence[Shape], told: Told) -> dict[str, Counted]:
    """What each table holds."""
    found = {}
    for shape in shapes:
        total = Sum()
        with batches(connection, shape) as some:
            for rows in some:
                total.add(encoded(rows, shape))
                told(shape.table, total.rows)
        found[shape.table] = total.done()
    return found


def load(connection: Connection, shape: Shape, rows: Iterable[Sequence[Row]], told: Told) -> None:
    """Writes rows into a table."""
    flags = [place for place, kind in enumerate(shape.kinds) if kind == "boolean"]
    done = 0
    for some in rows:
        ready = [_with_flags(row, flags) for row in some] if flags else some
        insert_rows(connection, shape.table, shape.columns, ready)
        done += len(some)
        told(shape.table, done)


def _with_flags(row: Row, flags: Sequence[int]) -> list[Any]:
    return [bool(value) if place in flags and value is not None else value for place, value in enumerate(row)]


def set_sequences(connection: Connection) -> None:
    """The next row of each table gets the number after the last; SQLite does so by itself."""
    if connection.dialect.name != "postgresql":
        return
    for table in metadata.sorted_tables:
        for column in table.primary_key:
            name = connection.exec_driver_sql(
                "SELECT pg_get_serial_sequence(%s, %s)", (table.name, column.name)
            ).scalar()
            if name is not None:
                last = connection.execute(select(func.max(column))).scalar() or 0
                connection.execute(select(func.setval(name, last + 1, False)))


def differing(found: Mapping[str, Counted], wanted: Mapping[str, Counted]) -> str | None:
    """Where two counts differ, in words; None where they are equal."""
    for name in sorted(found.keys() | wanted.keys()):
        have, want = found.get(name), wanted.get(name)
        if have != want:
            return f"{name} has {have.rows if have else 'no'} rows that are not the {want.rows if want else 0} written"
    return None
