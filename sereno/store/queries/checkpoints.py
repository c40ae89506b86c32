"""Where the ledger's fold stood, and which of its hours results came for after they were over."""

import zlib
from collections.abc import Iterable

from sqlalchemy import Connection, delete, select, text

from sereno.store.tables import checkpoints, stale_blocks

DAMAGED = "damaged"  # the basis of a checkpoint that cannot be read: nothing is made on it
_SAVE = text(
    "INSERT INTO checkpoints (at_us, basis, state) VALUES (:at_us, :basis, :state) "
    "ON CONFLICT (at_us) DO UPDATE SET basis = excluded.basis, state = excluded.state"
)
_MARK = text(
    "INSERT INTO stale_blocks (block_us, arrived_us) VALUES (:block_us, :arrived_us) "
    "ON CONFLICT (block_us) DO UPDATE SET arrived_us = excluded.arrived_us"
)


def newest(connection: Connection, at_us: int) -> tuple[int, str, bytes] | None:
    """The newest checkpoint at an instant or before it: its instant, its basis, what stood there."""
    columns = checkpoints.c
    query = select(columns.at_us, columns.basis, columns.state).where(columns.at_us <= at_us)
    row = connection.execute(query.order_by(columns.at_us.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    try:
        return row.at_us, row.basis, zlib.decompress(row.state)
    except zlib.error:
        return row.at_us, DAMAGED, b""


def save(connection: Connection, at_us: int, basis: str, state: bytes) -> bool:
    """Keeps a checkpoint; whether it differs from what stood there."""
    packed = zlib.compress(state, 1)
    columns = checkpoints.c
    old = connection.execute(select(columns.basis, columns.state).where(columns.at_us == at_us)).one_or_none()
    if old is not None and (old.basis, old.state) == (basis, packed):
        return False
    connection.execute(_SAVE, {"at_us": at_us, "basis": basis, "state": packed})
    return True


def forget(connection: Connection, before_us: int, kept_us: int) -> int:
    """Deletes those before an instant but for the first of every `kept_us`; how many."""
    columns = checkpoints.c
    old = (columns.at_us < before_us) & (columns.at_us % kept_us != 0)
    return connection.execute(delete(checkpoints).where(old)).rowcount


def mark_stale(connection: Connection, blocks: Iterable[int], arrived_us: int) -> None:
    """Results came for these hours of the ledger, which are over: they will be folded again, by whoever comes."""
    rows = [{"block_us": block, "arrived_us": arrived_us} for block in sorted(set(blocks))]
    if rows:
        connection.execute(_MARK, rows)


def stale(connection: Connection) -> dict[int, int]:
    """The hours that wait to be folded again, and when the last of their results came."""
    return {row.block_us: row.arrived_us for row in connection.execute(select(stale_blocks))}


def settled(connection: Connection, block_us: int, arrived_us: int) -> None:
    """An hour was folded with all that had come by its mark of then; a later mark stays."""
    columns = stale_blocks.c
    connection.execute(delete(stale_blocks).where(columns.block_us == block_us, columns.arrived_us == arrived_us))
