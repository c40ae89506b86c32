"""A day of trouble in a minute: brokers that take connections or messages away, damaged rows, broken disks, set clocks.

Real Mosquitto, `sereno collector` and `sereno probe` processes; a library that is loaded before all others sets the
clock and breaks the disk of one of them.
"""

import errno
import mmap
import shutil
import signal
import sqlite3
import struct
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest
from probe_site import SERENO, Peer, Site, seqs, spooled

HERE = Path(__file__).resolve().parent
TOPOLOGY = """
service: trial
cores:
  core-a: {uri: "sip:127.116.2.1"}
sbcs:
  sbc-1: {addresses: ["sip:127.116.1.1:%d;transport=udp"], primary: core-a}
checks:
  edge: {every: 50ms, timeout: 45ms}
probes:
  p1: {network: trial}
"""


@pytest.fixture
def peer():
    found = Peer("127.116.1.1")
    yield found
    found.close()


@pytest.fixture
def make(tmp_path, peer):
    made = []

    def new(topology=TOPOLOGY, **more):
        made.append(Site(tmp_path, topology % peer.port, **more))
        return made[-1]

    yield new
    for site in made:
        site.close()


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    if shutil.which("gcc") is None:
        pytest.skip("no C compiler")
    built = tmp_path_factory.mktemp("trouble") / "trouble.so"
    source = HERE.parent / "support" / "trouble.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-o", str(built), str(source), "-ldl"], check=True)
    return built


class Trouble:
    """What ails one process."""

    def __init__(self, folder, library, part):
        self.path = folder / f"trouble-{part}"
        self.path.write_bytes(bytes(88))
        with self.path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 88)
        self._part = part.encode()
        self.environment = {"LD_PRELOAD": str(library), "TROUBLE": str(self.path)}

    def set(self, seconds=0.0, read=0, write=0):
        self._map[:] = struct.pack("dii72s", seconds, read, write, self._part)


def told(site, name):
    return [line for line in site.log(name).splitlines() if " WARNING " in line or " ERROR " in line]


def everything(site, probe="p1"):
    """Ends the probe: what is in the store and in its spool is all that it measured, once."""
    assert site.end(probe) == 0
    left = [(one["boot"], one["seq"]) for one in spooled(site.spool(probe))]
    found = seqs(site.results(probe))
    for boot, held in found.items():
        here = {seq for other, seq in left if other == boot}
        missing = {seq for a, b in held.missing(1, held.last) for seq in range(a, b + 1)}
        assert missing <= here, (boot, missing)
    assert "Traceback" not in site.log(probe)
    return found


def test_two_probes_of_one_name_slow_down_and_somebody_is_told(make, tmp_path):
    site = make()
    site.start_all()
    site.wait_for(lambda: len(site.results()) >= 5, "the first results")
    site.start("p1", "--data", str(tmp_path / "other"))
    site.wait_for(lambda: site.log("p1").count("it ends every connection within seconds") >= 2, "the word of both", 20)
    assert "does another client use this name?" in site.log("p1")
    site.wait_for(lambda: "probe p1: broker: it ends every connection" in site.log("collector"), "a note in the status")
    before = site.log("p1").count("\n")
    time.sleep(2)
    assert site.log("p1").count("\n") - before <= 4, "not forty lines a second"
    assert len(seqs(site.results("p1"))) == 2, "both are heard, each under its boot"


def test_an_account_that_is_not_the_probes_is_named_in_one_line(make):
    site = make(probes=("p1", "p2"))
    site.start("broker")
    command = [*SERENO, "probe", "--broker", site.url("p2"), "--name", "p1"]
    with site.log_path("p1").open("ab") as log:
        site.started.append(subprocess.Popen(command, stdout=log, stderr=log, env=site.environment("p2")))
    words = "does not let this account speak on sereno/v1/status/p1; the user in --broker must be the probe's name"
    site.wait_for(lambda: words in site.log("p1"), "the reason")
    time.sleep(1)
    assert len(told(site, "p1")) <= 2


def test_a_broker_that_takes_small_messages_only_gets_small_messages(make, peer):
    """A backlog of failures with their SIP messages is larger than many a broker's limit: it was stuck for ever."""
    site = make()
    site.config.write_text(site.config.read_text() + "max_packet_size 20000\n")
    site.start_all()
    site.wait_for(lambda: len(site.results()) >= 5, "the first results")
    site.end("collector")
    peer.mute = True
    site.wait_for(lambda: len(spooled(site.spool("p1"))) >= 60, "a backlog")
    peer.mute = False
    site.start("collector")
    site.wait_for(lambda: len(spooled(site.spool("p1"))) < 10, "the backlog's end", 20)
    everything(site)
    assert told(site, "p1") == []


def test_a_damaged_row_goes_to_quarantine_and_its_neighbours_to_the_store(make):
    """One body that is no JSON spoiled its whole batch, for ever."""
    site = make()
    site.start_all()
    site.wait_for(lambda: len(site.results()) >= 5, "the first results")
    site.end("collector", signal.SIGKILL)
    site.wait_for(lambda: len(spooled(site.spool("p1"))) >= 30, "a backlog")
    site.end("p1", signal.SIGKILL)
    with closing(sqlite3.connect(site.spool("p1"))) as file:
        rows = file.execute("SELECT boot, seq, body FROM results ORDER BY boot, seq").fetchall()
        (boot,) = file.execute("SELECT boot FROM boots WHERE number = ?", rows[0][:1]).fetchone()
        spoiled = {8: lambda body: body[:40] + b"\x00\xff" + body[42:], 15: lambda body: body[:-7], 20: lambda _: b""}
        for place, spoil in spoiled.items():
            number, seq, body = rows[place]
            file.execute("UPDATE results SET body = ? WHERE boot = ? AND seq = ?", (spoil(body), number, seq))
        file.commit()
    site.start("collector")
    site.start("p1")
    site.wait_for(lambda: site.ask("SELECT count(*) FROM quarantine") == 3, "the quarantine")
    site.wait_for(lambda: site.ask("SELECT count(*) FROM results WHERE boot = ? AND seq = ?", boot, rows[-1][1]), "all")
    bad = {rows[place][1] for place in spoiled}
    held = seqs(site.results("p1"))[boot]
    assert {seq for a, b in held.missing(1, held.last) for seq in range(a, b + 1)} == bad
    assert {site.ask("SELECT group_concat(seq) FROM (SELECT seq FROM quarantine ORDER BY seq)")} == {
        ",".join(map(str, sorted(bad)))
    }
    assert sum("is damaged: it goes to quarantine" in line for line in told(site, "p1")) == 3


def test_a_disk_that_fails_and_comes_back_costs_nothing(make, tmp_path, library):
    site = make()
    ill = Trouble(tmp_path, library, "spool.db")
    site.start("broker")
    site.start("collector")
    site.start("p1", environment=ill.environment)
    site.wait_for(lambda: len(site.results()) >= 5, "the first results")
    for ailment in ({"write": errno.EIO}, {"write": errno.EROFS}, {"write": errno.EIO, "read": errno.EIO}):
        site.end("collector", signal.SIGKILL)
        before = site.log("p1").count("on disk again")
        time.sleep(0.3)
        ill.set(**ailment)
        site.wait_for(lambda before=before: len(told(site, "p1")) > 2 * before, "the complaint")
        time.sleep(0.5)
        ill.set()
        site.start("collector")
        site.wait_for(lambda before=before: site.log("p1").count("on disk again") > before, "the disk", 20)
    site.wait_for(lambda: len(spooled(site.spool("p1"))) < 10, "the backlog's end", 20)
    assert len(everything(site)) == 1
    assert {one.outcome for one in site.results("p1")} == {"ok"}
    assert not site.spool("p1").with_name("spool.db.damaged").exists()


def test_a_machine_whose_clock_is_set_back_and_forth_goes_on_judging(make, peer, tmp_path, library):
    """Collector and probe on one machine: half an hour back, then right again; the SBC dies each time."""
    site = make()
    clock = Trouble(tmp_path, library, "nothing")
    site.start("broker")
    site.start("collector", environment=clock.environment)
    site.start("p1", environment=clock.environment)

    def verdict(state):
        site.wait_for(lambda: site.verdicts().get(("sbc", "sbc-1"), ("",))[0] == state, state, 25)

    verdict("up")
    for seconds in (-1_800.0, 0.0):
        clock.set(seconds)
        steps = 1 if seconds else 2
        site.wait_for(lambda steps=steps: site.log("collector").count("wall clock stepped") == steps, "the step")
        back = "collector.link: connected"
        site.wait_for(lambda steps=steps, back=back: site.log("collector").count(back) > steps, "its return")
        verdict("up")
        peer.mute = True
        verdict("down")
        peer.mute = False
        verdict("up")
    assert len(told(site, "collector")) <= 8, "no line for every result"
    for name in ("p1", "collector"):
        assert "Traceback" not in site.log(name)
    assert len(seqs(site.results("p1"))) >= 3
