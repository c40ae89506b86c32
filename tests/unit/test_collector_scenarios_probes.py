"""The acceptance scenarios about probes and networks (14 to 19), as streams with answers computed by hand."""

import pytest
from streams import TIMEOUT, Run, at, names, spans, topology, window

from sereno.clock import SECOND_US, parse_instant


@pytest.fixture
def run(tmp_path):
    return lambda **changes: Run(tmp_path, topology(**changes))


THREE = {f"p{index}": {"network": f"isp-{index}"} for index in (1, 2, 3)}


def test_14_one_probe_of_three_is_cut(run):
    stream = run(probes=THREE).watch(300, lambda *_: None, probes=("p1", "p2"))
    stream.watch(100, lambda *_: None, probes=("p3",))
    stream.event(101, event="probe", probe="p3", state="offline")
    answer = stream.go(*window("service", 300), "--until", at(300))
    figures = answer["availability"][0]
    assert (figures["down_seconds"], figures["unknown_seconds"]) == (0, 0)
    assert {one["class"] for one in answer["incidents"]} <= {"monitor"}
    assert ("probe_lost", "probe", "p3") in names(answer)
    assert answer["notifications"] == []


def test_16_one_network_of_three_loses_an_sbc(run):
    sites = {
        "hq": {"customer": "acme", "sbcs": ["sbc-1", "sbc-2"]},
        "bound": {"customer": "acme", "sbcs": ["sbc-1"], "networks": ["isp-3"]},
    }
    stream = run(probes=THREE, sites=sites).watch(200, lambda *_: None, probes=("p1", "p2"))
    stream.watch(
        200, lambda _c, sbc, _k, second: TIMEOUT if sbc == "sbc-1" and 60 <= second < 150 else None, probes=("p3",)
    )
    answer = stream.go(*window("site:bound", 200), *window("site:hq", 200))
    assert [one["down_seconds"] for one in answer["availability"]] == [90, 0]
    assert not spans(answer, "sbc", "sbc-1", "down")
    assert spans(answer, "sbc", "sbc-1", "degraded") == [(60, 150)]
    assert ("network_split", "network", "sbc-1/isp-3") in names(answer)


def test_17_an_attacked_sbc_is_neither_maintenance_nor_excluded(run):
    probes = {
        "p1": {"network": "isp-1"},
        "p2": {"network": "isp-2"},
        "lan": {"network": "intranet", "vantage": "inside", "checks": ["edge"]},
    }
    stream = run(probes=probes).watch(
        300,
        lambda _c, sbc, _k, second: TIMEOUT if sbc == "sbc-1" and second >= 60 else None,
        probes=("p1", "p2"),
        checks=("edge", "natural", "options"),
    )
    stream.watch(300, lambda *_: None, probes=("lan",), checks=("edge",))
    stream.event(120, event="isolate", sbc="sbc-1")
    answer = stream.go(*window("sbc:sbc-1", 300), *window("service", 300))
    assert ("sbc_unreachable_internet", "sbc", "sbc-1") in names(answer)
    assert [one["excluded_seconds"] for one in answer["availability"]] == [0, 0]
    assert [one["down_seconds"] for one in answer["availability"]] == [240, 0]
    assert not [one for one in answer["intervals"] if one["state"] == "maintenance"]
    assert not spans(answer, "core", "core-a", "down")


ONE_OF_TWO = {"evidence": {"canaries": {"tcp:192.0.2.9:443": False, "sip:203.0.113.5": True}}}
NEITHER = {"evidence": {"canaries": {"tcp:192.0.2.9:443": False, "sip:203.0.113.5": False}}}


def test_15_a_dead_canary_is_its_own_fault(run):
    """Single samples get lost now and then; the canaries are asked each time, and one never answers."""
    answer = (
        run()
        .watch(
            200,
            lambda check, _s, _c, second: TIMEOUT | ONE_OF_TWO if check == "options" and second % 50 == 49 else None,
        )
        .go(*window("service", 198))
    )
    assert names(answer) == {("canary_fault", "probe", "p1")}
    figures = answer["availability"][0]
    assert (figures["down_seconds"], figures["unknown_seconds"]) == (0, 0)
    assert {one["class"] for one in answer["incidents"]} == {"monitor"}
    assert answer["notifications"] == []


def test_15_the_probes_own_network_is_unknown_and_no_canary_is_blamed_for_it(run):
    answer = (
        run().watch(200, lambda *told: TIMEOUT | NEITHER if 60 <= told[3] < 120 else None).go(*window("service", 198))
    )
    figures = answer["availability"][0]
    assert (figures["down_seconds"], figures["unknown_seconds"]) == (0, 60)
    assert names(answer) == {("monitor_blind", "monitor", "voz")}


def spooled(stream, since, until, arrived):
    """What was sent in between lay in the probes' spools for a while."""
    for second, _, row in stream.rows:
        if since <= second < until and "event" not in row:
            row["arrived"] = at(arrived)
    return stream


@pytest.mark.parametrize("probes", [("p1",), ("p1", "p2", "p3")])
def test_18_a_broker_that_was_away_leaves_nothing_unknown(run, probes):
    stream = run(probes={name: THREE[name] for name in probes})
    stream.watch(300, lambda *_: None, probes=probes, checks=("edge", "natural", "options"))
    answer = spooled(stream, 100, 160, 161).go(*window("service", 299))
    figures = answer["availability"][0]
    assert (figures["down_seconds"], figures["unknown_seconds"], figures["verdict"]) == (0, 0, "met")
    [incident] = answer["incidents"]
    assert (incident["class"], incident["cause"]["kind"]) == ("monitor", "monitor")
    assert parse_instant(incident["opened"]) - parse_instant(at(99)) == 30 * SECOND_US  # 30 s after the last result
    assert {one["state"] for one in answer["intervals"]} == {"up"}


def test_19_an_outage_that_is_known_three_hours_later_wakes_nobody(run):
    ten = {name: {"every": "10s", "timeout": "900ms"} for name in ("edge", "options", "natural")}
    stream = run(checks=ten).watch(
        14_400,
        lambda *told: TIMEOUT if 1800 <= told[3] < 2000 else None,
        checks=("edge", "natural", "options"),
        every=10,
    )
    answer = spooled(stream, 1000, 3000, 13_800).go(*window("service", 14_400), "--until", at(14_400))
    figures = answer["availability"][0]
    assert (figures["down_seconds"], figures["unknown_seconds"]) == (200, 0)
    assert spans(answer, "service", "voz", "down") == [(1800, 2000)]
    [found] = [one for one in answer["incidents"] if one["class"] == "service"]
    assert (found["state"], found["since"], found["resolved"]) == ("resolved", at(1800), at(2000))
    assert not [one for one in found["clocks"] if one["state"] == "missed"]
    assert [one["what"] for one in answer["notifications"] if one["incident"] == found["number"]] == ["found_late"]
    assert all(one["note"] for one in answer["revisions"])
