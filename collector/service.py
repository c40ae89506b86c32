"""The collector: one transaction per gathering of messages (results, cursors, changes), then commit, then acks.

Crash-only: what memory holds is rebuilt from the store, so any failure to commit ends the process, and a new one
takes over with a new epoch, on which every probe sends again whatever was not acknowledged.
"""

import asyncio
import gc
import logging
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from msgspec.structs import replace
from sqlalchemy import Connection, insert

from collector.clerk import Clerk
from collector.history.keeper import Keeper
from collector.ingest import Ingest, Taken
from collector.judge import Judge
from collector.link import Incoming, Link
from collector.own_health import OwnHealth
from collector.thresholds.hours import HOUR_US, KEPT_US
from sereno.alarms import Alarms, load_alarms
from sereno.clock import SECOND_US, Clock, iso
from sereno.contract import Contract
from sereno.errors import WireError
from sereno.mqtt import Broker
from sereno.store import Store
from sereno.store.changes import insert_changes
from sereno.store.lease import Lease
from sereno.store.queries.hours import save_hours
from sereno.store.queries.probes import last_words, save_status
from sereno.store.results import Refused, insert_fresh, insert_refused, load_cursors, save_cursors
from sereno.store.tables import probe_events
from sereno.tasks import together
from sereno.topology import Topology, part_for, topology_hash
from sereno.verdict import Change
from sereno.wire import PROBE_NAME, VERSION, Echo, Result, Status, TopologyPart, decode, encode, topic

log = logging.getLogger(__name__)

POLL_SECONDS = 0.25
_LOOK_SECONDS = 0.05
_CHECKPOINT_SECONDS = 1.0
_MINUTE_US = 60 * SECOND_US
_NOTE_LIMIT = 500
_WORD_LIMIT = 64
_AGAIN_US = 600 * SECOND_US
_TOLD_KEPT = 10_000
_SWITCH_SECONDS = 0.001  # how long a thread that computes (the ledger's) may keep the loop from what it waits for
_MANY = 500  # series; below, the garbage collector's rounds are short
_GARBAGE = (5_000, 5, 50)  # seldomer than Python's own: cursors and results are made by the thousand, without cycles


class Observer(Protocol):
    """Who counts what is committed (the Prometheus exposition)."""

    def observe_all(self, results: Sequence[Result], ats: Sequence[int]) -> None: ...
    def committed(self, count: int) -> None: ...
    def missing(self, probe: str, count: int) -> None: ...
    def refused(self, refused: Sequence[Refused]) -> None: ...
    def status(self, status: Status, *, current: bool) -> None: ...


class CollectorService:
    """The active collector. Make it once the lease is held; `await run()` until cancelled or the lease is lost."""

    def __init__(
        self,
        store: Store,
        lease: Lease,
        broker: Broker,
        topology: Topology,
        contracts: Mapping[str, Contract],
        clock: Clock,
        *,
        extra_probes: Sequence[str] = (),
        observer: Observer | None = None,
        on_changes: Callable[[], None] = lambda: None,
        alarms: Alarms | None = None,
    ) -> None:
        self._store, self._lease, self._clock = store, lease, clock
        self._observer, self._on_changes = observer, on_changes
        self._topology = topology
        self._judge = Judge(topology, contracts, clock.now_us(), alarms if alarms is not None else load_alarms())
        self._own = OwnHealth(store, clock, sites=bool(topology.sites))
        self._link = Link(broker, self._messages, lease.held)
        self._probes = list(dict.fromkeys([*topology.probes, *extra_probes]))
        self._statuses: dict[str, _Word] = {}
        self._hash = topology_hash(topology)
        self._garbage: set[int] = set()
        self._kept = 0
        self._told: dict[tuple[str, str, str], int] = {}
        gc.set_threshold(*_GARBAGE)
        sys.setswitchinterval(_SWITCH_SECONDS)
        with store.write() as connection:
            self._ingest = Ingest(load_cursors(connection))
            self._statuses = _last_statuses(connection)
            insert_changes(connection, self._judge.rebuild(connection, clock.now_us()))
        self._clerk = Clerk(store, topology, contracts, clock)
        self._keeper = Keeper(store, topology, clock)
        self._publish_topology()

    @property
    def connected(self) -> asyncio.Event:
        return self._link.connected

    async def run(self) -> None:
        """Collects until cancelled; LeaseLostError when another collector has become the writer."""
        await together(
            self._link.run(), self._lead(), self._time(), self._clerk.run(), self._keeper.run(), self._checkpoint()
        )

    # -- what comes in -----------------------------------------------------------------------------------------------

    def _messages(self, messages: Sequence[Incoming]) -> None:
        now_us = self._clock.now_us()
        taken = self._ingest.take([(each.probe, each.payload) for each in messages if each.kind == "results"], now_us)
        statuses = [each for each in messages if each.kind == "status"]
        changed = False
        if taken.fresh or taken.refused or taken.moved or statuses:
            with self._store.write() as connection:
                changed = self._commit(connection, taken, statuses, now_us)
        self._count(taken)
        echoes = self._echoes(statuses, now_us)
        for probe in taken.probes | echoes.keys():
            self._acknowledge(probe, echoes.get(probe))
        if changed:
            self._on_changes()

    def _commit(self, connection: Connection, taken: Taken, statuses: Sequence[Incoming], now_us: int) -> bool:
        refused = [each for each in taken.refused if self._is_news(each)]
        self._tell_refused(refused, now_us)
        insert_fresh(connection, taken.fresh, taken.bodies, now_us)
        self._clerk.came(connection, _minutes(taken), now_us)
        save_cursors(connection, {key: self._ingest.cursors[key] for key in taken.moved})
        changes = self._judge.feed(taken.fresh, now_us)
        for message in statuses:
            changes += self._status(connection, message, now_us, refused)
        insert_refused(connection, refused, now_us)
        insert_changes(connection, changes)
        return bool(changes)

    def _status(self, connection: Connection, message: Incoming, now_us: int, refused: list[Refused]) -> list[Change]:
        """A probe came or went; the same word said again is no event."""
        try:
            status = _status_of(message)
        except WireError as error:
            refused.append(
                Refused(
                    probe=message.probe,
                    why=str(error),
                    payload=message.payload.decode("utf-8", "replace"),
                    cause=error.cause,
                )
            )
            return []
        if self._observer is not None:
            self._observer.status(status, current=status.topology_hash == self._hash)
        if message.probe not in self._probes:  # known to the broker, not to the topology: it measures everything
            self._probes.append(message.probe)
            self._publish_topology()
        save_status(connection, status, now_us)
        changes = self._judge.status(status, now_us)
        word = _word(status)
        if self._statuses.get(message.probe) == word:
            return changes
        self._tell_notes(status, now_us)
        self._statuses[message.probe] = word
        body = encode(status).decode()
        connection.execute(
            insert(probe_events).values(
                probe=status.probe, state=status.state, boot=status.boot, at_us=now_us, body=body
            )
        )
        return changes + self._judge.probe(status.probe, status.state, now_us)

    def _tell_refused(self, refused: Sequence[Refused], now_us: int) -> None:
        """One line for what was refused of a boot: a clock that is off spoils thousands of results."""
        why: dict[tuple[str, str], list[str]] = {}
        for each in refused:
            why.setdefault((each.probe, each.boot or each.why), []).append(each.why)
        for (probe, what), reasons in why.items():
            if self._to_be_told(("quarantine", probe, what), now_us):
                more = f" ({len(reasons)} results)" if len(reasons) > 1 else ""
                log.warning("quarantine: %s: %s%s", probe, reasons[0], more)

    def _tell_notes(self, status: Status, now_us: int) -> None:
        """What a probe wants a person to know."""
        for note in status.notes or ():
            if self._to_be_told(("note", status.probe, _NUMBER.sub("#", note)), now_us):
                log.warning("probe %s: %s", status.probe, note[:_NOTE_LIMIT])

    def _to_be_told(self, what: tuple[str, str, str], now_us: int) -> bool:
        """Once in ten minutes, however often it comes and goes meanwhile."""
        if len(self._told) > _TOLD_KEPT:
            self._told.clear()
        if abs(now_us - self._told.get(what, -_AGAIN_US)) < _AGAIN_US:
            return False
        self._told[what] = now_us
        return True

    def _is_news(self, refused: Refused) -> bool:
        """Whether a refused message was not seen before: a batch that nobody can read comes again every few seconds."""
        if refused.seq is not None:
            return True
        mark = hash((refused.probe, refused.payload))
        if mark in self._garbage:
            return False
        if len(self._garbage) > 10_000:  # noqa: PLR2004  # what a confused sender may make us remember
            self._garbage.clear()
        self._garbage.add(mark)
        return True

    def _count(self, taken: Taken) -> None:
        self._clerk.note_many(_minutes(taken))
        if self._observer is None:
            return
        if taken.refused:
            self._observer.refused(taken.refused)
        if taken.fresh:
            self._observer.observe_all([result for result, _ in taken.fresh], [at_us for _, at_us in taken.fresh])
            self._observer.committed(len(taken.fresh))
        for probe, lost in taken.missing.items():
            self._observer.missing(probe, lost)

    # -- time --------------------------------------------------------------------------------------------------------

    async def _lead(self) -> None:
        """The lease is kept by a thread of its own; here only its loss is heard of."""
        self._lease.keep(self._clock.now_us)
        while True:
            self._lease.raise_if_lost()
            await asyncio.sleep(_LOOK_SECONDS)

    async def _time(self) -> None:
        """Silences, windows and announcements fall due without any result coming in."""
        while True:
            now_us = self._clock.now_us()
            with self._store.read() as connection:
                changes = self._judge.announced(connection, now_us)
            changes += self._judge.tick(now_us)
            if self._own.due(now_us):
                changes += await self._look_at_oneself(now_us)
            hours = self._judge.hours()
            if changes or hours:
                with self._store.write() as connection:
                    insert_changes(connection, changes)
                    save_hours(connection, hours, now_us - KEPT_US - HOUR_US)
            if changes:
                self._on_changes()
            self._keep()
            due = self._judge.next_due_us()
            wait = POLL_SECONDS if due is None else min(POLL_SECONDS, (due - self._clock.now_us()) / SECOND_US)
            await asyncio.sleep(max(0.01, wait))

    async def _look_at_oneself(self, now_us: int) -> list[Change]:
        """Room on the disk, and the error budgets, read beside the loop."""
        room, spent = await asyncio.to_thread(lambda: (self._own.room(), self._own.read()))
        changes = self._judge.own("disk_free_ratio", room, now_us) if room is not None else []
        return changes + self._judge.spent(spent, now_us)

    async def _checkpoint(self) -> None:
        """A commit that also moves the log into the database takes ten times as long as one that does not."""
        while self._store.is_sqlite:
            await asyncio.sleep(_CHECKPOINT_SECONDS)
            await asyncio.to_thread(self._store.checkpoint)

    def _keep(self) -> None:
        """Takes what lives as long as we do out of the garbage collector's rounds: of 20,000 series one takes 0.5 s."""
        if self._judge.size - self._kept > max(_MANY, self._kept // 4):
            self._kept = self._judge.size
            gc.freeze()

    # -- what goes out -----------------------------------------------------------------------------------------------

    def _publish_topology(self) -> None:
        """Every probe gets its part, and an acknowledgement of the new epoch, on which it sends everything again."""
        for probe in self._probes:
            part = TopologyPart(v=VERSION, hash=self._hash, topology=part_for(self._topology, probe))
            self._link.retain(topic("topology", probe), encode(part))
            self._acknowledge(probe)

    def _acknowledge(self, probe: str, echo: Echo | None = None) -> None:
        ack = self._ingest.ack(probe, self._lease.epoch)
        if echo is not None:
            ack = replace(ack, echo=replace(echo, sent=iso(self._clock.now_us())))
        self._link.retain(topic("acks", probe), encode(ack))

    def _echoes(self, statuses: Sequence[Incoming], received_us: int) -> dict[str, Echo]:
        """The times by which a probe learns how far its clock is from ours: of the newest status of each."""
        found = {}
        for message in statuses:
            try:
                status = _status_of(message)
            except WireError:
                continue  # in quarantine already
            if status.state == "online" and status.at is not None:
                received = iso(received_us)
                found[message.probe] = Echo(at=status.at, received=received, sent=received)
        return found


def _minutes(taken: Taken) -> set[int]:
    """The first and the last instant of every minute in which new results were sent: the ledger thinks in hours."""
    minutes = {at_us // _MINUTE_US for _, at_us in taken.fresh}
    return {at_us for minute in minutes for at_us in (minute * _MINUTE_US, (minute + 1) * _MINUTE_US - 1)}


def _status_of(message: Incoming) -> Status:
    status = decode(message.payload, Status)
    if not PROBE_NAME.fullmatch(message.probe) or not all(
        word is None or (len(word) <= _WORD_LIMIT and word.isprintable())
        for word in (status.boot, status.version, status.topology_hash, status.at)
    ):
        raise WireError("a status whose probe, boot, version or topology is no name", cause="name")
    if status.probe != message.probe:
        raise WireError(f"a status of {status.probe!r} on the topic of {message.probe!r}", cause="identity")
    return status


_Word = tuple[str | None, ...]
_NUMBER = re.compile(r"[\d.]+")


def _word(status: Status) -> _Word:
    """What of a status is worth a row: state, boot, topology in use, version, and its notes but for their numbers."""
    if status.state == "offline":
        return ("offline",)
    notes = sorted(_NUMBER.sub("#", note) for note in status.notes or ())
    return (status.state, status.boot, status.topology_hash, status.version, *notes)


def _last_statuses(connection: Connection) -> dict[str, _Word]:
    return {row.probe: _word(decode(row.body.encode(), Status)) for row in last_words(connection)}


__all__ = ["CollectorService", "Observer"]
