"""What else is recorded of a window: verdicts, ledger, incidents, messages, works, probes; each query by its index."""

from collections.abc import Collection, Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, and_, func, or_, select

from sereno.clock import SECOND_US
from sereno.incident import IncidentRecord
from sereno.store.desk import incidents
from sereno.store.results import Cursors, load_cursors
from sereno.store.tables import (
    incident_timeline,
    isolations,
    leaderships,
    ledger,
    ledger_revisions,
    maintenance,
    outbox,
    probe_events,
    quarantine,
    results,
    runs,
    topologies,
    verdict_changes,
)
from sereno.store.tables import incidents as incidents_table

CHUNK = 2_000
_BLOCK_US = 86_400 * SECOND_US  # a row of the ledger never reaches beyond its block, and no block beyond a day
Rows = Iterator[Row[Any]]


def changes(connection: Connection, from_us: int, to_us: int) -> Rows:
    """Changes of verdicts and findings decided in [from, to), in the order of (at, id)."""
    columns = verdict_changes.c
    query = select(verdict_changes).where(columns.at_us >= from_us, columns.at_us < to_us)
    return iter(connection.execute(query.order_by(columns.at_us, columns.id).execution_options(yield_per=CHUNK)))


def said_before(connection: Connection, kind: str, name: str, what: str, at_us: int) -> Row[Any] | None:
    """The last word on an element before an instant."""
    columns = verdict_changes.c
    of_it = and_(columns.kind == kind, columns.name == name, columns.what == what, columns.at_us < at_us)
    return connection.execute(select(verdict_changes).where(of_it).order_by(columns.id.desc()).limit(1)).one_or_none()


def intervals(connection: Connection, from_us: int, to_us: int) -> Rows:
    """Rows of the ledger that touch [from, to), superseded ones too, in the order of (from, id)."""
    columns = ledger.c
    query = select(ledger).where(columns.from_us >= from_us - _BLOCK_US, columns.from_us < to_us)
    query = query.where(columns.to_us > from_us).order_by(columns.from_us, columns.id)
    return iter(connection.execute(query.execution_options(yield_per=CHUNK)))


def revisions(connection: Connection, from_us: int, to_us: int) -> list[Row[Any]]:
    """What late results changed of the past: noted in the window, or about it."""
    columns = ledger_revisions.c
    noted = and_(columns.noted_us >= from_us, columns.noted_us < to_us)
    about = and_(columns.noted_us >= to_us, columns.from_us < to_us, columns.to_us > from_us)
    query = select(ledger_revisions).where(or_(noted, about)).order_by(columns.noted_us, columns.id)
    return list(connection.execute(query))


def incident_lines(connection: Connection, from_us: int, to_us: int) -> list[Row[Any]]:
    """Lines of incidents' timelines in [from, to), in the order of (at, id)."""
    columns = incident_timeline.c
    query = select(incident_timeline).where(columns.at_us >= from_us, columns.at_us < to_us)
    return list(connection.execute(query.order_by(columns.at_us, columns.id)))


def incidents_of(connection: Connection, from_us: int, to_us: int, named: Collection[int]) -> list[IncidentRecord]:
    """Incidents that were there in [from, to), and those with these numbers, whole."""
    columns = incidents_table.c
    there = and_(columns.since_us < to_us, or_(columns.resolved_us.is_(None), columns.resolved_us >= from_us))
    numbers = {int(number) for (number,) in connection.execute(select(columns.number).where(there))} | set(named)
    found = []
    for number in sorted(numbers):
        found += incidents(connection, number=number)
    return found


def messages(connection: Connection, from_us: int, to_us: int) -> list[Row[Any]]:
    """Notifications made in [from, to)."""
    columns = outbox.c
    query = select(outbox).where(columns.created_us >= from_us, columns.created_us < to_us)
    return list(connection.execute(query.order_by(columns.created_us, columns.id)))


def works(connection: Connection, from_us: int, to_us: int) -> list[Row[Any]]:
    """Maintenance announced, under way or called off in [from, to)."""
    columns = maintenance.c
    touching = and_(columns.from_us < to_us, columns.to_us > from_us)
    recorded = and_(columns.recorded_us >= from_us, columns.recorded_us < to_us)
    cancelled = and_(columns.cancelled_us >= from_us, columns.cancelled_us < to_us)
    return list(connection.execute(select(maintenance).where(or_(touching, recorded, cancelled)).order_by(columns.id)))


def isolated(connection: Connection, from_us: int, to_us: int) -> list[Row[Any]]:
    """SBCs that were out of service under attack in [from, to)."""
    columns = isolations.c
    touching = and_(columns.from_us < to_us, or_(columns.to_us.is_(None), columns.to_us >= from_us))
    return list(connection.execute(select(isolations).where(touching).order_by(columns.id)))


def probe_words(connection: Connection, probe: str, from_us: int, to_us: int) -> list[Row[Any]]:
    """What a probe said of itself in [from, to), after its last word before."""
    columns = probe_events.c
    earlier = connection.execute(
        select(probe_events)
        .where(columns.probe == probe, columns.at_us < from_us)
        .order_by(columns.at_us.desc(), columns.id.desc())
        .limit(1)
    )
    query = select(probe_events).where(columns.probe == probe, columns.at_us >= from_us, columns.at_us < to_us)
    return [*earlier, *connection.execute(query.order_by(columns.at_us, columns.id))]


def refused(connection: Connection, from_us: int, to_us: int) -> list[Row[Any]]:
    """What was kept aside in [from, to) because it could not be taken."""
    columns = quarantine.c
    wanted = (columns.id, columns.probe, columns.boot, columns.seq, columns.arrived_us, columns.why)
    query = select(*wanted).where(columns.arrived_us >= from_us, columns.arrived_us < to_us)
    return list(connection.execute(query.order_by(columns.arrived_us, columns.id)))


def leaders(connection: Connection, from_us: int, to_us: int) -> list[Row[Any]]:
    """Collectors that became the writer in [from, to)."""
    columns = leaderships.c
    query = select(leaderships).where(columns.from_us >= from_us, columns.from_us < to_us)
    return list(connection.execute(query.order_by(columns.from_us, columns.epoch)))


def accepted(connection: Connection) -> list[Row[Any]]:
    """Every topology that was ever accepted, in the order of its from-time."""
    columns = topologies.c
    wanted = (columns.id, columns.from_us, columns.hash, columns.topology)
    return list(connection.execute(select(*wanted).order_by(columns.from_us, columns.id)))


# -- holes: what a probe measured and nobody ever stored -------------------------------------------------------------


class Hole(msgspec.Struct, frozen=True, kw_only=True):
    """Seqs of a boot that never came, between the last result sent before them and the first one after, if known.

    `final`: the probe's spool holds them no more; else they may still come.
    """

    probe: str
    boot: str
    first: int
    last: int
    after_us: int | None
    before_us: int | None
    final: bool


def holes(
    connection: Connection, probes: Collection[str], from_us: int, to_us: int, most: int
) -> tuple[list[Hole], int]:
    """Holes of these probes that lie in [from, to), by the results around them; how many more there are.

    A seq has no time of its own: its neighbours' bound it.
    """
    found: list[Hole] = []
    left = 0
    for (probe, boot), first, last, final in _missing(load_cursors(connection), probes):
        after_us = _neighbour(connection, probe, boot, below=first)
        before_us = _neighbour(connection, probe, boot, above=last)
        begin = after_us if after_us is not None else before_us
        end = before_us if before_us is not None else after_us
        if begin is None or end is None or begin >= to_us or end < from_us:
            continue
        if len(found) < most:
            found.append(
                Hole(
                    probe=probe, boot=boot, first=first, last=last, after_us=after_us, before_us=before_us, final=final
                )
            )
        else:
            left += 1
    return found, left


def _neighbour(
    connection: Connection, probe: str, boot: str, *, below: int | None = None, above: int | None = None
) -> int | None:
    """When the last seq below was sent, or the first one above; of compacted ones the end of their run."""
    columns, old = results.c, runs.c
    near = select(columns.at_us).where(columns.probe == probe, columns.boot == boot).limit(1)
    compacted = select(func.max(old.to_us)).where(old.probe == probe, old.boot == boot, old.last_seq < (below or 0))
    if below is not None:
        query = near.where(columns.seq < below).order_by(columns.seq.desc())
    else:
        query = near.where(columns.seq > (above or 0)).order_by(columns.seq)
        compacted = select(func.min(old.from_us)).where(
            old.probe == probe, old.boot == boot, old.first_seq > (above or 0)
        )
    at_us = connection.execute(query).scalar()
    at_us = connection.execute(compacted).scalar() if at_us is None else at_us
    return None if at_us is None else int(at_us)


def _missing(cursors: Cursors, probes: Collection[str]) -> Iterator[tuple[tuple[str, str], int, int, bool]]:
    """Every gap below the newest committed seq: (probe, boot), its ends, whether it is for good."""
    for key, cursor in sorted(cursors.items()):
        if key[0] not in probes:
            continue
        for first, last in cursor.ranges.missing(1, max(cursor.ranges.last or 0, cursor.oldest - 1)):
            if first < cursor.oldest <= last:
                yield key, first, cursor.oldest - 1, True
                yield key, cursor.oldest, last, False
            else:
                yield key, first, last, last < cursor.oldest
