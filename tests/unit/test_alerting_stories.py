"""Longer stories of the desk: what flaps, returns, is noticed late or lasts for days."""

from pathlib import Path

import pytest
from alerting_bench import T0, A, B, Bench, S, clock, core_a_dies, seconds

from sereno.clock import parse_instant
from sereno.incident import Element, incident_json


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def flap(bench: Bench, times: int, every: float, down: float) -> None:
    for turn in range(times):
        at = turn * every
        core_a_dies(bench, at)
        bench.up(at + down + 1, *A, "core-a", "site:p", "service:voz", since=at + down)
        bench.finding(at + down + 1, "redundancy_lost", "site", "p", "false", since=at + down)


def test_ten_flaps_are_one_incident_and_two_pages_at_most(bench: Bench) -> None:
    """From the fourth fall on it flaps: it is held open until it was calm for five minutes."""
    flap(bench, 10, 60, 20)
    bench.tick(900)
    assert bench.one().reopenings == 3
    assert 1 <= len(bench.pages()) <= 2
    assert {one.what for one in bench.told()} <= {"opened", "escalated", "resolved"}
    assert seconds(bench.told()[-1].at_us) == 9 * 60 + 20 + 300 + 30
    assert seconds(bench.one().resolved_us) == 9 * 60 + 20


def test_falls_are_forgotten_once_they_count_no_more(bench: Bench) -> None:
    flap(bench, 1, 60, 20)
    bench.tick(100)
    assert "core_down" in {key[0] for key in bench.desk.resting}
    bench.tick(2000)
    bench.up(2001, "core-b")
    bench.tick(2002)
    assert bench.desk.resting == {}


def test_slow_flaps_page_once_more_and_then_wait_for_calm(bench: Bench) -> None:
    flap(bench, 6, 150, 20)
    bench.tick(1000)
    assert bench.one().reopenings == 3
    assert [one.what for one in bench.told()] == ["opened", "resolved", "reopened"]
    assert len(bench.pages()) == 2
    bench.tick(2000)
    assert [one.what for one in bench.told()] == ["opened", "resolved", "reopened", "resolved"]


def test_a_path_noticed_late_is_the_same_outage(bench: Bench) -> None:
    """Its call plane fails late, with a first bad sample inside the core's outage: no second incident."""
    core_a_dies(bench)
    bench.tick(10)
    bench.up(41, *A, "core-a", "site:p", "service:voz", since=40)
    bench.finding(41, "redundancy_lost", "site", "p", "false", since=40)
    bench.tick(75)
    assert bench.one().state == "resolved"
    bench.down(76, A[0], since=39)
    bench.tick(200)
    assert bench.one().state == "reopened"
    assert len(bench.pages()) == 1


def test_slow_answers_after_the_thaw_do_not_hold_it_open(bench: Bench) -> None:
    core_a_dies(bench)
    bench.tick(10)
    bench.up(21, *A, "core-a", "site:p", "service:voz", since=20)
    bench.finding(21, "redundancy_lost", "site", "p", "false", since=20)
    for path in A:
        bench.finding(30, "options_slow", "path", path)
    bench.tick(60)
    assert bench.one().state == "resolved"
    for path in A:
        bench.finding(140, "options_slow", "path", path, "false")
    bench.tick(600)
    assert bench.one().state == "resolved"


def test_a_slow_path_is_said_after_two_minutes(bench: Bench) -> None:
    bench.finding(30, "options_slow", "path", A[0])
    bench.tick(149)
    assert bench.incidents() == []
    bench.tick(150)
    assert (bench.one().cause, bench.one().priority) == (Element("path", A[0]), "Normal")


def test_another_fault_of_the_same_core_is_another_incident(bench: Bench) -> None:
    core_a_dies(bench)
    bench.tick(10)
    bench.up(21, *A, "core-a", "site:p", "service:voz", since=20)
    bench.finding(21, "redundancy_lost", "site", "p", "false", since=20)
    bench.tick(120)
    bench.finding(140, "core_refusing", "core", "core-a", since=138)
    bench.tick(200)
    first, second = bench.incidents()
    assert (first.state, second.state, second.alarm) == ("resolved", "open", "core_refusing")


def test_a_service_down_by_its_sbcs_does_not_reopen_one_by_its_cores(bench: Bench) -> None:
    bench.down(2.0, *A, *B, "core-a", "core-b", "site:p", "site:q", "service:voz", since=0)
    bench.up(20, *A, *B, "core-a", "core-b", "site:p", "site:q", "service:voz", since=19)
    bench.tick(100)
    bench.down(120.0, *A, *B, "sbc-1", "sbc-2", "site:p", "site:q", "service:voz", since=118)
    bench.tick(120)
    assert [(one.state, one.title) for one in bench.incidents()] == [
        ("resolved", "Servicio de voz caído: ambos núcleos (core-a, core-b)"),
        ("open", "Servicio de voz caído: todos los SBC (sbc-1, sbc-2)"),
    ]
    bench.up(140, *A, *B, "sbc-1", "sbc-2", "site:p", "site:q", "service:voz", since=139)
    bench.tick(240)
    bench.down(300.0, *A, *B, "core-a", "core-b", "site:p", "site:q", "service:voz", since=298)
    bench.tick(300)
    assert [one.state for one in bench.incidents()] == ["reopened", "resolved"]


def test_the_other_core_stays_a_symptom_while_the_service_comes_back(bench: Bench) -> None:
    for core in ("core-a", "core-b"):
        bench.finding(2.0, "core_refusing", "core", core, since=0)
    bench.down(2.0, *A, *B, "site:p", "site:q", "service:voz", since=0)
    bench.tick(60)
    for kind, name in (("service", "voz"), ("site", "p"), ("site", "q")):
        bench.say(61, kind, name, "degraded", since=60)
    bench.up(61, *A, *B, since=60)
    bench.tick(120)
    assert bench.one().cause == Element("core", "core-a")
    bench.finding(121, "core_refusing", "core", "core-a", "false", since=120)
    bench.tick(200)
    assert (bench.one().cause, bench.one().state) == (Element("core", "core-b"), "open")
    bench.finding(201, "core_refusing", "core", "core-b", "false", since=200)
    bench.tick(300)
    assert bench.one().state == "resolved"


def test_what_it_was_at_its_worst_stays_in_the_record(bench: Bench) -> None:
    core_a_dies(bench)
    bench.tick(10)
    bench.down(60, B[0], "site:p", "site:q", "service:voz", since=58)
    bench.tick(61)  # a path is not known to be down yet: a second's patience, and no more
    assert bench.one().title == "Servicio de voz caído: ninguna ruta funciona (por ahora se sabe: core-a)"
    bench.down(61.5, B[1], "core-b", since=58)
    bench.tick(61.5)
    bench.up(100, *A, *B, "core-a", "site:p", "site:q", "service:voz", since=99)
    bench.up(105, "core-b", since=104)
    bench.finding(100, "redundancy_lost", "site", "p", "false", since=99)
    bench.tick(400)
    record = bench.one()
    assert record.title == "Servicio de voz caído: ambos núcleos (core-a, core-b)"
    assert [part.name for part in record.elements] == ["core-a", "core-b"]
    assert {one.name for one in record.symptoms} >= {"core-a", "core-b", "p", "q"}
    assert "la causa es ahora: Servicio de voz caído: ambos núcleos (core-a, core-b) (Urgente S1)" in [
        entry.what for entry in record.timeline
    ]
    assert len(bench.told("promoted")) == 2


def test_service_back_and_a_core_dead_for_days(bench: Bench) -> None:
    """Scenario 25: the S1 solution clock is met at ten minutes; the same record goes on as Alta; nothing is relaxed."""
    bench.down(2.0, *A, *B, "core-a", "core-b", "site:p", "site:q", "service:voz", since=0)
    bench.tick(2.0)
    assert seconds(bench.one().opened_us) == 2.0
    bench.up(601, *B, "core-b", since=600)
    for kind, name in (("service", "voz"), ("site", "p"), ("site", "q")):
        bench.say(601, kind, name, "degraded", since=600)
    bench.tick(3 * 86_400)
    record = bench.one()
    assert record.state == "open"
    assert (record.cause, record.priority, record.priority_peak) == (Element("core", "core-a"), "Alta", "Urgente")
    assert record.severity == "S2"
    met = next(c for c in record.clocks if (c.customer, c.clock, c.priority) == ("acme", "solution", "Urgente"))
    assert (met.state, met.severity, seconds(met.ended_us)) == ("met", "S1", 600.0)
    assert clock(record, "acme", "solution") == [("Urgente", "met"), ("Alta", "missed")]
    attention = next(c for c in record.clocks if (c.customer, c.clock) == ("beta", "attention"))
    assert attention.due_us == parse_instant("2026-07-14T08:30:00-05:00")  # Monday the 13th is a holiday
    in_time = [(one.what, one.to, seconds(one.at_us)) for one in bench.pages() if seconds(one.at_us) < 1200]
    assert in_time == [  # nobody acknowledges: L2 again after five minutes, everybody after L2's own fifteen
        ("opened", "ana", 2.0), ("opened", "leo", 2.0), ("repaged", "leo", 302.0), ("repaged", "ana", 902.0),
    ]  # fmt: skip


def test_an_outage_seen_by_one_witness_waits_ten_seconds(bench: Bench) -> None:
    bench.finding(2, "outage_suspected", "site", "q", since=0)
    bench.tick(11.9)
    assert bench.incidents() == []
    bench.tick(12)
    assert (bench.one().cause, bench.one().priority) == (Element("site", "q"), "Alta")


def test_a_suspicion_everywhere_is_one_incident_and_is_promoted(bench: Bench) -> None:
    bench.finding(2, "outage_suspected", "site", "p", since=0)
    bench.finding(2, "outage_suspected", "site", "q", since=0)
    bench.tick(12)
    assert (bench.one().cause, bench.one().priority) == (Element("service", "voz"), "Alta")
    bench.down(20, *A, *B, "core-a", "core-b", "site:p", "site:q", "service:voz", since=0)
    bench.tick(20)
    assert bench.one().priority == "Urgente"


def test_a_twin_in_maintenance_is_not_a_lost_redundancy(bench: Bench) -> None:
    bench.say(1, "sbc", "sbc-1", "maintenance")
    bench.finding(1, "redundancy_lost", "site", "p")
    bench.tick(600)
    assert bench.incidents() == []


def test_unknown_neither_resolves_nor_reopens(bench: Bench) -> None:
    core_a_dies(bench)
    bench.tick(10)
    bench.say(20, "core", "core-a", "unknown")
    bench.tick(600)
    assert bench.one().state == "open"


def test_no_channel_is_written_down_and_is_no_error(tmp_path: Path) -> None:
    bench = Bench(tmp_path, desk_text="contract: callmyway\n")
    core_a_dies(bench)
    bench.tick(10)
    assert bench.told() == []
    assert "no se avisó a nadie: sin canal" in [entry.what for entry in bench.one().timeline]


def test_opened_is_stamped_when_decided_whenever_the_desk_looks(bench: Bench) -> None:
    core_a_dies(bench)
    bench.tick(3600)
    assert bench.one().opened_us == T0 + 4 * S


def test_an_incident_says_what_its_alarm_means_and_what_to_do(bench: Bench) -> None:
    core_a_dies(bench)
    bench.tick(10)
    said = incident_json(bench.one())
    assert said["alarm"] == "core_down"
    assert said["meaning"].startswith("Ningún SBC con el borde vivo alcanza este núcleo")
    assert "consola del núcleo" in said["first_step"]
    assert len(said["runbook"]) == 3
    assert bench.one().guide["en"].first_step.startswith("Console of the core")
