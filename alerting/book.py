"""The desk's book: incident records, their timelines, and what was decided since it was last asked."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from alerting.effects import Effect, IncidentChanged, Notification, TimelineAdded, What
from alerting.telling import Teller
from alerting.words import DESK_LANGUAGE, say
from sereno.incident import ACTIVE, IncidentRecord, Rung, TimelineEntry

MONITOR = "sereno"  # who, in timelines, when the monitor itself did it


class Records(dict[int, IncidentRecord]):
    """Incidents by number; those on which something may still happen are known without reading all of them."""

    def __init__(self, records: Mapping[int, IncidentRecord] | None = None) -> None:
        super().__init__(records or {})
        self.unsettled = {number for number, record in self.items() if _unsettled(record)}

    def __setitem__(self, number: int, record: IncidentRecord) -> None:
        super().__setitem__(number, record)
        if _unsettled(record):
            self.unsettled.add(number)
        else:
            self.unsettled.discard(number)


def _unsettled(record: IncidentRecord) -> bool:
    """People or time still change it, or a customer still has to hear how it ended."""
    return record.state not in {"closed", "merged"} or "opening" in record.told_customers.values()


class Book:
    """Writes go through `put`: each makes a new version of the record and an effect."""

    def __init__(self, teller: Teller) -> None:
        self._records = Records()
        self.next_number = 1
        self.teller = teller
        self.levels: Callable[[int], tuple[Rung, ...]] = lambda _at_us: ()  # of escalation, as they stand at an instant
        self._effects: list[Effect] = []

    @property
    def records(self) -> Records:
        """Every incident by number."""
        return self._records

    @records.setter
    def records(self, found: Mapping[int, IncidentRecord]) -> None:
        self._records = Records(found)

    def take(self) -> list[Effect]:
        """What was decided since the last call."""
        effects, self._effects = self._effects, []
        return effects

    def mark(self) -> tuple[dict[int, IncidentRecord], int, int]:
        """Where it stands, for `back_to`."""
        return dict(self.records), self.next_number, len(self._effects)

    def back_to(self, mark: tuple[dict[int, IncidentRecord], int, int]) -> None:
        """As if nothing had been written since."""
        self.records, self.next_number, said = mark
        del self._effects[said:]
        self.teller.bundler.drop()

    def emit(self, effect: Effect) -> None:
        self._effects.append(effect)

    def active(self) -> list[IncidentRecord]:
        """Those that people still work on, by number."""
        return [record for record in self.unsettled() if record.state in ACTIVE]

    def living(self) -> list[IncidentRecord]:
        """Those on which time still does something: all but closed and merged."""
        return [record for record in self.unsettled() if record.state not in {"closed", "merged"}]

    def unsettled(self) -> list[IncidentRecord]:
        """Those on which something may still happen, by number."""
        return [self._records[number] for number in sorted(self._records.unsettled)]

    def put(
        self, record: IncidentRecord, at_us: int, *lines: str, who: str = MONITOR, **changes: Any
    ) -> IncidentRecord:
        """The record with these changes and timeline lines, one version on; unchanged, nothing happens."""
        changed = replace(record, **changes)
        if record.version == 0 and not record.rungs:  # it opens
            changed = replace(changed, rungs=self.levels(record.opened_us))
        entries = tuple(TimelineEntry(at_us=at_us, what=line, who=who) for line in lines)
        if not entries and changed == self.records.get(record.number):
            return changed
        changed = replace(changed, version=record.version + 1, timeline=(*record.timeline, *entries))
        self.records[record.number] = changed
        self._effects += [TimelineAdded(number=record.number, entry=entry) for entry in entries]
        self._effects.append(IncidentChanged(record=changed))
        return changed

    def settle(self, now_us: int) -> None:
        """The end of an instant: what is told in it goes out, singly or as a list."""
        for message in self.teller.bundler.settle(now_us):
            self.emit(message)

    def tell(
        self, record: IncidentRecord, what: What, at_us: int, first_step: str, *, page: bool,
        people: Iterable[str] | None = None,
    ) -> IncidentRecord:  # fmt: skip
        """A message to each of these people (else to those of the frozen policy), recorded in the timeline.

        That it is over is told to those who were told of it, and wakes nobody.
        """
        who = list(people) if people is not None else list(self._who(record, what))
        sent = self.teller.tell(record, what, at_us, first_step, page=page, people=who)
        if what == "acknowledged":
            return record  # nobody reads it
        line = say(DESK_LANGUAGE, "nobody told: no channel")
        if sent:
            names = ", ".join(f"{one.to} ({one.channel})" for one in sent)
            line = say(DESK_LANGUAGE, _TOLD[what], names=names)
        told = tuple(dict.fromkeys((*record.told, *(one.to for one in sent))))
        return self.put(record, at_us, line, pages=record.pages + bool(page and sent), told=told)

    def tell_customer(
        self, record: IncidentRecord, what: What, at_us: int, *, customer: str | None, channel: str, address: str,
        locale: str, words: str = "", zone: str = "UTC",
    ) -> Notification:  # fmt: skip
        """A message to a customer's contact; who asks for it writes it down."""
        return self.teller.tell_customer(
            record, what, at_us, customer=customer, channel=channel, address=address, locale=locale, words=words,
            zone=zone,
        )  # fmt: skip

    def note(
        self, key: str, what: What, at_us: int, subject_id: str, values: Mapping[str, object], lines: Iterable[str] = ()
    ) -> list[Notification]:
        """A few words about no incident to the people of the first level, each in his language."""
        return self.teller.note(key, what, at_us, subject_id, values, tuple(lines))

    @staticmethod
    def _who(record: IncidentRecord, what: What) -> Iterable[str]:
        """The policy that was frozen at the opening: its first level, and the second too while it is Urgente.

        What was found late is over: nobody is called in for it.
        """
        if what in {"resolved", "acknowledged"} and record.told:
            yield from record.told
            return
        for entry in record.policy:
            level, _, person = entry.partition(":")
            urgent = record.priority_peak == "Urgente" and what != "found_late"
            if level == "0" or (level == "1" and urgent):
                yield person


_TOLD = {
    "opened": "told of the opening: {names}",
    "promoted": "told that it is worse: {names}",
    "reopened": "told of the reopening: {names}",
    "resolved": "told of the resolution: {names}",
    "found_late": "told of what was found late: {names}",
    "repaged": "asked again: {names}",
    "escalated": "escalated to: {names}",
    "assigned": "told that it is theirs: {names}",
    "answered": "told that the customer answered: {names}",
    "audit": "told of a step that did not happen: {names}",
    "breach_warning": "warned of the due date: {names}",
    "breached": "told of the missed due date: {names}",
}
