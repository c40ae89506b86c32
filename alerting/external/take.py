"""The desk's orders `external.alerts` and `external.expire`: alerts kept once, and what they change said.

A row per (fingerprint, startsAt, status). What fires is heard again and again: its row remembers the last time.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, delete, exists, insert, not_, select, tuple_, update

from alerting.external.read import WHAT, Heard, Reading, change_of, is_echo_of, named
from sereno.alertmanager import Told
from sereno.clock import SECOND_US
from sereno.incident import Element
from sereno.store.changes import insert_changes
from sereno.store.tables import external_alerts, verdict_changes
from sereno.verdict import VERDICT

KEPT_US = 30 * 86_400 * SECOND_US
_CHUNK = 300
_ROWS = external_alerts.c
_Row = tuple[str, int, str]  # fingerprint, startsAt, status


def take_alerts(
    connection: Connection, reading: Reading, source: str, alerts: Sequence[Told], now_us: int
) -> tuple[int, int]:
    """(new, known) of these alerts; what they change is said in this transaction."""
    known = _known(connection, source, alerts)
    fresh: dict[_Row, Told] = {}
    heard: set[_Row] = set()
    for one in alerts:
        row = (one.fingerprint, one.starts_us, one.status)
        if row in known:
            heard.add(row)
        else:
            fresh.setdefault(row, one)
    _hear(connection, source, heard, now_us)
    names = {row: named(one, reading.element(one.labels)) for row, one in fresh.items()}
    if fresh:
        connection.execute(
            insert(external_alerts),
            [
                {
                    "source": source, "fingerprint": row[0], "starts_us": row[1], "status": row[2],
                    "received_us": now_us, "name": names[row], "body": msgspec.json.encode(one).decode(),
                }
                for row, one in fresh.items()
            ],
        )  # fmt: skip
    _say(connection, reading, dict.fromkeys(names.values()), now_us)
    connection.execute(delete(external_alerts).where(_ROWS.received_us < now_us - KEPT_US))
    return len(fresh), len(heard)


def expire_alerts(connection: Connection, reading: Reading, before_us: int, now_us: int) -> int:
    """Alerts that were not repeated since: a silenced one never says that it resolved. How many."""
    gone = [
        (row.source, msgspec.structs.replace(_told(row.body), status="resolved", ends_us=now_us), row.name)
        for row in connection.execute(unrepeated(before_us))
    ]
    for source, told, name in gone:
        connection.execute(
            insert(external_alerts).values(
                source=source, fingerprint=told.fingerprint, starts_us=told.starts_us, status="resolved",
                received_us=now_us, name=name, body=msgspec.json.encode(told).decode(),
            )
        )  # fmt: skip
    _say(connection, reading, dict.fromkeys(name for _, _, name in gone), now_us)
    return len(gone)


def unrepeated(before_us: int) -> Select[Any]:
    """What fires, as far as is known, and was not heard since."""
    over = external_alerts.alias()
    resolved = select(over.c.id).where(
        over.c.source == _ROWS.source, over.c.fingerprint == _ROWS.fingerprint, over.c.starts_us == _ROWS.starts_us,
        over.c.status == "resolved",
    )  # fmt: skip
    return select(external_alerts).where(
        _ROWS.status == "firing", _ROWS.received_us < before_us, not_(exists(resolved))
    )


def _known(connection: Connection, source: str, alerts: Sequence[Told]) -> set[_Row]:
    found: set[_Row] = set()
    for first in range(0, len(alerts), _CHUNK):
        wanted = [(one.fingerprint, one.starts_us, one.status) for one in alerts[first : first + _CHUNK]]
        rows = connection.execute(
            select(_ROWS.fingerprint, _ROWS.starts_us, _ROWS.status).where(
                _ROWS.source == source, tuple_(_ROWS.fingerprint, _ROWS.starts_us, _ROWS.status).in_(wanted)
            )
        )
        found |= {(row.fingerprint, int(row.starts_us), row.status) for row in rows}
    return found


def _hear(connection: Connection, source: str, rows: Iterable[_Row], now_us: int) -> None:
    every = list(rows)
    for first in range(0, len(every), _CHUNK):
        wanted = tuple_(_ROWS.fingerprint, _ROWS.starts_us, _ROWS.status).in_(every[first : first + _CHUNK])
        connection.execute(update(external_alerts).where(_ROWS.source == source, wanted).values(received_us=now_us))


def _say(connection: Connection, reading: Reading, names: Iterable[str], now_us: int) -> None:
    """The causes of these names as they are now, where that differs from what was said last."""
    wanted = list(names)
    last = _last_said(connection, wanted)
    known = partial(_is_known, connection)
    changes = []
    for name in wanted:
        heard = _current(connection, name)
        if not heard:
            continue
        change = change_of(
            name, heard, reading, now_us, echo=all(is_echo_of(reading, one.told, known) for one in heard)
        )
        before = last.get(name)
        if before is None and change.state == "false":
            continue  # it was over before anybody here heard of it
        if before is None or (before[0], before[1]) != (change.state, msgspec.json.encode(change.facts)):
            changes.append(change)
    insert_changes(connection, changes)


def _current(connection: Connection, name: str) -> list[Heard]:
    """The last word on each alert of a cause: of several starts the latest, and there what resolved is over."""
    rows = connection.execute(select(external_alerts).where(_ROWS.name == name).order_by(_ROWS.id))
    last: dict[tuple[str, str], tuple[int, bool, Told]] = {}
    for row in rows:
        who, told = (row.source, row.fingerprint), _told(row.body)
        place = (int(row.starts_us), row.status == "resolved")
        if who not in last or place >= last[who][:2]:
            last[who] = (*place, told)
    return [Heard(told=told, status=told.status, since_us=told.since_us) for _, _, told in last.values()]


def _told(body: str) -> Told:
    return msgspec.json.decode(body, type=Told)


def _last_said(connection: Connection, names: Sequence[str]) -> Mapping[str, tuple[str, bytes]]:
    rows = verdict_changes.c
    found: dict[str, tuple[str, bytes]] = {}
    for first in range(0, len(names), _CHUNK):
        said = select(rows.name, rows.state, rows.facts).where(
            rows.kind == "external", rows.what == WHAT, rows.name.in_(names[first : first + _CHUNK])
        )
        for row in connection.execute(said.order_by(rows.id)):
            found[row.name] = (row.state, row.facts.encode())
    return found


def _is_known(connection: Connection, element: Element) -> bool:
    """By its verdict; what has none, by anything that was ever found of it."""
    rows = verdict_changes.c
    mine = select(rows.state).where(rows.kind == element.kind, rows.name == element.name)
    verdict = connection.execute(mine.where(rows.what == VERDICT).order_by(rows.id.desc()).limit(1)).scalar()
    if verdict is not None:
        return bool(verdict != "unknown")
    return connection.execute(mine.limit(1)).first() is not None


__all__ = ["expire_alerts", "take_alerts", "unrepeated"]
