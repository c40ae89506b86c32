"""What a month's compliance is computed from: the tickets whose clocks fell due in it, and the agreed activities."""

from msgspec.structs import replace
from sqlalchemy import Connection, or_, select

from sereno.activity import Activity
from sereno.incident import IncidentRecord, TimelineEntry, decode_record
from sereno.store.tables import activities, incident_timeline
from sereno.store.tables import incidents as incidents_table

_BATCH = 500  # numbers in one query


def tickets(connection: Connection, customer: str, from_us: int, to_us: int) -> list[IncidentRecord]:
    """Tickets of a customer that owed him something by a clock in [from, to), whole, by number."""
    rows = connection.execute(
        select(incidents_table.c.body)
        .where(incidents_table.c.opened_us < to_us, incidents_table.c["class"] == "service")
        .order_by(incidents_table.c.number)
    )
    found: dict[int, IncidentRecord] = {}
    for row in rows:
        record = decode_record(row.body)
        if any(one.customer == customer and from_us <= one.due_us < to_us for one in record.clocks):
            found[record.number] = record
    lines = _timelines(connection, list(found))
    return [replace(record, timeline=lines.get(number, ())) for number, record in found.items()]


def concerning(connection: Connection, customer: str, from_us: int, to_us: int) -> list[IncidentRecord]:
    """Tickets of a customer that were not over at some time of [from, to), by number, without their timelines."""
    columns = incidents_table.c
    rows = connection.execute(
        select(columns.body)
        .where(
            columns.since_us < to_us,
            or_(columns.resolved_us.is_(None), columns.resolved_us >= from_us),
            columns["class"] == "service",
            columns.state != "merged",
        )
        .order_by(columns.number)
    )
    found = [decode_record(row.body) for row in rows]
    return [
        one for one in found if customer in one.customers or any(clock.customer == customer for clock in one.clocks)
    ]


def _timelines(connection: Connection, numbers: list[int]) -> dict[int, tuple[TimelineEntry, ...]]:
    found: dict[int, list[TimelineEntry]] = {}
    for begin in range(0, len(numbers), _BATCH):
        some = numbers[begin : begin + _BATCH]
        query = select(incident_timeline).where(incident_timeline.c.number.in_(some)).order_by(incident_timeline.c.id)
        for line in connection.execute(query):
            entry = TimelineEntry(at_us=line.at_us, what=line.what, who=line.who)
            found.setdefault(line.number, []).append(entry)
    return {number: tuple(lines) for number, lines in found.items()}


def agreed_activities(connection: Connection, customer: str, from_us: int, to_us: int) -> list[Activity]:
    """Activities due in [from, to), by date."""
    query = (
        select(activities)
        .where(activities.c.customer == customer, activities.c.due_us >= from_us, activities.c.due_us < to_us)
        .order_by(activities.c.due_us, activities.c.id)
    )
    return [
        Activity(
            id=row.id, customer=row.customer, what=row.what, due_us=row.due_us, who=row.who,
            recorded_us=row.recorded_us, incident=row.incident, done_us=row.done_us, evidence=row.evidence,
            cancelled_us=row.cancelled_us,
        )
        for row in connection.execute(query)
    ]  # fmt: skip
