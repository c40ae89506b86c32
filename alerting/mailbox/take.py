"""The desk's order `mail.take`: one letter becomes what it is, once, in the transaction that remembers it.

A row in `mails` for every message, also for those that are refused, with the reason: nothing that came is lost.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, func, insert, select

from alerting.desk import DeskMachine
from alerting.effects import Effect
from alerting.mailbox import sort
from alerting.mailbox.message import BOUNCE, Letter
from sereno.clock import SECOND_US
from sereno.desk import Desk
from sereno.desk.inbound import Mailbox
from sereno.errors import SerenoError
from sereno.incident import IncidentRecord
from sereno.store.tables import incident_messages, mails

Outcome = Literal["opened", "answered", "acknowledged", "noted", "repeated", "refused"]
CHANNEL = "e-mail"
UNKNOWN_WHO = "correo"  # who writes in timelines when the sender is none of ours
LONGEST_WHO = 80
_HOUR_US = 3_600 * SECOND_US
_WAITING = frozenset({"open", "reopened"})
_MERGES = 20


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """Who wrote, as far as he is recognised."""

    person: str | None
    customer: str | None
    believed: bool


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a letter: the act, if any, and what the row says."""

    outcome: Outcome
    why: str | None = None
    number: int | None = None
    verb: str | None = None
    arguments: dict[str, Any] = {}
    who: str = UNKNOWN_WHO
    remark: str | None = None  # for the desk, in the timeline: customers read what else is on the ticket


class Taker:
    """Decides on one letter with what the store and the desk's book hold."""

    def __init__(self, connection: Connection, machine: DeskMachine, desk: Desk, box: Mailbox, now_us: int) -> None:
        self._connection, self._machine, self._desk, self._box, self._now_us = connection, machine, desk, box, now_us
        self._records: Mapping[int, IncidentRecord] = {record.number: record for record in machine.incidents()}

    def decide(self, letter: Letter) -> Decision:
        """The one thing that becomes of it."""
        refused = self._refusal(letter)
        if refused is not None:
            return self._refused(letter, refused)
        if letter.message_id is not None and self._seen(letter.message_id):
            return Decision(outcome="repeated", why="its Message-ID came before", number=self._number_of(letter))
        sender = self._sender(letter)
        record = self._incident(letter, sender)
        if record is not None:
            return self._reply(letter, sender, record)
        if self._many(letter.sender):
            return Decision(outcome="refused", why=f"over {self._box.hourly} messages of this sender in an hour")
        return self._ticket(letter, sender)

    def _refused(self, letter: Letter, why: str) -> Decision:
        """Kept, never answered; a message of ours that came back is told on its incident."""
        number = self._answered(letter)
        if letter.automatic != BOUNCE or number is None:
            return Decision(outcome="refused", why=why, number=number)
        note = f"volvió un mensaje que se había entregado: {letter.subject}"
        return Decision(
            outcome="refused", why=why, number=number, verb="incident.note",
            arguments={"number": number, "note": note},
        )  # fmt: skip

    # -- what is no person's, or came before ---------------------------------------------------------------------------

    def _refusal(self, letter: Letter) -> str | None:
        if letter.automatic is not None:
            return f"automatic: {letter.automatic}"
        if not letter.sender:
            return "no sender"
        if letter.sender in self._own():
            return "from the desk's own address"
        return None

    def _own(self) -> set[str]:
        """The desk's own addresses: the mailbox's, and every sender of its channels."""
        senders = [channel.from_ or "" for channel in self._desk.channels.values()]
        found = {self._box.user, *self._box.own, *(one.rpartition("<")[2].rstrip(">") for one in senders)}
        return {one.strip().lower() for one in found if "@" in one}

    def _seen(self, message_id: str) -> bool:
        found = select(mails.c.id).where(mails.c.message_id == message_id, mails.c.outcome != "refused").limit(1)
        return self._connection.execute(found).first() is not None

    def _many(self, sender: str) -> bool:
        since = select(func.count()).select_from(mails).where(
            mails.c.sender == sender, mails.c.received_us > self._now_us - _HOUR_US, mails.c.outcome == "opened"
        )  # fmt: skip
        return int(self._connection.execute(since).scalar() or 0) >= self._box.hourly

    # -- who, and of what ----------------------------------------------------------------------------------------------

    def _sender(self, letter: Letter) -> Sender:
        believed = sort.believed(letter, self._box.authserv)
        if not believed:
            return Sender(person=None, customer=None, believed=False)
        return Sender(
            person=sort.person_of(letter, self._desk),
            customer=sort.customer_of(letter.sender, self._machine.topology, self._box.senders),
            believed=True,
        )

    def _answered(self, letter: Letter) -> int | None:
        """The incident that an automatic answer or a bounce is about, for those who look for it."""
        return next((number for number in sort.referred(letter) if number in self._records), None)

    def _number_of(self, letter: Letter) -> int | None:
        found = select(mails.c.number).where(mails.c.message_id == letter.message_id, mails.c.number.is_not(None))
        return self._connection.execute(found.limit(1)).scalar()

    def _incident(self, letter: Letter, sender: Sender) -> IncidentRecord | None:
        """By reference to what we sent or took; by the subject's token only for who has to do with the incident."""
        for number in [*sort.referred(letter), *self._threads(letter)]:
            record = self._living(number)
            if record is not None:
                return record
        token = sort.tokened(letter)
        record = self._living(token) if token is not None else None
        return record if record is not None and self._concerned(letter, sender, record) else None

    def _threads(self, letter: Letter) -> list[int]:
        """Incidents of the messages that it refers to: those that we wrote to customers, and those that came."""
        if not letter.references:
            return []
        found: list[int] = []
        for table in (incident_messages, mails):
            rows = select(table.c.number).where(table.c.message_id.in_(letter.references), table.c.number.is_not(None))
            found += [int(number) for number in self._connection.execute(rows.order_by(table.c.id.desc())).scalars()]
        return found

    def _living(self, number: int) -> IncidentRecord | None:
        """The incident of that number, or the one that it was joined to."""
        record = self._records.get(number)
        for _ in range(_MERGES):
            if record is None or record.merged_into is None:
                break
            record = self._records.get(record.merged_into)
        return record

    def _concerned(self, letter: Letter, sender: Sender, record: IncidentRecord) -> bool:
        if not sender.believed:
            return False
        if sender.person is not None or (sender.customer is not None and sender.customer in record.customers):
            return True
        if letter.sender in (record.reporter, record.contact):
            return True
        wrote = select(mails.c.id).where(mails.c.sender == letter.sender, mails.c.number == record.number).limit(1)
        return self._connection.execute(wrote).first() is not None

    # -- what becomes of it --------------------------------------------------------------------------------------------

    def _reply(self, letter: Letter, sender: Sender, record: IncidentRecord) -> Decision:
        said = _said(letter)
        if sender.person is not None:
            if sort.is_ack(letter.text) and record.state in _WAITING:
                return Decision(
                    outcome="acknowledged", number=record.number, verb="incident.ack", who=sender.person,
                    arguments={"number": record.number, "note": said},
                )  # fmt: skip
            return Decision(
                outcome="noted", number=record.number, verb="incident.note", who=sender.person,
                arguments={"number": record.number, "note": said},
            )  # fmt: skip
        if self._concerned(letter, sender, record):
            return Decision(
                outcome="answered", number=record.number, verb="incident.answer", who=_who(letter),
                arguments={
                    "number": record.number, "from": letter.sender, "subject": letter.subject, "text": said,
                    "message_id": letter.message_id, "customer": sender.customer,
                },
            )  # fmt: skip
        return Decision(
            outcome="noted", number=record.number, verb="incident.note", who=UNKNOWN_WHO,
            why="the sender has nothing to do with the incident",
            arguments={"number": record.number, "note": f"remitente no reconocido, {letter.sender}: {said}"},
        )  # fmt: skip

    def _ticket(self, letter: Letter, sender: Sender) -> Decision:
        kind, word = sort.kind_of(letter, self._box)
        known = sender.customer is not None or sender.person is not None  # a stranger is not written to: he may be none
        arguments = {
            "kind": kind,
            "channel": CHANNEL,
            "title": sort.subject_of(letter),
            "description": letter.text or "(sin texto)",
            "reporter": letter.sender if known else letter.sender_name or letter.sender.partition("@")[0],
            "contact": letter.sender,
            "customer": sender.customer,
            "message_id": letter.message_id,
        }
        why = None if known else "the sender is no customer's: to be triaged"
        return Decision(
            outcome="opened", why=why, verb="incident.open", who=_who(letter),
            arguments={name: value for name, value in arguments.items() if value is not None},
            remark=_remark(letter, word, sender),
        )  # fmt: skip


def take_mail(
    connection: Connection, machine: DeskMachine, mailbox: str, uid: str, letter: Letter, now_us: int
) -> tuple[str, list[Effect]]:
    """The letter taken, once; what was done in words, and what the machine decided."""
    known = select(mails.c.outcome).where(mails.c.mailbox == mailbox, mails.c.uid == uid)
    if (before := connection.execute(known).scalar()) is not None:
        return f"ya estaba: {before}", []
    desk = machine.model
    if desk is None or desk.inbound.mail is None:
        return "no hay buzón en desk.yaml", []
    decision = Taker(connection, machine, desk, desk.inbound.mail, now_us).decide(letter)
    effects, why = _act(machine, decision, now_us)
    if why is not None:
        decision = msgspec.structs.replace(decision, outcome="refused", why=why)
    number = machine.made if decision.outcome == "opened" else decision.number
    if decision.remark is not None and decision.outcome == "opened":
        noted = {"number": number, "note": decision.remark}
        effects = [*effects, *machine.command("incident.note", noted, UNKNOWN_WHO, now_us)]
    connection.execute(
        insert(mails).values(
            mailbox=mailbox[:200], uid=uid, message_id=letter.message_id, sender=letter.sender[:254],
            subject=letter.subject, received_us=now_us, outcome=decision.outcome, why=decision.why, number=number,
        )
    )  # fmt: skip
    return f"{decision.outcome} {number or ''}".strip(), effects


def _act(machine: DeskMachine, decision: Decision, now_us: int) -> tuple[list[Effect], str | None]:
    """What the machine made of it; or why it refused, which the row keeps."""
    if decision.verb is None:
        return [], None
    try:
        return machine.command(decision.verb, decision.arguments, decision.who, now_us), None
    except SerenoError as error:
        return [], str(error)


def _who(letter: Letter) -> str:
    return letter.sender[:LONGEST_WHO]


def _said(letter: Letter) -> str:
    """What was written now; all of it where nothing is left without the quotes."""
    return sort.written(letter.text) or letter.text or "(sin texto)"


def _remark(letter: Letter, word: str | None, sender: Sender) -> str:
    """What a reader must know of the message besides its text."""
    name = f"{letter.sender_name} <{letter.sender}>" if letter.sender_name else letter.sender
    parts = [f"correo de {name}"]
    if letter.attachments:
        names = ", ".join(f"{one.name} ({one.type}, {one.size} bytes)" for one in letter.attachments)
        parts.append(f"adjuntos, que están en el buzón: {names}")
    if letter.cut:
        parts.append("es más largo de lo que se lee; el resto está en el buzón")
    if word is not None:
        parts.append(f"se abrió como incidente por «{word}»")
    if not sender.believed:
        parts.append("el servidor de correo no pudo comprobar el remitente")
    return "; ".join(parts)
