"""`sereno alarms` as people call it: what is declared, what holds, what is silenced, on a store where nothing runs."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from alerting_bench import topology
from sqlalchemy import insert, select
from typer.testing import CliRunner

from alerting.service import Desk, machine_for
from sereno.cli import SerenoError
from sereno.cli.root import app
from sereno.clock import SystemClock
from sereno.store import Store, open_store
from sereno.store.commands import submit
from sereno.store.tables import incidents, silences, topologies, verdict_changes
from sereno.topology import canonical_json, topology_hash

S = 1_000_000


class Place:
    """A data directory with an accepted topology, on which things are said and commands given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = open_store(folder)
        self.watched = topology()
        with self.store.write() as connection:
            connection.execute(
                insert(topologies).values(
                    from_us=0, hash=topology_hash(self.watched), topology=canonical_json(self.watched), desk=None
                )
            )

    def say(self, kind: str, name: str, state: str, *, what: str = "verdict", ago: float = 60) -> None:
        now_us = SystemClock().now_us()
        with self.store.write() as connection:
            connection.execute(
                insert(verdict_changes).values(
                    kind=kind, name=name, what=what, state=state, since_us=now_us - round(ago * S),
                    at_us=now_us - round(ago * S), facts="{}",
                )
            )  # fmt: skip
        Desk(self.store, machine_for(self.watched, None, None), SystemClock()).round()

    def sereno(self, *words: str, code: int = 0) -> str:
        told = CliRunner().invoke(app, ["alarms", *words, "--data", str(self.folder)], env={"COLUMNS": "200"})
        if code:
            assert isinstance(told.exception, SerenoError), told.output
            assert told.exception.exit_code == code
            return str(told.exception)
        assert told.exit_code == 0, (told.output, told.exception)
        return told.stdout

    def json(self, *words: str) -> dict:
        return json.loads(self.sereno(*words, "--json"))

    def opened(self) -> list[str]:
        with self.store.read() as connection:
            return list(connection.execute(select(incidents.c.cause_name)).scalars())


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path / "data")
    yield found
    found.store.dispose()


def test_what_holds_is_listed_with_its_incident(place: Place) -> None:
    assert place.json("list", "--now")["alarms"] == []
    place.say("core", "core-a", "down")
    (row,) = place.json("list", "--now")["alarms"]
    (held,) = row["holding"]
    assert (row["alarm"], held["name"], held["phase"], held["incident"]) == ("core_down", "core-a", "firing", 1)
    assert "core_down" in place.sereno("list", "--now")
    assert len(place.json("list")["alarms"]) > 60
    shown = place.sereno("show", "core_down")
    assert "Primer paso" in shown
    assert "core:core-a" in shown


def test_a_silence_hides_from_the_desk_and_not_from_the_list(place: Place) -> None:
    (made,) = place.json("silence", "core_down", "--name", "core-*", "--for", "2h", "--why", "cambio 7")["silences"]
    assert (made["id"], made["in_force"], made["why"]) == (1, True, "cambio 7")
    place.say("core", "core-a", "down")
    assert place.opened() == []
    (row,) = place.json("list", "--now")["alarms"]
    assert row["holding"][0]["silence"] == 1
    assert "silenciada" in place.sereno("list", "--now")
    (ended,) = place.json("unsilence", "1")["silences"]
    assert ended["cancelled"] is not None
    place.say("core", "core-b", "up", ago=0)
    assert place.opened() == ["core-a"], "what still holds speaks when its silence ends"
    with place.store.read() as connection:
        (stored,) = connection.execute(select(silences)).all()
    assert (stored.alarm, stored.name, stored.kind, stored.cancelled_us is not None) == (
        "core_down", "core-*", None, True,
    )  # fmt: skip


def test_a_service_down_is_never_hidden_silently(place: Place) -> None:
    place.sereno("silence", "--kind", "service", "--for", "1h", "--why", "prueba")
    place.say("service", "voz", "down")
    assert place.opened() == []
    assert place.sereno("list").startswith("✕ EL SERVICIO voz ESTÁ CAÍDO")
    assert place.json("list")["silenced_service_down"] == ["voz"]


REFUSED = [
    (("silence", "core_dwn", "--for", "2h", "--why", "x"), 2, "did you mean core_down?"),
    (("silence", "--for", "2h", "--why", "x"), 1, "un silencio de todo no se admite"),
    (("silence", "core_down", "--for", "2h"), 1, "diga por qué"),
    (("silence", "core_down", "--why", "x"), 2, "needs an end"),
    (("silence", "core_down", "--for", "2h", "--to", "2030-01-01T00:00Z", "--why", "x"), 2, "needs an end"),
    (("silence", "core_down", "--to", "2020-01-01T00:00Z", "--why", "x"), 1, "antes de empezar"),
    (("silence", "core_down", "--for", "60d", "--why", "x"), 1, "31 días"),
    (("silence", "core_down", "--for", "dos", "--why", "x"), 2, "--for"),
    (("silence", "--kind", "sbcs", "--for", "2h", "--why", "x"), 2, "ninguna alarma vigila"),
    (("unsilence", "7"), 2, "no hay ningún silencio 7"),
    (("show", "core_dwn"), 2, "did you mean core_down?"),
]


def test_what_cannot_be_is_told_in_one_line(place: Place) -> None:
    for words, code, said in REFUSED:
        told = place.sereno(*words, code=code)
        assert said in told
        assert "\n" not in told
    assert place.json("list")["silences"] == []


def test_a_silence_ends_once(place: Place) -> None:
    place.sereno("silence", "core_down", "--for", "2h", "--why", "x")
    place.sereno("unsilence", "1")
    assert "ya había terminado" in place.sereno("unsilence", "1", code=1)


def test_files_schema_measures_and_runbooks_need_no_store(tmp_path: Path) -> None:
    good, bad = tmp_path / "alarms.yaml", tmp_path / "bad.yaml"
    text = "alarms: {a: {measure: mos_lq, scope: sbc, aggregate: p50, over: 15m, below: 3.6}}\n"
    good.write_text(text)
    bad.write_text(text.replace("mos_lq", "mos"))
    run = CliRunner().invoke
    told = json.loads(run(app, ["alarms", "validate", str(good), "--json"]).stdout)
    assert (told["alarms"], told["threshold"]) == (["a"], ["a"])
    refused = run(app, ["alarms", "validate", str(bad)]).exception
    assert isinstance(refused, SerenoError)
    assert str(refused).startswith(f"{bad}:1: alarms.a.measure: 'mos' is no measure; write mos_")
    schema = json.loads(run(app, ["alarms", "schema"]).stdout)
    assert "mos_lq" in json.dumps(schema["$defs"]["ThresholdAlarm"]["properties"]["measure"])
    assert "loss_ratio" in json.loads(run(app, ["alarms", "measures", "--json"]).stdout)["measures"]
    page = run(app, ["alarms", "runbooks", "--alarms", str(good)], env={"SERENO_DATA": str(tmp_path / "none")})
    assert page.stdout == "# Qué hacer con cada alarma\n\n## a\n"


def say(store: Store, kind: str, name: str, state: str, at_us: int) -> None:
    with store.write() as connection:
        connection.execute(
            insert(verdict_changes).values(
                kind=kind, name=name, what="verdict", state=state, since_us=at_us, at_us=at_us, facts="{}"
            )
        )


def test_silences_and_past_falls_outlive_the_process(any_store: Store) -> None:
    """Another process that takes over is silent about the same, and knows what fell lately."""
    now_us = SystemClock().now_us()
    desk = Desk(any_store, machine_for(topology(), None, None), SystemClock())
    submit(any_store, "silence.add", {"alarm": "sbc_down", "to_us": now_us + 3_600 * S, "why": "cambio"}, "ana")
    for state, ago in (("down", 200), ("up", 100)):
        say(any_store, "core", "core-a", state, now_us - ago * S)
    desk.round()
    say(any_store, "sbc", "sbc-1", "down", now_us - 50 * S)
    later = Desk(any_store, machine_for(topology(), None, None), SystemClock())
    later.round()
    machine = later._machine
    assert [(one.alarm, one.why, one.who) for one in machine.silences.known.values()] == [("sbc_down", "cambio", "ana")]
    assert [key[0] for key in machine.resting] == ["core_down"]
    assert ("sbc_down", "sbc", "sbc-1") in machine.states
    assert {one.cause.name for one in machine.incidents()} == {"core-a"}
    submit(any_store, "silence.cancel", {"id": 1}, "leo")
    later.round()
    again = Desk(any_store, machine_for(topology(), None, None), SystemClock())
    again.round()
    assert again._machine.silences.known[1].cancelled_us is not None
    assert "sbc-1" in {one.cause.name for one in again._machine.incidents()}
