"""What the sensor itself misses: never told as the network's loss, and exported. And that it needs no privilege."""

import asyncio
import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from probes.media import live
from probes.media.errors import CaptureUnavailable
from probes.media.helper import PROGRAM
from probes.media.live import LiveMeter
from probes.media.watch import Watch
from tests.integration.test_probes_calls import Bench, first_path
from tests.integration.test_up import Up

ROOT = Path(__file__).parents[2]
NOBODY = pwd.getpwnam("nobody")
CAP_NET_RAW = 13  # linux/capability.h


@pytest.fixture(autouse=True)
def _may_capture():
    try:
        with LiveMeter(ports=(9, 9)):
            pass
    except CaptureUnavailable as error:
        pytest.skip(str(error))


def rtp(number, ssrc):
    return struct.pack("!BBHII", 0x80, 8, number & 0xFFFF, number * 160 & 0xFFFFFFFF, ssrc) + bytes(160)


@pytest.fixture
def way():
    """A socket that sends, connected to one that takes."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taker,
    ):
        taker.bind(("127.30.2.1", 0))
        sender.connect(taker.getsockname())
        yield sender


def test_a_ring_too_small_loses_and_says_that_it_was_the_sensor(way, monkeypatch):
    """One block: while the thread has it, the kernel has no room. What came before and after is told whole."""
    monkeypatch.setattr(live, "_BLOCK_SIZE", 1 << 14)
    port = way.getpeername()[1]
    with LiveMeter(ports=(port, port), ring_mib=0) as meter:
        for number in range(20):  # before
            way.send(rtp(number, 1))
            time.sleep(0.002)
        time.sleep(1.1)
        for number in range(30_000):
            way.send(rtp(number, 2))
        settle(meter, 30_020)
        time.sleep(1.1)
        for number in range(20):  # after
            way.send(rtp(number, 3))
            time.sleep(0.002)
        settle(meter, 30_040)
        rows = meter.snapshot()
        look = Watch(time.time_ns()).look(time.time_ns(), rows, {}, meter.blind)
        told = {int(each["ssrc"]): look.fields(index, {}) for index, each in enumerate(look.rows)}
        dropped = meter.dropped
    assert dropped > 100
    assert sum(each["packets"] for each in told.values()) + dropped == 30_040
    for ssrc in (1, 3):
        assert (told[ssrc]["packets"], told[ssrc]["lost"], told[ssrc]["sensor_dropped"]) == (20, 0, 0)
        assert told[ssrc]["mos_lq"] > 4
    hurt = told[2]
    assert hurt["sensor_dropped"] == dropped
    assert 0 < hurt["lost_at_most"] <= dropped
    assert [hurt[name] for name in ("lost", "loss_ratio", "burst_ratio", "mos_lq", "r_lq")] == [None] * 5


def settle(meter, count):
    """Until everything that was sent is either counted or known to be missed."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if int(meter.snapshot()["packets"].sum()) + meter.dropped >= count:
            return
        time.sleep(0.02)
    raise AssertionError(f"{count} packets were sent; counted {meter.snapshot()['packets']}, missed {meter.dropped}")


def test_what_came_before_the_ring_was_there_is_no_loss_of_the_sensor(way, monkeypatch):
    """The socket is open and bound a while before it has its ring; then its small buffer is full at once."""
    port, opened = way.getpeername()[1], live._descriptor
    much = 5000

    def and_much_comes(*arguments):
        descriptor = opened(*arguments)
        for number in range(much):
            way.send(rtp(number, 1))
        return descriptor

    monkeypatch.setattr(live, "_descriptor", and_much_comes)
    with LiveMeter(ports=(port, port)) as meter:
        for number in range(20):
            way.send(rtp(number, 2))
        settle(meter, 20)
        (row,) = meter.snapshot()
        assert (int(row["ssrc"]), int(row["packets"]), meter.dropped, meter.blind) == (2, 20, 0, ())


TOPOLOGY = """
service: trial
cores: {core-a: {uri: "sip:127.32.2.1"}}
sbcs: {sbc-1: {addresses: ["sip:127.32.1.1:5060;transport=udp"], primary: core-a}}
accounts: {m: {user: "9000", realm: trial.invalid, password: {file: SECRET}}}
checks:
  edge: {every: 1s, timeout: 150ms}
  call: {every: 10s, timeout: 1s, account: m, to: "sip:echo@{core}", hold: 2s, codecs: [PCMA]}
probes: {p1: {network: trial}}
"""


@pytest.fixture
def up(tmp_path):
    found = Up(tmp_path)
    secret = tmp_path / "secret"
    secret.write_text("x\n")
    secret.chmod(0o600)
    found.topology.write_text(TOPOLOGY.replace("SECRET", str(secret)))
    found.start()
    yield found
    found.end()


def held_port(pid):
    """The highest UDP port that a process has: the end of its block for RTP, kept bound (probes/sip/pool.py)."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes |= set(re.findall(r"socket:\[(\d+)\]", str(entry.readlink())))
        except OSError:
            continue
    lines = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    ports = [int(fields[1].partition(":")[2], 16) for fields in lines if fields[9] in inodes]
    return max((port for port in ports if 20_000 <= port < 32_000), default=None)


def threads(pid):
    return [(task / "comm").read_text().strip() for task in Path(f"/proc/{pid}/task").iterdir()]


def exported(up):
    """What /metrics says that the probe's meter missed."""
    with urllib.request.urlopen(up.said().url + "metrics", timeout=5) as answer:
        text = answer.read().decode()
    found = re.search(r'^sereno_meter_dropped_packets_total\{probe="p1"\} (\S+)$', text, re.MULTILINE)
    return float(found[1]) if found else None


def test_what_a_probes_meter_missed_is_on_the_metrics_page(up):
    """Probe, broker, collector and page as they are in service; the probe is stopped while too much arrives."""
    pid = up.said().pids["probe"]
    up.wait_for(lambda: "rtp-meter" in threads(pid), "the probe's meter")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        target = ("127.0.0.1", held_port(pid) - 9)
        os.kill(pid, signal.SIGSTOP)
        try:
            for number in range(40_000):
                sender.sendto(rtp(number, 1), target)
        finally:
            os.kill(pid, signal.SIGCONT)
    up.wait_for(lambda: exported(up), "the meter's drops", 25)  # a probe speaks of itself every ten seconds
    assert 1000 < exported(up) <= 40_000


_FLOOD = """
import os, socket, struct, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    sender.connect(("127.0.0.1", int(sys.argv[2])))
    for number in range(int(sys.argv[3])):
        sender.send(struct.pack("!BBHII", 0x80, 8, number & 0xFFFF, number, 9) + bytes(160))
"""


@contextlib.contextmanager
def starved(cpu):
    """The meter's thread gets a processor only when nobody else wants this one."""
    names = {int(task.name): (task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()}
    (thread,) = (number for number, name in names.items() if name == "rtp-meter")
    everywhere = os.sched_getaffinity(thread)
    os.sched_setaffinity(thread, {cpu})
    os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))
    try:
        yield
    finally:
        os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))
        os.sched_setaffinity(thread, everywhere)


@pytest.mark.lab
async def test_a_call_in_which_the_sensor_missed_something_is_told_by_pjsua2(lab):
    """And the next one by the meter again."""
    async with Bench(lab, "call", hold=2.5, only=first_path) as bench:
        if bench.pool.notes:
            pytest.skip(bench.pool.notes[0])
        cpu = min(os.sched_getaffinity(0))
        port = bench.pool.meter(bench.targets[0])._ports[1]  # kept bound, and never read
        measuring = asyncio.create_task(bench.measure())
        await asyncio.sleep(0.7)
        with starved(cpu):
            flood = await asyncio.create_subprocess_exec(sys.executable, "-c", _FLOOD, str(cpu), str(port), "120000")
            assert await flood.wait() == 0
        spoiled = await measuring
        dropped = bench.pool.meter_dropped
        await asyncio.sleep(1.1)
        whole = await bench.measure()
    assert dropped > 1000
    assert (spoiled.outcome, whole.outcome) == ("ok", "ok")
    for direction in ("rx", "tx"):
        assert spoiled.media[direction]["source"] == "pjsua2"
        assert 0 < spoiled.media[direction]["sensor_dropped"] <= dropped
        assert (whole.media[direction]["source"], whole.media[direction]["lost"]) == ("meter", 0)
        assert "sensor_dropped" not in whole.media[direction]
    assert spoiled.media["rx"]["lost"] == 0
    assert spoiled.media["rx"]["mos_lq"] > 4
    assert spoiled.media["rx"]["packets"] > 60


_UNPRIVILEGED = """
import asyncio, json, os, sys
from pathlib import Path
import probes.media.helper as helper
helper.PROGRAM = Path(sys.argv[1])
from probes.checks import REGISTRY, Runtime, targets
from probes.sip.pool import CallPool
from sereno.clock import SystemClock
from sereno.topology import load_topology
import msgspec

topology = load_topology(Path(sys.argv[2]))
passwords = {name: Path(account.password.file).read_text().strip() for name, account in topology.accounts.items()}
for name, password in passwords.items():
    os.environ["SERENO_SECRET_" + name.upper().replace("-", "_")] = password
os.setgroups([])
os.setresgid(*[int(sys.argv[3])] * 3)
os.setresuid(*[int(sys.argv[3])] * 3)

def held(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    said = dict(line.split(":", 1) for line in lines)
    return [said["Uid"].split()[1]] + [int(said[f"Cap{which}"], 16) for which in ("Inh", "Prm", "Eff", "Amb")]

async def main():
    target = next(t for t in targets(topology, "lab-1", ("call",)) if (t.sbc, t.core) == ("sbc-1", "core-a"))
    target = msgspec.structs.replace(target, hold_us=1_500_000)
    clock = SystemClock()
    pool = CallPool([target], clock)
    await pool.start()
    try:
        result = await REGISTRY["call"](target, Runtime(clock=clock, topology=topology, calls=pool))
        capabilities = [held(pid) for pid in ["self", *(worker.pid for worker in pool.workers)]]
    finally:
        await pool.stop()
    print(json.dumps({"held": capabilities, "notes": pool.notes, "outcome": result.outcome, "media": result.media}))

asyncio.run(main())
"""


def placed_by_nobody(lab, helper):
    """A call by a process of nobody's; the helper is the only file with a capability."""
    command = [sys.executable, "-c", _UNPRIVILEGED, str(helper), str(lab.topology_path), str(NOBODY.pw_uid)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
    if os.getuid() or "Permission denied" in done.stderr:
        pytest.skip("only root may become nobody, who must be able to read this checkout")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


@pytest.fixture
def folder():
    """Where a file's capability counts and everybody may read."""
    found = Path("/var/tmp") / f"sereno-{os.getpid()}"  # noqa: S108
    found.mkdir(mode=0o755)
    yield found
    shutil.rmtree(found)


@pytest.mark.lab
def test_neither_probe_nor_workers_hold_the_capability(lab, folder):
    helper = Path(shutil.copy(PROGRAM, folder / "capture-helper"))
    setcap = shutil.which("setcap") or "/usr/sbin/setcap"
    if not Path(setcap).exists() or subprocess.run([setcap, "cap_net_raw+ep", helper], check=False).returncode:
        pytest.skip("setcap cannot be used here")
    said, _ = placed_by_nobody(lab, helper)
    assert len(said["held"]) >= 2
    assert {tuple(each) for each in said["held"]} == {(str(NOBODY.pw_uid), 0, 0, 0, 0)}
    assert (said["outcome"], said["notes"]) == ("ok", [])
    assert {said["media"][way]["source"] for way in ("rx", "tx")} == {"meter"}
    assert said["media"]["rx"]["lost"] == 0


@pytest.mark.lab
def test_without_the_capability_pjsua2_counts_and_both_log_and_result_say_so(lab, folder):
    helper = Path(shutil.copy(PROGRAM, folder / "capture-helper"))
    said, log = placed_by_nobody(lab, helper)
    (note,) = said["notes"]
    assert note == (
        "media is measured by pjsua2 itself, not by the meter: capture on lo: capturing needs CAP_NET_RAW: "
        f"run as root, or once: sudo setcap cap_net_raw+ep {helper}"
    )
    assert note in log
    assert said["outcome"] == "ok"
    for way in ("rx", "tx"):
        assert said["media"][way]["source"] == "pjsua2"
        assert said["media"][way]["packets"] > 50
