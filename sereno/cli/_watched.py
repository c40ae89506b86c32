"""What a collector is told to watch: the operator's files, else what was accepted last; kept in the store."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sereno.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from sereno.alarms import Alarms
    from sereno.contract import Contract
    from sereno.desk import Desk
    from sereno.incident.change import ChangeWord
    from sereno.store import Store
    from sereno.topology import Topology

log = logging.getLogger("sereno.collector")


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator's files say, validated as a whole."""

    topology: "Topology"
    desk: "Desk | None"
    contracts: "Mapping[str, Contract]"
    alarms: "Alarms"
    beside: Path | None
    refused: bool = False  # the files are invalid: this is what was accepted last


def load(topology: Path, desk: Path | None) -> Watched:
    """Both files, the contracts they name and the alarms beside them; ConfigError says what is wrong."""
    from sereno.alarms import load_alarms
    from sereno.contract import load_contract
    from sereno.desk import load_desk
    from sereno.desk.validate_inbound import refuse_strangers
    from sereno.desk.validate_reports import refuse_strangers as refuse_unknown_reports
    from sereno.topology import load_topology

    found = load_topology(topology)
    told = load_desk(desk) if desk is not None else None
    if told is not None and desk is not None:
        refuse_strangers(desk, told, found)
        refuse_unknown_reports(desk, told, found)
    names = {customer.contract for customer in found.customers.values()} | ({told.contract} if told else set())
    contracts = {name: load_contract(name, beside=topology.parent) for name in sorted(names)}
    alarms = load_alarms(topology.parent)
    return Watched(topology=found, desk=told, contracts=contracts, alarms=alarms, beside=topology.parent)


def watched(store: "Store", topology: Path | None, desk: Path | None) -> Watched:
    """The files; when they have become invalid since, what was accepted last: a restart must not stop the watch."""
    from sereno.notify import tell

    if topology is None:
        last = stored(store)
        if last is None:
            raise UsageError("nothing says what to watch: give --topology FILE")
        return last
    try:
        return load(topology, desk)
    except ConfigError as error:
        last = stored(store)
        if last is None:
            raise
        log.error("%s; the last valid one stays in use", error)  # noqa: TRY400  # a person's mistake, no trace
        tell("fault", f"{error}; the last valid one stays in use")
        return msgspec.structs.replace(last, refused=True)


def stored(store: "Store") -> Watched | None:
    """What was accepted last."""
    from sqlalchemy import select

    from sereno.contract import load_contract
    from sereno.desk import Desk
    from sereno.store.tables import topologies
    from sereno.topology import topology_from_json

    with store.read() as connection:
        row = connection.execute(select(topologies).order_by(topologies.c.id.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    found = topology_from_json(msgspec.json.decode(row.topology))
    told = Desk.model_validate_json(row.desk) if row.desk else None
    names = {customer.contract for customer in found.customers.values()} | ({told.contract} if told else set())
    beside = Path(row.beside) if row.beside else None
    contracts = {name: load_contract(name, beside=beside) for name in sorted(names)}
    return Watched(topology=found, desk=told, contracts=contracts, alarms=_alarms(beside), beside=beside)


def _alarms(beside: Path | None) -> "Alarms":
    """Those beside the files; where they have become invalid the shipped ones: the watch must not stop for them."""
    from sereno.alarms import load_alarms
    from sereno.notify import tell

    try:
        return load_alarms(beside)
    except ConfigError as error:
        log.error("%s; the shipped alarms are in use", error)  # noqa: TRY400  # a person's mistake, no trace
        tell("fault", f"{error}; the shipped alarms are in use")
        return load_alarms()


def record(store: "Store", watched: Watched, now_us: int, epoch: int = 1) -> None:
    """Stores an accepted topology with its from-time, once; and says what is not as it was."""
    from sqlalchemy import insert, select

    from sereno.store.tables import topologies
    from sereno.topology import canonical_json, topology_hash

    desk = watched.desk.model_dump_json(by_alias=True) if watched.desk is not None else None
    digest = topology_hash(watched.topology)
    with store.write() as connection:
        last = connection.execute(select(topologies).order_by(topologies.c.id.desc()).limit(1)).one_or_none()
        _say_changes(connection, watched, {"topology": digest, "desk": _digest(desk)}, now_us, epoch)
        if last is not None and (last.hash, last.desk) == (digest, desk):
            return
        row = {
            "from_us": now_us,
            "hash": digest,
            "topology": canonical_json(watched.topology),
            "desk": desk,
            "beside": str(watched.beside) if watched.beside is not None else None,
        }
        connection.execute(insert(topologies).values(**row))


def _digest(text: str | None) -> str:
    import hashlib

    return hashlib.sha256((text or "").encode()).hexdigest()


def _say_changes(
    connection: "Connection", watched: Watched, digests: "dict[ChangeWord, str]", now_us: int, epoch: int
) -> None:
    """Other files, or another writer: what fails next may have to do with it."""
    from alerting import changes, own

    service = watched.topology.service
    digests["alarms"] = _digest(watched.alarms.model_dump_json(by_alias=True))
    for word, digest in digests.items():
        before = own.last(connection, "monitor", service, f"{word}_in_use")
        own.say(connection, changes.in_use(service, word, digest, before, now_us))
    if epoch > 1 and not _goes_on(connection, epoch):
        own.say(connection, changes.taken_over(service, epoch, now_us))


def _goes_on(connection: "Connection", epoch: int) -> bool:
    """The same process led before: it only took its files up anew."""
    from sqlalchemy import select

    from sereno.store.tables import leaderships

    last = select(leaderships.c.holder).where(leaderships.c.epoch <= epoch).order_by(leaderships.c.epoch.desc())
    holders = connection.execute(last.limit(2)).scalars().all()
    return len(holders) == 2 and holders[0] == holders[1]  # noqa: PLR2004  # the one before and we
