"""A month of OPTIONS every second on 12 paths, recomputed: what `sereno availability --recompute` takes.

    python benchmarks/recompute.py [--days 30] [--raw 7] [--keep DIR]

The store holds 31 million results: the last days as rows, the rest as runs (docs/store.md), with an outage of a minute
and some lone failures every day. It is made in a temporary folder before anything is measured. The peer is the least
that any recomputation from the same store must do in the same language: SELECT in order of time, and json.loads of
each body (runs: zlib and json). Times are CPU seconds of one process, wall time beside them.
"""

import argparse
import itertools
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import insert

from collector.history.compaction import Row, compacted
from sereno.clock import iso
from sereno.store import open_store
from sereno.store.bulk import insert_rows
from sereno.store.runs import Run, histogram, insert_runs, pack
from sereno.store.tables import topologies
from sereno.topology import topology_from_json, topology_hash

S = 1_000_000
DAY_US = 86_400 * S
NOON = 12
T0 = 1_793_577_600 * S  # a midnight, UTC
COLUMNS = ("probe", "boot", "seq", "at_us", "element", "check", "outcome", "reason", "arrived_us", "body")
CHECK = {"every": "1s", "timeout": "900ms"}
TOPOLOGY = topology_from_json(
    {
        "service": "voz",
        "cores": {"core-a": {"uri": "sip:10.0.0.1"}, "core-b": {"uri": "sip:10.0.0.2"}},
        "sbcs": {
            f"sbc-{n}": {"addresses": [f"sip:192.0.2.{n}:5060;transport=udp"], "primary": "core-a", "backup": "core-b"}
            for n in range(1, 7)
        },
        "checks": {"options": CHECK},
        "probes": {"p1": {"network": "isp-1"}},
    }
)
PATHS = [(f"sbc-{n}", core) for n in range(1, 7) for core in ("core-a", "core-b")]


def hour_of(begin_us: int, seq: int) -> Iterator[tuple[Any, ...]]:
    """The rows of an hour, as the ingest writes them; a minute's outage and lone failures at noon."""
    noon = begin_us % DAY_US == NOON * 3600 * S
    for second in range(3600):
        for index, (sbc, core) in enumerate(PATHS):
            seq += 1
            at_us = begin_us + second * S + index * 80_000 + (second * 7919 + index * 104_729) % 613
            at = iso(at_us)
            bad = noon and core == "core-a" and (1800 <= second < 1860 or second in {100, 700})
            said = (
                '"outcome":"failed","reason":"timeout","answered_by":"none","duration_seconds":0.9'
                if bad
                else '"outcome":"ok","code":200,"phrase":"OK","answered_by":"core","answered_core":"'
                f'{core}","duration_seconds":0.01{second % 90 + 10},"rtt_seconds":0.01{second % 90 + 10}'
            )
            body = (
                f'{{"v":1,"probe":"p1","boot":"b0","seq":{seq},"at":"{at}","check":"options","sbc":"{sbc}",'
                f'"core":"{core}","address":"sip:192.0.2.{sbc[-1]}:5060;transport=udp","transport":"udp",{said}}}'
            )
            outcome, reason = ("failed", "timeout") if bad else ("ok", None)
            yield ("p1", "b0", seq, at_us, f"{sbc}/{core}", "options", outcome, reason, at_us + 40_000, body)


def quick_runs(begin_us: int, seq: int) -> list[Run]:
    """What an hour without a failure is compacted to, made without its rows."""
    first = [Row(row[4], row[3], row[8], row[9]) for row in itertools.islice(hour_of(begin_us, seq), len(PATHS))]
    found = []
    for index, row in enumerate(first):
        at = [begin_us + n * S + index * 80_000 + (n * 7919 + index * 104_729) % 613 for n in range(3600)]
        seqs = list(range(seq + index + 1, seq + index + 1 + 3600 * len(PATHS), len(PATHS)))
        for part in (slice(0, 1800), slice(1800, 3600)):
            ats, numbers = at[part], seqs[part]
            body = row.body.replace(f'"seq":{seqs[0]},', f'"seq":{numbers[0]},').replace(iso(at[0]), iso(ats[0]))
            ends = (ats[0], "b0", numbers[0], numbers[-1], ats[-1])
            kept = (len(ats), S + 613, ats[-1], histogram([0.0155] * len(ats)), pack(ats, numbers, [0] * len(ats)))
            found.append(Run(row.element, "p1", *ends, "options", "ok", None, *kept, body))
    return found


def build(folder: Path, days: int, raw: int) -> int:
    """The store; how many results it holds."""
    store = open_store(folder)
    body = topology_from_json_text()
    with store.write() as connection:
        connection.execute(insert(topologies).values(from_us=0, hash=topology_hash(TOPOLOGY), topology=body))
    seq = 0
    for hour in range(days * 24):
        begin_us = T0 + hour * 3600 * S
        if hour < (days - raw) * 24 and hour % 24 != NOON:
            runs = quick_runs(begin_us, seq)
            seq += 3600 * len(PATHS)
            with store.write() as connection:
                insert_runs(connection, runs)
            continue
        rows = list(hour_of(begin_us, seq))
        seq += len(rows)
        with store.write() as connection:
            if hour >= (days - raw) * 24:
                insert_rows(connection, "results", COLUMNS, rows)
                continue
            whole = (Row(row[4], row[3], row[8], row[9]) for row in rows)
            found = compacted(whole, lambda _: 5 * S // 2)
            gone = {place[2] for one in found for place in one.places}
            insert_runs(connection, [one.run for one in found])
            insert_rows(connection, "results", COLUMNS, [row for row in rows if row[2] not in gone])
        if sys.stderr.isatty():
            print(f"\rbuilding: {hour / days / 0.24:.0f} %", end="", file=sys.stderr)
    store.dispose()
    return seq


def topology_from_json_text() -> str:
    """The topology as the store keeps it."""
    plain = TOPOLOGY.model_dump(mode="json", by_alias=True, exclude_none=True)
    return msgspec.json.encode(plain).decode()


def peer(folder: Path) -> tuple[float, int]:
    """CPU seconds to read and decode everything, and how many results that was."""
    began, count = time.process_time(), 0
    connection = sqlite3.connect(folder / "sereno.db")
    for (body,) in connection.execute("SELECT body FROM results ORDER BY at_us, probe, boot, seq"):
        json.loads(body)
        count += 1
    for body, samples, size in connection.execute('SELECT body, samples, "count" FROM runs ORDER BY from_us'):
        json.loads(body)
        zlib.decompress(samples[1:])
        count += size
    connection.close()
    return time.process_time() - began, count


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--days", type=int, default=30)
    options.add_argument("--raw", type=int, default=7)
    options.add_argument("--keep", type=Path)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        began = time.perf_counter()
        if not (folder / "sereno.db").exists():
            count = build(folder, given.days, given.raw)
            print(f"built        {count:>12,} results in {time.perf_counter() - began:,.0f} s", end="; ")
            print(f"{(folder / 'sereno.db').stat().st_size / 1e6:,.0f} MB")
        command = [
            sys.executable, "-c", _TIMED, "availability", "--recompute", "--scope", "service", "--json",
            "--from", iso(T0), "--to", iso(T0 + given.days * DAY_US), "--data", str(folder),
        ]  # fmt: skip
        began = time.perf_counter()
        answer = subprocess.run(command, check=True, capture_output=True, text=True)
        wall = time.perf_counter() - began
        figures = json.loads(answer.stdout)
        cpu, rss = (float(word) for word in answer.stderr.split()[-2:])
        assert figures["unknown_seconds"] < 2, figures
        reading, count = peer(folder)
    print(f"recompute    {cpu:>8.1f} s of CPU, {wall:.1f} s by the wall, {rss / 1024:,.0f} MB, of {count:,} results")
    print(f"peer         {reading:>8.1f} s of CPU: SELECT and json.loads of the same rows; {cpu / reading:.2f}× that")
    print(f"             {cpu / count * 1e6:.3f} µs a result; target: a month of 12 paths in 60 s on one core")


_TIMED = """
import resource, sys
from sereno.cli import main
try:
    main()
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(used.ru_utime + used.ru_stime, used.ru_maxrss, file=sys.stderr)
"""


if __name__ == "__main__":
    main()
