"""What was changed shortly before a fault is told with it; announced work holds findings back until it is over."""

from pathlib import Path

import pytest
from alerting_bench import T0, Bench, S
from streams import TIMEOUT, Run, at, topology
from typer.testing import CliRunner

from alerting import changes
from sereno.incident import incident_json

A = ("sbc-1/core-a", "sbc-2/core-a")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def core_a_dies(bench: Bench, since: float) -> None:
    bench.down(since + 2, *A, "core-a", since=since)
    bench.tick(since + 60)


def lines(bench: Bench) -> list[str]:
    return [entry.what for entry in bench.one().timeline if "hubo un cambio" in entry.what]


def test_what_people_wrote_down_is_told_with_the_fault(bench: Bench) -> None:
    said = changes.recorded("core", "core-a", "versión 5.7 instalada", "ana", T0 + 100 * S)
    bench.effects += bench.desk.change(said)
    core_a_dies(bench, 400)
    (line,) = lines(bench)
    assert "cambio en núcleo core-a: versión 5.7 instalada (ana)" in line
    assert incident_json(bench.one())["changes"] == [
        {
            "at": "2026-07-11T08:01:40.000000Z", "what": "recorded", "kind": "core", "name": "core-a",
            "text": "versión 5.7 instalada", "who": "ana",
        }
    ]  # fmt: skip


def test_what_was_changed_long_before_or_afterwards_is_not(bench: Bench) -> None:
    bench.effects += bench.desk.change(changes.recorded("core", "core-a", "algo", "ana", T0))
    core_a_dies(bench, 700)
    bench.effects += bench.desk.change(changes.recorded("core", "core-a", "otra cosa", "ana", T0 + 800 * S))
    bench.tick(900)
    assert lines(bench) == []


@pytest.mark.parametrize(
    ("what", "state", "kind", "name", "facts", "words"),
    [
        ("maintenance_window", "open", "sbc", "sbc-2", {}, "empezó el mantenimiento de SBC sbc-2"),
        ("maintenance_window", "over", "service", "voz", {}, "terminó el mantenimiento de servicio voz"),
        ("sbc_isolated", "true", "sbc", "sbc-2", {}, "se aisló el SBC sbc-2"),
        ("topology_in_use", "abc", "monitor", "voz", {"before": "def"}, "entró en vigor otra topología"),
        ("alarms_in_use", "abc", "monitor", "voz", {"before": "def"}, "entraron en vigor otras alarmas"),
        ("takeover", "7", "monitor", "voz", {}, "otro colector tomó el relevo"),
    ],
)
def test_every_sort_of_change_has_its_words(
    bench: Bench, what: str, state: str, kind: str, name: str, facts: dict, words: str
) -> None:
    bench.say(100, kind, name, state, what=what, facts=facts)
    core_a_dies(bench, 160)
    (line,) = lines(bench)
    assert words in line


def test_the_first_file_that_is_taken_up_is_no_change(bench: Bench) -> None:
    bench.say(100, "monitor", "voz", "abc", what="topology_in_use")
    core_a_dies(bench, 160)
    assert lines(bench) == []


def test_a_rebuilt_desk_knows_of_the_change(bench: Bench) -> None:
    bench.effects += bench.desk.change(changes.recorded("core", "core-a", "algo", "ana", T0))
    fresh = bench.make()
    fresh.restore(bench.desk.snapshot())
    bench.desk = fresh
    core_a_dies(bench, 60)
    assert len(lines(bench)) == 1


@pytest.mark.parametrize("lifted", [False, True])
def test_what_a_silence_hid_is_told_with_its_end(bench: Bench, lifted: bool) -> None:
    asked = {"name": "*core-a", "to_us": T0 + (900 if lifted else 500) * S, "why": "cambio de disco"}
    bench.effects += bench.desk.command("silence.add", asked, "ana", T0 + 100 * S)
    core_a_dies(bench, 400)
    if lifted:
        bench.effects += bench.desk.command("silence.cancel", {"id": 1}, "ana", T0 + 500 * S)
    bench.tick(600)
    (line,) = lines(bench)
    assert "terminó un silencio: cambio de disco" in line
    assert bench.one().opened_us - (T0 + 500 * S) < S


# -- announced work ----------------------------------------------------------------------------------------------------


def test_findings_on_what_is_worked_on_are_held_back_until_it_is_over(bench: Bench) -> None:
    bench.say(0, "core", "core-a", "maintenance")
    bench.finding(100, "core_refusing", "core", "core-a", since=98)
    bench.tick(3000)
    assert bench.incidents() == []
    bench.say(3600, "core", "core-a", "up", since=3600)
    bench.tick(3610)
    record = bench.one()
    assert (record.alarm, record.since_us) == ("core_refusing", T0 + 3600 * S)
    assert bench.pages()


def test_a_finding_that_ended_during_the_work_says_nothing(bench: Bench) -> None:
    bench.say(0, "core", "core-a", "maintenance")
    bench.finding(100, "core_refusing", "core", "core-a", since=98)
    bench.finding(200, "core_refusing", "core", "core-a", "false")
    bench.say(3600, "core", "core-a", "up", since=3600)
    bench.tick(9000)
    assert bench.incidents() == []


def test_an_incident_of_before_the_work_stays_open_and_is_resolved_afterwards(bench: Bench) -> None:
    bench.finding(0, "core_refusing", "core", "core-a")
    bench.tick(60)
    bench.say(100, "core", "core-a", "maintenance")
    bench.tick(3000)
    assert bench.one().state == "open"
    bench.finding(3100, "core_refusing", "core", "core-a", "false")
    bench.say(3600, "core", "core-a", "up", since=3600)
    bench.tick(3700)
    assert bench.one().state == "resolved"


def test_registrations_that_fail_because_a_core_is_worked_on_wake_nobody(bench: Bench) -> None:
    bench.say(0, "core", "core-a", "maintenance")
    for path in A:
        bench.say(0, "path", path, "maintenance")
    bench.finding(60, "register_failing", "sbc", "sbc-1", since=30)
    bench.tick(600)
    assert bench.incidents() == []
    bench.down(700, "sbc-1/core-b", since=690)  # what nobody works on: told
    bench.tick(800)
    assert bench.incidents() != []


def test_work_on_a_site_covers_the_sbc_that_it_alone_uses(tmp_path: Path) -> None:
    sites = {"own": {"customer": "acme", "sbcs": ["sbc-2"]}, "hq": {"customer": "acme", "sbcs": ["sbc-1"]}}
    run = Run(tmp_path, topology(sites=sites))
    run.watch(400, lambda *told: TIMEOUT if told[1] == "sbc-2" and 100 <= told[3] < 250 else None)
    run.event(
        0, event="maintenance", announced=at(-86_400), scope={"kind": "site", "name": "own"},
        **{"from": at(90), "to": at(300)},
    )  # fmt: skip
    answer = run.go()
    assert [one for one in answer["incidents"] if one["class"] == "service"] == []
    assert answer["notifications"] == []


def test_people_write_a_change_down(tmp_path: Path) -> None:
    from sereno.cli._watched import load, record
    from sereno.cli.incidents import app
    from sereno.store import open_store

    Run(tmp_path, topology())
    (tmp_path / "data").mkdir()
    store = open_store(tmp_path / "data")
    record(store, load(tmp_path / "topology.yaml", None), T0)
    store.dispose()
    asked = ["change", "nueva versión", "--on", "core:core-a", "--by", "ana", "--data", str(tmp_path / "data")]
    answer = CliRunner().invoke(app, asked, catch_exceptions=False)
    assert (answer.exit_code, answer.stdout) == (0, "cambio en core core-a registrado: nueva versión\n")
    refused = CliRunner().invoke(app, ["change", "x", "--on", "core:nadie", "--data", str(tmp_path / "data")])
    assert refused.exit_code != 0
