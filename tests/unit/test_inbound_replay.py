"""Alerts of other systems in a recording: one incident per cause, ended by the last that resolves, beside our own."""

import json

import pytest
from typer.testing import CliRunner

from sereno.cli.replay import app

TOPOLOGY = """
service: trial
cores: {core-a: {uri: "sip:10.0.0.1"}}
sbcs: {sbc-1: {addresses: ["sip:198.51.100.1"], primary: core-a}}
checks: {options: {every: 1s, timeout: 900ms}}
"""


@pytest.fixture
def replay(tmp_path):
    def run(*events, until="2026-11-21T13:00:00Z"):
        (tmp_path / "topology.yaml").write_text(TOPOLOGY)
        lines = [json.dumps({"v": 1, "event": "alert", **event}) for event in events]
        (tmp_path / "recording").write_text("\n".join(lines) + "\n")
        arguments = [
            str(tmp_path / "recording"),
            "--topology",
            str(tmp_path / "topology.yaml"),
            "--until",
            until,
            "--json",
        ]
        answer = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert answer.exit_code == 0, answer.output
        return json.loads(answer.stdout)

    return run


def alert(at, status="firing", **more):
    labels = {"alertname": "DiskFull", "severity": "critical", **more.pop("labels", {})}
    return {"at": f"2026-11-21T12:{at}Z", "status": status, "labels": labels, **more}


def test_it_pages_once_and_ends_with_its_last_alert(replay):
    one, two = {"instance": "web-1"}, {"instance": "web-2"}
    found = replay(
        alert("00:00", labels=one, startsAt="2026-11-21T11:59:00Z", annotations={"summary": "Lleno"}),
        alert("00:10", labels=two),
        alert("01:00", labels=one),
        alert("05:00", "resolved", labels=one),
        alert("06:00", "resolved", labels=two),
    )
    (incident,) = found["incidents"]
    assert (incident["cause"]["kind"], incident["cause"]["name"]) == ("external", "DiskFull")
    assert (incident["priority"], incident["state"]) == ("Alta", "resolved")
    assert incident["since"] == "2026-11-21T11:59:00.000000Z"
    assert incident["opened"] == "2026-11-21T12:00:00.000000Z"
    assert incident["resolved"] == "2026-11-21T12:06:00.000000Z"
    assert [told["what"] for told in found["notifications"]].count("opened") == 1


def test_a_resolved_alone_and_one_overtaken_say_nothing(replay):
    late = alert("10:00", startsAt="2026-11-21T12:00:00Z")
    gone = alert("05:00", "resolved", startsAt="2026-11-21T12:00:00Z")
    assert replay(gone, late)["incidents"] == []
