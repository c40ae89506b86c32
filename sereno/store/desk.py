"""What the desk wrote, read back: incidents with their timelines, and maintenance windows."""

from collections.abc import Collection

import msgspec
from sqlalchemy import Connection, select

from sereno.incident import IncidentRecord, TimelineEntry, decode_record
from sereno.store.tables import incident_timeline, maintenance
from sereno.store.tables import incidents as incidents_table


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A maintenance window as it was announced."""

    id: int
    kind: str
    name: str
    from_us: int
    to_us: int
    announced_us: int
    critical_fix: bool
    who: str
    recorded_us: int
    cancelled_us: int | None


def incidents(
    connection: Connection, *, states: Collection[str] | None = None, number: int | None = None,
    numbers: Collection[int] | None = None,
) -> list[IncidentRecord]:  # fmt: skip
    """Incidents by number, whole; of these states, or the one with this number, or those with these."""
    query = select(incidents_table).order_by(incidents_table.c.number)
    if states is not None:
        query = query.where(incidents_table.c.state.in_(list(states)))
    if number is not None:
        query = query.where(incidents_table.c.number == number)
    if numbers is not None:
        query = query.where(incidents_table.c.number.in_(list(numbers)))
    rows = list(connection.execute(query))
    entries: dict[int, list[TimelineEntry]] = {row.number: [] for row in rows}
    lines = select(incident_timeline).order_by(incident_timeline.c.id)
    if number is not None or states is not None or numbers is not None:
        lines = lines.where(incident_timeline.c.number.in_(list(entries)))
    for line in connection.execute(lines):
        entries[line.number].append(TimelineEntry(at_us=line.at_us, what=line.what, who=line.who))
    return [decode_record(row.body, tuple(entries[row.number])) for row in rows]


def windows(connection: Connection, *, after_id: int = 0, cancelled: bool = True) -> list[Window]:
    """Maintenance windows in the order they were recorded."""
    query = select(maintenance).where(maintenance.c.id > after_id).order_by(maintenance.c.id)
    if not cancelled:
        query = query.where(maintenance.c.cancelled_us.is_(None))
    return [
        Window(
            id=row.id,
            kind=row.scope_kind,
            name=row.scope_name,
            from_us=row.from_us,
            to_us=row.to_us,
            announced_us=row.announced_us,
            critical_fix=bool(row.critical_fix),
            who=row.who,
            recorded_us=row.recorded_us,
            cancelled_us=row.cancelled_us,
        )
        for row in connection.execute(query)
    ]
