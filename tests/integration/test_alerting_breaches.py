"""Clocks run on while everything is off: whoever starts next finds what fell due, in order, and says it once."""

import pytest
from alerting_bench import DESK, TOPOLOGY, topology
from sqlalchemy import select

from alerting.desk import DeskMachine
from alerting.service import Desk
from sereno.alarms import load_alarms
from sereno.clock import SECOND_US, FakeClock, parse_instant
from sereno.contract import load_contract
from sereno.desk import load_desk
from sereno.store.commands import submit
from sereno.store.desk import incidents
from sereno.store.tables import outbox

OPENED_US = parse_instant("2026-10-05T16:00:00Z")
WHOLE = {
    "customer": "acme", "priority": "Alta", "title": "eco", "reporter": "eva", "extension": "101",
    "direction": "saliente", "counterpart": "5551234", "occurred": "2026-10-05T15:00:00Z", "description": "eco",
}  # fmt: skip


@pytest.fixture
def start(any_store, tmp_path):
    """Another process: a desk rebuilt from the store, at so many hours after the opening."""
    (tmp_path / "desk.yaml").write_text(DESK)
    model = load_desk(tmp_path / "desk.yaml")
    contracts = {name: load_contract(name) for name in ("callmyway", "wekall")}

    def at(hours):
        clock = FakeClock(OPENED_US + round(hours * 3_600) * SECOND_US)
        return Desk(any_store, DeskMachine(topology(TOPOLOGY), model, contracts, load_alarms()), clock)

    return at


def breaches(store):
    """(what the timeline says, hours after the opening), and what was handed to the outbox."""
    with store.read() as connection:
        (record,) = incidents(connection)
        told = list(connection.execute(select(outbox.c.what, outbox.c.recipient).order_by(outbox.c.id)))
    lines = [
        (line.what.partition(":")[0], (line.at_us - OPENED_US) // SECOND_US / 3_600)
        for line in record.timeline if line.what.startswith("plazo")
    ]  # fmt: skip
    return record, lines, [(row.what, row.recipient) for row in told if row.what.startswith("breach")]


def test_ten_hours_off(any_store, start):
    desk = start(0)
    submit(any_store, "incident.open", {"number": 1, **WHOLE}, "ana")
    desk.round()
    submit(any_store, "incident.ack", {"number": 1}, "ana")
    desk.round()
    for hours in (10, 10, 11):  # it dies again at once, and is started again
        start(hours).round()
        record, lines, told = breaches(any_store)
        assert lines == [("plazo por vencer", 3), ("plazo incumplido", 4)]
        assert {what for what, _ in told} == {"breached"}
        assert len(told) == len(set(told))
    assert [(clock.clock, clock.state) for clock in record.clocks] == [("attention", "met"), ("solution", "missed")]


def test_a_restart_at_every_instant_that_matters(any_store, start):
    desk = start(0)
    submit(any_store, "incident.open", {"number": 1, **WHOLE}, "ana")
    desk.round()
    submit(any_store, "incident.ack", {"number": 1}, "ana")
    desk.round()
    for hours in (2.99, 3, 3, 3.5, 4, 4.001, 4.001, 9):
        start(hours).round()
    _, lines, told = breaches(any_store)
    assert lines == [("plazo por vencer", 3), ("plazo incumplido", 4)]
    assert list(dict.fromkeys(what for what, _ in told)) == ["breach_warning", "breached"]
    assert len(told) == len(set(told))
