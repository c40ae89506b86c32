"""`/forensics` over a store with a story in it: pieces that add up, a picture that is true, addresses that last."""

import io
import json
import re
import time
import zipfile

import httpx
import msgspec
import pytest
from forensic_store import DOWN, PATHS, PROBES, T0, S, accept, failure, put, result, story
from sqlalchemy import select
from web_server import Served

from collector.forensics import answers, pieces
from collector.forensics.answers import StoreCases
from collector.forensics.case import Case
from collector.forensics.entry import as_json
from dashboards.web.app import create_app
from dashboards.web.forensics import exports
from sereno.answers.cases import Asked, Sift
from sereno.cli._answers import answers_of
from sereno.clock import SystemClock, iso
from sereno.errors import UsageError
from sereno.store import open_store, tables

WINDOW = Asked(from_us=T0, to_us=T0 + 120 * S)
NOW = T0 + 200 * S
URL = f"/forensics?from={iso(T0)}&to={iso(T0 + 120 * S)}"


class At(SystemClock):
    """A clock that stands still, but for what is only waited for."""

    def now_us(self):
        return NOW


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    opened = open_store(tmp_path_factory.mktemp("told"))
    story(opened)
    yield opened
    opened.dispose()


@pytest.fixture(scope="module")
def client(told):
    server = Served(lambda: create_app(told, At(), answers=answers_of(told)))
    server.start()
    with httpx.Client(base_url=server.url, timeout=30) as opened:
        yield opened
    server.stop()


@pytest.mark.parametrize("asked", [WINDOW, Asked(from_us=T0, to_us=T0 + 120 * S, path=PATHS[0]), Asked(incident=1)])
def test_pieces_hold_every_entry_once_and_in_order(told, asked):
    with told.read() as connection:
        whole = [as_json(one) for one in Case(connection, asked, NOW).timeline()]
    found, after = [], None
    while True:
        piece = StoreCases(told).entries(asked, after, 97, NOW)
        found += piece.lines
        assert piece.next is None or len(piece.lines) == 97
        if piece.next is None:
            break
        after = piece.next
    assert found == whole


def test_lines_count_every_result_once_whatever_the_pieces(told, monkeypatch):
    monkeypatch.setattr(pieces, "_ENTRIES", 300)
    cases, after, count, rounds = StoreCases(told), None, 0, 0
    while True:
        piece = cases.lines(WINDOW, Sift(events=False), "es", NOW, after)
        count += sum(line.count for line in piece.lines)
        rounds += 1
        if piece.next is None:
            break
        assert piece.read_us <= WINDOW.to_us
        after = piece.next
    with told.read() as connection:
        stored = len(connection.execute(select(tables.results.c.seq)).all())
    assert (count, rounds > 3) == (stored, True)


@pytest.mark.parametrize("only", [None, "changes"])
def test_from_the_end_it_is_the_same_backwards(told, monkeypatch, only):
    asked = Asked(from_us=T0, to_us=T0 + 120 * S, only=only)

    def every(**order):
        cases, after, found = StoreCases(told), None, []
        while True:
            piece = cases.lines(asked, Sift(folded=False, **order), "es", NOW, after)
            found += piece.lines
            if piece.next is None:
                return found
            after = piece.next

    forwards = every()
    monkeypatch.setattr(pieces, "LINES", 40)
    monkeypatch.setattr(pieces, "_SLICE", 50)
    backwards = every(newest=True)
    assert [(one.at_us, one.kind) for one in backwards] == [(one.at_us, one.kind) for one in reversed(forwards)]
    assert sorted(one.text for one in backwards) == sorted(one.text for one in forwards)
    with pytest.raises(UsageError, match="no place in a timeline"):
        StoreCases(told).lines(asked, Sift(newest=True), "es", NOW, "before-x")


def test_what_changed_is_told_once_although_it_was_read_in_pieces(told, monkeypatch):
    asked = Asked(from_us=T0, to_us=T0 + 120 * S, only="changes")

    def results():
        cases, after, found = StoreCases(told), None, []
        while True:
            piece = cases.lines(asked, Sift(folded=False), "es", NOW, after)
            found += [line.source for line in piece.lines if line.source]
            if piece.next is None:
                return found
            after = piece.next

    at_once = results()
    assert len(at_once) == 2 * len(PROBES)  # two paths to the core, each by two probes, once
    monkeypatch.setattr(pieces, "_ENTRIES", 3)
    assert results() == at_once


def test_a_place_of_nobody_is_refused(told):
    for place in ("x", "////", "W10", "é"):
        with pytest.raises(UsageError, match="no place in a timeline"):
            StoreCases(told).entries(WINDOW, place, 5, NOW)


def test_the_picture_is_what_was_said_and_measured(told):
    picture = StoreCases(told).look(WINDOW, Sift(), "es", NOW).picture
    lanes = {(lane.kind, lane.name): lane for lane in picture.lanes}
    states = [(one.state, one.from_us, one.to_us) for one in lanes["core", "core-a"].spans]
    assert states == [
        ("up", T0, T0 + DOWN[0] * S),
        ("down", T0 + DOWN[0] * S, T0 + DOWN[1] * S),
        ("up", T0 + DOWN[1] * S, T0 + 120 * S),
    ]
    path = lanes["path", "sbc-1/core-a"]
    assert sum(path.failed) == len(PROBES) * (DOWN[1] - DOWN[0])
    assert [place for place, count in enumerate(path.failed) if count] == list(range(DOWN[0] // 2, DOWN[1] // 2))
    assert all(path.seen)
    assert [(mark.number, mark.at_us, mark.to_us) for mark in picture.marks if mark.kind == "incident"] == [
        (1, T0 + DOWN[0] * S, T0 + DOWN[1] * S)
    ]


def test_every_database_tells_the_same(told, any_store):
    story(any_store)
    ours, theirs = (StoreCases(store).look(WINDOW, Sift(), "es", NOW) for store in (told, any_store))
    assert msgspec.json.encode(ours.picture) == msgspec.json.encode(theirs.picture)
    assert ours.lines.lines == theirs.lines.lines
    rare = Asked(from_us=T0, to_us=T0 + 120 * S, probe="bog-1", only="changes")
    assert StoreCases(told).look(rare, Sift(), "es", NOW) == StoreCases(any_store).look(rare, Sift(), "es", NOW)


def test_where_nothing_was_measured_nothing_is_seen(told):
    picture = StoreCases(told).look(Asked(from_us=T0 - 60 * S, to_us=T0 + 60 * S), Sift(), "es", NOW).picture
    path = next(lane for lane in picture.lanes if lane.name == "sbc-1/core-b")
    assert path.seen == (False,) * 30 + (True,) * 30


def test_a_series_that_is_measured_rarely_is_seen_all_the_same(tmp_path):
    with_rare = open_store(tmp_path / "data")
    try:
        accept(with_rare)
        rare = [result(PATHS[0], "bog-1", T0 + at * S + 500_000, at + 1) for at in (57, 130, 170)]
        dense = [result(PATHS[1], "bog-1", T0 + at * S, 1_000 + at) for at in range(180)]
        put(with_rare, [*rare, *dense])
        look = StoreCases(with_rare).look(Asked(from_us=T0, to_us=T0 + 180 * S), Sift(), "es", NOW)
        seen = {lane.name: lane.seen for lane in look.picture.lanes}
        assert [place for place, there in enumerate(seen[PATHS[0]]) if there] == [19, 43, 56]
        assert all(seen[PATHS[1]])
        assert not any(seen[PATHS[2]])
    finally:
        with_rare.dispose()


def test_too_many_failures_are_compared_up_to_an_instant_that_is_told(told, monkeypatch, client):
    monkeypatch.setattr(answers, "_COMPARED", 20)
    head = StoreCases(told).look(WINDOW, Sift(), "es", NOW).head
    assert T0 + DOWN[0] * S < head.compared_us < T0 + DOWN[1] * S
    assert head.onsets[0].element == "sbc-1/core-a"
    assert "Falló tanto que se comparó solo hasta" in client.get(URL).text


# -- the page ---------------------------------------------------------------------------------------------------------


def test_what_is_not_written_in_the_one_way_leads_there(client):
    answer = client.get("/forensics?from=hace+2+min&about=path:sbc-1/core-a&q=&check=")
    assert answer.status_code == 303
    wanted = f"/forensics?from={iso(NOW - 120 * S)}&to={iso(NOW + S)}&path=sbc-1/core-a"
    assert answer.headers["location"] == wanted
    assert client.get(wanted).status_code == 200


def test_a_page_says_what_changed_first_and_shows_lines_that_open(client):
    text = client.get(URL).text
    assert "Lo que falló comparte núcleo core-a (fallaron 4 de sus 4 series y 0 de las otras 4)." in text
    assert "INCIDENTE 1 · ana: reconocido: voy" in text
    assert "style=" not in text
    opened = re.search(r'data-open="([^"]+)"', text)[1]
    assert "✕ sin respuesta a OPTIONS" in client.get(f"{opened}?fragment=1").text
    whole = client.get(opened)
    assert whole.status_code == 200
    assert "<title>options sbc-1/core-a · Sereno</title>" in whole.text
    english = client.get(f"{URL}&lang=en").text
    assert "What changed first" in english
    assert "What failed shares core core-a" in english


def test_filters_narrow_the_lines(client):
    only = client.get(f"{URL}&kind=results&reason=timeout&show=all").text
    assert "VEREDICTO" not in only
    assert "sin respuesta a tiempo" in only
    assert "× ok" not in only
    assert "reconocido: voy" in client.get(f"{URL}&q=VOY").text
    assert "VEREDICTO" not in re.search(r'<ol class="lines".*?</ol>', client.get(f"{URL}&q=VOY").text, re.DOTALL)[0]


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("from=tarde", 400, "«tarde» no es un instante"),
        (f"from={iso(T0)}&to={iso(T0 + S)}&path=x/y", 400, "En esta ventana no hay ruta de nombre x/y"),
        ("incident=99", 400, "No existe el incidente 99."),
        (f"from={iso(T0 - 900 * S)}&to={iso(T0 - 800 * S)}", 200, "Desconocido: el primer resultado del almacén es de"),
        (f"from={iso(T0 + 130 * S)}&to={iso(T0 + 140 * S)}", 200, "Desconocido: el último resultado del almacén es de"),
        (f"from={iso(NOW + S)}&to={iso(NOW + 9 * S)}", 200, "Esta ventana está en el futuro"),
    ],
)
def test_a_window_of_nothing_is_unknown_and_a_wrong_one_says_how_to_mend_it(client, query, status, said):
    answer = client.get(f"/forensics?{query}")
    assert answer.status_code == status
    assert said in answer.text
    assert "Ningún chequeo empezó a fallar" not in answer.text


def test_a_result_as_files_is_noted(client, told):
    with told.read() as connection:
        row = connection.execute(select(tables.results).where(tables.results.c.outcome == "failed").limit(1)).one()
    place = f"/forensics/result/{row.probe}/{row.boot}/{row.seq}"
    assert client.get(f"{place}.json").json() == json.loads(row.body)
    capture = client.get(f"{place}.pcap")
    assert capture.content[:4] == b"\xd4\xc3\xb2\xa1"
    assert capture.headers["content-disposition"] == f'attachment; filename="{row.probe}-{row.boot}-{row.seq}.pcap"'
    assert client.get("/forensics/result/nobody/b/1").status_code == 404
    assert client.get("/forensics/result/nobody/b/1.pcap").status_code == 404
    with told.read() as connection:
        noted = connection.execute(select(tables.audit.c.what, tables.audit.c.about)).all()
    assert ("forensics.export", f"result {row.probe}/{row.boot}/{row.seq} pcap") in [tuple(one) for one in noted]


def test_a_window_as_an_archive_is_made_by_a_child_with_progress(client):
    began = client.get(f"/forensics/export.zip?{URL.partition('?')[2]}&path=sbc-1/core-a&show=changes")
    assert began.status_code == 303
    page = began.headers["location"]
    for _ in range(400):
        text = client.get(page).text
        if "/file" in text or 'class="wrong"' in text:
            break
        assert 'http-equiv="refresh"' in text
        time.sleep(0.05)
    answer = client.get(f"{page}/file")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        names = archive.namelist()
        document = json.loads(archive.read("sereno-forensics/timeline.json"))
    assert document["scope"] == {"kind": "path", "name": "sbc-1/core-a"}
    assert sum(entry["kind"] == "result" for entry in document["entries"]) == 2 * 120  # whole, whatever was shown
    assert sum(name.endswith(".pcap") for name in names) == len(PROBES) * (DOWN[1] - DOWN[0])
    assert client.get("/forensics/exports/nobody").status_code == 404


def test_too_many_exports_are_refused_in_one_line(client, monkeypatch):
    monkeypatch.setattr(exports, "WAITING", 0)
    answer = client.get(f"/forensics/export.zip?{URL.partition('?')[2]}")
    assert answer.status_code == 503
    assert "Ya esperan demasiadas exportaciones" in answer.text


def test_hostile_results_are_told_as_text(tmp_path):
    bad = open_store(tmp_path / "data")
    try:
        accept(bad)
        evil = "</title><script>alert(1)</script>\u202e"
        evidence = {"messages": [{"at": evil, "direction": "sent", "text": evil}], "detail": evil}
        put(bad, [failure(PATHS[0], "bog-1", T0 + S, 1, phrase=evil, evidence=evidence)])
        server = Served(lambda: create_app(bad, At(), answers=answers_of(bad)))
        server.start()
        with httpx.Client(base_url=server.url, timeout=30) as client:
            text = client.get(f"{URL}&show=all&result=bog-1/b100d/1&q=%3Cscript%3E").text
            text += client.get(f"{URL}&show=all&result=bog-1/b100d/1").text
        server.stop()
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert" in text
        assert "\u202e" not in text
    finally:
        bad.dispose()
