"""Changes of what is said of elements, in the order decided; alerting and the page follow them by id."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, func, insert, select

from sereno.store.tables import verdict_changes
from sereno.verdict import Change

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
    """The newest change of every element and finding, in the order said; up to an id when one is given."""
    columns = verdict_changes.c
    newest = select(func.max(columns.id)).group_by(columns.kind, columns.name, columns.what)
    if position is not None:
        newest = newest.where(columns.id <= position)
    rows = connection.execute(select(verdict_changes).where(columns.id.in_(newest)).order_by(columns.id))
    return {(row.kind, row.name, row.what): _change(row) for row in rows}


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
