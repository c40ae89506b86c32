"""How long a collector takes to begin again with a year of history: by part, and the whole command.

    python benchmarks/restart.py [--days 8] [--keep DIR]

The store: 365 days of ledger (50 elements by the hour) and of runs (8 series, an hour each), 60,000 verdict changes,
100,000 boots of probes, and so many days of raw results of 8 checks a second (5.5 million in 8 days).
"""

import argparse
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sereno.clock import iso
from sereno.store import open_store
from sereno.store.bulk import insert_rows
from sereno.store.runs import COLUMNS, Run, pack

S = 1_000_000
DAY = 86_400
TOPOLOGY = """\
service: voz
domain: voz.example
cores:
  core-a: {uri: "sip:10.0.0.1"}
  core-b: {uri: "sip:10.0.0.2"}
sbcs:
  sbc-1: {addresses: ["sip:192.0.2.1"], primary: core-a, backup: core-b}
  sbc-2: {addresses: ["sip:192.0.2.2"], primary: core-b, backup: core-a}
checks:
  edge: {every: 1s, timeout: 900ms}
  natural: {every: 1s, timeout: 900ms}
  options: {every: 1s, timeout: 900ms}
probes:
  p1: {network: n}
"""
SERIES = [
    (check, sbc, core)
    for sbc in ("sbc-1", "sbc-2")
    for check, core in (("edge", None), ("natural", None), ("options", "core-a"), ("options", "core-b"))
]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--days", type=float, default=8)
    parser.add_argument("--keep", type=Path)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as scratch:
        folder = wanted.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "sereno.db").exists():
            began = time.perf_counter()
            fill(folder, wanted.days)
            size = (folder / "sereno.db").stat().st_size / 1e6
            took = time.perf_counter() - began
            print(f"a year of history, {wanted.days:g} days of it raw: {size:,.0f} MB, made in {took:.0f} s")
        for _ in range(2):
            command(folder)


def fill(folder: Path, days: float) -> None:
    """Rows as the parts of the program write them."""
    now_us = time.time_ns() // 1_000 - 15 * S
    store = open_store(folder)
    for table, columns, rows in (
        ("results", _RESULTS, _results(now_us, int(days * DAY))),
        ("ledger", _LEDGER, _ledger(now_us)),
        ("runs", COLUMNS, _runs(now_us, days)),
        ("verdict_changes", _CHANGES, _changes(now_us)),
        ("cursors", ("probe", "boot", "ranges", "oldest"), _cursors(days)),
    ):
        _write(store, table, columns, rows)
    store.dispose()


def _write(store: Any, table: str, columns: tuple[str, ...], rows: Iterator[tuple[Any, ...]]) -> None:
    while chunk := list(itertools.islice(rows, 50_000)):
        with store.write() as connection:
            insert_rows(connection, table, columns, chunk)


_RESULTS = ("probe", "boot", "seq", "at_us", "element", "check", "outcome", "reason", "arrived_us", "body")
_LEDGER = ("kind", "name", "state", "from_us", "to_us", "reason", "interval_us", "written_us")
_CHANGES = ("kind", "name", "what", "state", "since_us", "at_us", "reason", "facts")


def _results(now_us: int, seconds: int) -> Iterator[tuple[Any, ...]]:
    bodies = []
    for check, sbc, core in SERIES:
        row = {
            "check": check,
            "outcome": "ok",
            "sbc": sbc,
            "core": core,
            "address": "sip:192.0.2.1",
            "transport": "udp",
        }
        row |= {"code": 200, "phrase": "OK", "answered_by": "core", "duration_seconds": 0.012, "rtt_seconds": 0.0119}
        bodies.append(json.dumps({name: value for name, value in row.items() if value is not None})[1:])
    seq = 0
    for second in range(-seconds, 0):
        for place, ((check, sbc, core), body) in enumerate(zip(SERIES, bodies, strict=True)):
            seq += 1
            at_us = now_us + second * S + place * 1_000
            head = f'{{"v": 1, "probe": "p1", "boot": "now", "seq": {seq}, "at": "{iso(at_us)}", '
            element = f"{sbc}/{core}" if core else sbc
            yield "p1", "now", seq, at_us, element, check, "ok", None, at_us + 80_000, head + body


def _ledger(now_us: int) -> Iterator[tuple[Any, ...]]:
    first = now_us // (DAY * S) * DAY * S - 365 * DAY * S
    names = [("service", "voz"), *(("path", f"sbc-{n % 2 + 1}/core-{'ab'[n // 2 % 2]}") for n in range(4))]
    names += [("sbc", f"sbc-{n}") for n in (1, 2)] + [("core", f"core-{n}") for n in "ab"]
    names += [("site", f"site-{n:02d}") for n in range(50 - len(names))]
    for hour in range((now_us - first) // (3_600 * S)):
        begin = first + hour * 3_600 * S
        for kind, name in names:
            yield kind, name, "up", begin, begin + 3_600 * S, None, None, begin + 3_660 * S


def _runs(now_us: int, days: float) -> Iterator[tuple[Any, ...]]:
    end = now_us // (DAY * S) * DAY * S - int(days * DAY) * S
    samples = pack([number * S for number in range(3_600)], list(range(0, 8 * 3_600, 8)), [0] * 3_600)
    for hour in range(365 * 24):
        begin = end - (365 * 24 - hour) * 3_600 * S
        for place, (check, sbc, core) in enumerate(SERIES, 1):
            first = {"v": 1, "probe": "p1", "boot": "then", "seq": hour * 28_800 + place, "at": iso(begin)}
            first |= {"check": check, "outcome": "ok", "sbc": sbc, "address": "sip:192.0.2.1", "answered_by": "core"}
            if core is not None:
                first["core"] = core
            element = f"{sbc}/{core}" if core else sbc
            yield Run(
                element, "p1", begin, "then", first["seq"], first["seq"] + 8 * 3_599, begin + 3_599 * S, check, "ok",
                None, 3_600, S, begin + 3_600 * S, None, samples, json.dumps(first),
            )  # fmt: skip


def _changes(now_us: int) -> Iterator[tuple[Any, ...]]:
    for number in range(60_000):
        at_us = now_us - (60_000 - number) * 365 * DAY * S // 60_000
        check, sbc, core = SERIES[number % 8]
        kind, name = ("path", f"{sbc}/{core}") if core else ("sbc", sbc)
        yield kind, name, "verdict" if check != "natural" else "sbc_flapping", "up", at_us, at_us, None, "{}"


def _cursors(days: float) -> Iterator[tuple[Any, ...]]:
    yield "p1", "now", json.dumps([[1, int(days * DAY) * 8]]), 1
    for number in range(100_000):
        yield f"p{number % 20}", f"{number:016x}", "[[1,250000]]", 250_001


def command(folder: Path) -> None:
    """`sereno collector` itself, until it is connected and says so."""
    port, page = _free_port(), _free_port()
    program = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin") or sys.exit("no mosquitto")
    config, topology = folder / "mosquitto.conf", folder / "topology.yaml"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nlog_type error\n")
    topology.write_text(TOPOLOGY)
    broker = subprocess.Popen([program, "-c", str(config)], stderr=subprocess.DEVNULL)
    arguments = ["collector", "--broker", f"mqtt://127.0.0.1:{port}", "--data", str(folder)]
    arguments += ["--topology", str(topology), "--http", f"127.0.0.1:{page}"]
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "sereno", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        _until(process, "ready")
        took = time.perf_counter() - began
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        spent = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        print(
            f"sereno collector: {took:.2f} s until it leads, has rebuilt its verdicts and is subscribed;"
            f" {spent:.2f} s of processor"
        )
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        broker.terminate()
        broker.wait()


def _until(process: "subprocess.Popen[str]", word: str) -> None:
    for line in process.stdout or ():
        if line.startswith(word):
            return
    raise SystemExit("the collector ended")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


if __name__ == "__main__":
    main()
