"""`sereno rtp analyze --json` against tshark 4.0 `-z rtp,streams` and against `dd`, on captures made here.

    python benchmarks/meter.py [--packets N] [--tshark-packets N] [--rounds N] [--streams N,N] [--snaps N,N]

Whole processes pinned to one core, in turns, on a warm page cache. A cost a packet is marginal: the slope between a
capture and one of twice the packets of the same streams, so that starting up, making streams and printing do not count
(what grows with the capture does: a stream's seconds in the JSON). The time is that of the processor, user and system,
so that neighbours on the machine matter less. `dd bs=256k of=/dev/null` is the floor: the octets read and nothing
done. tshark is slow: it gets shorter captures of the same streams. Packet counts are compared first.
"""

import argparse
import datetime as dt
import json
import math
import os
import platform
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from _captures import FRAME, PORTS, SNAPPED, write_captures

ANALYZE = (sys.executable, "-m", "sereno", "rtp", "analyze")
POLL_SECONDS = 0.002
JSON_SECONDS = """
import os, sys, time
from pathlib import Path
from probes.media.analysis import Analysis, Wanted
from probes.media.capture import meter_file
import probes.media.analysis as analysis

read = []
def timed(*words):
    facts = meter_file(*words)
    read.append(time.perf_counter())
    return facts
analysis.meter_file = timed
with open(os.devnull, "wb") as out:
    for piece in Analysis(Path(sys.argv[1]), Wanted()).pieces():
        out.write(piece)
print(time.perf_counter() - read[0])
"""


@dataclass(slots=True)
class Runs:
    """Seconds of one tool over the shorter and the longer capture."""

    short: list[float] = field(default_factory=list)
    long: list[float] = field(default_factory=list)

    def slope_ns(self, packets: int, of: Callable[[Sequence[float]], float] = min) -> float:
        return (of(self.long) - of(self.short)) / packets * 1e9


@dataclass(frozen=True, slots=True)
class Result:
    streams: int
    snap: int
    ours: float  # ns a packet, best runs
    ours_median: float
    floor: float
    tshark: float
    fixed: float  # seconds: what does not grow with the packets


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Processes started inside stay on this core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def timed(command: Sequence[str], core: int) -> float:
    """Seconds of the processor that the command took, user and system."""
    with pinned(core):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def elapsed(command: Sequence[str], core: int) -> float:
    """Seconds by the clock on the wall."""
    with pinned(core):
        begin = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.perf_counter() - begin


def analyze(path: Path, *options: str) -> list[str]:
    return [*ANALYZE, str(path), "--json", *options]


def floor(path: Path) -> list[str]:
    return ["dd", "bs=256k", f"if={path}", "of=/dev/null"]


def tshark(path: Path) -> list[str]:
    ports = f"udp.port=={PORTS.start}-{PORTS.stop - 1},rtp"
    return ["tshark", "-n", "-r", str(path), "-d", ports, "-q", "-z", "rtp,streams"]


def compare_counts(path: Path) -> int:
    """Packets that both tools counted; the benchmark ends when they differ."""
    ours = subprocess.run(analyze(path, "--probation", "1"), check=True, capture_output=True)
    mine: int = sum(stream["packets"] for stream in json.loads(ours.stdout)["streams"])
    theirs = subprocess.run(tshark(path), check=True, capture_output=True, text=True)
    counted = sum(map(int, re.findall(r"0x[0-9A-F]{8}\s+\S+\s+(\d+)", theirs.stdout)))
    if mine != counted:
        sys.exit(f"benchmarks/meter.py: {path.name}: we count {mine} packets, tshark {counted}")
    return mine


def resident_anonymous(command: Sequence[str]) -> int:
    """The peak of RssAnon (kB) while the command runs, polled."""
    peak = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            found = re.search(r"RssAnon:\s+(\d+)", status.read_text())
            peak = max(peak, int(found[1]) if found else 0)
            time.sleep(POLL_SECONDS)
    return peak


def measure(folder: Path, streams: int, snap: int, options: argparse.Namespace) -> Result:
    packets, fewer = options.packets, options.tshark_packets
    paths = write_captures(folder, streams, snap, (fewer, 2 * fewer, packets, 2 * packets))
    os.sync()
    compare_counts(paths[fewer])
    ours, octets, theirs = Runs(), Runs(), Runs()
    for path in paths.values():
        timed(floor(path), options.core)  # into the page cache
    for turn in range(options.rounds):
        for runs, command, size in ((ours, analyze, packets), (octets, floor, packets), (theirs, tshark, fewer)):
            if runs is theirs and turn >= options.tshark_rounds:
                continue
            for _ in range(5 if runs is octets else 1):
                runs.short.append(timed(command(paths[size]), options.core))
                runs.long.append(timed(command(paths[2 * size]), options.core))
    result = Result(
        streams=streams,
        snap=snap,
        ours=ours.slope_ns(packets),
        ours_median=ours.slope_ns(packets, statistics.median),
        floor=octets.slope_ns(packets),
        tshark=theirs.slope_ns(fewer),
        fixed=2 * min(ours.short) - min(ours.long),
    )
    show(result)
    if snap == options.snaps[0]:
        show_more(paths[packets], paths[2 * packets], result, options)
    for path in paths.values():
        path.unlink()
    return result


def show(result: Result) -> None:
    print(
        f"{result.streams:>7} {result.snap:>5} {result.ours:>8.1f} {result.ours_median:>7.1f} {result.floor:>7.1f}"
        f" {result.tshark:>8.0f} {result.tshark / result.ours:>9.0f} {result.ours / result.floor:>7.2f}"
        f" {result.fixed:>8.2f}",
        flush=True,
    )


def show_more(short: Path, long: Path, result: Result, options: argparse.Namespace) -> None:
    """Memory, and what cannot be read off the table: without the seconds, with audio."""
    peaks = [resident_anonymous(analyze(path)) / 1000 for path in (short, long)]
    print(f"{'':14}RssAnon at its peak {peaks[0]:.1f} MB; with twice the packets {peaks[1]:.1f} MB")
    for name, option in (("--no-seconds", "--no-seconds"), ("--audio", "--audio")):
        runs = Runs()
        for _ in range(options.rounds):
            runs.short.append(timed(analyze(short, option), options.core))
            runs.long.append(timed(analyze(long, option), options.core))
        cost = runs.slope_ns(options.packets)
        print(f"{'':14}{name}: {cost:.1f} ns a packet, {result.tshark / cost:.0f} times as fast as tshark")


def many_streams(folder: Path, options: argparse.Namespace) -> None:
    """The JSON of many streams: what is left to do when the capture is read."""
    streams = max(options.streams)
    path = write_captures(folder, streams, SNAPPED, (20 * streams,))[20 * streams]
    best = math.inf
    for _ in range(options.rounds):
        with pinned(options.core):
            done = subprocess.run([sys.executable, "-c", JSON_SECONDS, str(path)], check=True, stdout=subprocess.PIPE)
        best = min(best, float(done.stdout))
    print(f"JSON of {streams} streams, from the last packet to the last octet: {best:.2f} s")
    path.unlink()


def small_file(folder: Path, options: argparse.Namespace) -> None:
    path = write_captures(folder, 10, FRAME, (2000,))[2000]
    taken = sorted(elapsed(analyze(path), options.core) for _ in range(10))
    print(f"a small file (2000 packets, 10 streams), the whole command: {taken[0]:.3f} s, median {taken[5]:.3f} s")


def describe_machine(options: argparse.Namespace) -> None:
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    version = subprocess.run(["tshark", "--version"], check=True, capture_output=True, text=True).stdout.split("\n")[0]
    now = dt.datetime.now(dt.UTC)
    print(f"{now:%Y-%m-%d %H:%M} UTC, {cpu[1] if cpu else platform.machine()}, {os.cpu_count()} CPUs", end=", ")
    print(f"Linux {platform.release()}, Python {platform.python_version()}, {version}")
    print(f"core {options.core}; slopes {options.packets}→{2 * options.packets} packets, best of {options.rounds} runs")
    print(f"tshark: slope {options.tshark_packets}→{2 * options.tshark_packets}, best of {options.tshark_rounds}")
    print("ns of processor a packet; tshark/us: how many times as fast; us/dd: against the floor; fixed: s of all else")
    titles = ("streams", "frame", "ours", "median", "dd", "tshark", "tshark/us", "us/dd", "fixed s")
    print("{:>7} {:>5} {:>8} {:>7} {:>7} {:>8} {:>9} {:>7} {:>8}".format(*titles))


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description="ns a packet and memory of the RTP meter, against tshark and dd")
    parser.add_argument("--packets", type=int, default=1_500_000, help="of the shorter capture")
    parser.add_argument("--tshark-packets", type=int, default=300_000, help="of tshark's shorter capture")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--tshark-rounds", type=int, default=1)
    parser.add_argument("--streams", type=numbers, default=[1000, 100_000], help="one or more, by commas")
    parser.add_argument("--snaps", type=numbers, default=[FRAME, SNAPPED], help="octets kept of a frame, by commas")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--folder", type=Path, help="where captures are made: a file system with 1 GB to spare")
    options = parser.parse_args()
    for tool in ("tshark", "dd"):
        if shutil.which(tool) is None:
            sys.exit(f"benchmarks/meter.py: {tool} is not installed; run `make setup-test`")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        describe_machine(options)
        for streams in options.streams:
            for snap in options.snaps:
                measure(Path(name), streams, snap, options)
        many_streams(Path(name), options)
        small_file(Path(name), options)


if __name__ == "__main__":
    main()
