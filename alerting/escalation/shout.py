"""The auditor's last resort: the desk itself does not hear what the auditor says, so people are told without it."""

import msgspec
from sqlalchemy import Connection, insert, select

from alerting.effects import Notification
from alerting.escalation.audit import GRACE_US
from alerting.escalation.machine import AUDIT
from alerting.people import addressees
from alerting.words import say
from sereno.clock import SECOND_US
from sereno.oncall import Roster
from sereno.store.tables import outbox, positions, verdict_changes

READER = "alerting"
DEADLINE_US = 30 * 60 * SECOND_US


def shout(connection: Connection, roster: Roster, service: str, now_us: int) -> int:
    """Everybody, by every channel, once for each thing the desk did not take up within a minute; how many messages."""
    said = verdict_changes.c
    mine = select(said.id, said.state, said.at_us, said.reason).where(said.kind == "monitor", said.what == AUDIT)
    last = connection.execute(mine.where(said.name == service).order_by(said.id.desc()).limit(1)).first()
    heard = connection.execute(select(positions.c.position).where(positions.c.reader == READER)).scalar()
    if last is None or last.state != "true" or last.id <= (heard or 0) or now_us - last.at_us <= GRACE_US:
        return 0
    key = f"audit/{last.id}"
    if connection.execute(select(outbox.c.id).where(outbox.c.key.startswith(f"{key}/")).limit(1)).first() is not None:
        return 0
    messages = _messages(roster, service, key, last.reason or "", now_us)
    for one in messages:
        connection.execute(
            insert(outbox).values(
                key=one.key, incident=None, what=one.what, page=1, deadline_us=now_us + DEADLINE_US, state="pending",
                channel=one.channel, recipient=one.to, created_us=now_us, due_us=now_us, attempts=0,
                message=msgspec.json.encode(one).decode(),
            )
        )  # fmt: skip
    return len(messages)


def _messages(roster: Roster, service: str, key: str, reason: str, now_us: int) -> list[Notification]:
    found = []
    for ways in addressees(roster.desk, roster.zone).values():
        for one in ways:
            subject = say(
                one.locale, "[Urgente] The desk of {service} does not answer: see to it by hand", service=service
            )
            found.append(
                Notification(
                    key=f"{key}/{one.person}/{one.channel}", at_us=now_us, incident=None, what="audit", page=True,
                    to=one.person, channel=one.channel, address=one.address, locale=one.locale, subject=subject,
                    body=f"{subject}\n\n{reason}", priority="Urgente", severity=None, kind="monitor", name=service,
                    service=service, title=subject, short=subject, thread=key.replace("/", "."),
                )
            )  # fmt: skip
    return found
