"""The lab's coming and going: nothing stays behind, whoever dies; what is in the way is named."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from deploy.lab import Lab, LabError
from deploy.lab.plan import USERS
from deploy.lab.ports import check_free
from deploy.lab.process import marked
from sereno.desk import load_desk
from sereno.topology import load_topology
from tests.conftest import free_net
from tests.integration.test_lab_faults import all_is_well, natural, register
from tests.lab_phone import DOMAIN

pytestmark = pytest.mark.lab
PYTHON = sys.executable
LOUD = re.compile(r"WARNING|ERROR|CRITICAL|ALERT|BUG|Assert|Traceback", re.IGNORECASE)


@pytest.fixture
def own():
    """A lab of this test alone, down at first; whatever is left of it is taken away."""
    with tempfile.TemporaryDirectory(prefix="sereno-lab-") as folder:
        net = free_net()
        lab = Lab(net, Path(folder) / net)
        yield lab
        lab.down()


def until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not come about"
        time.sleep(0.02)


def left(lab):
    """Whatever is still there of a lab: processes, files."""
    return marked(f"{lab.state_dir}:"), sorted(lab.state_dir.parent.iterdir())


def sockets_are_free(lab):
    """A process that is dying has no environment any more, but its sockets still: a moment's patience."""
    check_free(lab.plan, patience_seconds=1)


def test_up_proves_down_leaves_nothing(own):
    said = []
    status = own.up(said.append)
    assert status["ready"]
    assert {one["state"] for one in status["components"].values()} == {"running"}
    assert said[-1] == "ready: 12 ways asked, all answered"
    all_is_well(own)
    assert own.up() == status, "a second up finds it up"
    assert own.down() is True
    assert left(own) == ([], [])
    sockets_are_free(own)
    assert own.down() is False
    assert own.status() == {"net": own.net, "up": False, "ready": False, "components": {}, "faults": [], "media": []}


def test_down_takes_the_frozen_and_the_broken_too(own):
    own.up()
    for what in ("core-a:freeze", "sbc-1:freeze", "core-b", "sbc-2:drop"):
        own.break_(what)
    own.down()
    assert left(own) == ([], [])
    sockets_are_free(own)


@pytest.mark.parametrize("frozen", [False, True])
def test_a_killed_supervisor_leaves_no_process(own, frozen):
    status = own.up()
    if frozen:
        own.break_("core-b:freeze")
    assert len(marked(f"{own.state_dir}:")) > 20
    os.kill(status["supervisor"], signal.SIGKILL)
    until(lambda: not marked(f"{own.state_dir}:"))
    sockets_are_free(own)
    assert not own.is_up()
    assert own.up()["ready"], "and the next one starts over what it left"
    own.down()
    assert left(own) == ([], [])


def test_supervisor_and_reaper_killed_together_are_cleaned_at_the_next_up(own):
    status = own.up()
    children = Path(f"/proc/{status['supervisor']}/task/{status['supervisor']}/children").read_text().split()
    reaper = next(int(pid) for pid in children if b"sereno-lab-reaper" in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(reaper, signal.SIGKILL)
    os.kill(status["supervisor"], signal.SIGKILL)
    until(lambda: not own.is_up())
    assert own.up()["ready"]
    own.down()
    assert left(own) == ([], [])


def test_in_the_foreground_it_dies_with_its_parent(own):
    """As `sereno up --lab` holds it: the parent is killed, and nothing is left."""
    words = [PYTHON, "-m", "deploy.lab", "--net", own.net, "--state", str(own.state_dir)]
    child = f"import subprocess, time; subprocess.Popen({words!r}); time.sleep(60)"
    with subprocess.Popen([PYTHON, "-c", child], stdout=subprocess.DEVNULL) as parent:
        until(lambda: own.status()["ready"], 20)
        parent.kill()
    until(lambda: left(own)[0] == [])
    until(lambda: not own.state_dir.exists())
    sockets_are_free(own)


def test_what_died_by_itself_is_dead_until_healed(own):
    pid = own.up()["components"]["sbc-2"]["pid"]
    os.killpg(pid, signal.SIGKILL)
    until(lambda: own.status()["components"]["sbc-2"]["state"] == "dead")
    assert own.status()["faults"] == []
    own.heal("sbc-2")
    assert own.status()["components"]["sbc-2"]["state"] == "running"
    all_is_well(own)


def test_two_labs_live_side_by_side(lab, own):
    own.up()
    assert own.net != lab.net
    own.break_("core-a:freeze")
    all_is_well(lab)
    lab.break_("sbc-1")
    own.heal()
    all_is_well(own)


def test_an_address_in_use_is_named_with_its_owner(own):
    taken = own.plan.sockets()[0]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(taken)
        with pytest.raises(LabError) as error:
            own.up()
    owner = Path("/proc/self/comm").read_text().strip()
    assert str(error.value) == (
        f"lab: {taken[0]}:5060 (UDP) is taken by {owner} (pid {os.getpid()}) (Address already in use); "
        "stop that, or take another net with --net 127.N"
    )
    assert left(own)[0] == []


def test_a_component_that_cannot_start_is_named_with_its_log(own, monkeypatch, tmp_path):
    """A Kamailio that dies at once, found first in PATH."""
    fake = tmp_path / "kamailio"
    fake.write_text("#!/bin/sh\necho no\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(LabError, match=rf"core-a died by itself; see {own.state_dir}/log/core-a.log"):
        own.up()
    assert marked(f"{own.state_dir}:") == []
    assert (own.state_dir / "log" / "core-a.log").read_text() == "no\n", "the log stays to be read"


def test_files_are_rendered_for_the_net_and_secrets_are_the_owners(lab):
    topology = load_topology(lab.topology_path)
    assert topology.domain == DOMAIN
    assert [path.name for path in topology.paths()] == ["sbc-1/core-a", "sbc-1/core-b", "sbc-2/core-b", "sbc-2/core-a"]
    assert topology.cores["core-b"].uri == f"sip:{lab.net}.2.2:5060"
    assert load_desk(lab.desk_path).contract == "wekall"
    files = [path for path in lab.state_dir.rglob("*") if path.is_file() and path.parent.name != "log"]
    assert len(files) == 12 + len(USERS) - 2
    for path in files:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(lab.state_dir.stat().st_mode) == 0o700
    words = {topology.accounts[name].password.file for name in topology.accounts}
    assert len({Path(word).read_text() for word in words}) == len(USERS)


def test_commands_and_their_exit_status(own, tmp_path):
    environment = os.environ | {"SERENO_LAB_STATE": str(own.state_dir.parent)}

    def lab(*words):
        run = subprocess.run(
            [PYTHON, "-m", "sereno", "lab", *words, "--net", own.net, "--json"],
            capture_output=True, text=True, check=False, env=environment, cwd=tmp_path, timeout=60,
        )  # fmt: skip
        return run.returncode, (json.loads(run.stdout) if run.stdout else None), run.stderr

    assert lab("status")[:2] == (1, own.status())
    assert lab("break", "core-a")[0] == 2
    code, up, progress = lab("up")
    assert (code, up["ready"]) == (0, True)
    assert progress.count("\n") == 5
    code, done, _ = lab("break", "sbc-2:slow=2s")
    assert (code, set(done), done["what"]) == (0, {"what", "at"}, "sbc-2:slow=2s")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", done["at"])
    assert lab("status")[1]["faults"] == [{"what": "sbc-2:slow=2000ms", "at": done["at"]}]
    code, _, error = lab("break", "core-c")
    assert code == 2
    assert error.startswith("sereno: lab: cannot break 'core-c'; can be broken: core-a core-b sbc-1 sbc-2 (killed)")
    assert error.count("\n") == 1
    code, healed, _ = lab("heal")
    assert (code, set(healed)) == (0, {"what", "at", "ready"})
    assert lab("down")[:2] == (0, {"net": own.net, "was_up": True})


def test_no_component_complains(own):
    """After a life with every kind of fault, the logs hold no warning."""
    own.up()
    for what in ("core-a", "sbc-1", "core-b:freeze", "sbc-2:freeze"):
        own.break_(what)
        own.heal()
    for what in ("sbc-1:503", "sbc-1/core-a:503", "sbc-2:drop", "sbc-1:slow=200ms", "core-a:nodb", "sbc-2:nofailover"):
        own.break_(what)
        for sbc in ("sbc-1", "sbc-2"):
            register(own, sbc, "core-a")
            natural(own, sbc)
    own.heal()
    all_is_well(own)
    assert register(own, "sbc-1", None) == (200, "core-a")
    for log in (own.state_dir / "log").iterdir():
        loud = [line for line in log.read_text(errors="replace").splitlines() if LOUD.search(line)]
        assert loud == [], log
