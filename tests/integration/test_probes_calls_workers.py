"""Workers that crash, hang, grow or cannot be started: their calls are the probe's fault, all others go on."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from probes.checks import REGISTRY
from probes.sip.ipc import AccountSpec, Register
from probes.sip.supervise import WorkerProcess
from tests.integration.test_probes_calls import until
from tests.integration.test_probes_calls_codecs import HOST, Calls, far_ends, with_formats
from tests.support.sip_far_end import FarEnd

pytestmark = pytest.mark.lab

PCMA = with_formats("8 PCMA/8000")
ENDS = [f"end-{number}" for number in range(5)]  # one more than a worker takes


class Running(Calls):
    """Calls to five far ends, four in one worker and one in another."""

    def __init__(self, folder, monkeypatch, ends, hold=3.0):
        super().__init__(folder, monkeypatch, ends, dict.fromkeys(ends, ("PCMA",)), hold=hold)

    async def __aenter__(self):
        await self.pool.start()
        return self

    async def __aexit__(self, *_):
        await self.pool.stop()

    def call(self, name):
        return asyncio.create_task(REGISTRY["call"](self.targets[name], self.runtime))


@pytest.fixture
def ends():
    with far_ends(**dict.fromkeys(ENDS, PCMA)) as found:
        yield found


def alive(pid):
    return Path(f"/proc/{pid}").exists()


async def test_a_crash_takes_the_calls_of_its_worker_and_no_others(tmp_path, monkeypatch, ends):
    async with Running(tmp_path, monkeypatch, ends) as running:
        calls = {name: running.call(name) for name in ENDS}
        await until(lambda: all(end.dialogs and len(end.dialog.packets) > 20 for end in ends.values()))
        first, second = running.pool.workers
        dead = first.pid
        os.kill(dead, signal.SIGSEGV)
        found = {name: await call for name, call in calls.items()}
        assert {(found[name].outcome, found[name].reason) for name in ENDS[:4]} == {("invalid", "probe_fault")}
        for lost in (found[name] for name in ENDS[:4]):
            assert "ended: status -11" in lost.evidence["detail"]
            assert any("Segmentation fault" in line for line in lost.evidence["log"])
            assert any("libHandleEvents" in line for line in lost.evidence["log"])  # where it was
        whole = found[ENDS[4]]
        assert (whole.outcome, whole.reason, whole.media["rx"]["lost"]) == ("ok", None, 0)
        again = await running.call(ENDS[0])
        assert (again.outcome, first.starts, second.starts) == ("ok", 2, 1)
        assert not alive(dead)


async def test_one_that_hangs_in_a_call_is_killed_a_second_after_its_time(tmp_path, monkeypatch, ends):
    async with Running(tmp_path, monkeypatch, ends, hold=1.0) as running:
        call = running.call(ENDS[0])
        await until(lambda: ends[ENDS[0]].dialogs and len(ends[ENDS[0]].dialog.packets) > 10)
        hung = running.pool.workers[0].pid
        os.kill(hung, signal.SIGSTOP)
        lost, other = await asyncio.gather(call, running.call(ENDS[4]))
        assert (lost.outcome, lost.reason, other.outcome) == ("invalid", "probe_fault", "ok")
        assert "said nothing for" in lost.evidence["detail"]
        await until(lambda: not alive(hung))
        assert (await running.call(ENDS[0])).outcome == "ok"


async def test_one_that_cannot_be_started_says_why_and_comes_when_it_can(tmp_path, monkeypatch, ends):
    real, given = sys.executable, 0.6
    monkeypatch.setattr("sys.executable", str(tmp_path / "gone"))
    async with Running(tmp_path, monkeypatch, ends, hold=0.5) as running:
        target = running.targets[ENDS[0]]
        running.targets[ENDS[0]] = msgspec.structs.replace(target, timeout_us=int(given * 1e6), hold_us=100_000)
        lost = await running.call(ENDS[0])
        assert (lost.outcome, lost.reason) == ("invalid", "probe_fault")
        assert "is not running: cannot be started: No such file or directory" in lost.evidence["detail"]
        assert set(lost.evidence["log"]) == {"cannot be started: No such file or directory"}
        assert len(lost.evidence["log"]) <= 7  # 0.1, 0.2, 0.4 s…: it backs off
        monkeypatch.setattr("sys.executable", real)
        running.targets[ENDS[0]] = target
        assert (await running.call(ENDS[0])).outcome == "ok"
        call = running.call(ENDS[0])
        await until(lambda: len(ends[ENDS[0]].dialogs) == 2)
        os.kill(running.pool.workers[0].pid, signal.SIGKILL)
        killed = (await call).evidence
        assert (killed["detail"].endswith("ended: status -9"), "log" in killed) == (True, False)  # no older words


async def test_without_a_descriptor_to_watch_it_no_process_is_left_behind(monkeypatch):
    started = []
    real = asyncio.create_subprocess_exec

    async def noted(*arguments, **more):
        started.append(await real(*arguments, **more))
        return started[-1]

    def none_left(pid):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("asyncio.create_subprocess_exec", noted)
    monkeypatch.setattr("os.pidfd_open", none_left)
    worker = WorkerProcess("w", source=HOST, rtp_port=33_000, clock_rate=8000)
    worker.start()
    await until(lambda: len(started) >= 2)
    monkeypatch.undo()
    await until(lambda: worker.pid is not None)
    assert [process.returncode for process in started] == [-9] * len(started)
    await worker.stop(1.0)


async def test_workers_start_in_turns(monkeypatch):
    gate = asyncio.Semaphore(2)
    workers = [
        WorkerProcess(f"w{n}", source=HOST, rtp_port=33_100 + 20 * n, clock_rate=8000, gate=gate) for n in range(6)
    ]
    most = 0
    for worker in workers:
        worker.start()
    while any(worker.pid is None for worker in workers):
        most = max(most, sum(worker.starts == 1 and worker.pid is None for worker in workers))
        await asyncio.sleep(0.002)
    assert (most, [worker.starts for worker in workers]) == (2, [1] * 6)
    await asyncio.gather(*(worker.stop(1.0) for worker in workers))


async def test_the_time_of_a_start_is_not_taken_from_what_is_asked():
    gate = asyncio.Semaphore(1)
    worker = WorkerProcess("w", source=HOST, rtp_port=33_400, clock_rate=8000, gate=gate)
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind((HOST, 0))
    nobody = f"sip:{HOST}:{silent.getsockname()[1]}"
    account = AccountSpec(key="k", aor=f"sip:a@{HOST}", registrar=nobody, route=None, user="a", password="p")
    with silent:
        await gate.acquire()
        worker.start()
        asked = asyncio.create_task(worker.request(Register(id=0, account=account, timeout_seconds=1.5), seconds=2.0))
        await asyncio.sleep(1.0)  # the wait for its turn itself
        gate.release()
        event = await asked
        assert (event.ending, worker.starts) == ("timeout", 1)  # nobody killed it
        await worker.stop(0.5)


async def test_a_stop_while_some_still_wait_for_their_turn_ends_at_once():
    gate = asyncio.Semaphore(1)
    workers = [
        WorkerProcess(f"w{n}", source=HOST, rtp_port=33_300 + 20 * n, clock_rate=8000, gate=gate) for n in range(4)
    ]
    for worker in workers:
        worker.start()
    await until(lambda: workers[0].starts == 1)
    began = time.monotonic()
    await asyncio.gather(*(worker.stop(1.0) for worker in workers))
    assert time.monotonic() - began < 3.0
    assert [worker.starts for worker in workers[1:]] == [0, 0, 0]


def test_one_that_grows_without_end_is_ended():
    program = (
        "import os, socket, sys\n"
        "import probes.sip.worker as w\n"
        "class Greedy:\n"
        "    def __init__(self, *_): self.kept = []\n"
        "    def run(self):\n"
        "        while len(self.kept) < 100: self.kept.append(bytearray(16 << 20))\n"
        "w.Worker = Greedy\n"
        "a, b = socket.socketpair()\n"
        "w.main(['--fd', str(b.detach()), '--parent', str(os.getppid()), '--source', '127.0.0.1', '--rtp-port', '1'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, done.stderr.splitlines()) == (70, ["sip-worker: MemoryError: "])


def test_a_probe_that_is_killed_in_a_call_leaves_no_process_and_no_packets(tmp_path):
    with FarEnd(HOST, PCMA) as end:
        program = (
            "import asyncio, pathlib, pytest\n"
            "from tests.integration.test_probes_calls_codecs import Calls\n"
            "from probes.checks import REGISTRY\n"
            "P = ('PCMA',)\n"
            "class End: port = " + str(end.port) + "\n"
            "async def main():\n"
            f"    calls = Calls(pathlib.Path({str(tmp_path)!r}), pytest.MonkeyPatch(), {{'e': End}}, {{'e': P}}, 30)\n"
            "    await calls.pool.start()\n"
            "    call = asyncio.create_task(REGISTRY['call'](calls.targets['e'], calls.runtime))\n"
            "    while calls.pool.workers[0].pid is None: await asyncio.sleep(0.01)\n"
            "    print(calls.pool.workers[0].pid, flush=True)\n"
            "    await call\n"
            "asyncio.run(main())\n"
        )
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as probe:
            worker = int(probe.stdout.readline())
            _wait(lambda: end.dialogs and len(end.dialog.packets) > 20)
            probe.kill()
        _wait(lambda: not alive(worker))
        died = time.monotonic()
        time.sleep(0.5)  # five hundred milliseconds of a call would be 25 packets
        assert not [at for at, _ in end.dialog.packets if at > died + 0.1]


def _wait(condition):
    end = time.monotonic() + 15.0
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
