"""Edge, forced and natural OPTIONS against the real softswitch, well and broken."""

import asyncio

import msgspec
import pytest

from probes.checks import REGISTRY, Runtime, targets
from probes.schedule import Scheduler
from probes.sip.client import SipClient
from sereno.clock import SystemClock, parse_instant
from sereno.topology import load_topology
from sereno.wire import Result

pytestmark = pytest.mark.lab
KINDS = ("edge", "options", "natural")
Found = dict[tuple[str, str | None, str | None], Result]


async def measure(lab, kinds=KINDS, timeout_us=None, wait_for_late=0) -> tuple[Found, list[Result]]:
    """One of each check, all at once; and the late results that came within some seconds."""
    topology = load_topology(lab.topology_path)
    late: list[Result] = []
    runtime = Runtime(clock=SystemClock(), topology=topology, probe="test", sip=SipClient("test"), emit=late.append)
    try:
        chosen = targets(topology, "test", kinds)
        if timeout_us is not None:
            chosen = [msgspec.structs.replace(t, timeout_us=timeout_us) for t in chosen]
        results = await asyncio.gather(*(REGISTRY[t.check](t, runtime) for t in chosen))
        if wait_for_late:
            async with asyncio.timeout(8):
                while len(late) < wait_for_late:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
    finally:
        await runtime.sip.close()
    return {(r.check, r.sbc, r.core): r for r in results}, late


def outcomes(found: Found, check: str) -> dict:
    return {
        (r.sbc, r.core): r.reason or r.outcome for (kind, _, _), r in found.items() if kind == check
    }  # fmt: skip


PATHS = [(sbc, core) for sbc in ("sbc-1", "sbc-2") for core in ("core-a", "core-b")]
EDGES = [("sbc-1", None), ("sbc-2", None)]


async def test_well_everything_answers_and_says_who_it_is(lab):
    found, _ = await measure(lab)
    assert len(found) == 8
    assert sum(r.rtt_seconds is not None for r in found.values()) >= 4
    for (check, _, core), r in found.items():
        assert r.outcome == "ok", r
        assert r.reason is None
        if r.retransmissions is None:  # a first packet may carry no stamp of the kernel: no round trip then
            took = r.rtt_seconds if r.rtt_seconds is not None else r.answered_after_seconds
            assert 0 < took < 0.5
        if check == "edge":
            assert (r.answered_by, r.code) == ("sbc", 483)
        else:
            assert r.answered_by == "core"
            assert core in {None, r.answered_core}


async def test_a_frozen_core_is_silence_on_its_paths_and_failover_for_phones(lab):
    lab.break_("core-a:freeze")
    found, _ = await measure(lab)
    assert outcomes(found, "options") == {p: "timeout" if p[1] == "core-a" else "ok" for p in PATHS}
    assert outcomes(found, "edge") == dict.fromkeys(EDGES, "ok")
    assert outcomes(found, "natural") == dict.fromkeys(EDGES, "ok")
    assert {found["natural", sbc, None].answered_core for sbc, _ in EDGES} == {"core-b"}
    silent = found["options", "sbc-1", "core-a"]
    assert silent.answered_by == "none"
    assert silent.retransmissions == 1
    assert [m["direction"] for m in silent.evidence["messages"]] == ["sent", "sent"]


async def test_both_cores_frozen_and_both_sbcs_frozen_are_told_apart_by_the_edge(lab):
    lab.break_("core-a:freeze")
    lab.break_("core-b:freeze")
    found, _ = await measure(lab)
    assert outcomes(found, "options") == dict.fromkeys(PATHS, "timeout")
    assert outcomes(found, "edge") == dict.fromkeys(EDGES, "ok")
    assert "ok" not in outcomes(found, "natural").values()
    lab.heal()
    lab.break_("sbc-1:freeze")
    lab.break_("sbc-2:freeze")
    found, _ = await measure(lab)
    assert set(outcomes(found, "options").values()) == set(outcomes(found, "edge").values()) == {"timeout"}


async def test_a_killed_sbc_is_refused_at_once(lab):
    lab.break_("sbc-1")
    found, _ = await measure(lab)
    dead = [r for r in found.values() if r.sbc == "sbc-1"]
    assert {(r.outcome, r.reason) for r in dead} == {("failed", "refused")}
    assert max(r.duration_seconds for r in dead) < 0.5
    assert {r.outcome for r in found.values() if r.sbc == "sbc-2"} == {"ok"}


async def test_an_sbc_that_says_503_is_named_and_its_edge_lives(lab):
    lab.break_("sbc-1:503")
    found, _ = await measure(lab)
    for core in ("core-a", "core-b"):
        r = found["options", "sbc-1", core]
        assert (r.outcome, r.reason, r.code, r.answered_by) == ("failed", "sip_5xx", 503, "sbc")
    assert outcomes(found, "edge") == dict.fromkeys(EDGES, "ok")
    assert found["natural", "sbc-1", None].reason == "sip_5xx"
    assert found["options", "sbc-2", "core-a"].outcome == "ok"


async def test_an_sbc_that_drops_is_silent_everywhere(lab):
    lab.break_("sbc-2:drop")
    found, _ = await measure(lab)
    assert {r.reason for r in found.values() if r.sbc == "sbc-2"} == {"timeout"}
    assert {r.outcome for r in found.values() if r.sbc == "sbc-1"} == {"ok"}


async def test_a_core_without_its_database_still_answers_options(lab):
    lab.break_("core-a:nodb")
    found, _ = await measure(lab, ("options",))
    assert outcomes(found, "options") == dict.fromkeys(PATHS, "ok")


async def test_a_slow_sbc_is_late_never_dead(lab):
    lab.break_("sbc-1:slow=1200ms")
    found, late = await measure(lab, wait_for_late=4)
    assert {r.reason for r in found.values() if r.sbc == "sbc-1"} == {"timeout"}
    assert {(r.check, r.sbc, r.core, r.at) for r in late} == {
        (r.check, r.sbc, r.core, r.at) for r in found.values() if r.sbc == "sbc-1"
    }
    assert {(r.outcome, r.reason) for r in late} == {("ok", "late")}
    assert all(1.2 <= r.answered_after_seconds < 3 for r in late)


async def test_without_failover_phones_see_the_dead_core(lab):
    lab.break_("sbc-1:nofailover")
    primary = load_topology(lab.topology_path).sbcs["sbc-1"].primary
    lab.break_(f"{primary}:freeze")
    found, _ = await measure(lab)
    assert found["natural", "sbc-1", None].outcome == "failed"
    other = next(core for core in ("core-a", "core-b") if core != primary)
    assert found["options", "sbc-1", other].outcome == "ok"
    assert found["natural", "sbc-2", None].outcome == "ok"


async def test_a_thawed_core_answers_what_was_queued_and_it_counts_as_late(lab):
    """The replies arrive after the thaw; `at` stays the sending's, the arrival is at + answered_after_seconds."""
    lab.break_("core-a:freeze")
    topology = load_topology(lab.topology_path)
    late: list[Result] = []
    runtime = Runtime(clock=SystemClock(), topology=topology, probe="test", sip=SipClient("test"), emit=late.append)
    try:
        chosen = [t for t in targets(topology, "test", ["options"]) if t.core == "core-a"]
        first = await asyncio.gather(*(REGISTRY["options"](t, runtime) for t in chosen))
        thawed_us = runtime.clock.now_us()
        lab.heal()
        async with asyncio.timeout(8):
            while len(late) < len(first):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    finally:
        await runtime.sip.close()
    assert {r.reason for r in first} == {"timeout"}
    assert {(r.outcome, r.reason, r.answered_core) for r in late} == {("ok", "late", "core-a")}
    assert all(r.at_us + r.answered_after_seconds * 1e6 >= thawed_us - 5_000 for r in late)


async def test_two_failures_of_every_dead_path_are_there_within_three_seconds(lab):
    """Worst case: one interval until the next check, its deadline, the extra check's deadline: 2.8 s."""
    topology = load_topology(lab.topology_path)
    results: list[Result] = []
    sip = SipClient("test")
    runtime = Runtime(clock=SystemClock(), topology=topology, probe="test", sip=sip)
    scheduler = Scheduler(targets(topology, "test", KINDS), runtime, results.append)
    running = asyncio.ensure_future(scheduler.run())
    dead = [("sbc-1", "core-a"), ("sbc-2", "core-a")]

    def failed(path) -> list[Result]:
        return [r for r in results if (r.sbc, r.core) == path and r.outcome == "failed" and r.answered_by == "none"]

    try:
        async with asyncio.timeout(15):
            while len({(r.check, r.sbc, r.core) for r in results}) < 8:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            broken_us = parse_instant((await asyncio.to_thread(lab.break_, "core-a:freeze"))["at"])
            while any(len(failed(path)) < 2 for path in dead):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await sip.close()
    for path in dead:
        first, second = failed(path)[:2]
        assert second.at_us + second.duration_seconds * 1e6 - broken_us < 3_300_000
        assert second.at_us - first.at_us < 1_500_000, "the extra check goes at the first failure"
    others = [r for r in results if (r.sbc, r.core) not in dead]
    assert {r.outcome for r in others} == {"ok"}
    assert scheduler.counts.overruns == 0
