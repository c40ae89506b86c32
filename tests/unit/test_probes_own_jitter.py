"""What our own machine did to a call is told apart, and never said of the network."""

import msgspec
import pytest

from probes.checks.judge_call import JudgedCall
from probes.checks.own_jitter import BOUND_SECONDS, excused, measured, own_jitter
from probes.sip.ipc import Called, Clock

_SEEN = Called(id=1, ending="completed", started_ns=0, ended_ns=1)
_RX = {
    "source": "meter", "packets": 150, "expected": 150, "lost": 1, "loss_ratio": 0.0066667, "discarded": 2,
    "jitter_mean_seconds": 0.02, "jitter_max_seconds": 0.06, "pdv_max_seconds": 0.1, "mos_lq": 4.29, "r_lq": 88.0,
}  # fmt: skip
_TX = {
    "source": "meter", "packets": 150, "discarded": 0, "jitter_mean_seconds": 0.00003, "jitter_max_seconds": 0.001,
    "mos_lq": 4.41, "far_end_loss_ratio": 0.0, "far_end_jitter_mean_seconds": 0.02,
}  # fmt: skip


def clock(**given):
    return Clock(**{"ticks": 150, "skipped": 0, "jitter_mean_seconds": 0.00002, "realtime": True, **given})


def seen(**given):
    return msgspec.structs.replace(_SEEN, **given)


def media(**sent):
    return {"rx": _RX, "tx": {**_TX, **sent}}


def test_the_meter_at_departure_is_believed_before_the_clock():
    own = own_jitter(seen(clock=clock(jitter_mean_seconds=0.004)), media())
    assert own.facts == {"own_jitter_seconds": 0.00003, "own_jitter_source": "meter"}


def test_without_a_meter_the_clock_tells():
    counted = {"rx": {**_RX, "source": "pjsua2"}, "tx": {"source": "pjsua2", "packets": 150}}
    own = own_jitter(seen(clock=clock()), counted)
    assert own.facts == {"own_jitter_seconds": 0.00002, "own_jitter_source": "clock"}


def test_unknown_is_absent():
    assert own_jitter(seen(), {}).facts == {}
    assert own_jitter(seen(), {"rx": _RX}).unmeasured is None


def test_a_network_that_shakes_is_measured_while_we_are_even():
    whole = media()
    assert measured(whole, own_jitter(seen(clock=clock()), whole)) == whole


@pytest.mark.parametrize(
    ("called", "sent"),
    [
        (seen(clock=clock()), {"jitter_mean_seconds": BOUND_SECONDS * 1.01}),
        (seen(clock=clock()), {"discarded": 2}),
        (seen(clock=clock(skipped=3)), {}),
        (seen(clock=clock(jitter_mean_seconds=BOUND_SECONDS * 1.01)), {"source": "pjsua2"}),
    ],
    ids=["mean", "discarded", "skipped", "clock"],
)
def test_our_own_unevenness_leaves_quality_unmeasured_and_losses_told(called, sent):
    whole = media(**sent)
    own = own_jitter(called, whole)
    assert own.facts["quality_unmeasured"] == "own_jitter"
    told = measured(whole, own)
    assert told["rx"] == {key: _RX[key] for key in ("source", "packets", "expected", "lost", "loss_ratio")}
    assert not told["tx"].keys() & {"mos_lq", "far_end_jitter_mean_seconds"}
    assert told["tx"]["jitter_mean_seconds"] == whole["tx"]["jitter_mean_seconds"]  # this is the proof


def test_at_the_bound_it_is_measured():
    assert own_jitter(seen(clock=clock()), media(jitter_mean_seconds=BOUND_SECONDS)).unmeasured is None
    assert own_jitter(seen(clock=clock(skipped=1)), media(discarded=1)).unmeasured is None


def judged(outcome, reason):
    return JudgedCall(outcome=outcome, reason=reason, started_ns=0, duration_seconds=1.0, answered_by="none")


@pytest.mark.parametrize("reason", ["timeout", "no_answer", "no_media", "one_way", "cut_off", "bye_unanswered"])
def test_what_a_worker_that_did_not_run_missed_is_the_probes_fault(reason):
    said = excused(judged("failed", reason), own_jitter(seen(stalled_seconds=2.5), media()))
    assert (said.outcome, said.reason, said.answered_by) == ("invalid", "probe_fault", None)
    assert said.detail == f"{reason}, but this probe's own worker did not run for 2.5 s of the call"


@pytest.mark.parametrize(
    ("outcome", "reason", "stalled"),
    [("failed", "sip_5xx", 2.5), ("failed", "codec", 2.5), ("ok", None, 2.5), ("failed", "cut_off", 0.4)],
)
def test_what_was_answered_stands_and_a_short_pause_excuses_nothing(outcome, reason, stalled):
    said = excused(judged(outcome, reason), own_jitter(seen(stalled_seconds=stalled), media()))
    assert (said.outcome, said.reason) == (outcome, reason)


def test_a_stall_leaves_quality_unmeasured():
    own = own_jitter(seen(clock=clock(), stalled_seconds=0.75), media())
    assert (own.facts["quality_unmeasured"], own.facts["own_stall_seconds"]) == ("own_stall", 0.75)
    assert "mos_lq" not in measured(media(), own)["rx"]
