"""Real calls whose packets shake: by the network, or by a worker that is not let run. The lab."""

import asyncio
import contextlib
import os
import signal

import pytest

from tests.integration.test_probes_calls import Bench, first_path, until

pytestmark = pytest.mark.lab


def of_this_lab(lab, meter):
    """The streams of this lab's SBCs: others on this machine may make calls over the same ports."""
    net = bytes(int(part) for part in lab.net.split("."))
    return [
        row for row in meter.snapshot() if net in {row[side].tobytes()[12 : 12 + len(net)] for side in ("src", "dst")}
    ]


@contextlib.asynccontextmanager
async def calling(lab, hold):
    """A call with media both ways, its worker, and where its result comes."""
    async with Bench(lab, "call", only=first_path, hold=hold, timeout=4.0) as bench:
        if bench.pool.notes:
            pytest.skip(bench.pool.notes[0])
        call = asyncio.create_task(bench.measure())
        meter = bench.pool.meter(bench.targets[0])
        await until(lambda: call.done() or sum(row["packets"] >= 25 for row in of_this_lab(lab, meter)) >= 2)
        assert not call.done(), call.result()
        yield bench.pool.workers[0].pid, call


async def stopped(pid, seconds):
    os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(seconds)  # the length of the fault itself
    os.kill(pid, signal.SIGCONT)


async def test_jitter_of_the_network_is_measured_and_our_own_told_beside_it(lab):
    lab.break_("media:sbc-1:jitter=40ms")
    async with calling(lab, 3.0) as (_, call):
        result = await call
    assert (result.outcome, result.facts["own_jitter_source"]) == ("ok", "meter")
    assert result.facts["own_jitter_seconds"] == result.media["tx"]["jitter_mean_seconds"]
    if "quality_unmeasured" not in result.facts:  # this machine let us send evenly, as it nearly always does
        assert result.media["rx"]["jitter_mean_seconds"] > 0.008 > result.facts["own_jitter_seconds"]
        assert result.media["rx"]["mos_lq"] is not None


async def test_a_worker_kept_away_for_a_moment_is_not_the_networks_jitter(lab):
    async with calling(lab, 3.0) as (worker, call):
        for _ in range(2):
            await stopped(worker, 0.16)
            await asyncio.sleep(0.3)
        result = await call
    assert (result.outcome, result.facts["quality_unmeasured"]) == ("ok", "own_jitter")
    assert not {"mos_lq", "discarded", "jitter_mean_seconds"} & result.media["rx"].keys()
    assert result.media["rx"]["packets"] > 100
    assert result.media["tx"]["jitter_max_seconds"] > 0.005


async def test_a_worker_that_did_not_run_for_seconds_says_nothing_of_the_softswitch(lab):
    async with calling(lab, 5.0) as (worker, call):
        await stopped(worker, 2.6)
        result = await call
    assert result.outcome in {"ok", "invalid"}, result
    assert result.facts["quality_unmeasured"] == "own_stall"
    assert result.facts["own_stall_seconds"] > 1.5
    assert "mos_lq" not in result.media["rx"]
