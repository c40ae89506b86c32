"""`sereno oncall` as people call it, on a store where nothing runs and on a file alone."""

import json
from pathlib import Path

import pytest
from alerting_bench import topology
from sqlalchemy import insert
from typer.testing import CliRunner

from sereno.cli.oncall import app
from sereno.clock import SystemClock
from sereno.desk import load_desk
from sereno.errors import SerenoError
from sereno.store import open_store
from sereno.store.commands import submit
from sereno.store.tables import steps, topologies
from sereno.topology import canonical_json, topology_hash

DESK = """
contract: callmyway
channels: {hook: {webhook: "http://127.0.0.1:1/"}}
people: {ana: {channels: [hook]}, leo: {channels: [hook]}}
rotas: {guardia: {people: [ana, leo], handover: "mon 08:00", start: 2026-03-02, timezone: America/New_York}}
levels:
- {name: L1, rota: guardia, calendar: {mon-fri: ["06:00-21:00"]}}
- {name: L2, people: [leo], ack: 7m}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data directory with an accepted topology and desk; the desk's file beside it."""
    (tmp_path / "desk.yaml").write_text(DESK)
    store, watched = open_store(tmp_path / "data"), topology()
    desk = load_desk(tmp_path / "desk.yaml").model_dump_json(by_alias=True)
    with store.write() as connection:
        row = {"from_us": 0, "hash": topology_hash(watched), "topology": canonical_json(watched), "desk": desk}
        connection.execute(insert(topologies).values(**row))
    store.dispose()
    return tmp_path


def oncall(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, list(arguments))
    if isinstance(done.exception, SerenoError):
        assert done.exception.exit_code == code
        return str(done.exception)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.stdout


def test_now_and_next_by_the_file_alone(folder: Path) -> None:
    asked = ["--desk", str(folder / "desk.yaml"), "--at", "2026-03-07T12:00:00-06:00", "--json"]
    found = json.loads(oncall("show", *asked))
    assert found == json.loads(oncall(*asked))
    first, second = found["levels"]
    assert (first["people"], first["by"], first["open"], first["ack_seconds"]) == (["ana"], "rota", False, 300.0)
    assert first["until"] == "2026-03-09T12:00:00.000000Z"  # summer time has begun: 08:00 is an hour earlier in UTC
    assert (first["next"]["people"], first["next"]["from"]) == (["leo"], first["until"])
    assert (second["people"], second["by"], second["pages"], second["ack_seconds"]) == (
        ["leo"], "people", ["Urgente"], 420.0,
    )  # fmt: skip
    assert "L1: ana (turno) hasta lun 9 mar 2026, 06:00:00 -06:00; después leo" in oncall(*asked[:-1])


def test_somebody_stands_in_and_goes_again(folder: Path) -> None:
    data = ["--data", str(folder / "data")]
    text = oncall("override", "--level", "L2", "--person", "ana", "--to", "2199-01-01T00:00Z", *data, code=1)
    assert "un año a lo sumo" in text
    span = ["--from", "2030-01-01T00:00Z", "--to", "2030-02-01T00:00Z"]
    (made,) = json.loads(oncall("override", "--level", "L2", "--person", "ana", *span, "--json", *data))["overrides"]
    assert (made["level"], made["person"], made["cancelled"]) == ("L2", "ana", None)
    at = ["--at", "2030-01-15T00:00Z", "--json"]
    (level,) = [one for one in json.loads(oncall("show", *at, *data))["levels"] if one["level"] == "L2"]
    assert (level["people"], level["by"], level["until"]) == (["ana"], "override", "2030-02-01T00:00:00.000000Z")
    assert "ana  lun 31 dic 2029, 18:00:00 -06:00 – jue 31 ene 2030, 18:00:00 -06:00" in oncall("list", *data)
    oncall("cancel", str(made["id"]), *data)
    assert oncall("list", *data) == "Ningún relevo.\n"
    (level,) = [one for one in json.loads(oncall("show", *at, *data))["levels"] if one["level"] == "L2"]
    assert level["people"] == ["leo"]
    assert "no existe; hay L1, L2" in oncall("override", "--level", "L9", "--person", "ana", *span, *data, code=2)
    assert "--from" in oncall(
        "override", "--level", "L1", "--person", "ana", "--from", "ayer", *span[2:], *data, code=2
    )


def test_the_audit_says_what_did_not_happen(folder: Path) -> None:
    data = ["--data", str(folder / "data")]
    assert json.loads(oncall("audit", "--json", *data))["findings"] == []
    store = open_store(folder / "data")
    submit(store, "incident.open", {"title": "algo", "priority": "Urgente"}, "juez")
    oncall("override", "--level", "L1", "--person", "leo", "--to", "2030-01-01T00:00Z", *data, code=1)  # makes a round
    old_us = SystemClock().now_us() - 120_000_000
    with store.write() as connection:
        body = connection.exec_driver_sql("SELECT body FROM steps WHERE key = '1/0/1'").scalar_one()
        document = {**json.loads(body), "due_us": old_us}
        connection.execute(
            steps.update().where(steps.c.key == "1/0/1").values(due_us=old_us, body=json.dumps(document))
        )
    store.dispose()
    (finding,) = json.loads(oncall("audit", "--json", *data))["findings"]
    assert (finding["fault"], finding["incident"], finding["key"]) == ("overdue", 1, "1/0/1")
    assert "el paso 1/0/1 tocaba a las" in finding["text"]
