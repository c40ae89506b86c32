"""The acceptance scenarios about SBCs, cores and paths (1 to 11), as streams with answers computed by hand."""

import pytest
from streams import T0, TIMEOUT, Run, at, dead, names, spans, topology, window

from sereno.clock import SECOND_US, parse_instant


@pytest.fixture
def run(tmp_path):
    return lambda **changes: Run(tmp_path, topology(**changes))


def test_1_healthy_says_nothing(run):
    answer = run().watch(600, lambda *_: None).go(*window("service", 600))
    assert {one["state"] for one in answer["intervals"]} == {"up"}
    assert answer["incidents"] == answer["alarms"] == answer["notifications"] == []
    assert answer["availability"] == [
        {
            "scope": "service", "from": at(0), "to": at(600), "low": 1.0, "observed": 1.0, "high": 1.0,
            "down_seconds": 0.0, "excluded_seconds": 0.0, "unknown_seconds": 0.0, "total_seconds": 600.0,
            "target": 0.9999, "verdict": "met",
        }
    ]  # fmt: skip


def test_2_one_core_frozen_is_one_core_incident_and_no_downtime(run):
    answer = run().watch(200, dead("core-a", since=60, until=120)).go(*window("service", 200))
    assert spans(answer, "core", "core-a", "down") == [(60, 120)]
    assert spans(answer, "service", "voz", "degraded") == [(60, 120)]
    assert spans(answer, "sbc", "sbc-1", "up") == spans(answer, "sbc", "sbc-2", "up") == [(0, 199)]
    [incident] = answer["incidents"]
    assert (incident["cause"]["kind"], incident["cause"]["name"]) == ("core", "core-a")
    assert (incident["priority"], incident["severity"]) == ("Alta", "S2")
    assert incident["since"] == at(60)
    assert parse_instant(incident["opened"]) - T0 <= 65 * SECOND_US
    assert answer["availability"][0]["down_seconds"] == 0


def test_3_and_4_both_cores_promote_the_same_incident_and_heal_back_dated(run):
    def bad(check, _sbc, core, second):
        a, b = 60 <= second < 180, 120 <= second < 180
        return TIMEOUT if (core == "core-a" and a) or (core == "core-b" and b) or (check == "natural" and b) else None

    answer = run().watch(300, bad).go(*window("site:hq", 300), "--until", at(400))
    [incident] = [one for one in answer["incidents"] if one["class"] == "service"]  # then the recording ends
    assert (incident["cause"]["kind"], incident["priority"], incident["severity"]) == ("service", "Urgente", "S1")
    assert incident["resolved"] == at(180)
    assert spans(answer, "service", "voz", "down") == [(120, 180)]
    assert not spans(answer, "sbc", "sbc-1", "down")
    figures = answer["availability"][0]
    assert figures["down_seconds"] == 60
    assert figures["verdict"] == "missed"  # 60 s − 1 s of bound > 0.01 % of 300 s
    assert figures["observed"] == pytest.approx(240 / 300)


def test_5_both_sbcs_frozen_leave_the_cores_unknown(run):
    answer = run().watch(200, lambda _c, _s, _k, second: TIMEOUT if 60 <= second < 120 else None).go()
    assert spans(answer, "sbc", "sbc-1", "down") == spans(answer, "sbc", "sbc-2", "down") == [(60, 120)]
    assert spans(answer, "core", "core-a", "unknown") == spans(answer, "core", "core-b", "unknown") == [(60, 120)]
    assert not spans(answer, "core", "core-a", "down")
    [incident] = answer["incidents"]
    assert incident["priority_peak"] == "Urgente"
    assert {one["kind"] for one in incident["cause"]["elements"]} == {"sbc"}


def test_6_a_dead_sbc_downs_the_site_that_has_only_it(run):
    sites = {
        "p": {"customer": "acme", "sbcs": ["sbc-1", "sbc-2"], "failover": "auto"},
        "q": {"customer": "other", "sbcs": ["sbc-1", "sbc-2"], "failover": "none"},
    }
    customers = {name: {"name": name, "contract": "callmyway"} for name in ("acme", "other")}
    stream = run(sites=sites, customers=customers).watch(
        200, lambda _c, sbc, _k, second: TIMEOUT if sbc == "sbc-1" and 60 <= second < 120 else None
    )
    answer = stream.go(*window("site:p", 200), *window("site:q", 200), *window("customer:other", 200))
    assert spans(answer, "site", "p", "degraded") == spans(answer, "site", "q", "down") == [(60, 120)]
    assert [one["down_seconds"] for one in answer["availability"]] == [0, 60, 60]
    opened = [one for one in answer["incidents"] if one["class"] == "service"]
    assert [(one["cause"]["kind"], one["cause"]["name"]) for one in opened] == [("sbc", "sbc-1")]
    assert opened[0]["customers"]["other"] == "Urgente"


def test_7_core_and_sbc_together_leave_the_core_unconfirmed(run):
    def bad(_check, sbc, core, second):
        return TIMEOUT if 60 <= second < 120 and (sbc == "sbc-1" or core == "core-a") else None

    answer = run().watch(200, bad).go()
    assert spans(answer, "sbc", "sbc-1", "down") == [(60, 120)]
    assert spans(answer, "path", "sbc-2/core-a", "down") == [(60, 120)]
    assert spans(answer, "core", "core-a", "down") == []
    assert (60, 120) in spans(answer, "core", "core-a", "unknown")
    assert spans(answer, "service", "voz", "degraded") == [(60, 120)]
    assert {one["priority_peak"] for one in answer["incidents"]} <= {"Alta", "Normal", "Baja"}


def test_8_an_sbc_that_refuses_one_path_is_a_path_incident(run):
    def bad(_check, sbc, core, second):
        if (sbc, core) == ("sbc-1", "core-a") and 60 <= second < 180:
            return {"outcome": "failed", "reason": "sip_5xx", "code": 503, "answered_by": "sbc"}
        return None

    answer = run().watch(300, bad).go()
    assert spans(answer, "path", "sbc-1/core-a", "down") == [(60, 180)]
    assert not spans(answer, "core", "core-a", "down")
    assert not spans(answer, "sbc", "sbc-1", "down")
    [incident] = answer["incidents"]
    assert (incident["cause"]["kind"], incident["cause"]["name"]) == ("path", "sbc-1/core-a")
    assert incident["priority"] == "Normal"


def test_9_failover_that_does_not_work(run):
    sites = {
        "both": {"customer": "acme", "sbcs": ["sbc-1", "sbc-2"]},
        "one": {"customer": "acme", "sbcs": ["sbc-1"]},
    }

    def bad(check, sbc, core, second):
        hit = core == "core-a" or (check == "natural" and sbc == "sbc-1")
        return TIMEOUT if hit and 60 <= second < 120 else None

    answer = run(sites=sites).watch(200, bad).go(*window("site:one", 200), *window("site:both", 200))
    assert spans(answer, "site", "one", "down") == [(60, 120)]
    assert [one["down_seconds"] for one in answer["availability"]] == [60, 0]
    assert ("failover_broken", "sbc", "sbc-1") in names(answer)
    assert any(one["priority_peak"] == "Urgente" for one in answer["incidents"])


def test_10_the_wrong_core_proves_nothing(run):
    def bad(check, sbc, core, second):
        if check == "options" and (sbc, core) == ("sbc-1", "core-b") and second >= 60:
            return {"outcome": "failed", "reason": "wrong_core", "code": 200, "answered_core": "core-a"}
        return None

    answer = run().watch(300, bad).go(*window("service", 300))
    assert spans(answer, "path", "sbc-1/core-b", "up") == [(0, 60)]
    assert ("wrong_core", "path", "sbc-1/core-b") in names(answer)
    assert not spans(answer, "core", "core-b", "down")
    assert answer["availability"][0]["down_seconds"] == 0
    assert [one["title"] for one in answer["incidents"]] == ["Ruta sbc-1/core-b contestada por otro núcleo: no probada"]


def test_a_backup_that_only_natural_requests_reach_is_no_fault_of_the_steering(run):
    def bad(check, _sbc, core, second):
        return TIMEOUT if check == "options" and core == "core-a" and second >= 60 else None

    sbcs = {
        name: {"addresses": [f"sip:192.0.2.{number}:5060"], "primary": "core-a", "backup": "core-b"}
        | {"backup_test": "passive"}
        for number, name in enumerate(("sbc-1", "sbc-2"), 1)
    }
    answer = run(sbcs=sbcs).watch(200, bad, checks=("edge", "natural", "options")).go()
    assert not [one for one in names(answer) if one[0] == "steering"]
    assert {one["class"] for one in answer["incidents"]} == {"service"}


def test_10_a_core_that_every_sbc_replaces_is_not_called_dead(run):
    def bad(check, _sbc, core, second):
        wrong = {"outcome": "failed", "reason": "wrong_core", "code": 200, "answered_core": "core-a"}
        return wrong if check == "options" and core == "core-b" and second >= 60 else None

    answer = run().watch(120, bad).go()
    assert not spans(answer, "core", "core-b", "down")
    assert spans(answer, "core", "core-b", "unknown") == [(60, 119)]


@pytest.mark.parametrize(("cores", "down"), [(("core-a",), 0), (("core-a", "core-b"), 140)])
def test_11_cores_without_their_database(run, cores, down):
    def bad(check, _sbc, core, second):
        if check in {"register", "call"} and core in cores and 60 <= second < 200:
            return {"outcome": "failed", "reason": "sip_5xx", "code": 503, "answered_by": "core"}
        return None

    answer = run().watch(300, bad).go(*window("service", 300))
    assert ("core_refusing", "core", "core-a") in names(answer)
    assert answer["availability"][0]["down_seconds"] == down  # 60 is the first failed sample, 200 the first good one
    [incident] = [one for one in answer["incidents"] if one["class"] == "service"]
    assert incident["priority_peak"] == ("Urgente" if down else "Alta")
    assert incident["since"] == at(60)
