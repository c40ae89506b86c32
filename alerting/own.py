"""What the desk says of itself: rows among the changes, which it reads in its next round like anybody's."""

from sqlalchemy import Connection, select

from sereno.store.changes import insert_changes
from sereno.store.tables import verdict_changes
from sereno.verdict import Change


def last(connection: Connection, kind: str, name: str, what: str) -> str | None:
    """The state that was said last; None where nothing was."""
    said = verdict_changes.c
    same = (said.kind == kind) & (said.name == name) & (said.what == what)
    found: str | None = connection.execute(select(said.state).where(same).order_by(said.id.desc()).limit(1)).scalar()
    return found


def say(connection: Connection, change: Change) -> bool:
    """Writes a change if it is news: another state than was said last, and not that all is well before anything was."""
    before = last(connection, change.kind, change.name, change.what)
    if before == change.state or (before is None and change.state == "false"):
        return False
    insert_changes(connection, [change])
    return True
