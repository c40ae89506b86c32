"""The desk's book: incident records, their timelines, and what was decided since it was last asked."""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from alerting.effects import Effect, IncidentChanged, Notification, TimelineAdded, What
from alerting.people import Recipient
from alerting.words import DESK_LANGUAGE, body, say, subject
from sereno.incident import ACTIVE, IncidentRecord, TimelineEntry

MONITOR = "sereno"  # who, in timelines, when the monitor itself did it


class Book:
    """Writes go through `put`: each makes a new version of the record and an effect."""

    def __init__(self, service: str, recipients: dict[str, list[Recipient]], url: str | None) -> None:
        self.records: dict[int, IncidentRecord] = {}
        self.next_number = 1
        self._service = service
        self._url = url.rstrip("/") if url else None
        self._recipients = recipients
        self._effects: list[Effect] = []

    def take(self) -> list[Effect]:
        """What was decided since the last call."""
        effects, self._effects = self._effects, []
        return effects

    def emit(self, effect: Effect) -> None:
        self._effects.append(effect)

    def active(self) -> list[IncidentRecord]:
        """Those that people still work on, by number."""
        return [record for _, record in sorted(self.records.items()) if record.state in ACTIVE]

    def living(self) -> list[IncidentRecord]:
        """Those on which time still does something: all but closed and merged."""
        return [record for record in self.records.values() if record.state not in {"closed", "merged"}]

    def put(
        self, record: IncidentRecord, at_us: int, *lines: str, who: str = MONITOR, **changes: Any
    ) -> IncidentRecord:
        """The record with these changes and timeline lines, one version on; unchanged, nothing happens."""
        changed = replace(record, **changes)
        entries = tuple(TimelineEntry(at_us=at_us, what=line, who=who) for line in lines)
        if not entries and changed == self.records.get(record.number):
            return changed
        changed = replace(changed, version=record.version + 1, timeline=(*record.timeline, *entries))
        self.records[record.number] = changed
        self._effects += [TimelineAdded(number=record.number, entry=entry) for entry in entries]
        self._effects.append(IncidentChanged(record=changed))
        return changed

    def tell(self, record: IncidentRecord, what: What, at_us: int, first_step: str, *, page: bool) -> IncidentRecord:
        """One message per person and channel; recorded in the timeline, also when there is nobody to tell."""
        recipients = list(self._who(record, what))
        url = f"{self._url}/incidents/{record.number}" if self._url else None
        for one in recipients:
            self.emit(
                Notification(
                    key=f"{record.number}/{what}/{record.version}/{one.person}/{one.channel}",
                    at_us=at_us,
                    incident=record.number,
                    what=what,
                    page=page,
                    to=one.person,
                    channel=one.channel,
                    address=one.address,
                    locale=one.locale,
                    subject=subject(record, what, one.locale),
                    body=body(record, what, one.locale, self._service, first_step, url),
                    priority=record.priority,
                    severity=record.severity,
                    kind=record.cause.kind,
                    name=record.cause.name,
                    url=url,
                )
            )
        line = say(DESK_LANGUAGE, "nobody told: no channel")
        if recipients:
            names = ", ".join(f"{one.person} ({one.channel})" for one in recipients)
            line = say(DESK_LANGUAGE, _TOLD[what], names=names)
        return self.put(record, at_us, line, pages=record.pages + bool(page and recipients))

    def _who(self, record: IncidentRecord, what: What) -> Iterable[Recipient]:
        """The policy that was frozen at the opening: its first level, and the second too while it is Urgente.

        What was found late is over: nobody is called in for it.
        """
        for entry in record.policy:
            level, _, person = entry.partition(":")
            urgent = record.priority_peak == "Urgente" and what != "found_late"
            if level == "0" or (level == "1" and urgent):
                yield from self._recipients.get(person, [])


_TOLD = {
    "opened": "told of the opening: {names}",
    "promoted": "told that it is worse: {names}",
    "reopened": "told of the reopening: {names}",
    "resolved": "told of the resolution: {names}",
    "found_late": "told of what was found late: {names}",
    "breach_warning": "warned of the due date: {names}",
    "breached": "told of the missed due date: {names}",
}
