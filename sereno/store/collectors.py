"""Who runs: one row per collector, renewed by itself, so that each knows of the other and people of both."""

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from sereno.clock import SECOND_US
from sereno.store.tables import collectors

SEEN_SECONDS = 1.0  # how often a collector says that it is there
GONE_US = 5 * SECOND_US  # one that did not say so for this long is not there
_FORGOTTEN_US = 3_600 * SECOND_US


class Presence(msgspec.Struct, frozen=True, kw_only=True):
    """A collector as it says of itself."""

    name: str
    role: str  # leader | standby
    epoch: int
    started_us: int
    seen_us: int
    broker: bool | None
    page: str | None
    version: str


def say_presence(connection: Connection, presence: Presence) -> None:
    """Writes the own row, and forgets who has been gone for an hour."""
    values = {name: getattr(presence, name) for name in Presence.__struct_fields__ if name != "name"}
    done = connection.execute(update(collectors).where(collectors.c.name == presence.name).values(**values))
    if done.rowcount == 0:
        connection.execute(insert(collectors).values(name=presence.name, **values))
    connection.execute(delete(collectors).where(collectors.c.seen_us < presence.seen_us - _FORGOTTEN_US))


def forget_presence(connection: Connection, name: str) -> None:
    """It ends in order."""
    connection.execute(delete(collectors).where(collectors.c.name == name))


def presences(connection: Connection) -> list[Presence]:
    """Every collector that said something within the hour, by name."""
    rows = connection.execute(select(collectors).order_by(collectors.c.name))
    return [Presence(**row._mapping) for row in rows]  # noqa: SLF001  # SQLAlchemy's public name for it
