"""Registrations and test calls by real pjsua2 workers through real Kamailios."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from deploy.lab import rpc
from deploy.lab.render import rpc_socket
from probes.checks import REGISTRY, Runtime, targets
from probes.checks.own_jitter import BOUND_SECONDS
from probes.media.quality import assess
from probes.sip.pool import CallPool
from sereno.clock import SystemClock
from sereno.topology import load_topology
from sereno.wire import Result

pytestmark = pytest.mark.lab


class Bench:
    """A pool for some checks of the lab's topology, quicker than in service."""

    def __init__(self, lab, *kinds, hold=2.0, timeout=1.5, only=None, capture=True):
        self.topology = load_topology(lab.topology_path)
        found = [t for t in targets(self.topology, "lab-1", kinds) if only is None or only(t)]
        self.targets = [
            msgspec.structs.replace(t, timeout_us=int(timeout * 1e6), hold_us=int(hold * 1e6)) for t in found
        ]
        self.clock = SystemClock()
        self.pool = CallPool(self.targets, self.clock, capture=capture)
        self.runtime = Runtime(clock=self.clock, topology=self.topology, calls=self.pool)

    async def __aenter__(self):
        await self.pool.start()
        return self

    async def __aexit__(self, *_):
        await self.pool.stop()

    async def measure(self, target=None) -> Result:
        target = target or self.targets[0]
        return await REGISTRY[target.check](target, self.runtime)

    async def all(self) -> list[Result]:
        return await asyncio.gather(*(self.measure(target) for target in self.targets))


def first_path(target):
    return (target.sbc, target.core) == ("sbc-1", "core-a")


def bound(lab, core, user):
    """The contacts that a core holds of a user."""
    with contextlib.suppress(rpc.RpcError):
        answer = rpc.call(rpc_socket(lab.state_dir, core), "ul.lookup", ["location", user])
        return [contact["Contact"]["Address"] for contact in answer["Contacts"]]
    return []


async def until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


async def test_registers_every_account_on_every_path_and_unregisters_at_the_end(lab):
    async with Bench(lab, "register") as bench:
        results = await bench.all()
        assert [r.outcome for r in results] == ["ok"] * 8
        assert {(r.sbc, r.core, r.answered_core, r.account) for r in results} == {
            (sbc, core, core, account)
            for sbc in ("sbc-1", "sbc-2")
            for core in ("core-a", "core-b")
            for account in ("monitor-1", "monitor-2")
        }
        assert {r.expires_seconds for r in results} == {60.0}
        assert all(0 < r.duration_seconds < 1.5 and r.code == 200 and r.evidence is None for r in results)
        assert len(bench.pool.workers) == 1
        assert bound(lab, "core-a", "9000")
        assert bound(lab, "core-b", "9001")
    assert not any(bound(lab, core, user) for core in ("core-a", "core-b") for user in ("9000", "9001"))


async def test_a_wrong_password_is_that_accounts_fault(lab, monkeypatch):
    monkeypatch.setenv("SERENO_SECRET_MONITOR_2", "not-the-password")
    async with Bench(lab, "register", only=first_path) as bench:
        good, bad = await bench.all()
    assert (good.account, good.outcome) == ("monitor-1", "ok")
    assert (bad.account, bad.outcome, bad.reason, bad.code, bad.answered_core) == (
        "monitor-2", "failed", "auth", 401, "core-a",
    )  # fmt: skip
    text = msgspec.json.encode(bad).decode()
    assert "not-the-password" not in text
    assert "Authorization: [redacted]" in text
    assert "response=" not in text


async def test_a_missing_secret_makes_the_check_invalid(lab):
    async with Bench(lab, "register", only=first_path) as bench:
        account = bench.topology.accounts["monitor-1"]
        gone = account.model_copy(update={"password": account.password.model_copy(update={"file": "/nowhere"})})
        bench.runtime.topology = bench.topology.model_copy(update={"accounts": {"monitor-1": gone}})
        result = await bench.measure()
    assert (result.outcome, result.reason) == ("invalid", "probe_fault")
    assert "/nowhere" in result.evidence["detail"]


async def test_a_core_without_its_database_refuses_registrations_and_calls(lab):
    lab.break_("core-a:nodb")
    async with Bench(lab, "register", "call", only=first_path) as bench:
        results = await bench.all()
    assert len(results) == 3
    assert {(r.outcome, r.reason) for r in results} == {("failed", "sip_5xx")}
    assert {r.code for r in results} <= {500, 503}  # a proxy passes on a 503 as 500: RFC 3261 section 16.7, step 6
    assert all(r.evidence["messages"] for r in results)


async def test_a_frozen_core_is_a_timeout_of_ours(lab):
    lab.break_("core-a:freeze")
    async with Bench(lab, "register", "call", only=first_path) as bench:
        began = time.monotonic()
        results = await bench.all()
        assert time.monotonic() - began < 1.5 + 1.0
    assert {(r.check, r.outcome, r.reason, r.answered_by, r.code) for r in results} == {
        ("register", "failed", "timeout", "none", None),
        ("call", "failed", "timeout", "none", None),
    }


async def test_a_dead_core_comes_back_for_registrations(lab):
    async with Bench(lab, "register", only=first_path) as bench:
        assert (await bench.measure()).outcome == "ok"
        lab.break_("core-a")
        dead = await bench.measure()
        assert (dead.outcome, dead.answered_core) == ("failed", None)
        assert dead.reason in {"timeout", "sip_408", "sip_5xx"}
        lab.heal()
        again = await bench.measure()
        assert (again.outcome, again.expires_seconds) == ("ok", 60.0)


async def test_a_good_call_is_measured_in_both_directions(lab):
    async with Bench(lab, "call", hold=3.0) as bench:
        results = await bench.all()
        assert bench.pool.meter_dropped == 0
        has_meter = not bench.pool.notes
    assert [(r.outcome, r.reason, r.answered_core) for r in results] == [("ok", None, r.core) for r in results]
    for r in results:
        assert r.codec == "PCMA"
        assert 0 < r.post_dial_delay_seconds <= r.setup_seconds < 1.5
        assert 0 < r.disconnect_seconds < 1.5
        rx, tx = r.media["rx"], r.media["tx"]
        # All of the lab shares this machine: what its far ends are kept waiting is real jitter of theirs, and rated so.
        spoiled = rx.get("effective_loss_ratio", rx["loss_ratio"])
        rated = assess("PCMA", loss_percent=100 * spoiled, burst_ratio=rx.get("effective_burst_ratio") or 1.0)
        if "quality_unmeasured" in r.facts:  # we ourselves were kept waiting: nothing is said of quality then
            assert "mos_lq" not in rx
        else:
            assert rx["mos_lq"] == pytest.approx(rated.mos_lq, abs=0.01)
            assert rx["mos_lq"] >= 4.3 or spoiled > 0.01
            assert 0 <= r.facts["own_jitter_seconds"] <= BOUND_SECONDS
        assert rx["lost"] == 0
        assert rx["packets"] >= 100
        assert tx["packets"] >= 100
        assert rx["codec"] == "PCMA"
        if has_meter:
            assert rx["source"] == tx["source"] == "meter"
            assert rx["dst"] == tx["src"]
            assert rx["jitter_mean_seconds"] >= 0
    assert len({r.media["tx"]["src"] for r in results}) == 4  # every call has its own port


async def test_without_the_meter_pjsua2_counts(lab):
    async with Bench(lab, "call", only=first_path, capture=False) as bench:
        result = await bench.measure()
    assert result.outcome == "ok"
    assert {stream["source"] for stream in result.media.values()} == {"pjsua2"}
    assert result.facts["own_jitter_source"] == "clock"
    assert result.media["rx"].get("mos_lq", 4.4) >= 4.3 or result.media["rx"]["loss_ratio"] > 0.01


async def test_a_far_end_that_dies_in_the_call_is_seen_within_the_hold(lab):
    async with Bench(lab, "call", only=first_path, hold=20.0) as bench:
        call = asyncio.create_task(bench.measure())
        meter = bench.pool.meter(bench.targets[0])
        if meter is None:
            pytest.skip(bench.pool.notes[0])
        await until(lambda: sum(row["packets"] >= 25 for row in meter.snapshot()) == 2)  # both directions
        began = time.monotonic()
        lab.break_("core-a")
        result = await call
        assert time.monotonic() - began < 3.0 + 1.5 + 2.0  # silence, the BYE's answer, a busy machine
    assert (result.outcome, result.reason) == ("failed", "cut_off")
    assert result.evidence["rtp"]["rows"][-1][1] == result.evidence["rtp"]["rows"][-3][1]  # nothing came any more
    assert result.evidence["ended_by"] == "us"


async def test_a_worker_killed_in_a_call_is_the_probes_fault_and_the_next_call_works(lab):
    async with Bench(lab, "call", only=first_path, hold=2.0) as bench:
        earlier = {one["call_id"] for one in lab.status()["media"]}  # that of a core that died has no end
        call = asyncio.create_task(bench.measure())

        def talking():
            return sum(one["packets_in"] > 20 for one in lab.status()["media"] if one["call_id"] not in earlier) == 2

        # Both talk, so its ACK is out: a far end that lacks the ACK would wait for timers H and F before it lets go.
        await until(talking)
        worker = bench.pool.workers[0]
        os.kill(worker.pid, signal.SIGKILL)
        lost = await call
        assert (lost.outcome, lost.reason) == ("invalid", "probe_fault")
        assert "ended" in lost.evidence["detail"]
        assert (await bench.measure()).outcome == "ok"
        assert worker.starts == 2


async def test_a_worker_that_hangs_is_killed_and_replaced(lab):
    async with Bench(lab, "register", only=first_path) as bench:
        assert (await bench.measure()).outcome == "ok"
        os.kill(bench.pool.workers[0].pid, signal.SIGSTOP)
        hung = await bench.measure()
        assert (hung.outcome, hung.reason) == ("invalid", "probe_fault")
        assert "said nothing" in hung.evidence["detail"]
        assert (await bench.measure()).outcome == "ok"


async def test_a_call_that_is_cancelled_hangs_up(lab):
    async with Bench(lab, "call", only=first_path, hold=30.0) as bench:
        call = asyncio.create_task(bench.measure())
        await until(lambda: lab.status()["components"]["core-a"]["calls"])
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await until(lambda: not lab.status()["components"]["core-a"]["calls"], seconds=4.0)


async def test_an_idle_worker_sleeps(lab):
    async with Bench(lab, "call", only=first_path, hold=1.0) as bench:
        assert (await bench.measure()).outcome == "ok"
        await asyncio.sleep(0.5)  # the last packets of the call
        stat = Path(f"/proc/{bench.pool.workers[0].pid}/stat")

        def ticks():
            fields = stat.read_text().rpartition(")")[2].split()
            return int(fields[11]) + int(fields[12])

        before = ticks()
        await asyncio.sleep(3.0)
        assert (ticks() - before) / os.sysconf("SC_CLK_TCK") < 0.03 + 0.01  # 1 % of 3 s, and one tick of rounding


def test_workers_die_with_their_parent(lab):
    program = (
        "import asyncio\n"
        "from probes.checks import targets\n"
        "from probes.sip.pool import CallPool\n"
        "from sereno.clock import SystemClock\n"
        "from sereno.topology import load_topology\n"
        "async def main():\n"
        f"    topology = load_topology({str(lab.topology_path)!r})\n"
        "    pool = CallPool(targets(topology, 'lab-1', ['register']), SystemClock())\n"
        "    await pool.start()\n"
        "    while pool.workers[0].pid is None: await asyncio.sleep(0.01)\n"
        "    print(pool.workers[0].pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        worker = int(parent.stdout.readline())
        assert Path(f"/proc/{worker}").exists()
        parent.kill()
    end = time.monotonic() + 5.0
    while Path(f"/proc/{worker}").exists():
        assert time.monotonic() < end
        time.sleep(0.02)
