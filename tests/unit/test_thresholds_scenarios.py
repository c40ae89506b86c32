"""Threshold alarms through `sereno replay`: they fire, do not just below, hold between, clear; unknown says nothing."""

import pytest
from streams import Run, spans, topology

SLOW = {
    **{check: {"every": "5s", "timeout": "900ms"} for check in ("edge", "options", "natural")},
    "register": {"every": "10s", "accounts": ["m1", "m2"]},
    "call": {"every": "20s", "account": "m1", "to": "sip:600@{core}"},
}


@pytest.fixture
def run(tmp_path):
    return lambda **changes: Run(tmp_path, topology(**({"checks": SLOW} | changes)))


def lossy(rate, jitter=0.002, **fields):
    stream = {"codec": "PCMA", "packets": round(1000 * (1 - rate)), "expected": 1000, "lost": round(1000 * rate)}
    return {"codec": "PCMA", "media": {"rx": stream | {"jitter_mean_seconds": jitter} | fields}}


def poor(since, until, rate, **fields):
    """Calls through sbc-1 that lose so much, all others nothing."""

    def bad(check, sbc, _core, second):
        if check != "call":
            return None
        return lossy(rate, **fields) if sbc == "sbc-1" and since <= second < until else lossy(0)

    return bad


def of(answer, alarm):
    return [one for one in answer["alarms"] if one["alarm"] == alarm]


def test_21_loss_degrades_the_sbc_it_is_on_and_nothing_else(run):
    answer = run().watch(1500, poor(120, 800, 0.05), every=5).go()
    [high] = of(answer, "loss_high")
    assert (high["kind"], high["name"]) == ("sbc", "sbc-1")
    assert {one["name"] for one in answer["alarms"] if one["alarm"].startswith("loss_high")} == {"sbc-1"}
    [degraded] = spans(answer, "sbc", "sbc-1", "degraded")
    assert 400 < degraded[0] < 600
    assert 1000 < degraded[1] < 1200
    assert not [one for one in answer["intervals"] if one["state"] == "down"]
    assert not spans(answer, "sbc", "sbc-2", "degraded")
    assert {one["priority_peak"] for one in answer["incidents"] if one["class"] == "service"} == {"Normal"}
