"""What Prometheus would have scraped of a collector in four situations: our own engine, desk and exposition, fed with
results that were measured nowhere, at a clock of their own.

Prometheus reads the samples as blocks (`promtool tsdb create-blocks-from openmetrics`), each situation as a job. Such
blocks hold no stale markers: what was scraped last is shown for five minutes more, the worst case for a board.
"""

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

from ledger_month import empty_store

from alerting.service import Desk, machine_for
from collector.engine import Engine
from collector.metrics import Metrics
from sereno.alarms import load_alarms
from sereno.clock import SECOND_US, FakeClock, iso, parse_instant
from sereno.contract import load_contract
from sereno.desk import parse_desk
from sereno.store.changes import insert_changes
from sereno.store.tables import topologies
from sereno.topology import canonical_json, parse_topology, topology_hash
from sereno.wire import Lateness, Result, Status

# The first hours of a month in the contract's zone (America/Costa_Rica): what was before is unknown, and not much.
T0 = parse_instant("2026-11-01T06:00:00Z")
MINUTE = 60
STEP = 15  # seconds between scrapes
EVERY = 5  # seconds between checks
FAULT = 8 * MINUTE
DEAD = 9 * MINUTE  # of the collector; three minutes before we look, so that Prometheus still shows old values
END = 12 * MINUTE
NOW = T0 // SECOND_US + END
TOPOLOGY = b"""
service: voz
domain: voz.example
timezone: America/Costa_Rica
cores: {core-a: {uri: "sip:10.0.0.1"}, core-b: {uri: "sip:10.0.0.2"}}
sbcs:
  sbc-1: {addresses: ["sip:192.0.2.1:5060"], primary: core-a, backup: core-b}
  sbc-2: {addresses: ["sip:192.0.2.2:5060"], primary: core-b, backup: core-a}
customers: {acme: {name: Acme, contract: callmyway}}
sites: {hq: {customer: acme, sbcs: [sbc-1, sbc-2]}, uno: {customer: acme, sbcs: [sbc-1], failover: none}}
accounts: {m1: {user: "1", realm: voz.example, password: {env: X}}}
checks:
  edge: {every: 5s, timeout: 900ms}
  options: {every: 5s, timeout: 900ms}
  natural: {every: 5s, timeout: 900ms}
  register: {every: 30s, accounts: [m1]}
  call: {every: 60s, account: m1, to: "sip:600@{core}"}
probes: {p1: {network: isp-1, canaries: ["sip:203.0.113.5"]}, p2: {network: isp-2, canaries: ["sip:203.0.113.5"]}}
"""
DESK = b"contract: callmyway\nchannels: {d: {webhook: 'http://127.0.0.1:1/'}}\npeople: {ana: {channels: [d]}}\n"
SCENARIOS = ("healthy", "core-down", "split-path", "collector-dead")
SBCS, CORES, PROBES = ("sbc-1", "sbc-2"), ("core-a", "core-b"), ("p1", "p2")
GOOD = {"outcome": "ok", "code": 200, "answered_by": "core", "duration_seconds": 0.004}
SILENT = {"outcome": "failed", "reason": "timeout", "answered_by": "none", "duration_seconds": 0.9}
REFUSED = {"outcome": "failed", "reason": "sip_5xx", "code": 503, "answered_by": "sbc", "duration_seconds": 0.003}
STREAM = {
    "codec": "PCMA", "packets": 995, "expected": 1_000, "lost": 5, "discarded": 4, "jitter_mean_seconds": 0.004,
    "mos_lq": 4.25, "mos_cq": 4.15,
}  # fmt: skip
CALL = {
    **GOOD, "setup_seconds": 0.3, "post_dial_delay_seconds": 0.2, "codec": "PCMA",
    "media": {"rx": STREAM, "tx": {**STREAM, "lost": 0, "packets": 1_000, "mos_lq": 4.35, "mos_cq": 4.25}},
    "duration_seconds": 20.0,
}  # fmt: skip


def fault(scenario: str, check: str, sbc: str, core: str | None, second: int) -> dict[str, Any] | None:
    """What a check measured instead of a good answer."""
    if second < FAULT:
        return None
    if scenario == "core-down" and core == "core-a":
        return SILENT
    if scenario == "split-path" and sbc == "sbc-1" and (core == "core-a" or check == "natural"):
        return REFUSED  # it does not fail over: the site that has this SBC alone is without voice
    return None


class World:
    """A collector's insides, without its sockets."""

    def __init__(self, folder: Path, scenario: str) -> None:
        self.scenario = scenario
        self.clock, self.store = FakeClock(T0), empty_store(folder)
        topology, alarms = parse_topology("boards", TOPOLOGY), load_alarms()
        self.hash = topology_hash(topology)
        with self.store.write() as connection:
            stored = {"from_us": T0, "hash": self.hash, "topology": canonical_json(topology)}
            connection.execute(topologies.insert().values(**stored))
        self.metrics = Metrics(self.store, topology, clock=self.clock)
        self.metrics.lead(1)
        self.engine = Engine(topology, {"callmyway": load_contract("callmyway")}, T0, alarms)
        self.desk = Desk(self.store, machine_for(topology, parse_desk("desk.yaml", DESK), None, alarms), self.clock)
        self._seq = 0

    def turn(self, second: int) -> None:
        """Everything that is sent and decided at a second."""
        results = [self._result(second, *one) for one in self._due(second)]
        at_us = T0 + second * SECOND_US
        self.clock.set(at_us + 950_000)  # the last of them has timed out
        sent = [(one, at_us) for one in results]
        changes = [*self.engine.feed_all(sent, self.clock.now_us()), *self.engine.tick(self.clock.now_us())]
        with self.store.write() as connection:
            insert_changes(connection, changes)
        self.metrics.observe_all(results, [at_us] * len(results))
        self.metrics.committed(len(results))
        while self.desk.round()[2]:
            """More is to be read."""

    def _due(self, second: int) -> list[tuple[str, str, str, str | None]]:
        checks: list[tuple[str, tuple[str | None, ...]]] = [("edge", (None,)), ("natural", (None,)), ("options", CORES)]
        checks += [("register", CORES)] if second % 30 == 0 else []
        checks += [("call", CORES)] if second % 60 == 0 else []
        return [
            (probe, check, sbc, core) for probe in PROBES for check, cores in checks for sbc in SBCS for core in cores
        ]

    def _result(self, second: int, probe: str, check: str, sbc: str, core: str | None) -> Result:
        said = CALL if check == "call" else GOOD
        if check == "register":
            said = {**GOOD, "expires_seconds": 120.0}
        if check == "edge":
            said = {**GOOD, "answered_by": "sbc", "duration_seconds": 0.002}
        said = fault(self.scenario, check, sbc, core, second) or said
        more = {"account": "m1"} if check in {"register", "call"} else {}
        self._seq += 1
        at = iso(T0 + second * SECOND_US)
        return Result(v=1, probe=probe, boot="b", seq=self._seq, at=at, check=check, sbc=sbc, core=core, **said, **more)

    def status(self, second: int) -> None:
        for probe in PROBES:
            late = Lateness(
                bounds=(0.001, 0.01),
                counts=(9, 1, 0),
                sum_seconds=0.01,
                p50_seconds=0.001,
                p99_seconds=0.004,
                max_seconds=0.006,
            )
            said = Status(
                v=1, probe=probe, state="online", version="1.0", topology_hash=self.hash, spooled=3, dropped=0,
                clock_offset_seconds=0.002, clock_error_seconds=0.001, meter_dropped=0, cpu_seconds=second * 0.1,
                fired=second, overruns=0, missed=0, stalled_seconds=0.0, doubted={"network": 0}, lateness=late,
                canaries={"sip:203.0.113.5": True},
            )  # fmt: skip
            self.metrics.status(said, current=True)

    def scraped(self, second: int) -> list[tuple[str, str]]:
        """Series and value of each sample, as the exposition has them."""
        self.clock.set(T0 + second * SECOND_US)
        lines = self.metrics.render()[0].decode().splitlines()
        return [tuple(line.rsplit(" ", 1)) for line in lines if line and not line.startswith("#")]  # type: ignore[misc]


def history(folder: Path, scenario: str) -> dict[str, list[tuple[float, str]]]:
    """Every sample by its series, named as Prometheus names it: with job and instance."""
    world = World(folder, scenario)
    found: dict[str, list[tuple[float, str]]] = {}

    def keep(series: str, value: str, at: int) -> None:
        name, _, labels = series.partition("{")
        own = f'job="{scenario}",instance="collector-1:8080"'
        full = f"{name}{{{own},{labels}" if labels else f"{name}{{{own}}}"
        found.setdefault(full, []).append((at, value))

    for second in range(0, END + 1, EVERY):
        alive = scenario != "collector-dead" or second <= DEAD
        at = T0 // SECOND_US + second
        if second % STEP == 0:
            if alive:
                world.status(second)
                for series, value in world.scraped(second):
                    keep(series, value, at)
            keep("up", "1" if alive else "0", at)
            keep("scrape_duration_seconds", "0.004", at)
        if alive:
            world.turn(second)
    world.store.dispose()
    return found


def blocks(folder: Path) -> Path:
    """The histories of all situations as a Prometheus database."""
    families: dict[str, list[str]] = {}
    for scenario in SCENARIOS:
        for series, samples in history(folder / scenario, scenario).items():
            name = series.partition("{")[0]
            families.setdefault(name, []).extend(f"{series} {value} {at}" for at, value in samples)
    text = "".join("\n".join((f"# TYPE {name} unknown", *lines, "")) for name, lines in families.items())
    (folder / "samples.txt").write_text(text + "# EOF\n", encoding="utf-8")
    made = folder / "tsdb"
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", "-q", str(folder / "samples.txt"), str(made)],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return made


class Asked(NamedTuple):
    """One target of a panel, as Grafana would send it."""

    board: str
    panel: str
    ref: str
    expression: str
    instant: bool

    def of(self, scenario: str, **given: str) -> str:
        """With its variables filled in: All, unless given."""
        values = {"job": scenario, "instance": ".+", "sbc": ".+", "core": ".*", "site": ".+", "probe": ".+"} | given
        filled = self.expression
        for name, value in values.items():
            filled = filled.replace(f"${name}", value)
        return filled


def asked(folder: Path) -> list[Asked]:
    """Every target of every board; the intervals as Grafana computes them for a scrape each 15 s."""
    found = []
    for path in sorted(folder.glob("*.json")):
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            least = {"": 60, "1m": 75, "2m": 135}[panel.get("interval", "")]  # max(step + scrape, four scrapes)
            for target in panel.get("targets", ()):
                filled = target["expr"].replace("$__rate_interval", f"{least}s").replace("$__range", f"{END}s")
                found.append(Asked(path.stem, panel["title"], target["refId"], filled, target["instant"]))
    return found


class Prometheus:
    """Debian's Prometheus on a free port; without targets it serves what its folder holds."""

    def __init__(self, folder: Path, data: Path, port: int, targets: tuple[int, ...] = ()) -> None:
        self.url = f"http://127.0.0.1:{port}"
        config = folder / "prometheus.yml"
        listed = ", ".join(f"'127.0.0.1:{one}'" for one in targets)
        config.write_text(
            "global: {scrape_interval: 1s}\n"
            f"scrape_configs: [{{job_name: sereno, static_configs: [{{targets: [{listed}]}}]}}]\n",
            encoding="utf-8",
        )
        self._log = (folder / "prometheus.log").open("w")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={data}",
             f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=100y"],
            stdout=self._log, stderr=self._log,
        )  # fmt: skip

    def ready(self) -> "Prometheus":
        """Itself, once it answers queries."""
        deadline = time.monotonic() + 20
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5):
                    return self
            except OSError:  # not listening yet, or still reading its blocks
                assert time.monotonic() < deadline, "Prometheus did not get ready"
                assert self.process.poll() is None, "Prometheus ended"
                time.sleep(0.05)

    def query(self, expression: str, at: float | None = None) -> dict[tuple[tuple[str, str], ...], float]:
        """Every sample of an instant query, by its labels; AssertionError with Prometheus' words where it refuses."""
        given = {"query": expression} | ({"time": str(at)} if at is not None else {})
        rows = self._ask("query", given)["result"]
        return {
            tuple(sorted((k, v) for k, v in row["metric"].items() if k not in {"job", "__name__"})): float(
                row["value"][1]
            )
            for row in rows
        }

    def ranged(self, expression: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        given = {"query": expression, "start": str(start), "end": str(end), "step": str(step)}
        return list(self._ask("query_range", given)["result"])

    def label_values(self, label: str, match: str, start: float, end: float) -> list[str]:
        """As Grafana asks for label_values(match, label) in a time range."""
        given = urllib.parse.urlencode({"match[]": match, "start": str(start), "end": str(end)})
        with urllib.request.urlopen(f"{self.url}/api/v1/label/{label}/values?{given}", timeout=5) as answer:
            return list(json.load(answer)["data"])

    def _ask(self, path: str, given: dict[str, str]) -> dict[str, Any]:
        body = urllib.parse.urlencode(given).encode()
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}", body, timeout=30) as answer:
                return dict(json.load(answer)["data"])
        except urllib.error.HTTPError as refused:
            raise AssertionError(f"{given['query']}: {refused.read().decode()}") from None

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        self._log.close()


# -- the table of answers ----------------------------------------------------------------------------------------------

ANSWERS = Path(__file__).resolve().parents[1] / "data" / "grafana" / "answers.json"


def answers(prometheus: Prometheus, queries: list[Asked]) -> dict[str, dict[str, dict[str, float]]]:
    """What each target says in each situation; `as healthy` where it says the same."""
    found: dict[str, Any] = {}
    for one in queries:
        said: dict[str, Any] = {}
        for scenario in SCENARIOS:
            rows = prometheus.query(one.of(scenario), NOW)
            said[scenario] = {
                " ".join(f"{name}={value}" for name, value in key if name != "version"): round(value, 4)
                for key, value in sorted(rows.items())
            }
        for scenario in SCENARIOS[1:]:
            if said[scenario] == said["healthy"]:
                said[scenario] = "as healthy"
        found[f"{one.board} / {one.panel} / {one.ref}"] = said
    return found


def _write() -> None:
    """Makes the table anew; read the difference before it is committed."""
    import tempfile

    from web_server import free_port

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prometheus = Prometheus(folder, blocks(folder), free_port())
        try:
            boards = Path(__file__).resolve().parents[2] / "dashboards" / "grafana" / "boards" / "es"
            made = answers(prometheus.ready(), asked(boards))
        finally:
            prometheus.stop()
    ANSWERS.write_text(json.dumps(made, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _write()
