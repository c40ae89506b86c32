"""A probe as an operator starts it: a broker's URL and a name, nothing else; over TLS, through what goes wrong.

Real Mosquitto, `sereno collector` and `sereno probe` processes.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from probe_site import Peer, Site, certificates, quiet_port, seqs, spooled

from sereno.mqtt import CA_ENV, PASSWORD_ENV, PASSWORD_FILE_ENV
from sereno.topology import load_topology, topology_hash
from sereno.version import __version__

NET = "127.85"
TOPOLOGY = """
service: trial
cores:
  core-a: {uri: "sip:127.85.2.1"}
sbcs:
  sbc-1: {addresses: ["sip:127.85.1.1:%d;transport=udp"], primary: core-a}
checks:
  edge: {every: 100ms, timeout: 90ms}
probes:
  p1: {network: trial}
"""


@pytest.fixture
def peer():
    found = Peer()
    yield found
    found.close()


@pytest.fixture
def make(tmp_path, peer):
    made = []

    def new(topology=TOPOLOGY, **more):
        made.append(Site(tmp_path, topology % peer.port if "%d" in topology else topology, **more))
        return made[-1]

    yield new
    for site in made:
        site.close()


def test_a_probe_needs_a_broker_a_name_and_its_secrets_only_over_tls_with_an_account(make):
    site = make(tls=True)
    site.start_all()
    site.wait_for(lambda: len(site.results("p1")) >= 20, "results over TLS")
    wanted = topology_hash(load_topology(site.topology))
    status = site.wait_for(
        lambda: next((one for one in site.statuses("p1") if one.topology_hash == wanted), None), "the version in use"
    )
    assert status.version == __version__
    site.wait_for(lambda: 'sereno_probe_clock_offset_seconds{probe="p1"}' in site.metrics(), "the clock offset", 15)
    told = site.metrics()
    assert told['sereno_probe_topology_current{probe="p1"}'] == 1.0
    error = told['sereno_probe_clock_error_seconds{probe="p1"}']
    assert abs(told['sereno_probe_clock_offset_seconds{probe="p1"}']) <= error + 0.001, "one machine, one clock"
    assert error < 5
    assert told[f'sereno_probe_info{{probe="p1",version="{__version__}"}}'] == 1.0
    assert told['sereno_probe_cpu_seconds_total{probe="p1"}'] > 0
    assert told['sereno_spool_dropped_results_total{probe="p1"}'] == 0
    assert sorted(path.name for path in site.spool("p1").parent.iterdir() if "spool.db" not in path.name) == [
        "lock", "topology.json",
    ]  # fmt: skip
    assert site.end("p1") == 0
    assert site.log("p1").count("WARNING") == 0
    site.wait_for(lambda: site.statuses("p1")[-1].state == "offline", "its word that it goes")


def test_a_probe_that_cannot_get_in_says_why_in_one_line_and_gets_in_when_it_is_mended(make, tmp_path):
    site = make(tls=True)
    other, _, _ = certificates(tmp_path / "other")
    secret = Path(site.environment("p1")[PASSWORD_FILE_ENV]).read_text().strip()
    site.start("broker")
    cases = {
        "account": ({PASSWORD_FILE_ENV: str(tmp_path / "wrong")}, None, "it refuses the account"),
        "authority": ({CA_ENV: str(other)}, None, "its certificate is not trusted"),
        "plain": ({}, f"mqtt://p1@127.0.0.1:{site.port}", "no broker's answer in time"),
        "nobody": ({}, f"mqtts://p1@localhost:{quiet_port()}", "nobody listens there"),
        "noname": ({}, "mqtts://p1@broker.invalid", "there is no such host"),
        "nohost": ({}, f"mqtts://p1@127.0.0.1:{site.port}", "its certificate is not trusted (IP address mismatch"),
    }
    (tmp_path / "wrong").write_text("guess\n")
    running = {}
    for name, (environment, url, _) in cases.items():
        command = ["--broker", url or site.url("p1"), "--data", str(tmp_path / f"data-{name}")]
        site.start("p1", *command, environment=environment)
        running[name] = (site.processes.pop("p1"), tmp_path / f"{name}.log")
        site.log_path("p1").rename(running[name][1])
    site.wait_for(lambda: all("WARNING" in log.read_text() for _, log in running.values()), "a line of each")
    time.sleep(2)  # several attempts of each: no more lines come of them
    for name, (process, log) in running.items():
        assert process.poll() is None, log.read_text()
        process.terminate()
        assert process.wait(10) == 0
        lines = [line for line in log.read_text().splitlines() if "WARNING" in line]
        assert len(lines) == 1, log.read_text()
        assert cases[name][2] in lines[0]
        assert "guess" not in log.read_text()
        assert secret not in log.read_text()
        assert "Traceback" not in log.read_text()
    site.end("broker")
    site.start("p1")
    site.wait_for(lambda: "nobody listens" in site.log("p1"), "the complaint")
    site.start("broker")
    site.wait_for(lambda: "connected to mqtts://localhost" in site.log("p1"), "the connection")


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["--broker", "broker", "--name", "p1"], {}, "not a broker's address"),
        (["--broker", "mqtt://bog-1@broker.example", "--name", "p1"], {}, "results would travel in the clear"),
        (["--broker", "mqtt://p1@127.0.0.1.evil.example", "--name", "p1"], {}, "results would travel in the clear"),
        (["--broker", "mqtts://p1:secret@broker.example", "--name", "p1"], {}, "a password in the URL"),
        (["--broker", "mqtts://p1@broker.example:99999", "--name", "p1"], {}, "Port out of range"),
        (["--broker", "mqtts://p1@broker.example", "--name", "p/1"], {}, "--name 'p/1'"),
        (["--broker", "mqtts://p1@b", "--name", "p1"], {PASSWORD_FILE_ENV: "/nowhere"}, "/nowhere: No such file"),
        (["--broker", "mqtts://p1@b", "--name", "p1"], {CA_ENV: "/nowhere"}, "/nowhere: No such file"),
        (["--broker", "mqtts://p1@b", "--name", "p1"], {CA_ENV: "/etc/hostname"}, "no certificate in it"),
    ],
)
def test_what_can_never_work_is_one_line_and_status_2(tmp_path, arguments, environment, words):
    everything = {**os.environ, PASSWORD_ENV: "s3cret", **environment}
    done = subprocess.run(
        [sys.executable, "-m", "sereno", "probe", *arguments, "--data", str(tmp_path)],
        capture_output=True, text=True, timeout=30, check=False, env=everything,
    )  # fmt: skip
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "s3cret" not in done.stderr
    assert ":secret" not in done.stderr


def test_a_stopped_broker_and_a_killed_one_lose_nothing(make):
    site = make()
    site.start_all()
    site.wait_for(lambda: len(site.results()) >= 20, "the first results")
    site.send("broker", signal.SIGSTOP)
    before = len(spooled(site.spool("p1")))
    site.wait_for(lambda: len(spooled(site.spool("p1"))) > before + 15, "a spool that grows")
    site.send("broker", signal.SIGCONT)
    site.wait_for(lambda: len(spooled(site.spool("p1"))) < 10, "the backlog's end", 25)
    site.end("broker", signal.SIGKILL)
    site.wait_for(lambda: len(spooled(site.spool("p1"))) > 15, "a spool that grows")
    site.start("broker")
    site.wait_for(lambda: len(spooled(site.spool("p1"))) < 10, "the backlog's end", 25)
    assert site.end("p1") == 0
    left = {(one["boot"], one["seq"]) for one in spooled(site.spool("p1"))}
    found = site.results("p1")
    (held,) = seqs(found).values()
    missing = {(found[0].boot, seq) for a, b in held.missing(1, held.last) for seq in range(a, b + 1)}
    assert missing <= left
    assert {one.outcome for one in found} == {"ok"}


def test_a_stopped_probe_calls_nobody_down(make, peer):
    """SIGSTOP for two seconds, with the SBC mute meanwhile and well again before the probe is: its own fault."""
    site = make()
    site.start_all()
    site.wait_for(lambda: len(site.results()) >= 20, "the first results")
    for _ in range(2):
        peer.mute = True
        site.send("p1", signal.SIGSTOP)
        time.sleep(1.5)
        peer.mute = False
        site.send("p1", signal.SIGCONT)
        count = len(site.results())
        site.wait_for(lambda count=count: len(site.results()) > count + 10, "results afterwards")
    found = site.results("p1")
    invalid = [one for one in found if one.outcome == "invalid"]
    assert {one.reason for one in invalid} <= {"probe_fault"}
    assert all("did not run" in one.evidence["error"] for one in invalid)
    # between `mute` and SIGSTOP, and from SIGCONT on, the probe ran: what fails then is no fault of its own
    assert sum(one.outcome == "failed" for one in found) <= 2
    site.wait_for(lambda: site.metrics().get('sereno_probe_stalled_seconds_total{probe="p1"}', 0) > 2, "its word", 15)
    assert site.metrics()['sereno_probe_missed_turns_total{probe="p1"}'] >= 20
