"""A store with a topology, results that arrive as they would, and a clerk that is driven by hand."""

import asyncio
import functools
import tempfile
from itertools import groupby
from pathlib import Path

from sqlalchemy import insert

from collector.clerk import Clerk
from collector.replay import Replay
from collector.stream import Line
from sereno.availability import Scope
from sereno.clock import FakeClock, iso, parse_instant
from sereno.contract import load_contract
from sereno.scope import parse_scope
from sereno.store import SQLITE_FILE, open_store
from sereno.store.queries.ledger import in_force
from sereno.store.results import insert_results
from sereno.store.tables import topologies
from sereno.topology import topology_from_json
from sereno.wire import Result

S = 1_000_000
HOUR = 3_600 * S
DAY = 24 * HOUR


def settings(**changes):
    """One SBC, one core, edge alone: a site is up exactly where its samples say so."""
    base = {
        "service": "voz",
        "timezone": "UTC",
        "cores": {"a": {"uri": "sip:10.0.0.1"}},
        "sbcs": {"sbc-1": {"addresses": ["sip:192.0.2.1"], "primary": "a"}},
        "customers": {"acme": {"name": "A", "contract": "callmyway"}},
        "sites": {"hq": {"customer": "acme", "sbcs": ["sbc-1"]}},
        "checks": {"options": {"every": "10s", "timeout": "900ms"}},
        "probes": {"p1": {"network": "isp"}},
    }
    return base | changes


@functools.cache
def _template():
    """An empty store's file: migrating one for each test would take longer than the tests."""
    with tempfile.TemporaryDirectory() as folder:
        open_store(folder).dispose()
        return (Path(folder) / SQLITE_FILE).read_bytes()


def empty_store(folder):
    """A store with its schema and nothing else, on SQLite."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SQLITE_FILE).write_bytes(_template())
    return open_store(folder)


def put_topology(store, given, from_us=0, beside=None):
    body = topology_from_json(given).model_dump_json(by_alias=True, exclude_none=True)
    with store.write() as connection:
        connection.execute(insert(topologies).values(from_us=from_us, hash="x", topology=body, beside=beside))


def samples(begin_us, end_us, every_us, bad=(), gone=(), sbc="sbc-1", core="a", probe="p1", seq=1):
    """OPTIONS of one path: failed in the spans of `bad`, not measured in those of `gone`."""
    found = []
    for at_us in range(begin_us, end_us, every_us):
        seq += 1
        if any(begin <= at_us < end for begin, end in gone):
            continue
        said = {"outcome": "ok"}
        if any(begin <= at_us < end for begin, end in bad):
            said = {"outcome": "failed", "reason": "timeout"}
        found.append(
            Result(v=1, probe=probe, boot="b", seq=seq, at=iso(at_us), check="options", sbc=sbc, core=core, **said)
        )
    return found


def commit(store, results, arrived_us=None):
    """Stores results a second after each was sent, or all at `arrived_us`."""
    with store.write() as connection:
        if arrived_us is not None:
            insert_results(connection, results, arrived_us)
            return
        for at_us, group in groupby(sorted(results, key=lambda one: one.at_us), key=lambda one: one.at_us):
            insert_results(connection, list(group), at_us + S)


class Desk:
    """The clerk of a store, on a clock that is set by hand."""

    def __init__(self, store, contracts, now_us):
        self.clock = FakeClock(now_us)
        with store.read() as connection:
            watched = in_force(connection)[-1].topology
        self.clerk = Clerk(store, watched, contracts, self.clock)

    def heard(self, results):
        self.clerk.note_many([result.at_us for result in results])

    def work(self, now_us=None):
        """Everything that is due at this time, and ten seconds later."""
        if now_us is not None:
            self.clock.set(max(now_us, self.clock.now_us()))
        asyncio.run(self._work())

    async def _work(self):
        await self.clerk.resume()
        self.clock.advance(10)
        for _ in range(10_000):
            if await self.clerk.round() >= 1:
                return
            self.clock.advance(0.001)
        raise AssertionError("the clerk never rests")


def replayed(given, contracts, results, scope, window, events=()):
    """The figures of a scope by a replay of the same results."""
    topology = topology_from_json(given)
    lines = sorted(
        [Line(one.at_us, (one.probe, one.boot, one.seq), number, one) for number, one in enumerate(results)]
        + [Line(parse_instant(one.at), ("", "", number), number, one) for number, one in enumerate(events)],
        key=lambda line: line[:3],
    )
    run = Replay(topology, contracts, lines[0].at_us, lambda _changes, _at: None, lambda *_: None, lambda: None)
    run.run(lines, window[1])
    return run.availability(Scope(*parse_scope(topology, scope)), *window)


def contract(name="callmyway", **changes):
    """A shipped contract with other terms, under its own name: later versions as `then=[(effective, changes)]`."""
    base = load_contract(name)
    later = changes.pop("then", [])
    first = base.versions[0].model_copy(update=changes)
    versions = [first] + [first.model_copy(update={"effective": day, **more}) for day, more in later]
    return {base.name: base.model_copy(update={"versions": tuple(versions)})}
