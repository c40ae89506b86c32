"""Error of our OPTIONS round trip against the wire: AF_PACKET stamps of the same packets, 1,000 checks a second.

`python benchmarks/options_rtt.py` (root, for the packet socket) prints the error's percentiles and the ratio of its
p99 to the target of 15 µs. Truth is reply minus request as the kernel stamped both on `lo`; the tap is another process,
and answerer.c answers. Nothing is pinned: whatever else the machine does may come in between, as it does in the field.
"""

import asyncio
import multiprocessing
import os
import socket
import statistics
import struct
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

from _options import HOST, answerer

from probes.sip.client import SO_TIMESTAMPNS, Ask, SipClient
from probes.sip.uri import parse_uri

RATE, SECONDS = 1_000, 5
TARGET_US = 15.0
_ETH_P_IP = 0x0800
_PACKET_OUTGOING = 4


def tap(port: int, pipe: Connection) -> None:
    """Stamps of requests and replies by their branch, until told to stop."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_IP))
    sock.bind(("lo", _ETH_P_IP))
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
    sock.settimeout(0.2)
    sent: dict[bytes, int] = {}
    came: dict[bytes, int] = {}
    pipe.send("ready")
    while not pipe.poll():
        try:
            data, ancillary, _, where = sock.recvmsg(4096, 64)
        except TimeoutError:
            continue
        head = (data[0] & 15) * 4
        if where[2] == _PACKET_OUTGOING or data[9] != socket.IPPROTO_UDP or len(data) < head + 8:
            continue
        source, target = struct.unpack_from("!HH", data, head)
        if port not in {source, target}:
            continue
        seconds, nanoseconds = struct.unpack("@ll", ancillary[0][2])
        branch = data.partition(b"branch=")[2].partition(b"\r")[0]
        (sent if target == port else came).setdefault(branch, seconds * 1_000_000_000 + nanoseconds)
    pipe.send({branch: came[branch] - at for branch, at in sent.items() if branch in came})


async def measure(port: int) -> dict[bytes, float]:
    """Our round trips by branch."""
    sip, found = SipClient("bench"), {}
    ask = Ask(to=parse_uri(f"sip:{HOST}:{port}"), uri=f"sip:{HOST}:{port}", timeout_seconds=0.9)

    async def one() -> None:
        exchange = await sip.options(ask)
        if exchange.rtt_seconds is not None:
            branch = exchange.messages[0].data.partition(b"branch=")[2].partition(b"\r")[0]
            found[branch] = exchange.rtt_seconds * 1e9

    loop, tasks = asyncio.get_running_loop(), []
    began = loop.time()
    for number in range(RATE * SECONDS):
        await asyncio.sleep(max(0.0, began + number / RATE - loop.time()))
        tasks.append(loop.create_task(one()))
    await asyncio.gather(*tasks)
    await sip.close()
    return found


def main() -> None:
    if os.geteuid() != 0:
        sys.exit("benchmarks/options_rtt.py: a packet socket needs root")
    with tempfile.TemporaryDirectory() as name, answerer(Path(name)) as port:
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.Process(target=tap, args=(port, theirs))
        process.start()
        ours.recv()
        began = time.process_time()
        measured = asyncio.run(measure(port))
        used = time.process_time() - began
        ours.send("stop")
        truth = ours.recv()
        process.join(5)
    errors = sorted(abs(measured[branch] - truth[branch]) / 1000 for branch in measured.keys() & truth.keys())
    assert len(errors) > RATE * SECONDS * 0.9, f"only {len(errors)} of {RATE * SECONDS} were seen on the wire"
    cuts = statistics.quantiles(errors, n=1000)
    p50, p99, p999 = cuts[499], cuts[989], cuts[998]
    print(f"{len(errors):,} round trips at {RATE:,}/s, {used / len(measured) * 1e6:.0f} µs CPU each")
    told = f"p50 {p50:.1f} µs  p99 {p99:.1f} µs  p99.9 {p999:.1f} µs  max {errors[-1]:.1f} µs"
    print(f"error against the wire, either way: {told}")
    print(f"ratio p99 / {TARGET_US:g} µs: {p99 / TARGET_US:.2f}")


if __name__ == "__main__":
    main()
