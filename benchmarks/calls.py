"""Concurrent test calls against the jitter that the probe itself adds, on one machine, OPTIONS beside.

    python benchmarks/calls.py [--calls 25 50 100 200] [--hold SECONDS] [--options N]

The calls are the probe's own, from a topology file through `checks.call` to full results, by pjsua2 workers of four
calls each. The far end is one sipp: it answers and sends every RTP packet back (`-rtp_echo`). Own jitter is RFC 3550's
of what leaves here, by the kernel's stamps at departure, before any network: what the far end or the wire adds shows
beside it, in what comes back. The peer is sipp with as many calls that play a file (`rtp_stream`) to the same far end,
measured by the same meter. Needs root or the capture helper's right.
"""

import argparse
import asyncio
import contextlib
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from probes.checks import REGISTRY, Runtime, Target, targets
from probes.media.errors import CaptureUnavailable
from probes.media.live import LiveMeter
from probes.media.report import stream_fields
from probes.pulse import Pulse
from probes.schedule import Scheduler
from probes.sip.client import SipClient
from probes.sip.pool import CallPool
from sereno.clock import SystemClock
from sereno.topology import load_topology
from sereno.wire import Result

HOST, PEER = "127.111.1.1", "127.111.1.2"
CALLED = "127.111.2.{}"  # one sipp behind all of these
TARGET_SECONDS = 0.0005
STEPS = (25, 50, 100, 200)
RAMP_SECONDS = 8.0  # calls of a probe begin spread over their interval (a minute here), never in one instant
PEER_RTP = (1_024, 65_534)  # sipp 3.6 takes what it likes
PACKETS_OF_A_CALL = 100  # fewer: none of sipp's streams, its SIP perhaps
_TICKS = os.sysconf("SC_CLK_TCK")

UAS = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<!DOCTYPE scenario SYSTEM "sipp.dtd">
<scenario name="answers, stays, answers OPTIONS inside the call">
  <recv request="INVITE" rrs="true"/>
  <send retrans="500"><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_Record-Route:]
[last_From:]
[last_To:];tag=[call_number]
[last_Call-ID:]
[last_CSeq:]
Server: core-a
Contact: <sip:HOST:[local_port]>
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 [media_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 8
a=rtpmap:8 PCMA/8000

]]></send>
  <recv request="ACK"/>
  <label id="1"/>
  <recv request="OPTIONS" optional="true" next="2"/>
  <recv request="BYE" next="3"/>
  <label id="2"/>
  <send next="1"><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Server: core-a
Content-Length: 0

]]></send>
  <label id="3"/>
  <send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Server: core-a
Content-Length: 0

]]></send>
</scenario>
"""
ASKED = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<!DOCTYPE scenario SYSTEM "sipp.dtd">
<scenario name="answers OPTIONS">
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
<scenario name="calls and plays a file">
  <send retrans="500"><![CDATA[
INVITE sip:echo@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: <sip:bench@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:echo@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:bench@[local_ip]:[local_port]>
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio [rtpstream_audio_port] RTP/AVP 8
a=rtpmap:8 PCMA/8000

]]></send>
  <recv response="200"/>
  <send><![CDATA[
ACK sip:echo@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: <sip:bench@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:echo@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Content-Length: 0

]]></send>
  <nop><action><exec rtp_stream="tone.alaw,-1,8"/></action></nop>
  <pause milliseconds="HOLD"/>
  <send retrans="500"><![CDATA[
BYE sip:echo@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: <sip:bench@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:echo@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 BYE
Content-Length: 0

]]></send>
  <recv response="200"/>
</scenario>
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one step: jitter in seconds, processor time as a share of one core, memory in MiB."""

    calls: int
    good: int
    own: list[float]
    back: list[float]
    cpu: float
    far_cpu: float
    mib: float
    unmeasured: int = 0  # of the good: the probe's own jitter was beyond the bound
    late_p99: float | None = None
    options: int = 0
    unanswered: int = 0


def free_port(host: str = HOST) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        port: int = sock.getsockname()[1]
        return port


@contextlib.contextmanager
def sipp(folder: Path, name: str, scenario: str, address: str, *more: str) -> Iterator[tuple[int, int]]:
    """A sipp that answers: its port and its process."""
    (folder / name).write_text(scenario)
    port = free_port()
    process = subprocess.Popen(
        ["sipp", "-sf", name, "-i", address, "-p", str(port), "-nostdin", "-buff_size", "4000000", *more],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "TERM": "dumb"},
    )  # fmt: skip
    try:
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(5)


def topologies(folder: Path, calls: int, options: int, ports: tuple[int, int], hold: float) -> None:
    """As an operator would write them: SBCs of two cores each, for calls; one SBC asked so often, for OPTIONS."""
    called = [f"sip:{CALLED.format(n + 1)}:{ports[0]}" for n in range(-(-calls // 2))]
    every = f"{2000 // options}ms"
    for check, addresses in (("call", called), ("options", [f"sip:{HOST}:{ports[1]}"])):
        sbcs = "\n".join(
            f'  sbc-{n}: {{addresses: ["{address}"], primary: core-a, backup: core-b, backup_test: forced}}'
            for n, address in enumerate(addresses, start=1)
        )
        (folder / f"{check}.yaml").write_text(
            "service: bench\n"
            f'cores:\n  core-a: {{uri: "sip:{HOST}:5060"}}\n  core-b: {{uri: "sip:{HOST}:5062"}}\n'
            f"sbcs:\n{sbcs}\n"
            "accounts: {bench: {user: bench, realm: bench.example, password: {env: SERENO_BENCH}}}\n"
            "checks:\n"
            f"  options: {{every: {every}, timeout: {every}}}\n"
            f'  call: {{every: 60s, account: bench, to: "sip:echo@{{core}}", hold: {hold:g}s, codecs: [PCMA]}}\n'
        )


def cpu_seconds(pids: list[int]) -> float:
    """Processor time that these processes have had."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def mib(pids: list[int]) -> float:
    """Their proportional share of memory: pages of the interpreter and of pjsip count once."""
    kib = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                kib += int(line.split()[1])
    return kib / 1024


async def ours(folder: Path, count: int, far_pid: int, hold: float, asked: int) -> Figures:
    """`count` calls of a probe at once, held, while it asks OPTIONS each second."""
    clock = SystemClock()
    topology = load_topology(folder / "call.yaml")
    found = list(targets(topology, "bench", ["call"]))[:count]
    pool = CallPool(found, clock)
    runtime = Runtime(clock=clock, topology=topology, probe="bench", calls=pool)
    async with beside(folder, asked) as (pulse, answers):
        await pool.start()
        try:
            while any(worker.pid is None for worker in pool.workers):  # noqa: ASYNC110 - nothing tells, and it is once
                await asyncio.sleep(0.05)
            if pool.notes:
                sys.exit(f"benchmarks/calls.py: {pool.notes[0]}")
            results, used = await held(found, runtime, pool, far_pid, hold)
        finally:
            await pool.stop()
        late = pulse.lateness()
    good = [r for r in results if r.outcome == "ok" and r.media]
    for bad in [r for r in results if r.outcome != "ok"][:3]:
        print(f"  {bad.outcome} {bad.reason} {bad.code}: {(bad.evidence or {}).get('detail')}", file=sys.stderr)
    facts = [r.facts or {} for r in good]
    came = [(r.media or {}).get("rx", {}).get("jitter_mean_seconds") for r in good]
    return Figures(
        count, len(good), [each["own_jitter_seconds"] for each in facts if "own_jitter_seconds" in each],
        [each for each in came if each is not None], *used,
        unmeasured=sum("quality_unmeasured" in each for each in facts),
        late_p99=late.p99_seconds, options=len(answers), unanswered=sum(r.outcome != "ok" for r in answers),
    )  # fmt: skip


async def held(
    found: list[Target], runtime: Runtime, pool: CallPool, far_pid: int, hold: float
) -> tuple[list[Result], tuple[float, float, float]]:
    """The results; processor time of probe and far end and the probe's memory while all are up."""

    async def one(index: int, target: Target) -> Result:
        await asyncio.sleep(RAMP_SECONDS * index / len(found))
        return await REGISTRY["call"](target, runtime)

    calls = [asyncio.create_task(one(index, target)) for index, target in enumerate(found)]
    await asyncio.sleep(RAMP_SECONDS + 2.0)
    pids = [worker.pid for worker in pool.workers if worker.pid is not None] + [os.getpid()]
    began, before = time.monotonic(), (cpu_seconds(pids), cpu_seconds([far_pid]))
    await asyncio.sleep(hold - RAMP_SECONDS - 3.0)
    took = time.monotonic() - began
    used = (cpu_seconds(pids) - before[0]) / took, (cpu_seconds([far_pid]) - before[1]) / took
    memory = mib(pids)
    return await asyncio.gather(*calls), (*used, memory)


@contextlib.asynccontextmanager
async def beside(folder: Path, asked: int):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """The probe's scheduler at its other work: OPTIONS each second on so many paths."""
    pulse, answers = Pulse(), list[Result]()
    topology = load_topology(folder / "options.yaml")
    runtime = Runtime(clock=SystemClock(), topology=topology, probe="bench", sip=SipClient("bench"))
    scheduler = Scheduler(targets(topology, "bench", ["options"])[:asked], runtime, answers.append, pulse=pulse)
    running = asyncio.create_task(scheduler.run())
    try:
        yield pulse, answers
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        if runtime.sip is not None:
            await runtime.sip.close()


def peer(folder: Path, count: int, port: int, far_pid: int, hold: float) -> Figures:
    """sipp itself with as many calls, each playing a file."""
    (folder / "uac.xml").write_text(UAC.replace("HOLD", str(round(hold * 1000))))
    (folder / "tone.alaw").write_bytes(bytes(range(160, 240)) * 1000)
    with LiveMeter(ports=PEER_RTP, interface="lo") as meter:
        before, far_before = resource.getrusage(resource.RUSAGE_CHILDREN), cpu_seconds([far_pid])
        began = time.monotonic()
        process = subprocess.Popen(
            ["sipp", "-sf", "uac.xml", "-i", PEER, "-p", str(free_port(PEER)), "-m", str(count), "-l", str(count),
             "-r", str(round(count / RAMP_SECONDS)), "-nostdin", "-buff_size", "4000000", f"{HOST}:{port}"],
            cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "TERM": "dumb"},
        )  # fmt: skip
        time.sleep(RAMP_SECONDS + hold / 2)
        memory = mib([process.pid])
        process.wait(60)
        took = time.monotonic() - began
        time.sleep(0.1)
        rows = meter.snapshot()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    streams = [each for each in map(stream_fields, rows) if each["packets"] > PACKETS_OF_A_CALL]
    mine = [each for each in streams if each["src"].startswith(f"{PEER}:")]
    theirs = [each for each in streams if each["dst"].startswith(f"{PEER}:")]
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Figures(
        count, len(mine) if process.returncode == 0 else 0,
        [s["jitter_mean_seconds"] for s in mine if s["jitter_mean_seconds"] is not None],
        [s["jitter_mean_seconds"] for s in theirs if s["jitter_mean_seconds"] is not None],
        used / took, (cpu_seconds([far_pid]) - far_before) / took, memory,
    )  # fmt: skip


def show(who: str, figures: Figures) -> None:
    own, back = (statistics.fmean(given or [float("nan")]) * 1000 for given in (figures.own, figures.back))
    worst = max(figures.own, default=float("nan")) * 1000
    late = "" if figures.late_p99 is None else (
        f"  OPTIONS {figures.options:>5} ({figures.unanswered} unanswered) late p99 {figures.late_p99 * 1000:.1f} ms"
    )  # fmt: skip
    print(
        f"{who:<7}{figures.calls:>4} calls, {figures.good:>3} good, {figures.unmeasured} unmeasured  "
        f"own jitter mean {own:.3f} worst {worst:.3f} ms  back {back:.3f} ms  "
        f"CPU {figures.cpu:.2f} core (far end {figures.far_cpu:.2f})  {figures.mib:.0f} MiB{late}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, nargs="+", default=list(STEPS))
    parser.add_argument("--hold", type=float, default=16.0)
    parser.add_argument("--options", type=int, default=20)
    options = parser.parse_args()
    if shutil.which("sipp") is None:
        sys.exit("benchmarks/calls.py: sipp is not installed; run `make setup-test`")
    os.environ["SERENO_BENCH"] = "not-asked-for"
    last: tuple[Figures, Figures] | None = None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        echo = ("-rtp_echo", "-mi", HOST, "-mp", str(free_port() & ~1))
        answering = sipp(folder, "uas.xml", UAS.replace("HOST", HOST), "0.0.0.0", *echo)  # noqa: S104 - loopback's addresses
        with answering as (port, far_pid), sipp(folder, "asked.xml", ASKED, HOST) as (asked, _):
            for count in options.calls:
                topologies(folder, count, options.options, (port, asked), options.hold)
                found = asyncio.run(ours(folder, count, far_pid, options.hold, options.options))
                show("sereno", found)
                try:
                    beside_it = peer(folder, count, port, far_pid, options.hold)
                except CaptureUnavailable as error:
                    sys.exit(f"benchmarks/calls.py: {error}")
                show("sipp", beside_it)
                last = found, beside_it
    if last is not None:
        verdict(*last)


def verdict(found: Figures, beside_it: Figures) -> None:
    own, theirs = statistics.fmean(found.own or [float("nan")]), statistics.fmean(beside_it.own or [float("nan")])
    met = "met" if own <= TARGET_SECONDS and found.good == found.calls else "MISSED"
    print(
        f"ratio sereno/sipp at {found.calls} calls: own jitter {own / theirs:.2f}, CPU {found.cpu / beside_it.cpu:.2f}"
    )
    print(f"target, mean own jitter ≤ {TARGET_SECONDS * 1000:g} ms: {own * 1000:.3f} ms, {met}")


if __name__ == "__main__":
    main()
