"""What a test call makes of far ends that misbehave, and of signalling that dies while media go on: the real lab."""

import asyncio
import time

import msgspec
import pytest

from tests.integration.test_probes_calls import Bench, first_path, until

pytestmark = pytest.mark.lab


class Calls(Bench):
    """Calls to extensions of the lab's far ends, with or without SRTP."""

    def __init__(self, lab, *, hold=3.6, timeout=1.5):
        super().__init__(lab, "call", only=first_path, hold=hold, timeout=timeout)

    async def to(self, extension, srtp="none"):
        checks = self.topology.checks
        call = checks.call.model_copy(update={"srtp": srtp})
        self.runtime.topology = self.topology.model_copy(update={"checks": checks.model_copy(update={"call": call})})
        target = self.targets[0]
        return await self.measure(msgspec.structs.replace(target, to=target.to.replace("echo", extension)))


async def test_our_signal_comes_back_recognised_with_its_delay(lab):
    async with Calls(lab) as calls:
        result, early = await asyncio.gather(calls.to("echo"), calls.to("echo-early"))
    assert (result.outcome, result.reason) == (early.outcome, early.reason) == ("ok", None)
    assert result.facts["signal"] == early.facts["signal"] == "ours"
    assert 0 < result.facts["echo_delay_seconds"] < 0.5
    assert result.facts["codecs_offered"] == ["PCMA"]
    assert "@" in result.facts["call_id"] or len(result.facts["call_id"]) >= 16
    assert early.post_dial_delay_seconds < 0.9 < early.setup_seconds  # the 183 is what a caller hears first


async def test_another_signal_and_silence_are_told_apart(lab):
    async with Calls(lab) as calls:
        wrong, dead = await asyncio.gather(calls.to("echo-tone"), calls.to("echo-mute"))
    assert (wrong.outcome, wrong.reason, wrong.facts["signal"]) == ("failed", "wrong_audio", "other")
    assert (dead.outcome, dead.reason, dead.facts["signal"]) == ("failed", "dead_air", "nothing")


async def test_a_callee_that_only_rings_is_no_answer_and_is_cancelled(lab):
    async with Calls(lab) as calls:
        result = await calls.to("echo-ring")
        await until(lambda: not lab.status()["components"]["core-a"]["calls"])  # the CANCEL reached it
    assert (result.outcome, result.reason, result.answered_by) == ("failed", "no_answer", "none")
    assert 0 < result.post_dial_delay_seconds < 1.0
    assert result.setup_seconds is None
    assert "X-Test-Call: sereno\r\n" in result.evidence["messages"][0]["text"]


async def test_a_reinvite_of_the_far_end_is_survived_and_its_bye_is_a_cut(lab):
    async with Calls(lab) as calls:
        again, cut = await asyncio.gather(calls.to("echo-reinvite"), calls.to("echo-bye"))
    assert (again.outcome, again.reason, again.facts["signal"], again.facts["srtp"]) == ("ok", None, "ours", False)
    assert (cut.outcome, cut.reason, cut.facts["cut_off"]["by"]) == ("failed", "cut_off", "bye")
    assert 0.8 < cut.facts["cut_off"]["noticed_after_seconds"] < 2.0
    assert cut.evidence["ended_by"] == "far_end"


async def test_srtp_is_agreed_when_it_is_optional_and_when_it_is_required(lab):
    async with Calls(lab) as calls:
        results = [await calls.to("echo", srtp) for srtp in ("optional", "required")]
    assert [(r.outcome, r.reason, r.facts["srtp"], r.facts["signal"]) for r in results] == [
        ("ok", None, True, "ours")
    ] * 2
    assert all("inline:" not in msgspec.json.encode(r).decode() for r in results)


async def test_signalling_that_dies_while_media_go_on_is_seen_within_two_seconds(lab):
    async with Calls(lab, hold=15.0) as calls:
        call = asyncio.create_task(calls.to("echo"))
        await until(lambda: lab.status()["components"]["core-a"]["calls"])
        await asyncio.sleep(1.2)  # the dialog has had its first answers: without one, silence would prove nothing
        broken = time.monotonic()
        lab.break_("sbc-1:drop")
        result = await call
        took = time.monotonic() - broken
    cut = result.facts["cut_off"]
    assert (result.outcome, result.reason, cut["by"]) == ("failed", "cut_off", "signalling")
    assert cut["noticed_after_seconds"] - cut["after_seconds"] <= 2.3  # two seconds, and a busy machine
    assert took < 2.0 + 1.0 + 1.0  # and the BYE's patience
