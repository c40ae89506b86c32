"""Rebuilding from the store: silent where nothing changed, and saying what did."""

import pytest
from sqlalchemy import delete, insert, select, update

from collector.judge import Judge
from sereno.clock import SECOND_US, iso
from sereno.store import open_store
from sereno.store.changes import insert_changes, last_said
from sereno.store.results import insert_results
from sereno.store.tables import isolations, maintenance, probe_events
from sereno.topology import topology_from_json
from sereno.verdict import VERDICT
from sereno.wire import VERSION, Result

NOW = 1_800_000_000 * SECOND_US
PLAIN = {
    "service": "trial",
    "cores": {"core-a": {"uri": "sip:127.33.2.1"}, "core-b": {"uri": "sip:127.33.2.2"}},
    "sbcs": {
        "sbc-1": {"addresses": ["sip:127.33.1.1:5060;transport=udp"], "primary": "core-a", "backup": "core-b"},
        "sbc-2": {"addresses": ["sip:127.33.1.2:5060;transport=udp"], "primary": "core-b", "backup": "core-a"},
    },
    "checks": {"edge": {"every": "1s", "timeout": "900ms"}, "options": {"every": "1s", "timeout": "900ms"}},
    "probes": {"p1": {"network": "trial"}},
}
TOPOLOGY = topology_from_json(PLAIN)


class Bench:
    """A store and whoever judges it."""

    def __init__(self, folder):
        self.store = open_store(folder)
        self.seq = 0
        self.judge = None

    def rebuild(self, now_us, topology=TOPOLOGY):
        self.judge = Judge(topology, {}, now_us)
        with self.store.write() as connection:
            changes = self.judge.rebuild(connection, now_us)
            insert_changes(connection, changes)
        return changes

    def second(self, at_us, *, dead=()):
        """One round of checks; what goes to a dead core times out."""
        found = []
        address = {name: sbc.addresses[0] for name, sbc in TOPOLOGY.sbcs.items()}
        for sbc in TOPOLOGY.sbcs:
            for core in (None, *TOPOLOGY.cores):
                self.seq += 1
                answer = {"outcome": "ok", "answered_by": "core" if core else "sbc", "answered_core": core}
                if core in dead:
                    answer = {"outcome": "failed", "reason": "timeout", "answered_by": "none", "duration_seconds": 0.9}
                check = "options" if core else "edge"
                found.append(
                    Result(
                        v=VERSION, probe="p1", boot="b", seq=self.seq, at=iso(at_us), check=check, sbc=sbc, core=core,
                        address=address[sbc], transport="udp", **answer,
                    )
                )  # fmt: skip
        with self.store.write() as connection:
            insert_results(connection, found, at_us + SECOND_US)
            changes = self.judge.feed([(result, result.at_us) for result in found], at_us + SECOND_US)
            changes += self.judge.tick(at_us + SECOND_US)
            insert_changes(connection, changes)
        return changes

    def said(self):
        with self.store.read() as connection:
            return {key: change.state for key, change in last_said(connection).items()}


@pytest.fixture
def bench(tmp_path):
    found = Bench(tmp_path)
    yield found
    found.store.dispose()


def test_at_first_everything_is_unknown_and_says_so(bench):
    changes = bench.rebuild(NOW)
    assert {(change.kind, change.name) for change in changes} >= {("service", "trial"), ("path", "sbc-1/core-a")}
    assert {change.state for change in changes} == {"unknown"}


def test_a_restart_within_the_hold_changes_nothing(bench):
    bench.rebuild(NOW)
    for second in range(5):
        bench.second(NOW + second * SECOND_US)
    assert bench.said()["service", "trial", VERDICT] == "up"
    assert bench.rebuild(NOW + 7 * SECOND_US) == []
    bench.second(NOW + 7 * SECOND_US, dead=("core-a",))
    bench.second(NOW + 8 * SECOND_US, dead=("core-a",))
    assert bench.said()["core", "core-a", VERDICT] == "down"
    assert bench.rebuild(NOW + 10 * SECOND_US) == []
    with bench.store.read() as connection:
        since = last_said(connection)["core", "core-a", VERDICT].since_us
    assert since == NOW + 7 * SECOND_US


def test_a_restart_after_a_long_silence_says_unknown_and_ends_findings(bench):
    bench.rebuild(NOW)
    for second in range(4):
        bench.second(NOW + second * SECOND_US, dead=("core-a",) if second > 1 else ())
    assert bench.said()["service", "trial", "redundancy_lost"] == "true"
    changes = bench.rebuild(NOW + 3_600 * SECOND_US)
    assert {change.state for change in changes if change.what == VERDICT} == {"unknown"}
    assert bench.said()["service", "trial", "redundancy_lost"] == "false"
    assert bench.rebuild(NOW + 3_601 * SECOND_US) == []


def test_what_left_the_topology_is_no_longer_said_to_be_down(bench):
    bench.rebuild(NOW)
    for second in range(4):
        bench.second(NOW + second * SECOND_US, dead=("core-b",))
    assert bench.said()["path", "sbc-2/core-b", VERDICT] == "down"
    without = {**PLAIN, "sbcs": {"sbc-1": PLAIN["sbcs"]["sbc-1"]}}
    bench.rebuild(NOW + 5 * SECOND_US, topology_from_json(without))
    assert bench.said()["path", "sbc-2/core-b", VERDICT] == "unknown"
    assert bench.said()["path", "sbc-1/core-b", VERDICT] == "down"


def test_maintenance_and_isolation_are_taken_from_the_store_and_survive_a_restart(bench):
    bench.rebuild(NOW)
    for second in range(3):
        bench.second(NOW + second * SECOND_US)
    window = {
        "scope_kind": "sbc", "scope_name": "sbc-1", "from_us": NOW, "to_us": NOW + 600 * SECOND_US,
        "announced_us": NOW, "critical_fix": False, "who": "ana", "recorded_us": NOW,
    }  # fmt: skip
    at_us = NOW + 4 * SECOND_US
    with bench.store.write() as connection:
        connection.execute(insert(maintenance).values(window))
        connection.execute(insert(isolations).values(sbc="sbc-2", from_us=at_us, who="ana"))
        insert_changes(connection, bench.judge.announced(connection, at_us))
        assert bench.judge.announced(connection, at_us) == []  # told once
    assert bench.said()["sbc", "sbc-1", VERDICT] == "maintenance"
    assert bench.said()["sbc", "sbc-2", "sbc_isolated"] == "true"
    assert bench.rebuild(NOW + 5 * SECOND_US) == []
    with bench.store.write() as connection:
        connection.execute(update(maintenance).values(cancelled_us=at_us))
        connection.execute(update(isolations).values(to_us=at_us))
        insert_changes(connection, bench.judge.announced(connection, NOW + 5 * SECOND_US))
    assert bench.said()["sbc", "sbc-1", VERDICT] == "up"
    assert bench.said()["sbc", "sbc-2", "sbc_isolated"] == "false"


def test_a_probe_that_went_away_before_the_restart_is_still_away(bench):
    bench.rebuild(NOW)
    for second in range(3):
        bench.second(NOW + second * SECOND_US)
    gone = NOW + 4 * SECOND_US
    with bench.store.write() as connection:
        row = {"probe": "p1", "state": "offline", "at_us": gone, "body": "{}"}
        connection.execute(insert(probe_events).values(row))
        insert_changes(connection, bench.judge.probe("p1", "offline", gone))
    before = bench.said()["probe", "p1", VERDICT]
    assert before != "up"
    bench.rebuild(gone + SECOND_US)
    assert bench.said()["probe", "p1", VERDICT] == before
    with bench.store.write() as connection:
        connection.execute(delete(probe_events))
        assert connection.execute(select(probe_events)).all() == []


def test_a_failing_engine_is_logged_and_does_not_stop_the_collector(bench, monkeypatch, caplog):
    bench.rebuild(NOW)

    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(bench.judge._engine, "feed_all", broken)
    bench.second(NOW)
    assert "the verdict engine failed on 6 results" in caplog.text


def test_what_a_clock_that_was_set_back_left_ahead_is_not_the_newest(bench):
    """The live verdict would be blind until the old time came round again."""
    bench.rebuild(NOW)
    for second in range(5):
        bench.second(NOW + (1_800 + second) * SECOND_US)
    with bench.store.write() as connection:
        connection.execute(
            insert(probe_events).values(
                probe="p1", state="online", boot="b", at_us=NOW + 1_800 * SECOND_US, body="{}",
            )
        )  # fmt: skip
    bench.rebuild(NOW + 10 * SECOND_US)
    assert bench.said()["path", "sbc-1/core-a", VERDICT] == "unknown"
    for second in range(10, 13):
        bench.second(NOW + second * SECOND_US)
    assert bench.said()["path", "sbc-1/core-a", VERDICT] == "up"
    for second in range(13, 18):
        bench.second(NOW + second * SECOND_US, dead={"core-a"})
    assert bench.said()["path", "sbc-1/core-a", VERDICT] == "down"
