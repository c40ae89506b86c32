"""The live meter on loopback: packets a second that lose nothing, and what a packet costs the capturing thread.

    python benchmarks/live.py [--seconds N] [--rounds N] [--streams N] [--senders N]

Senders in C (sender.c, transmit rings) flood `lo` while the meter's thread drains its packet socket, as `sereno rtp
watch` does. What was sent is counted by the senders, what was measured by the meter; both must agree. The cost is the
thread's processor time (schedstat) for each packet. Needs root: raw sockets.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from probes.media.errors import CaptureError
from probes.media.live import LiveMeter

SENDER = Path(__file__).with_name("sender.c")
SETTLE_SECONDS = 0.5  # the ring hands out a block that is not full after 50 ms


@dataclass(frozen=True, slots=True)
class Round:
    sent: int
    measured: int
    lost: int  # of sequence numbers, as the streams tell
    dropped: int  # by the kernel, for want of room in the ring
    streams: int
    seconds: float
    busy_ns: int  # the capturing thread's processor time

    @property
    def whole(self) -> bool:
        return self.sent == self.measured and not self.lost and not self.dropped


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def threads() -> set[int]:
    return {int(task.name) for task in Path("/proc/self/task").iterdir()}


def busy_ns(thread: int) -> int:
    """Time on a processor, in ns (Documentation/scheduler/sched-stats.rst)."""
    return int(Path(f"/proc/self/task/{thread}/schedstat").read_text().split()[0])


def flood(sender: Path, port: int, options: argparse.Namespace) -> int:
    """Run the senders, each from a port of its own; how many packets they sent."""
    streams = str(options.streams // options.senders)
    commands = [
        [str(sender), "lo", streams, str(options.seconds), str(port + number)] for number in range(options.senders)
    ]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    outputs = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        sys.exit("benchmarks/live.py: a sender failed; they need root, for their raw sockets")
    return sum(map(int, outputs))


def one_round(sender: Path, options: argparse.Namespace) -> Round:
    port, before = free_port(), threads()
    with LiveMeter(ports=(port, port + options.senders - 1)) as meter:
        (thread,) = threads() - before
        begin, idle = time.monotonic(), busy_ns(thread)
        sent = flood(sender, port, options)
        seconds = time.monotonic() - begin
        time.sleep(SETTLE_SECONDS)
        busy = busy_ns(thread) - idle
        rows = meter.snapshot()
        return Round(
            sent=sent,
            measured=int(rows["packets"].sum()),
            lost=int(rows["lost"].sum()),
            dropped=meter.dropped,
            streams=len(rows),
            seconds=seconds,
            busy_ns=busy,
        )


def show(number: int, result: Round) -> None:
    print(
        f"{number:>5} {result.sent / result.seconds / 1e6:>8.2f} {result.sent:>10} {result.measured:>10}"
        f" {result.dropped:>8} {result.busy_ns / max(result.measured, 1):>10.0f}"
        f" {result.busy_ns / 1e9 / result.seconds:>7.0%}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="packets a second of the live meter on loopback")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--senders", type=int, default=2, help="processes that send")
    options = parser.parse_args()
    if os.geteuid() or len(os.sched_getaffinity(0)) < 2:  # `make bench` goes on with the others
        print("benchmarks/live.py: skipped: it needs root, for raw sockets, and two processors")
        return
    with tempfile.TemporaryDirectory() as folder:
        sender = Path(folder) / "sender"
        subprocess.run(["gcc", "-O2", "-std=c11", "-Wall", "-Wextra", "-o", str(sender), str(SENDER)], check=True)
        print(f"{options.streams} streams on lo, {options.rounds} rounds of {options.seconds:g} s; G.711, 214 octets")
        titles = ("round", "Mpps", "sent", "measured", "dropped", "ns/packet", "thread")
        print("{:>5} {:>8} {:>10} {:>10} {:>8} {:>10} {:>7}".format(*titles))
        try:
            results = [one_round(sender, options) for _ in range(options.rounds)]
        except CaptureError as error:
            sys.exit(f"benchmarks/live.py: {error}")
        for number, result in enumerate(results, 1):
            show(number, result)
    whole = [result for result in results if result.whole]
    if not whole:
        sys.exit("benchmarks/live.py: no round without drops")
    best = max(whole, key=lambda result: result.sent / result.seconds)
    cost = min(result.busy_ns / result.measured for result in whole)
    print(f"{len(whole)} of {len(results)} rounds lost nothing; {best.sent / best.seconds / 1e6:.2f} million packets a")
    print(f"second at best, as fast as the senders go; {cost:.0f} ns a packet at least, so one core would take")
    print(f"{1e3 / cost:.1f} million a second")


if __name__ == "__main__":
    main()
