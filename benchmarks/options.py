"""OPTIONS per second on one processor and processor time of each: ours beside sipp and pjsua2, in one run.

`python benchmarks/options.py [--rounds N]` prints one line for each sender and the ratios (throughput above 1 and time
below 1 are better for us). All of them are pinned to one processor, in turn, and ask the same C program (answerer.c) on
the other one. Ours is measured twice: the client alone, and the whole check, from its target to the `Result` that a
probe would send (who answered, code, round trip by the kernel's stamps, evidence kept until it is known to be good).
sipp has one socket, no kernel stamps and no evidence; pjsua2 is driven as its documentation says, from Python.
"""

import argparse
import asyncio
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _options import HOST, answerer, pin

from probes.checks import REGISTRY, Runtime, targets
from probes.sip.client import Ask, SipClient
from probes.sip.uri import parse_uri
from sereno.clock import SystemClock
from sereno.topology.model import Topology

COUNT, PARALLEL, ALONE = 20_000, 50, 4_000
PJSUA2_COUNT = 6_000

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


@dataclass(frozen=True, slots=True)
class Round:
    count: int
    seconds: float
    processor: float

    @property
    def rate(self) -> float:
        return self.count / self.seconds

    @property
    def each_us(self) -> float:
        return self.processor / self.count * 1e6


def topology(port: int) -> Topology:
    return Topology.model_validate({
        "service": "bench",
        "cores": {
            name: {"uri": f"sip:10.8.0.{n}", "identify": {"header": "Server", "contains": name}}
            for n, name in ((1, "core-a"), (2, "core-b"))
        },
        "sbcs": {"sbc-1": {"addresses": [f"sip:{HOST}:{port}"], "primary": "core-a", "backup": "core-b"}},
    })  # fmt: skip


async def ours(port: int, count: int, parallel: int, *, check: bool) -> Round:
    """Every answer must be good and carry a round trip of the kernel's."""
    sip, made = SipClient("bench"), topology(port)
    ask = Ask(to=parse_uri(f"sip:{HOST}:{port}"), uri=f"sip:{HOST}:{port}", timeout_seconds=2)
    runtime = Runtime(clock=SystemClock(), topology=made, probe="bench", sip=sip)
    (target,) = (one for one in targets(made, "bench", ["options"]) if one.core == "core-a")
    left, good = count, 0

    async def worker() -> None:
        nonlocal left, good
        while left > 0:
            left -= 1
            if check:
                result = await REGISTRY["options"](target, runtime)
                told = result.outcome == "ok" and result.code == 200 and result.answered_core == "core-a"
                good += told and result.rtt_seconds is not None
            else:
                exchange = await sip.options(ask)
                good += exchange.kind == "answered" and exchange.rtt_seconds is not None

    began, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker() for _ in range(parallel)))
    found = Round(count, time.perf_counter() - began, time.process_time() - used)
    await sip.close()
    assert good == count, f"{count - good} of {count} were not answered, or without a stamp"
    return found


def sipp(folder: Path, port: int, count: int, parallel: int) -> Round:
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
    return Round(count, took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def pjsua2_here(port: int, count: int, parallel: int) -> None:
    """Prints a round as JSON. In a process of its own: pjlib cannot be ended and begun again."""
    import pjsua2 as pj

    endpoint = pj.Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.uaConfig.threadCnt, config.logConfig.level, config.logConfig.consoleLevel = 0, 0, 0
    endpoint.libInit(config)
    transport = pj.TransportConfig()
    transport.boundAddress = HOST
    endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
    endpoint.libStart()
    asked = good = 0

    class Asker(pj.Account):
        def ask(self) -> None:
            nonlocal asked
            asked += 1
            self.sendRequest(self.request)

        def onSendRequest(self, told: Any) -> None:  # noqa: N802
            nonlocal good
            good += told.e.body.tsxState.tsx.statusCode == 200
            if asked < count:
                self.ask()

    account = pj.AccountConfig()
    account.idUri = f"sip:bench@{HOST}"
    asker = Asker()
    asker.create(account)
    asker.request = pj.SendRequestParam()
    asker.request.method = "OPTIONS"
    asker.request.txOption.targetUri = f"sip:{HOST}:{port}"
    began, used = time.perf_counter(), time.process_time()
    for _ in range(parallel):
        asker.ask()
    while good < count and time.perf_counter() - began < 40:
        endpoint.libHandleEvents(10)
    found = {"count": good, "seconds": time.perf_counter() - began, "processor": time.process_time() - used}
    assert good == count, f"{good} of {count}"
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    os._exit(0)


def pjsua2(port: int, count: int, parallel: int) -> Round:
    words = [sys.executable, __file__, "--pjsua2", f"{port},{count},{parallel}"]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, timeout=60)
    return Round(**json.loads(done.stdout.splitlines()[-1]))


def show(who: str, found: Round) -> None:
    whole = 1e6 / found.each_us  # what one processor gives that nobody else uses
    print(f"{who:<38} {found.rate:>8,.0f} transactions/s  {found.each_us:>6.1f} µs of processor each ({whole:,.0f}/s)")


def best(rounds: list[Round]) -> Round:
    """The one that others on the machine disturbed least."""
    return min(rounds, key=lambda one: one.processor / one.count)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pjsua2", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.pjsua2:
        pjsua2_here(*map(int, options.pjsua2.split(",")))
    if shutil.which("sipp") is None:
        sys.exit("benchmarks/options.py: sipp is not installed; run `make setup-test`")
    pin()
    with tempfile.TemporaryDirectory() as name, answerer(Path(name)) as port:
        folder = Path(name)
        runs: dict[str, list[Round]] = {}
        for _ in range(options.rounds):
            for who, run in (
                ("sereno, checks one at a time", lambda: asyncio.run(ours(port, ALONE, 1, check=True))),
                ("sereno, checks", lambda: asyncio.run(ours(port, COUNT, PARALLEL, check=True))),
                ("sereno, client", lambda: asyncio.run(ours(port, COUNT, PARALLEL, check=False))),
                ("sipp", lambda: sipp(folder, port, COUNT, PARALLEL)),
                ("pjsua2", lambda: pjsua2(port, PJSUA2_COUNT, PARALLEL)),
            ):
                runs.setdefault(who, []).append(run())
    for who, rounds in runs.items():
        show(who if "one" in who else f"{who}, {PARALLEL} at once", best(rounds))
        print(f"{'':<38} {'in each round: ' + ', '.join(f'{one.rate:,.0f}' for one in rounds)}")
    check = best(runs["sereno, checks"])
    for who in ("sipp", "pjsua2"):
        peer = best(runs[who])
        faster, dearer = check.rate / peer.rate, check.each_us / peer.each_us
        print(f"ratio sereno, whole checks / {who}: throughput {faster:.2f}, processor time each {dearer:.2f}")


if __name__ == "__main__":
    main()
