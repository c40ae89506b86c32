"""What the history needs of the store: old rows of an element, rows into runs, and forgetting."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, func, insert, select, text, tuple_, update

from sereno.store.queries.results import of_elements
from sereno.store.runs import COLUMNS, Run, insert_runs
from sereno.store.tables import ledger_days, positions, probe_events, quarantine, results, runs

COMPACTED = "history.compacted"  # in `positions`: everything sent before this has been looked at
DAY_US = 86_400_000_000
_DELETE = text("DELETE FROM results WHERE probe = :probe AND boot = :boot AND seq = :seq AND at_us = :at_us")
_CHUNK = 1_000  # rows that one transaction forgets


def old_rows(
    connection: Connection, element: str, from_us: int, to_us: int, checks: Sequence[str]
) -> list[tuple[str, int, int, str]]:
    """Rows of an element sent in [from, to): element, `at`, arrival, body; in folding order."""
    columns = results.c
    query = of_elements(
        select(columns.element, columns.at_us, columns.arrived_us, columns.body),
        connection,
        [element],
        from_us,
        to_us,
    ).where(columns.check.in_(checks))
    query = query.order_by(columns.at_us, columns.probe, columns.boot, columns.seq)
    return [(row[0], row[1], row[2], row[3]) for row in connection.execute(query)]


def taken(connection: Connection, element: str, from_us: int, to_us: int) -> list[Run]:
    """The runs of an element that begin in [from, to)."""
    columns = runs.c
    query = select(*(columns[name] for name in COLUMNS)).where(
        columns.element == element, columns.from_us >= from_us, columns.from_us < to_us
    )
    return [Run(*row) for row in connection.execute(query)]


class RowsChangedError(Exception):
    """Rows that a run was to stand for are no longer there."""


def replace_rows(connection: Connection, run: Run, places: Sequence[tuple[str, str, int, int]]) -> None:
    """A run in place of its rows; RowsChangedError, before which all is to be rolled back."""
    rows = [dict(zip(("probe", "boot", "seq", "at_us"), place, strict=True)) for place in places]
    if connection.execute(_DELETE, rows).rowcount != len(places):
        raise RowsChangedError
    insert_runs(connection, [run])


def first_row(connection: Connection) -> int | None:
    """When the first of all rows was sent."""
    found = connection.execute(select(func.min(results.c.at_us))).scalar()
    return None if found is None else int(found)


def position(connection: Connection) -> int | None:
    """How far compaction has come."""
    found = connection.execute(select(positions.c.position).where(positions.c.reader == COMPACTED)).scalar()
    return None if found is None else int(found)


def move(connection: Connection, to_us: int) -> None:
    """Compaction has come so far."""
    if not connection.execute(update(positions).where(positions.c.reader == COMPACTED).values(position=to_us)).rowcount:
        connection.execute(insert(positions).values(reader=COMPACTED, position=to_us))


def sealed_days(connection: Connection) -> set[int]:
    """The days of the ledger that are sealed."""
    return {int(day) for day in connection.execute(select(ledger_days.c.day_us).distinct()).scalars()}


def next_row(connection: Connection, from_us: int) -> int | None:
    """When the first row or run at an instant or later was sent."""
    ends = [
        connection.execute(select(func.min(column)).where(column >= from_us)).scalar()
        for column in (results.c.at_us, runs.c.from_us)
    ]
    return min((int(end) for end in ends if end is not None), default=None)


def forget_rows(connection: Connection, before_us: int) -> int:
    """Deletes some of the results sent before an instant; how many."""
    return _some(connection, results, results.c.at_us < before_us)


def forget_runs(connection: Connection, before_us: int) -> int:
    """Deletes some of the runs of before an instant; how many."""
    return _some(connection, runs, runs.c.from_us < before_us)


def forget_quarantine(connection: Connection, before_us: int) -> int:
    """Deletes some of what was refused before an instant; how many."""
    return _some(connection, quarantine, quarantine.c.arrived_us < before_us)


def forget_events(connection: Connection, before_us: int) -> int:
    """Deletes some of what probes said before an instant, but for the last word of each; how many."""
    last = select(func.max(probe_events.c.id)).group_by(probe_events.c.probe)
    return _some(connection, probe_events, (probe_events.c.at_us < before_us) & probe_events.c.id.not_in(last))


def _some(connection: Connection, table: Table, which: ColumnElement[bool]) -> int:
    """A transaction's worth of rows, by their key."""
    keys: list[Any] = list(table.primary_key.columns)
    some = select(*keys).where(which).limit(_CHUNK)
    found = [tuple(row) for row in connection.execute(some)]
    if not found:
        return 0
    key = keys[0] if len(keys) == 1 else tuple_(*keys)
    gone = 0
    for begin in range(0, len(found), 200):
        part = found[begin : begin + 200]
        wanted = [one[0] for one in part] if len(keys) == 1 else part
        gone += connection.execute(delete(table).where(key.in_(wanted))).rowcount
    return gone
