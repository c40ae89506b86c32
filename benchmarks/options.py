"""OPTIONS per second and CPU per transaction: our client against sipp, both asking the same sipp UAS on loopback.

`python benchmarks/options.py` prints one line per sender and the ratio (ours / sipp; CPU below 1 is better for us).
sipp is a C load generator that keeps no kernel timestamps, no evidence and one socket; ours opens one per transaction.
"""

import asyncio
import contextlib
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from probes.sip.client import Ask, SipClient
from probes.sip.uri import parse_uri

HOST = "127.29.0.1"
COUNT = 8_000
PARALLEL = 50
SEQUENTIAL = 2_000

UAS = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<!DOCTYPE scenario SYSTEM "sipp.dtd">
<scenario name="answers">
  <recv request="OPTIONS"/>
  <send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]
[last_Call-ID:]
[last_CSeq:]
Server: core-a
Content-Length: 0

]]></send>
</scenario>
"""
UAC = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<!DOCTYPE scenario SYSTEM "sipp.dtd">
<scenario name="asks">
  <send retrans="500"><![CDATA[
OPTIONS sip:[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];rport;branch=[branch]
Max-Forwards: 70
From: <sip:bench@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 OPTIONS
Contact: <sip:bench@[local_ip]:[local_port]>
Accept: application/sdp
Content-Length: 0

]]></send>
  <recv response="200"/>
</scenario>
"""


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        port: int = sock.getsockname()[1]
        return port


@contextlib.contextmanager
def uas(folder: Path) -> Iterator[int]:
    """A sipp that answers every OPTIONS."""
    (folder / "uas.xml").write_text(UAS)
    port = free_port()
    process = subprocess.Popen(
        ["sipp", "-sf", "uas.xml", "-i", HOST, "-p", str(port), "-nostdin", "-buff_size", "4000000"],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "TERM": "dumb"},
    )  # fmt: skip
    try:
        yield port
    finally:
        process.terminate()
        process.wait(5)


async def ready(port: int) -> None:
    sip = SipClient("bench")
    ask = Ask(to=parse_uri(f"sip:{HOST}:{port}"), uri=f"sip:{HOST}:{port}", timeout_seconds=0.2)
    for _ in range(50):
        if (await sip.options(ask)).kind == "answered":
            break
        await asyncio.sleep(0.05)
    else:
        sys.exit("the sipp UAS does not answer")
    await sip.close()


async def ours(port: int, count: int, parallel: int) -> tuple[float, float]:
    """Seconds and CPU seconds for `count` transactions, `parallel` at once."""
    sip = SipClient("bench")
    ask = Ask(to=parse_uri(f"sip:{HOST}:{port}"), uri=f"sip:{HOST}:{port}", timeout_seconds=2)
    left, lost = count, 0

    async def worker() -> None:
        nonlocal left, lost
        while left > 0:
            left -= 1
            lost += (await sip.options(ask)).kind != "answered"

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker() for _ in range(parallel)))
    took, used = time.perf_counter() - began, time.process_time() - cpu
    await sip.close()
    assert lost == 0, f"{lost} of {count} were not answered"
    return took, used


def sipp(folder: Path, port: int, count: int, parallel: int) -> tuple[float, float]:
    (folder / "uac.xml").write_text(UAC)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(
        ["sipp", "-sf", "uac.xml", "-i", HOST, "-m", str(count), "-l", str(parallel), "-r", "200000", "-nostdin",
         "-rate_scale", "1", "-buff_size", "4000000", f"{HOST}:{port}"],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, timeout=60,
        env={**os.environ, "TERM": "dumb"},
    )  # fmt: skip
    took = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def show(who: str, count: int, took: float, used: float) -> None:
    print(f"{who:<34} {count / took:>8,.0f} transactions/s  {used / count * 1e6:>6.1f} µs CPU each")


def main() -> None:
    if shutil.which("sipp") is None:
        sys.exit("benchmarks/options.py: sipp is not installed; run `make setup-test`")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with uas(folder) as port:
            asyncio.run(ready(port))
            alone, alone_cpu = asyncio.run(ours(port, SEQUENTIAL, 1))
            took, used = asyncio.run(ours(port, COUNT, PARALLEL))
            peer_took, peer_used = sipp(folder, port, COUNT, PARALLEL)
    show("sereno, one at a time", SEQUENTIAL, alone, alone_cpu)
    show(f"sereno, {PARALLEL} at once", COUNT, took, used)
    show(f"sipp 3.6, {PARALLEL} at once", COUNT, peer_took, peer_used)
    print(f"ratio sereno/sipp: throughput {peer_took / took:.2f}, CPU each {used / peer_used:.2f}")


if __name__ == "__main__":
    main()
