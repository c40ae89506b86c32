"""Calls that cost money are made in their turns alone: none extra after a failure, none early at the start."""

import asyncio

import pytest

from probes.checks import Target, result
from probes.schedule import FIRST_LOOK_SECONDS, Scheduler
from tests.integration.test_probes_schedule import running, runtime


def target(check, every_us, phase):
    return Target(
        check=check, sbc="sbc-1", core="core-a", name="+50640001001", every_us=every_us, timeout_us=40_000, phase=phase
    )


async def made(check, *, every_us, phase, seconds):
    """How often a check that always fails was made in so many seconds."""
    count = 0

    async def failing(one, run):
        nonlocal count
        count += 1
        return result(one, run.clock.now_us(), "failed", "sip_5xx", code=503)

    loop = asyncio.get_running_loop()
    scheduler = Scheduler(
        [target(check, every_us, phase)],
        runtime(),
        lambda _: None,
        registry={check: failing},
        anchor=loop.time() + 0.05,
    )
    async with running(scheduler):
        await asyncio.sleep(seconds)
    return count


@pytest.mark.parametrize(("check", "times"), [("pstn", 1), ("terminating", 2)])
async def test_a_failure_is_not_asked_about_again_at_that_price(check, times):
    assert await made(check, every_us=3_600_000_000, phase=0.0, seconds=0.3) == times


@pytest.mark.parametrize(("check", "times"), [("pstn", 0), ("terminating", 2)])
async def test_a_turn_that_is_far_away_is_waited_for(check, times):
    assert FIRST_LOOK_SECONDS < 1800
    assert await made(check, every_us=3_600_000_000, phase=0.5, seconds=0.3) == times
