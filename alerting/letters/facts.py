"""The facts of an incident as labelled rows: what, where, since when, how bad, until when, by what evidence."""

from collections.abc import Iterable

import msgspec

from alerting.clocks import overdue
from alerting.effects import Row
from alerting.letters.times import moment
from alerting.naming import change_line
from alerting.words import grade, say
from sereno.incident import Clock, IncidentRecord
from sereno.incident.reading import titled, witnessed

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
    """Every row that has something to say: what, where, since when, how bad, until when; then what is known of it."""
    found = [
        ("What", titled(record, reader.locale)),
        ("Where", _where(record, reader, service)),
        ("Since", reader.moment(record.since_us)),
        ("Good since", "" if record.resolved_us is None else reader.moment(record.resolved_us)),
        ("How bad", _gravity(record)),
        ("Customers", listed(f"{name} ({priority})" for name, priority in record.customers.items())),
        ("Sites", listed(record.sites)),
    ]
    if what not in _OVER:
        found.append(("Overdue", _clocks(overdue(record), reader)))
        found.append(("Due", _clocks(_next_due(record), reader)))
    return tuple(Row(reader.say(label), text) for label, text in (*found, *_known(record, reader)) if text)


def _known(record: IncidentRecord, reader: Reader) -> list[tuple[str, str]]:
    changes = (f"{change_line(reader.locale, one)}, {reader.moment(one.at_us)}" for one in record.changes)
    return [
        ("Also seen", listed(dict.fromkeys(one.name for one in record.symptoms))),
        ("Evidence", witnessed(record, reader.locale)),
        ("Change", "; ".join(changes)),
        ("Reported", record.description or ""),
        ("Assigned to", record.assigned or ""),
    ]


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


def _next_due(record: IncidentRecord) -> list[Clock]:
    """The next attention and the next solution that are owed."""
    found: dict[str, Clock] = {}
    for clock in record.clocks:
        if clock.state == "running" and (clock.clock not in found or clock.due_us < found[clock.clock].due_us):
            found[clock.clock] = clock
    return [found[name] for name in ("attention", "solution") if name in found]


def _clocks(clocks: Iterable[Clock], reader: Reader) -> str:
    return "; ".join(
        f"{reader.say(one.clock)} {reader.moment(one.due_us)} ({one.customer or one.contract})" for one in clocks
    )
