"""How each probe stands with the store: what came of it, what never will, what it said of itself last."""

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, func, select, text

from sereno.errors import WireError
from sereno.ranges import Range
from sereno.store.results import load_cursors
from sereno.store.tables import probe_events, probe_statuses, quarantine, results
from sereno.wire import Status, decode, encode

_SAVE = text(
    "INSERT INTO probe_statuses (probe, at_us, body) VALUES (:probe, :at_us, :body) "
    "ON CONFLICT (probe) DO UPDATE SET at_us = excluded.at_us, body = excluded.body"
)

_NAMES = text(
    """
    WITH RECURSIVE names (probe) AS (
        SELECT min(probe) FROM probe_events
        UNION ALL
        SELECT (SELECT min(next.probe) FROM probe_events AS next WHERE next.probe > names.probe)
        FROM names WHERE names.probe IS NOT NULL
    )
    SELECT probe FROM names WHERE probe IS NOT NULL
    """
)


class Refusals(msgspec.Struct, frozen=True, kw_only=True):
    """What of a probe was kept aside, and the last of it."""

    count: int
    last_us: int
    last_why: str


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One probe. `holes` are seqs that its spool holds no more and that never came, by boot."""

    probe: str
    boots: int = 0
    committed: int = 0
    missing: int = 0
    waited_for: int = 0  # seqs between committed ones that its spool may still hold
    holes: tuple[tuple[str, Range], ...] = ()
    refused: Refusals | None = None
    status: Status | None = None
    status_us: int | None = None
    last_at_us: int | None = None  # of the newest result of its current boot: when it was sent, when it came
    last_arrived_us: int | None = None


def save_status(connection: Connection, status: Status, now_us: int) -> None:
    """Keeps the newest status of a probe."""
    connection.execute(_SAVE, {"probe": status.probe, "at_us": now_us, "body": encode(status).decode()})


def last_words(connection: Connection, before_us: int | None = None) -> list[Row[Any]]:
    """The last event of each probe (that was before an instant), by what the index on (probe, at) says."""
    columns = probe_events.c
    found: list[Row[Any]] = []
    for (probe,) in connection.execute(_NAMES).all():
        query = select(probe_events).where(columns.probe == probe)
        if before_us is not None:
            query = query.where(columns.at_us < before_us)
        found += connection.execute(query.order_by(columns.at_us.desc(), columns.id.desc()).limit(1)).all()
    return found


def words_since(connection: Connection, from_us: int) -> list[Row[Any]]:
    """What probes said since an instant, and the last word of each before it, in the order said."""
    columns = probe_events.c
    found = last_words(connection, from_us)
    for (probe,) in connection.execute(_NAMES).all():
        found += connection.execute(select(probe_events).where(columns.probe == probe, columns.at_us >= from_us)).all()
    return sorted(found, key=lambda row: (row.at_us, row.id))


def standings(connection: Connection, named: Iterable[str], most_holes: int) -> list[Standing]:
    """Every probe that is named, that reported, or that was refused; at most so many holes of each are listed."""
    found: dict[str, dict[str, object]] = {name: {} for name in named}
    for (probe, boot), cursor in sorted(load_cursors(connection).items()):
        one = found.setdefault(probe, {})
        _add(one, "boots", 1)
        _add(one, "committed", cursor.ranges.count())
        gone = cursor.ranges.missing(1, cursor.oldest - 1) if cursor.oldest > 1 else []
        _add(one, "missing", sum(last - first + 1 for first, last in gone))
        last = cursor.ranges.last
        if last is not None and last >= cursor.oldest:
            between = cursor.ranges.missing(cursor.oldest, last)
            _add(one, "waited_for", sum(to - first + 1 for first, to in between))
        holes = one.setdefault("holes", [])
        if isinstance(holes, list) and len(holes) < most_holes:
            holes += [(boot, hole) for hole in gone[: most_holes - len(holes)]]
    for probe, refusals in _refused(connection).items():
        found.setdefault(probe, {})["refused"] = refusals
    for row in connection.execute(select(probe_statuses)):
        one = found.setdefault(row.probe, {})
        one["status_us"] = int(row.at_us)
        try:
            status = one["status"] = decode(row.body.encode(), Status)
        except WireError:  # of a newer version, before a step back
            continue
        one |= _newest(connection, status)
    return [_standing(probe, values) for probe, values in sorted(found.items())]


def newest_results(connection: Connection) -> dict[str, int]:
    """When the newest result of each probe's current boot was sent, by what the probes said of themselves."""
    found = {}
    for (body,) in connection.execute(select(probe_statuses.c.body)).all():
        try:
            status = decode(body.encode(), Status)
        except WireError:
            continue
        at_us = _newest(connection, status).get("last_at_us")
        if isinstance(at_us, int):
            found[status.probe] = at_us
    return found


def _standing(probe: str, values: dict[str, object]) -> Standing:
    holes = values.pop("holes", None)
    listed = tuple(holes) if isinstance(holes, list) else ()
    return Standing(probe=probe, holes=listed, **values)  # type: ignore[arg-type]  # put together above


def _add(one: dict[str, object], name: str, amount: int) -> None:
    before = one.get(name, 0)
    one[name] = amount + (before if isinstance(before, int) else 0)


def _refused(connection: Connection) -> dict[str, Refusals]:
    columns = quarantine.c
    counted = select(columns.probe, func.count(), func.max(columns.id)).group_by(columns.probe)
    counts = {int(last): (str(probe), int(count)) for probe, count, last in connection.execute(counted)}
    rows = connection.execute(select(columns.id, columns.arrived_us, columns.why).where(columns.id.in_(counts)))
    return {
        counts[row.id][0]: Refusals(count=counts[row.id][1], last_us=int(row.arrived_us), last_why=str(row.why))
        for row in rows
    }


def _newest(connection: Connection, status: Status) -> dict[str, object]:
    """The newest result of the boot that a probe is in: one step in the primary key."""
    if status.boot is None:
        return {}
    columns = results.c
    row = connection.execute(
        select(columns.at_us, columns.arrived_us)
        .where(columns.probe == status.probe, columns.boot == status.boot)
        .order_by(columns.seq.desc())
        .limit(1)
    ).first()
    return {"last_at_us": int(row.at_us), "last_arrived_us": int(row.arrived_us)} if row is not None else {}
