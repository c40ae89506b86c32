"""What the desk must and must not say: the acceptance scenarios as hand-written streams of changes."""

from pathlib import Path

import pytest
from alerting_bench import A, B, Bench, clock, core_a_dies, core_b_dies, seconds

from alerting.lifecycle import RefusedError
from sereno.incident import Element


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_frozen_core_is_one_incident_on_the_core(bench: Bench) -> None:
    core_a_dies(bench)
    bench.tick(3.9)
    assert bench.incidents() == []
    bench.tick(4.0)
    record = bench.one()
    assert (record.cause, record.priority, record.severity) == (Element("core", "core-a"), "Alta", "S2")
    assert seconds(record.opened_us) == 4.0
    assert seconds(record.since_us) == 0.0
    bench.tick(600)
    record = bench.one()
    assert {(one.kind, one.name) for one in record.symptoms} >= {("path", A[0]), ("path", A[1]), ("site", "p")}
    assert bench.one().number == record.number
    assert [one.to for one in bench.told("opened")] == ["ana"]
    assert "Núcleo core-a caído" in bench.told("opened")[0].subject


def test_the_other_core_promotes_the_same_incident_to_urgente(bench: Bench) -> None:
    core_a_dies(bench)
    core_b_dies(bench, 60)
    bench.tick(62.0)
    record = bench.one()
    assert (record.cause, record.priority, record.severity) == (Element("service", "voz"), "Urgente", "S1")
    assert record.title == "Servicio de voz caído: ambos núcleos (core-a, core-b)"
    assert [one.to for one in bench.told("promoted")] == ["ana", "leo"]
    assert "both cores" in bench.told("promoted")[1].subject
    assert seconds(bench.told("promoted")[0].at_us) == 62.0
    assert clock(record, "acme", "solution") == [("Urgente", "running")]


def test_both_healed_is_resolved_back_dated_to_the_first_good_sample(bench: Bench) -> None:
    core_a_dies(bench)
    core_b_dies(bench, 60)
    bench.act(70, "ack")
    bench.up(121.5, *A, *B, "core-a", "core-b", "site:p", "site:q", "service:voz", since=120.4)
    bench.finding(121.5, "redundancy_lost", "site", "p", "false", since=120.4)
    bench.tick(150.3)
    assert bench.one().state == "acknowledged"
    bench.tick(150.4)
    record = bench.one()
    assert (record.state, seconds(record.resolved_us)) == ("resolved", 120.4)
    assert seconds(record.timeline[-1].at_us) == 150.4
    assert {one.state for one in record.clocks} == {"met"}
    bench.tick(150 + 3 * 86_400)
    assert bench.one().state == "resolved"  # callmyway closes on confirmation
    with pytest.raises(RefusedError, match="falta categoría, causa"):
        bench.act(150 + 3 * 86_400, "close")  # not without them
    bench.act(150 + 3 * 86_400, "close", category="caída de plataforma", cause="plataforma")
    assert bench.one().state == "closed"


def test_both_sbcs_frozen_blames_the_sbcs_and_no_core(bench: Bench) -> None:
    bench.down(2.5, "sbc-1", *A, *B, since=0)
    bench.say(2.6, "core", "core-a", "unknown")
    bench.say(2.6, "core", "core-b", "unknown")
    bench.down(2.6, "sbc-2", "site:p", "site:q", "service:voz", since=0)
    bench.tick(2.6)
    record = bench.one()
    assert (record.cause.kind, record.priority) == ("service", "Urgente")
    assert record.title == "Servicio de voz caído: todos los SBC (sbc-1, sbc-2)"
    bench.tick(120)
    assert len(bench.incidents()) == 1


def test_an_sbc_killed_downs_the_site_that_has_no_other(bench: Bench) -> None:
    bench.down(2.0, "sbc-1", A[0], B[0], "site:q", since=0)
    bench.say(2.0, "site", "p", "degraded", since=0)
    bench.finding(2.0, "redundancy_lost", "site", "p", since=0)
    bench.tick(300)
    record = bench.one()
    assert record.cause == Element("sbc", "sbc-1")
    assert record.customers == {"acme": "Alta", "beta": "Urgente"}
    assert record.priority == "Urgente"
    assert clock(record, "acme", "solution") == [("Alta", "running")]
    assert clock(record, "beta", "attention") == [("Urgente", "running")]


def test_a_core_and_an_sbc_together_are_two_causes_and_never_urgente(tmp_path: Path) -> None:
    from alerting_bench import TOPOLOGY

    bench = Bench(tmp_path, topology_text=TOPOLOGY.replace("sbcs: [sbc-1], failover: none", "sbcs: [sbc-2, sbc-1]"))
    bench.down(2.0, "sbc-1", A[0], B[0], A[1], since=0)
    bench.say(2.0, "core", "core-a", "unknown", reason="unconfirmed")
    bench.say(2.0, "service", "voz", "degraded", since=0)
    bench.say(2.0, "site", "p", "degraded", since=0)
    bench.tick(120)
    found = {record.cause: record for record in bench.incidents()}
    assert set(found) == {Element("sbc", "sbc-1"), Element("path", "sbc-2/core-a")}
    assert found[Element("path", "sbc-2/core-a")].title == "Ruta sbc-2/core-a caída; core-a sin confirmar"
    assert {record.priority for record in bench.incidents()} == {"Alta", "Normal"}


def test_a_path_refused_by_its_sbc_blames_neither_core_nor_sbc(bench: Bench) -> None:
    bench.down(2.0, A[0], since=0, reason="sip_5xx", facts={"answered_by": "sbc", "code": 503})
    bench.tick(29)
    assert bench.incidents() == []
    bench.tick(60)
    record = bench.one()
    assert (record.cause, record.priority, record.severity) == (Element("path", A[0]), "Normal", "S3")
    assert record.evidence == "motivo sip_5xx; contestó sbc; código SIP 503"
    assert bench.told() == []


def test_calls_and_registrations_on_a_refused_path_are_its_symptoms(bench: Bench) -> None:
    bench.down(2.0, A[0], since=0, facts={"answered_by": "sbc", "planes": {"signalling": "down"}})
    bench.finding(20, "register_failing", "sbc", "sbc-1", since=0)
    bench.finding(25, "call_failing", "path", A[0], since=0)
    bench.tick(28)
    assert bench.incidents() == []
    bench.tick(600)
    assert (bench.one().cause, bench.one().priority) == (Element("path", A[0]), "Normal")
    assert {one.alarm for one in bench.one().symptoms} == {"register_failing"}
    assert bench.told() == []


def test_registrations_alone_are_the_sbcs(bench: Bench) -> None:
    bench.down(20, A[0], since=0, facts={"planes": {"signalling": "up", "registration": "down"}})
    bench.finding(20, "register_failing", "sbc", "sbc-1", since=0)
    bench.tick(600)
    assert (bench.one().cause, bench.one().priority) == (Element("sbc", "sbc-1"), "Alta")


def test_an_sbc_taken_out_on_purpose_wakes_nobody(bench: Bench) -> None:
    bench.finding(0, "sbc_isolated", "sbc", "sbc-2")
    bench.down(10, "sbc-2", A[1], B[1], since=8)
    bench.finding(10, "redundancy_lost", "site", "p", since=8)
    bench.tick(3 * 3600)
    assert bench.incidents() == []
    bench.tick(4 * 3600 + 1)
    assert (bench.one().cause, bench.one().priority, bench.told()) == (Element("sbc", "sbc-2"), "Normal", [])


def test_a_core_that_follows_its_path_promotes_the_path_incident(bench: Bench) -> None:
    bench.down(2.0, A[0], since=0)
    bench.tick(100)
    core_a_dies(bench, 100)
    bench.tick(200)
    record = bench.one()
    assert (record.cause, record.priority) == (Element("core", "core-a"), "Alta")
    assert record.causes == (Element("path", A[0]), Element("core", "core-a"))


def test_every_path_of_an_sbc_whose_edge_answers_is_the_sbc(bench: Bench) -> None:
    bench.down(2.0, A[0], since=0)
    bench.down(2.4, B[0], since=0)
    bench.tick(60)
    record = bench.one()
    assert (record.cause, record.priority) == (Element("sbc", "sbc-1"), "Alta")
    assert record.title == "SBC sbc-1: su borde contesta, ninguna ruta funciona"


def test_failover_broken_joins_the_dead_core_and_downs_its_site(bench: Bench) -> None:
    core_a_dies(bench)
    bench.down(3.0, "site:q", since=0)
    bench.finding(3.0, "failover_broken", "sbc", "sbc-1", since=0)
    bench.tick(60)
    record = bench.one()
    assert (record.cause, record.priority) == (Element("core", "core-a"), "Urgente")
    assert record.customers == {"acme": "Alta", "beta": "Urgente"}
    assert ("sbc", "sbc-1", "failover_broken") in {(one.kind, one.name, one.alarm) for one in record.symptoms}


def test_failover_broken_alone_is_the_sbcs(bench: Bench) -> None:
    bench.finding(2.0, "failover_broken", "sbc", "sbc-1", since=0)
    bench.tick(60)
    assert (bench.one().cause, bench.one().priority) == (Element("sbc", "sbc-1"), "Alta")


def test_a_refusing_core_then_both(bench: Bench) -> None:
    bench.finding(2.0, "core_refusing", "core", "core-a", since=0)
    bench.down(2.0, *A, since=0)
    bench.tick(30)
    assert (bench.one().title, bench.one().priority) == ("El núcleo core-a rechaza registros y llamadas", "Alta")
    bench.finding(62.0, "core_refusing", "core", "core-b", since=60)
    bench.down(62.0, *B, "site:p", "site:q", "service:voz", since=60)
    bench.tick(62.0)
    record = bench.one()
    assert (record.priority, record.title) == ("Urgente", "Servicio de voz caído: ambos núcleos (core-a, core-b)")


def test_intermittence_is_one_normal_incident_never_urgente(bench: Bench) -> None:
    bench.finding(300, "intermittent", "path", A[0])
    bench.say(300, "path", A[0], "degraded")
    bench.tick(600)
    assert (bench.one().cause, bench.one().priority) == (Element("path", A[0]), "Normal")


def test_a_lost_probe_is_a_monitor_ticket_that_wakes_nobody(bench: Bench) -> None:
    bench.finding(10, "probe_lost", "probe", "bog-1", since=0)
    bench.tick(119)
    assert bench.incidents() == []
    bench.tick(7200)
    record = bench.one()
    assert (record.class_, record.cause, record.clocks, record.severity) == (
        "monitor", Element("probe", "bog-1"), (), None,
    )  # fmt: skip
    assert bench.told() == []


def test_a_dead_canary_is_a_ticket(bench: Bench) -> None:
    bench.finding(10, "canary_fault", "probe", "bog-1")
    bench.tick(60)
    assert (bench.one().class_, bench.told()) == ("monitor", [])


def test_a_blind_monitor_wakes_people_and_is_no_outage(bench: Bench) -> None:
    bench.finding(10, "monitor_blind", "monitor", "voz", since=0)
    bench.tick(29.9)
    assert bench.incidents() == []
    bench.tick(30)
    assert (bench.one().class_, bench.one().cause.kind) == ("monitor", "monitor")
    assert [one.what for one in bench.pages()] == ["opened"]


def test_a_split_network_takes_only_the_site_bound_to_it(bench: Bench) -> None:
    bench.finding(2, "network_split", "network", "sbc-1/isp-etb", since=0)
    bench.down(2, "site:q", since=0)
    bench.tick(60)
    record = bench.one()
    assert record.cause == Element("network", "sbc-1/isp-etb")
    assert record.customers == {"beta": "Urgente"}


def test_a_split_network_without_a_site_is_normal(bench: Bench) -> None:
    bench.finding(2, "network_split", "network", "sbc-2/isp-claro", since=0)
    bench.tick(60)
    assert (bench.one().priority, bench.told()) == ("Normal", [])


def test_an_attacked_sbc_isolated_is_not_paged_again(bench: Bench) -> None:
    bench.finding(2, "sbc_unreachable_internet", "sbc", "sbc-1", since=0)
    bench.down(2, A[0], B[0], since=0)
    bench.tick(60)
    assert (bench.one().cause, bench.one().priority) == (Element("sbc", "sbc-1"), "Alta")
    pages = len(bench.pages())
    bench.finding(300, "sbc_isolated", "sbc", "sbc-1")
    bench.tick(6 * 3600)
    assert len(bench.incidents()) == 1
    assert len(bench.pages()) == pages == 1


def test_a_refused_account_is_baja(bench: Bench) -> None:
    bench.finding(20, "account_refused", "account", "monitor-1", since=0)
    bench.tick(60)
    assert (bench.one().cause, bench.one().priority) == (Element("account", "monitor-1"), "Baja")
    assert bench.told() == []
