"""Threshold alarms over a restart: windows and hours come from the store, what was true stays true until measured."""

import time

import pytest

from collector.judge import Judge
from collector.own_health import free_ratio
from collector.service import CollectorService
from sereno.alarms import load_alarms
from sereno.alarms.hour import Hour
from sereno.cli._watched import load
from sereno.clock import SECOND_US, FakeClock, iso
from sereno.errors import ConfigError
from sereno.mqtt import parse_broker
from sereno.store import open_store
from sereno.store.changes import insert_changes, last_said
from sereno.store.lease import Lease
from sereno.store.queries.hours import hours_since, save_hours
from sereno.store.results import insert_results
from sereno.topology import topology_from_json
from sereno.wire import Result

S = SECOND_US
HOUR = 3_600 * S
T0 = 1_793_602_800 * S
ALARMS = load_alarms()
TOPOLOGY = topology_from_json(
    {
        "service": "voz",
        "cores": {"core-a": {"uri": "sip:10.0.0.1"}},
        "sbcs": {"sbc-1": {"addresses": ["sip:192.0.2.1"], "primary": "core-a"}},
        "probes": {"p": {"network": "n"}},
    }
)


class Bench:
    def __init__(self, store):
        self.store, self.seq = store, 0
        self.start(T0)

    def start(self, now_us):
        self.judge = Judge(TOPOLOGY, {}, now_us, ALARMS)
        with self.store.write() as connection:
            changes = self.judge.rebuild(connection, now_us)
            insert_changes(connection, changes)
        return [change for change in changes if change.what != "verdict"]

    def send(self, seconds, check, **fields):
        """The same result at several seconds, each by itself as far as the judge knows."""
        with self.store.write() as connection:
            for second in seconds:
                self.seq += 1
                at_us = T0 + second * S
                said = {"outcome": "ok", "sbc": "sbc-1", "core": "core-a", "account": "m"} | fields
                result = Result(v=1, probe="p", boot="b", seq=self.seq, at=iso(at_us), check=check, **said)
                insert_results(connection, [result], at_us + S)
                insert_changes(connection, self.judge.feed([(result, at_us)], at_us + S))
            save_hours(connection, self.judge.hours(), 0)

    def says(self, what):
        with self.store.read() as connection:
            return {key: one.state for key, one in last_said(connection).items()}.get(("sbc", "sbc-1", what))


@pytest.fixture
def bench(tmp_path):
    store = open_store(tmp_path)
    yield Bench(store)
    store.dispose()


def heard(mos):
    return {"media": {"rx": {"codec": "PCMA", "mos_lq": mos}}}


def test_a_restart_in_the_middle_of_a_window_changes_nothing(bench):
    bench.send(range(0, 2400, 60), "call", **heard(3.9))  # mos_warn looks back an hour, and needs twenty calls
    assert bench.says("mos_warn") == "true"
    assert bench.says("mos_bad") is None
    assert bench.start(T0 + 40 * 60 * S) == []
    bench.send([2401], "call", **heard(3.9))
    assert bench.says("mos_warn") == "true"
    bench.send(range(2460, 6060, 60), "call", **heard(4.4))
    assert bench.says("mos_warn") == "false"


def test_calls_of_an_hour_ago_still_count_after_a_restart(bench):
    bench.send(range(0, 19 * 120, 120), "call", **heard(3.9))  # one too few
    assert bench.says("mos_warn") is None
    bench.start(T0 + 40 * 60 * S)
    bench.send([2400, 2500], "call", **heard(3.9))
    assert bench.says("mos_warn") == "true"


def test_what_is_measured_no_more_stays_as_it_was(bench):
    bench.send([0, 20, 40], "call", outcome="failed", reason="one_way")
    assert bench.says("audio_broken") == "true"
    assert bench.start(T0 + 5 * HOUR) == []
    assert bench.says("audio_broken") == "true"
    bench.send([18_000, 18_020], "call")
    assert bench.says("audio_broken") == "true"
    bench.send([18_040], "call")
    assert bench.says("audio_broken") == "false"


def test_the_hours_of_last_week_come_back(any_store):
    bench = Bench(any_store)
    bench.send(range(0, 7200, 60), "options", rtt_seconds=0.02)
    with bench.store.read() as connection:
        [hour] = hours_since(connection, 0)
    assert (hour.element, hour.measure, hour.hour_us, hour.samples) == ("sbc-1/core-a", "rtt_seconds", T0, 60)
    assert hour.value == pytest.approx(0.02, abs=0.001)
    bench.start(T0 + 2 * HOUR)
    bench.send([7201], "options", rtt_seconds=0.02)
    track = bench.judge._engine.thresholds.known.hours.of("sbc-1/core-a", "rtt_seconds")
    assert track.median == pytest.approx(0.02, abs=0.001)


def test_hours_are_written_over_and_the_oldest_go(any_store):
    with any_store.write() as connection:
        save_hours(
            connection, [Hour("a/b", "rtt_seconds", T0, 0.1, 10), Hour("a/b", "rtt_seconds", T0 - HOUR, 0.3, 9)], 0
        )
        save_hours(connection, [Hour("a/b", "rtt_seconds", T0, 0.2, 20)], T0)
        assert list(hours_since(connection, 0)) == [Hour("a/b", "rtt_seconds", T0, 0.2, 20)]


async def test_the_collector_looks_at_its_own_disk_and_budgets(any_store, monkeypatch):
    clock, lease = FakeClock(T0), Lease(any_store, time.monotonic)
    assert lease.try_take(T0)
    service = CollectorService(
        any_store.fenced(lease.check), lease, parse_broker("mqtt://127.0.0.1:1"), TOPOLOGY, {}, clock, alarms=ALARMS
    )
    room = [0.05]
    monkeypatch.setattr("collector.own_health.free_ratio", lambda _: room[0])
    changes = await service._look_at_oneself(T0)
    assert [(one.kind, one.what, one.state) for one in changes] == (
        [("monitor", "disk_low", "true")] if any_store.is_sqlite else []
    )
    room[0] = 0.5
    changes = await service._look_at_oneself(T0 + 10 * S)
    assert [one.state for one in changes] == (["false"] if any_store.is_sqlite else [])
    lease.release()


def test_room_on_a_disk(tmp_path):
    assert 0 < free_ratio(tmp_path) <= 1
    assert free_ratio(tmp_path / "nowhere") is None


def test_a_reload_takes_up_the_alarms_beside_the_topology_or_says_what_is_wrong(tmp_path):
    topology = tmp_path / "topology.yaml"
    topology.write_text(
        "service: voz\ncores: {a: {uri: 'sip:10.0.0.1'}}\nsbcs: {s: {addresses: ['sip:10.0.0.9'], primary: a}}\n"
    )
    assert "loss_high" in load(topology, None).alarms.alarms
    own = tmp_path / "alarms.yaml"
    own.write_text("alarms: {mine: {measure: late, scope: path, aggregate: ratio, over: 1m, above: 0.5}}\n")
    assert list(load(topology, None).alarms.alarms) == ["mine"]
    own.write_text("alarms: {mine: {measure: lates, scope: path, aggregate: ratio, over: 1m, above: 0.5}}\n")
    with pytest.raises(ConfigError, match=r"alarms\.yaml.*late"):
        load(topology, None)
