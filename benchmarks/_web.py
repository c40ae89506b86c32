"""A large system's store, and the web application over it in a process of its own: what page.py and walls.py share."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from web_seed import Seed, large  # the rows as tests make them

from sereno.store import open_store


def now_us() -> int:
    return time.time_ns() // 1_000


def fill(folder: Path, sbcs: int, seconds: int, days: int, sites: int) -> None:
    """So many SBCs at two cores, all up: seconds of results, days of ledger."""
    store = open_store(folder)
    seed = Seed(store, now_us(), large(sbcs, sites=sites))
    seed.everything_up()
    for back in range(seconds, 0, -1):
        seed.second(now_us() - back * 1_000_000, calls=back % 30 == 1)
    seed.ledger_days(days, down=(3, 40))
    seed.alive(now_us() + 86_400_000_000)
    store.dispose()


def serve(folder: Path, sbcs: int, sites: int, core: int | None, pipe: Connection) -> None:
    """The application as a collector runs it: results come in every second beside it."""
    import uvicorn

    from dashboards.web.app import create_app
    from sereno.cli._answers import answers_of

    if core is not None:
        os.sched_setaffinity(0, {core})
    store = open_store(folder)
    seed = Seed.__new__(Seed)
    seed.store, seed.now_us, seed.seq = store, now_us(), 10_000_000
    from sereno.topology import parse_topology

    seed.topology = parse_topology("seed", large(sbcs, sites=sites))
    ending = threading.Event()

    def feed() -> None:
        while not ending.wait(1.0):
            seed.second(now_us())

    threading.Thread(target=feed, daemon=True).start()
    run(create_app(store, answers=answers_of(store)), pipe, uvicorn)
    ending.set()


def run(app: Any, pipe: Connection, uvicorn: Any) -> None:
    """Serves on a free port, which goes into the pipe, until the pipe says stop."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)

    def tell() -> None:
        while not server.started:
            time.sleep(0.01)
        pipe.send((server.servers[0].sockets[0].getsockname()[1], os.getpid()))
        pipe.recv()
        server.should_exit = True

    threading.Thread(target=tell, daemon=True).start()
    server.run()


@contextmanager
def served(target: Any, *arguments: Any) -> Iterator[tuple[int, int]]:
    """Port and pid of a server in a process of its own."""
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=target, args=(*arguments, theirs))
    process.start()
    try:
        while not ours.poll(1.0):
            if not process.is_alive():
                raise SystemExit("the server did not start")
        yield ours.recv()
    finally:
        if process.is_alive():
            ours.send("stop")
        process.join(10)
        if process.is_alive():
            process.kill()


def processor_seconds(pid: int) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_megabytes(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
