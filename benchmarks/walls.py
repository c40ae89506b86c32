"""Two hundred walls open on one core, an update every second: what it costs, and how late a verdict is on them.

    python benchmarks/walls.py [WALLS] [SBCS]

The server is bound to one core and takes in a second of results every second; the walls are plain sockets in another
process that read as browsers do. `late` is from the commit of a verdict to the last wall that has it. The peer is
sse-starlette as its documentation shows it, one generator a browser, which sends an event of the same size a second.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from multiprocessing.connection import Connection
from pathlib import Path

from _web import fill, now_us, processor_seconds, resident_megabytes, run, serve, served

from sereno.store import open_store
from sereno.store.tables import verdict_changes

SECONDS, CHANGES, SITES = 15, 5, 20
GOAL_SECONDS = 1.0


def peer(size: int, pipe: Connection) -> None:
    """The same amount of octets to everybody, every second."""
    import uvicorn
    from sse_starlette import EventSourceResponse
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.routing import Route

    os.sched_setaffinity(0, {0})
    text = "x" * size

    async def events(request: Request) -> EventSourceResponse:
        del request

        async def every_second() -> AsyncIterator[dict[str, str]]:
            while True:
                yield {"event": "fragments", "data": text}
                await asyncio.sleep(1)

        return EventSourceResponse(every_second())

    run(Starlette(routes=[Route("/events", events)]), pipe, uvicorn)


class Wall:
    """One open stream."""

    def __init__(self) -> None:
        self.octets = self.beats = 0
        self.seen: dict[bytes, float] = {}
        self._tail = b""

    async def watch(self, port: int, wanted: list[bytes]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /events?topic=panorama%2Fwall%3D1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        try:
            while data := await reader.read(1 << 16):
                self.octets += len(data)
                self.beats += data.count(b"event: beat") + data.count(b"event: fragments\r")
                whole = self._tail + data
                for mark in wanted:
                    if mark not in self.seen and mark in whole:
                        self.seen[mark] = time.monotonic()
                self._tail = whole[-64:]
        finally:
            writer.close()


async def watched(port: int, pid: int, walls: int, folder: Path | None) -> dict[str, float]:
    wanted: list[bytes] = []
    opened = [Wall() for _ in range(walls)]
    tasks = [asyncio.create_task(wall.watch(port, wanted)) for wall in opened]
    await asyncio.sleep(6)
    before, octets, beats = processor_seconds(pid), sum(w.octets for w in opened), sum(w.beats for w in opened)
    begun = time.monotonic()
    late = []
    for number in range(CHANGES):
        await asyncio.sleep(SECONDS / CHANGES - (time.monotonic() - begun) % (SECONDS / CHANGES) if number else 1.0)
        if folder is not None:
            mark = f"late answer {number}".encode()
            wanted.append(mark)
            said = await asyncio.to_thread(change, folder, mark.decode().replace(" ", "_"))
            await asyncio.sleep(2)
            late.append(max(wall.seen.get(mark, float("inf")) for wall in opened) - said)
    await asyncio.sleep(max(0.0, begun + SECONDS - time.monotonic()))
    spent = time.monotonic() - begun
    found = {
        "processor": (processor_seconds(pid) - before) / spent,
        "octets": (sum(w.octets for w in opened) - octets) / spent / walls,
        "beats": (sum(w.beats for w in opened) - beats) / spent / walls, "late": max(late, default=float("nan")),
        "typical": statistics.median(late) if late else float("nan"), "memory": resident_megabytes(pid),
    }  # fmt: skip
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return found


def change(folder: Path, reason: str) -> float:
    """Says something of the service; when it was committed."""
    store = open_store(folder)
    with store.write() as connection:
        connection.execute(
            verdict_changes.insert().values(
                kind="service", name="acme-voice", what="verdict", state="degraded", since_us=now_us(), at_us=now_us(),
                reason=reason, facts="{}",
            )
        )  # fmt: skip
    said = time.monotonic()
    store.dispose()
    return said


def main() -> None:
    walls = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    sbcs = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    os.sched_setaffinity(0, set(os.sched_getaffinity(0)) - {0} or {0})
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder), sbcs, 30, 90, SITES)
        with served(serve, Path(folder), sbcs, SITES, 0) as (port, pid):
            idle = asyncio.run(watched(port, pid, 1, None))
            ours = asyncio.run(watched(port, pid, walls, Path(folder)))
    with served(peer, int(ours["octets"])) as (port, pid):
        theirs = asyncio.run(watched(port, pid, walls, None))
    alone = 100 * idle["processor"]
    print(f"{walls} walls, {sbcs} SBCs × 2 cores, one core, {SECONDS} s; one wall alone takes {alone:.1f} % of it")
    print("| | of a core | octets a second to each | beats a second | MB |\n|---|---|---|---|---|")
    for name, one in (
        ("ours, rendering and reading included", ours),
        ("sse-starlette, an event of the same size", theirs),
    ):
        share, octets, beats, memory = 100 * one["processor"], one["octets"], one["beats"], one["memory"]
        print(f"| {name} | {share:.1f} % | {octets:.0f} | {beats:.2f} | {memory:.0f} |")
    print(f"{ours['processor'] / theirs['processor']:.2f} times the peer's processor")
    print(f"a verdict is on the last of {walls} walls after {ours['typical']:.2f} s, at most {ours['late']:.2f} s; "
          f"goal {GOAL_SECONDS} s: {'met' if ours['late'] <= GOAL_SECONDS else 'missed'}")  # fmt: skip


if __name__ == "__main__":
    main()
