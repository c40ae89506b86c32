"""Threshold alarms through `sereno replay`: they fire, do not just below, hold between, clear; unknown says nothing."""

import pytest
import yaml
from streams import TIMEOUT, Run, at, spans, topology

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


def test_1_twenty_healthy_minutes_say_nothing(run):
    answer = run().watch(1200, poor(0, 0, 0), every=5).go()
    assert (answer["alarms"], answer["incidents"], answer["notifications"]) == ([], [], [])
    assert {one["state"] for one in answer["intervals"]} == {"up"}


def test_just_below_nothing_is_said(run):
    answer = run().watch(1500, poor(120, 1500, 0.009, jitter=0.029), every=5).go()
    assert not answer["alarms"]


def test_4_an_outage_that_is_over_leaves_no_poor_figures_behind(run):
    def bad(check, _sbc, _core, second):
        hit = check != "edge" and 300 <= second < 420
        return TIMEOUT if hit else lossy(0) if check == "call" else None

    answer = run().watch(1800, bad, every=5).go()
    named = {one["alarm"] for one in answer["alarms"]}
    assert {"service_down", "budget_burn"} <= named
    assert named.isdisjoint(
        {"ser_low", "calls_cut", "audio_broken", "retransmissions", "call_failing", "register_failing"}
    )
    [incident] = [one for one in answer["incidents"] if one["priority_peak"] == "Urgente"]
    assert incident["state"] == "resolved"
    assert not [one for one in answer["notifications"] if one["incident"] != incident["number"]]


def test_19_what_lay_in_a_spool_raises_nothing(run):
    stream = run().watch(900, poor(0, 0, 0), every=5)
    for place in range(60):  # measured three hours before, told at minute ten
        fields = lossy(0.5, mos_lq=1.1) | {"account": "m1", "arrived": at(600)}
        stream.result(-10_800 + place * 20, "call", "sbc-1", "core-a", **fields)
    answer = stream.go()
    assert answer["alarms"] == []
    assert answer["notifications"] == []


def test_alarms_of_ones_own_beside_the_topology(run):
    stream = run().watch(300, lambda check, *_: {"rtt_seconds": 0.3} if check == "options" else None, every=5)
    own = {"measure": "rtt_seconds", "scope": ["path", "core"], "aggregate": "p50", "over": "1m", "above": 0.25}
    (stream.topology.parent / "alarms.yaml").write_text(yaml.safe_dump({"alarms": {"far_away": own}}))
    answer = stream.go()
    assert {one["alarm"] for one in answer["alarms"]} == {"far_away"}
    assert len(answer["alarms"]) == 6


def test_24_calls_that_fail_with_a_flapping_core_are_that_cores(run):
    def bad(_check, _sbc, core, second):
        return TIMEOUT if core == "core-a" and 60 <= second < 660 and (second - 60) % 60 < 50 else None

    answer = run().watch(900, bad, every=5).go()
    assert "ser_low" not in {one["alarm"] for one in answer["alarms"]}
