"""A test message: the whole way out to a person or through a channel, without an incident."""

from typing import Any

from sqlalchemy import Connection

from alerting.desk import DeskMachine
from alerting.effects import Effect, Notification
from alerting.lifecycle import RefusedError
from alerting.people import Recipient
from alerting.telling import Teller
from alerting.words import say
from sereno.store.commands import Command

VERB = "notify.test"


def trial(teller: Teller, channel: str | None, person: str | None, at_us: int, key: str) -> list[Notification]:
    """The messages; RefusedError when nobody is reached so."""
    found = [
        one for ways in teller.recipients.values() for one in ways
        if person in (None, one.person) and channel in (None, one.channel)
    ]  # fmt: skip
    if channel is not None and person is None:
        found = found[:1]
    if not found:
        known = ", ".join(teller.recipients) or "nadie"
        ways = ", ".join(dict.fromkeys(one.channel for each in teller.recipients.values() for one in each)) or "ninguno"
        raise RefusedError(f"así no se llega a nadie: personas {known}; canales con alguien {ways}")
    return [_message(teller.service, one, at_us, key) for one in found]


def ordered(connection: Connection, machine: DeskMachine, command: Command, now_us: int) -> tuple[str, list[Effect]]:
    """The order `notify.test`: what it sends goes through the outbox like anything else."""
    del connection
    asked: dict[str, Any] = command.arguments
    messages = trial(machine.teller, asked.get("channel"), asked.get("person"), now_us, f"test/{command.id}")
    return f"{len(messages)}", list[Effect](messages)


def _message(service: str, one: Recipient, at_us: int, key: str) -> Notification:
    subject = say(one.locale, "Test of channel {channel}", channel=one.channel)
    body = say(one.locale, "This is a test. Nothing is wrong and nothing has to be done.")
    return Notification(
        key=f"{key}/{one.person}/{one.channel}", at_us=at_us, incident=None, what="test", page=False, to=one.person,
        channel=one.channel, address=one.address, locale=one.locale, subject=f"{subject} ({service})", body=body,
        priority="Baja", severity=None, kind="", name="", service=service, title=subject, short=subject,
        thread=key.replace("/", "."), since_us=at_us,
    )  # fmt: skip


__all__ = ["VERB", "ordered", "trial"]
