"""Silences in the store: read whole, written as they come and as they are cancelled."""

from collections.abc import Mapping

from sqlalchemy import Connection, insert, select, update

from sereno.alarms.silence import Silence
from sereno.store.tables import silences


def load(connection: Connection) -> tuple[Silence, ...]:
    """All that were ever asked for."""
    rows = connection.execute(select(silences).order_by(silences.c.id)).mappings()
    return tuple(Silence(**row) for row in rows)


def write(connection: Connection, now: Mapping[int, Silence], stored: Mapping[int, Silence]) -> None:
    """What is new, and what was cancelled."""
    for number, silence in now.items():
        known = stored.get(number)
        if known is None:
            values = {column.name: getattr(silence, column.name) for column in silences.columns}
            connection.execute(insert(silences).values(**values))
        elif known != silence:
            connection.execute(
                update(silences).where(silences.c.id == number).values(cancelled_us=silence.cancelled_us)
            )
