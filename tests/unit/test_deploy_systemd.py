"""The units that people copy start commands that exist, with their options, as somebody who may do nothing else."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

import deploy
from sereno.cli.collector import app
from sereno.mqtt import PASSWORD_FILE_ENV
from sereno.store.postgres import parse_url

UNIT = (Path(deploy.__file__).with_name("systemd") / "sereno-collector.service").read_text()
SETTINGS = [line.partition("=") for line in UNIT.splitlines() if "=" in line and not line.startswith("#")]


def values(name):
    return [value for key, _, value in SETTINGS if key == name]


def test_the_collector_is_started_with_options_that_it_has():
    (line,) = values("ExecStart")
    assert line.split()[1] == "collector"
    known = {name for each in typer.main.get_command(app).params for name in each.opts}
    assert set(re.findall(r"--[a-z]+", line)) <= known
    environment = dict(value.split("=", 1) for value in values("Environment"))
    assert set(re.findall(r"\$\{(\w+)\}", line)) <= environment.keys()
    assert environment[PASSWORD_FILE_ENV] == "%d/broker"
    assert parse_url(environment["SERENO_DATABASE"]).query["target_session_attrs"] == "read-write"
    assert "@" not in environment["SERENO_DATABASE"].split("@", 1)[1]


def test_it_is_nobody_special_and_always_comes_back():
    assert values("User") == ["sereno"]
    assert values("CapabilityBoundingSet") == values("AmbientCapabilities") == [""]
    assert values("NoNewPrivileges") == ["yes"]
    assert values("ProtectSystem") == ["strict"]
    assert values("Restart") == ["always"]
    assert values("StartLimitIntervalSec") == ["0"]


def test_systemd_understands_it(tmp_path):
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd is not installed")
    unit = tmp_path / "sereno-collector.service"
    unit.write_text(UNIT.replace("/opt/sereno/bin/sereno", "/bin/true"))
    done = subprocess.run([program, "verify", str(unit)], check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr.strip()) == (0, "")
