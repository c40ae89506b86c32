"""What happened in a window, read from a store of either kind: one ordered timeline, each line led back to its rows."""

import json
import re

import msgspec
import pytest
from forensic_store import DOWN, PATHS, T0, S, accept, failure, put, result, story
from sqlalchemy import event

from collector.forensics.case import Case
from collector.forensics.document import head, tail
from collector.forensics.entry import KINDS, as_json, key_of
from collector.forensics.fold import Fold, folded
from collector.forensics.text import Terminal
from collector.forensics.words import Words
from sereno.answers.cases import Asked
from sereno.errors import StoreError, UsageError
from sereno.ranges import Ranges
from sereno.store import open_store, tables
from sereno.store.queries.forensics import ODD
from sereno.store.results import Cursor, save_cursors
from sereno.store.runs import Run, insert_runs, pack

WINDOW = {"from_us": T0, "to_us": T0 + 120 * S}


@pytest.fixture
def store(tmp_path):
    """What needs no second database: SQLite."""
    opened = open_store(tmp_path)
    yield opened
    opened.dispose()


def entries(store, **asked):
    with store.read() as connection:
        return list(Case(connection, Asked(**{**WINDOW, **asked}), T0).timeline())


def test_everything_that_was_written_down_is_there_once_in_one_total_order(any_store):
    story(any_store)
    found = entries(any_store)
    keys = [one.key for one in found]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)
    assert {one.kind for one in found} == set(KINDS) - {"run", "rtp", "hole", "topology"}
    assert sum(one.kind == "result" for one in found) == 120 * 2 * 6
    assert sum(one.kind == "sip" for one in found) == 20 * 2 * 2  # every failed transaction
    for one in found:
        assert json.loads(as_json(one))["source"]["table"]


def test_a_path_has_its_own_results_and_what_was_said_of_all_that_holds_it(store):
    story(store)
    found = entries(store, path="sbc-1/core-a")
    assert {one.element for one in found if one.kind in {"result", "sip"}} == {"sbc-1/core-a"}
    assert sum(one.kind == "result" for one in found) == 240
    said = [(one.element, one.what, one.at_us - T0) for one in found if one.kind == "verdict"]
    assert said == [
        ("sbc-1/core-a", "down", 62 * S), ("core-a", "down", 62 * S), ("sbc-1/core-a", "up", 81 * S),
        ("core-a", "up", 81 * S),
    ]  # fmt: skip
    assert [one.facts["who"] for one in found if one.kind == "incident"] == ["sereno", "ana", "sereno"]
    assert [(one.what, one.at_us - T0) for one in found if one.kind == "maintenance"] == [
        ("begins", 50 * S), ("ends", 100 * S),
    ]  # fmt: skip
    ledger = [one for one in found if one.kind == "ledger"]
    assert [(one.what, one.facts.get("superseded_by")) for one in ledger] == [
        ("up", None), ("unknown", 3), ("down", None),
    ]  # fmt: skip
    assert next(one for one in found if one.kind == "verdict").source["results"] == [["bog-1", "b100d", 721]]


def test_a_later_revision_of_the_window_is_told_and_another_windows_is_not(store):
    story(store)
    assert [one.facts["became"] for one in entries(store) if one.kind == "revision"] == ["down"]
    assert not [one for one in entries(store, to_us=T0 + 30 * S) if one.kind == "revision"]


@pytest.mark.parametrize(
    ("asked", "elements"),
    [
        ({"sbc": "sbc-1"}, {"sbc-1", "sbc-1/core-a", "sbc-1/core-b"}),
        ({"core": "core-b"}, {"sbc-1/core-b", "sbc-2/core-b"}),
        ({"site": "p"}, {*PATHS, "sbc-1", "sbc-2"}),
        ({"probe": "bog-2"}, {*PATHS, "sbc-1", "sbc-2"}),
        ({"incident": 1}, {"sbc-1/core-a", "sbc-2/core-a"}),
        ({"checks": frozenset({"edge"})}, {"sbc-1", "sbc-2"}),
    ],
)
def test_what_is_asked_about_bounds_what_is_read(store, asked, elements):
    story(store, 70)
    found = [one for one in entries(store, **asked) if one.kind == "result"]
    assert {one.element for one in found} == elements
    if "probe" in asked:
        assert {one.source["probe"] for one in found} == {"bog-2"}


def test_an_incident_brings_its_own_window(store):
    story(store)
    with store.read() as connection:
        case = Case(connection, Asked(incident=1), T0 + 9_999 * S)
    assert (case.from_us, case.to_us) == (T0, T0 + (DOWN[1] + 60) * S)


def test_only_failures_and_only_changes(store):
    story(store)
    failures = [one for one in entries(store, path="sbc-1/core-a", only="failures") if one.kind == "result"]
    assert len(failures) == 40
    changes = [one for one in entries(store, path="sbc-1/core-a", only="changes") if one.kind == "result"]
    assert [(one.source["probe"], one.at_us - T0) for one in changes] == [("bog-1", 60 * S), ("bog-2", 60_050_000)]


def test_how_all_stood_before_and_what_the_store_covers(store):
    story(store)
    with store.read() as connection:
        case = Case(connection, Asked(**WINDOW), T0)
        assert {(one.element, one.what) for one in case.before()} == {
            ("core-a", "up"), ("sbc-1/core-a", "up"), ("sbc-2/core-a", "up"),
        }  # fmt: skip
        assert case.notes() == []
        earlier = Case(connection, Asked(from_us=T0 - 9 * S, to_us=T0 - 5 * S, path="sbc-1/core-b"), T0)
        assert list(earlier.timeline()) == []
        assert [message[:35] for message, _ in earlier.notes()] == ["The store holds no results before {"]
        later = Case(connection, Asked(from_us=T0 + 999 * S, to_us=T0 + 1_000 * S, path="sbc-1/core-b"), T0)
        assert [message for message, _ in later.notes()] == ["The store's newest result is of {at}."]


def test_names_that_are_not_there_are_told_with_those_that_are(store):
    story(store, 1)
    for asked, words in (
        ({"path": "sbc-1/core-z"}, "sbc-2/core-b"), ({"sbc": "x"}, "sbc-1"), ({"core": "x"}, "core-b"),
        ({"site": "x"}, "there are p"), ({"probe": "x"}, "bog-2"), ({"target": "x"}, "there are"),
        ({"incident": 7}, "incidents list"), ({"incident": -1}, "incidents list"), ({"incident": 1 << 70}, "incidents"),
        ({"from_us": None}, "--from and --to"), ({"to_us": T0 - 1}, "is not before"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=words):
            entries(store, **asked)


def test_a_store_without_a_topology_says_so(store):
    with pytest.raises(StoreError, match="no topology"):
        entries(store)


def test_runs_stand_for_results_that_were_compacted(any_store):
    accept(any_store)
    body = msgspec.json.encode(result("sbc-1/core-a", "bog-1", T0 - 100 * S, 1)).decode()
    with any_store.write() as connection:
        for number, (begin, end) in enumerate(((-100, 49), (-950, -801), (130, 279))):
            ats = [T0 + second * S for second in range(begin, end + 1)]
            seqs = [number * 500 + place for place in range(1, 151)]
            run = Run(
                "sbc-1/core-a", "bog-1", ats[0], "b100d", seqs[0], seqs[-1], ats[-1], "options", "ok", None, 150, S, T0,
                None, pack(ats, seqs, [0] * 150), body,
            )  # fmt: skip
            insert_runs(connection, [run])
    put(any_store, [failure("sbc-1/core-a", "bog-1", T0 + second * S, 400 + second) for second in (50, 51)])
    found = entries(any_store, path="sbc-1/core-a")
    (run,) = [one for one in found if one.kind == "run"]
    assert (run.at_us, run.to_us, run.facts["count"], run.what) == (T0 - 100 * S, T0 + 49 * S, 150, "ok")
    (line, *_) = [one for one in folded(found) if isinstance(one, Fold)]
    assert (line.count, line.to_us) == (150, T0 + 49 * S)
    with any_store.read() as connection:
        case = Case(connection, Asked(**WINDOW, path="sbc-1/core-a"), T0)
        (first,) = case.correlation().first
        assert "compacted" in case.notes()[0][0]
    assert (first.low_us, first.high_us, first.sure) == (T0 + 49 * S, T0 + 50 * S, True)


def test_holes_lie_between_their_neighbours(any_store):
    accept(any_store)
    sent = [result("sbc-1/core-a", "bog-1", T0 + seq * S, seq, boot="boot") for seq in (*range(1, 20), *range(30, 60))]
    put(any_store, sent)
    with any_store.write() as connection:
        save_cursors(connection, {("bog-1", "boot"): Cursor(ranges=Ranges([(1, 19), (30, 59)]), oldest=25)})
    found = [one for one in entries(any_store) if one.kind == "hole"]
    assert [(one.at_us - T0, one.to_us - T0, one.what, one.facts["count"]) for one in found] == [
        (19 * S, 30 * S, "never came", 5), (19 * S, 30 * S, "not here yet", 5),
    ]  # fmt: skip
    assert not [one for one in entries(any_store, from_us=T0 + 31 * S) if one.kind == "hole"]
    assert not [one for one in entries(any_store, to_us=T0 + 19 * S) if one.kind == "hole"]
    inside = entries(any_store, from_us=T0 + 22 * S, to_us=T0 + 24 * S, probe="bog-1")
    assert [one.kind for one in inside if one.kind == "hole"] == ["hole", "hole"]


def test_equal_results_fold_and_what_differs_stands_alone(store):
    story(store)
    shown = list(folded(entries(store, path="sbc-1/core-a")))
    folds = [one for one in shown if isinstance(one, Fold)]
    alone = [one for one in shown if not isinstance(one, Fold) and one.kind == "result"]
    assert sum(one.count for one in folds) + len(alone) == 240
    assert [(one.what, one.source["probe"]) for one in alone] == [
        ("failed", "bog-1"), ("failed", "bog-2"), ("ok", "bog-1"), ("ok", "bog-2"),
    ]  # fmt: skip
    assert [one.kind for one in shown if not isinstance(one, Fold)].count("sip") == 2


def test_a_late_answer_is_no_other_word_of_its_series(store):
    accept(store)
    late = {"outcome": "ok", "reason": "late", "answered_after_seconds": 3.0, "code": 200}
    many = []
    for number in range(10):
        at_us = T0 + number * S
        many += [failure("sbc-1/core-a", "bog-1", at_us, 2 * number + 1)]
        many += [result("sbc-1/core-a", "bog-1", at_us, 2 * number + 2, **late)]
    put(store, many)
    shown = list(folded(entries(store, path="sbc-1/core-a")))
    assert [one.what for one in shown if not isinstance(one, Fold) and one.kind == "result"] == ["failed", "late"]


def test_the_terminal_fits_a_hundred_columns_and_says_it_in_both_languages(store):
    story(store)
    said = {
        "es": ("QUÉ CAMBIÓ PRIMERO", "ruta sbc-2/core-a, núcleo core-a: caído", "ana: reconocido"),
        "en": ("WHAT CHANGED FIRST", "core core-a: down", "TIMELINE"),
    }
    for language, words in said.items():
        with store.read() as connection:
            case = Case(connection, Asked(**WINDOW), T0)
            terminal = Terminal(Words(language, "America/Costa_Rica"))
            lines = [*terminal.head(case, case.correlation()), *terminal.timeline(case.timeline())]
        assert max(map(len, lines)) <= 100
        text = "\n".join(lines)
        for word in words:
            assert word in text
        assert "SECRET" not in text
        assert "09:01:00.000  ✕  options sbc-1/core-a" in text  # Costa Rica is six hours behind UTC


def test_the_document_is_json_and_its_entries_those_of_the_timeline(store):
    story(store, 70)
    with store.read() as connection:
        case = Case(connection, Asked(**WINDOW, path="sbc-1/core-a"), T0)
        found = list(case.timeline())
        text = head(case, case.correlation()) + b",".join(map(as_json, found)) + tail({"result": 1}, case)
    document = json.loads(text)
    assert document["scope"] == {"kind": "path", "name": "sbc-1/core-a"}
    assert len(document["entries"]) == len(found)
    assert document["entries"][0]["result"]["v"] == 1
    assert document["correlation"]["first"][0]["element"] == "sbc-1/core-a"
    assert "core-a" in document["correlation"]["sentence"]["es"]
    assert "SECRET" not in text.decode()


def test_a_result_that_cannot_be_read_any_more_is_told_and_breaks_nothing(store):
    accept(store)
    put(store, [result("sbc-1/core-a", "bog-1", T0, 1)])
    with store.write() as connection:
        connection.execute(tables.results.update().values(body='{"v":1,'))
    (one,) = [one for one in entries(store) if one.kind == "result"]
    assert one.what == "unreadable"
    assert json.loads(as_json(one))["source"]["seq"] == 1


def test_windows_side_by_side_have_everything_once(store):
    """Results, verdicts, incidents and messages of [a, c) are those of [a, b) and of [b, c)."""
    story(store, 100)
    points = {"result", "sip", "verdict", "finding", "incident", "notification", "probe", "quarantine", "maintenance"}

    def keys(begin, end):
        found = entries(store, from_us=T0 + begin * S, to_us=T0 + end * S)
        return [key_of(one) for one in found if one.kind in points]

    assert keys(0, 61) + keys(61, 120) == keys(0, 120)


LARGE = ("results", "runs", "verdict_changes", "ledger", "incident_timeline", "outbox", "quarantine", "probe_events")


def test_each_query_of_a_large_table_finds_its_rows_by_an_index(any_store):
    story(any_store, 5)
    asked = []

    def heard(_connection, _cursor, statement, parameters, _context, _many):
        asked.append((statement, parameters))

    event.listen(any_store.engine, "before_cursor_execute", heard)
    with any_store.read() as connection:
        for what in ({"path": "sbc-1/core-a"}, {"only": "failures"}, {"probe": "bog-1"}):
            case = Case(connection, Asked(**WINDOW, **what), T0)
            case.correlation()
            assert len(list(case.timeline())) > 10
            case.before()
    event.remove(any_store.engine, "before_cursor_execute", heard)
    explain = "EXPLAIN QUERY PLAN " if any_store.is_sqlite else "EXPLAIN "
    seen = set()
    with any_store.read() as connection:
        if not any_store.is_sqlite:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # tables of a test are too small to bother
        for statement, parameters in asked:
            tables_of = {name for name in LARGE if f"FROM {name} " in statement.replace("\n", " ") + " "}
            if not tables_of or statement in seen:
                continue
            seen.add(statement)
            plan = "\n".join(str(tuple(row)) for row in connection.exec_driver_sql(explain + statement, parameters))
            assert "Seq Scan" not in plan, (statement, plan)
            first = "ORDER BY" in statement and "LIMIT" in statement and "TEMP" not in plan  # it lies so
            assert first or not re.search(rf"SCAN ({'|'.join(LARGE)})['\"]", plan), (statement, plan)
            if ODD in statement:
                assert "odd" in plan or "at_us_idx" in plan, (statement, plan)
    assert len(seen) > 15


def test_the_kinds_are_in_the_words():
    spanish = Words("es", "UTC")
    assert all(spanish.term("entries", kind) != kind for kind in KINDS if kind != "result")
