"""Messages as people ask for them: what waits, what went out, what failed and why; and how each channel fares."""

import msgspec
from sqlalchemy import Connection, Row, func, select

from sereno.clock import iso
from sereno.store.tables import outbox, verdict_changes

STATES = ("pending", "sent", "failed", "expired", "obsolete")
_MOST = 10_000


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One row, without its text; nobody's address is in it."""

    id: int
    incident: int | None
    what: str | None
    page: bool
    to: str
    channel: str
    state: str
    attempts: int
    created_us: int
    due_us: int
    deadline_us: int | None
    handed_us: int | None
    receipt: str | None
    error: str | None

    def as_json(self) -> dict[str, object]:
        waits = self.state == "pending"
        return {
            "id": self.id, "incident": self.incident, "what": self.what, "page": self.page, "to": self.to,
            "channel": self.channel, "state": self.state, "attempts": self.attempts, "created": iso(self.created_us),
            "next_try": iso(self.due_us) if waits else None, "deadline": _iso(self.deadline_us) if waits else None,
            "handed": _iso(self.handed_us), "receipt": self.receipt, "error": self.error,
        }  # fmt: skip


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How a channel fares."""

    channel: str
    failing: bool
    since_us: int | None
    reason: str | None
    pending: int
    oldest_us: int | None
    counts: dict[str, int]
    last_receipt_us: int | None

    def as_json(self) -> dict[str, object]:
        return {
            "channel": self.channel, "failing": self.failing, "since": _iso(self.since_us), "reason": self.reason,
            "pending": self.pending, "oldest_pending": _iso(self.oldest_us), "counts": self.counts,
            "last_receipt": _iso(self.last_receipt_us),
        }  # fmt: skip


def messages(
    connection: Connection, *, states: list[str] | None = None, incident: int | None = None, key: str | None = None,
    limit: int = 50,
) -> list[Message]:  # fmt: skip
    """The newest that are asked for, oldest first."""
    found = select(outbox).order_by(outbox.c.id.desc()).limit(min(limit, _MOST))
    if states:
        found = found.where(outbox.c.state.in_(states))
    if incident is not None:
        found = found.where(outbox.c.incident == incident)
    if key is not None:  # the beginning of keys, for a test's own messages
        found = found.where(outbox.c.key >= key, outbox.c.key < key + "\U0010ffff")
    return [_message(row) for row in reversed(connection.execute(found).all())]


def ways(connection: Connection, names: list[str]) -> list[Way]:
    """Every channel that is declared, or that messages wait for or went through."""
    columns = outbox.c
    counts: dict[str, dict[str, int]] = {name: {} for name in names}
    for channel, state, count in connection.execute(
        select(columns.channel, columns.state, func.count()).group_by(columns.channel, columns.state)
    ):
        counts.setdefault(str(channel), {})[str(state)] = int(count)
    said = _failing(connection)
    found = []
    for name, numbers in counts.items():
        oldest = select(func.min(columns.created_us)).where(columns.channel == name, columns.state == "pending")
        last = select(func.max(columns.handed_us)).where(columns.channel == name, columns.state == "sent")
        failing, since_us, reason = said.get(name, (False, None, None))
        found.append(
            Way(
                channel=name, failing=failing, since_us=since_us if failing else None,
                reason=reason if failing else None, pending=numbers.get("pending", 0),
                oldest_us=connection.execute(oldest).scalar(), counts=numbers,
                last_receipt_us=connection.execute(last).scalar(),
            )
        )  # fmt: skip
    return found


def _failing(connection: Connection) -> dict[str, tuple[bool, int | None, str | None]]:
    columns = verdict_changes.c
    said = connection.execute(
        select(columns.name, columns.state, columns.since_us, columns.reason)
        .where(columns.kind == "channel", columns.what == "notify_failing")
        .order_by(columns.id)
    )
    return {str(row.name): (row.state == "true", row.since_us, row.reason) for row in said}


def _message(row: Row[tuple[object, ...]]) -> Message:
    return Message(
        id=row.id, incident=row.incident, what=row.what, page=bool(row.page), to=row.recipient, channel=row.channel,
        state=row.state, attempts=row.attempts, created_us=row.created_us, due_us=row.due_us,
        deadline_us=row.deadline_us, handed_us=row.handed_us, receipt=row.receipt, error=row.error,
    )  # fmt: skip


def _iso(at_us: int | None) -> str | None:
    return None if at_us is None else iso(at_us)
