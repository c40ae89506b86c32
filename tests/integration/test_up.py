"""`sereno up` on real processes, without the lab: it watches addresses where nobody answers."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from sqlalchemy import select

from sereno.instance import read
from sereno.store import open_store
from sereno.store.tables import topologies, verdict_changes

TOPOLOGY = """
service: trial
cores:
  core-a: {uri: "sip:127.32.2.1"}
  core-b: {uri: "sip:127.32.2.2"}
sbcs:
  sbc-1: {addresses: ["sip:127.32.1.1:5060;transport=udp"], primary: core-a, backup: core-b}
checks:
  edge: {every: 200ms, timeout: 150ms}
  options: {every: 200ms, timeout: 150ms}
probes:
  p1: {network: trial}
"""
SERENO = [sys.executable, "-m", "sereno"]
TAKEN_OVER = select(verdict_changes.c.id).where(verdict_changes.c.what == "takeover")


def processes(data):
    """Everything whose command line names this data directory, and what it started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().decode("utf-8", "replace")
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if str(data) in line and state != "Z":
                found.append((int(entry.name), line.replace("\0", " ")))
    return found


class Up:
    def __init__(self, folder):
        self.data = folder / "data"
        self.topology = folder / "topology.yaml"
        self.topology.write_text(TOPOLOGY)
        self.out, self.err = folder / "out", folder / "err"

    def start(self):
        with self.out.open("wb") as out, self.err.open("wb") as err:
            arguments = [*SERENO, "up", "--topology", str(self.topology), "--data", str(self.data)]
            self.process = subprocess.Popen([*arguments, "--http", "127.0.0.1:0"], stdout=out, stderr=err)
        self.wait_for(lambda: "Sereno: http" in self.out.read_text(), "the page's address", alive=True)
        return self

    def wait_for(self, condition, what, seconds=30.0, *, alive=False):
        deadline = time.monotonic() + seconds
        while not condition():
            if alive:
                assert self.process.poll() is None, self.err.read_text()
            assert time.monotonic() < deadline, f"{what} did not come: {self.out.read_text()}{self.err.read_text()}"
            time.sleep(0.03)

    def said(self):
        return read(self.data)

    def query(self, statement):
        store = open_store(self.data)
        with store.read() as connection:
            rows = connection.execute(statement).all()
        store.dispose()
        return rows

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(25)
        self.wait_for(lambda: processes(self.data) == [], "the end of every process", 12)
        return code


@pytest.fixture
def up(tmp_path):
    found = Up(tmp_path)
    yield found
    if found.process.poll() is None:
        found.process.kill()
        found.process.wait()
    found.wait_for(lambda: processes(found.data) == [], "the end of every process", 12)


def test_up_watches_reloads_and_stops_in_order(up):
    up.start()
    said = up.said()
    assert said.pids.keys() == {"supervisor", "broker", "collector", "probe"}
    with urllib.request.urlopen(said.url + "healthz", timeout=5) as answer:
        assert json.load(answer)["collector_alive"] is True
    with urllib.request.urlopen(said.url, timeout=5) as answer:
        assert "trial" in answer.read().decode()
    links = [line for line in up.out.read_text().splitlines() if " administrator: " in line]
    assert len(links) == 1
    with urllib.request.urlopen(links[0].split(" administrator: ")[1].split()[0], timeout=5) as answer:
        assert "primer administrador" in answer.read().decode()
    token = links[0].split("/invite/")[1].split()[0]
    kept = [path for path in up.data.rglob("*") if path.is_file() and token.encode() in path.read_bytes()]
    assert kept == []  # no log, no file
    down = select(verdict_changes.c.state).where(verdict_changes.c.kind == "sbc", verdict_changes.c.what == "verdict")
    up.wait_for(lambda: ("down",) in [tuple(row) for row in up.query(down)], "sbc-1 down")
    if shutil.which("promtool"):
        with urllib.request.urlopen(said.url + "metrics", timeout=5) as answer:
            checked = subprocess.run(
                ["promtool", "check", "metrics"], input=answer.read(), capture_output=True, check=False
            )
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")

    second = subprocess.run(
        [*SERENO, "up", "--topology", str(up.topology), "--data", str(up.data)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 2
    running = f"a Sereno already runs on this data at {said.url}"
    assert second.stderr == f"sereno: {up.data}: {running}; stop it, or choose another --data\n"

    up.topology.write_text(TOPOLOGY.replace("primary: core-a", "primary: core-c"))
    up.process.send_signal(signal.SIGHUP)
    up.wait_for(lambda: "reload refused" in up.err.read_text(), "a refusal")
    assert "core-c" in up.err.read_text()
    assert up.said().pids["collector"] == said.pids["collector"]

    up.topology.write_text(TOPOLOGY.replace("service: trial", "service: other"))
    up.process.send_signal(signal.SIGHUP)
    up.wait_for(lambda: len(up.query(select(topologies.c.id))) == 2, "the new topology in the store")
    renamed = select(verdict_changes.c.state).where(verdict_changes.c.name == "other")
    up.wait_for(lambda: ("down",) in [tuple(row) for row in up.query(renamed)], "a verdict of the new service")
    assert up.query(TAKEN_OVER) == []  # it was the same collector

    assert up.end() == 0
    assert up.said() is None
    assert not (up.data / "instance.json").exists()
    assert up.out.read_text().endswith("Sereno stopped.\n")
    broker = said.ports["broker"]
    assert up.start().said().ports["broker"] == broker  # probes started by hand find it again
    assert up.end() == 0


def test_what_dies_is_started_again_and_kill_9_of_the_supervisor_leaves_nothing(up):
    up.start()
    for name in ("broker", "probe", "collector"):
        before = up.said().pids[name]
        os.kill(before, signal.SIGKILL)
        up.wait_for(lambda name=name, before=before: up.said().pids.get(name, before) != before, f"a new {name}")
    last = (
        select(verdict_changes.c.state).where(verdict_changes.c.kind == "probe").order_by(verdict_changes.c.id.desc())
    )
    up.wait_for(lambda: up.out.read_text().count("(again)") >= 3, "three that are ready again")
    up.wait_for(lambda: up.query(last)[0][0] == "up", "the probe up again")
    assert len(up.query(TAKEN_OVER)) == 1
    up.process.kill()
    up.process.wait()
    up.wait_for(lambda: processes(up.data) == [], "the end of every process", 12)
    assert up.said() is None  # the file is there, its holder is not
    up.start()
    assert up.end() == 0


def test_after_kill_9_it_starts_again_at_once_and_ctrl_c_ends_a_start_half_way(up):
    up.start()
    up.process.kill()
    up.process.wait()
    up.start()  # what the killed one left is still winding up
    assert up.end() == 0
    with up.out.open("wb") as out, up.err.open("wb") as err:
        arguments = [*SERENO, "up", "--topology", str(up.topology), "--data", str(up.data), "--http", "127.0.0.1:0"]
        up.process = subprocess.Popen(arguments, stdout=out, stderr=err)
    up.wait_for(lambda: "✓ broker" in up.out.read_text(), "the broker")
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(25) == 0
    up.wait_for(lambda: processes(up.data) == [], "the end of every process", 12)


def test_when_the_terminal_goes_away_everything_ends_in_order(up):
    arguments = [*SERENO, "up", "--topology", str(up.topology), "--data", str(up.data), "--http", "127.0.0.1:0"]
    with up.err.open("wb") as err:
        up.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=err)
    assert "broker" in up.process.stdout.readline().decode()
    up.process.stdout.close()
    assert up.process.wait(40) == 0
    assert "Traceback" not in up.err.read_text()
    up.wait_for(lambda: processes(up.data) == [], "the end of every process", 12)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["up"], "nothing says what to watch: give --topology FILE, or --lab"),
        (["up", "--topology", "/nowhere.yaml"], "/nowhere.yaml"),
        (["up", "--lab", "--http", "0.0.0.0:8080"], "pages beyond loopback need accounts and TLS"),
        (["up", "--lab", "--http", "8080"], "not HOST:PORT, such as 127.0.0.1:8080"),
        (["up", "--lab", "--http", "127.0.0.1:99999"], "not HOST:PORT"),
        (["up", "--lab", "--desk", "/nowhere.yaml"], "/nowhere.yaml"),
        (["up", "--lab", "--net", "10.0"], "10.0"),
        (["probe", "--broker", "http://x", "--name", "p"], "not a broker's address; write mqtts://USER@HOST:8883"),
        (["probe", "--broker", "mqtt://p@10.0.0.1", "--name", "p"], "use mqtts://"),
        (["probe", "--broker", "mqtts://p:secret@h", "--name", "p"], "SERENO_BROKER_PASSWORD_FILE"),
        (["probe", "--broker", "mqtt://127.0.0.1:99999", "--name", "p"], "write mqtts://USER@HOST:8883"),
        (["probe", "--broker", "mqtt://127.0.0.1", "--name", "../p"], "use letters, digits"),
        (["collector", "--broker", "mqtt://127.0.0.1"], "nothing says what to watch: give --topology FILE"),
        (["collector", "--broker", "mqtt://127.0.0.1", "--database", "sqlite:////nowhere/x.db"], "/nowhere/x.db"),
        (
            ["collector", "--broker", "mqtt://127.0.0.1", "--database", "oracle+none://x"],
            "oracle+none is not supported",
        ),
    ],
)
def test_a_wrong_flag_or_file_is_one_line_and_2(arguments, words, tmp_path):
    environment = os.environ | {"SERENO_DATA": str(tmp_path)}
    done = subprocess.run(
        [*SERENO, *arguments], capture_output=True, text=True, check=False, env=environment, timeout=20
    )
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert "secret@" not in done.stderr
