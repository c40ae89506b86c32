"""How long phones are without a registration when a core or an SBC of a real lab dies, and what a restart forgets."""

import msgspec
import pytest

from probes.checks import REGISTRY, Runtime, targets
from probes.sip.pool import CallPool
from sereno.clock import SystemClock
from tests.integration.test_probes_calls_returning import asked

pytestmark = pytest.mark.lab

REGISTER = {"every": "10s", "accounts": ["monitor-1"], "expires": "60s", "natural": True}
CALL = {"every": "20s", "account": "monitor-1", "to": "sip:echo@{core}", "hold": "4s", "natural": True}


class Phones:
    """One account on every path and, with core None, as phones have it; deadlines of 1.5 s."""

    def __init__(self, lab, *kinds):
        topology = asked(lab, register=REGISTER, call=CALL)
        found = [
            msgspec.structs.replace(t, timeout_us=1_500_000)
            for t in targets(topology, "lab-1", kinds)
            if t.check == "register" or t.core is None
        ]
        self.targets = {(t.check, t.sbc, t.core): t for t in found}
        clock = SystemClock()
        self.pool = CallPool(found, clock, capture=False)
        self.runtime = Runtime(clock=clock, topology=topology, calls=self.pool)

    async def __aenter__(self):
        await self.pool.start()
        return self

    async def __aexit__(self, *_):
        await self.pool.stop()

    async def measure(self, sbc, core=None, check="register"):
        return await REGISTRY[check](self.targets[check, sbc, core], self.runtime)


async def test_a_core_dies_and_the_way_back_is_through_any_path_of_the_site(lab):
    async with Phones(lab, "register") as phones:
        assert (await phones.measure("sbc-1", "core-a")).outcome == "ok"
        lab.break_("core-a:freeze")
        lost = await phones.measure("sbc-1", "core-a")
        again = await phones.measure("sbc-2", "core-b")
    assert (lost.outcome, lost.reason) == ("failed", "timeout")
    assert again.outcome == "ok"
    ((site, seconds),) = again.facts["rebind_seconds"].items()
    assert site == "acme-bog"
    assert lost.duration_seconds + again.duration_seconds <= seconds < lost.duration_seconds + 1.5


async def test_an_sbc_dies_and_a_phone_comes_back_through_the_other(lab):
    async with Phones(lab, "register") as phones:
        assert (await phones.measure("sbc-1")).outcome == "ok"
        lab.break_("sbc-1:freeze")
        lost = await phones.measure("sbc-1")
        again = await phones.measure("sbc-2")
        quiet = await phones.measure("sbc-2")
    assert (lost.outcome, lost.reason, lost.core, lost.answered_by) == ("failed", "timeout", None, "none")
    assert 1.4 <= again.facts["rebind_seconds"]["acme-bog"] < 3.5
    assert "rebind_seconds" not in quiet.facts


async def test_phones_outlive_a_core_that_their_sbc_leaves(lab):
    lab.break_("core-a")
    async with Phones(lab, "register", "call") as phones:
        registered = await phones.measure("sbc-1")
        called = await phones.measure("sbc-1", check="call")
    assert (registered.outcome, registered.core, registered.answered_core) == ("ok", None, "core-b")
    assert (called.outcome, called.core, called.answered_core, called.facts["signal"]) == ("ok", None, "core-b", "ours")


async def test_a_core_that_forgot_everything_is_told_by_the_fetch_before_the_renewal(lab):
    async with Phones(lab, "register") as phones:
        assert (await phones.measure("sbc-1", "core-a")).outcome == "ok"
        kept = await phones.measure("sbc-1", "core-a")
        lab.break_("core-a")
        lab.heal("core-a")
        gone = await phones.measure("sbc-1", "core-a")
        mended = await phones.measure("sbc-1", "core-a")
    assert (kept.outcome, kept.facts["fetch"]["kept"]) == ("ok", True)
    assert (gone.outcome, gone.reason, gone.code) == ("failed", "binding_missing", 200)
    assert gone.facts["fetch"]["kept"] is False
    assert "response=" not in msgspec.json.encode(gone).decode()  # the fetch's own credentials stay here too
    assert (mended.outcome, mended.facts["fetch"]["kept"]) == ("ok", True)
