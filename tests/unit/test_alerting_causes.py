"""Root cause beyond the scenarios: what explains what, what stays apart, and storms. Streams of changes by hand."""

from pathlib import Path

import pytest
import yaml
from alerting_bench import TOPOLOGY, Bench, seconds

from sereno.incident import Element

A = ("sbc-1/core-a", "sbc-2/core-a")
B = ("sbc-1/core-b", "sbc-2/core-b")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def many(sbcs: int) -> str:
    settings = yaml.safe_load(TOPOLOGY)
    settings["sbcs"] = {
        f"sbc-{number}": {"addresses": [f"sip:10.1.0.{number}:5060"], "primary": "core-a", "backup": "core-b"}
        for number in range(1, sbcs + 1)
    }
    return yaml.safe_dump(settings)


def causes(bench: Bench) -> list[tuple[str, str]]:
    return [(one.cause.kind, one.cause.name) for one in bench.open()]


def test_what_is_slow_everywhere_keeps_its_name_while_its_paths_recover_a_moment_apart(bench: Bench) -> None:
    slow = ("sbc-1/core-a", "sbc-1/core-b")
    for path in slow:
        bench.finding(120, "options_slow", "path", path, since=0)
    bench.tick(300)
    assert (bench.one().cause, bench.one().title) == (Element("sbc", "sbc-1"), "SBC sbc-1 lento por todas sus rutas")
    for number, path in enumerate(slow):
        bench.finding(400 + number / 1000, "options_slow", "path", path, "false", since=350)
    bench.tick(500)
    assert (bench.one().cause, bench.one().state) == (Element("sbc", "sbc-1"), "resolved")


def test_what_is_all_over_an_element_is_told_in_words_and_never_by_the_alarms_key(bench: Bench) -> None:
    for path in ("sbc-1/core-a", "sbc-1/core-b"):
        bench.finding(120, "setup_slow", "path", path, since=0)
    bench.tick(900)
    assert bench.one().cause == Element("sbc", "sbc-1")
    assert bench.one().title == "Las llamadas tardan en establecerse en la ruta sbc-1/core-a, sbc-1/core-b"


def test_what_was_slow_everywhere_and_stays_slow_on_one_path_is_that_paths(bench: Bench) -> None:
    for path in ("sbc-1/core-a", "sbc-1/core-b"):
        bench.finding(120, "options_slow", "path", path, since=0)
    bench.tick(300)
    bench.finding(400, "options_slow", "path", "sbc-1/core-a", "false", since=350)
    bench.tick(410)
    assert (bench.one().cause, bench.one().title) == (Element("path", "sbc-1/core-b"), "Ruta sbc-1/core-b lenta")


@pytest.mark.parametrize("gone", ["core-a", "sbc-1"])
def test_what_is_confirmed_well_after_its_calm_keeps_its_name_to_the_end(bench: Bench, gone: str) -> None:
    """Looked at every 30 s: the second good sample clears each alarm at once, one a moment after the other."""
    paths = A if gone == "core-a" else ("sbc-1/core-a", "sbc-1/core-b")
    bench.down(2, gone, *paths, since=0)
    bench.finding(2, "redundancy_lost", "site", "p", since=0)
    bench.tick(60)
    before = bench.one()
    bench.up(400, gone, since=370)
    for number, path in enumerate(paths):
        bench.up(400.001 + number / 1000, path, since=370)
    bench.finding(400.01, "redundancy_lost", "site", "p", "false", since=370)
    bench.tick(500)
    after = bench.one()
    assert (after.cause, after.title, after.priority) == (before.cause, before.title, "Alta")
    assert {one.what for one in bench.told()} == {"opened", "escalated", "resolved"}
    assert not [one.what for one in after.timeline if "ahora" in one.what or "baja" in one.what]


# -- databases and portals ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["core", "database"])
def test_a_dead_database_explains_the_cores_that_refuse(bench: Bench, first: str) -> None:
    said = {
        "core": lambda at: bench.finding(at, "core_refusing", "core", "core-a", since=0),
        "database": lambda at: bench.down(at, "database:billing", since=0),
    }
    second = "database" if first == "core" else "core"
    said[first](2.0)
    bench.tick(30)
    said[second](40.0)
    bench.finding(45, "register_failing", "sbc", "sbc-1", since=1)
    bench.tick(100)
    record = bench.one()
    assert (record.cause, record.priority) == (Element("database", "billing"), "Alta")
    assert {(one.kind, one.alarm) for one in record.symptoms} >= {
        ("core", "core_refusing"),
        ("sbc", "register_failing"),
    }


def test_a_dead_database_that_takes_the_service_with_it_is_named(bench: Bench) -> None:
    bench.down(1.0, "database:billing", since=0)
    for core in ("core-a", "core-b"):
        bench.finding(2.0, "core_refusing", "core", core, since=0)
    bench.down(2.0, *A, *B, "site:p", "site:q", "service:voz", since=0)
    bench.tick(60)
    record = bench.one()
    assert (record.cause.kind, record.priority) == ("service", "Urgente")
    assert record.title == "Servicio de voz caído: todos los núcleos rechazan, la base de datos billing está caída"
    bench.up(70, "database:billing", "site:p", "site:q", "service:voz", *A, *B, since=69)
    for core in ("core-a", "core-b"):
        bench.finding(70, "core_refusing", "core", core, "false", since=69)
    bench.tick(110)
    assert (bench.one().state, seconds(bench.one().resolved_us)) == ("resolved", 69.0)


def test_silent_cores_are_not_the_databases_doing(bench: Bench) -> None:
    bench.down(2.0, "database:billing", "core-a", *A, since=0)
    bench.tick(60)
    assert sorted(causes(bench)) == [("core", "core-a"), ("database", "billing")]


def test_a_portal_is_no_part_of_the_voice(bench: Bench) -> None:
    bench.down(2.0, *A, *B, "core-a", "core-b", "site:p", "site:q", "service:voz", since=0)
    bench.down(2.0, "portal:web", since=0)
    bench.tick(60)
    assert sorted(causes(bench)) == [("portal", "web"), ("service", "voz")]


def test_a_certificate_and_an_outage_of_one_portal_are_two_matters(bench: Bench) -> None:
    bench.finding(0, "cert_expiry", "portal", "web")
    bench.tick(600)
    bench.finding(700, "cert_expiry_7_days", "portal", "web")
    bench.down(1000, "portal:web", since=990)
    bench.tick(1100)
    first, second = bench.incidents()
    assert (first.alarm, first.priority, second.alarm, second.priority) == (
        "cert_expiry_7_days", "Normal", "portal_down", "Alta",
    )  # fmt: skip
    bench.up(1200, "portal:web", since=1190)
    bench.tick(1300)
    assert [one.state for one in bench.incidents()] == ["open", "resolved"]


@pytest.mark.parametrize("element", ["service:voz", "site:p"])
def test_the_allowance_that_an_outage_burns_is_told_by_the_outage(bench: Bench, element: str) -> None:
    kind, _, name = element.partition(":")
    bench.down(2, element, since=0)
    bench.finding(8, "budget_burn", kind, name, since=6)
    bench.finding(9, "budget_low", kind, name, since=9)
    bench.tick(60)
    bench.up(91, element, since=90)
    bench.tick(300)
    assert (bench.one().state, seconds(bench.one().resolved_us)) == ("resolved", 90)
    bench.finding(400, "budget_burn", kind, name, "false", since=395)
    bench.tick(4000)
    assert (bench.one().state, seconds(bench.one().resolved_us)) == ("resolved", 90)


# -- networks ----------------------------------------------------------------------------------------------------------


def test_a_network_that_lost_every_sbc_is_one_incident_on_the_network(bench: Bench) -> None:
    for sbc in ("sbc-1", "sbc-2"):
        bench.finding(2, "network_split", "network", f"{sbc}/isp-etb", since=0)
    bench.down(2, "site:q", since=0)
    bench.tick(60)
    record = bench.one()
    assert (record.cause, record.priority) == (Element("network", "isp-etb"), "Urgente")
    assert (record.customers, record.sites) == ({"beta": "Urgente"}, ("q",))


def test_a_split_for_a_moment_explains_nothing_that_was_there_before(bench: Bench) -> None:
    """Probes confirm one after another: for an instant one network seems to have lost what another still has."""
    bench.down(2, A[0], since=0)
    bench.finding(2, "redundancy_lost", "site", "p", since=0)
    bench.tick(60)
    before = bench.one()
    bench.finding(90, "network_split", "network", "sbc-2/isp-etb", since=89)
    bench.tick(90.5)
    bench.finding(90.6, "network_split", "network", "sbc-2/isp-etb", "false", since=90)
    bench.tick(120)
    assert (bench.one().number, bench.one().cause) == (before.number, before.cause)
    assert bench.pages() == []


@pytest.mark.parametrize("cause", ["path", "network"])
def test_a_site_that_recovers_after_its_cause_opens_nothing_of_its_own(bench: Bench, cause: str) -> None:
    name, what = ("sbc-1/core-a", "verdict") if cause == "path" else ("sbc-1/isp-etb", "network_split")
    bad, good = ("down", "up") if cause == "path" else ("true", "false")
    bench.say(2, cause, name, bad, what=what, since=0)
    bench.down(2, "site:q", since=0)
    bench.tick(60)
    bench.say(90, cause, name, good, what=what, since=89)
    bench.tick(90.5)
    bench.up(91, "site:q", since=90)
    bench.tick(300)
    assert (bench.one().cause, bench.one().state) == (Element(cause, name), "resolved")
    assert [one.what for one in bench.pages()] == ["opened", "opened"]  # Urgente: both levels


def test_a_site_that_goes_down_after_the_split_was_over_is_a_matter_of_its_own(bench: Bench) -> None:
    bench.finding(2, "network_split", "network", "sbc-1/isp-etb", since=0)
    bench.tick(60)
    bench.finding(90, "network_split", "network", "sbc-1/isp-etb", "false", since=89)
    bench.down(100, "site:q", since=98)
    bench.tick(110)
    assert causes(bench) == [("network", "sbc-1/isp-etb"), ("site", "q")]


# -- what is slow, and was before --------------------------------------------------------------------------------------


def test_a_quality_alarm_that_was_there_before_keeps_its_incident_and_holds_no_outage_open(bench: Bench) -> None:
    bench.finding(0, "loss_high", "sbc", "sbc-1")
    bench.tick(400)
    quality = bench.one()
    bench.down(1000, "sbc-1", A[0], B[0], since=998)
    bench.tick(1030)
    assert len(bench.incidents()) == 1  # the same element: its incident is promoted
    assert (bench.one().number, bench.one().priority) == (quality.number, "Alta")
    bench.up(1100, "sbc-1", A[0], B[0], since=1099)
    bench.tick(1200)
    assert (bench.one().state, bench.one().priority) == ("open", "Normal")
    bench.finding(1300, "loss_high", "sbc", "sbc-1", "false")
    bench.tick(1400)
    assert bench.one().state == "resolved"


def test_slow_set_up_on_a_path_outlives_the_death_of_its_core(bench: Bench) -> None:
    bench.finding(0, "setup_slow", "path", A[0])
    bench.tick(700)
    bench.down(1000, "core-a", *A, since=998)
    bench.tick(1030)
    assert sorted(causes(bench)) == [("core", "core-a"), ("path", A[0])]
    bench.up(1100, "core-a", *A, since=1099)
    bench.tick(1200)
    assert causes(bench) == [("path", A[0])]


def test_calls_that_fail_on_every_path_of_a_core_are_the_cores(bench: Bench) -> None:
    for path in A:
        bench.finding(20, "call_failing", "path", path, since=0)
    bench.tick(60)
    assert causes(bench) == [("core", "core-a")]


def test_registrations_that_fail_everywhere_are_one_incident(bench: Bench) -> None:
    for sbc in ("sbc-1", "sbc-2"):
        bench.finding(20, "register_failing", "sbc", sbc, since=0)
    bench.tick(60)
    assert (bench.one().cause, bench.one().priority) == (Element("service", "voz"), "Alta")
    assert bench.one().title == "Los registros fallan por todos los SBC"
    assert len(bench.pages()) == 1


def test_a_service_that_one_sbc_holds_down_is_that_sbcs(bench: Bench) -> None:
    bench.finding(20, "audio_broken", "sbc", "sbc-1", since=0)
    bench.down(23, "sbc-1/core-a", "sbc-1/core-b", "site:p", "site:q", "service:voz", since=0)
    bench.tick(60)
    record = bench.one()
    assert (record.priority, record.cause) == ("Urgente", Element("sbc", "sbc-1"))
    assert record.title == "Sin buen audio por el SBC sbc-1"
    assert {one.kind for one in record.symptoms} >= {"site", "service", "path"}


def test_a_service_whose_sbcs_answer_and_carry_no_voice_names_them(bench: Bench) -> None:
    for sbc in ("sbc-1", "sbc-2"):
        bench.finding(20, "audio_broken", "sbc", sbc, since=0)
    bench.down(23, *A, *B, "site:p", "site:q", "service:voz", since=0)
    bench.tick(60)
    record = bench.one()
    assert (record.priority, record.cause.kind) == ("Urgente", "service")
    assert record.title == "Servicio de voz caído: nadie puede hablar por sbc-1, sbc-2"


# -- an SBC under attack -----------------------------------------------------------------------------------------------


def test_an_sbc_that_only_the_internet_cannot_reach_is_told_as_that(bench: Bench) -> None:
    bench.down(2, "sbc-1", A[0], B[0], since=0)
    bench.finding(2, "sbc_unreachable_internet", "sbc", "sbc-1", since=0)
    bench.tick(8)
    assert bench.one().title == "SBC sbc-1 inalcanzable desde Internet"
    assert bench.one().alarm == "sbc_unreachable_internet"
    pages = len(bench.pages())
    bench.finding(120, "sbc_isolated", "sbc", "sbc-1")
    bench.tick(3600)
    assert (len(bench.incidents()), len([one for one in bench.pages() if one.what == "opened"])) == (1, pages)


def test_an_isolated_sbc_keeps_its_name_until_all_of_it_is_well(bench: Bench) -> None:
    """Of what recovers the edge is heard last, and the site after it: no other title for that moment."""
    bench.down(2, "sbc-1", A[0], B[0], "site:q", since=0)
    bench.finding(2, "sbc_unreachable_internet", "sbc", "sbc-1", since=0)
    bench.tick(20)
    bench.finding(30, "sbc_isolated", "sbc", "sbc-1")
    bench.tick(60)
    assert bench.one().title == "SBC sbc-1 inalcanzable desde Internet"
    bench.finding(100, "sbc_unreachable_internet", "sbc", "sbc-1", "false", since=99)
    bench.tick(100.2)
    assert bench.one().title == "SBC sbc-1 inalcanzable desde Internet"
    bench.up(100.4, "sbc-1", since=99)
    bench.finding(100.5, "failover_broken", "sbc", "sbc-1", since=99)
    bench.up(100.6, A[0], B[0], since=99)
    bench.finding(100.7, "failover_broken", "sbc", "sbc-1", "false", since=100)
    bench.up(100.9, "site:q", since=99)
    bench.tick(200)
    assert (bench.one().title, bench.one().state) == ("SBC sbc-1 inalcanzable desde Internet", "resolved")


# -- many at once ------------------------------------------------------------------------------------------------------


def test_many_sbcs_at_once_are_one_incident_and_one_page(tmp_path: Path) -> None:
    bench = Bench(tmp_path, topology_text=many(20))
    for number in range(2, 14):
        bench.down(2 + number / 10, f"sbc-{number}", since=number / 10)
    bench.tick(20)
    assert (bench.one().title, bench.one().priority) == ("12 SBC caídos a la vez", "Alta")
    assert [one.what for one in bench.pages()] == ["opened"]
    bench.down(900, "sbc-19", since=898)
    bench.tick(910)
    assert causes(bench) == [("service", "voz"), ("sbc", "sbc-19")]  # a quarter of an hour later it is another matter
    for number in range(2, 14):
        bench.up(1000, f"sbc-{number}", since=999)
    bench.tick(1040)
    assert causes(bench) == [("sbc", "sbc-19")]


def test_many_paths_of_one_core_are_that_cores(tmp_path: Path) -> None:
    bench = Bench(tmp_path, topology_text=many(20))
    for number in range(2, 10):
        bench.down(2, f"sbc-{number}/core-a", since=0)
    bench.tick(60)
    assert (bench.one().cause, bench.one().title) == (Element("core", "core-a"), "8 rutas caídas a la vez")


def test_many_alike_are_told_in_words_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path, topology_text=many(12))
    for number in range(1, 7):
        bench.finding(100, "jitter_high", "sbc", f"sbc-{number}", since=0)
    bench.tick(1000)
    assert bench.one().cause == Element("service", "voz")
    assert bench.one().title == "Los paquetes de voz llegan a destiempo por el SBC sbc-1, sbc-2, sbc-3, sbc-4, …"


def test_four_sbcs_at_once_are_four(tmp_path: Path) -> None:
    bench = Bench(tmp_path, topology_text=many(20))
    for number in range(2, 6):
        bench.down(2, f"sbc-{number}", since=0)
    bench.tick(20)
    assert len(bench.open()) == 4


def test_a_thousand_paths_are_one_incident_one_page_and_quick(tmp_path: Path) -> None:
    import time

    bench = Bench(tmp_path, topology_text=many(500))
    began = time.process_time()
    for number in range(1, 501):
        bench.down(2 + number / 500, f"sbc-{number}/core-a", f"sbc-{number}/core-b", since=number / 500)
    bench.down(3, "site:p", "site:q", "service:voz", since=1)
    bench.tick(60)
    spent = time.process_time() - began
    assert (len(bench.incidents()), bench.one().priority) == (1, "Urgente")
    assert len({one.what for one in bench.pages() if one.to == "ana"} & {"opened", "promoted"}) == 1
    assert len(bench.one().title) < 200
    assert spent < 10, spent  # some 1 s where nobody else works


# -- every kind of element --------------------------------------------------------------------------------------------


def test_every_shipped_alarm_opens_and_resolves_on_every_kind_of_element(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    names = {
        "service": "voz", "site": "p", "core": "core-a", "sbc": "sbc-1", "path": A[0], "network": "sbc-1/isp-etb",
        "probe": "bog-1", "portal": "web", "database": "billing", "account": "monitor-1", "monitor": "voz",
        "channel": "hook", "external": "disk",
    }  # fmt: skip
    for name, alarm in bench.desk.alarms.alarms.items():
        for kind in alarm.kinds:
            one, state = Bench(tmp_path), alarm.states[0]
            one.say(10, kind, names[kind], state, what=alarm.what, since=8)
            one.tick(10 + 5 * 3600)
            (record,) = one.open()
            assert (record.alarm, record.class_) == (name, alarm.class_), name
            assert record.cause.kind in {kind, "service"}, name
            assert record.title, name
            good = "up" if alarm.what == "verdict" else "false"
            one.say(20_000, kind, names[kind], good, what=alarm.what, since=19_999)
            one.tick(30_000)
            assert one.open() == [], name
