"""What the ledger found late, at the desk: one resolved incident, one message, no page, no clock; or a line."""

import pytest
from alerting_bench import T0, Bench, S

from sereno.verdict import LEDGER_REVISED, Change

HOUR = 3600
WHY = "resultados tardíos de la sonda bog-1 (600), enviados …, llegados …"
EVERYTHING = [
    ("service", "voz"), ("site", "p"), ("site", "q"), ("sbc", "sbc-1"), ("sbc", "sbc-2"),
    ("path", "sbc-1/core-a"), ("path", "sbc-1/core-b"), ("path", "sbc-2/core-a"), ("path", "sbc-2/core-b"),
]  # fmt: skip


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def found(bench, now, elements, begin, end, changes=()):
    """The ledger says at `now` that these elements were down from `begin` to `end`; seconds after T0."""
    span = {"from_us": T0 + begin * S, "to_us": T0 + end * S}
    facts = {
        "note": WHY,
        "outages": [{"kind": kind, "name": name, "reason": "timeout"} | span for kind, name in elements],
        "changes": [
            {"kind": kind, "name": name, "was": "unknown", "became": state} | span for kind, name, state in changes
        ],
    }
    at_us = T0 + now * S
    change = Change(
        kind="monitor",
        name="voz",
        what=LEDGER_REVISED,
        state="found",
        since_us=span["from_us"],
        at_us=at_us,
        facts=facts,
    )
    bench.effects += bench.desk.change(change)
    bench.effects += bench.desk.tick(at_us + 60 * S)


def messages(bench):
    return [one for one in bench.effects if type(one).__name__ == "Notification"]


def test_an_outage_of_three_hours_ago(bench):
    found(bench, 3 * HOUR, EVERYTHING, 100, 300)
    [record] = bench.desk.incidents()
    assert (record.state, record.priority, record.cause.kind) == ("resolved", "Urgente", "service")
    assert (record.since_us, record.good_us) == (T0 + 100 * S, T0 + 300 * S)
    assert (record.opened_us, record.resolved_us) == (T0 + 3 * HOUR * S, T0 + 300 * S)
    assert (record.clocks, record.pages) == ((), 0)
    assert set(record.customers) == {"acme", "beta"}
    [message] = messages(bench)
    assert (message.what, message.page, message.to) == ("found_late", False, "ana")
    assert "02:05:00 -06:00" in message.body  # the desk's own clock: its contract's zone
    assert any(WHY in entry.what for entry in record.timeline)


def test_nothing_that_falls_due_later_comes_of_it(bench):
    found(bench, 3 * HOUR, EVERYTHING, 100, 300)
    bench.effects += bench.desk.tick(T0 + 30 * 86_400 * S)
    assert len(messages(bench)) == 1
    [record] = bench.desk.incidents()
    assert record.clocks == ()


def test_a_live_outage_afterwards_is_an_incident_of_its_own(bench):
    found(bench, 3 * HOUR, EVERYTHING, 100, 300)
    bench.down(
        3 * HOUR + 120, *(f"{kind}:{name}" if kind in {"site", "service"} else name for kind, name in EVERYTHING)
    )
    bench.effects += bench.desk.tick(T0 + (3 * HOUR + 180) * S)
    first, second = bench.desk.incidents()
    assert (first.state, first.reopenings) == ("resolved", 0)
    assert second.state == "open"
    assert second.clocks


def test_the_next_hour_of_the_same_outage_joins_it(bench):
    found(bench, 3 * HOUR, EVERYTHING, 100, 3600)
    found(bench, 3 * HOUR + 120, EVERYTHING, 3600, 3700)
    [record] = bench.desk.incidents()
    assert (record.since_us, record.resolved_us) == (T0 + 100 * S, T0 + 3700 * S)
    assert len(messages(bench)) == 1


def test_two_outages_are_two_incidents(bench):
    found(bench, 3 * HOUR, EVERYTHING, 100, 300)
    found(bench, 3 * HOUR, [("path", "sbc-1/core-a")], 5000, 5100)
    first, second = bench.desk.incidents()
    assert (first.cause.kind, second.cause.kind, second.cause.name) == ("service", "path", "sbc-1/core-a")
    assert second.priority == "Normal"
    assert len(messages(bench)) == 2


def test_what_would_not_have_been_an_incident_is_none_now(bench):
    found(bench, 3 * HOUR, [("path", "sbc-1/core-a")], 5000, 5020)  # path_down waits 30 s
    assert bench.desk.incidents() == []


def test_an_incident_of_that_time_gets_a_line(bench):
    bench.down(1000, "core-a", "sbc-1/core-a", "sbc-2/core-a")
    bench.effects += bench.desk.tick(T0 + 1030 * S)
    bench.up(1100, "core-a", "sbc-1/core-a", "sbc-2/core-a")
    bench.effects += bench.desk.tick(T0 + 1300 * S)
    [before] = bench.desk.incidents()
    told = len(messages(bench))
    found(bench, 3 * HOUR, [("core", "core-a"), ("path", "sbc-1/core-a"), ("path", "sbc-2/core-a")], 940, 1000)
    [after] = bench.desk.incidents()
    assert (after.number, after.state, after.clocks) == (before.number, "resolved", before.clocks)
    assert after.since_us == T0 + 940 * S
    assert len(messages(bench)) == told
    assert WHY in after.timeline[-1].what


def test_what_was_known_at_the_time_is_not_told_again(bench):
    bench.down(1000, "core-a", "sbc-1/core-a", "sbc-2/core-a")
    bench.effects += bench.desk.tick(T0 + 1030 * S)
    bench.up(1100, "core-a", "sbc-1/core-a", "sbc-2/core-a")
    bench.effects += bench.desk.tick(T0 + 1300 * S)
    before = bench.desk.incidents()
    found(bench, 3 * HOUR, [("core", "core-a"), ("path", "sbc-1/core-a"), ("path", "sbc-2/core-a")], 1000, 1100)
    assert bench.desk.incidents() == before


def test_a_revision_without_an_outage_is_a_line_where_it_matters(bench):
    bench.down(1000, "core-a", "sbc-1/core-a", "sbc-2/core-a")
    bench.effects += bench.desk.tick(T0 + 1030 * S)
    bench.up(1100, "core-a", "sbc-1/core-a", "sbc-2/core-a")
    bench.effects += bench.desk.tick(T0 + 1300 * S)
    lines = len(bench.desk.incidents()[0].timeline)
    found(bench, 2 * HOUR, [], 1050, 1060, changes=[("core", "core-a", "up")])
    found(bench, 2 * HOUR, [], 5000, 5060, changes=[("core", "core-a", "up")])  # another time
    found(bench, 2 * HOUR, [], 1050, 1060, changes=[("core", "core-b", "up")])  # another core
    [record] = bench.desk.incidents()
    assert len(record.timeline) == lines + 1
    assert "core core-a unknown → up" in record.timeline[-1].what


def test_it_is_remembered_as_it_was(bench):
    found(bench, 3 * HOUR, EVERYTHING, 100, 300)
    copy = bench.make()
    copy.restore(bench.desk.snapshot())
    assert copy.incidents() == bench.desk.incidents()
