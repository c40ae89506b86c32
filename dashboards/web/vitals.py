"""The monitor about itself: what it can say of its own parts, and what it cannot. Reads; judges by plain rules."""

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select, text

from dashboards.web import queries
from dashboards.web.records import CollectorLine
from dashboards.web.words import Words
from sereno.clock import SECOND_US
from sereno.store import Store
from sereno.store.collectors import Presence, presences
from sereno.store.queries.outbox import Message, Way, messages, ways
from sereno.store.queries.probes import Standing, standings
from sereno.store.queries.seals import DAY_US, Seal, last_seal
from sereno.store.tables import leaderships, ledger, topologies

COMMIT_US = 10 * SECOND_US  # probes send every second; nothing committed for so long is odd
OLD_US = 60 * SECOND_US
SKEW_SECONDS = 0.5  # beyond that a probe's results do not count (docs/verdicts.md §3)
SPOOLED = 600  # results that wait at a probe: some minutes' worth
ROOM, LITTLE_ROOM = 0.10, 0.05  # of the disk
SEAL_US = 50 * 3_600 * SECOND_US  # a day is sealed a day after it ended
HOUR_US = 3_600 * SECOND_US
MOST_HOLES = 3
MOST_MESSAGES = 6
GRAVITY = {"down": 0, "degraded": 1, "unknown": 2, "up": 3}


@dataclass(frozen=True)
class Leadership:
    epoch: int
    holder: str
    from_us: int


@dataclass(frozen=True)
class Vitals:
    """Everything that was read at one instant."""

    at_us: int
    collectors: tuple[CollectorLine, ...]
    presences: dict[str, Presence]
    leaderships: tuple[Leadership, ...]
    renewed_us: int | None
    probes: tuple[Standing, ...]
    ways: tuple[Way, ...]
    failed: tuple[Message, ...]
    waiting: tuple[Message, ...]
    seal: Seal | None
    written_us: int | None
    heartbeat: dict[str, Any] | None
    topology_hash: str | None
    topology_us: int | None
    desk_hash: str | None
    where: str
    size: int | None
    free: float | None
    schema: str | None
    known: frozenset[str] = field(default=frozenset())  # probes of the topology


@dataclass(frozen=True)
class Sign:
    """One line of the page: how a part is, in words."""

    name: str
    state: str
    said: str


def read(store: Store, known: frozenset[str], now_us: int) -> Vitals:
    """One snapshot, and a look at the disk."""
    with store.read() as connection:
        newest = connection.execute(select(topologies).order_by(topologies.c.id.desc()).limit(1)).first()
        held = queries.lease_of(connection)
        rows = connection.execute(select(leaderships).order_by(leaderships.c.epoch.desc()).limit(4)).all()
        found = messages(connection, states=["failed", "expired"], limit=MOST_MESSAGES)
        return Vitals(
            at_us=now_us,
            collectors=tuple(queries.collectors(connection, now_us)),
            presences={each.name: each for each in presences(connection)},
            leaderships=tuple(Leadership(int(row.epoch), str(row.holder), int(row.from_us)) for row in rows),
            renewed_us=None if held is None else held.renewed_us,
            probes=tuple(standings(connection, known, MOST_HOLES)),
            ways=tuple(ways(connection, [])),
            failed=tuple(reversed(found)),
            waiting=tuple(messages(connection, states=["pending"], limit=MOST_MESSAGES)),
            seal=last_seal(connection),
            written_us=connection.execute(select(func.max(ledger.c.to_us)).where(ledger.c.kind == "service")).scalar(),
            heartbeat=queries.heartbeat(connection),
            topology_hash=None if newest is None else str(newest.hash),
            topology_us=None if newest is None else int(newest.from_us),
            desk_hash=None if newest is None or not newest.desk else hashlib.sha256(newest.desk.encode()).hexdigest(),
            where=store.where,
            size=_size(store, connection),
            free=_free(store),
            schema=connection.execute(text("SELECT version_num FROM alembic_version")).scalar(),
            known=known,
        )


def _size(store: Store, connection: Connection) -> int | None:
    """Octets of the store on its disk; None where nobody can say."""
    if not store.is_sqlite:
        return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar() or 0)
    file = Path(store.engine.url.database or "")
    try:
        return sum(part.stat().st_size for part in (file, Path(f"{file}-wal")) if part.exists())
    except OSError:
        return None


def _free(store: Store) -> float | None:
    """What of the store's disk may still be filled; a database server's disk is not ours to see."""
    if not store.is_sqlite:
        return None
    try:
        found = os.statvfs(Path(store.engine.url.database or ".").parent)
    except OSError:
        return None
    return found.f_bavail / found.f_blocks if found.f_blocks else None


# -- judging -----------------------------------------------------------------------------------------------------------


def signs(words: Words, vitals: Vitals) -> list[Sign]:
    """Every part, worst first."""
    found = [
        _collector(words, vitals), _standby(words, vitals), _commits(words, vitals), _probes(words, vitals),
        _messages(words, vitals), _beating(words, vitals), _store(words, vitals), _ledger(words, vitals),
        _topology(words, vitals),
    ]  # fmt: skip
    return sorted(found, key=lambda sign: GRAVITY[sign.state])


def whole(found: list[Sign]) -> str:
    """The state of the monitor."""
    return found[0].state


def _collector(words: Words, vitals: Vitals) -> Sign:
    name = words.text("Collector")
    leader = next((each for each in vitals.collectors if each.role == "leader"), None)
    if leader is None:
        since = words.moment(vitals.renewed_us)
        return Sign(
            name, "down", words.text("nobody watches; the last sign of a collector is of {moment}", moment=since)
        )
    said = words.text("{host} leads, epoch {epoch}", host=leader.host, epoch=leader.epoch)
    if leader.broker is False:
        return Sign(name, "down", f"{said}; {words.text('does not reach the broker')}")
    if leader.broker is None:
        return Sign(name, "unknown", f"{said}; {words.text('it has not said whether it reaches the broker')}")
    return Sign(name, "up", f"{said}; {words.text('reaches the broker')}")


def _standby(words: Words, vitals: Vitals) -> Sign:
    name = words.text("Standby")
    standby = [each for each in vitals.collectors if each.role == "standby"]
    if standby:
        bad = [each for each in standby if each.broker is False]
        said = words.text("{names} ready to take over", names=words.names(each.host for each in standby))
        if bad:
            return Sign(name, "degraded", f"{said}; {words.text('does not reach the broker')}")
        return Sign(name, "up", said)
    several = {one.holder.partition("~")[0].partition("/")[0] for one in vitals.leaderships}
    if len(several) > 1:
        return Sign(name, "degraded", words.text("there was another collector, and there is none now"))
    return Sign(name, "up", words.text("none: one collector alone, as it was set up"))


def _commits(words: Words, vitals: Vitals) -> Sign:
    name = words.text("Results")
    newest = max((one.last_arrived_us for one in vitals.probes if one.last_arrived_us is not None), default=None)
    if newest is None:
        return Sign(name, "unknown", words.text("no result was ever committed"))
    age_us = vitals.at_us - newest
    said = words.text("the newest came {span} ago", span=words.span(age_us))
    state = "up" if age_us <= COMMIT_US else ("degraded" if age_us <= OLD_US else "down")
    return Sign(name, state, said)


def _probes(words: Words, vitals: Vitals) -> Sign:
    name = words.text("Probes")
    mine = [one for one in vitals.probes if one.probe in vitals.known]
    if not mine:
        return Sign(name, "unknown", words.text("the topology names none"))
    bad = [one.probe for one in mine if probe_state(one, vitals.at_us) in ("down", "unknown")]
    odd = [one.probe for one in mine if probe_state(one, vitals.at_us) == "degraded"]
    if bad:
        state = "down" if len(bad) == len(mine) else "degraded"
        return Sign(name, state, words.text("nothing comes from {names}", names=words.some(bad)))
    if odd:
        return Sign(name, "degraded", words.text("something is wrong with {names}", names=words.some(odd)))
    return Sign(name, "up", words.text("{count}, all well", count=len(mine)))


def probe_state(one: Standing, now_us: int) -> str:
    """How a probe is, by what came of it and what it said of itself last."""
    if one.status is None and one.last_arrived_us is None:
        return "unknown"
    if one.status is not None and one.status.state == "offline":
        return "down"
    if one.last_arrived_us is None or now_us - one.last_arrived_us > OLD_US:
        return "down"
    status = one.status
    if status is None:
        return "up"
    skewed = abs(status.clock_offset_seconds or 0.0) > SKEW_SECONDS
    return "degraded" if skewed or (status.spooled or 0) > SPOOLED or status.dropped or status.unsaved else "up"


def _messages(words: Words, vitals: Vitals) -> Sign:
    name = words.text("Notifications")
    failing = [way.channel for way in vitals.ways if way.failing]
    waiting = sum(way.pending for way in vitals.ways)
    oldest = min((way.oldest_us for way in vitals.ways if way.oldest_us is not None), default=None)
    if failing:
        return Sign(name, "down", words.text("{names} does not take messages", names=words.names(failing)))
    if oldest is not None and vitals.at_us - oldest > OLD_US:
        said = words.text("{count} wait, the oldest for {span}", count=waiting, span=words.span(vitals.at_us - oldest))
        return Sign(name, "degraded", said)
    recent = [one for one in vitals.failed if vitals.at_us - one.created_us < DAY_US]
    if recent:
        return Sign(name, "degraded", words.text("{count} of the last day did not get through", count=len(recent)))
    if not vitals.ways:
        return Sign(name, "unknown", words.text("no message was ever sent: whether they would arrive is not known"))
    return Sign(name, "up", words.text("{count} wait, none is late", count=waiting))


def _beating(words: Words, vitals: Vitals) -> Sign:
    name = words.text("Heartbeat")
    if vitals.heartbeat is None:
        return Sign(name, "unknown", words.text("none is set up: nobody outside would notice if the monitor died"))
    if vitals.heartbeat["goes_out"]:
        return Sign(name, "up", words.text("goes out"))
    why = vitals.heartbeat["why_not"] or words.text("for no reason that it told")
    return Sign(name, "down", words.text("held back: {why}", why=why))


def _store(words: Words, vitals: Vitals) -> Sign:
    name = words.text("Store")
    size = words.text("size not known") if vitals.size is None else f"{words.number(vitals.size / 1e9, 2)} GB"
    if vitals.free is None:
        return Sign(name, "unknown", f"{size}; {words.text('the room on its disk is not seen from here')}")
    said = f"{size}; {words.text('{percent} of its disk free', percent=words.percent(vitals.free, 0))}"
    state = "up" if vitals.free > ROOM else ("degraded" if vitals.free > LITTLE_ROOM else "down")
    return Sign(name, state, said)


def _ledger(words: Words, vitals: Vitals) -> Sign:
    name = words.text("Availability ledger")
    if vitals.written_us is None:
        return Sign(name, "unknown", words.text("nothing is written yet"))
    said = words.text("written until {moment}", moment=words.moment(vitals.written_us, seconds=False))
    if vitals.seal is None:
        sealed = words.text("no day is sealed yet")
    else:
        sealed = words.text("sealed until {moment}", moment=words.moment(vitals.seal.day_us + DAY_US, seconds=False))
    late = vitals.at_us - vitals.written_us > 3 * HOUR_US
    behind = vitals.seal is not None and vitals.at_us - vitals.seal.day_us - DAY_US > SEAL_US
    return Sign(name, "degraded" if late or behind else "up", f"{said}; {sealed}")


def _topology(words: Words, vitals: Vitals) -> Sign:
    name = words.text("Topology")
    if vitals.topology_hash is None:
        return Sign(name, "down", words.text("none was accepted yet"))
    said = words.text(
        "{hash} in force since {moment}", hash=vitals.topology_hash[:12], moment=words.moment(vitals.topology_us)
    )
    other = [
        one.probe for one in vitals.probes
        if one.probe in vitals.known and one.status is not None and one.status.state == "online"
        and one.status.topology_hash not in (None, vitals.topology_hash)
    ]  # fmt: skip
    if other:
        return Sign(name, "degraded", f"{said}; {words.text('{names} works by another one', names=words.some(other))}")
    return Sign(name, "up", said)


__all__ = ["Sign", "Vitals", "probe_state", "read", "signs", "whole"]
