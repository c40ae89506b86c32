"""The ledger's rows: current ones (nothing supersedes them), what was recorded of topology, maintenance, isolation."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, false, func, or_, select, update

from sereno.store.bulk import insert_rows
from sereno.store.tables import incident_messages, ledger, maintenance, outbox, topologies
from sereno.topology import Topology, topology_from_json
from sereno.verdict import MaintenanceWindow

_LONGEST_US = 86_400_000_000


class LedgerRow(NamedTuple):
    """One row as it is kept; `id` is 0 before it is written."""

    id: int
    kind: str
    name: str
    state: str
    from_us: int
    to_us: int
    reason: str | None
    interval_us: int
    written_us: int = 0

    @property
    def content(self) -> tuple[str, str, str, int, int, str | None, int]:
        """What it says, without where it is kept."""
        return (self.kind, self.name, self.state, self.from_us, self.to_us, self.reason, self.interval_us)


class TopologyInForce(NamedTuple):
    """A topology and since when it is used."""

    from_us: int
    topology: Topology
    beside: str | None = None  # the folder of its file, where contracts are looked for first


def element_in(columns: Any, elements: Iterable[tuple[str, str]]) -> ColumnElement[bool]:
    """The condition that a row is about one of these (kind, name)."""
    names: dict[str, list[str]] = {}
    for kind, name in elements:
        names.setdefault(kind, []).append(name)
    each = [and_(columns.kind == kind, columns.name.in_(sorted(set(found)))) for kind, found in names.items()]
    return or_(false(), *each)


def current(
    connection: Connection, from_us: int, to_us: int, elements: Iterable[tuple[str, str]] | None = None
) -> list[LedgerRow]:
    """Rows in force that touch [from, to), by element and time; of these elements, or of all. No row is over a day."""
    query = (
        select(ledger)
        .where(
            ledger.c.superseded_by.is_(None),
            ledger.c.from_us < to_us,
            ledger.c.from_us > from_us - _LONGEST_US,  # so that the index serves
            ledger.c.to_us > from_us,
        )
        .order_by(ledger.c.kind, ledger.c.name, ledger.c.from_us)
    )
    if elements is not None:
        query = query.where(element_in(ledger.c, elements))
    return [
        LedgerRow(
            row.id, row.kind, row.name, row.state, row.from_us, row.to_us, row.reason, row.interval_us or 0,
            row.written_us,
        )
        for row in connection.execute(query)
    ]  # fmt: skip


Said = tuple[str, str, str, int, int, str | None, int]  # kind, name, state, from, to, reason, interval


def said(
    connection: Connection, from_us: int, to_us: int, elements: Iterable[tuple[str, str]] | None = None
) -> Iterator[Said]:
    """What the rows in force that touch [from, to) say, each element's in order of time; made for years of them."""
    columns = ledger.c
    query = select(
        columns.kind, columns.name, columns.state, columns.from_us, columns.to_us, columns.reason, columns.interval_us
    ).where(
        columns.superseded_by.is_(None),
        columns.from_us < to_us,
        columns.from_us > from_us - _LONGEST_US,
        columns.to_us > from_us,
    )
    if elements is None:
        ordered = query.order_by(columns.kind, columns.name, columns.from_us)
        yield from connection.execute(ordered.execution_options(yield_per=_AT_ONCE))
        return
    for kind, name in sorted(set(elements)):  # one after another: the index has each in order
        mine = query.where(columns.kind == kind, columns.name == name).order_by(columns.from_us)
        yield from connection.execute(mine)


_COLUMNS = ("kind", "name", "state", "from_us", "to_us", "reason", "interval_us", "written_us")
_AT_ONCE = 5_000  # ids in one statement: both databases take more


def last_of(connection: Connection, services: Collection[str]) -> int:
    """When the newest row of the service begins, which every hour that was folded has; 0 where there is none."""
    query = select(func.max(ledger.c.from_us)).where(ledger.c.kind == "service", ledger.c.name.in_(sorted(services)))
    return int(connection.execute(query).scalar() or 0)


def append(connection: Connection, rows: Sequence[LedgerRow], written_us: int) -> int | None:
    """Adds rows; the id of the last one."""
    if not rows:
        return None
    insert_rows(
        connection, "ledger", _COLUMNS, [(*row.content[:6], row.interval_us or None, written_us) for row in rows]
    )
    return last(connection)


def last(connection: Connection) -> int:
    """The id of the last row; 0 of an empty ledger."""
    return int(connection.execute(select(func.max(ledger.c.id))).scalar() or 0)


def supersede(connection: Connection, old: Sequence[int], by: int) -> None:
    """Marks rows as no longer in force; they stay for ever."""
    for first in range(0, len(old), _AT_ONCE):
        some = old[first : first + _AT_ONCE]
        connection.execute(update(ledger).where(ledger.c.id.in_(some)).values(superseded_by=by))


def count_topologies(connection: Connection) -> int:
    """How many topologies were ever accepted; they are only added to."""
    return int(connection.execute(select(func.count()).select_from(topologies)).scalar() or 0)


def in_force(connection: Connection) -> list[TopologyInForce]:
    """Every accepted topology in order of its from-time."""
    rows = connection.execute(select(topologies).order_by(topologies.c.from_us, topologies.c.id))
    decode = msgspec.json.decode
    return [TopologyInForce(row.from_us, topology_from_json(decode(row.topology)), row.beside) for row in rows]


class Announced(NamedTuple):
    """A maintenance window with what its row says besides."""

    number: int
    window: MaintenanceWindow
    received: bool  # nobody who was to be told still has to get the notice
    cancelled_us: int | None
    who: str


def windows(connection: Connection) -> list[MaintenanceWindow]:
    """Maintenance as it was announced; work that was called off ends when it was."""
    return [one.window for one in announced(connection)]


def announced(connection: Connection) -> list[Announced]:
    """The same windows with their numbers.

    Where the customers were told by mail, the notice was given when the last of them had it by its receipt; one that
    did not reach all of them was none, until somebody says when they were told otherwise.
    """
    found = []
    notices = _notices(connection)
    for row in connection.execute(select(maintenance).order_by(maintenance.c.id)):
        to_us = row.to_us if row.cancelled_us is None else min(row.to_us, row.cancelled_us)
        announced_us, received = row.announced_us, True
        if row.id in notices and announced_us == row.recorded_us:
            received_us = notices[row.id]
            announced_us, received = (row.from_us + 1, False) if received_us is None else (received_us, True)
        if to_us > row.from_us:
            window = MaintenanceWindow(
                scope_kind=row.scope_kind,
                scope_name=row.scope_name,
                from_us=row.from_us,
                to_us=to_us,
                announced_us=announced_us,
                critical_fix=bool(row.critical_fix),
            )
            found.append(Announced(row.id, window, received, row.cancelled_us, row.who))
    return found


def _notices(connection: Connection) -> dict[int, int | None]:
    """When the last customer of each announced window had its notice; None while one of them has not."""
    said = incident_messages
    query = (
        select(said.c.maintenance, said.c.customer, func.min(outbox.c.handed_us).label("handed_us"))
        .select_from(said.outerjoin(outbox, outbox.c.key == said.c.outbox_key))
        .where(said.c.maintenance.is_not(None))
        .group_by(said.c.maintenance, said.c.customer)
    )
    found: dict[int, int | None] = {}
    for row in connection.execute(query):
        known = found.get(row.maintenance, 0)
        found[row.maintenance] = None if known is None or row.handed_us is None else max(known, row.handed_us)
    return found
