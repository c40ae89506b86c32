"""On-call overrides, and the last good copies of calendar feeds."""

import hashlib

import msgspec
from sqlalchemy import Connection, insert, select, update

from sereno.oncall import Override
from sereno.store.tables import rota_feeds, rota_overrides


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """An override as it was asked for."""

    override: Override
    who: str
    recorded_us: int
    cancelled_us: int | None


class FeedRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a feed."""

    rota: str
    place: str
    tried_us: int
    read_us: int | None = None
    copy: bytes | None = None
    error: str | None = None


def recorded(connection: Connection) -> list[Recorded]:
    """Every override, in the order they were asked for."""
    rows = connection.execute(select(rota_overrides).order_by(rota_overrides.c.id))
    return [
        Recorded(
            override=Override(id=row.id, level=row.level, person=row.person, from_us=row.from_us, to_us=row.to_us),
            who=row.who, recorded_us=row.recorded_us, cancelled_us=row.cancelled_us,
        )
        for row in rows
    ]  # fmt: skip


def overrides(connection: Connection, after_us: int) -> tuple[Override, ...]:
    """Those that count at an instant or later."""
    columns = rota_overrides.c
    query = select(rota_overrides).where(columns.cancelled_us.is_(None), columns.to_us > after_us)
    return tuple(
        Override(id=row.id, level=row.level, person=row.person, from_us=row.from_us, to_us=row.to_us)
        for row in connection.execute(query.order_by(columns.id))
    )


def place_of(address: str) -> str:
    """What a feed is read from, as the store knows it: an address may hold a secret."""
    return hashlib.sha256(address.encode()).hexdigest()[:32]


def feeds(connection: Connection) -> dict[str, FeedRow]:
    """Every feed that was ever tried, by its rota."""
    rows = connection.execute(select(rota_feeds)).mappings()
    return {row["rota"]: FeedRow(**row) for row in rows}


def keep_feed(connection: Connection, row: FeedRow) -> None:
    """What became of a try."""
    values = {name: getattr(row, name) for name in ("place", "tried_us", "read_us", "copy", "error")}
    done = connection.execute(update(rota_feeds).where(rota_feeds.c.rota == row.rota).values(**values))
    if done.rowcount == 0:
        connection.execute(insert(rota_feeds).values(rota=row.rota, **values))
