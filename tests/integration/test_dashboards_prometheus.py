"""A live scrape: the exposition is clean for promtool, boards say what the store says, and a collector's death is seen.

Every query of every board is judged in tests/integration/test_dashboards_queries.py.
"""

import subprocess
import time
from pathlib import Path

import pytest
from board_worlds import Prometheus
from web_seed import Seed
from web_server import Served, free_port

from collector.metrics import Metrics
from dashboards.grafana.queries import state, watching
from dashboards.web.app import create_app
from sereno.clock import iso
from sereno.store import open_store
from sereno.wire import Result

STREAM = {"packets": 250, "lost": 5, "jitter_mean_seconds": 0.002, "mos_lq": 4.35, "mos_cq": 4.3}


@pytest.fixture
def collector(tmp_path):
    """A store in which core-a is down, and what a collector exports of it."""
    store = open_store(tmp_path / "data")
    seed = Seed(store, time.time_ns() // 1_000)
    seed.all_up()
    seed.say("core", "core-a", "down", reason="timeout")
    seed.incident()
    made = Metrics(store, seed.topology)
    made.lead(1)
    common = {"v": 1, "probe": "lab-1", "boot": "b", "at": iso(time.time_ns() // 1_000), "sbc": "sbc-1"}
    media = {"rx": STREAM, "tx": STREAM}
    call = {"check": "call", "core": "core-b", "outcome": "ok", "codec": "PCMA", "media": media, "setup_seconds": 0.1}
    failed = {"check": "options", "core": "core-a", "outcome": "failed", "reason": "timeout"}
    made.observe(Result(seq=1, **common, **call))
    made.observe(Result(seq=2, **common, **failed, duration_seconds=0.9))
    yield store, made
    store.dispose()


def filled(expression):
    return expression.replace("$job", "sereno").replace("$instance", ".+").replace("$__range", "5m")


def test_a_collector_that_dies_is_seen_at_the_next_scrape(tmp_path, collector):
    store, metrics = collector
    served = Served(lambda: create_app(store, metrics=metrics.scrape))
    served.start()
    prometheus = Prometheus(tmp_path, tmp_path / "tsdb", free_port(), (served.port,)).ready()
    watch, cores = filled(watching()), filled(state("core"))
    try:
        until(lambda: prometheus.query(watch) == {(): 1.0})
        assert prometheus.query(cores) == {(("element", "core-a"),): 4.0, (("element", "core-b"),): 0.0}
        served.stop()
        until(lambda: prometheus.query(watch) == {(): 0.0})
        assert set(prometheus.query(cores).values()) == {3.0}  # unknown, long before any old value is forgotten
    finally:
        prometheus.stop()
        served.stop()


def until(wanted):
    deadline = time.monotonic() + 20
    while not wanted():
        assert time.monotonic() < deadline, "Prometheus did not get there"
        time.sleep(0.1)


def test_promtool_finds_nothing_to_say(collector):
    body, kind = collector[1].render()
    assert kind.startswith("text/plain")
    done = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout + done.stderr == b""


def test_the_shipped_configuration_is_valid():
    config = Path(__file__).resolve().parents[2] / "deploy" / "prometheus" / "prometheus.yml"
    done = subprocess.run(["promtool", "check", "config", str(config)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
