"""`sereno dashboards push` against a local server shaped like Grafana's API (tests/support/grafana_server.py)."""

import json
import time

import msgspec
import pytest
from grafana_server import TOKEN, GrafanaServer
from sqlalchemy import insert, update
from typer.testing import CliRunner
from web_seed import Seed

from sereno.cli.dashboards import app
from sereno.clock import SECOND_US
from sereno.errors import SerenoError
from sereno.incident import decode_record, encode_record
from sereno.store import open_store
from sereno.store.tables import incidents, maintenance

HOUR = 3_600 * SECOND_US


@pytest.fixture
def grafana():
    server = GrafanaServer()
    yield server
    server.close()


@pytest.fixture
def token(tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    return file


@pytest.fixture
def seed(tmp_path):
    """A store in which one incident is open and work is announced for tomorrow."""
    store = open_store(tmp_path / "data")
    made = Seed(store, time.time_ns() // 1_000)
    made.number = made.incident()
    with store.write() as connection:
        made.window = connection.execute(
            insert(maintenance).values(
                scope_kind="sbc", scope_name="sbc-1", from_us=made.now_us + 24 * HOUR, to_us=made.now_us + 26 * HOUR,
                announced_us=made.now_us, critical_fix=False, who="ana", recorded_us=made.now_us,
            )
        ).inserted_primary_key[0]  # fmt: skip
    yield made
    store.dispose()


def push(grafana, token, *more, url=None):
    told = CliRunner().invoke(app, ["push", "--url", url or grafana.url, "--token-file", str(token), *more])
    if isinstance(told.exception, SerenoError):
        raise told.exception
    assert told.exit_code == 0, told.output
    return told.stdout


def test_a_second_push_writes_nothing(grafana, token, seed, tmp_path):
    given = ("--datasource", "Metrics", "--prometheus", "http://prom:9090", "--data", str(tmp_path / "data"), "--json")
    first = json.loads(push(grafana, token, *given))
    assert first["grafana"] == {"url": grafana.url, "version": "13.2.3"}
    assert (first["folder"]["title"], first["folder"]["what"]) == ("Sereno", "created")
    assert first["datasource"]["what"] == "created"
    assert [one["what"] for one in first["boards"]] == ["created"] * 7
    assert first["annotations"] == {"created": 2, "updated": 0, "deleted": 0, "unchanged": 0}
    folder = grafana.folders[0]["uid"]
    assert {one["meta"]["folderUid"] for one in grafana.boards.values()} == {folder}
    source = grafana.datasources[0]
    assert (source["url"], source["jsonData"]["timeInterval"]) == ("http://prom:9090", "5s")
    for board in grafana.boards.values():
        chosen = board["dashboard"]["templating"]["list"][0]
        assert chosen["current"] == {"text": "Metrics", "value": source["uid"]}
    grafana.writes.clear()
    second = json.loads(push(grafana, token, *given))
    assert grafana.writes == []
    assert second["folder"]["what"] == second["datasource"]["what"] == "unchanged"
    assert {one["what"] for one in second["boards"]} == {"unchanged"}
    assert second["annotations"]["unchanged"] == 2


def test_what_was_changed_by_hand_is_mended(grafana, token):
    push(grafana, token, "--no-annotations")
    grafana.boards["sereno-panorama"]["dashboard"]["title"] = "Mine"
    grafana.boards["sereno-paths"]["meta"]["folderUid"] = "elsewhere"
    grafana.writes.clear()
    said = push(grafana, token, "--no-annotations")
    assert grafana.writes == [("POST", "/api/dashboards/db")] * 2
    assert grafana.boards["sereno-panorama"]["dashboard"]["title"] == "Sereno · Panorama"
    assert said.splitlines()[:2] == ["Grafana 13.2.3", "folder Sereno: unchanged"]
    assert "Sereno · Panorama: updated" in said
    assert "annotations" not in said


def test_both_languages_stand_side_by_side(grafana, token):
    push(grafana, token, "--no-annotations")
    push(grafana, token, "--no-annotations", "--language", "en", "--folder", "Sereno (English)")
    assert len(grafana.boards) == 14
    assert [one["title"] for one in grafana.folders] == ["Sereno", "Sereno (English)"]


def test_a_datasource_that_moved_is_followed(grafana, token):
    for address in ("http://one:9090", "http://two:9090"):
        push(grafana, token, "--no-annotations", "--datasource", "Metrics", "--prometheus", address)
    assert [one["url"] for one in grafana.datasources] == ["http://two:9090"]


# -- annotations -------------------------------------------------------------------------------------------------------


def marks(grafana):
    return {
        next((tag for tag in one["tags"] if tag.startswith("sereno:")), ""): (one["time"], one["timeEnd"], one["text"])
        for one in grafana.annotations
    }


def test_an_incident_is_marked_once_and_ends_when_it_ends(grafana, token, seed, tmp_path):
    given = ("--data", str(tmp_path / "data"), "--sereno", "https://noc.example/", "--json")
    push(grafana, token, *given)
    since = seed.now_us // 1_000 - 90_000
    own = f"sereno:acme-voice:incident:{seed.number}"
    text = f"#{seed.number} · Alta · Núcleo core-a caído\nhttps://noc.example/incidents/{seed.number}"
    assert marks(grafana)[own] == (since, since, text)
    (tags,) = [one["tags"] for one in grafana.annotations if own in one["tags"]]
    assert set(tags) == {"sereno", "incident", own, "Alta"}
    change(seed, state="resolved", resolved_us=seed.now_us)
    told = json.loads(push(grafana, token, *given))
    assert told["annotations"] == {"created": 0, "updated": 1, "deleted": 0, "unchanged": 1}
    assert marks(grafana)[own] == (since, seed.now_us // 1_000, text)
    change(seed, state="reopened", resolved_us=None)
    push(grafana, token, *given)
    assert marks(grafana)[own] == (since, since, text)
    change(seed, state="merged", merged_into=7)
    assert json.loads(push(grafana, token, *given))["annotations"]["deleted"] == 1
    assert own not in marks(grafana)


def change(seed, **fields):
    """The incident goes on, as the desk would write it."""
    with seed.store.write() as connection:
        row = connection.execute(incidents.select().where(incidents.c.number == seed.number)).one()
        record = msgspec.structs.replace(decode_record(row.body, ()), **fields)
        connection.execute(
            update(incidents)
            .where(incidents.c.number == seed.number)
            .values(state=record.state, body=encode_record(record))
        )


def test_cancelled_work_is_taken_away_and_strangers_are_left(grafana, token, seed, tmp_path):
    given = ("--data", str(tmp_path / "data"), "--json")
    begin = seed.now_us // 1_000
    grafana.annotations.append({"id": 900, "time": begin, "timeEnd": begin, "tags": ["deploy"], "text": "mine"})
    other = {
        "id": 901,
        "time": begin,
        "timeEnd": begin,
        "tags": ["sereno", "sereno:other:incident:1"],
        "text": "theirs",
    }
    grafana.annotations.append(other)
    push(grafana, token, *given)
    own = f"sereno:acme-voice:maintenance:{seed.window}"
    assert marks(grafana)[own][1] - marks(grafana)[own][0] == 2 * 3_600_000
    with seed.store.write() as connection:
        connection.execute(update(maintenance).values(cancelled_us=seed.now_us))
    assert json.loads(push(grafana, token, *given))["annotations"]["deleted"] == 1
    assert own not in marks(grafana)
    assert [one["id"] for one in grafana.annotations if one["id"] >= 900] == [900, 901]


def test_two_pushes_at_once_leave_one_mark(grafana, token, seed, tmp_path):
    given = ("--data", str(tmp_path / "data"), "--json")
    push(grafana, token, *given)
    doubled = [one | {"id": one["id"] + 500} for one in grafana.annotations]
    grafana.annotations.extend(doubled)
    assert json.loads(push(grafana, token, *given))["annotations"]["deleted"] == 2
    assert len(grafana.annotations) == 2


def test_without_a_store_annotations_are_left_alone(grafana, token, monkeypatch, tmp_path):
    monkeypatch.setenv("SERENO_DATA", str(tmp_path / "nothing"))
    assert json.loads(push(grafana, token, "--json"))["annotations"] is None
    assert grafana.annotations == []
    with pytest.raises(SerenoError, match="no Sereno data here yet"):
        push(grafana, token, "--data", str(tmp_path / "nothing"))


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "words"),
    [(403, "the role Editor"), (412, "not both"), (500, r"refused \(500\)"), (400, r"refused \(400\)")],
)
def test_a_refusal_is_one_line_that_says_how_to_mend_it(grafana, token, status, words):
    grafana.refuse["/api/dashboards/db"] = status
    with pytest.raises(SerenoError, match=words) as told:
        push(grafana, token, "--no-annotations")
    assert str(told.value).startswith(f"{grafana.url}: cannot write the board sereno-panorama: ")
    assert "\n" not in str(told.value)
    assert told.value.exit_code == 1


def test_a_wrong_token_is_never_shown(grafana, tmp_path):
    file = tmp_path / "token"
    file.write_text("glsa_another")
    with pytest.raises(SerenoError, match="it refuses the token") as told:
        push(grafana, file, "--no-annotations")
    assert "glsa" not in str(told.value)


def test_nobody_there(token, grafana):
    with pytest.raises(SerenoError, match="cannot be reached"):
        push(grafana, token, "--no-annotations", url="http://127.0.0.1:1")


def test_a_server_that_does_not_answer_in_time(token, grafana, monkeypatch):
    monkeypatch.setattr("dashboards.grafana.push.TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(grafana, "answer", lambda *_: time.sleep(1) or (200, {}))
    with pytest.raises(SerenoError, match=r"cannot read its version: no answer within 0\.2 s"):
        push(grafana, token, "--no-annotations")


def test_another_server_there(token, grafana, monkeypatch):
    monkeypatch.setattr(grafana, "answer", lambda *_: (200, ["not", "grafana"]))
    with pytest.raises(SerenoError, match=r"none of Grafana's"):
        push(grafana, token, "--no-annotations")


def test_annotations_that_are_none_of_grafanas(token, grafana, seed, tmp_path):
    own = f"sereno:acme-voice:incident:{seed.number}"
    grafana.annotations.append({"time": seed.now_us // 1_000, "timeEnd": seed.now_us // 1_000, "tags": [own, "sereno"]})
    with pytest.raises(SerenoError, match=r"none of Grafana's"):
        push(grafana, token, "--data", str(tmp_path / "data"))


def test_below_a_path(grafana, token):
    push(grafana, token, "--no-annotations", url=f"{grafana.url}/grafana/")
    assert len(grafana.boards) == 7


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("--url", "grafana.example"), "give Grafana's address"),
        (("--url", "https://me:secret@grafana.example"), "leave user and password out"),
        (("--prometheus", "http://prom:9090"), "--datasource NAME"),
        (("--datasource", "nowhere"), "--prometheus URL and it is made"),
        (("--language", "fr"), "give es or en"),
        (("--token-file", "/nonexistent"), "a file that can be read"),
    ],
)
def test_mistakes_are_told_in_one_line(grafana, token, given, words):
    with pytest.raises(SerenoError, match=words) as told:
        push(grafana, token, "--no-annotations", *given)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("text", [b"", b"two words", b"\xff\xfe"])
def test_a_token_file_holds_one_token(grafana, tmp_path, text):
    file = tmp_path / "bad"
    file.write_bytes(text)
    with pytest.raises(SerenoError, match="the token alone"):
        push(grafana, file)


# -- files -------------------------------------------------------------------------------------------------------------


def test_render_writes_seven_boards_of_a_language(tmp_path):
    given = ["render", str(tmp_path / "en"), "--language", "en", "--sereno", "https://noc.example", "--json"]
    told = CliRunner().invoke(app, given)
    written = json.loads(told.stdout)["written"]
    assert sorted(written) == sorted(str(path) for path in (tmp_path / "en").iterdir())
    assert len(written) == 7
    board = json.loads((tmp_path / "en" / "panorama.json").read_text(encoding="utf-8"))
    assert (board["uid"], board["title"]) == ("sereno-panorama-en", "Sereno · Overview")
    (pages,) = [one for one in board["templating"]["list"] if one["name"] == "sereno"]
    assert pages["current"] == {"text": "https://noc.example", "value": "https://noc.example"}
    spanish = CliRunner().invoke(app, ["render", str(tmp_path / "es")])
    assert len(spanish.stdout.splitlines()) == 7
    with pytest.raises(SerenoError, match="give es or en"):
        CliRunner().invoke(app, ["render", str(tmp_path), "--language", "fr"], catch_exceptions=False)
