"""Results a second from the wire into the store: committed and acknowledged, verdicts and metrics live.

    python benchmarks/ingest.py [--seconds N] [--sbcs 1000] [--probes 5] [--only flat|broker] [--profile]

The stream is that of 1,000 SBCs on two cores, watched by five probes every second: 20,000 results a second, twenty
verdicts of paths changing in each. It is fed to the real collector service in two ways:

- `flat out`: batches from memory, one gathering after another. Processor time of a result by phase, and beside it a
  named peer in the same run: plain `sqlite3.executemany` of the same rows, with the same commits, and nothing else.
- through a real Mosquitto, at the pace of the clock, from a sender in a process of its own; times of processor of each
  process, and for every result the time from the sender's publish until its verdicts are committed.

Times are the processor's (user and system, all threads of the process) unless said otherwise. Latencies are worth
something only where collector, broker and sender have two processors to themselves; on a machine that others use too,
`chrt -r 5 python benchmarks/ingest.py` takes them.
"""

import argparse
import asyncio
import cProfile
import gc
import multiprocessing
import os
import pstats
import resource
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import aiomqtt
from _load import T0, Load, S, topology

import collector.service as module
from collector.link import GATHER_BYTES, Incoming
from collector.metrics import Metrics
from collector.service import CollectorService
from sereno.clock import SystemClock
from sereno.mqtt import Broker, parse_broker
from sereno.store import open_store
from sereno.store.engine import SQLITE_FILE
from sereno.store.lease import Lease
from sereno.topology import Topology

_WARM = 3  # seconds of the stream that fill tables and caches, and are not counted


class StreamClock:
    """The time of the stream; flat out, seconds pass faster."""

    def __init__(self) -> None:
        self.us = T0

    def now_us(self) -> int:
        return self.us

    def monotonic(self) -> float:
        return self.us / S


class Phases:
    """Processor time by phase, from wrapped functions."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._stack: list[float] = []

    def wrap(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._stack.append(0.0)
            began = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                took = time.process_time() - began
                self.spent[name] += took - self._stack.pop()
                if self._stack:
                    self._stack[-1] += took

        return timed


class Bench:
    """One collector service over a fresh store, fed by hand."""

    def __init__(self, folder: Path, watched: Topology, clock: Any, broker: Broker) -> None:
        self.store = open_store(folder)
        lease = Lease(self.store, time.monotonic)
        if not lease.try_take(time.time_ns() // 1_000):
            raise RuntimeError("somebody else holds a store that was just made")
        self.metrics = Metrics(self.store, watched)
        self.service = CollectorService(
            self.store.fenced(lease.check), lease, broker, watched, {}, clock, observer=self.metrics
        )

    def feed(self, messages: list[Incoming]) -> None:
        """What the link calls."""
        self.service._messages(messages)  # noqa: SLF001

    def pass_time(self, now_us: int) -> None:
        """What the service does four times a second."""
        self.service._judge.tick(now_us)  # noqa: SLF001
        self.service._keep()  # noqa: SLF001


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--sbcs", type=int, default=1000)
    parser.add_argument("--probes", type=int, default=5)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--only", choices=["flat", "broker"])
    wanted = parser.parse_args()
    load = Load(wanted.sbcs, wanted.probes)
    print(f"{wanted.sbcs} SBCs, 2 cores, {wanted.probes} probes: {load.per_second} results a second")
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        if wanted.only != "broker":
            flat(Path(folder) / "flat", load, wanted.seconds, profile=wanted.profile)
        if wanted.only != "flat":
            asyncio.run(brokered(Path(folder), load, wanted.seconds))


# -- from memory -----------------------------------------------------------------------------------------------------


def gatherings(load: Load, second: int) -> Iterator[tuple[list[Incoming], int]]:
    """Messages as the link hands them over together when they queue up."""
    found: list[Incoming] = []
    count = size = 0
    for probe, payload, results in load.second(second):
        found.append(Incoming("results", probe, payload))
        count, size = count + results, size + len(payload)
        if size >= GATHER_BYTES:
            yield found, count
            found, count, size = [], 0, 0
    if found:
        yield found, count


def flat(folder: Path, load: Load, seconds: int, *, profile: bool) -> None:
    """As fast as it goes, one second of the stream after another."""
    clock, phases = StreamClock(), Phases()
    began = time.process_time()
    bench = Bench(folder, topology(load.sbcs, len(load.probes)), clock, parse_broker("mqtt://127.0.0.1:1"))
    print(f"start of an empty collector: {time.process_time() - began:.2f} s of processor")
    instrument(bench, phases)
    profiler = cProfile.Profile()
    total, walls, cpu, changes = 0, list[float](), 0.0, 0
    for second in range(_WARM + seconds):
        ready = list(gatherings(load, second))
        if second == _WARM:
            phases.spent.clear()
            total, walls, cpu = 0, [], 0.0
            changes = changes_in(folder)
        for index, (messages, count) in enumerate(ready):
            clock.us = T0 + second * S + (index + 1) * S // len(ready) + 50_000
            if profile and second >= _WARM:
                profiler.enable()
            began, began_cpu = time.perf_counter(), time.process_time()
            bench.feed(messages)
            cpu += time.process_time() - began_cpu
            walls.append(time.perf_counter() - began)
            profiler.disable()
            total += count
        began_cpu = time.process_time()
        phases.wrap("tick", bench.pass_time)(clock.us)
        cpu += time.process_time() - began_cpu
    changes = changes_in(folder) - changes
    print(
        f"flat out: {total} results, {changes} changes of verdicts and findings; {cpu / total * S:.1f} µs of processor"
        f" each, {total / cpu:,.0f}/s on one core ({total / sum(walls):,.0f}/s by the wall clock)"
    )
    print(f"  a gathering of {total // len(walls)}: {spread(walls)}")
    for name, spent in sorted(phases.spent.items(), key=lambda one: -one[1]):
        print(f"  {name:<20} {spent / total * S:6.2f} µs")
    bench.store.dispose()
    _peer(folder, cpu / total)
    print(
        f"  store {size_of(folder):.0f} MB, peak RSS {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB"
    )
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(45)


def instrument(bench: Bench, phases: Phases) -> None:
    service: Any = bench.service
    service._ingest.take = phases.wrap("decode, dedupe", service._ingest.take)  # noqa: SLF001
    service._judge.feed = phases.wrap("engine", service._judge.feed)  # noqa: SLF001
    thresholds = service._judge._engine.thresholds  # noqa: SLF001
    thresholds.feed = phases.wrap("thresholds", thresholds.feed)
    service._count = phases.wrap("metrics", service._count)  # noqa: SLF001
    service._acknowledge = phases.wrap("ack", service._acknowledge)  # noqa: SLF001
    service._messages = phases.wrap("commit, and the rest", service._messages)  # noqa: SLF001
    for name, shown in (("insert_fresh", "insert"), ("save_cursors", "cursors"), ("insert_changes", "changes")):
        setattr(module, name, phases.wrap(shown, getattr(module, name)))


def changes_in(folder: Path) -> int:
    with sqlite3.connect(folder / SQLITE_FILE) as connection:
        return int(connection.execute("SELECT count(*) FROM verdict_changes").fetchone()[0])


def _peer(folder: Path, ours: float) -> None:
    """The same rows into the same table by `executemany` alone, with as many commits."""
    source = sqlite3.connect(folder / SQLITE_FILE)
    found = source.execute("SELECT * FROM results ORDER BY rowid").fetchall()
    statements = [
        sql for (sql,) in source.execute("SELECT sql FROM sqlite_master WHERE tbl_name = 'results' AND sql IS NOT NULL")
    ]
    source.close()
    peer = sqlite3.connect(folder / "peer.db", isolation_level=None)
    peer.execute("PRAGMA journal_mode=WAL")
    peer.execute("PRAGMA synchronous=FULL")
    for statement in statements:
        peer.execute(statement)
    places = ", ".join("?" * len(found[0]))
    began = time.process_time()
    for first in range(0, len(found), 800):
        peer.execute("BEGIN IMMEDIATE")
        peer.executemany(f"INSERT INTO results VALUES ({places})", found[first : first + 800])  # noqa: S608
        peer.execute("COMMIT")
    each = (time.process_time() - began) / len(found)
    peer.close()
    print(f"  plain sqlite3 executemany of the same rows: {each * S:.1f} µs; ours is {ours / each:.1f} times that")


# -- through a broker ------------------------------------------------------------------------------------------------


async def brokered(folder: Path, load: Load, seconds: int) -> None:
    """At the pace of the clock, through Mosquitto, from a process of its own."""
    port = _free_port()
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 20000\nlog_type error\n")
    program = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        raise SystemExit("mosquitto is not installed")
    broker = await asyncio.create_subprocess_exec(program, "-c", str(config), stderr=subprocess.DEVNULL)
    began_us = time.time_ns() // 1_000 + 4 * S
    bench = Bench(
        folder / "brokered",
        topology(load.sbcs, len(load.probes)),
        SystemClock(),
        parse_broker(f"mqtt://127.0.0.1:{port}"),
    )
    committed = _watch(bench)
    running = asyncio.ensure_future(bench.service.run())
    stalls: list[float] = []
    stall = asyncio.ensure_future(_stalls(stalls))
    context = multiprocessing.get_context("fork")
    spent = context.Value("d", 0.0)
    sender = context.Process(target=_sender, args=(port, load, _WARM + seconds, began_us, spent))
    try:
        await asyncio.wait_for(bench.service.connected.wait(), 20)
        sender.start()
        await asyncio.sleep(began_us / S + _WARM - time.time())
        usage = [time.process_time(), _cpu_of(broker.pid)]
        committed.clear()
        stalls.clear()
        await asyncio.sleep(seconds)
        usage = [time.process_time() - usage[0], _cpu_of(broker.pid) - usage[1]]
        counted, stood = list(committed), list(stalls)
        await asyncio.to_thread(sender.join)
    finally:
        running.cancel()
        stall.cancel()
        await asyncio.gather(running, stall, return_exceptions=True)
        broker.terminate()
        await broker.wait()
    total = sum(count for count, _ in counted)
    each = [late for count, late in counted for _ in range(count)]
    print(
        f"through Mosquitto: {total / seconds:,.0f} results a second for {seconds} s; processor a result: collector"
        f" {usage[0] / total * S:.1f} µs ({usage[0] / seconds:.0%} of a core), broker {usage[1] / total * S:.1f} µs,"
        f" sender {spent.value / (load.per_second * (_WARM + seconds)) * S:.1f} µs"
    )
    print(f"  from the sender's publish to the commit of its verdicts, each result: {spread(each)}")
    print(f"  how late the event loop ran what was due: {spread(stood)}")


def _watch(bench: Bench) -> list[tuple[int, float]]:
    """For every batch that is committed: how many results, and how long after it was published."""
    found: list[tuple[int, float]] = []
    service: Any = bench.service
    feed = service._messages  # noqa: SLF001

    def timed(messages: list[Incoming]) -> None:
        feed(messages)
        now = time.time()
        for each in messages:
            if each.kind == "results":
                tag = each.payload[-25:]  # the sender's stamp, in an unknown field
                found.append((each.payload.count(b'"seq":'), now - float(tag[tag.index(b":") + 1 : -1])))

    service._link._on_messages = timed  # noqa: SLF001
    return found


async def _stalls(found: list[float]) -> None:
    """How late this loop runs what is due, until cancelled."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(0.005)
        found.append(time.perf_counter() - began - 0.005)


def _sender(port: int, load: Load, seconds: int, began_us: int, spent: "Synchronized[float]") -> None:
    gc.disable()
    os.nice(5)  # the collector's processor is what is measured
    asyncio.run(_send(port, load, seconds, began_us))
    spent.value = time.process_time()


async def _send(port: int, load: Load, seconds: int, began_us: int) -> None:
    load.begin_us = began_us
    async with aiomqtt.Client(
        "127.0.0.1", port, protocol=aiomqtt.ProtocolVersion.V5, max_inflight_messages=1000
    ) as client:
        sending: set[asyncio.Task[None]] = set()
        for second in range(seconds):
            batches = list(load.second(second))
            for index, (probe, payload, _) in enumerate(batches):
                due = began_us / S + second + (index + 1) / len(batches)
                await asyncio.sleep(max(0.0, due - time.time()))
                stamped = payload[:-1] + b',"sent":%.6f}' % time.time()
                task = asyncio.ensure_future(client.publish(f"sereno/v1/results/{probe}", stamped, qos=1))
                sending.add(task)
                task.add_done_callback(sending.discard)
        await asyncio.gather(*sending)


def _cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def spread(found: list[float]) -> str:
    found = sorted(found)
    marks = [(f"p{percent}", found[min(len(found) - 1, len(found) * percent // 100)]) for percent in (50, 95, 99)]
    return ", ".join(f"{name} {value * 1e3:.1f} ms" for name, value in [*marks, ("max", found[-1])])


def size_of(folder: Path) -> float:
    return (folder / SQLITE_FILE).stat().st_size / 1e6  # its log was moved into it


if __name__ == "__main__":
    main()
