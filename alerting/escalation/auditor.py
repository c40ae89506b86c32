"""The auditor at work: looks at what the store holds, every few seconds, and alarms where something did not happen."""

import asyncio
import logging
from collections.abc import Callable, Collection

import msgspec
from sqlalchemy import Connection, select

from alerting import own
from alerting.bundle import from_rows
from alerting.escalation.audit import GRACE_US, Finding, Sent, audit
from alerting.escalation.machine import AUDIT, WAITING
from alerting.escalation.shout import shout
from alerting.escalation.step import Step
from alerting.letters.times import moment
from alerting.words import DESK_LANGUAGE, say
from sereno.clock import SECOND_US, Clock
from sereno.errors import StoreError
from sereno.oncall import Roster
from sereno.store import Store
from sereno.store.desk import incidents as read_incidents
from sereno.store.tables import bundles, incidents, outbox, steps
from sereno.tasks import in_thread
from sereno.verdict import Change

log = logging.getLogger(__name__)
EVERY_SECONDS = 10.0
MESSAGES_US = 3_600 * SECOND_US  # pages of the last hour are looked for in the outbox
_WORDS = {
    "overdue": "incident {incident}: step {key} was due at {due} and is not done",
    "missing": "incident {incident}: step {key} is gone",
    "no_step": "incident {incident}: nobody acknowledged and no step waits",
    "no_page": "incident {incident}: nobody was called",
    "no_message": "incident {incident}: the page to {person} of step {key} has no message",
}


def words(finding: Finding, zone: str, language: str = DESK_LANGUAGE) -> str:
    """One line for a person."""
    due = moment(finding.due_us, language, zone) if finding.due_us is not None else ""
    return say(
        language, _WORDS[finding.fault], incident=finding.incident, key=finding.key, due=due, person=finding.person
    )


def look(connection: Connection, reachable: Collection[str], now_us: int) -> list[Finding]:
    """What the store says did not happen."""
    since_us = now_us - MESSAGES_US
    lately = (steps.c.done_us >= since_us) & (steps.c.state == "done")
    waiting = select(incidents.c.number).where(incidents.c.state.in_(WAITING))
    wanted = (steps.c.state == "pending") | lately | steps.c.incident.in_(waiting)
    found = connection.execute(select(steps.c.body).where(wanted).order_by(steps.c.id)).scalars()
    known = [msgspec.json.decode(body, type=Step) for body in found]
    records = read_incidents(connection, states=WAITING)
    return audit(records, known, _sent(connection, since_us), now_us, reachable=reachable, since_us=since_us)


def _sent(connection: Connection, since_us: int) -> list[Sent]:
    """What is in the outbox, and what waits to become a list."""
    columns = outbox.c
    rows = connection.execute(
        select(columns.incident, columns.recipient, columns.created_us).where(columns.created_us >= since_us - GRACE_US)
    )
    gathered = from_rows(connection.execute(select(bundles.c.body)).scalars())
    held = (one.message for bundle in gathered for one in bundle.held)
    return [Sent(row.incident, row.recipient, row.created_us) for row in rows] + [
        Sent(message.incident, message.to, message.at_us) for message in held
    ]


class Auditor:
    """One task of the leader."""

    def __init__(
        self, store: Store, service: str, roster: Roster, clock: Clock, may_speak: Callable[[], bool] = lambda: True
    ) -> None:
        self._store, self._service, self._roster = store, service, roster
        self._reachable = tuple(roster.desk.people) if roster.desk is not None else ()
        self._zone = roster.zone
        self._clock, self._may_speak = clock, may_speak

    async def run(self, on_news: Callable[[], None] = lambda: None) -> None:
        """Until cancelled. What fell due while nobody led is the desk's to catch up first."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            if not self._may_speak():
                continue
            try:
                if await in_thread(self.once):
                    on_news()
            except StoreError as error:
                log.warning("auditor: %s", error)

    def once(self) -> bool:
        """One look; whether it had something new to say."""
        now_us = self._clock.now_us()
        with self._store.read() as connection:
            found = look(connection, self._reachable, now_us)
        first = words(found[0], self._zone) if found else None
        change = Change(
            kind="monitor", name=self._service, what=AUDIT, state="true" if found else "false", since_us=now_us,
            at_us=now_us, reason=first, facts={"findings": [msgspec.to_builtins(one) for one in found[:20]]},
        )  # fmt: skip
        if not found and not self._said():
            return False
        with self._store.write() as connection:
            news = own.say(connection, change)
            shouted = bool(found) and shout(connection, self._roster, self._service, now_us) > 0
        if news:
            for finding in found:
                log.error("auditor: %s", words(finding, self._zone, "en"))
        return news or shouted

    def _said(self) -> bool:
        """The last word was that something is wrong."""
        with self._store.read() as connection:
            return own.last(connection, "monitor", self._service, AUDIT) == "true"
