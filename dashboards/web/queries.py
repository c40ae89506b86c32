"""What the pages read from the store. Reading only; every function takes a connection and returns plain records."""

import msgspec
from sqlalchemy import Connection, func, select

from dashboards.web.records import CollectorLine, IncidentLine
from sereno.clock import SECOND_US, iso
from sereno.incident import PRIORITIES, IncidentRecord, TimelineEntry, decode_record
from sereno.incident.reading import titled
from sereno.store.collectors import GONE_US, Presence, presences
from sereno.store.lease import Row, host_of
from sereno.store.lease import read as read_lease
from sereno.store.tables import incident_timeline, incidents, topologies, verdict_changes
from sereno.topology import topology_from_json
from sereno.topology.model import Topology

ALIVE_US = 3 * SECOND_US  # a leader renews every second; after three without, nobody is watching
OPEN_STATES = ("open", "acknowledged", "in_progress", "reopened")


def current_topology(connection: Connection) -> tuple[str, Topology] | None:
    """The hash and model of the topology accepted last; None before the first."""
    row = connection.execute(
        select(topologies.c.hash, topologies.c.topology).order_by(topologies.c.id.desc()).limit(1)
    ).first()
    if row is None:
        return None
    return str(row.hash), topology_from_json(msgspec.json.decode(row.topology))


def current_hash(connection: Connection) -> str | None:
    """The hash of the topology accepted last."""
    found = connection.execute(select(topologies.c.hash).order_by(topologies.c.id.desc()).limit(1)).scalar()
    return None if found is None else str(found)


def marker(connection: Connection) -> tuple[int, int]:
    """The newest verdict change and the sum of the incidents' versions: two index look-ups, more or less."""
    newest = connection.execute(select(func.max(verdict_changes.c.id))).scalar()
    versions = connection.execute(
        select(func.sum(incidents.c.version)).where(incidents.c.state.in_(OPEN_STATES))
    ).scalar()
    return int(newest or 0), int(versions or 0)


def lease_of(connection: Connection) -> Row | None:
    """The lease as it stands; None before the first collector."""
    return read_lease(connection)


def collectors(connection: Connection, now_us: int) -> list[CollectorLine]:
    """Who leads and who stands by, as they said in the last seconds; the writer first."""
    held = read_lease(connection)
    said = {each.name: each for each in presences(connection)}
    found = []
    if held is not None and held.holder and now_us - held.renewed_us <= ALIVE_US:
        mine = said.pop(held.holder, None)
        found.append(_line(held.holder, "leader", held.epoch, mine))
    for name, each in said.items():
        if each.role == "standby" and now_us - each.seen_us <= GONE_US:
            found.append(_line(name, "standby", each.epoch, each))
    return found


def heartbeat(connection: Connection) -> dict[str, object] | None:
    """Whether the sign of life goes out, since when, and why not; None where there is none."""
    columns = verdict_changes.c
    said = select(columns.state, columns.at_us, columns.reason).where(
        columns.kind == "monitor", columns.what == "heartbeat"
    )
    row = connection.execute(said.order_by(columns.id.desc()).limit(1)).first()
    if row is None:
        return None
    return {"goes_out": row.state == "true", "since": iso(row.at_us), "why_not": row.reason}


def _line(name: str, role: str, epoch: int, said: Presence | None) -> CollectorLine:
    return CollectorLine(
        name=name,
        host=host_of(name) or name,
        role=role,
        epoch=epoch,
        page=said.page if said is not None else None,
        broker=said.broker if said is not None else None,
    )


def open_incidents(connection: Connection) -> list[IncidentLine]:
    """Open incidents, gravest first, then oldest."""
    rows = connection.execute(select(incidents.c.body).where(incidents.c.state.in_(OPEN_STATES)))
    lines = [_incident_line(decode_record(row.body)) for row in rows]
    return sorted(lines, key=lambda line: (PRIORITIES.index(line.priority), line.opened_us))


def _incident_line(record: IncidentRecord) -> IncidentLine:
    running = [(clock.due_us, clock.clock) for clock in record.clocks if clock.state == "running"]
    due_us, clock = min(running, default=(None, None))
    return IncidentLine(
        number=record.number,
        state=record.state,
        priority=record.priority,
        severity=record.severity,
        title=record.title,
        since_us=record.since_us,
        opened_us=record.opened_us,
        next_clock=clock,
        next_due_us=due_us,
        assigned=record.assigned,
        titles=tuple((language, titled(record, language)) for language in ("es", "en")),
    )


def incident(connection: Connection, number: int) -> IncidentRecord | None:
    """One incident with its timeline; None if there is no such number."""
    body = connection.execute(select(incidents.c.body).where(incidents.c.number == number)).scalar()
    if body is None:
        return None
    rows = connection.execute(
        select(incident_timeline).where(incident_timeline.c.number == number).order_by(incident_timeline.c.id)
    )
    timeline = tuple(TimelineEntry(at_us=int(row.at_us), what=str(row.what), who=str(row.who)) for row in rows)
    return decode_record(str(body), timeline)
