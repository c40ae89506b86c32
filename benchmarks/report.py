"""A customer's month with 100 sites: what `sereno report` takes, form by form.

    python benchmarks/report.py [--sites 100] [--sbcs 20] [--calls 300] [--months 12] [--keep DIR]

The store holds a year of the ledger of every site by the hour, with outages, unknown time and maintenance, and the
month's test calls of every path (one each `--calls` seconds). It is made in a temporary folder before anything is
measured. The peer is the least that any report from the same store must do in the same language: SELECT the month's
rows of the ledger and the calls, and json.loads of each call. Each form is a command of its own, start included.
"""

import argparse
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from sereno.clock import iso, parse_instant
from sereno.store import SQLITE_FILE, open_store
from sereno.store.bulk import insert_rows
from sereno.store.tables import maintenance, topologies
from sereno.topology import topology_from_json, topology_hash

S = 1_000_000
HOUR = 3_600 * S
BEGIN, END = parse_instant("2026-10-01T00:00-06:00"), parse_instant("2026-11-01T00:00-06:00")
MONTH = "2026-10"
GOAL_SECONDS = 10.0
LEDGER = ("kind", "name", "state", "from_us", "to_us", "reason", "interval_us", "written_us")
RESULTS = ("probe", "boot", "seq", "at_us", "element", "check", "outcome", "reason", "arrived_us", "body")


def plan(sites: int, sbcs: int) -> Any:
    names = [f"sbc-{n}" for n in range(1, sbcs + 1)]
    return topology_from_json({
        "service": "voz",
        "timezone": "America/Costa_Rica",
        "cores": {"core-a": {"uri": "sip:10.0.0.1"}, "core-b": {"uri": "sip:10.0.0.2"}},
        "sbcs": {
            name: {"addresses": [f"sip:192.0.2.{n}"], "primary": "core-a", "backup": "core-b"}
            for n, name in enumerate(names, 1)
        },
        "customers": {"acme": {"name": "Acme S.A.", "contract": "callmyway", "locale": "es_CR"}},
        "sites": {
            f"sede-{n:03d}": {"customer": "acme", "sbcs": [names[n % sbcs], names[(n + 1) % sbcs]]}
            for n in range(sites)
        },
        "checks": {"options": {"every": "1s", "timeout": "900ms"}},
        "probes": {"p1": {"network": "isp-1"}},
    })  # fmt: skip


def ledger_rows(names: list[str], months: int) -> Iterator[tuple[Any, ...]]:
    """Hour by hour; once in a hundred hours a minute of outage, once in a thousand a quarter of an hour unknown."""
    rng = random.Random(7)
    for kind, name in [("service", "voz"), *(("site", name) for name in names)]:
        for begin in range(END - months * 31 * 24 * HOUR, END + HOUR, HOUR):
            draw = rng.random() if kind == "site" else 1.0
            length, state, reason = (60 * S, "down", "timeout") if draw < 0.01 else (900 * S, "unknown", "no_data")
            if draw >= 0.011:
                yield kind, name, "up", begin, begin + HOUR, None, None, END
                continue
            yield kind, name, "up", begin, begin + 600 * S, None, None, END
            interval = S if state == "down" else None
            yield kind, name, state, begin + 600 * S, begin + 600 * S + length, reason, interval, END
            yield kind, name, "up", begin + 600 * S + length, begin + HOUR, None, None, END


def call_rows(sbcs: list[str], every_us: int) -> Iterator[tuple[Any, ...]]:
    rng = random.Random(7)
    seq = 0
    for begin in range(BEGIN, END, every_us):
        for place, sbc in enumerate(sbcs):
            for core in ("core-a", "core-b"):
                seq += 1
                at_us = begin + place * S // 10 + (core == "core-b") * S // 20
                stream = {
                    "packets": 1000, "lost": rng.randrange(3), "jitter_mean_seconds": 0.002, "codec": "PCMA",
                    "mos_lq": round(4.41 - rng.random() / 5, 4), "mos_cq": round(4.3 - rng.random() / 5, 4),
                }  # fmt: skip
                body = {
                    "v": 1, "probe": "p1", "boot": "b", "seq": seq, "at": iso(at_us), "check": "call", "outcome": "ok",
                    "sbc": sbc, "core": core, "setup_seconds": round(0.2 + rng.random(), 6), "code": 200,
                    "post_dial_delay_seconds": round(0.1 + rng.random() / 2, 6), "disconnect_seconds": 0.04,
                    "answered_by": "core", "media": {"rx": stream, "tx": stream}, "facts": {"call_id": f"{seq:032x}"},
                }  # fmt: skip
                yield "p1", "b", seq, at_us, f"{sbc}/{core}", "call", "ok", None, at_us + S, json.dumps(body)


def make(folder: Path, sites: int, sbcs: int, every_us: int, months: int) -> None:
    store, topology = open_store(folder), plan(sites, sbcs)
    with store.write() as connection:
        connection.execute(insert(topologies).values(
            from_us=0, hash=topology_hash(topology), topology=topology.model_dump_json(by_alias=True, exclude_none=True)
        ))  # fmt: skip
        for day in range(3, 30, 7):
            begin = BEGIN + day * 24 * HOUR + 21 * HOUR
            connection.execute(insert(maintenance).values(
                scope_kind="service", scope_name="voz", from_us=begin, to_us=begin + HOUR,
                announced_us=begin - 12 * 24 * HOUR, critical_fix=False, who="ana", recorded_us=begin - 12 * 24 * HOUR,
            ))  # fmt: skip
        insert_rows(connection, "ledger", LEDGER, list(ledger_rows(list(topology.sites), months)))
        insert_rows(connection, "results", RESULTS, list(call_rows(list(topology.sbcs), every_us)))
    store.dispose()


def peer(folder: Path) -> tuple[float, int, int]:
    """Reads what the report is made of, and no more."""
    began = time.perf_counter()
    database = sqlite3.connect(f"file:{folder / SQLITE_FILE}?mode=ro", uri=True)
    rows = sum(1 for _ in database.execute(
        "SELECT kind, name, state, from_us, to_us FROM ledger WHERE from_us >= ? AND from_us < ?", (BEGIN, END)
    ))  # fmt: skip
    query = "SELECT body FROM results WHERE at_us >= ? AND at_us < ? AND \"check\" = 'call'"
    calls = sum(1 for (body,) in database.execute(query, (BEGIN, END)) if json.loads(body))
    return time.perf_counter() - began, rows, calls


def measured(folder: Path, form: str, edition: str) -> tuple[float, float, int]:
    """(wall seconds, CPU seconds, octets) of the command."""
    asked = ["--customer", "acme", "--month", MONTH, "--format", form, "--edition", edition, "--data", str(folder)]
    file = folder / f"out.{form}"
    before, began = os.times(), time.perf_counter()
    subprocess.run([sys.executable, "-m", "sereno", "report", *asked, "-o", str(file)], check=True, capture_output=True)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - began, cpu, file.stat().st_size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=100)
    parser.add_argument("--sbcs", type=int, default=20)
    parser.add_argument("--calls", type=int, default=300, help="seconds between two test calls of a path")
    parser.add_argument("--months", type=int, default=12)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        if not (folder / SQLITE_FILE).exists():
            make(folder, given.sites, given.sbcs, given.calls * S, given.months)
        least, rows, calls = peer(folder)
        print(f"{given.sites} sites, {rows:,} rows of the month's ledger, {calls:,} calls; peer {least:.2f} s")
        for form, edition in (("json", "full"), ("csv", "full"), ("xlsx", "full"), ("html", "full"),
                              ("pdf", "executive"), ("pdf", "full")):  # fmt: skip
            wall, cpu, size = measured(folder, form, edition)
            word = "met" if wall <= GOAL_SECONDS else "NOT met"
            print(
                f"{form:5} {edition:10} {wall:6.2f} s ({cpu:.2f} s of processor)  {size / 1e6:6.2f} MB"
                f"  {wall / least:5.1f} times the peer  {GOAL_SECONDS:.0f} s: {word}"
            )


if __name__ == "__main__":
    main()
