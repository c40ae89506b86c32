"""Sealed days of the ledger: rows as they were in force at a seal, the chain itself. Writes only by appending."""

from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, insert, or_, select

from sereno.clock import SECOND_US
from sereno.store.tables import ledger, ledger_days

DAY_US = 86_400 * SECOND_US


class SealedRow(NamedTuple):
    """A row of the ledger with everything that a seal vouches for."""

    kind: str
    name: str
    from_us: int
    id: int
    to_us: int
    state: str
    reason: str | None
    interval_us: int
    written_us: int


class Seal(NamedTuple):
    """One link of the chain."""

    id: int
    format: int
    day_us: int
    upto: int
    rows: int
    hash: str
    previous: str
    sealed_us: int
    revises: int | None
    note: str | None


def seals(connection: Connection) -> list[Seal]:
    """The whole chain in its order."""
    return [_seal(row) for row in connection.execute(select(ledger_days).order_by(ledger_days.c.id))]


def last_seal(connection: Connection) -> Seal | None:
    """The end of the chain."""
    row = connection.execute(select(ledger_days).order_by(ledger_days.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else _seal(row)


def newest_by_day(connection: Connection, days: Collection[int] | None = None) -> dict[int, Seal]:
    """The seal in force of each day (of these days, where given)."""
    newest = select(func.max(ledger_days.c.id)).group_by(ledger_days.c.day_us)
    if days is not None:
        newest = newest.where(ledger_days.c.day_us.in_(sorted(days)))
    rows = connection.execute(select(ledger_days).where(ledger_days.c.id.in_(newest)))
    return {int(row.day_us): _seal(row) for row in rows}


def append_seal(connection: Connection, seal: Seal) -> None:
    """Adds a link; its id is part of what is hashed, so it is given, not drawn."""
    connection.execute(insert(ledger_days).values(seal._asdict()))


def rows_of(connection: Connection, day_us: int, upto: int | None = None) -> list[SealedRow]:
    """Rows of a UTC day in their order: those in force now, or when the ledger ended with row `upto`."""
    columns = ledger.c
    query = select(ledger).where(columns.from_us >= day_us, columns.from_us < day_us + DAY_US)
    if upto is None:
        query = query.where(columns.superseded_by.is_(None))
    else:
        query = query.where(columns.id <= upto, or_(columns.superseded_by.is_(None), columns.superseded_by > upto))
    return sorted(  # not by the database: its collation is its own affair
        SealedRow(
            row.kind, row.name, row.from_us, row.id, row.to_us, row.state, row.reason, row.interval_us or 0,
            row.written_us,
        )
        for row in connection.execute(query)
    )  # fmt: skip


def days_written(connection: Connection, after_id: int = 0) -> list[int]:
    """UTC days that got rows after a row, oldest first."""
    day = (ledger.c.from_us - ledger.c.from_us % DAY_US).label("day")
    query = select(day).where(ledger.c.id > after_id).distinct().order_by(day)
    return [int(one) for one in connection.execute(query).scalars()]


def days_in_force(connection: Connection) -> list[int]:
    """UTC days of which the ledger says anything, oldest first; one look into the index for each."""
    found: list[int] = []
    after = -1
    while True:
        first = connection.execute(select(func.min(ledger.c.from_us)).where(ledger.c.from_us > after)).scalar()
        if first is None:
            return found
        day = int(first) - int(first) % DAY_US
        found.append(day)
        after = day + DAY_US - 1


def _seal(row: Row[Any]) -> Seal:
    return Seal(
        row.id, row.format, row.day_us, row.upto, row.rows, row.hash, row.previous, row.sealed_us, row.revises, row.note
    )
