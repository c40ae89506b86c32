"""The recording rules by Prometheus' own tool: they parse, and from known counters come the known ratios."""

import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.prometheus import rules
from sereno.cli.root import app

WHERE = 'sbc="sbc-1",core="core-a",probe="p"'


def promtool(*words):
    return subprocess.run(["promtool", *words], capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture
def rule_file(tmp_path):
    return rules.render(tmp_path / "rules", [], 0)[0]


def test_promtool_accepts_them(rule_file):
    told = promtool("check", "rules", str(rule_file))
    assert told.returncode == 0, told.stderr
    assert "7 rules found" in told.stdout


def results(outcome, reason, count):
    labels = f'check="call",outcome="{outcome}",reason="{reason}",{WHERE}'
    return {"series": f"sereno_check_results_total{{{labels}}}", "values": f"0+{count}x120"}


def other(check, outcome, reason, code):
    """Calls of another kind, which are in no ratio of these."""
    labels = f'check="{check}",outcome="{outcome}",reason="{reason}",{WHERE}'
    answers = f'check="{check}",code="{code}",{WHERE}'
    return [
        {"series": f"sereno_check_results_total{{{labels}}}", "values": "0+7x120"},
        {"series": f"sereno_sip_responses_total{{{answers}}}", "values": "0+7x120"},
    ]


def responses(code, count):
    return {
        "series": f'sereno_sip_responses_total{{check="call",code="{code}",{WHERE}}}', "values": f"0+{count}x120",
    }  # fmt: skip


def test_known_counters_give_known_ratios(rule_file, tmp_path):
    # Of each 20: ten good, one cut off, one of dead air, two busy, two rang, one 503, one timeout, one 302, one 404.
    series = [
        results("ok", "", 10), results("failed", "cut_off", 1), results("failed", "dead_air", 1),
        results("failed", "sip_4xx", 2), results("failed", "no_answer", 2), results("failed", "sip_5xx", 1),
        results("failed", "timeout", 1), results("failed", "sip_3xx", 1), results("failed", "auth", 1),
        results("invalid", "probe_fault", 5),
        other("terminating", "failed", "binding_missing", 480), other("pstn", "failed", "sip_4xx", 404),
        responses(200, 12), responses(486, 2), responses(503, 1), responses(302, 1), responses(404, 1),
    ]  # fmt: skip
    series = [one for each in series for one in (each if isinstance(each, list) else [each])]
    expected = {
        "ser": 12 / 19, "seer": 14 / 19, "isa": 2 / 20, "scr": 11 / 20, "ner": 16 / 20, "asr": 12 / 20,
    }  # fmt: skip
    cases = [
        {
            "expr": f"round(sbc_core:sereno_call_{name}:ratio1h, 0.000001)",
            "eval_time": "2h",
            "exp_samples": [{"labels": '{core="core-a", sbc="sbc-1"}', "value": round(value, 6)}],
        }
        for name, value in expected.items()
    ]
    test = {
        "rule_files": [str(rule_file)],
        "evaluation_interval": "30s",
        "tests": [{"interval": "1m", "input_series": series, "promql_expr_test": cases}],
    }
    path = tmp_path / "test.yml"
    path.write_text(json.dumps(test))  # JSON is YAML
    told = promtool("test", "rules", str(path))
    assert told.returncode == 0, told.stdout + told.stderr


def test_where_every_call_fails_the_ratios_are_zero_and_without_calls_there_are_none(rule_file, tmp_path):
    series = [results("failed", "timeout", 1)]
    test = {
        "rule_files": [str(rule_file)],
        "evaluation_interval": "30s",
        "tests": [
            {
                "interval": "1m",
                "input_series": series,
                "promql_expr_test": [
                    {
                        "expr": "sum(sbc_core:sereno_call_ser:ratio1h)", "eval_time": "2h",
                        "exp_samples": [{"labels": "{}", "value": 0}],
                    },
                    {
                        "expr": "sum(sbc_core:sereno_call_isa:ratio1h)", "eval_time": "2h",
                        "exp_samples": [{"labels": "{}", "value": 1}],
                    },
                    {"expr": "sbc_core:sereno_call_ser:ratio1h", "eval_time": "4h", "exp_samples": []},
                ],
            }
        ],
    }  # fmt: skip
    path = tmp_path / "test.yml"
    path.write_text(json.dumps(test))
    told = promtool("test", "rules", str(path))
    assert told.returncode == 0, told.stdout + told.stderr


def test_the_command_writes_them_and_says_where(tmp_path):
    nothing = {"SERENO_DATA": str(tmp_path / "none")}
    told = CliRunner().invoke(app, ["rules", "render", str(tmp_path / "new"), "--json"], env=nothing)
    assert told.exit_code == 0
    calls, slo_rules, slo_tests, _slow, alarm_rules, *_ = map(Path, json.loads(told.stdout)["written"])
    assert rules.text() == calls.read_text(encoding="utf-8")
    assert promtool("check", "rules", str(calls), str(slo_rules), str(alarm_rules)).returncode == 0
    assert slo_tests.parent.name == "tests", "beside, where `rule_files: [DIR/*.yml]` does not take it for rules"
