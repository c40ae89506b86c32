"""Debian's Prometheus and Alertmanager tell a real collector, late, frozen and killed: one incident all along."""

import hashlib
import http.server
import signal
import threading
import urllib.request
from pathlib import Path

import pytest
from pair import Site, quiet_port

from sereno.store.desk import incidents
from sereno.store.tables import external_alerts

ALARMS = Path(__file__).resolve().parents[2] / "sereno" / "alarms" / "data" / "alarms.yaml"
TOKEN = "the-token-of-this-alertmanager"
TOPOLOGY = """
service: trial
cores: {core-a: {uri: "sip:127.117.2.1"}}
sbcs: {sbc-1: {addresses: ["sip:127.117.1.1:5060;transport=udp"], primary: core-a}}
checks: {options: {every: 1s, timeout: 900ms}}
probes: {p1: {network: trial}}
"""
DESK = """
contract: callmyway
inbound: {alerts: {gravity: {crash: {urgency: alto, impact: organizacion}}}}
api: {clients: {am: {token: {env: ALERTS_TOKEN_SHA256}, may: [alerts]}}}
"""
PROMETHEUS = """
global: {{scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}}
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{alertmanager}"]}}]}}]}}
rule_files: [rules.yml]
scrape_configs: [{{job_name: pbx, static_configs: [{{targets: ["127.0.0.1:{target}"]}}]}}]
"""
RULES = """
groups:
- name: pbx
  rules:
  - alert: TargetDown
    expr: up == 0
    labels: {severity: crash}
    annotations: {summary: "{{ $labels.job }} no responde", description: "Sin métricas", runbook_url: "https://wiki/pbx"}
"""
ROUTING = """
route: {{receiver: sereno, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers:
- name: sereno
  webhook_configs:
  - url: http://127.0.0.1:{page}/api/v1/alertmanager
    send_resolved: true
    http_config: {{authorization: {{type: Bearer, credentials: {token}}}}}
"""


class Target:
    """Something that Prometheus scrapes."""

    def __init__(self):
        self.port = quiet_port()
        self._server = None

    def up(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_arguments):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}).start()

    def down(self):
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@pytest.fixture
def site(tmp_path):
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    made = Site(tmp_path, topology=TOPOLOGY, desk=DESK, environment={"ALERTS_TOKEN_SHA256": digest})
    head, mark, tail = ALARMS.read_text(encoding="utf-8").partition("  external_alert:")
    tail = tail.replace("kind: external", "kind: external\n    clear: 0s", 1)
    (tmp_path / "alarms.yaml").write_text(head + mark + tail)
    made.pages["a"] = quiet_port()
    yield made
    made.close()


@pytest.fixture
def target():
    made = Target()
    yield made
    made.down()


def watch(site, target):
    """Prometheus and Alertmanager, running."""
    alertmanager, prometheus = quiet_port(), quiet_port()
    (site.folder / "prometheus.yml").write_text(PROMETHEUS.format(alertmanager=alertmanager, target=target.port))
    (site.folder / "rules.yml").write_text(RULES)
    (site.folder / "alertmanager.yml").write_text(ROUTING.format(page=site.pages["a"], token=TOKEN))
    site._start("alertmanager", [
        "/usr/bin/prometheus-alertmanager", f"--config.file={site.folder / 'alertmanager.yml'}",
        f"--storage.path={site.folder / 'am'}", f"--web.listen-address=127.0.0.1:{alertmanager}",
        "--cluster.listen-address=",
    ])  # fmt: skip
    site._start("prometheus", [
        "/usr/bin/prometheus", f"--config.file={site.folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={site.folder / 'tsdb'}", f"--web.listen-address=127.0.0.1:{prometheus}",
    ])  # fmt: skip
    return f"http://127.0.0.1:{alertmanager}/api/v2/alerts"


def records(site):
    with site.store.read() as connection:
        return [one for one in incidents(connection) if one.class_ == "service"]


def rows(site):
    with site.store.read() as connection:
        return [row.status for row in connection.execute(external_alerts.select().order_by(external_alerts.c.id))]


def holds_alert(api):
    try:
        with urllib.request.urlopen(api, timeout=2) as answer:
            return b"TargetDown" in answer.read()
    except OSError:
        return False


def test_late_frozen_and_killed_it_is_one_incident(site, target):
    site.start_broker()
    api = watch(site, target)
    site.wait_for(lambda: holds_alert(api), "the alert")  # and nobody listens: it tries again
    site.start_collector("a")
    (record,) = site.wait_for(lambda: records(site), "the incident")
    assert (record.cause.kind, record.cause.name, record.priority) == ("external", "TargetDown", "Urgente")
    assert record.title == "Alerta TargetDown: pbx no responde"
    assert "https://wiki/pbx" in record.evidence
    site.signal("a", signal.SIGSTOP)  # it hangs while the alert ends
    target.up()
    site.wait_for(lambda: not holds_alert(api), "its end at Alertmanager")
    site.kill("a")
    site.start_collector("a")
    site.wait_for(lambda: records(site)[0].state == "resolved", "the end of the incident")
    target.down()
    again = site.wait_for(lambda: [one for one in records(site) if one.state == "reopened"], "its return")
    assert [one.number for one in again] == [record.number]
    assert len(records(site)) == 1
    assert rows(site) == ["firing", "resolved", "firing"]
    assert TOKEN not in site.log("a")
