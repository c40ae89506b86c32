"""Sealed days: the chain holds, every column of every row and seal is vouched for, revisions append."""

import hashlib

import pytest
from ledger_month import DAY, HOUR, Desk, S, commit, empty_store, put_topology, samples, settings
from sqlalchemy import insert, text
from typer.testing import CliRunner

from collector.ledger import seal
from collector.ledger.check import verify
from sereno.cli.ledger import app
from sereno.clock import parse_instant
from sereno.contract import load_contract
from sereno.store import SQLITE_FILE, open_store
from sereno.store.queries import revisions, seals
from sereno.store.tables import ledger

CONTRACTS = {"callmyway": load_contract("callmyway")}
D0 = parse_instant("2026-10-01T00:00:00Z")
FIRST = D0 + 4 * HOUR  # a while into the day: the hours before it have nothing, and no rows of their own day
EVERY = 300 * S
MINUTES = settings(checks={"options": {"every": "300s", "timeout": "900ms"}})


@pytest.fixture
def one_store(tmp_path):
    opened = empty_store(tmp_path)
    yield opened
    opened.dispose()


def begun(store):
    """Two days and a bit, five-minute samples."""
    put_topology(store, MINUTES)
    results = samples(FIRST, D0 + 2 * DAY + 2 * HOUR, EVERY, bad=[(D0 + 5 * HOUR, D0 + 6 * HOUR)])
    commit(store, results)
    return Desk(store, CONTRACTS, D0)


def checked(store, now_us=D0 + 10 * DAY):
    with store.read() as connection:
        return verify(connection, now_us)


def chain(store):
    with store.read() as connection:
        return seals.seals(connection)


def test_a_day_is_sealed_a_day_after_its_end(any_store):
    desk = begun(any_store)
    desk.work(D0 + 2 * DAY - 20 * S)
    assert chain(any_store) == []
    desk.work(D0 + 2 * DAY)
    [first] = chain(any_store)
    assert (first.id, first.day_us, first.previous, first.revises) == (1, D0, "0" * 64, None)
    desk.work(D0 + 2 * DAY + 3 * HOUR)
    assert len(chain(any_store)) == 1
    desk.work(D0 + 5 * DAY)
    one, two, three = chain(any_store)
    assert (two.day_us, two.previous) == (D0 + DAY, one.hash)
    assert (three.day_us, three.previous) == (D0 + 2 * DAY, two.hash)
    found = checked(any_store)
    assert (found.days, found.faults, found.unsealed) == (3, [], [])
    assert found.rows == sum(each.rows for each in chain(any_store)) > 0


def test_the_export_is_what_is_hashed(one_store):
    begun(one_store).work(D0 + 5 * DAY)
    answer = CliRunner().invoke(app, ["export", "--day", "2026-10-01", "--database", one_store.url])
    assert answer.exit_code == 0
    assert hashlib.sha256(answer.stdout_bytes).hexdigest() == chain(one_store)[0].hash
    lines = answer.stdout.splitlines()
    assert lines[:2] == ["sereno ledger seal 1", "previous: " + "0" * 64]
    assert lines[9] == ""
    down = [line.split("\t") for line in lines[10:] if line.split("\t")[1:4] == ["site", "hq", "down"]]
    assert [row[4:6] for row in down] == [["2026-10-01T05:00:00.000000Z", "2026-10-01T06:00:00.000000Z"]]


ROW = ["id", "kind", "name", "state", "from_us", "to_us", "reason", "interval_us", "written_us", "superseded_by"]
SEAL = ["id", "format", "day_us", "upto", "rows", "hash", "previous", "sealed_us", "revises", "note"]


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    """A sealed store, made once; who alters it puts it back."""
    opened = open_store(tmp_path_factory.mktemp("sealed"))
    begun(opened).work(D0 + 5 * DAY)
    yield opened
    opened.dispose()


@pytest.mark.parametrize(("table", "column"), [("ledger", one) for one in ROW] + [("ledger_days", one) for one in SEAL])
def test_every_altered_column_is_found(sealed, table, column):
    which = "id = 2" if table == "ledger_days" else "id = (SELECT min(id) FROM ledger WHERE state = 'down')"
    words = column in {"kind", "name", "state", "reason", "hash", "previous", "note"}
    with sealed.read() as connection:
        number = connection.execute(text(f"SELECT id FROM {table} WHERE {which}")).scalar_one()  # noqa: S608
        before = connection.execute(text(f"SELECT {column} FROM {table} WHERE id = {number}")).scalar_one()  # noqa: S608
    value = "x" if words else (before or 0) + 100_000
    change = text(f"UPDATE {table} SET {column} = :value WHERE id = :id")  # noqa: S608
    with sealed.write() as connection:
        assert connection.execute(change, {"value": value, "id": number}).rowcount == 1
    try:
        found = checked(sealed)
    finally:
        with sealed.write() as connection:
            connection.execute(change, {"value": before, "id": value if column == "id" else number})
    assert found.faults
    assert found.faults[0].day_us is not None
    assert checked(sealed).faults == []


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM ledger WHERE id = (SELECT min(id) FROM ledger WHERE state = 'down')",
        "DELETE FROM ledger_days WHERE id = 2",
        "DELETE FROM ledger_days WHERE id = 1",
        "INSERT INTO ledger (kind, name, state, from_us, to_us, written_us)"  # noqa: ISC004
        " SELECT kind, name, 'up', from_us, to_us, written_us FROM ledger WHERE state = 'down'",
        "UPDATE ledger SET superseded_by = 1000000 WHERE state = 'down'",
    ],
)
def test_what_is_taken_away_or_put_in_is_found(sealed, tmp_path, change):
    with sealed.read() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql(f"VACUUM INTO '{tmp_path / SQLITE_FILE}'")
        connection.exec_driver_sql("BEGIN")
    copy = open_store(tmp_path)
    with copy.write() as connection:
        connection.execute(text(change))
    assert checked(copy).faults
    copy.dispose()


def test_days_without_a_collector_do_not_break_the_chain(one_store):
    put_topology(one_store, MINUTES)
    results = samples(FIRST, D0 + DAY, EVERY) + samples(D0 + 4 * DAY, D0 + 5 * DAY, EVERY, seq=5000)
    commit(one_store, results)
    Desk(one_store, CONTRACTS, D0).work(D0 + 8 * DAY)
    found = checked(one_store)
    assert found.faults == []
    assert {D0, D0 + 4 * DAY} <= {one.day_us for one in chain(one_store)}


def test_late_results_seal_the_day_again_and_rewrite_nothing(any_store):
    put_topology(any_store, MINUTES)
    every = samples(FIRST, D0 + DAY, EVERY, bad=[(D0 + 12 * HOUR, D0 + 13 * HOUR)])
    hidden = [one for one in every if D0 + 11 * HOUR <= one.at_us < D0 + 14 * HOUR]
    in_time = [one for one in every if one not in hidden]
    commit(any_store, in_time)
    desk = Desk(any_store, CONTRACTS, D0)
    desk.work(D0 + 3 * DAY)
    before = chain(any_store)
    with any_store.read() as connection:
        old = seals.rows_of(connection, D0, before[0].upto)
    commit(any_store, hidden, D0 + 3 * DAY + HOUR)
    desk.heard(hidden)
    desk.work(D0 + 3 * DAY + HOUR)
    after = chain(any_store)
    again = after[-1]
    assert after[: len(before)] == before
    assert (again.day_us, again.revises) == (D0, before[0].id)
    assert again.note.count("resultados tardíos de la sonda p1 (12), enviados 2026-10-01T1") == 3
    with any_store.read() as connection:
        assert seals.rows_of(connection, D0, before[0].upto) == old
        notes = revisions.revisions(connection, D0, D0 + DAY, [("site", "hq")])
    assert ("unknown", "down") in {(one.was, one.became) for one in notes}
    assert checked(any_store).faults == []
    asked = Desk(any_store, CONTRACTS, desk.clock.now_us())
    asked.work()  # a new process has nothing to add
    assert chain(any_store) == after


def test_a_seal_that_was_owed_when_the_process_died_is_made_by_the_next(one_store):
    desk = begun(one_store)
    desk.work(D0 + 3 * DAY)
    owed = len(chain(one_store))
    with one_store.write() as connection:  # the rows were written, the seal was not
        connection.execute(
            insert(ledger).values(
                kind="path", name="x/y", state="up", from_us=D0, to_us=D0 + HOUR, written_us=D0 + 3 * DAY
            )
        )
    assert [fault.what for fault in checked(one_store).faults] == [seal.CHANGED]
    Desk(one_store, CONTRACTS, D0).work(D0 + 3 * DAY + HOUR)
    assert len(chain(one_store)) == owed + 1
    assert chain(one_store)[-1].revises == 1


def test_the_command_tells_the_first_day_that_does_not_fit(one_store):
    begun(one_store).work(D0 + 5 * DAY)
    run = CliRunner()
    good = run.invoke(app, ["verify", "--database", one_store.url])
    assert (good.exit_code, "íntegra" in good.stdout) == (0, True)
    with one_store.write() as connection:
        connection.execute(text(f"UPDATE ledger SET state = 'up' WHERE state = 'down' AND from_us < {D0 + DAY}"))  # noqa: S608
    bad = run.invoke(app, ["verify", "--database", one_store.url])
    assert bad.exit_code == 1
    assert bad.stdout.startswith("✕ 2026-10-01 (sello 1): ")
    elsewhere = run.invoke(app, ["verify", "--database", one_store.url, "--from", "2026-10-02T00:00:00Z", "--json"])
    assert (elsewhere.exit_code, '"intact": true' in elsewhere.stdout) == (0, True)
