"""Changes of what is said of elements, in the order decided; alerting and the page follow them by id."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, func, insert, select

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


def last_said(connection: Connection) -> Said:
    """The newest change of every element and finding."""
    columns = verdict_changes.c
    newest = select(func.max(columns.id)).group_by(columns.kind, columns.name, columns.what)
    rows = connection.execute(select(verdict_changes).where(columns.id.in_(newest)))
    return {
        (row.kind, row.name, row.what): Change(
            kind=row.kind,
            name=row.name,
            what=row.what,
            state=row.state,
            since_us=row.since_us,
            at_us=row.at_us,
            reason=row.reason,
            facts=msgspec.json.decode(row.facts),
        )
        for row in rows
    }
