"""The agent without a broker: what it measures, keeps, and begins anew."""

import asyncio
import contextlib

import msgspec
import pytest

from probes.agent import Agent
from probes.checks import result
from sereno.clock import SECOND_US, SystemClock
from sereno.errors import UsageError
from sereno.mqtt import parse_broker
from sereno.topology import topology_from_json
from sereno.wire import VERSION, TopologyPart, encode

NOBODY = parse_broker("mqtt://127.0.0.1:9")  # discard: nothing listens, the spool keeps everything


def part(every="30ms", name="trial"):
    plain = {
        "service": name,
        "cores": {"core-a": {"uri": "sip:127.34.2.1"}},
        "sbcs": {"sbc-1": {"addresses": ["sip:127.34.1.1:5060;transport=udp"], "primary": "core-a"}},
        "checks": {"edge": {"every": every, "timeout": "20ms"}},
    }
    topology_from_json(plain)
    return TopologyPart(v=VERSION, hash=f"{name}-{every}", topology=plain)


class Clock(SystemClock):
    offset_us = 0

    def now_us(self):
        return super().now_us() + self.offset_us


async def no_calls(agent, found):
    return None


@contextlib.asynccontextmanager
async def running(folder, clock=None, seen=None, without_calls=None):
    async def check(target, runtime):
        if seen is not None:
            seen.append(runtime.topology.service)
        return result(target, runtime.clock.now_us(), "ok")

    agent = Agent(NOBODY, "p1", folder, clock=clock, registry={"edge": check, "register": check})
    if without_calls is not None:
        without_calls.setattr(Agent, "_start_calls", no_calls)
    task = asyncio.create_task(agent.run())
    await asyncio.sleep(0)
    try:
        yield agent
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_topology_is_taken_up_kept_and_recalled_without_any_collector(tmp_path):
    seen = []
    async with running(tmp_path, seen=seen) as agent:
        assert agent._status().topology_hash is None
        agent._topology_came(part())
        await until(lambda: len(agent._spool) >= 3)
        assert agent._status().topology_hash == "trial-30ms"
        agent._topology_came(part(name="other"))
        await until(lambda: "other" in seen)
    seen.clear()
    async with running(tmp_path, seen=seen) as agent:
        await until(lambda: len(seen) >= 3)
    assert set(seen) == {"other"}


async def test_a_topology_that_cannot_be_used_leaves_the_one_in_use_and_is_told(tmp_path):
    async with running(tmp_path) as agent:
        agent._topology_came(part())
        await until(lambda: len(agent._spool) >= 1)
        agent._topology_came(TopologyPart(v=VERSION, hash="bad", topology={"service": "x"}))
        assert agent._status().topology_hash == "trial-30ms"
        assert any("topology refused" in note for note in agent._status().notes)
        before = len(agent._spool)
        await until(lambda: len(agent._spool) > before + 2)


async def test_garbage_beside_the_spool_is_no_reason_to_stop(tmp_path):
    (tmp_path / "topology.json").write_bytes(b"\xff")
    async with running(tmp_path) as agent:
        agent._topology_came(part())
        await until(lambda: len(agent._spool) >= 1)


async def test_a_step_of_the_wall_clock_begins_a_new_boot(tmp_path):
    (tmp_path / "topology.json").write_bytes(encode(part()))
    clock = Clock()
    async with running(tmp_path, clock) as agent:
        await until(lambda: len(agent._spool) >= 3)
        first = agent._spool.boot
        clock.offset_us = 3_600 * SECOND_US
        await until(lambda: agent._spool.boot != first)
        await until(lambda: len(agent._spool.held()) == 2)
        held = agent._spool.held()
    assert next(iter(held)) == first
    assert [ranges.first for ranges in held.values()] == [1, 1]
    assert all(len(list(ranges)) == 1 for ranges in held.values())  # no gaps in either


async def test_two_agents_never_share_a_spool(tmp_path, monkeypatch):
    monkeypatch.setattr("probes.agent._LOCK_SECONDS", 0.1)
    async with running(tmp_path):
        with pytest.raises(UsageError, match="already runs on this data"):
            Agent(NOBODY, "p1", tmp_path)


async def test_another_probes_part_is_refused_and_the_right_one_ends_the_refusal(tmp_path):
    right = part()
    right.topology["probes"] = {"p1": {"network": "n"}}
    wrong = msgspec.structs.replace(
        right, hash="wrong", topology={**right.topology, "probes": {"p2": {"network": "n"}}}
    )
    async with running(tmp_path) as agent:
        agent._topology_came(right)
        agent._topology_came(wrong)
        status = agent._status()
        assert status.topology_hash == right.hash
        assert status.notes == [
            "topology refused, the one in use stays: topology: it is another probe's (p2); send p1 its own part"
        ]
        agent._topology_came(right)
        assert agent._status().notes is None


async def test_a_missing_secret_is_noted_until_it_is_there(tmp_path, monkeypatch):
    given = part()
    given.topology["accounts"] = {"one": {"user": "9", "realm": "r", "password": {"env": "NOWHERE"}}}
    given.topology["checks"]["register"] = {"every": "30s", "accounts": ["one"], "expires": "120s"}
    async with running(tmp_path, without_calls=monkeypatch) as agent:
        agent._topology_came(given)
        await until(lambda: agent._known)
        assert agent._status().notes == ["no secret for one: set SERENO_SECRET_ONE"]
        monkeypatch.setenv("SERENO_SECRET_ONE", "s3cret")
        assert agent._status().notes is None
