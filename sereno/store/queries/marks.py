"""What is marked on time axes outside of Sereno: incidents without their timelines, and whose they are."""

import msgspec
from sqlalchemy import Connection, or_, select

from sereno.incident import ACTIVE, IncidentRecord, decode_record
from sereno.store.tables import incidents, topologies
from sereno.topology import topology_from_json


def incidents_since(connection: Connection, from_us: int) -> list[IncidentRecord]:
    """Those that began since then, and those that are not over; by number, their timelines left out."""
    wanted = or_(incidents.c.since_us >= from_us, incidents.c.state.in_(sorted(ACTIVE)))
    query = select(incidents.c.body).where(wanted).order_by(incidents.c.number)
    return [decode_record(body, ()) for body in connection.scalars(query)]


def service(connection: Connection) -> str:
    """The name of the service whose store this is; empty before there was a topology."""
    stored = connection.scalar(select(topologies.c.topology).order_by(topologies.c.id.desc()).limit(1))
    return "" if stored is None else topology_from_json(msgspec.json.decode(stored)).service
