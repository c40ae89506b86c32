"""The exposition is clean for promtool; every query of every board answers rightly on a real Prometheus."""

import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from web_seed import Seed
from web_server import Served, free_port

from collector.metrics import Metrics
from dashboards.web.app import create_app
from sereno.clock import iso
from sereno.store import open_store
from sereno.wire import Result

BOARDS = sorted((Path(__file__).resolve().parents[2] / "dashboards" / "grafana" / "boards" / "es").glob("*.json"))
STREAM = {"packets": 250, "lost": 5, "jitter_mean_seconds": 0.002, "mos_lq": 4.35, "mos_cq": 4.3}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A store in which core-a is down, its metrics served, and a Prometheus that scrapes them every second."""
    folder = tmp_path_factory.mktemp("prometheus")
    store = open_store(folder / "data")
    seed = Seed(store, time.time_ns() // 1_000)
    seed.all_up()
    seed.say("core", "core-a", "down", reason="timeout")
    seed.say("service", "acme-voice", "degraded", reason="redundancy_lost")
    seed.incident()
    metrics = Metrics(store, seed.topology)
    metrics.lead(1)
    served = Served(lambda: create_app(store, metrics=metrics.scrape))
    served.start()
    prometheus = Prometheus(folder, served.port)
    try:
        prometheus.until_scraped()  # a rate needs a first sample of each series before it grows
        feed(metrics, rounds=1, first=1)
        prometheus.until('sum(sereno_check_results_total{check="call"})', 4)
        feed(metrics, rounds=4, first=100)
        prometheus.until('sum(sereno_check_results_total{check="call"})', 20)
        yield prometheus, metrics
    finally:
        prometheus.stop()
        served.stop()
        store.dispose()


def feed(metrics, *, rounds, first):
    """Results as committed: calls and OPTIONS through core-b are well, OPTIONS to core-a time out."""
    seq = first
    for _ in range(rounds):
        for sbc in ("sbc-1", "sbc-2"):
            for core in ("core-a", "core-b"):
                common = {"v": 1, "probe": "lab-1", "boot": "b", "at": iso(time.time_ns() // 1_000)}
                common |= {"sbc": sbc, "core": core}
                failed = {"outcome": "failed", "reason": "timeout", "duration_seconds": 0.9}
                good = {"outcome": "ok", "code": 200, "duration_seconds": 0.004}
                metrics.observe(Result(seq=seq, check="options", **common, **(failed if core == "core-a" else good)))
                media = {"rx": STREAM, "tx": STREAM}
                metrics.observe(
                    Result(
                        seq=seq + 1, check="call", outcome="ok", codec="PCMA", media=media, setup_seconds=0.1, **common
                    )
                )
                metrics.committed(2)
                seq += 2


class Prometheus:
    """Debian's Prometheus on a free port."""

    def __init__(self, folder, target_port):
        self.url = f"http://127.0.0.1:{free_port()}"
        config = folder / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 1s}\n"
            f"scrape_configs: [{{job_name: sereno, static_configs: [{{targets: ['127.0.0.1:{target_port}']}}]}}]\n",
            encoding="utf-8",
        )
        self._log = (folder / "prometheus.log").open("w")
        self._process = subprocess.Popen(
            [
                shutil.which("prometheus") or "/usr/bin/prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address={self.url.removeprefix('http://')}",
            ],
            stdout=self._log,
            stderr=self._log,
        )

    def query(self, expression):
        """Every sample of an instant query, by its labels."""
        address = f"{self.url}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(address, timeout=5) as answer:
            result = json.load(answer)["data"]["result"]
        return {
            tuple(sorted((k, v) for k, v in row["metric"].items() if k not in ("job", "instance", "__name__"))): float(
                row["value"][1]
            )
            for row in result
        }

    def until_scraped(self):
        self._poll(lambda: self.query("up{job='sereno'}") and max(self.query("up{job='sereno'}").values()) == 1)

    def until(self, expression, value):
        self._poll(lambda: value in self.query(expression).values())

    def _poll(self, wanted):
        deadline = time.monotonic() + 20
        while True:
            try:
                if wanted():
                    return
            except OSError:
                pass  # not listening yet
            assert time.monotonic() < deadline, "Prometheus did not get there"
            assert self._process.poll() is None, "Prometheus ended"
            time.sleep(0.05)

    def stop(self):
        self._process.terminate()
        self._process.wait(10)
        self._log.close()


def test_promtool_finds_nothing_to_say(world):
    _prometheus, metrics = world
    body, kind = metrics.render()
    assert kind.startswith("text/plain")
    done = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout + done.stderr == b""


def test_the_shipped_configuration_is_valid():
    config = Path(__file__).resolve().parents[2] / "deploy" / "prometheus" / "prometheus.yml"
    done = subprocess.run(["promtool", "check", "config", str(config)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
