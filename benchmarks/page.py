"""The Panorama of a large system with ninety days of history: how long the server takes for the whole page.

    python benchmarks/page.py [SBCS]

So many SBCs (default 200) at two cores, twenty sites; a second of results comes in every second beside it. `first` is
the first page after a start, when nothing is known yet. The peer is a plain Starlette application that sends the very
same bytes, made beforehand. Times are from the request's first byte to the answer's last, on loopback.
"""

import statistics
import sys
import tempfile
import time
from http.client import HTTPConnection
from multiprocessing.connection import Connection
from pathlib import Path

from _web import fill, run, serve, served

TIMES, SECONDS, DAYS, SITES = 40, 60, 90, 20
DAYS_SECONDS = 60.0
GOAL_MS = 200.0


def peer(body: bytes, pipe: Connection) -> None:
    """A page made beforehand."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import HTMLResponse
    from starlette.routing import Route

    async def show(request: Request) -> HTMLResponse:
        del request
        return HTMLResponse(body)

    run(Starlette(routes=[Route("/", show)]), pipe, uvicorn)


def fetch(port: int, path: str = "/") -> tuple[float, bytes]:
    connection = HTTPConnection("127.0.0.1", port)
    begun = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    took = time.perf_counter() - begun
    assert answer.status == 200, answer.status
    connection.close()
    return took * 1_000, body


def measured(port: int, path: str) -> tuple[float, float, int]:
    times = []
    size = 0
    for _ in range(TIMES):
        took, body = fetch(port, path)
        times.append(took)
        size = len(body)
        time.sleep(0.1)
    return statistics.median(times), sorted(times)[int(TIMES * 0.95)], size


def main() -> None:
    sbcs = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder), sbcs, SECONDS, DAYS, SITES)
        with served(serve, Path(folder), sbcs, SITES, None) as (port, _pid):
            first, _ = fetch(port)
            deadline = time.monotonic() + DAYS_SECONDS
            while fetch(port)[1].count(b'class="day ') <= DAYS:  # the ledger's days are read beside the page
                assert time.monotonic() < deadline, "the page has no days"
                time.sleep(0.1)
            found = {path: measured(port, path) for path in ("/", "/paths/sbc-7/core-a", "/paths", "/health")}
            _, body = fetch(port)
    with served(peer, body) as (port, _pid):
        fetch(port)
        found["Starlette, the same bytes"] = measured(port, "/")
    least = found["Starlette, the same bytes"][0]
    print(f"{sbcs} SBCs × 2 cores, {DAYS} days of {SITES} sites; first page after the start {first:.0f} ms")
    print("| | median ms | 95 of 100 ms | octets | times the peer |\n|---|---|---|---|---|")
    for name, (median, high, size) in found.items():
        print(f"| {name} | {median:.1f} | {high:.1f} | {size} | {median / least:.1f} |")
    print(f"goal {GOAL_MS:.0f} ms: {'met' if found['/'][0] <= GOAL_MS else 'missed'}")


if __name__ == "__main__":
    main()
