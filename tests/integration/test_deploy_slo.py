"""SLO rules by Prometheus' own tool: from topology and contract to what is said, what is not, unknown and absent."""

import shutil
import subprocess
from datetime import date

import pytest
import yaml
from exposition import SMALL
from typer.testing import CliRunner

from deploy.prometheus import rules, slo
from sereno.cli.root import app
from sereno.clock import parse_instant
from sereno.contract import load_contract
from sereno.store import open_store
from sereno.store.tables import topologies
from sereno.topology import canonical_json, topology_hash

pytestmark = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
NOW = parse_instant("2026-11-21T12:00:00Z")
CALLMYWAY, WEKALL = load_contract("callmyway"), load_contract("wekall")


def promised(ppm, name="own", **more):
    """CallMyWay's contract with another promise."""
    version = CALLMYWAY.versions[0]
    availability = version.availability.model_copy(update={"target_ppm": ppm})
    return CALLMYWAY.model_copy(
        update={"name": name, "versions": (version.model_copy(update={"availability": availability, **more}),)}
    )


def promtool(*words):
    return subprocess.run(["promtool", *map(str, words)], capture_output=True, text=True, timeout=120, check=False)


def rendered(folder, found):
    calls, windows, *tests = rules.render(folder, found, NOW)
    told = promtool("check", "rules", calls, windows)
    assert told.returncode == 0, told.stdout + told.stderr
    return windows, tests


def failures(*tests):
    """What `promtool test rules` says against the rules."""
    told = promtool("test", "rules", *tests)
    return "" if told.returncode == 0 else told.stdout + told.stderr


def expressions(path):
    return {
        (rule.get("alert") or rule["record"], rule.get("labels", {}).get("contract")): rule["expr"]
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    }


def test_of_two_contracts_each_site_is_judged_by_its_own(tmp_path):
    acme, calle = SMALL.customers["acme"], SMALL.sites["acme-cal"]
    customers = {name: acme.model_copy(update={"contract": name}) for name in ("own", "wekall")}
    sites = {
        "other.1": calle.model_copy(update={"customer": "own"}),
        "third": calle.model_copy(update={"customer": "wekall"}),
    }
    topology = SMALL.model_copy(update={"customers": SMALL.customers | customers, "sites": SMALL.sites | sites})
    found = slo.objectives(topology, {"callmyway": CALLMYWAY, "own": promised(999_000), "wekall": WEKALL}, NOW)
    assert [(one.contract, one.target_ppm, one.sites) for one in found] == [
        ("callmyway", 999_900, ("acme-bog", "acme-cal")),
        ("own", 999_000, ("other.1",)),
    ], "WeKall promises none"
    windows, tests = rendered(tmp_path, found)
    said = expressions(windows)
    fast = said["SerenoErrorBudgetBurnFast", "callmyway"]
    assert 'increase1h{site=~"acme-bog|acme-cal"} >= 5.184000' in fast
    assert 'increase3d{site=~"acme-bog|acme-cal"} >= 25.920000' in said["SerenoErrorBudgetBurnSlow", "callmyway"]
    assert 'increase1h{site=~"other\\\\.1"} >= 51.840000' in said["SerenoErrorBudgetBurnFast", "own"]
    assert failures(*tests) == ""


def test_generated_tests_can_fail(tmp_path):
    windows, (quick, _slow) = rendered(tmp_path, slo.objectives(None, {"callmyway": CALLMYWAY}, NOW))
    sound = windows.read_text()
    windows.write_text(sound.replace(">= 5.184000", ">= 4.000000"))
    assert "SerenoErrorBudgetBurnFast" in failures(quick)
    windows.write_text(sound.replace("absent(sereno_collector_leader == 1)", "absent(sereno_collector_leader)"))
    assert "SerenoBlind" in failures(quick)


@pytest.mark.parametrize("ppm", [0, 999_999, 1_000_000])
def test_any_promise_gives_rules_that_hold(tmp_path, ppm):
    _windows, (quick, _slow) = rendered(tmp_path, slo.objectives(None, {"own": promised(ppm)}, NOW))
    assert failures(quick) == ""


def test_the_version_in_force_decides():
    first = CALLMYWAY.versions[0]
    later = promised(999_000).versions[0].model_copy(update={"effective": date(2026, 12, 1)})
    contract = CALLMYWAY.model_copy(update={"versions": (first, later)})
    (before,) = slo.objectives(SMALL, {"callmyway": contract}, NOW)
    (after,) = slo.objectives(SMALL, {"callmyway": contract}, parse_instant("2026-12-01T12:00:00Z"))
    assert (before.target_ppm, after.target_ppm) == (999_900, 999_000)
    assert (before.effective, after.effective) == ("2023-07-01", "2026-12-01")


def test_priorities_and_severities_are_the_contracts():
    (one,) = slo.objectives(SMALL, {"callmyway": CALLMYWAY}, NOW)
    assert (one.fast, one.slow) == (("Alta", "S2"), ("Normal", "S3"))
    (other,) = slo.objectives(SMALL, {"callmyway": promised(999_900, severities={})}, NOW)
    assert (other.fast, other.slow) == (("Alta", "Alta"), ("Normal", "Normal"))


def test_a_system_without_sites_is_one():
    bare = SMALL.model_copy(update={"sites": {}})
    (one,) = slo.objectives(bare, {"callmyway": CALLMYWAY}, NOW)
    assert one.sites == ("acme-voice",)
    assert slo.objectives(bare.model_copy(update={"customers": {}}), {}, NOW) == []


@pytest.fixture
def stored(tmp_path):
    store = open_store(tmp_path / "data")
    with store.write() as connection:
        connection.execute(
            topologies.insert().values(from_us=1, hash=topology_hash(SMALL), topology=canonical_json(SMALL))
        )
    store.dispose()
    return tmp_path / "data"


def render(*words, data):
    return CliRunner().invoke(app, ["rules", "render", *map(str, words)], env={"SERENO_DATA": str(data)})


def test_the_command_takes_what_was_stored_or_a_file(tmp_path, stored):
    assert render(tmp_path / "a", data=stored).exit_code == 0
    assert "99.99 %: acme-bog, acme-cal" in (tmp_path / "a" / slo.FILE).read_text()
    own = tmp_path / "own.yaml"
    own.write_text(
        "service: s\ncores: {c: {uri: 'sip:127.0.0.1'}}\nsbcs: {b: {addresses: ['sip:127.0.0.2'], primary: c}}\n"
        "customers: {x: {name: X, contract: wekall}}\nsites: {only: {customer: x, sbcs: [b]}}\n"
    )
    assert render(tmp_path / "b", "--topology", own, data=stored).exit_code == 0
    assert "no contract promises an availability" in (tmp_path / "b" / slo.FILE).read_text()
    assert render(tmp_path / "c", "--topology", own, "--contract", "callmyway", data=stored).exit_code == 0
    assert "99.99 %: only" in (tmp_path / "c" / slo.FILE).read_text()


def test_the_command_without_any_topology_says_so(tmp_path):
    told = render(tmp_path / "a", data=tmp_path / "none")
    assert (told.exit_code, told.stderr.count("\n")) == (0, 1)
    assert "no topology is known" in told.stderr
    assert "99.99 %: every site" in (tmp_path / "a" / slo.FILE).read_text()


def test_wrong_words_are_told_in_one_line(tmp_path, stored):
    both = render(tmp_path / "a", "--topology", "x.yaml", "--data", tmp_path, data=stored)
    nowhere = render(tmp_path / "a", "--data", tmp_path / "none", data=stored)
    unknown = render(tmp_path / "a", "--contract", "nobody", data=stored)
    for told, words in ((both, "excludes"), (nowhere, "no Sereno data"), (unknown, "nobody")):
        assert told.exit_code == 2 or words in str(told.exception)
