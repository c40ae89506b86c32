"""The outbox's rows: read, claimed, ended; with what the desk and people's timelines hear of them, in one transaction.

A channel that does not deliver pages says so as any finding does, in `verdict_changes`: `notify_failing` of a channel,
and `page_undelivered` for each page that has no receipt.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, insert, select, update

from alerting.delivery import Known, Plan, Thread, Waiting
from alerting.effects import Notification
from alerting.words import DESK_LANGUAGE, say
from sereno.clock import SECOND_US, Clock
from sereno.store import Store
from sereno.store.changes import insert_changes
from sereno.store.tables import incident_timeline, incidents, outbox, verdict_changes
from sereno.verdict import Change

FAILING, UNDELIVERED = "notify_failing", "page_undelivered"
_OLD_DEADLINE_US = 4 * 3_600 * SECOND_US  # of rows that an older version wrote
_SAME_US = 60 * SECOND_US
_LIGHT = [column for column in outbox.c if column.name not in {"message", "receipt", "handed_us", "state"}]


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One row whose attempt has begun; `attempts` counts it."""

    id: int
    message: Notification
    created_us: int
    attempts: int
    told: bool


class OutboxRows:
    """One writer's view of the table."""

    def __init__(self, store: Store, clock: Clock, channels: Collection[str]) -> None:
        self._store, self._clock, self._channels = store, clock, channels
        self._failing: dict[str, bool] | None = None  # what was said last of each channel

    # -- reading -------------------------------------------------------------------------------------------------------

    def waiting(self) -> tuple[list[Waiting], Known]:
        """Every pending row, oldest first, and what else must be known of their incidents."""
        with self._store.read() as connection:
            found = connection.execute(select(*_LIGHT).where(outbox.c.state == "pending").order_by(outbox.c.id)).all()
            rows = [
                Waiting(
                    id=row.id, incident=row.incident, recipient=row.recipient, channel=row.channel,
                    what=row.what or "", page=bool(row.page), created_us=row.created_us, due_us=row.due_us,
                    deadline_us=row.deadline_us or row.created_us + _OLD_DEADLINE_US, attempts=row.attempts,
                    begun_us=row.begun_us, error=row.error, told_us=row.told_us,
                    list_key=row.key.removesuffix("/resolved") if row.key.startswith("digest/") else None,
                )
                for row in found
            ]  # fmt: skip
            return rows, _known(connection, rows)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """A transaction; what a failed one said of the channels was not said."""
        try:
            with self._store.write() as connection:
                yield connection
        except BaseException:
            self._failing = None
            raise

    # -- writing -------------------------------------------------------------------------------------------------------

    def decided(self, plan: Plan, now_us: int) -> list[Delivery]:
        """Ends what ends, tells the desk of what is late, and begins the rest."""
        gone = self._gone()
        if not (plan.go or plan.end or plan.late or gone):
            return []
        with self._writing() as connection:
            for number, state, why in plan.end:
                self._ended(connection, _row(connection, number), state, why, now_us)
            for number in plan.late:
                self._undelivered(connection, _row(connection, number), None, now_us)
            for channel in gone:
                self._said_well(connection, channel, now_us)
            begun = []
            for number in plan.go:
                row = _row(connection, number)
                connection.execute(
                    update(outbox).where(outbox.c.id == number).values(begun_us=now_us, attempts=outbox.c.attempts + 1)
                )
                begun.append(
                    Delivery(
                        id=number, message=_message(row), created_us=row.created_us,
                        attempts=row.attempts + 1, told=row.told_us is not None,
                    )
                )  # fmt: skip
        return begun

    def sent(self, delivery: Delivery, receipt: str, mended: bool) -> None:
        """Handed over. What it overtook is sent no more; a channel that works again tries the rest at once."""
        now_us, message = self._clock.now_us(), delivery.message
        columns = outbox.c
        with self._writing() as connection:
            self._set(connection, delivery, state="sent", handed_us=now_us, receipt=receipt, error=None, begun_us=None)
            words = "handed to {person} by {channel}: {receipt}"
            if message.items:
                words = "handed to {person} by {channel}, in a list: {receipt}"
            _line(connection, message, words, now_us, receipt=receipt)
            if message.incident is not None:
                overtaken = connection.execute(
                    select(outbox).where(
                        columns.state == "pending", columns.incident == message.incident,
                        columns.recipient == message.to, columns.channel == message.channel,
                        columns.id < delivery.id, columns.error.is_not(None), columns.begun_us.is_(None),
                    )
                ).all()  # fmt: skip
                for row in overtaken:
                    self._ended(connection, row, "obsolete", "a later message came first", now_us)
            if mended:
                waits = (columns.state == "pending") & (columns.channel == message.channel) & (columns.due_us > now_us)
                connection.execute(update(outbox).where(waits, columns.begun_us.is_(None)).values(due_us=now_us))
            self._delivers(connection, message.channel, now_us)

    def later(self, delivery: Delivery, due_us: int, error: str, doubt: bool) -> None:
        """Not yet; with doubt, the attempt stays written down as one of unknown fate."""
        values: dict[str, object] = {} if doubt else {"begun_us": None}
        with self._writing() as connection:
            self._set(connection, delivery, due_us=due_us, error=error, **values)

    def failed(self, delivery: Delivery, error: str) -> None:
        """Refused for good."""
        now_us = self._clock.now_us()
        with self._writing() as connection:
            self._set(connection, delivery, state="failed", error=error, begun_us=None)
            words = "delivery to {person} by {channel} failed: {error}"
            _line(connection, delivery.message, words, now_us, error=error)
            if delivery.message.page:
                self._undelivered(connection, _row(connection, delivery.id), error, now_us)

    def _ended(self, connection: Connection, row: Row[Any], state: str, reason: str, now_us: int) -> None:
        """Never handed over; where nobody knows that for sure, the row keeps when its last attempt began."""
        why = "; ".join(part for part in (say(DESK_LANGUAGE, reason), row.error) if part)
        number = row.id
        connection.execute(
            update(outbox).where(outbox.c.id == number, outbox.c.state == "pending").values(state=state, error=why)
        )  # fmt: skip
        words = "not sent to {person} by {channel} any more: {error}"
        if state == "expired":
            words = "delivery to {person} by {channel} expired: {error}"
        _line(connection, _message(row), words, now_us, error=why)

    @staticmethod
    def _set(connection: Connection, delivery: Delivery, **values: object) -> None:
        connection.execute(
            update(outbox).where(outbox.c.id == delivery.id, outbox.c.state == "pending").values(**values)
        )

    # -- what the desk hears -------------------------------------------------------------------------------------------

    def _undelivered(self, connection: Connection, row: Row[Any], error: str | None, now_us: int) -> None:
        """A page has no receipt: the desk looks for another way, and the channel is said to fail."""
        if row.told_us is not None:
            return
        message: Notification = _message(row)
        number: int = row.id
        why = (error or row.error or say(DESK_LANGUAGE, "no receipt for a minute"))[:200]
        connection.execute(update(outbox).where(outbox.c.id == number).values(told_us=now_us))
        since_us: int = row.created_us
        said = [
            _said(
                message.channel, UNDELIVERED, "true", since_us, now_us, why,
                {
                    "incident": incident, "person": message.to, "key": message.key, "what": message.what,
                    "reached": _reached(connection, incident, message, since_us),
                },
            )
            for incident in _incidents(message)
        ]  # fmt: skip
        failing = self._known_failing(connection)
        if message.channel in self._channels and not failing.get(message.channel):
            said.insert(0, _said(message.channel, FAILING, "true", since_us, now_us, why, {"error": why}))
            failing[message.channel] = True
        insert_changes(connection, said)

    def _known_failing(self, connection: Connection) -> dict[str, bool]:
        """What was said last of each channel."""
        if self._failing is None:
            self._failing = _failing(connection)
        return self._failing

    def _delivers(self, connection: Connection, channel: str, now_us: int) -> None:
        """A receipt: unless another page still waits for its own, the channel is well again."""
        failing = self._known_failing(connection)
        if not failing.get(channel):
            return
        columns = outbox.c
        still = select(columns.id).where(
            columns.state == "pending", columns.channel == channel, columns.told_us.is_not(None)
        )
        if connection.execute(still.limit(1)).first() is None:
            self._said_well(connection, channel, now_us)

    def _said_well(self, connection: Connection, channel: str, now_us: int) -> None:
        insert_changes(connection, [_said(channel, FAILING, "false", now_us, now_us, None, {})])
        self._known_failing(connection)[channel] = False

    def _gone(self) -> list[str]:
        """Channels that were said to fail and are in the desk's file no more: nothing will ever go by them."""
        if self._failing is None:
            with self._store.read() as connection:
                self._failing = _failing(connection)
            return [name for name, fails in self._failing.items() if fails and name not in self._channels]
        return []


def _known(connection: Connection, rows: list[Waiting]) -> Known:
    """States of the incidents whose pages wait; and of those that are over, whether anybody was told of them."""
    troubled = sorted({row.incident for row in rows if row.incident is not None and row.page})
    states: dict[int, str] = {}
    if troubled:
        of = select(incidents.c.number, incidents.c.state).where(incidents.c.number.in_(troubled))
        states = {int(row.number): str(row.state) for row in connection.execute(of)}
    over = sorted({row.incident for row in rows if row.incident is not None and row.what == "resolved"})
    reached: set[Thread] = set()
    missed: set[Thread] = set()
    if over:
        columns = outbox.c
        found = connection.execute(
            select(columns.incident, columns.recipient, columns.channel, columns.state, columns.begun_us.is_not(None))
            .where(columns.incident.in_(over), columns.state != "pending").distinct()
        )  # fmt: skip
        for incident, recipient, channel, state, doubtful in found:
            (reached if state == "sent" or doubtful else missed).add((incident, recipient, channel))
    return Known(states, reached, missed)


def _failing(connection: Connection) -> dict[str, bool]:
    columns = verdict_changes.c
    said = connection.execute(
        select(columns.name, columns.state)
        .where(columns.kind == "channel", columns.what == FAILING)
        .order_by(columns.id)
    )
    return {str(row.name): row.state == "true" for row in said}


def _reached(connection: Connection, incident: int | None, message: Notification, since_us: int) -> bool:
    """Another way to the same person has a receipt for it, or may still get one."""
    columns = outbox.c
    others = select(columns.id).where(
        columns.incident == incident, columns.recipient == message.to, columns.channel != message.channel,
        columns.page == 1, columns.created_us >= since_us - _SAME_US,
        (columns.state == "sent") | ((columns.state == "pending") & columns.told_us.is_(None)),
    )  # fmt: skip
    return connection.execute(others.limit(1)).first() is not None


def _incidents(message: Notification) -> list[int | None]:
    if message.items:
        return [one.number for one in message.items]
    return [message.incident]


def _said(
    channel: str, what: str, state: str, since_us: int, now_us: int, reason: str | None, facts: dict[str, object]
) -> Change:
    return Change(
        kind="channel", name=channel, what=what, state=state, since_us=since_us, at_us=now_us, reason=reason,
        facts=facts,
    )  # fmt: skip


def _row(connection: Connection, number: int) -> Row[Any]:
    return connection.execute(select(outbox).where(outbox.c.id == number)).one()


def _message(row: Row[Any]) -> Notification:
    """What is to be said; where this version cannot read the text, what the columns say: no page is lost for it."""
    try:
        return msgspec.json.decode(row.message, type=Notification)
    except msgspec.MsgspecError:
        subject = f"Sereno: {row.what or '?'} #{row.incident or '?'}"
        return Notification(
            key=row.key, at_us=row.created_us, incident=row.incident, what="opened", page=bool(row.page),
            to=row.recipient, channel=row.channel, address=None, locale=DESK_LANGUAGE, subject=subject, body=subject,
            priority="Alta", severity=None, kind="", name="", short=subject,
        )  # fmt: skip


def _line(connection: Connection, message: Notification, words: str, now_us: int, **values: str) -> None:
    """In the timeline of every incident that it speaks of."""
    line = say(DESK_LANGUAGE, words, person=message.to, channel=message.channel, **values)
    for number in _incidents(message):
        if number:
            connection.execute(insert(incident_timeline).values(number=number, at_us=now_us, what=line, who="sereno"))


__all__ = ["FAILING", "UNDELIVERED", "Delivery", "OutboxRows"]
