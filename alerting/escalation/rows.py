"""Steps in the store: read back at start, taken when due, written with the round that did them."""

from collections.abc import Iterable, Mapping

import msgspec
from sqlalchemy import Connection, insert, select, update

from alerting.escalation.step import Step
from sereno.errors import StoreError
from sereno.store.tables import incidents, steps


class StaleError(StoreError):
    """The store says something else of a step than this process remembers: it must read anew."""


def load(connection: Connection, *, every: bool = False) -> tuple[Step, ...]:
    """The steps of every incident that is not over for good, or all of them, oldest first."""
    found = select(steps.c.body, steps.c.state).order_by(steps.c.id)
    if not every:
        living = select(incidents.c.number).where(incidents.c.state != "closed")
        found = found.where(steps.c.incident.in_(living))
    return tuple(msgspec.json.decode(row.body, type=Step) for row in connection.execute(found))


def take(connection: Connection, due: Iterable[Step], known: set[str]) -> None:
    """Make sure that these are still to be done, and that nobody else does them before this transaction ends.

    On PostgreSQL the rows are locked, and one that another holds is passed over; SQLite has one writer at a time.
    StaleError where a row is not what is remembered: gone, done by another, or in another's hands.
    """
    wanted = {step.key for step in due} & known
    if not wanted:
        return
    mine = select(steps.c.key).where(steps.c.key.in_(sorted(wanted)), steps.c.state == "pending")
    taken = set(connection.execute(mine.with_for_update(skip_locked=True)).scalars())
    if taken != wanted:
        raise StaleError(f"steps {', '.join(sorted(wanted - taken))} are not as remembered")


def write(connection: Connection, changed: Iterable[Step]) -> None:
    """The newest of each key."""
    for step in {step.key: step for step in changed}.values():
        values = {
            "incident": step.incident, "kind": step.kind, "due_us": step.due_us, "state": step.state,
            "done_us": step.done_us, "body": msgspec.json.encode(step).decode(),
        }  # fmt: skip
        if not _updated(connection, step.key, values):
            connection.execute(insert(steps).values(key=step.key, created_us=step.created_us, **values))


def _updated(connection: Connection, key: str, values: Mapping[str, object]) -> bool:
    return connection.execute(update(steps).where(steps.c.key == key).values(**values)).rowcount > 0
