"""Calls that come back: across the cores of a real lab, and out to its PSTN and in again by number."""

import asyncio

import msgspec
import pytest

from probes.checks import REGISTRY, Runtime, targets
from probes.sip.pool import CallPool
from sereno.clock import SystemClock
from sereno.topology import load_topology
from sereno.topology.model import Topology
from tests.integration.test_probes_calls import bound

pytestmark = pytest.mark.lab

NUMBER = "+50640001001"
TERMINATING = {"every": "60s", "account": "monitor-1", "callee": "answer-1", "hold": "4s", "timeout": "2s"}
PSTN = {
    "every": "30m", "account": "monitor-1", "numbers": {NUMBER: "answer-2"}, "max_per_hour": 2, "max_duration": "20s",
    "display": "SERENO TEST", "sbc": "sbc-1", "core": "core-a", "hold": "4s", "timeout": "2s",
}  # fmt: skip


def asked(lab, **checks):
    plain = load_topology(lab.topology_path).model_dump(mode="json", by_alias=True, exclude_none=True)
    return Topology.model_validate_json(msgspec.json.encode(plain | {"checks": plain["checks"] | checks}))


async def measured(topology, kind, tmp_path, *, only=lambda _: True, times=1):
    found = [target for target in targets(topology, "lab-1", [kind]) if only(target)]
    clock = SystemClock()
    pool = CallPool(found, clock)
    runtime = Runtime(clock=clock, topology=topology, calls=pool, extras={"pstn calls": tmp_path / "calls.json"})
    await pool.start()
    try:
        results = []
        for _ in range(times):
            results += await asyncio.gather(*(REGISTRY[kind](target, runtime) for target in found))
        return results
    finally:
        await pool.stop()


async def test_a_phone_of_one_core_is_called_through_the_other_and_both_ends_are_measured(lab, tmp_path):
    results = await measured(asked(lab, terminating=TERMINATING), "terminating", tmp_path)
    assert [(r.outcome, r.reason, r.sbc, r.core, r.target, r.answered_core) for r in results] == [
        ("ok", None, "sbc-1", "core-a", "sbc-2/core-b", "core-a"),
        ("ok", None, "sbc-2", "core-b", "sbc-1/core-a", "core-b"),
    ]
    for result in results:
        callee = result.facts["callee"]
        assert (callee["location"], callee["caller"], callee["marked"], callee["signal"]) == (
            "replicated", "9000", True, "ours",
        )  # fmt: skip
        assert 0 < callee["invited_after_seconds"] <= result.setup_seconds
        assert 0 < callee["delay_seconds"] < result.facts["echo_delay_seconds"]  # one way is less than both
        assert callee["media"]["rx"]["packets"] > 150
        assert callee["media"]["rx"]["src"].startswith(f"{lab.net}.1.{callee['sbc'][-1]}:")  # by its own SBC
        assert result.media["rx"]["src"].startswith(f"{lab.net}.1.{result.sbc[-1]}:")
    assert not any(bound(lab, core, "9002") for core in ("core-a", "core-b"))  # nobody is left to ring


async def test_lost_replication_is_told_as_such(lab, tmp_path):
    lab.break_("core-a:noreplication")
    topology = asked(lab, terminating=TERMINATING)
    (result,) = await measured(topology, "terminating", tmp_path, only=lambda t: t.core == "core-a")
    assert (result.outcome, result.reason, result.code, result.answered_core) == (
        "failed", "binding_missing", 480, "core-a",
    )  # fmt: skip
    assert "location is not replicated" in result.evidence["detail"]
    assert result.facts["callee"] == {
        "account": "answer-1", "sbc": "sbc-2", "core": "core-b",
        "invited": False, "location": "not_replicated", "second_try": True,
    }  # fmt: skip
    assert any("INVITE sip:9002@" in row["text"] for row in result.evidence["messages"])


async def test_a_core_that_refuses_the_registration_is_told_at_that_stage(lab, tmp_path):
    lab.break_("core-b:nodb")
    topology = asked(lab, terminating=TERMINATING)
    (result,) = await measured(topology, "terminating", tmp_path, only=lambda t: t.core == "core-a")
    assert (result.outcome, result.reason, result.facts["stage"]) == ("failed", "sip_5xx", "register")
    assert result.answered_core == "core-b"


async def test_out_to_the_pstn_and_in_again_no_more_often_than_allowed(lab, tmp_path):
    good, refused, over = await measured(asked(lab, pstn=PSTN | {"max_per_hour": 2}), "pstn", tmp_path, times=3)
    assert [good.outcome, refused.outcome] == ["ok", "ok"]
    callee = good.facts["callee"]
    assert (good.target, callee["invited"], callee["signal"], callee["marked"]) == (NUMBER, True, "ours", False)
    assert callee["caller"] != "9000"  # the gateway calls by its own number: the sound is what tells
    assert callee["media"]["rx"]["packets"] > 150
    assert (over.outcome, over.reason) == ("invalid", "probe_fault")
    assert "max_per_hour" in over.evidence["detail"]
    assert over.setup_seconds is None


async def test_a_number_that_leads_nowhere_is_refused_and_the_mark_is_in_from(lab, tmp_path):
    topology = asked(lab, pstn=PSTN | {"numbers": {"+50640009999": "answer-2"}})
    (result,) = await measured(topology, "pstn", tmp_path)
    assert (result.outcome, result.code, result.facts["callee"]["invited"]) == ("failed", 404, False)
    invites = [row["text"] for row in result.evidence["messages"] if row["text"].startswith("INVITE")]
    assert invites
    assert all('From: "SERENO TEST" <sip:9000@' in text and "X-Test-Call: sereno" in text for text in invites)
