"""Day partitions of `results` on PostgreSQL: made before the insert that needs them, dropped whole when old.

A partition is made as a table by itself and attached then, which readers and writers of other days do not notice;
dropping one shuts everybody out for an instant, so it is given up at once where somebody reads (docs/store.md).
SQLite has one table, from which old rows are deleted.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, delete, event, text
from sqlalchemy.exc import OperationalError

from sereno.clock import SECOND_US
from sereno.store.tables import results

DAY_US = 86_400 * SECOND_US
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PARENT = "results"
_LOCK_KEY = 0x5345_5245  # advisory, of this transaction: two who make the same day make it one after the other
_PATIENCE = "50ms"  # the ingest waits meanwhile
_LOCK_NOT_AVAILABLE = "55P03"
_known: WeakKeyDictionary[Engine, set[int]] = WeakKeyDictionary()

_CREATE = """
CREATE TABLE "{name}" (LIKE "{parent}" INCLUDING ALL);
ALTER TABLE "{parent}" ATTACH PARTITION "{name}" FOR VALUES FROM ({begin}) TO ({end});
"""
_LIST = text(
    """SELECT child.relname AS name, pg_get_expr(child.relpartbound, child.oid) AS bound
       FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
       WHERE inhparent = to_regclass(:parent) ORDER BY 1"""
)


def ensure_days(connection: Connection, days: Iterable[int]) -> None:
    """Makes the partitions of these days (counted from 1970, UTC) and of each day after them, where they are missing.

    Runs in the caller's transaction: a partition and the rows that needed it come to be together.
    """
    if connection.dialect.name == "sqlite":
        return
    known = _known.setdefault(connection.engine, set())
    wanted = set(days) - known
    if not wanted:
        return
    wanted |= {day + 1 for day in wanted}  # midnight then finds its partition made
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
    there = set(existing_days(connection))
    for day in sorted(wanted - there):
        create_day(connection, day)
    found = there | wanted
    event.listen(connection, "commit", lambda _: known.update(found), once=True)  # if it does not, nothing was made


def create_day(connection: Connection, day: int, parent: str = _PARENT) -> None:
    """Makes one day's partition, which must not be there."""
    connection.exec_driver_sql(
        _CREATE.format(name=partition_name(day), parent=parent, begin=day * DAY_US, end=(day + 1) * DAY_US)
    )


def partition_name(day: int) -> str:
    return f"{_PARENT}_{_EPOCH + timedelta(days=day):%Y%m%d}"


def existing_days(connection: Connection) -> dict[int, str]:
    """The days that have a partition, with its name."""
    rows = connection.execute(_LIST, {"parent": _PARENT})
    return {int(row.bound.split("'")[1]) // DAY_US: str(row.name) for row in rows}


def drop_results_before(connection: Connection, day_us: int) -> int:
    """Forgets results sent before the day in which `day_us` lies; how many days (SQLite: rows) went.

    On PostgreSQL whole partitions go; while somebody reads they stay for the next round, rather than stop the ingest.
    """
    first = day_us // DAY_US
    if connection.dialect.name == "sqlite":
        return connection.execute(delete(results).where(results.c.at_us < first * DAY_US)).rowcount
    dropped = 0
    old = [(day, name) for day, name in sorted(existing_days(connection).items()) if day < first]
    for day, name in old:
        _known.setdefault(connection.engine, set()).discard(day)
        if not _drop(connection, name):
            break  # whoever reads one day has a hold on the whole, and the next would wait as long
        dropped += 1
    return dropped


def _drop(connection: Connection, name: str) -> bool:
    patience = connection.exec_driver_sql("SHOW lock_timeout").scalar_one()
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
            connection.exec_driver_sql(f'DROP TABLE "{name}"')
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{patience}'")
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        return False
    return True
