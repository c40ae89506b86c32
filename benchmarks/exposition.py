"""One scrape of some 100,000 series, and what it costs those who run beside it: ours against the official client.

    python benchmarks/exposition.py [SBCS]

So many SBCs (default 230) at two cores; two probes check everything, calls included. Beside each scrape the same loop
counts results in batches of 500, as ingest does; `stall` is the longest that one turn of the loop came late. The peer
is prometheus_client's generate_latest over the very same samples in its own counters, gauges and histograms, made in
a thread so as to be fair. Both bodies are read back and must say the same. `count` is the price of one result.
"""

import asyncio
import itertools
import sys
import tempfile
import time
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import generate_latest

from collector.exposition.families import Buckets, Histograms, Value
from collector.exposition.page import large
from collector.metrics import Metrics
from dashboards.web.gzipped import gzipped
from sereno.clock import iso
from sereno.store import open_store
from sereno.topology import Topology
from sereno.wire import Result

NOW = 1_795_255_200_000_000
BATCH = 500
STREAM = {"packets": 500, "lost": 3, "discarded": 1, "jitter_mean_seconds": 0.0023, "mos_lq": 4.31, "mos_cq": 4.22}
_TURN_SECONDS = 0.001


def results(topology: Topology, probes: list[str]) -> list[Result]:
    """One of each check of each probe."""
    found = []
    call = {"codec": "PCMA", "setup_seconds": 0.21, "post_dial_delay_seconds": 0.08}
    places: list[tuple[str, str, str | None]] = [
        (check, path.sbc, path.core) for path in topology.paths() for check in ("options", "register", "call")
    ]
    places += [(check, sbc, None) for sbc in topology.sbcs for check in ("edge", "natural")]
    for seq, (probe, (check, sbc, core)) in enumerate(itertools.product(probes, places), 1):
        more: dict[str, Any] = call | {"media": {"rx": STREAM, "tx": STREAM}} if check == "call" else {}
        if check == "register":
            more = {"expires_seconds": 120.0}
        found.append(
            Result(
                v=1, probe=probe, boot="b", seq=seq, at=iso(NOW + seq), check=check, outcome="ok", sbc=sbc, core=core,  # type: ignore[arg-type]
                code=200, duration_seconds=0.0131 + seq % 7 / 100, **more,
            )
        )  # fmt: skip
    return found


def peer(metrics: Metrics) -> CollectorRegistry:
    """The same samples in the official client's own objects."""
    disable_created_metrics()
    registry = CollectorRegistry()
    for family in metrics.families():
        one = family.declared
        children: dict[tuple[str, ...], Value | Buckets] = dict(family._children)  # type: ignore[attr-defined]  # noqa: SLF001
        if isinstance(family, Histograms):
            made: Any = Histogram(one.name, one.meaning, one.labels, buckets=one.bounds, registry=registry)
        else:
            kind: Any = Counter if one.kind == "counter" else Gauge
            made = kind(one.family, one.meaning, one.labels, registry=registry)
        for labels, child in children.items():
            theirs = made.labels(*labels) if labels else made
            if isinstance(child, Buckets):
                for bucket, count in zip(theirs._buckets, child.counts, strict=False):  # noqa: SLF001
                    bucket.set(count)
                theirs._sum.set(child.total)  # noqa: SLF001
            else:
                theirs._value.set(child.value)  # noqa: SLF001
    return registry


async def beside(scrape: Callable[[], Awaitable[bytes]], metrics: Metrics, batch: list[Result]) -> tuple[Any, ...]:
    """Wall and processor seconds of a scrape, the longest stall, results counted meanwhile, and the body."""
    ats = [one.at_us for one in batch]
    late, counted, stop = 0.0, 0, False

    async def ingest() -> None:
        nonlocal late, counted
        while not stop:
            metrics.observe_all(batch, ats)
            counted += len(batch)
            before = time.perf_counter()
            await asyncio.sleep(_TURN_SECONDS)
            late = max(late, time.perf_counter() - before - _TURN_SECONDS)

    task = asyncio.create_task(ingest())
    await asyncio.sleep(0.05)
    late, counted = 0.0, 0
    began, spent = time.perf_counter(), time.process_time()
    body = await scrape()
    wall, cpu = time.perf_counter() - began, time.process_time() - spent
    stop = True
    await task
    return wall, cpu, late, counted, body


async def compare(metrics: Metrics, batch: list[Result]) -> list[tuple[Any, ...]]:
    """Ours, ours compressed, theirs."""

    async def ours() -> bytes:
        return b"".join([piece async for piece in (await metrics.scrape())[1]])

    async def squeezed() -> bytes:
        return b"".join([piece async for piece in gzipped((await metrics.scrape())[1])])

    registry = peer(metrics)

    async def theirs() -> bytes:
        return await asyncio.to_thread(generate_latest, registry)

    await ours()
    return [await beside(one, metrics, batch) for one in (ours, squeezed, theirs)]


def main() -> None:
    topology = large(int(sys.argv[1]) if len(sys.argv) > 1 else 230)
    probes = list(topology.probes)[:2]
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder)
        metrics = Metrics(store, topology)
        metrics.lead(1)
        every = results(topology, probes)
        ats = [one.at_us for one in every]
        metrics.observe_all(every, ats)
        began = time.process_time()
        metrics.observe_all(every, ats)
        each = (time.process_time() - began) / len(every)
        signalling = [one for one in every if one.check in ("options", "natural", "edge")]
        began = time.process_time()
        metrics.observe_all(signalling, [one.at_us for one in signalling])
        plain = (time.process_time() - began) / len(signalling)
        metrics.render()
        series = sum(len(family) for family in metrics.families())
        said = metrics.render()[0].decode()
        assert read(said) == read(generate_latest(peer(metrics)).decode()), "the two do not say the same"
        rows = asyncio.run(compare(metrics, signalling[:BATCH]))
        store.dispose()
    assert zlib.decompress(rows[1][4], 16 + zlib.MAX_WBITS).count(b"\n") == rows[0][4].count(b"\n")
    print(f"{series:,} series, {len(rows[0][4]) / 1e6:.1f} MB, {len(rows[1][4]) / 1e6:.2f} MB as gzip")
    for name, (wall, cpu, late, counted, _body) in zip(("ours", "ours, gzip", "generate_latest"), rows, strict=True):
        figures = f"{wall:6.3f} s  cpu {cpu:6.3f} s  stall {late * 1e3:6.1f} ms"
        print(f"  {name:<16} {figures}  {counted / wall:10,.0f} results/s beside")
    print(f"  ratio to the official client: {rows[2][1] / rows[0][1]:.1f} times less processor time")
    print(f"  count            {each * 1e6:.2f} µs a result, {plain * 1e6:.2f} µs one of signalling")


def read(text: str) -> dict[str, float]:
    """Every sample by its name and labels, which both write in the same order."""
    rows = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in rows}


if __name__ == "__main__":
    main()
