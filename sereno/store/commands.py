"""The inbox: what people ask for. The active collector applies it; the asker waits for the outcome (docs/adr/0001)."""

import time
import uuid
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, insert, select, update

from sereno.clock import Clock, SystemClock
from sereno.errors import StoreError
from sereno.store.engine import Store
from sereno.store.tables import commands, lease

LEASE_US = 3_000_000  # a lease not renewed for this long has no holder
_POLL_SECONDS = 0.03


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the inbox."""

    id: int
    verb: str
    arguments: dict[str, Any]
    who: str
    at_us: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a command; `text` is what the person reads, `code` the exit status of a refusal.

    `number` is of the incident, problem or activity that it made.
    """

    state: Literal["pending", "done", "refused"]
    text: str
    code: int = 0
    number: int | None = None


def submit(
    store: Store, verb: str, arguments: Mapping[str, Any], who: str, key: str | None = None, clock: Clock | None = None
) -> int:
    """Put a command in; its id. The same key again is the same command, asked once."""
    key = key or uuid.uuid4().hex
    body = msgspec.json.encode(dict(arguments)).decode()
    with store.write() as connection:
        found = connection.execute(select(commands.c.id).where(commands.c.key == key)).scalar()
        if found is not None:
            return int(found)
        written = connection.execute(
            insert(commands).values(
                key=key, at_us=(clock or SystemClock()).now_us(), who=who, verb=verb, arguments=body, state="pending"
            )
        ).inserted_primary_key
        if written is None:
            raise StoreError("the database did not say which command it took; try again")
        return int(written[0])


def pending(connection: Connection, limit: int = 100) -> list[Command]:
    """What nobody has applied yet, oldest first."""
    rows = connection.execute(
        select(commands).where(commands.c.state == "pending").order_by(commands.c.id).limit(limit)
    )
    return [
        Command(id=row.id, verb=row.verb, arguments=msgspec.json.decode(row.arguments), who=row.who, at_us=row.at_us)
        for row in rows
    ]


def finish(connection: Connection, command: int, outcome: Outcome, at_us: int) -> None:
    """Write what became of it, in the transaction that did it."""
    connection.execute(
        update(commands)
        .where(commands.c.id == command, commands.c.state == "pending")
        .values(state=outcome.state, outcome=msgspec.json.encode(outcome).decode(), done_us=at_us)
    )


def outcome(store: Store, command: int) -> Outcome:
    """What became of it so far."""
    with store.read() as connection:
        row = connection.execute(select(commands.c.state, commands.c.outcome).where(commands.c.id == command)).one()
    if row.outcome is None:
        return Outcome(state=row.state, text="")
    return msgspec.json.decode(row.outcome, type=Outcome)


def wait(store: Store, command: int, seconds: float) -> Outcome:
    """The outcome, or `pending` when nobody has applied it in this time."""
    deadline = time.monotonic() + seconds
    while (found := outcome(store, command)).state == "pending" and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return found


def collector_alive(store: Store, clock: Clock | None = None) -> bool:
    """Somebody holds the lease, and renewed it lately."""
    with store.read() as connection:
        renewed = connection.execute(select(lease.c.renewed_us).where(lease.c.holder != "")).scalar()
    return renewed is not None and (clock or SystemClock()).now_us() - int(renewed) <= LEASE_US
