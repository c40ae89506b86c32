"""A platform of 1,000 SBCs, two cores and 20 probes through the real ingest and engine: what each part costs.

    python benchmarks/scale.py [--sbcs 1000] [--probes 20] [--sites 500] [--seconds 60] [--shards 4]

Simulated seconds are fed as fast as they go; times are the processor's. The whole platform first, into one collector;
then one shard of it, as a collector of its own would get by its SBCs' share of the topics. docs/scale.md is written
from what this prints.
"""

import argparse
import gc
import os
import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from _load import T0, Load, S, topology
from ingest import Bench, Phases, StreamClock, changes_in, gatherings, instrument, size_of

from collector.verdicts.graph import Graph
from sereno.mqtt import parse_broker

_DAY = 86_400
_WARM = 3
_HOT = 0.7  # of a core, at most, that a collector's loop should be busy


@dataclass
class Figures:
    """What one collector cost."""

    per_second: int
    results: int
    cpu_seconds: float
    wire_bytes: float  # of a result
    row_bytes: float
    phases: dict[str, float]
    changes_a_second: float

    @property
    def each_us(self) -> float:
        return self.cpu_seconds / self.results * S

    @property
    def cores(self) -> float:
        return self.per_second * self.each_us / S


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sbcs", type=int, default=1000)
    parser.add_argument("--probes", type=int, default=20)
    parser.add_argument("--sites", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--shards", type=int, default=4)
    wanted = parser.parse_args()
    whole = run("the whole platform, one collector", wanted.sbcs, wanted.probes, wanted.sites, wanted.seconds)
    share = wanted.sbcs // wanted.shards
    part = run(f"one of {wanted.shards} shards", share, wanted.probes, wanted.sites // wanted.shards, wanted.seconds)
    platform(whole, part, wanted.shards)


def run(name: str, sbcs: int, probes: int, sites: int, seconds: int) -> Figures:
    """Feeds a platform's seconds to a collector of its own."""
    load, watched = Load(sbcs, probes), topology(sbcs, probes, sites)
    print(f"\n{name}: {sbcs} SBCs, 2 cores, {probes} probes, {sites} sites; {load.per_second:,} results a second")
    began = time.process_time()
    graph = Graph(watched)
    print(f"  wiring the graph of {len(graph.elements):,} verdicts and findings: {time.process_time() - began:.2f} s")
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as scratch:
        folder, clock, phases = Path(scratch) / "store", StreamClock(), Phases()
        bench = Bench(folder, watched, clock, parse_broker("mqtt://127.0.0.1:1"))
        instrument(bench, phases)
        total, cpu, wire, ticks, changed = 0, 0.0, 0, list[float](), 0
        for second in range(_WARM + seconds):
            if second == _WARM:
                phases.spent.clear()
                total, cpu, wire, ticks, changed = 0, 0.0, 0, [], changes_in(folder)
            ready = list(gatherings(load, second))
            for index, (messages, count) in enumerate(ready):
                clock.us = T0 + second * S + (index + 1) * S // len(ready) + 50_000
                began = time.process_time()
                bench.feed(messages)
                if index % max(1, len(ready) // 4) == 0:
                    ticked = time.process_time()
                    bench.pass_time(clock.us)
                    ticks.append(time.process_time() - ticked)
                cpu += time.process_time() - began
                total += count
                wire += sum(len(message.payload) for message in messages)
        bench.store.checkpoint()
        found = Figures(
            per_second=load.per_second,
            results=total,
            cpu_seconds=cpu,
            wire_bytes=wire / total,
            row_bytes=size_of(folder) * 1e6 / (load.per_second * (_WARM + seconds)),
            phases={part: spent / total * S for part, spent in phases.spent.items()},
            changes_a_second=(changes_in(folder) - changed) / seconds,
        )
        _print(found, bench, ticks)
        bench.store.dispose()
        del bench
    gc.unfreeze()
    gc.collect()
    return found


def _print(found: Figures, bench: Bench, ticks: list[float]) -> None:
    parts = ", ".join(f"{part} {each:.2f}" for part, each in sorted(found.phases.items(), key=lambda one: -one[1]))
    print(f"  a result: {found.each_us:.1f} µs of processor ({parts})")
    print(f"  verdicts and findings that change: {found.changes_a_second:.0f} a second")
    print(f"  cores for the ingest: {found.cores:.2f}; collectors at {_HOT:.0%} of a core: {found.cores / _HOT:.1f}")
    ticks.sort()
    print(f"  passing of time: p50 {ticks[len(ticks) // 2] * 1e3:.2f} ms, max {ticks[-1] * 1e3:.1f} ms, four a second")
    began = time.process_time()
    body, _ = bench.metrics.render()
    series = sum(1 for line in body.splitlines() if line and not line.startswith(b"#"))
    print(f"  /metrics: {series:,} series, {len(body) / 1e6:.0f} MB, rendered in {time.process_time() - began:.1f} s")
    print(f"  memory at its peak: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")
    day = found.per_second * _DAY
    print(
        f"  on the wire {found.wire_bytes:.0f} octets a result,"
        f" {found.per_second * found.wire_bytes * 8 / 1e6:.0f} Mbit/s;"
        f" in the store {found.row_bytes:.0f} octets a row, {day / 1e9:.2f} thousand million rows"
        f" and {day * found.row_bytes / 1e12:.2f} TB a day raw"
    )


def platform(whole: Figures, part: Figures, shards: int) -> None:
    """What the shards together need."""
    print(f"\n{shards} shards: {part.cores / _HOT:.1f} collectors' cores each, {shards * part.cores:.1f} cores in all")
    print(f"  one undivided collector would need {whole.cores:.1f} cores, and has one: Python's lock")


if __name__ == "__main__":
    main()
