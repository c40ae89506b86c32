"""Self-doubt: what a probe does not believe of its own results, and how it notices that it did not run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.verdicts.samples import FAIL, VOID, sample
from probes import doubt
from probes.checks import Target, result
from probes.pulse import BEAT_SECONDS, BOUNDS, STALL_SECONDS, Pulse
from sereno.clock import SECOND_US

NOW = 1_800_000_000 * SECOND_US
TARGET = Target(check="options", sbc="sbc-1", core="core-a")
BOTH = {"sip:a": True, "tcp:b:1": True}
ONE = {"sip:a": False, "tcp:b:1": True}
NONE = {"sip:a": False, "tcp:b:1": False}


def failed(reason="timeout", **fields):
    return result(TARGET, NOW, "failed", reason, **{"answered_by": "none", **fields})


@pytest.mark.parametrize("answers", [BOTH, ONE, {}])
def test_a_failure_that_any_canary_witnesses_stays_one(answers):
    found = doubt.network(failed(), answers)
    assert (found.outcome, found.reason, found.evidence) == ("failed", "timeout", {"canaries": answers})


@pytest.mark.parametrize("reason", ["timeout", "transport", "dns"])
def test_when_no_canary_answers_either_it_is_our_network_and_the_reason_stays(reason):
    found = doubt.network(failed(reason, evidence={"messages": [1]}), NONE)
    assert (found.outcome, found.reason) == ("invalid", reason)
    assert found.evidence["canaries"] == NONE
    assert found.evidence["messages"] == [1]
    assert found.evidence["doubt"] == "network"
    assert "own network" in found.evidence["error"]


def test_an_answer_however_bad_proves_our_network():
    assert doubt.network(failed("sip_5xx", answered_by="core", code=503), NONE).outcome == "failed"


def test_a_call_that_broke_off_when_our_network_went_is_no_failure():
    assert doubt.network(failed("no_media", answered_by="core"), NONE).outcome == "invalid"
    assert doubt.network(failed("no_media", answered_by="core"), ONE).outcome == "failed"


def test_the_collector_holds_the_same_of_results_that_were_not_judged_by_their_probe():
    for answers, weight in ((NONE, VOID), (ONE, FAIL), ({}, FAIL)):
        plain = failed(evidence={"canaries": answers})
        assert sample(plain, NOW, 900_000).weight == weight
        assert sample(doubt.network(failed(), answers), NOW, 900_000).weight == weight


@pytest.mark.parametrize(("lost", "outcome"), [(0.0, "failed"), (0.44, "failed"), (0.45, "invalid"), (9.0, "invalid")])
def test_a_silence_while_we_did_not_run_proves_nothing(lost, outcome):
    found = doubt.cpu(failed(), lost, 0.9)
    assert found.outcome == outcome
    if outcome == "invalid":
        assert found.reason == "probe_fault"
        assert found.evidence["seen"] == "timeout"
        assert "did not run" in found.evidence["error"]


def test_what_was_answered_needs_no_cpu_of_ours_to_be_true():
    assert doubt.cpu(failed("sip_5xx", answered_by="core", code=503), 9.0, 0.9).outcome == "failed"
    good = result(TARGET, NOW, "ok", answered_by="core")
    assert doubt.cpu(good, 9.0, 0.9) is good


@pytest.mark.parametrize(("offset", "words"), [(2.5, "2.500 s behind"), (-2.5, "2.500 s ahead of")])
def test_a_clock_that_is_off_makes_everything_invalid_and_puts_it_where_it_belongs(offset, words):
    for found in (failed(), result(TARGET, NOW, "ok", answered_by="core")):
        told = doubt.clock(found, offset)
        assert (told.outcome, told.reason) == ("invalid", "probe_fault")
        assert told.at_us == NOW + round(offset * SECOND_US)
        assert words in told.evidence["error"]
        assert told.evidence["seen"] in {"timeout", "ok"}


# -- the pulse ---------------------------------------------------------------------------------------------------------


def beating(pulse, start, end):
    """Beats in time from `start` to `end`; the last one's instant."""
    count = round((end - start) / BEAT_SECONDS)
    for number in range(count + 1):
        pulse.beat(start + number * BEAT_SECONDS)
    return start + count * BEAT_SECONDS


def test_a_stopped_process_knows_for_how_long():
    pulse = Pulse()
    last = beating(pulse, 0.0, 10.0)
    assert pulse.lost(0.0, last) == 0.0
    resumed = last + 5.0
    assert pulse.lost(9.9, resumed) == pytest.approx(5.0 - BEAT_SECONDS), "before the beat that is overdue"
    pulse.beat(resumed)
    assert pulse.lost(9.9, resumed) == pytest.approx(5.0 - BEAT_SECONDS)
    assert pulse.lost(resumed, resumed + 0.2) == 0.0
    assert pulse.lost(0.0, 9.0) == 0.0
    assert pulse.stalled_seconds == pytest.approx(5.0 - BEAT_SECONDS)


def test_a_suspended_machine_lost_time_that_no_monotonic_clock_shows():
    pulse = Pulse()
    last = beating(pulse, 0.0, 1.0)
    pulse.beat(last + BEAT_SECONDS, 3_600.0)
    assert pulse.lost(last, last + 0.4) == pytest.approx(3_600.0)
    assert pulse.lost(last + 0.3, last + 0.4) == 0.0


def test_a_busy_machine_is_no_stall():
    pulse = Pulse()
    now = 0.0
    for _ in range(100):
        now += BEAT_SECONDS + STALL_SECONDS * 0.9
        pulse.beat(now)
    assert pulse.stalled_seconds == 0.0


@given(st.lists(st.floats(0.001, 5), min_size=1, max_size=40), st.floats(0, 100), st.floats(0, 20))
def test_never_more_lost_than_went_by(steps, since, length):
    pulse = Pulse()
    now = 0.0
    for step in steps:
        now += step
        pulse.beat(now)
    since = min(since, now)
    until = min(now, since + length)
    assert -1e-9 <= pulse.lost(since, until) <= until - since + 1e-9


@given(st.lists(st.floats(0, 3), max_size=200))
def test_lateness_counts_everything_once_and_percentiles_are_of_what_came_since(lates):
    pulse = Pulse()
    for late in lates:
        pulse.fired(late)
    told = pulse.lateness()
    assert sum(told.counts) == len(lates)
    for index, bound in enumerate(BOUNDS):
        assert sum(told.counts[: index + 1]) == sum(late <= bound for late in lates)
    if lates:
        assert told.max_seconds == pytest.approx(max(lates), abs=1e-6)
        assert told.p50_seconds <= told.p99_seconds <= told.max_seconds
    again = pulse.lateness()
    assert again.counts == told.counts
    assert again.max_seconds is None
