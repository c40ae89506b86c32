"""`sereno rtp watch` as a person or a script meets it, on real sockets."""

import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from probes.media.errors import CaptureUnavailable
from probes.media.helper import PROGRAM
from probes.media.live import LiveMeter

ROOT = Path(__file__).parents[2]
WATCH = [sys.executable, "-m", "sereno", "rtp", "watch"]
NOBODY = 65534


@pytest.fixture(scope="module", autouse=True)
def _may_capture():
    try:
        with LiveMeter(ports=(9, 9)):
            pass
    except CaptureUnavailable as error:
        pytest.skip(str(error))


def _neighbours():
    """Four sockets on ports in a row: whoever captures on them sees nobody else's packets."""
    for low in range(21_000, 32_000, 4):
        ends = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(4)]
        try:
            for number, end in enumerate(ends):
                end.bind((f"127.30.1.{1 + number % 2}", low + number))
        except OSError:
            for end in ends:
                end.close()
        else:
            return ends
    raise RuntimeError("no four free ports in a row")


class Talker:
    """Streams of 100 packets a second on loopback until stopped; of `lossy` every tenth packet is not sent."""

    def __init__(self):
        self.ends = _neighbours()
        self.ends[0].connect(self.ends[1].getsockname())
        self.ends[2].connect(self.ends[3].getsockname())
        ports = [end.getsockname()[1] for end in self.ends]
        self.ports = f"{min(ports)}-{max(ports)}"
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._talk)

    def _talk(self):
        for i in range(100_000):
            for ssrc, end in ((1, self.ends[0]), (2, self.ends[2])):
                if ssrc == 1 or i % 10:
                    end.send(struct.pack("!BBHII", 0x80, 8, i & 0xFFFF, i * 80 & 0xFFFFFFFF, ssrc) + bytes(80))
            if self.over.wait(0.01):
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        for end in self.ends:
            end.close()


@pytest.fixture
def talker():
    with Talker() as one:
        yield one


def mine(streams):
    return {s["ssrc"]: s for s in streams if s["src"].startswith("127.30.1.")}


def test_json_is_a_line_a_second_and_seconds_end_it(talker):
    command = [*WATCH, "--interface", "lo", "--ports", talker.ports, "--json", "--seconds", "2.5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 3
    for line in lines:
        assert list(line) == ["at", "interface", "streams", "sensor_dropped", "error"]
        assert (line["interface"], line["sensor_dropped"], line["error"]) == ("lo", 0, None)
    assert lines[0]["at"] < lines[1]["at"] < lines[2]["at"]
    whole, lossy = (mine(lines[-1]["streams"])[f"0x0000000{ssrc}"] for ssrc in (1, 2))
    assert (whole["codec"], whole["lost"], whole["lost_at_most"], whole["sensor_dropped"]) == ("PCMA", 0, 0, 0)
    assert lossy["loss_ratio"] == pytest.approx(0.1, abs=0.02)
    assert lossy["recent_loss_ratio"] == pytest.approx(lossy["loss_ratio"], abs=0.001)
    # Not 4.41 exactly: a busy machine sends unevenly, and what a de-jitter buffer would discard is rated too.
    assert lossy["recent_mos_lq"] < whole["recent_mos_lq"] <= 4.4095
    assert [s["ssrc"] for s in lines[-1]["streams"]].index("0x00000002") == 0  # worst first
    assert whole["packets_per_second"] > mine(lines[0]["streams"])["0x00000001"]["packets_per_second"] * 0.5
    assert "seconds" not in whole
    assert whole["ended"] is False


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_last_words(talker, told):
    command = [*WATCH, "-i", "lo", "--ports", talker.ports]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
        first = watching.stderr.readline()
        time.sleep(1.2)
        watching.send_signal(told)
        try:
            out, errors = watching.communicate(timeout=10)
        finally:
            watching.kill()
    assert "not a terminal: one table at the end" in first
    assert (watching.returncode, errors) == (0, "")
    title, head, *rows, last = out.splitlines()
    assert title.startswith("lo · ")
    assert head.split()[:2] == ["From", "To"]
    assert any("0x00000002" in row for row in rows)
    assert re.fullmatch(r"\d+ streams, [\d,]+ packets, [\d,]+ lost, 0 missed by the sensor, in \d+ s", last)


def test_on_a_terminal_it_is_drawn_again_until_control_c(talker):
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "20"}
    # A session of its own, whose terminal this is: so that the key, not a signal of ours, ends it.
    command = ["setsid", "--ctty", *WATCH, "-i", "lo", "--ports", talker.ports]
    with subprocess.Popen(command, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as watching:
        os.close(theirs)
        shown, begun, pressed = "", time.monotonic(), False
        while watching.poll() is None and time.monotonic() < begun + 20:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    shown += os.read(ours, 65536).decode()
                except OSError:  # the other end is closed
                    break
            if not pressed and shown.count("127.30.1.1") >= 4:
                os.write(ours, b"\x03")
                pressed = True
        try:
            assert watching.wait(10) == 0
        finally:
            watching.kill()
    os.close(ours)
    assert pressed
    assert "Traceback" not in shown
    words = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert len(re.findall(r"lo · \d+ streams", words)) >= 3
    assert "missed by the sensor" in words.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-i", "nosuch0"], "capture on nosuch0: no interface has this name: there are "),
        (["-i", "x" * 40], "no interface has this name"),
        (["-i", "lo", "--ports", "20-10"], "--ports '20-10' is not a port range: write A-B"),
        (["-i", "lo", "--map", "96=opus"], "--map 96=opus: not PT=CODEC/CLOCK: write it like 96=opus/48000"),
        (["-i", "lo", "--seconds", "0"], "Invalid value for '--seconds'"),
        ([], "Missing option '--interface'"),
    ],
)
def test_what_cannot_be_watched_is_one_line_and_status_2(words, message):
    done = subprocess.run([*WATCH, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert message in done.stderr


def test_an_interface_that_is_down_is_named_with_its_mend():
    command = ["unshare", "--net", *WATCH, "-i", "lo"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if "unshare failed" in done.stderr:
        pytest.skip("network namespaces cannot be made here")
    line = "sereno: interface lo is down: bring it up with sudo ip link set lo up\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)


def test_without_the_privilege_one_line_says_what_to_do():
    command = ["setpriv", "--reuid", str(NOBODY), "--clear-groups", *WATCH, "-i", "lo"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if "setpriv" in done.stderr or "Permission denied" in done.stderr:
        pytest.skip("nobody may not run this checkout")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "sereno: capture on lo: capturing needs CAP_NET_RAW: "
        f"run as root, or once: sudo setcap cap_net_raw+ep {PROGRAM.resolve()}\n"
    )


def test_the_mend_works_for_a_user_without_any_privilege(tmp_path, talker):
    """The helper has the capability as a file; nobody watches."""
    folder = Path("/var/tmp") / f"sereno-{os.getpid()}"  # noqa: S108 - where a capability of a file counts
    folder.mkdir(mode=0o755)
    try:
        allowed = Path(shutil.copy(PROGRAM, folder / "capture-helper"))
        if (
            shutil.which("setcap") is None
            or subprocess.run(["setcap", "cap_net_raw+ep", allowed], check=False).returncode
        ):
            pytest.skip("setcap cannot be used here")
        low, high = talker.ports.split("-")
        code = (
            "import os, sys, time\nfrom probes.media.live import LiveMeter\n"
            f"with LiveMeter(({low}, {high}), helper=sys.argv[1]) as meter:\n"
            "    time.sleep(0.5)\n    print(os.getuid(), len(meter.snapshot()), meter.error)\n"
        )
        command = ["setpriv", "--reuid", str(NOBODY), "--clear-groups", sys.executable, "-c", code, str(allowed)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if "Permission denied" in done.stderr:
            pytest.skip("nobody may not run this checkout")
        assert (done.stdout, done.stderr) == (f"{NOBODY} 2 None\n", "")
    finally:
        shutil.rmtree(folder)
