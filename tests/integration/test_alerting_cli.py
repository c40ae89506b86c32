"""`sereno incidents` and `sereno maintenance` as people call them, on a store where nothing runs."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alerting_bench import TOPOLOGY, topology
from sqlalchemy import insert

from alerting.service import Desk, machine_for
from sereno import contract as sereno_contract
from sereno.clock import SystemClock
from sereno.instance import lock
from sereno.store import open_store
from sereno.store.commands import submit
from sereno.store.tables import topologies, verdict_changes
from sereno.topology import canonical_json, topology_hash


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with an accepted topology and a core that has been dead for a minute."""
    folder = tmp_path / "data"
    store = open_store(folder)
    now_us = SystemClock().now_us()
    watched = topology()
    with store.write() as connection:
        connection.execute(
            insert(topologies).values(
                from_us=0, hash=topology_hash(watched), topology=canonical_json(watched), desk=None
            )
        )
        for kind, name in (("path", "sbc-1/core-a"), ("path", "sbc-2/core-a"), ("core", "core-a")):
            connection.execute(
                insert(verdict_changes).values(
                    kind=kind,
                    name=name,
                    what="verdict",
                    state="down",
                    since_us=now_us - 60_000_000,
                    at_us=now_us - 58_000_000,
                    facts="{}",
                )
            )
    Desk(store, machine_for(watched, None, None), SystemClock()).round()
    store.dispose()
    return folder


def sereno(data: Path, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "sereno", *arguments, "--data", str(data)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert done.returncode == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    if code:
        assert len(done.stderr.strip().splitlines()) == 1
        return done.stderr
    return done.stdout


def test_an_incident_is_listed_worked_on_and_not_resolved_while_down(data: Path) -> None:
    (listed,) = json.loads(sereno(data, "incidents", "list", "--json"))["incidents"]
    assert (listed["number"], listed["state"], listed["cause"]["name"]) == (1, "open", "core-a")
    assert listed["acknowledged"] is None
    assert set(listed) >= {
        "number",
        "state",
        "class",
        "priority",
        "priority_peak",
        "severity",
        "title",
        "cause",
        "symptoms",
        "since",
        "opened",
        "acknowledged",
        "resolved",
        "closed",
        "clocks",
        "timeline",
    }
    assert "Núcleo core-a caído" in sereno(data, "incidents", "list")
    assert "Incidente 1: hecho" in sereno(data, "incidents", "ack", "1", "--by", "ana", "--note", "voy")
    assert "sigue mal core core-a" in sereno(data, "incidents", "resolve", "1", code=1)
    sereno(data, "incidents", "note", "1", "ya en la consola")
    (shown,) = json.loads(sereno(data, "incidents", "show", "1", "--json"))["incidents"]
    assert shown["state"] == "acknowledged"
    assert [(line["what"], line["who"]) for line in shown["timeline"]][-2] == ("reconocido: voy", "ana")
    assert shown["timeline"][-1]["what"] == "nota: ya en la consola"
    assert {clock["state"] for clock in shown["clocks"] if clock["clock"] == "attention"} == {"met"}


@pytest.mark.parametrize("verb", ["show", "ack", "resolve", "close", "reopen", "start"])
def test_an_unknown_number_is_one_line_and_exit_2(data: Path, verb: str) -> None:
    assert "no hay ningún incidente 77" in sereno(data, "incidents", verb, "77", code=2)


def test_a_wrong_state_is_exit_2(data: Path) -> None:
    assert "no such state" in sereno(data, "incidents", "list", "--state", "abierto", code=2)


def test_out_of_order_is_refused_in_words(data: Path) -> None:
    assert "no se puede cerrar (solo desde resuelto)" in sereno(data, "incidents", "close", "1", code=1)
    sereno(data, "incidents", "ack", "1")
    assert "lo abrió el monitor" in sereno(data, "incidents", "pause", "1", "--note", "¿siguen mal?", code=1)


def test_maintenance_is_recorded_listed_and_cancelled(data: Path) -> None:
    window = ("--from", "2026-12-01T20:00-05:00", "--to", "2026-12-01T22:00-05:00")
    said = json.loads(sereno(data, "maintenance", "add", "--scope", "sbc:sbc-1", *window, "--json"))["maintenance"]
    assert (said[0]["scope"], said[0]["from"]) == ({"kind": "sbc", "name": "sbc-1"}, "2026-12-02T01:00:00.000000Z")
    assert "sbc-9: no está en la topología" in sereno(
        data, "maintenance", "add", "--scope", "sbc:sbc-9", *window, code=2
    )
    assert "no UTC offset" in sereno(
        data, "maintenance", "add", "--scope", "service", "--from", "2026-12-01T20:00", "--to", "2026-12-02", code=2
    )
    late = ["--announced", "2199-01-01T00:00:00Z"]
    assert "anunciado después de ahora" in sereno(
        data, "maintenance", "add", "--scope", "sbc:sbc-1", *window, *late, code=1
    )
    assert "cancelado" in sereno(data, "maintenance", "cancel", "1")
    assert json.loads(sereno(data, "maintenance", "list", "--json")) == {"maintenance": []}
    assert "ya estaba cancelado" in sereno(data, "maintenance", "cancel", "1", code=1)
    assert "no hay ningún mantenimiento 9" in sereno(data, "maintenance", "cancel", "9", code=2)


def test_no_data_is_one_line(tmp_path: Path) -> None:
    assert "no Sereno data" in sereno(tmp_path / "nothing", "incidents", "list", code=2)


def test_what_waits_is_said_and_what_others_wrote_gives_the_terminal_no_orders(data: Path) -> None:
    report = ("--reporter", "Luis", "--description", "tono\n\x1b[31mocupado")
    sereno(data, "incidents", "open", "--customer", "acme", "--title", "x", *report)
    sereno(data, "incidents", "note", "2", "una\notra")
    shown = sereno(data, "incidents", "show", "2")
    assert "\x1b" not in shown
    assert "» �[31mocupado" in shown
    assert "nota: una ⏎ otra" in shown
    assert "reporte incompleto: el reloj de atención de acme no ha empezado" in shown
    assert "corre, faltan 3 h 59 min" in shown
    sereno(data, "incidents", "answer", "2", "--text", "sí\n\x1b[1m, todo")
    assert "respuesta: sí �[1m, todo" in sereno(data, "incidents", "messages", "2")
    sereno(data, "incidents", "resolve", "2")
    assert "hecho. No se cierra todavía: falta --category y --cause" in sereno(data, "incidents", "confirm", "2")
    assert sereno(data, "incidents", "confirm", "2", "--category", "red", "--cause", "cliente").endswith("hecho.\n")
    assert "reporte incompleto\n" in sereno(data, "incidents", "show", "2")


def test_orders_given_at_once_while_nothing_runs_are_all_done_and_all_say_so(data: Path) -> None:
    words = [f"nota {number}" for number in range(4)]
    with ThreadPoolExecutor(len(words)) as pool:
        told = list(pool.map(lambda text: sereno(data, "incidents", "note", "1", text), words))
    assert set(told) == {"Incidente 1: hecho.\n"}
    shown = sereno(data, "incidents", "show", "1")
    assert all(text in shown for text in words)


def test_an_order_on_data_that_somebody_keeps_says_that_it_waits(data: Path) -> None:
    with lock(data):
        assert "stays in its inbox" in sereno(data, "incidents", "note", "1", "luego", code=2)
    sereno(data, "incidents", "note", "1", "ahora")
    assert "nota: luego" in sereno(data, "incidents", "show", "1")


def test_a_desk_that_is_ahead_of_the_clock_says_so(data: Path) -> None:
    class Ahead(SystemClock):
        def now_us(self) -> int:
            return super().now_us() + 3 * 86_400_000_000

    store = open_store(data)
    submit(store, "incident.note", {"number": 1, "note": "mañana"}, "ana")
    Desk(store, machine_for(topology(), None, None), Ahead()).round()
    store.dispose()
    words = [sys.executable, "-m", "sereno", "incidents", "note", "1", "hoy", "--data", str(data)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "la mesa va 2 d 23 h por delante de esta máquina" in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_could_not_be_done_for_want_of_a_contract_is_not_done_later(data: Path, tmp_path: Path) -> None:
    own = tmp_path / "contracts" / "own.yaml"
    own.parent.mkdir()
    own.write_text("contract: own\n")
    watched = topology(TOPOLOGY.replace("contract: wekall", "contract: own"))
    store = open_store(data)
    with store.write() as connection:
        connection.execute(
            insert(topologies).values(
                from_us=1,
                hash=topology_hash(watched),
                topology=canonical_json(watched),
                desk=None,
                beside=str(tmp_path),
            )
        )
    store.dispose()
    assert "versions: is missing" in sereno(data, "incidents", "note", "1", "ayer", code=2)
    shipped = Path(sereno_contract.__file__).parent / "data" / "wekall.yaml"
    own.write_text(shipped.read_text().replace("contract: wekall", "contract: own"))
    sereno(data, "incidents", "note", "1", "hoy")
    shown = sereno(data, "incidents", "show", "1")
    assert "nota: hoy" in shown
    assert "ayer" not in shown
