"""Who gets which message about an incident: one for each person and channel, in his language. Pure."""

from collections.abc import Iterable, Mapping

import msgspec

from alerting.bundle import Bundler, Held
from alerting.effects import Item, Notification, What
from alerting.letters import Letter, Reader, digest, letter
from alerting.letters.customer import customer_letter
from alerting.people import Recipient, addressees, policy
from alerting.words import say
from sereno.alarms import Alarms
from sereno.clock import SECOND_US
from sereno.desk import Desk
from sereno.desk.notifications import Notifications
from sereno.incident import IncidentRecord
from sereno.incident.reading import titled

_OVER = frozenset({"resolved", "found_late"})
_TEST_US = 60 * SECOND_US


class Teller:
    """Makes messages; what it makes goes through `bundler`."""

    def __init__(
        self, service: str, desk: Desk | None, alarms: Alarms, url: str | None, zone: str,
        owners: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """`owners`: whose each site is."""
        self._owners = owners if owners is not None else {}
        self.limits = desk.notifications if desk is not None else Notifications()
        self.service, self._alarms = service, alarms
        self._url = url.rstrip("/") if url else None
        self.zone = zone
        self.recipients = addressees(desk, zone)
        self._first = [entry[2:] for entry in policy(desk) if entry.startswith("0:")]
        kept = desk.channels if desk is not None else {}
        self.bundler = Bundler(
            self.limits.burst, self.limits.within_us, self._listed,
            keeps_state=frozenset(name for name, channel in kept.items() if channel.keeps_state),
            keeps_lists=frozenset(name for name, channel in kept.items() if channel.kind == "pagerduty"),
        )  # fmt: skip

    def deadline_us(self, message: Notification) -> int:
        """For how long it is worth being tried; whoever tests a channel waits for it."""
        if message.what == "test":
            return _TEST_US
        return self.limits.page_deadline_us if message.page else self.limits.deadline_us

    def tell(
        self, record: IncidentRecord, what: What, at_us: int, first_step: str, *, page: bool,
        people: Iterable[str],
    ) -> list[Notification]:  # fmt: skip
        """One message for each of the people's channels."""
        found = []
        for one in self._on(people, what):
            reader = Reader(one.locale, one.zone)
            step, runbook = self._steps(record, what, first_step, one.locale)
            url = self._link(record.number)
            said = letter(record, what, reader, service=self.service, step=step, runbook=runbook, url=url)
            message = self._message(record, what, at_us, one, said, page=page and what not in _OVER)
            message = msgspec.structs.replace(message, step=step, runbook="\n".join(runbook))
            self.bundler.admit(message, self._item(record, what, one.locale))
            found.append(message)
        return found

    def tell_customer(
        self, record: IncidentRecord, what: What, at_us: int, *, customer: str | None, channel: str, address: str,
        locale: str, words: str, zone: str,
    ) -> Notification:  # fmt: skip
        """A message to a customer's contact, without what only the desk should read. It is never bundled."""
        reader = Reader(locale, zone)
        sites = [site for site, owner in self._owners.items() if owner == customer and customer is not None]
        said = customer_letter(
            record, what, reader, service=self.service, words=words, customer=customer, sites=sites
        )  # fmt: skip
        to = customer or address
        one = Recipient(person=to, channel=channel, address=address, locale=locale, zone=zone, kind="smtp")
        message = self._message(record, what, at_us, one, said, page=False)
        place = address.replace("/", ".").replace("@", ".at.")
        key = f"{record.number}/{what}/{record.version}/{to[:40]}/{place}"[:160]
        message = msgspec.structs.replace(message, key=key, url=None, kind="", name="")
        self.bundler.admit(message, None)
        return message

    def note(
        self, key: str, what: What, at_us: int, subject_id: str, values: Mapping[str, object], lines: tuple[str, ...]
    ) -> list[Notification]:
        """A few words about no incident, to the people of the first level; they wake nobody."""
        found = []
        for one in self._on(self._first, what):
            subject = say(one.locale, subject_id, **values)
            body = "\n".join([subject, "", *lines] if lines else [subject])
            message = Notification(
                key=f"{key}/{one.person}/{one.channel}", at_us=at_us, incident=None, what=what, page=False,
                to=one.person, channel=one.channel, address=one.address, locale=one.locale, subject=subject, body=body,
                priority="Baja", severity=None, kind="", name="", service=self.service, title=subject, short=subject,
                thread=key.replace("/", "."),
            )  # fmt: skip
            self.bundler.admit(message, None)
            found.append(message)
        return found

    def _on(self, people: Iterable[str], what: What) -> Iterable[Recipient]:
        """The ways to them; of an acknowledgement only those far ends hear that keep an alert open."""
        for person in dict.fromkeys(people):
            for one in self.recipients.get(person, ()):
                if what != "acknowledged" or one.kind == "pagerduty":
                    yield one

    def _steps(self, record: IncidentRecord, what: What, first_step: str, locale: str) -> tuple[str, tuple[str, ...]]:
        """What to do first, and then, in his language."""
        if what in _OVER or what == "acknowledged":
            return "", ()
        frozen = record.guide.get("en" if locale.startswith("en") else "es")
        if frozen is not None:
            return frozen.first_step or first_step, frozen.runbook
        alarm = self._alarms.alarms.get(record.alarm or "")
        if alarm is None:
            return first_step, ()
        told = alarm.told(locale)
        return told.first_step or first_step, told.runbook

    def _message(
        self, record: IncidentRecord, what: What, at_us: int, one: Recipient, said: Letter, *, page: bool
    ) -> Notification:
        return Notification(
            key=f"{record.number}/{what}/{record.version}/{one.person}/{one.channel}",
            at_us=at_us,
            incident=record.number,
            what=what,
            page=page,
            to=one.person,
            channel=one.channel,
            address=one.address,
            locale=one.locale,
            subject=said.subject,
            body=said.body,
            priority=record.priority,
            severity=record.severity,
            kind=record.cause.kind,
            name=record.cause.name,
            url=self._link(record.number),
            service=self.service,
            thread=thread(record),
            episode=record.reopenings,
            title=said.title,
            since_us=record.since_us,
            resolved_us=record.resolved_us,
            rows=said.rows,
            short=said.short,
        )

    def _item(self, record: IncidentRecord, what: What, locale: str) -> Item:
        return Item(
            what=what, number=record.number, title=titled(record, locale), priority=record.priority,
            severity=record.severity, kind=record.cause.kind, name=record.cause.name, since_us=record.since_us,
            resolved_us=record.resolved_us, url=self._link(record.number), thread=thread(record),
        )  # fmt: skip

    def _listed(self, held: tuple[Held, ...], now_us: int) -> Notification:
        """One message in place of these; all are for one person on one channel."""
        first = min(held, key=lambda one: (_rank(one.item.priority), one.item.number)).message
        reader = Reader(first.locale, self._zone_of(first))
        url = f"{self._url}/incidents" if self._url else None
        items = tuple(one.item for one in held)
        said = digest(items, reader, service=self.service, url=url)
        name = f"digest/{first.to}/{first.channel}/{now_us}"
        return msgspec.structs.replace(
            first, key=name, at_us=now_us, incident=None, what="digest", page=any(one.message.page for one in held),
            subject=said.subject, body=said.body, rows=said.rows, short=said.short, title=said.title, url=url,
            thread=name.replace("/", "."), episode=0, items=items, step="", runbook="", resolved_us=None,
            since_us=min(one.item.since_us for one in held),
        )  # fmt: skip

    def _zone_of(self, message: Notification) -> str:
        ways: Mapping[str, list[Recipient]] = self.recipients
        return next((one.zone for one in ways.get(message.to, ()) if one.channel == message.channel), "UTC")

    def _link(self, number: int) -> str | None:
        return f"{self._url}/incidents/{number}" if self._url else None


def thread(record: IncidentRecord) -> str:
    """What all messages of an incident share; no other incident of this or another desk's store has it."""
    return f"{record.number}.{record.opened_us // SECOND_US}"


def _rank(priority: str) -> int:
    return {"Urgente": 0, "Alta": 1, "Normal": 2}.get(priority, 3)


__all__ = ["Teller", "thread"]
