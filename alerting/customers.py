"""What a customer's contacts are told, by themselves or by a person; every message on the record with its delivery.

By themselves: one opening once he suffers it, one solution once it is over for good; what returns after that is told
anew. All of it is in the record (`told_customers`), so a rebuilt desk repeats nothing. Pure.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from alerting.book import MONITOR, Book
from alerting.effects import MessageAdded, What
from alerting.lifecycle import RefusedError
from alerting.reconcile.timers import STABLE_US, TELL_US
from alerting.words import DESK_LANGUAGE, say
from sereno.contract import Contract, Version
from sereno.desk import Desk
from sereno.desk.channels import message_id
from sereno.desk.customers import CustomerMail
from sereno.incident import ACTIVE, CustomerWord, IncidentRecord
from sereno.topology.model import Customer, Topology

REPORTER = ""  # in `told_customers`: who reported it by mail and is no customer that we know
_LEDGER = "ledger"  # opened it: over before anybody knew, and told to the desk alone
_WHATS: dict[str, What] = {
    "opening": "customer_opening", "progress": "customer_progress", "question": "customer_question",
    "solution": "customer_solution",
}  # fmt: skip
_LINES = {
    "opening": "customer told of the opening: {names}", "progress": "customer told of the progress: {names}",
    "question": "customer asked: {names}", "solution": "customer told of the solution: {names}",
}  # fmt: skip


class Address(NamedTuple):
    """One mailbox of a customer's."""

    customer: str | None
    address: str
    locale: str
    zone: str


class Letters:
    """Who is told at which address, when by itself, and what of it is kept."""

    def __init__(
        self, book: Book, topology: Topology, desk: Desk | None, contracts: Mapping[str, Contract], desk_contract: str
    ) -> None:
        self._book, self._topology, self._contracts = book, topology, contracts
        self._desk_contract = desk_contract
        self._wanted = desk.customers if desk is not None else CustomerMail()
        self._survey = desk.survey if desk is not None else None
        self._channel, self._sender = _mail(desk)

    # -- by a person ---------------------------------------------------------------------------------------------------

    def refuse_unheard(self, record: IncidentRecord, customers: Collection[str]) -> None:
        """A message by hand must reach somebody."""
        if self._channel is None:
            raise RefusedError("la mesa no tiene ningún canal de correo (channels: en desk.yaml): nadie lo recibiría")
        if not self._addresses(record, customers or None):
            raise RefusedError(
                f"el incidente {record.number} no tiene a quién escribir: ningún cliente suyo tiene contactos"
            )

    def write(
        self, record: IncidentRecord, kind: str, at_us: int, who: str, *, words: str = "",
        customers: Collection[str] | None = None,
    ) -> IncidentRecord:  # fmt: skip
        """One message to each contact; in the timeline, also when there is nobody to write to."""
        found = self._addresses(record, customers) if self._channel is not None else []
        if kind == "question" and not self._wanted.question:
            found = []
        for one in found:
            self._send(record, kind, at_us, who, one, words)
        if not found:
            if kind in {"opening", "solution"}:
                return record
            self._keep(record, kind, at_us, who, words)
            return record
        names = ", ".join(one.address for one in found)
        told = dict(record.told_customers)
        if kind in {"opening", "solution"}:
            word: CustomerWord = "opening" if kind == "opening" else "solution"
            told |= {one.customer or REPORTER: word for one in found}
        line = say(DESK_LANGUAGE, _LINES[kind], names=names)
        return self._book.put(record, at_us, line, who=who, told_customers=told)

    def _send(self, record: IncidentRecord, kind: str, at_us: int, who: str, one: Address, words: str) -> None:
        version = self._version(one.customer, record)
        said = words if kind != "solution" else self._solved(record, version, one.locale, words)
        message = self._book.tell_customer(
            record, _WHATS[kind], at_us, customer=one.customer, channel=str(self._channel), address=one.address,
            locale=one.locale, words=said, zone=one.zone,
        )  # fmt: skip
        self._book.emit(
            MessageAdded(
                number=record.number,
                at_us=at_us,
                direction="out",
                kind=kind,
                customer=one.customer,
                address=one.address,
                who=who,
                subject=message.subject,
                body=message.body,
                outbox_key=message.key,
                message_id=message_id(message.key, self._sender),
            )
        )

    def _keep(self, record: IncidentRecord, kind: str, at_us: int, who: str, words: str) -> None:
        """What was said by other means (a call) is on the record too."""
        self._book.emit(
            MessageAdded(number=record.number, at_us=at_us, direction="out", kind=kind, who=who, subject="", body=words)
        )

    def _solved(self, record: IncidentRecord, version: Version, locale: str, words: str) -> str:
        """What was done, how to confirm it, and where to say how it was."""
        lines = [words] if words else []
        if version.closing.confirmation:
            lines.append(say(locale, "Please reply to confirm that it is solved; we close it then."))
        if self._survey is not None:
            link = self._survey.replace("{number}", str(record.number))
            lines.append(say(locale, "How did we do? {link}", link=link))
        return "\n\n".join(lines)

    # -- by itself -----------------------------------------------------------------------------------------------------

    def run(self, now_us: int) -> None:
        """Every opening and solution that is due."""
        if self._channel is None:
            return
        for record in self._book.unsettled():
            if record.state == "merged":  # first: its customers hear of the other as a part of this
                self._moved(record, now_us)
        for record in self._book.unsettled():
            if record.state != "merged" and (due_us := self._due(record)) is not None and due_us <= now_us:
                self._tell(record, now_us)

    def next_due_us(self) -> int | None:
        """When the next message is due."""
        if self._channel is None:
            return None
        dues = (self._due(record) for record in self._book.unsettled() if record.state != "merged")
        return min((due for due in dues if due is not None), default=None)

    def _due(self, record: IncidentRecord) -> int | None:
        if record.class_ == "monitor" or record.opened_by == _LEDGER or record.version == 0:
            return None
        if record.state in ACTIVE:
            begun_us = record.opened_us if record.reopened_us is None else record.reopened_us
            return begun_us + self._wanted.wait_us if self._untold(record) else None
        if "opening" not in record.told_customers.values() or not self._wanted.solution:
            return None
        return _over_us(record)

    def _untold(self, record: IncidentRecord) -> list[str]:
        """Customers who suffer it and have not heard, or heard that it was over."""
        if not self._wanted.opening:
            return []
        told = record.told_customers
        names = [
            name for name in record.customers
            if told.get(name) != "opening" and name in self._topology.customers
            and _mailboxes(self._topology.customers[name])
        ]  # fmt: skip
        if _mailed(record) and not names and told.get(REPORTER) != "opening" and not record.customers:
            names.append(REPORTER)
        return names

    def _tell(self, record: IncidentRecord, now_us: int) -> None:
        if record.state in ACTIVE:
            again = bool(record.told_customers) and "solution" in record.told_customers.values()
            words = "It has returned; we are working on it again." if again else ""
            for name in self._untold(record):
                record = self._one(record, "opening", now_us, name, words)
            return
        for name in [name for name, word in record.told_customers.items() if word == "opening"]:
            record = self._one(record, "solution", now_us, name, "")

    def _one(
        self, record: IncidentRecord, kind: CustomerWord, now_us: int, name: str, words: str
    ) -> IncidentRecord:  # fmt: skip
        """The word to one customer; where nobody can be written to any more it counts as said."""
        said = say(self._locale(name or None), words) if words else ""
        record = self.write(record, kind, now_us, MONITOR, words=said, customers=(name,))
        if record.told_customers.get(name) == kind:
            return record
        return self._book.put(record, now_us, told_customers={**record.told_customers, name: kind})

    def _moved(self, record: IncidentRecord, now_us: int) -> None:
        """Who was told of an incident that is part of another now hears under which number it goes on."""
        waiting = [name for name, word in record.told_customers.items() if word == "opening"]
        into = self._book.records.get(record.merged_into or 0)
        if not waiting or into is None:
            return
        for name in waiting:
            words = say(self._locale(name or None), "It is part of incident {number} now.", number=into.number)
            record = self.write(record, "progress", now_us, MONITOR, words=words, customers=(name,))
        over: dict[str, CustomerWord] = dict.fromkeys(waiting, "solution")
        self._book.put(record, now_us, told_customers={**record.told_customers, **over})
        follow: dict[str, CustomerWord] = {name: "opening" for name in waiting if name in into.customers}
        self._book.put(into, now_us, told_customers={**follow, **into.told_customers})

    # -- addresses -----------------------------------------------------------------------------------------------------

    def _addresses(self, record: IncidentRecord, customers: Collection[str] | None) -> list[Address]:
        """Contacts of the customers; who reported it by mail too, where that is asked for or no customer is known."""
        names = list(record.customers) if customers is None else [name for name in customers if name != REPORTER]
        found: dict[str, Address] = {}
        for name in names:
            if (customer := self._topology.customers.get(name)) is None:
                continue
            zone = self._version(name, record).timezone
            for address in _mailboxes(customer):
                found.setdefault(address, Address(name, address, customer.locale, zone))
        if _mailed(record) and record.reporter is not None and (customers is None or REPORTER in customers or found):
            known = next(iter(names), None)
            mailbox = record.reporter
            zone = self._version(known, record).timezone
            found.setdefault(mailbox, Address(known, mailbox, self._locale(known), zone))
        return list(found.values())

    def _version(self, customer: str | None, record: IncidentRecord) -> Version:
        known = self._topology.customers.get(customer or "")
        return self._contracts[known.contract if known else self._desk_contract].at(record.opened_us)

    def _locale(self, customer: str | None) -> str:
        known = self._topology.customers.get(customer or "")
        return known.locale if known else DESK_LANGUAGE

    # -- announced work ------------------------------------------------------------------------------------------------

    def of_customers(self, names: Iterable[str], at_us: int) -> list[Address]:
        """Every contact of these customers, once."""
        found: dict[str, Address] = {}
        for name in names:
            customer = self._topology.customers[name]
            zone = self._contracts[customer.contract].at(at_us).timezone
            for address in _mailboxes(customer):
                found.setdefault(address, Address(name, address, customer.locale, zone))
        return list(found.values())

    @property
    def channel(self) -> str | None:
        """By which they are written to; None: the desk has none that sends mail."""
        return self._channel

    @property
    def sender(self) -> str:
        return self._sender


def _mail(desk: Desk | None) -> tuple[str | None, str]:
    """(channel, its sender)."""
    if desk is None:
        return None, ""
    smtp = [name for name, channel in desk.channels.items() if channel.kind == "smtp"]
    name = desk.customers.channel or next(iter(smtp), None)
    return name, (desk.channels[name].from_ or "") if name is not None else ""


def _mailboxes(customer: Customer) -> list[str]:
    """Those of its contacts that mail reaches; a telephone number may stand among them."""
    return [contact for contact in customer.contacts if "@" in contact]


def _mailed(record: IncidentRecord) -> bool:
    """Somebody reported it and can be written to."""
    return record.opened_by != MONITOR and record.reporter is not None and "@" in record.reporter


def _over_us(record: IncidentRecord) -> int | None:
    """When it is safe to say that it is over: at once for what a person resolved, after calm for what recovered."""
    if record.resolved_at_us is None:
        return None
    if record.opened_by != MONITOR or record.state == "closed":
        return record.resolved_at_us
    flapping = record.quiet_until_us is not None and record.resolved_at_us < record.quiet_until_us
    return record.resolved_at_us + (STABLE_US if flapping else TELL_US)


__all__ = ["Address", "Letters"]
