"""Rows in every table of a database, whatever tables it has: what must survive a migration, a backup, a restore."""

from sqlalchemy import BigInteger, Boolean, Integer, LargeBinary, Table, insert, inspect, select
from sqlalchemy.schema import MetaData

from sereno.store.partitions import DAY_US, ensure_days

T0_US = 1_795_219_200_000_000  # a midnight, UTC


def fill(engine, count=5):
    """Some rows in every table, of every kind of value; by table, as dictionaries."""
    names = [name for name in sorted(inspect(engine).get_table_names()) if name != "alembic_version"]
    seen = MetaData()
    kept = {}
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")
        for name in names:
            if name.startswith("results_"):
                continue  # a partition
            table = Table(name, seen, autoload_with=connection)
            rows = [{column.name: _value(column, number) for column in table.columns} for number in range(1, count + 1)]
            if name == "results" and len(names) > 16:  # since 0002 they lie in days
                ensure_days(connection, {row["at_us"] // DAY_US for row in rows})
            if name == "lease":
                rows = rows[:1]
            connection.execute(insert(table), rows)
            kept[name] = rows
    return kept


def _value(column, number):
    if column.name == "at_us":
        return T0_US + number * DAY_US // 2 - 1  # two a day, one of them in its last microsecond
    if isinstance(column.type, Boolean):
        return number % 2 == 0
    if isinstance(column.type, LargeBinary):
        return bytes([0, 255, number])
    if isinstance(column.type, BigInteger | Integer):
        return number
    if column.nullable and number == 2:
        return None
    return f'ñ «{number}»\n\t\\N "{{'[: getattr(column.type, "length", None)]


def read(engine, kept):
    """What those tables hold now of those columns, in any order."""
    found = {}
    with engine.connect() as connection:
        for name, rows in kept.items():
            table = Table(name, MetaData(), autoload_with=connection)
            columns = [column for column in table.columns if column.name in rows[0]]
            found[name] = in_order(dict(row) for row in connection.execute(select(*columns)).mappings())
    return found


def in_order(rows):
    return sorted(rows, key=lambda row: sorted((name, str(value)) for name, value in row.items()))
