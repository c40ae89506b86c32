"""The acceptance scenarios that a recording can show, as streams with numbers computed by hand.

Every check is sent on the whole second, so outages begin and end on whole seconds; what fails is a function of
(check, SBC, core, second). Times are seconds after T0 = 2026-11-02T12:00:00Z.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from sereno.cli.replay import app
from sereno.clock import SECOND_US, iso, parse_instant

T0 = parse_instant("2026-11-02T12:00:00Z")
TIMEOUT = {"outcome": "failed", "reason": "timeout", "answered_by": "none", "duration_seconds": 0.9}
Bad = Callable[[str, str, str | None, float], dict[str, Any] | None]


def topology(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "service": "voz",
        "domain": "voz.example",
        "cores": {"core-a": {"uri": "sip:10.0.0.1"}, "core-b": {"uri": "sip:10.0.0.2"}},
        "sbcs": {
            "sbc-1": {"addresses": ["sip:192.0.2.1:5060"], "primary": "core-a", "backup": "core-b"},
            "sbc-2": {"addresses": ["sip:192.0.2.2:5060"], "primary": "core-b", "backup": "core-a"},
        },
        "customers": {"acme": {"name": "Acme", "contract": "callmyway"}},
        "sites": {"hq": {"customer": "acme", "sbcs": ["sbc-1", "sbc-2"]}},
        "accounts": {name: {"user": name, "realm": "voz.example", "password": {"env": "X"}} for name in ("m1", "m2")},
        "checks": {
            "edge": {"every": "1s", "timeout": "900ms"},
            "options": {"every": "1s", "timeout": "900ms"},
            "natural": {"every": "1s", "timeout": "900ms"},
            "register": {"every": "10s", "accounts": ["m1", "m2"]},
            "call": {"every": "20s", "account": "m1", "to": "sip:600@{core}"},
        },
        "probes": {"p1": {"network": "isp-1"}},
    }
    return base | changes


class Run:
    """One stream through `sereno replay --json`."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self._folder = folder
        self.topology = folder / "topology.yaml"
        self.topology.write_text(yaml.safe_dump(settings, sort_keys=False))
        self.rows: list[tuple[float, int, dict[str, Any]]] = []
        self._count = 0

    def result(self, second: float, check: str, sbc: str | None, core: str | None, **fields: Any) -> None:
        self._count += 1
        at = {"v": 1, "probe": "p1", "boot": "b", "seq": self._count, "at": iso(T0 + round(second * SECOND_US))}
        said = {"check": check, "sbc": sbc, "core": core, "outcome": "ok"} | fields
        self.rows.append((second, self._count, at | {k: v for k, v in said.items() if v is not None}))

    def event(self, second: float, **fields: Any) -> None:
        self._count += 1
        self.rows.append((second, self._count, {"v": 1, "at": iso(T0 + round(second * SECOND_US))} | fields))

    def watch(
        self,
        seconds: int,
        bad: Bad,
        probes: Iterable[str] = ("p1",),
        checks: Iterable[str] = (),
        every: int = 1,
        since: int = 0,
    ) -> "Run":
        wanted = tuple(checks) or ("edge", "natural", "options", "register", "call")
        for probe in probes:
            for second in range(since, seconds, every):
                for sbc in ("sbc-1", "sbc-2"):
                    for check, cores in (
                        ("edge", (None,)),
                        ("natural", (None,)),
                        ("options", ("core-a", "core-b")),
                        ("register", ("core-a", "core-b") if second % 10 == 0 else ()),
                        ("call", ("core-a", "core-b") if second % 20 == 0 else ()),
                    ):
                        for core in cores if check in wanted else ():
                            account = {"account": "m1"} if check in {"register", "call"} else {}
                            self.result(
                                second,
                                check,
                                sbc,
                                core,
                                probe=probe,
                                **(account | (bad(check, sbc, core, second) or {})),
                            )
        return self

    def go(self, *options: str) -> dict[str, Any]:
        stream = self._folder / "stream.ndjson"
        self.rows.sort(key=lambda row: row[:2])
        stream.write_text("".join(json.dumps(row) + "\n" for _, _, row in self.rows))
        answer = CliRunner().invoke(
            app, [str(stream), "--topology", str(self.topology), "--json", *options], catch_exceptions=False
        )
        assert answer.exit_code == 0
        return json.loads(answer.stdout)


@pytest.fixture
def run(tmp_path):
    return lambda **changes: Run(tmp_path, topology(**changes))


def at(second: float) -> str:
    return iso(T0 + round(second * SECOND_US))


def spans(answer: dict[str, Any], kind: str, name: str, state: str) -> list[tuple[float, float]]:
    return [
        ((parse_instant(one["from"]) - T0) / SECOND_US, (parse_instant(one["to"]) - T0) / SECOND_US)
        for one in answer["intervals"]
        if (one["kind"], one["name"], one["state"]) == (kind, name, state)
    ]


def window(scope: str, to: float, since: float = 0) -> tuple[str, ...]:
    return ("--availability", scope, "--from", at(since), "--to", at(to))


def names(answer: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {(one["alarm"], one["kind"], one["name"]) for one in answer["alarms"]}


def dead(*cores: str, since: int, until: int) -> Bad:
    """Cores silent from `since` until `until`; natural checks fail only when both are."""

    def bad(check: str, _sbc: str, core: str | None, second: float) -> dict[str, Any] | None:
        if not since <= second < until:
            return None
        hit = core in cores if core is not None else check == "natural" and len(cores) > 1
        return TIMEOUT if hit else None

    return bad


def test_1_healthy_says_nothing(run):
    answer = run().watch(600, lambda *_: None).go(*window("service", 600))
    assert {one["state"] for one in answer["intervals"]} == {"up"}
    assert answer["incidents"] == answer["alarms"] == answer["notifications"] == []
    assert answer["availability"] == [
        {
            "scope": "service", "from": at(0), "to": at(600), "low": 1.0, "observed": 1.0, "high": 1.0,
            "down_seconds": 0.0, "excluded_seconds": 0.0, "unknown_seconds": 0.0, "total_seconds": 600.0,
            "target": 0.9999, "verdict": "met",
        }
    ]  # fmt: skip


def test_2_one_core_frozen_is_one_core_incident_and_no_downtime(run):
    answer = run().watch(200, dead("core-a", since=60, until=120)).go(*window("service", 200))
    assert spans(answer, "core", "core-a", "down") == [(60, 120)]
    assert spans(answer, "service", "voz", "degraded") == [(60, 120)]
    assert spans(answer, "sbc", "sbc-1", "up") == spans(answer, "sbc", "sbc-2", "up") == [(0, 199)]
    [incident] = answer["incidents"]
    assert (incident["cause"]["kind"], incident["cause"]["name"]) == ("core", "core-a")
    assert (incident["priority"], incident["severity"]) == ("Alta", "S2")
    assert incident["since"] == at(60)
    assert parse_instant(incident["opened"]) - T0 <= 65 * SECOND_US
    assert answer["availability"][0]["down_seconds"] == 0


def test_3_and_4_both_cores_promote_the_same_incident_and_heal_back_dated(run):
    def bad(check, _sbc, core, second):
        a, b = 60 <= second < 180, 120 <= second < 180
        return TIMEOUT if (core == "core-a" and a) or (core == "core-b" and b) or (check == "natural" and b) else None

    answer = run().watch(300, bad).go(*window("site:hq", 300), "--until", at(400))
    [incident] = [one for one in answer["incidents"] if one["class"] == "service"]  # then the recording ends
    assert (incident["cause"]["kind"], incident["priority"], incident["severity"]) == ("service", "Urgente", "S1")
    assert incident["resolved"] == at(180)
    assert spans(answer, "service", "voz", "down") == [(120, 180)]
    assert not spans(answer, "sbc", "sbc-1", "down")
    figures = answer["availability"][0]
    assert figures["down_seconds"] == 60
    assert figures["verdict"] == "missed"  # 60 s − 1 s of bound > 0.01 % of 300 s
    assert figures["observed"] == pytest.approx(240 / 300)


def test_5_both_sbcs_frozen_leave_the_cores_unknown(run):
    answer = run().watch(200, lambda _c, _s, _k, second: TIMEOUT if 60 <= second < 120 else None).go()
    assert spans(answer, "sbc", "sbc-1", "down") == spans(answer, "sbc", "sbc-2", "down") == [(60, 120)]
    assert spans(answer, "core", "core-a", "unknown") == spans(answer, "core", "core-b", "unknown") == [(60, 120)]
    assert not spans(answer, "core", "core-a", "down")
    [incident] = answer["incidents"]
    assert incident["priority_peak"] == "Urgente"
    assert {one["kind"] for one in incident["cause"]["elements"]} == {"sbc"}


def test_6_a_dead_sbc_downs_the_site_that_has_only_it(run):
    sites = {
        "p": {"customer": "acme", "sbcs": ["sbc-1", "sbc-2"], "failover": "auto"},
        "q": {"customer": "other", "sbcs": ["sbc-1", "sbc-2"], "failover": "none"},
    }
    customers = {name: {"name": name, "contract": "callmyway"} for name in ("acme", "other")}
    stream = run(sites=sites, customers=customers).watch(
        200, lambda _c, sbc, _k, second: TIMEOUT if sbc == "sbc-1" and 60 <= second < 120 else None
    )
    answer = stream.go(*window("site:p", 200), *window("site:q", 200), *window("customer:other", 200))
    assert spans(answer, "site", "p", "degraded") == spans(answer, "site", "q", "down") == [(60, 120)]
    assert [one["down_seconds"] for one in answer["availability"]] == [0, 60, 60]
    opened = [one for one in answer["incidents"] if one["class"] == "service"]
    assert [(one["cause"]["kind"], one["cause"]["name"]) for one in opened] == [("sbc", "sbc-1")]
    assert opened[0]["customers"]["other"] == "Urgente"


def test_7_core_and_sbc_together_leave_the_core_unconfirmed(run):
    def bad(_check, sbc, core, second):
        return TIMEOUT if 60 <= second < 120 and (sbc == "sbc-1" or core == "core-a") else None

    answer = run().watch(200, bad).go()
    assert spans(answer, "sbc", "sbc-1", "down") == [(60, 120)]
    assert spans(answer, "path", "sbc-2/core-a", "down") == [(60, 120)]
    assert spans(answer, "core", "core-a", "down") == []
    assert (60, 120) in spans(answer, "core", "core-a", "unknown")
    assert spans(answer, "service", "voz", "degraded") == [(60, 120)]
    assert {one["priority_peak"] for one in answer["incidents"]} <= {"Alta", "Normal", "Baja"}


def test_8_an_sbc_that_refuses_one_path_is_a_path_incident(run):
    def bad(_check, sbc, core, second):
        if (sbc, core) == ("sbc-1", "core-a") and 60 <= second < 180:
            return {"outcome": "failed", "reason": "sip_5xx", "code": 503, "answered_by": "sbc"}
        return None

    answer = run().watch(300, bad).go()
    assert spans(answer, "path", "sbc-1/core-a", "down") == [(60, 180)]
    assert not spans(answer, "core", "core-a", "down")
    assert not spans(answer, "sbc", "sbc-1", "down")
    [incident] = answer["incidents"]
    assert (incident["cause"]["kind"], incident["cause"]["name"]) == ("path", "sbc-1/core-a")
    assert incident["priority"] == "Normal"


def test_9_failover_that_does_not_work(run):
    sites = {
        "both": {"customer": "acme", "sbcs": ["sbc-1", "sbc-2"]},
        "one": {"customer": "acme", "sbcs": ["sbc-1"]},
    }

    def bad(check, sbc, core, second):
        hit = core == "core-a" or (check == "natural" and sbc == "sbc-1")
        return TIMEOUT if hit and 60 <= second < 120 else None

    answer = run(sites=sites).watch(200, bad).go(*window("site:one", 200), *window("site:both", 200))
    assert spans(answer, "site", "one", "down") == [(60, 120)]
    assert [one["down_seconds"] for one in answer["availability"]] == [60, 0]
    assert ("failover_broken", "sbc", "sbc-1") in names(answer)
    assert any(one["priority_peak"] == "Urgente" for one in answer["incidents"])


def test_10_the_wrong_core_proves_nothing(run):
    def bad(check, sbc, core, second):
        if check == "options" and (sbc, core) == ("sbc-1", "core-b") and second >= 60:
            return {"outcome": "failed", "reason": "wrong_core", "code": 200, "answered_core": "core-a"}
        return None

    answer = run().watch(300, bad).go(*window("service", 300))
    assert spans(answer, "path", "sbc-1/core-b", "up") == [(0, 60)]
    assert ("wrong_core", "path", "sbc-1/core-b") in names(answer)
    assert not spans(answer, "core", "core-b", "down")
    assert answer["availability"][0]["down_seconds"] == 0


def test_10_a_core_that_every_sbc_replaces_is_not_called_dead(run):
    def bad(check, _sbc, core, second):
        wrong = {"outcome": "failed", "reason": "wrong_core", "code": 200, "answered_core": "core-a"}
        return wrong if check == "options" and core == "core-b" and second >= 60 else None

    answer = run().watch(120, bad).go()
    assert not spans(answer, "core", "core-b", "down")
    assert spans(answer, "core", "core-b", "unknown") == [(60, 119)]


@pytest.mark.parametrize(("cores", "down"), [(("core-a",), 0), (("core-a", "core-b"), 140)])
def test_11_cores_without_their_database(run, cores, down):
    def bad(check, _sbc, core, second):
        if check in {"register", "call"} and core in cores and 60 <= second < 200:
            return {"outcome": "failed", "reason": "sip_5xx", "code": 503, "answered_by": "core"}
        return None

    answer = run().watch(300, bad).go(*window("service", 300))
    assert ("core_refusing", "core", "core-a") in names(answer)
    assert answer["availability"][0]["down_seconds"] == down  # 60 is the first failed sample, 200 the first good one
    [incident] = [one for one in answer["incidents"] if one["class"] == "service"]
    assert incident["priority_peak"] == ("Urgente" if down else "Alta")
    assert incident["since"] == at(60)


def test_12_slow_is_degraded_never_down(run):
    def bad(check, sbc, _core, second):
        if sbc == "sbc-1" and check in {"edge", "natural", "options"} and second >= 60:
            return {"reason": "late", "answered_after_seconds": 1.2}
        return None

    answer = run().watch(400, bad).go(*window("service", 400))
    assert spans(answer, "path", "sbc-1/core-a", "degraded") == [(60, 400.2)]  # the last reply comes 1.2 s late
    assert not [one for one in answer["intervals"] if one["state"] == "down"]
    assert ("options_slow", "path", "sbc-1/core-a") in names(answer)
    assert answer["availability"][0]["down_seconds"] == 0


def test_12_400_ms_is_up(run):
    answer = run().watch(400, lambda check, *_: {"rtt_seconds": 0.4} if check == "options" else None).go()
    assert {one["state"] for one in answer["intervals"]} == {"up"}
    assert answer["alarms"] == []


def test_12_late_replies_told_after_their_timeouts(run):
    """As a probe tells it: first the timeout, then the late reply with the same `at`, which supersedes it."""
    stream = run().watch(120, lambda *_: None, checks=("edge", "natural"))
    for second in range(120):
        for sbc in ("sbc-1", "sbc-2"):
            for core in ("core-a", "core-b"):
                stream.result(second, "options", sbc, core, **(TIMEOUT if second >= 60 else {}))
                if second >= 60:
                    stream.result(second, "options", sbc, core, reason="late", answered_after_seconds=1.2)
    answer = stream.go(*window("service", 119))
    assert not [one for one in answer["intervals"] if one["state"] == "down"]
    assert spans(answer, "path", "sbc-1/core-a", "degraded") == [(60, 120.2)]
    assert {one["priority_peak"] for one in answer["incidents"]} <= {"Normal"}  # options_slow at most
    assert answer["availability"][0]["down_seconds"] == 0


def pattern(text: str, since: int = 60) -> Bad:
    def bad(check, _sbc, _core, second):
        place = int(second) - since
        return TIMEOUT if check in {"options", "natural"} and 0 <= place < len(text) and text[place] == "F" else None

    return bad


def test_13_every_second_one_lost_is_intermittent_and_never_down(run):
    answer = run().watch(720, pattern("FS" * 300)).go(*window("service", 720))
    assert answer["availability"][0]["down_seconds"] == 0
    assert ("intermittence", "path", "sbc-1/core-a") in names(answer)
    assert spans(answer, "path", "sbc-1/core-a", "degraded")
    assert not [one for one in answer["intervals"] if one["state"] == "down"]


def test_13_ffsffss_is_one_outage_from_the_first_failure_to_the_confirmed_recovery(run):
    answer = run().watch(200, pattern("FFSFFSS")).go(*window("service", 200))
    assert spans(answer, "service", "voz", "down") == [(60, 65)]
    assert answer["availability"][0]["down_seconds"] == 5
    assert sum(one["priority_peak"] == "Urgente" for one in answer["incidents"]) == 1


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


def test_20_one_way_audio_downs_only_the_sites_that_start_there(run):
    sites = {
        "first": {"customer": "acme", "sbcs": ["sbc-1", "sbc-2"]},
        "second": {"customer": "acme", "sbcs": ["sbc-2", "sbc-1"]},
    }

    def bad(check, sbc, _core, second):
        hit = check == "call" and sbc == "sbc-1" and 60 <= second < 140
        return {"outcome": "failed", "reason": "one_way"} if hit else None

    answer = run(sites=sites).watch(240, bad).go(*window("site:first", 240), *window("site:second", 240))
    assert [one["down_seconds"] for one in answer["availability"]] == [80, 0]
    assert ("audio_broken", "sbc", "sbc-1") in names(answer)
    assert not spans(answer, "core", "core-a", "down")
    assert not spans(answer, "sbc", "sbc-1", "down")


def test_22_a_refused_account_is_the_accounts_own_fault(run):
    stream = run().watch(300, lambda *_: None)
    for second in range(0, 300, 10):
        for sbc in ("sbc-1", "sbc-2"):
            for core in ("core-a", "core-b"):
                refused = {"outcome": "failed", "reason": "auth", "code": 401, "answered_by": "core"}
                stream.result(second, "register", sbc, core, account="m2", **refused)
    answer = stream.go(*window("service", 300))
    assert answer["availability"][0]["down_seconds"] == 0
    assert names(answer) == {("account_refused", "account", "m2")}
    assert {one["priority"] for one in answer["incidents"]} == {"Baja"}


WEKALL = {"acme": {"name": "Acme", "contract": "wekall"}}
TEN = {name: {"every": "10s", "timeout": "900ms"} for name in ("edge", "options", "natural")}
HOUR = 3600
# T0 is Monday 2026-11-02 07:00 in Bogota (GMT−5); 20:00 there is 13 hours later, 14:00 seven.
EVENING, AFTERNOON = 13 * HOUR, 7 * HOUR


@pytest.mark.parametrize(
    ("begins", "announced_days", "excluded"), [(EVENING, 12, 7200), (AFTERNOON, 12, 0), (EVENING, 9, 0)]
)
def test_23_only_maintenance_by_the_terms_is_excluded(run, begins, announced_days, excluded):
    def bad(_check, _sbc, _core, second):
        return TIMEOUT if begins <= second < begins + 2 * HOUR - 60 else None

    stream = run(customers=WEKALL, checks=TEN).watch(
        begins + 3 * HOUR, bad, checks=("edge", "natural", "options"), every=10, since=begins - HOUR
    )
    stream.event(
        0,
        event="maintenance",
        announced=at(begins - announced_days * 24 * HOUR),
        scope={"kind": "service", "name": "voz"},
        critical_fix=False,
        **{"from": at(begins), "to": at(begins + 2 * HOUR)},
    )
    answer = stream.go(*window("site:hq", begins + 3 * HOUR, since=begins - HOUR))
    figures = answer["availability"][0]
    assert figures["excluded_seconds"] == excluded
    assert figures["down_seconds"] == (0 if excluded else 7140)
    assert (figures["verdict"], figures["target"]) == (None, None)  # WeKall promises no availability
    assert answer["notifications"] == []  # announced work silences, whatever the contract says of its time


def test_23_an_overrun_counts_and_pages_at_the_windows_end(run):
    end = EVENING + 2 * HOUR

    def bad(_check, _sbc, _core, second):
        return TIMEOUT if EVENING <= second < end + 600 else None

    stream = run(customers=WEKALL, checks=TEN).watch(
        end + HOUR, bad, checks=("edge", "natural", "options"), every=10, since=EVENING - HOUR
    )
    stream.event(
        0,
        event="maintenance",
        announced=at(EVENING - 12 * 24 * HOUR),
        scope={"kind": "service"},
        **{"from": at(EVENING), "to": at(end)},
    )
    answer = stream.go(*window("site:hq", end + HOUR, since=EVENING))
    figures = answer["availability"][0]
    assert (figures["excluded_seconds"], figures["down_seconds"]) == (7200, 600)
    assert spans(answer, "site", "hq", "maintenance") == [(EVENING, end)]
    assert spans(answer, "site", "hq", "down") == [(end, end + 600)]
    urgent = [one for one in answer["incidents"] if one["priority_peak"] == "Urgente"]
    assert len(urgent) == 1
    assert 0 <= parse_instant(urgent[0]["opened"]) - T0 - end * SECOND_US <= 5 * SECOND_US


def test_23_the_twin_that_dies_during_maintenance_counts(run):
    def bad(_check, sbc, _core, second):
        return (
            TIMEOUT if (sbc == "sbc-1" and 600 <= second < 1800) or (sbc == "sbc-2" and 900 <= second < 1200) else None
        )

    stream = run(customers=WEKALL, checks=TEN).watch(2400, bad, checks=("edge", "natural", "options"), every=10)
    stream.event(
        0,
        event="maintenance",
        announced=at(-12 * 24 * HOUR),
        scope={"kind": "sbc", "name": "sbc-1"},
        **{"from": at(600), "to": at(1800)},
    )
    answer = stream.go(*window("site:hq", 2400))
    figures = answer["availability"][0]
    assert (figures["excluded_seconds"], figures["down_seconds"]) == (0, 300)
    assert any(one["priority_peak"] == "Urgente" for one in answer["incidents"])
    assert spans(answer, "sbc", "sbc-1", "maintenance") == [(600, 1800)]


def test_24_ten_flaps_are_one_incident_and_ten_losses_of_redundancy(run):
    def bad(_check, _sbc, core, second):
        return TIMEOUT if core == "core-a" and 60 <= second < 660 and (second - 60) % 60 < 30 else None

    answer = run().watch(800, bad).go()
    assert len(spans(answer, "core", "core-a", "down")) == 10
    assert len(spans(answer, "site", "hq", "degraded")) == 10
    assert len([one for one in answer["incidents"] if one["state"] != "merged"]) == 1
