"""Processes of the pipeline tests: `probe URL NAME DATA` with quick invented checks, `collector URL TOPOLOGY DATA`.

While a file `broken` lies in the probe's folder, every check fails; while `quiet` does, none comes to an end.
"""

import asyncio
import itertools
import sys
import time
from pathlib import Path

from collector.service import CollectorService
from probes.agent import Agent
from probes.checks import result
from sereno.clock import SystemClock
from sereno.mqtt import parse_broker
from sereno.process import run, setup_logging
from sereno.store import open_store
from sereno.store.lease import Lease
from sereno.topology import load_topology

counter = itertools.count()
FOLDER = Path(sys.argv[4]) if sys.argv[1:2] == ["probe"] else Path("/nonexistent")


async def check(target, runtime):
    number = next(counter)
    while (FOLDER / "quiet").exists():  # noqa: ASYNC110  # nobody signals a file
        await asyncio.sleep(0.02)
    if (FOLDER / "broken").exists():
        return result(target, runtime.clock.now_us(), "failed", "timeout")
    if number % 50 == 49:
        return result(target, runtime.clock.now_us(), "failed", "timeout", evidence={"number": number})
    return result(target, runtime.clock.now_us(), "ok", answered_by="core", answered_core=target.core, rtt_seconds=1e-4)


async def probe(url, name, data):
    await Agent(parse_broker(url), name, Path(data), registry={"edge": check, "options": check}).run()


async def collector(url, topology, data):
    store = open_store(data)
    lease = Lease(store, time.monotonic)
    while not lease.try_take(time.time_ns() // 1_000):  # noqa: ASYNC110  # nobody signals a lease
        await asyncio.sleep(0.05)
    service = CollectorService(
        store.fenced(lease.check), lease, parse_broker(url), load_topology(topology), {}, SystemClock()
    )
    await service.run()


if __name__ == "__main__":
    setup_logging()
    run({"probe": probe, "collector": collector}[sys.argv[1]](*sys.argv[2:]))
