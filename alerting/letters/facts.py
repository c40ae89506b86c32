"""The facts of an incident as labelled rows: what, where, since when, how bad, until when, by what evidence."""

from collections.abc import Iterable

import msgspec

from alerting.effects import Row
from alerting.letters.times import moment
from alerting.words import grade, say, titled
from sereno.incident import Clock, IncidentRecord

_NAMED = 8  # names that one row spells out
_OVER = frozenset({"resolved", "found_late"})


class Reader(msgspec.Struct, frozen=True):
    """For whom: his locale and the zone of his clock."""

    locale: str
    zone: str

    def say(self, message: str, /, **values: object) -> str:
        return say(self.locale, message, **values)

    def moment(self, at_us: int) -> str:
        return moment(at_us, self.locale, self.zone)


def facts(record: IncidentRecord, what: str, reader: Reader, service: str) -> tuple[Row, ...]:
    """Every row that has something to say."""
    rows = [
        Row(reader.say("What"), titled(record, reader.locale)),
        Row(reader.say("Where"), _where(record, reader, service)),
        Row(reader.say("Since"), reader.moment(record.since_us)),
    ]
    if record.resolved_us is not None:
        rows.append(Row(reader.say("Good since"), reader.moment(record.resolved_us)))
    rows.append(Row(reader.say("How bad"), _gravity(record)))
    if record.customers:
        named = [f"{name} ({priority})" for name, priority in record.customers.items()]
        rows.append(Row(reader.say("Customers"), listed(named)))
    if record.sites:
        rows.append(Row(reader.say("Sites"), listed(record.sites)))
    if what not in _OVER and (due := _due(record.clocks, reader)):
        rows.append(Row(reader.say("Due"), due))
    if record.symptoms:
        rows.append(Row(reader.say("Also seen"), listed(dict.fromkeys(one.name for one in record.symptoms))))
    if record.evidence:
        rows.append(Row(reader.say("Evidence"), record.evidence))
    if record.description:
        rows.append(Row(reader.say("Reported"), record.description))
    if record.assigned:
        rows.append(Row(reader.say("Assigned to"), record.assigned))
    return tuple(rows)


def listed(names: Iterable[str]) -> str:
    """The first of them, and how many more."""
    found = list(names)
    more = f" +{len(found) - _NAMED}" if len(found) > _NAMED else ""
    return ", ".join(found[:_NAMED]) + more


def _where(record: IncidentRecord, reader: Reader, service: str) -> str:
    place = f"{reader.say(record.cause.kind)} {record.cause.name}"
    parts = listed(part.name for part in record.elements)
    if parts and record.cause.kind != "external":
        place += f" ({parts})"
    return place if record.cause.name == service else f"{place}, {reader.say('service')} {service}"


def _gravity(record: IncidentRecord) -> str:
    peak = f" ↓ {record.priority_peak}" if record.priority_peak != record.priority else ""
    return grade(record) + peak


def _due(clocks: Iterable[Clock], reader: Reader) -> str:
    """The next attention and the next solution that are owed."""
    found: dict[str, Clock] = {}
    for clock in clocks:
        if clock.state == "running" and (clock.clock not in found or clock.due_us < found[clock.clock].due_us):
            found[clock.clock] = clock
    return "; ".join(
        f"{reader.say(name)} {reader.moment(found[name].due_us)} ({found[name].customer or found[name].contract})"
        for name in ("attention", "solution")
        if name in found
    )
