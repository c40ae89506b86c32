"""What is spent of the error budget: the ledger's hours, then the live verdicts; the same seconds as availability."""

import pytest
from ledger_month import DAY, HOUR, Desk, S, commit, contract, empty_store, put_topology, samples, settings

from collector import budget, measure
from collector.budget import Budgets
from collector.measure import Asked, report
from sereno.clock import FakeClock, parse_instant
from sereno.store.changes import insert_changes
from sereno.verdict import Change

EVERY = 300 * S
GIVEN = settings(checks={"options": {"every": "300s", "timeout": "900ms"}})
BEGIN = parse_instant("2026-10-29T00:00:00Z")
MONTH = parse_instant("2026-11-01T00:00:00Z")
NOW = MONTH + 2 * DAY + 30 * 60 * S  # the hour before is not in the ledger yet, nor this one


@pytest.fixture
def utc(monkeypatch):
    promised = contract(timezone="UTC")
    for module in (measure, budget):
        monkeypatch.setattr(module, "contracts_of", lambda _: promised)
    return promised


@pytest.fixture
def sqlite_store(tmp_path):
    opened = empty_store(tmp_path)
    yield opened
    opened.dispose()


def said(store, *words):
    with store.write() as connection:
        insert_changes(
            connection,
            [
                Change(kind="site", name="hq", what="verdict", state=state, since_us=since, at_us=since + S)
                for state, since in words
            ],
        )


def spent(budgets):
    return {one.period: (one.down_us // S, one.unknown_us // S) for one in budgets.read()}


def test_hours_of_the_ledger_and_the_rest_by_live_verdicts(any_store, utc):
    put_topology(any_store, GIVEN)
    bad = [(MONTH - HOUR, MONTH + HOUR), (NOW - 20 * HOUR, NOW - 19 * HOUR)]
    commit(any_store, samples(BEGIN, NOW, EVERY, bad=bad))
    Desk(any_store, utc, 0).work(NOW - 90 * 60 * S)  # the ledger ends at 23:00
    closed = MONTH + 2 * DAY - HOUR
    said(any_store, ("up", BEGIN), ("down", NOW - 600 * S), ("up", NOW - 500 * S))
    clock = FakeClock(NOW)
    budgets = Budgets(any_store, clock)
    assert spent(budgets) == {
        "5m": (0, 0),
        "hour": (100, 0),
        "day": (3700, 0),
        "3d": (2 * 3600 + 3700, 0),
        "month": (2 * 3600 + 100, 0),
    }
    [month] = [one for one in budgets.read() if one.period == "month"]
    assert (month.from_us, month.allowed_us) == (MONTH, 259_200_000)
    assert month.remaining_us == 259_200_000 - (2 * 3600 + 100) * S
    asked = report(any_store, Asked("site:hq", MONTH, closed), NOW)
    assert asked.figures.down_us == month.down_us - 100 * S


def test_the_ledger_takes_the_place_of_the_live_word(sqlite_store, utc):
    put_topology(sqlite_store, GIVEN)
    commit(sqlite_store, samples(MONTH, MONTH + 6 * HOUR, EVERY, bad=[(MONTH + HOUR, MONTH + 2 * HOUR)]))
    said(sqlite_store, ("up", MONTH))  # nobody was told of it
    clock = FakeClock(MONTH + 6 * HOUR)
    budgets = Budgets(sqlite_store, clock)
    assert spent(budgets)["month"] == (0, 0)
    Desk(sqlite_store, utc, 0).work(MONTH + 6 * HOUR)
    assert spent(budgets)["month"] == (0, 0)  # not looked again within two seconds
    clock.advance(2)
    assert spent(budgets)["month"] == (3600, 0)
    late = samples(MONTH + 3 * HOUR, MONTH + 4 * HOUR, EVERY, bad=[(0, 1 << 62)], probe="p1", seq=9_000)
    commit(sqlite_store, late, MONTH + 6 * HOUR)  # the same instants told otherwise: the newer word counts
    desk = Desk(sqlite_store, utc, 0)
    desk.heard(late)
    desk.work(MONTH + 6 * HOUR)
    clock.advance(2)
    assert spent(budgets)["month"] == (7200, 0)


def test_nothing_recorded_nothing_said(sqlite_store):
    assert Budgets(sqlite_store, FakeClock(NOW)).read() == []


def test_a_collector_that_was_away_leaves_unknown_time(sqlite_store, utc):
    put_topology(sqlite_store, GIVEN)
    gap = (MONTH + 6 * HOUR, MONTH + 30 * HOUR)
    commit(sqlite_store, samples(BEGIN, MONTH + 2 * DAY, EVERY, gone=[gap]))
    Desk(sqlite_store, utc, 0).work(MONTH + 3 * DAY)
    said(sqlite_store, ("up", BEGIN))
    found = {one.period: one for one in Budgets(sqlite_store, FakeClock(MONTH + 2 * DAY)).read()}
    assert found["month"].unknown_us == 24 * HOUR + EVERY - 750 * S
    asked = report(sqlite_store, Asked("site:hq", MONTH, MONTH + 2 * DAY), MONTH + 2 * DAY)
    assert asked.figures.unknown_us == found["month"].unknown_us
