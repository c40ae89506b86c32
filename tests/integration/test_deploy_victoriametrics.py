"""The shipped configurations, run once: Prometheus writes to VictoriaMetrics, which scrapes by itself too."""

import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml
from exposition import SMALL
from web_server import Served, free_port

from collector.metrics import Metrics
from dashboards.web.app import create_app
from deploy.prometheus import rules, slo
from sereno.contract import load_contract
from sereno.store import open_store
from sereno.wire import Result

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
CONFIGURATIONS = (
    "prometheus/prometheus.yml", "victoriametrics/prometheus.yml", "victoriametrics/scrape.yml",
)  # fmt: skip


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_shipped_configuration_is_valid_with_the_rules_beside_it(tmp_path, name):
    config = tmp_path / Path(name).name
    config.write_text((DEPLOY / name).read_text())
    found = slo.objectives(SMALL, {"callmyway": load_contract("callmyway")}, 2_000_000_000_000_000)
    rules.render(tmp_path / "rules", found, 0)
    done = subprocess.run(
        ["promtool", "check", "config", config], capture_output=True, text=True, check=False, timeout=20
    )
    assert done.returncode == 0, done.stdout + done.stderr
    document = yaml.safe_load(config.read_text())
    assert document["scrape_configs"][0]["static_configs"][0]["targets"] == ["collector-1:8080", "collector-2:8080"]
    if "rule_files" in document:
        assert "2 rule files found" in done.stdout


def here(name, folder, ports, **more):
    """A shipped configuration whose targets are ours."""
    document = yaml.safe_load((DEPLOY / name).read_text())
    document["global"]["scrape_interval"] = "1s"
    document["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{port}" for port in ports]}]
    document.update(more)
    path = folder / name.replace("/", "-")
    path.write_text(yaml.safe_dump(document))
    return path


def started(stack, log, *command):
    process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log)
    stack.callback(lambda: process.wait(20))
    stack.callback(process.kill)  # its data is thrown away with the folder
    return process


def query(url, expression):
    address = f"{url}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    with urllib.request.urlopen(address, timeout=5) as answer:
        return [(row["metric"], float(row["value"][1])) for row in json.load(answer)["data"]["result"]]


def until(process, url, expression):
    deadline = time.monotonic() + 30
    while True:
        try:
            if found := query(url, expression):
                return found
        except OSError:
            pass  # not listening yet
        assert time.monotonic() < deadline, expression
        assert process.poll() is None, "it ended"
        time.sleep(0.1)


@pytest.mark.skipif(shutil.which("victoria-metrics") is None, reason="VictoriaMetrics is not installed")
def test_what_a_collector_says_is_kept_by_victoriametrics(tmp_path):
    with ExitStack() as stack:
        store = open_store(tmp_path / "data")
        stack.callback(store.dispose)
        leader, standby = Metrics(store, SMALL), Metrics(store, SMALL, standby=True)
        leader.lead(1)
        result = Result(
            v=1, probe="p1", boot="b", seq=1, at="2026-11-21T10:00:00.000000Z", check="options", outcome="ok",
            sbc="sbc-1", core="core-a", code=200, duration_seconds=0.004,
        )  # fmt: skip
        for _ in range(7):
            leader.observe(result)
        served = [Served(lambda metrics=one: create_app(store, metrics=metrics.scrape)) for one in (leader, standby)]
        for one in served:
            one.start()
            stack.callback(one.stop)
        ports = [one.port for one in served]
        log = stack.enter_context((tmp_path / "log").open("w"))
        url = f"http://127.0.0.1:{free_port()}"
        keeper = started(
            stack, log, "victoria-metrics", f"-storageDataPath={tmp_path / 'vm'}", "-memory.allowedPercent=5",
            f"-httpListenAddr={url.removeprefix('http://')}", "-search.latencyOffset=0s",
            f"-promscrape.config={here('victoriametrics/scrape.yml', tmp_path, ports)}",
        )  # fmt: skip
        told = [{"url": f"{url}/api/v1/write", "queue_config": {"batch_send_deadline": "100ms"}}]
        config = here("victoriametrics/prometheus.yml", tmp_path, ports, remote_write=told, rule_files=[])
        document = yaml.safe_load(config.read_text())
        document["scrape_configs"][0]["job_name"] = "by-remote-write"
        config.write_text(yaml.safe_dump(document))
        writer = started(
            stack, log, "prometheus", f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{free_port()}",
        )  # fmt: skip
        for job in ("sereno", "by-remote-write"):
            ((labels, value),) = until(keeper, url, f'sereno_check_results_total{{job="{job}"}}')
            assert (value, labels["sbc"], labels["outcome"]) == (7, "sbc-1", "ok"), "once: a standby says nothing of it"
            bucket = until(keeper, url, f'sereno_check_duration_seconds_bucket{{job="{job}",le="0.005"}}')
            assert bucket[0][1] == 7
            leads = until(keeper, url, f'sum(sereno_collector_leader{{job="{job}"}})')
            assert leads[0][1] == 1
        assert writer.poll() is None
