"""The acceptance scenarios about late, lost and refused samples and flaps (12, 13, 20, 22, 24), as streams."""

import pytest
from streams import TIMEOUT, Bad, Run, names, spans, topology, window


@pytest.fixture
def run(tmp_path):
    return lambda **changes: Run(tmp_path, topology(**changes))


def test_12_slow_is_degraded_never_down(run):
    def bad(check, sbc, _core, second):
        if sbc == "sbc-1" and check in {"edge", "natural", "options"} and second >= 60:
            return {"reason": "late", "answered_after_seconds": 1.2}
        return None

    answer = run().watch(400, bad).go(*window("service", 400))
    assert spans(answer, "path", "sbc-1/core-a", "degraded") == [(60, 400.2)]  # the last reply comes 1.2 s late
    assert not [one for one in answer["intervals"] if one["state"] == "down"]
    assert ("options_slow", "path", "sbc-1/core-a") in names(answer)
    assert answer["availability"][0]["down_seconds"] == 0


def test_12_400_ms_is_up(run):
    answer = run().watch(400, lambda check, *_: {"rtt_seconds": 0.4} if check == "options" else None).go()
    assert {one["state"] for one in answer["intervals"]} == {"up"}
    assert answer["alarms"] == []


def test_12_late_replies_told_after_their_timeouts(run):
    """As a probe tells it: first the timeout, then the late reply with the same `at`, which supersedes it."""
    stream = run().watch(120, lambda *_: None, checks=("edge", "natural"))
    for second in range(120):
        for sbc in ("sbc-1", "sbc-2"):
            for core in ("core-a", "core-b"):
                stream.result(second, "options", sbc, core, **(TIMEOUT if second >= 60 else {}))
                if second >= 60:
                    stream.result(second, "options", sbc, core, reason="late", answered_after_seconds=1.2)
    answer = stream.go(*window("service", 119))
    assert not [one for one in answer["intervals"] if one["state"] == "down"]
    assert spans(answer, "path", "sbc-1/core-a", "degraded") == [(60, 120.2)]
    assert {one["priority_peak"] for one in answer["incidents"]} <= {"Normal"}  # options_slow at most
    assert answer["availability"][0]["down_seconds"] == 0


def pattern(text: str, since: int = 60) -> Bad:
    def bad(check, _sbc, _core, second):
        place = int(second) - since
        return TIMEOUT if check in {"options", "natural"} and 0 <= place < len(text) and text[place] == "F" else None

    return bad


def test_13_every_second_one_lost_is_intermittent_and_never_down(run):
    answer = run().watch(720, pattern("FS" * 300)).go(*window("service", 720))
    assert answer["availability"][0]["down_seconds"] == 0
    assert ("intermittence", "path", "sbc-1/core-a") in names(answer)
    assert spans(answer, "path", "sbc-1/core-a", "degraded")
    assert not [one for one in answer["intervals"] if one["state"] == "down"]


def test_13_ffsffss_is_one_outage_from_the_first_failure_to_the_confirmed_recovery(run):
    answer = run().watch(200, pattern("FFSFFSS")).go(*window("service", 200))
    assert spans(answer, "service", "voz", "down") == [(60, 65)]
    assert answer["availability"][0]["down_seconds"] == 5
    assert sum(one["priority_peak"] == "Urgente" for one in answer["incidents"]) == 1


def test_20_one_way_audio_downs_only_the_sites_that_start_there(run):
    sites = {
        "first": {"customer": "acme", "sbcs": ["sbc-1", "sbc-2"]},
        "second": {"customer": "acme", "sbcs": ["sbc-2", "sbc-1"]},
    }

    def bad(check, sbc, _core, second):
        hit = check == "call" and sbc == "sbc-1" and 60 <= second < 140
        return {"outcome": "failed", "reason": "one_way"} if hit else None

    answer = run(sites=sites).watch(240, bad).go(*window("site:first", 240), *window("site:second", 240))
    assert [one["down_seconds"] for one in answer["availability"]] == [80, 0]
    assert ("audio_broken", "sbc", "sbc-1") in names(answer)
    assert not spans(answer, "core", "core-a", "down")
    assert not spans(answer, "sbc", "sbc-1", "down")


def test_22_a_refused_account_is_the_accounts_own_fault(run):
    stream = run().watch(300, lambda *_: None)
    for second in range(0, 300, 10):
        for sbc in ("sbc-1", "sbc-2"):
            for core in ("core-a", "core-b"):
                refused = {"outcome": "failed", "reason": "auth", "code": 401, "answered_by": "core"}
                stream.result(second, "register", sbc, core, account="m2", **refused)
    answer = stream.go(*window("service", 300))
    assert answer["availability"][0]["down_seconds"] == 0
    assert names(answer) == {("account_refused", "account", "m2")}
    assert {one["priority"] for one in answer["incidents"]} == {"Baja"}


def test_24_ten_flaps_are_one_incident_and_ten_losses_of_redundancy(run):
    def bad(_check, _sbc, core, second):
        return TIMEOUT if core == "core-a" and 60 <= second < 660 and (second - 60) % 60 < 30 else None

    answer = run().watch(800, bad).go()
    assert len(spans(answer, "core", "core-a", "down")) == 10
    assert len(spans(answer, "site", "hq", "degraded")) == 10
    assert len([one for one in answer["incidents"] if one["state"] != "merged"]) == 1
