"""What late results changed of the past: the notes, and the results that came late."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, and_, func, insert, or_, select

from sereno.clock import iso
from sereno.store.queries.ledger import element_in
from sereno.store.queries.results import JUDGED
from sereno.store.tables import ledger_revisions, results


class Revision(NamedTuple):
    """What the ledger said of an element in [from, to), and what it says since `noted_us`."""

    noted_us: int
    kind: str
    name: str
    from_us: int
    to_us: int
    was: str
    became: str
    note: str


class LateResults(NamedTuple):
    """Results of one probe that arrived after the ledger had spoken of their time."""

    probe: str
    results: int
    first_us: int
    last_us: int
    first_arrived_us: int
    last_arrived_us: int


def revision_json(one: Revision) -> dict[str, str]:
    """A note as people and scripts read it."""
    return {
        "at": iso(one.noted_us),
        "kind": one.kind,
        "name": one.name,
        "from": iso(one.from_us),
        "to": iso(one.to_us),
        "was": one.was,
        "became": one.became,
        "note": one.note,
    }


def append_revisions(connection: Connection, found: Sequence[Revision]) -> None:
    """Adds notes; they are never changed."""
    if found:
        connection.execute(insert(ledger_revisions), [one._asdict() for one in found])


def revisions(
    connection: Connection, from_us: int, to_us: int, elements: Iterable[tuple[str, str]] | None = None
) -> list[Revision]:
    """Notes about [from, to) in the order they were made; of these elements, or of all."""
    columns = ledger_revisions.c
    query = select(ledger_revisions).where(columns.from_us < to_us, columns.to_us > from_us).order_by(columns.id)
    if elements is not None:
        query = query.where(element_in(columns, elements))
    return [
        Revision(row.noted_us, row.kind, row.name, row.from_us, row.to_us, row.was, row.became, row.note)
        for row in connection.execute(query)
    ]


def notes_since(connection: Connection, from_us: int, to_us: int, noted_us: int) -> list[str]:
    """The different notes about [from, to) made at `noted_us` or later."""
    columns = ledger_revisions.c
    query = (
        select(columns.note)
        .where(columns.noted_us >= noted_us, columns.from_us < to_us, columns.to_us > from_us)
        .order_by(columns.id)
    )
    return list(dict.fromkeys(connection.execute(query).scalars()))


def late_results(connection: Connection, from_us: int, to_us: int, arrived_us: int) -> list[LateResults]:
    """Results sent in [from, to) that arrived at `arrived_us` or later, by probe."""
    columns = results.c
    query = (
        select(
            columns.probe,
            func.count(),
            func.min(columns.at_us),
            func.max(columns.at_us),
            func.min(columns.arrived_us),
            func.max(columns.arrived_us),
        )
        .where(
            columns.at_us >= from_us,
            columns.at_us < to_us,
            columns.arrived_us >= arrived_us,
            columns.check.in_(JUDGED),
        )
        .group_by(columns.probe)
        .order_by(columns.probe)
    )
    return [LateResults(row[0], *(int(value) for value in row[1:])) for row in connection.execute(query)]


def first_arrival(connection: Connection, from_us: int, to_us: int) -> int | None:
    """When the first result sent in [from, to) arrived."""
    query = select(func.min(results.c.arrived_us)).where(results.c.at_us >= from_us, results.c.at_us < to_us)
    found = connection.execute(query).scalar()
    return None if found is None else int(found)


def came_late(connection: Connection, from_us: int, to_us: int, late_us: Mapping[str, int]) -> bool:
    """Whether any result sent in [from, to) took longer to arrive than its check may (`late_us`) to be heard live."""
    columns = results.c
    slow = or_(
        *(and_(columns.check == check, columns.arrived_us - columns.at_us > limit) for check, limit in late_us.items())
    )
    own = or_(columns.reason.is_(None), columns.reason != "late")  # a late reply tells of the platform, not of a spool
    query = select(columns.at_us).where(columns.at_us >= from_us, columns.at_us < to_us, slow, own).limit(1)
    return connection.execute(query).scalar() is not None
