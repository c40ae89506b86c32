"""The live engine: order of arrival, silence, rebuilding, maintenance, what it finds beside verdicts."""

import random

import pytest

from collector.engine import Engine
from sereno.alarms import load_alarms
from sereno.clock import iso
from sereno.topology import topology_from_json
from sereno.verdict import VERDICT, MaintenanceWindow
from sereno.wire import Result

S = 1_000_000
T0 = 1_793_600_000 * S
PATHS = [(sbc, core) for sbc in ("sbc-1", "sbc-2") for core in ("core-a", "core-b")]


def topology(**changes):
    base = {
        "service": "voz",
        "cores": {"core-a": {"uri": "sip:10.0.0.1"}, "core-b": {"uri": "sip:10.0.0.2"}},
        "sbcs": {
            "sbc-1": {"addresses": ["sip:192.0.2.1"], "primary": "core-a", "backup": "core-b"},
            "sbc-2": {"addresses": ["sip:192.0.2.2"], "primary": "core-b", "backup": "core-a"},
        },
        "customers": {"acme": {"name": "Acme", "contract": "callmyway"}},
        "sites": {"hq": {"customer": "acme", "sbcs": ["sbc-1", "sbc-2"]}},
        "probes": {"p1": {"network": "isp-1"}},
    }
    return topology_from_json(base | changes)


class Probe:
    """Numbers results as a probe does."""

    def __init__(self, name="p1"):
        self.name, self.seq = name, 0

    def result(self, second, check, sbc, core=None, **fields):
        self.seq += 1
        said = {"outcome": "ok"} | fields
        at = iso(T0 + round(second * S))
        return Result(v=1, probe=self.name, boot="b", seq=self.seq, at=at, check=check, sbc=sbc, core=core, **said)

    def second(self, second, bad=lambda *_: False):
        """Everything a probe sends in a second."""
        found = []
        for sbc in ("sbc-1", "sbc-2"):
            for check, core in (("edge", None), ("natural", None), ("options", "core-a"), ("options", "core-b")):
                failed = {"outcome": "failed", "reason": "timeout"} if bad(check, sbc, core, second) else {}
                found.append(self.result(second, check, sbc, core, **failed))
        return found


def feed(engine, results, arrived=None):
    changes = []
    for result in results:
        changes += engine.feed(result, result.at_us if arrived is None else T0 + round(arrived * S))
    return changes


def states(engine, second):
    return {(one.kind, one.name): one.state for one in engine.verdicts(T0 + round(second * S))}


def run(seconds, bad=lambda *_: False, **changes):
    engine, probe = Engine(topology(**changes)), Probe()
    changes_ = [change for second in range(seconds) for change in feed(engine, probe.second(second, bad))]
    return engine, probe, changes_


def core_a(_check, _sbc, core, second):
    return core == "core-a" and second >= 10


def test_down_is_decided_on_the_confirming_sample_and_since_the_first_failed_one():
    _, _, changes = run(12, core_a)
    [down] = [one for one in changes if (one.kind, one.what, one.state) == ("core", VERDICT, "down")]
    assert (down.since_us, down.at_us) == (T0 + 10 * S, T0 + 11 * S)
    assert down.facts["edges"] == {"sbc-1": "up", "sbc-2": "up"}


def test_every_change_is_said_once():
    _, _, changes = run(30, lambda _k, _s, core, second: core == "core-a" and 10 <= second < 20)
    said = [(one.kind, one.name, one.what, one.state) for one in changes]
    assert len([one for one in said if one[:3] == ("core", "core-a", VERDICT)]) == 3  # up, down, up
    assert ("site", "hq", "redundancy_lost", "false") in said
    [back] = [one for one in changes if (one.name, one.what, one.state) == ("hq", "redundancy_lost", "false")]
    assert back.since_us == T0 + 20 * S


def test_one_lost_answer_changes_nothing():
    _, _, changes = run(30, lambda _k, _s, _c, second: second == 10)
    assert not [one for one in changes if one.at_us > T0 + 5 * S]


def test_silence_is_unknown_after_ten_seconds_by_arrival():
    engine, _, _ = run(20)
    assert engine.tick(T0 + 28 * S) == []
    changes = engine.tick(T0 + 29 * S)
    assert {(one.kind, one.state) for one in changes if one.what == VERDICT} == {
        (kind, "unknown") for kind in ("service", "site", "core", "sbc", "path")
    } | {("probe", "down")}
    assert {(one.what, one.state) for one in changes if one.what != VERDICT} == {
        ("probe_lost", "true"),
        ("monitor_blind", "true"),
    }
    [service] = [one for one in changes if one.kind == "service"]
    assert service.since_us == T0 + round(21.5 * S)  # the ledger's hold, by `at`


def test_next_due_is_when_something_is_to_be_decided():
    engine, _, _ = run(20)
    due = engine.next_due_us()
    assert due is not None
    while due is not None and due < T0 + 29 * S:
        assert engine.tick(due) == []
        due = engine.next_due_us()
    assert due == T0 + 29 * S
    assert engine.tick(due)


def test_newest_first_then_backfill_ends_as_if_in_order():
    probe = Probe()
    stream = [result for second in range(20) for result in probe.second(second, core_a)]
    shuffled = list(reversed(stream))
    straight, crooked = Engine(topology()), Engine(topology())
    feed(straight, stream, arrived=20)
    feed(crooked, shuffled, arrived=20)
    assert states(crooked, 20) == states(straight, 20)
    assert crooked.findings() == straight.findings()
    since = {(one.kind, one.name): one.since_us for one in crooked.verdicts(T0 + 20 * S)}
    assert since["path", "sbc-1/core-a"] == T0 + 10 * S


@pytest.mark.parametrize("seed", range(5))
def test_any_order_of_a_batch_ends_in_the_same_verdicts(seed):
    probe = Probe()
    stream = [result for second in range(20) for result in probe.second(second, core_a)]
    expected = Engine(topology())
    feed(expected, stream, arrived=20)
    random.Random(seed).shuffle(stream)
    engine = Engine(topology())
    feed(engine, stream, arrived=20)
    assert states(engine, 20) == states(expected, 20)


def test_the_same_result_twice_counts_once():
    engine, probe, _ = run(10)
    failed = probe.result(10, "options", "sbc-1", "core-a", outcome="failed", reason="timeout")
    feed(engine, [failed, failed, failed])
    assert states(engine, 10)["path", "sbc-1/core-a"] == "up"


def test_a_late_reply_cancels_its_failure():
    engine, probe, _ = run(10)
    timeout = {"outcome": "failed", "reason": "timeout", "duration_seconds": 0.9}
    feed(engine, [probe.result(10, "options", "sbc-1", "core-a", **timeout)], arrived=10.9)
    feed(
        engine,
        [probe.result(10, "options", "sbc-1", "core-a", reason="late", answered_after_seconds=1.2)],
        arrived=11.2,
    )
    feed(engine, [probe.result(11, "options", "sbc-1", "core-a", **timeout)], arrived=11.9)
    assert states(engine, 12)["path", "sbc-1/core-a"] == "up"


def test_what_a_thawed_core_answers_is_no_slowness():
    engine, probe, _ = run(100)
    timeout = {"outcome": "failed", "reason": "timeout", "duration_seconds": 0.9}
    for second in range(100, 130):
        feed(engine, [probe.result(second, "options", "sbc-1", "core-a", **timeout)], arrived=second + 0.9)
    for second in range(100, 130):
        late = {"reason": "late", "answered_after_seconds": 130.5 - second}
        feed(engine, [probe.result(second, "options", "sbc-1", "core-a", **late)], arrived=130.5)
    for second in range(131, 160):
        feed(engine, probe.second(second))
    path = next(one for one in engine.verdicts(T0 + 160 * S) if one.name == "sbc-1/core-a")
    assert path.state == "up"
    assert T0 + 130 * S <= path.since_us <= T0 + 131 * S
    assert engine.findings() == []


def test_results_of_hours_ago_say_nothing_about_now():
    engine = Engine(topology())
    feed(engine, [result for second in range(5) for result in Probe().second(second)], arrived=10_000)
    assert set(states(engine, 10_000).values()) - {"unknown", "up"} == set()
    assert states(engine, 10_000)["service", "voz"] == "unknown"


def test_a_rebuilt_engine_says_the_same():
    probe = Probe()
    stream = [result for second in range(400) for result in probe.second(second, core_a)]
    live, rebuilt = Engine(topology()), Engine(topology())
    feed(live, stream)
    feed(rebuilt, [result for result in stream if result.at_us >= T0 + 300 * S])
    assert states(live, 400) == states(rebuilt, 400)
    assert live.findings() == rebuilt.findings()


def test_maintenance_silences_its_scope_and_lets_go_at_its_end():
    engine, probe, _ = run(10)
    window = MaintenanceWindow(
        scope_kind="service", scope_name="voz", from_us=T0 + 20 * S, to_us=T0 + 40 * S, announced_us=T0
    )
    assert engine.maintenance(window, T0 + 10 * S) == []
    changes = []
    for second in range(10, 60):
        changes += engine.tick(T0 + second * S)
        changes += feed(engine, probe.second(second, lambda _k, _s, _c, now: now >= 25))
    service = [(one.state, one.since_us - T0) for one in changes if one.kind == "service" and one.what == VERDICT]
    assert service == [("maintenance", 20 * S), ("down", 40 * S)]


def test_an_sbc_in_maintenance_does_not_hide_its_twins_death():
    engine, probe, _ = run(10)
    window = MaintenanceWindow(scope_kind="sbc", scope_name="sbc-1", from_us=T0, to_us=T0 + 99 * S, announced_us=T0)
    engine.maintenance(window, T0 + 10 * S)
    for second in range(10, 15):
        feed(engine, probe.second(second, lambda *_: True))
    now = states(engine, 15)
    assert (now["sbc", "sbc-1"], now["path", "sbc-1/core-a"]) == ("maintenance", "maintenance")
    assert (now["sbc", "sbc-2"], now["site", "hq"], now["service", "voz"]) == ("down", "down", "down")


def test_isolation_is_a_mark_and_nothing_else():
    engine, _, _ = run(10)
    [change] = engine.isolate("sbc-1", T0 + 10 * S)
    assert (change.kind, change.name, change.what, change.state) == ("sbc", "sbc-1", "sbc_isolated", "true")
    assert states(engine, 10)["sbc", "sbc-1"] == "up"
    [healed] = engine.heal("sbc-1", T0 + 11 * S)
    assert healed.state == "false"


def test_failures_without_any_canary_are_no_opinion():
    engine, probe, _ = run(10)
    for second in range(10, 20):
        for sbc, core in PATHS:
            evidence = {"canaries": {"sip:203.0.113.5": False, "tcp:192.0.2.7:443": False}}
            failed = {"outcome": "failed", "reason": "timeout", "answered_by": "none", "evidence": evidence}
            feed(engine, [probe.result(second, "options", sbc, core, **failed)])
    assert states(engine, 20)["path", "sbc-1/core-a"] == "unknown"
    assert ("probe", "p1", "probe_lost") in engine.findings()


def test_a_canary_that_is_dead_alone_is_its_own_fault():
    engine, probe, _ = run(10)
    for second in (10, 12):
        evidence = {"canaries": {"sip:203.0.113.5": True, "tcp:192.0.2.7:443": False}}
        failed = {"outcome": "failed", "reason": "timeout", "answered_by": "none", "evidence": evidence}
        feed(engine, [probe.result(second, "options", "sbc-1", "core-a", **failed)])
        feed(engine, probe.second(second + 1))
    assert engine.findings() == [("probe", "p1", "canary_fault")]
    assert states(engine, 13)["path", "sbc-1/core-a"] == "up"


def test_an_answer_proves_the_probes_network_whatever_the_canaries_say():
    engine, probe, _ = run(10)
    for second in (10, 11):
        failed = {"outcome": "failed", "reason": "sip_5xx", "code": 503, "answered_by": "core"}
        dead = {"canaries": {"sip:203.0.113.5": False}}
        feed(engine, [probe.result(second, "options", "sbc-1", "core-a", evidence=dead, **failed)])
    assert states(engine, 11)["path", "sbc-1/core-a"] == "down"


def test_a_lone_witness_of_two_cannot_call_it_down():
    engine, probe, _ = run(10, probes={"p1": {"network": "a"}, "p2": {"network": "b"}})
    for second in range(10, 15):
        feed(engine, probe.second(second, lambda *_: True))
    assert states(engine, 15)["service", "voz"] == "unknown"
    assert ("site", "hq", "outage_suspected") in engine.findings()


def test_an_unnamed_probe_votes_where_the_topology_names_none():
    engine, probe = Engine(topology(probes={})), Probe("local")
    for second in range(5):
        feed(engine, probe.second(second))
    assert states(engine, 5)["service", "voz"] == "up"
    for second in range(5, 8):
        feed(engine, probe.second(second, lambda *_: True))
    assert states(engine, 8)["service", "voz"] == "down"


def test_some_addresses_of_an_sbc_degrade_it_and_all_down_it():
    engine, probe = Engine(topology()), Probe()
    for second in range(20):
        for address in ("udp", "tls"):
            failed = second >= 15 or (second >= 10 and address == "tls")
            said = {"outcome": "failed", "reason": "timeout"} if failed else {}
            feed(engine, [probe.result(second, "edge", "sbc-1", address=address, **said)])
        state = states(engine, second)["sbc", "sbc-1"]
        assert state == ("up" if second < 11 else "degraded" if second < 16 else "down")


def test_calls_and_registrations_explained_by_signalling_do_not_hold_the_path_down():
    engine, probe = Engine(topology()), Probe()
    for second in range(100):
        dead = 40 <= second < 70
        said = {"outcome": "failed", "reason": "timeout"} if dead else {}
        feed(engine, [probe.result(second, "options", "sbc-1", "core-a", **said)])
        if second % 10 == 0:
            feed(engine, [probe.result(second, "register", "sbc-1", "core-a", account="m", **said)])
            feed(engine, [probe.result(second, "call", "sbc-1", "core-a", account="m", **said)])
        expected = "up" if second < 41 or second > 70 else "down"
        assert states(engine, second)["path", "sbc-1/core-a"] == expected, second
    assert engine.findings() == []


def test_a_call_plane_of_its_own_downs_the_path():
    engine, probe = Engine(topology(), alarms=load_alarms()), Probe()
    for second in range(0, 120, 20):
        for tick in range(second, second + 20):
            feed(engine, [probe.result(tick, "options", "sbc-1", "core-a")])
        said = {"outcome": "failed", "reason": "dead_air"} if second >= 60 else {}
        feed(engine, [probe.result(second, "call", "sbc-1", "core-a", account="m", **said)])
    assert states(engine, 120)["path", "sbc-1/core-a"] == "down"
    assert ("sbc", "sbc-1", "audio_broken") in engine.findings()


def test_a_single_refused_account_leaves_the_path_alone():
    engine, probe = Engine(topology()), Probe()
    for second in range(0, 60, 10):
        feed(engine, [probe.result(second, "options", "sbc-1", "core-a")])
        refused = {"outcome": "failed", "reason": "auth", "code": 401}
        feed(engine, [probe.result(second, "register", "sbc-1", "core-a", account="m", **refused)])
    assert states(engine, 60)["path", "sbc-1/core-a"] == "up"
    assert engine.findings() == [("account", "m", "account_refused")]


def test_results_about_unknown_elements_change_nothing():
    engine, probe, _ = run(5)
    assert feed(engine, [probe.result(6, "edge", "sbc-9"), probe.result(6, "options", "sbc-1", "core-z")]) == []


def test_a_change_in_one_path_does_not_touch_the_rest():
    """A thousand SBCs: one path's failure evaluates its own nodes and what stands above them."""
    sbcs = {
        f"sbc-{index}": {
            "addresses": [f"sip:10.1.{index // 250}.{index % 250}"],
            "primary": "core-a",
            "backup": "core-b",
        }
        for index in range(1000)
    }
    sites = {f"site-{index}": {"customer": "acme", "sbcs": [f"sbc-{index}"]} for index in range(1000)}
    engine, probe = Engine(topology(sbcs=sbcs, sites=sites)), Probe()
    for second in range(3):
        feed(engine, [probe.result(second, "options", f"sbc-{index}", "core-a") for index in range(1000)])
    evaluated = []
    settle = engine.graph._update

    def counted(node, *rest):
        evaluated.append(node)
        settle(node, *rest)

    engine.graph._update = counted
    failed = {"outcome": "failed", "reason": "timeout"}
    feed(engine, [probe.result(second, "options", "sbc-7", "core-a", **failed) for second in (3, 4)])
    assert states(engine, 4)["path", "sbc-7/core-a"] == "down"
    assert 0 < len(evaluated) < 40


def test_a_core_that_serves_again_is_up_since_the_first_good_answer():
    checks = {"options": {"every": "1s", "timeout": "900ms"}, "register": {"every": "2s", "accounts": ["m"]}}
    accounts = {"m": {"user": "9", "realm": "x", "password": {"env": "M"}}}
    engine, probe = Engine(topology(checks=checks, accounts=accounts)), Probe()
    changes = []
    refused = {"outcome": "failed", "reason": "sip_5xx", "code": 500, "answered_by": "sbc"}
    for second in range(30):
        changes += feed(engine, probe.second(second))
        for sbc, odd, healed in (("sbc-1", 0, 20), ("sbc-2", 1, 21)):
            if second % 2 == odd:
                fields = refused if 10 <= second < healed else {}
                changes += feed(engine, [probe.result(second + 0.5, "register", sbc, "core-a", account="m", **fields)])
    core = [(one.state, (one.since_us - T0) / S) for one in changes if (one.name, one.what) == ("core-a", VERDICT)]
    assert core == [("up", 0), ("degraded", 11.5), ("up", 20.5)]
    findings = [(one.state, (one.since_us - T0) / S) for one in changes if one.what == "core_refusing"]
    assert findings == [("true", 11.5), ("false", 20.5)]


def test_natural_registrations_and_calls_fall_silent_together_with_forced_ones():
    engine, probe = Engine(topology()), Probe()
    for check in ("register", "call"):
        for core in (None, "core-b", None, "core-a"):
            for account in ("monitor-2", "monitor-1"):
                found = probe.result(0, check, "sbc-1", core, account=account, answered_core="core-a")
                feed(engine, [found], arrived=1)
    assert states(engine, 1)["path", "sbc-1/core-a"] != "down"
    engine.tick(T0 + 600 * S)  # every one of them is due at the same instant, whatever it has for a core
    assert states(engine, 600)["path", "sbc-1/core-a"] == "unknown"
