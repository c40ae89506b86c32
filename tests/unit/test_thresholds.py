"""The shipped threshold alarms, each by what its results say: it fires, not just below, holds between, clears.

The engine alone, without a desk: what is said is said at the crossing, before the alarm's own `for`. OPTIONS,
registrations and calls.
"""

import pytest
from thresholds import Told, options, ring

# -- OPTIONS -----------------------------------------------------------------------------------------------------------

WRONG = {"outcome": "failed", "reason": "wrong_core", "answered_core": "core-b"}


def test_wrong_core_by_threes_in_a_minute():
    told = Told()
    end = options(told, 0, 60, lambda place: WRONG if place in {10, 30} else {})
    end = options(told, end, 20)
    assert not told.says("wrong_core", "path", "sbc-1/core-a")
    end = options(told, end, 60, lambda place: WRONG if place in {5, 20, 35} else {})
    assert told.says("wrong_core", "path", "sbc-1/core-a")
    end = options(told, end, 240)
    assert told.says("wrong_core", "path", "sbc-1/core-a")
    options(told, end, 120)
    assert not told.says("wrong_core", "path", "sbc-1/core-a")


def test_retransmissions_in_a_hundred():
    again = {"retransmissions": 1, "rtt_seconds": None, "answered_after_seconds": 0.6}
    told = Told()
    end = options(told, 0, 700, lambda place: again if place % 55 == 54 else {})  # 1.8 %
    assert not told.says("retransmissions", "path", "sbc-1/core-a")
    end = options(told, end, 700, lambda place: again if place % 45 == 44 else {})  # 2.2 %
    assert told.says("retransmissions", "path", "sbc-1/core-a")
    end = options(told, end, 700, lambda place: again if place % 100 == 0 else {})  # 1 %: between
    assert told.says("retransmissions", "path", "sbc-1/core-a")
    options(told, end, 700)
    assert not told.says("retransmissions", "path", "sbc-1/core-a")


def test_a_path_that_became_slower_than_last_week():
    told = Told()
    for place in range(3 * 360):  # three hours of 20 ms
        told.at(place * 10, "options", rtt_seconds=0.02)
    begin = 3 * 3600
    options(told, begin, 400, lambda _: {"rtt_seconds": 0.06})  # three times, and not 50 ms more
    assert not told.says("rtt_shift", "path", "sbc-1/core-a")
    options(told, begin + 400, 400, lambda _: {"rtt_seconds": 0.072})
    assert told.says("rtt_shift", "path", "sbc-1/core-a")
    assert told.true["rtt_shift", "path", "sbc-1/core-a"].facts["value"] == pytest.approx(3.6, rel=0.05)
    options(told, begin + 800, 400, lambda _: {"rtt_seconds": 0.025})
    assert not told.says("rtt_shift", "path", "sbc-1/core-a")


def test_nobody_knows_of_a_shift_before_an_hour_is_over():
    told = Told()
    options(told, 0, 1200)
    options(told, 1200, 1200, lambda _: {"rtt_seconds": 0.5})
    assert not told.says("rtt_shift", "path", "sbc-1/core-a")


# -- registrations -----------------------------------------------------------------------------------------------------


def test_a_binding_that_is_gone_before_its_time():
    told = Told()
    told.at(0, "register", account="m1")
    told.at(10, "register", account="m1", outcome="failed", reason="binding_missing")
    assert told.true["binding_lost", "sbc", "sbc-1"].facts["parts"] == {"m1": 1}
    told.at(20, "register", account="m1", outcome="failed", reason="timeout", answered_by="none")  # says nothing of it
    assert told.says("binding_lost")
    told.at(30, "register", account="m1")
    assert not told.says("binding_lost")


def test_rebinding_takes_longer_than_a_minute():
    told = Told()
    told.at(0, "register", account="m1", facts={"rebind_seconds": {"hq": 59.0}})
    assert not told.says("rebind_slow", "site", "hq")
    told.at(10, "register", account="m1", facts={"rebind_seconds": {"hq": 61.0}})
    assert told.says("rebind_slow", "site", "hq")
    told.at(20, "register", account="m1", facts={"rebind_seconds": {"hq": 45.0}})
    assert told.says("rebind_slow", "site", "hq")
    told.at(30, "register", account="m1", facts={"rebind_seconds": {"hq": 30.0}})
    assert not told.says("rebind_slow", "site", "hq")


# -- calls -------------------------------------------------------------------------------------------------------------

REFUSED = {"outcome": "failed", "reason": "sip_4xx", "code": 480, "answered_by": "core", "setup_seconds": None}


def test_few_calls_are_answered():
    told = Told()
    end = ring(told, 0, 60, bad=lambda place: REFUSED if place % 25 == 24 else {})  # 4 %
    assert not told.says("ser_low")
    end = ring(told, end, 60, bad=lambda place: REFUSED if place % 15 == 5 else {})  # 6.7 %
    assert told.says("ser_low")
    assert told.says("ser_low", "service", "voz")
    end = ring(told, end, 60, bad=lambda place: REFUSED if place % 30 == 5 else {})  # 3.3 %: between
    assert told.says("ser_low")
    ring(told, end, 60)
    assert not told.says("ser_low")


def test_an_outage_of_calls_is_told_by_itself_and_never_afterwards():
    told = Told()
    end = ring(told, 0, 30)
    end = ring(told, end, 10, bad=lambda _: REFUSED)
    ring(told, end, 60)
    assert not [one for one in told.changes if one.what == "ser_low"]
    assert [one.state for one in told.changes if one.what == "call_failing"] == ["true", "false"]


def test_no_audio_in_two_of_three_calls_of_a_direction():
    told = Told()
    dead = {"outcome": "failed", "reason": "one_way", "evidence": {"detail": "nothing of ours is heard there"}}
    end = ring(told, 0, 7, bad=lambda place: dead if place in {0, 3, 6} else {})  # one of three
    assert not told.says("audio_broken")
    end = ring(told, end, 1, bad=lambda _: dead)
    assert told.true["audio_broken", "sbc", "sbc-1"].facts["parts"] == {"tx": 2}
    end = ring(told, end, 2)
    assert told.says("audio_broken")
    ring(told, end, 1)
    assert not told.says("audio_broken")
    ring(told, end + 20, 2, bad=lambda _: dead | {"evidence": None, "reason": "wrong_audio"})
    assert told.true["audio_broken", "sbc", "sbc-1"].facts["parts"] == {"rx": 2}


def test_calls_that_are_cut():
    cut = {"outcome": "failed", "reason": "cut_off"}
    told = Told()
    end = ring(told, 0, 60, bad=lambda place: cut if place in {0, 50} else {})  # more than 15 minutes between
    assert not told.says("calls_cut", "path", "sbc-1/core-a")
    end = ring(told, end, 20, bad=lambda place: cut if place == 10 else {})
    assert told.says("calls_cut", "path", "sbc-1/core-a")
    end = ring(told, end, 75)
    assert told.says("calls_cut", "path", "sbc-1/core-a")
    ring(told, end, 30)
    assert not told.says("calls_cut", "path", "sbc-1/core-a")


def test_byes_without_an_answer():
    hung = {"outcome": "failed", "reason": "bye_unanswered"}
    told = Told()
    end = ring(told, 0, 5, bad=lambda place: hung if place == 2 else {})
    end = ring(told, end, 1)
    assert not told.says("bye_unanswered", "path", "sbc-1/core-a")
    end = ring(told, end, 2, bad=lambda _: hung)
    assert told.says("bye_unanswered", "path", "sbc-1/core-a")
    end = ring(told, end, 4)
    assert told.says("bye_unanswered", "path", "sbc-1/core-a")
    ring(told, end, 1)
    assert not told.says("bye_unanswered", "path", "sbc-1/core-a")


def test_setting_up_takes_long():
    told = Told()
    end = ring(told, 0, 50, bad=lambda _: {"post_dial_delay_seconds": 2.9, "setup_seconds": 3.9})
    assert not told.says("setup_slow", "path", "sbc-1/core-a")
    end = ring(told, end, 50, bad=lambda _: {"post_dial_delay_seconds": 3.1, "setup_seconds": 3.9})
    assert told.says("setup_slow", "path", "sbc-1/core-a")
    end = ring(told, end, 50, bad=lambda _: {"post_dial_delay_seconds": 2.5, "setup_seconds": 2.6})
    assert told.says("setup_slow", "path", "sbc-1/core-a")
    ring(told, end, 50, bad=lambda _: {"post_dial_delay_seconds": 1.9, "setup_seconds": 1.95})
    assert not told.says("setup_slow", "path", "sbc-1/core-a")


def test_calls_from_core_to_core_count_only_while_both_paths_are_well():
    told = Told()
    fields = {"target": "sbc-2/core-b", "account": "m1"}
    lost = {"outcome": "failed", "reason": "binding_missing"}
    for second, said in ((0, {}), (60, lost), (120, {}), (180, lost), (240, lost)):
        told.at(second, "terminating", **fields, **said)
        assert told.says("cross_core_call", "service", "voz") == (second == 240)
    told.at(300, "terminating", **fields)
    assert told.says("cross_core_call", "service", "voz")
    told.at(360, "terminating", **fields)
    assert not told.says("cross_core_call", "service", "voz")
    silent = {"outcome": "failed", "reason": "timeout", "answered_by": "none"}
    for second in range(400, 420):
        told.at(second, "options", sbc="sbc-2", core="core-b", **silent)
    told.at(421, "terminating", **fields, **lost)
    told.at(430, "terminating", **fields, **lost)
    assert not told.says("cross_core_call", "service", "voz")
