"""Alarms as rules for Prometheus: they hold by promtool, and fire in the same minute as our own machine does."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from agreement import case, tell
from streams import TIMEOUT, Run, dead, topology

from collector.exposition import kinds
from deploy.prometheus.alarms import checks, render, series
from sereno.alarms import load_alarms, parse_alarms
from sereno.contract import load_contract

pytestmark = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
ALARMS = load_alarms()
VERSION = load_contract("callmyway").versions[-1]
MORE = int(os.environ.get("SERENO_EXAMPLES", "1")) > 1
EVERY = 5
SLOW = {
    **{check: {"every": f"{EVERY}s", "timeout": "900ms"} for check in ("edge", "options", "natural")},
    "register": {"every": "10s", "accounts": ["m1", "m2"]},
    "call": {"every": "20s", "account": "m1", "to": "sip:600@{core}"},
}


def promtool(*words: object) -> str:
    """What it says against something; nothing where it is content."""
    told = subprocess.run(["promtool", *map(str, words)], capture_output=True, text=True, timeout=300, check=False)
    return "" if told.returncode == 0 else told.stdout + told.stderr


def test_what_is_generated_holds_by_its_own_tests(tmp_path: Path) -> None:
    rules = tmp_path / render.FILE
    rules.write_text(render.text(ALARMS, VERSION))
    assert promtool("check", "rules", rules) == ""
    (tmp_path / "tests").mkdir()
    for name, text in checks.texts(ALARMS, VERSION).items():
        (tmp_path / "tests" / name).write_text(text)
        if name == checks.FILE or MORE:  # hours of rules take their time
            assert promtool("test", "rules", tmp_path / "tests" / name) == ""


@pytest.mark.parametrize(
    ("sound", "wrong"),
    [("for: 60s", "for: 6s"), ('state=~"unknown|maintenance"', 'state="none"'), (">= 0.2", ">= 2.0")],
)
def test_generated_tests_can_fail(tmp_path: Path, sound: str, wrong: str) -> None:
    few = parse_alarms(
        "alarms.yaml",
        b"alarms:\n  down: {kind: core, what: verdict, states: [down], for: 60s}\n"
        b"  loss: {measure: loss_ratio, scope: sbc, aggregate: ratio, over: 1m, above: 0.2}\n",
    )
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / checks.FILE).write_text(checks.texts(few, VERSION)[checks.FILE])
    text = render.text(few, VERSION)
    assert sound in text
    (tmp_path / render.FILE).write_text(text)
    assert promtool("test", "rules", tmp_path / "tests" / checks.FILE) == ""
    (tmp_path / render.FILE).write_text(text.replace(sound, wrong))
    assert "FAILED" in promtool("test", "rules", tmp_path / "tests" / checks.FILE)


def test_every_alarm_is_rendered_or_said_not_to_be() -> None:
    text = render.text(ALARMS, VERSION)
    ways = {one.name: one for one in render.ways(ALARMS)}
    assert set(ways) == set(ALARMS.alarms)
    for name, one in ways.items():
        if one.way is None:
            assert f"# not rendered: {name}: {one.why_not}" in text
        else:
            assert f"alert: {render.alert_name(name)}\n" in text
    assert {name for name, one in ways.items() if one.way is None} == {"external_alert", "budget_burn", "budget_low"}
    assert {name for name, one in ways.items() if one.way == "series"} == {
        "mos_warn", "loss_high", "loss_high_minor", "jitter_high", "setup_slow",
    }  # fmt: skip
    names = [render.alert_name(name) for name in ALARMS.alarms]
    assert len(set(names)) == len(names)


def test_bounds_are_those_of_the_histograms() -> None:
    bounds = {name: one.bounds for name, one in series.HISTOGRAMS.items()}
    assert bounds["mos_lq"] == bounds["mos_cq"] == kinds.MOS
    assert bounds["jitter_mean_seconds"] == kinds.JITTER
    assert bounds["setup_seconds"] == bounds["post_dial_delay_seconds"] == kinds.CALL_TIMES


OWN = """alarms:
  a.b-c: {measure: loss_ratio, scope: path, by: probe, aggregate: ratio, over: 90500ms, above: 0.5, title: "{name} {{"}
  mean: {measure: setup_seconds, scope: core, aggregate: mean, over: 5m, above: 2, clear: 1, meaning: "{{ text }}"}
  odd: {measure: setup_seconds, scope: core, aggregate: p95, over: 5m, above: 2.5}
  few: {measure: mos_lq, scope: sbc, aggregate: p5, over: 10m, below: 3.1, clear: 4.0, clear_over: 15m, min_samples: 3}
  well: {kind: [sbc, core], what: verdict, states: [up, degraded], clear: 90s}
  asked: {kind: network, what: network_split, states: ["false"]}
  worked: {kind: path, what: verdict, states: [maintenance]}
"""


def test_an_operators_own_alarms_are_rendered_too(tmp_path: Path) -> None:
    own = parse_alarms("alarms.yaml", OWN.encode())
    (tmp_path / render.FILE).write_text(render.text(own, None))
    (tmp_path / "tests").mkdir()
    assert promtool("check", "rules", tmp_path / render.FILE) == ""
    for name, text in checks.texts(own, None).items():
        (tmp_path / "tests" / name).write_text(text)
        assert promtool("test", "rules", tmp_path / "tests" / name) == "", name
    assert {one.name: one.way for one in render.ways(own)} == {
        "a.b-c": "series", "mean": "series", "odd": "finding", "few": "series", "well": "verdict", "asked": "finding",
        "worked": "verdict",
    }  # fmt: skip


# -- the same stories --------------------------------------------------------------------------------------------------


def stream(loss: float = 0.0, jitter: float = 0.002, mos: float = 4.38) -> dict:
    packets, lost = round(1000 * (1 - loss)), round(1000 * loss)
    rx = {"codec": "PCMA", "packets": packets, "expected": 1000, "lost": lost, "jitter_mean_seconds": jitter}
    return {"codec": "PCMA", "media": {"rx": {**rx, "mos_lq": mos}}, "setup_seconds": 0.4}


def calls(since: int, until: int, sbc: str, **bad: float):
    """Calls through an SBC that are poor for a while."""

    def said(check, of, _core, second):
        if check != "call":
            return None
        return stream(**bad) if of == sbc and since <= second < until else stream()

    return said


def cores(run: Run) -> int:
    """One core, then the other too; the second comes back first."""
    first, second = dead("core-a", since=120, until=720), dead("core-a", "core-b", since=300, until=500)
    run.watch(960, lambda *asked: first(*asked) or second(*asked), every=EVERY)
    return 960


def paths(run: Run) -> int:
    """One path refused by its SBC; another fails one in ten."""
    refused = {"outcome": "failed", "reason": "sip_5xx", "code": 503, "answered_by": "sbc", "duration_seconds": 0.01}

    def bad(check, sbc, core, second):
        if (check, sbc, core) == ("options", "sbc-1", "core-a") and 120 <= second < 500:
            return refused
        lost = (check, sbc, core) == ("options", "sbc-2", "core-b") and 100 <= second < 700 and second % 50 == 0
        return TIMEOUT if lost else None

    run.watch(1_440, bad, every=EVERY)
    return 1_440


def media(run: Run) -> int:
    run.watch(1_920, calls(200, 1_500, "sbc-1", loss=0.05, jitter=0.05, mos=3.0), every=EVERY)
    return 1_920


def elsewhere(run: Run) -> int:
    """An SBC dies, a probe is lost, a certificate is about to end; one after the other."""

    def bad(_check, sbc, _core, second):
        return TIMEOUT if sbc == "sbc-1" and 120 <= second < 300 else None

    run.watch(420, bad, probes=("p1", "p2"), every=EVERY)
    run.watch(1_200, bad, probes=("p1",), every=EVERY, since=420)
    run.watch(1_200, bad, probes=("p2",), every=EVERY, since=720)
    run.event(420, event="probe", probe="p2", state="offline")
    run.event(720, event="probe", probe="p2", state="online")
    for second in range(0, 1_200, 60):
        tls = {"days_to_expiry": 60.0 if second < 180 or second >= 900 else 5.0, "grade": "A"}
        facts = {"addresses": {"192.0.2.7": {"tls": tls}}, "answering": 1, "total": 1}
        run.result(second, "https", None, None, target="web", facts=facts, duration_seconds=0.1)
    return 1_200


TWO = {"p1": {"network": "isp-1"}, "p2": {"network": "isp-2"}}
STORIES = [
    (cores, {"core_down", "redundancy_lost", "service_down", "site_down", "path_down"}, {}),
    (paths, {"path_down", "intermittence"}, {}),
    (media, {"loss_high", "loss_high_minor", "jitter_high", "mos_bad", "mos_warn"}, {}),
    (
        elsewhere, {"sbc_down", "path_down", "redundancy_lost", "probe_lost", "cert_expiry", "cert_expiry_7_days"},
        {"probes": TWO, "portals": {"web": {"url": "https://web.example"}}},
    ),
]  # fmt: skip


def test_prometheus_and_the_desk_agree_to_the_minute(tmp_path: Path) -> None:
    (tmp_path / render.FILE).write_text(render.text(ALARMS, VERSION))
    cases = []
    for story, wanted, watched in STORIES:
        folder = tmp_path / story.__name__
        folder.mkdir()
        run = Run(folder, topology(checks=SLOW, **watched))
        told = tell(run, folder / "store", ALARMS, story(run))
        held = {key[0] for key in told.held}
        assert held - {"budget_burn", "budget_low"} == wanted, story.__name__
        cases.append(case(story.__name__, told, ALARMS))
    test = {"rule_files": [render.FILE], "evaluation_interval": render.EVERY, "tests": cases}
    (tmp_path / "agree.yml").write_text(json.dumps(test))
    assert promtool("test", "rules", tmp_path / "agree.yml") == ""
