"""Changes of what is said of elements, in the order decided; alerting and the page follow them by id."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, insert, select, text

from sereno.store.tables import verdict_changes
from sereno.verdict import Change

_LAST = (1 << 63) - 1
_CHUNK = 500
_NEWEST = text(
    """
    WITH RECURSIVE subjects (id) AS (
        SELECT (SELECT id FROM verdict_changes ORDER BY kind, name, what, id LIMIT 1)
        UNION ALL
        SELECT (
            SELECT next.id FROM verdict_changes AS next
            WHERE (next.kind, next.name, next.what) > (here.kind, here.name, here.what)
            ORDER BY next.kind, next.name, next.what, next.id LIMIT 1
        )
        FROM subjects JOIN verdict_changes AS here ON here.id = subjects.id
    )
    SELECT (
        SELECT max(said.id) FROM verdict_changes AS said
        WHERE said.kind = here.kind AND said.name = here.name AND said.what = here.what AND said.id <= :limit
    ) AS id
    FROM subjects JOIN verdict_changes AS here ON here.id = subjects.id
    """
)

Said = dict[tuple[str, str, str], Change]  # the last word on (kind, name, what)


def insert_changes(connection: Connection, changes: Sequence[Change]) -> None:
    """Writes changes in their order."""
    if changes:
        connection.execute(
            insert(verdict_changes),
            [
                {
                    "kind": change.kind,
                    "name": change.name,
                    "what": change.what,
                    "state": change.state,
                    "since_us": change.since_us,
                    "at_us": change.at_us,
                    "reason": change.reason,
                    "facts": msgspec.json.encode(change.facts).decode(),
                }
                for change in changes
            ],
        )


def changes_after(connection: Connection, position: int, limit: int | None = None) -> list[tuple[int, Change]]:
    """Changes after an id, oldest first, at most `limit` of them."""
    found = select(verdict_changes).where(verdict_changes.c.id > position).order_by(verdict_changes.c.id)
    rows = connection.execute(found if limit is None else found.limit(limit))
    return [(int(row.id), _change(row)) for row in rows]


def last_said(connection: Connection, position: int | None = None) -> Said:
    """The newest change of every element and finding, in the order said; up to an id when one is given.

    Goes from one (kind, name, what) to the next in the index: its cost is that of what there is to speak of, not of a
    year of changes.
    """
    limit = position if position is not None else _LAST
    newest = [row.id for row in connection.execute(_NEWEST, {"limit": limit}) if row.id is not None]
    found: list[Row[Any]] = []
    for first in range(0, len(newest), _CHUNK):
        chosen = verdict_changes.c.id.in_(newest[first : first + _CHUNK])
        found += connection.execute(select(verdict_changes).where(chosen)).all()
    found.sort(key=lambda row: int(row.id))
    return {(row.kind, row.name, row.what): _change(row) for row in found}


def _change(row: Row[Any]) -> Change:
    return Change(
        kind=row.kind,
        name=row.name,
        what=row.what,
        state=row.state,
        since_us=row.since_us,
        at_us=row.at_us,
        reason=row.reason,
        facts=msgspec.json.decode(row.facts),
    )
