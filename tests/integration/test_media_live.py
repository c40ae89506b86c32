"""The live meter on loopback: what it counts is what was sent."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from probes.media.errors import CaptureUnavailable
from probes.media.live import LiveMeter
from probes.media.payload import announced
from probes.media.report import stream_fields
from tests.media_captures import START_NS, Rtp

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def _may_capture():
    try:
        LiveMeter(ports=(9, 9)).close()
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0).close()
    except PermissionError:
        pytest.skip("capturing needs CAP_NET_RAW")


@pytest.fixture
def pair():
    """Two UDP sockets on loopback ports of the kernel's choice."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as a, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as b:
        a.bind(("127.77.0.1", 0))
        b.bind(("127.77.0.2", 0))
        b.connect(a.getsockname())
        yield a, b


def until(condition, seconds=5.0):
    """Poll until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.01)


def _payload(i, **fields):
    return Rtp(START_NS, i, i * 160, **fields).payload()


def _packets(meter):
    return int(meter.snapshot()["packets"].sum())


def test_counts_match_what_was_sent(pair):
    a, b = pair
    port = a.getsockname()[1]
    with LiveMeter(ports=(port, port)) as meter:
        begin = time.time_ns()
        for i in range(65_500, 65_500 + 2000):
            if i % 100 not in {7, 8}:
                b.send(_payload(i))
        until(lambda: _packets(meter) == 1960)
        end = time.time_ns()
        (row,) = meter.snapshot()
        fields = stream_fields(row, meter.names)
        assert meter.dropped == 0
        assert meter.error is None
    assert fields["src"] == "{}:{}".format(*b.getsockname())
    assert fields["dst"] == "{}:{}".format(*a.getsockname())
    assert (fields["packets"], fields["expected"], fields["lost"], fields["duplicates"]) == (1960, 2000, 40, 0)
    assert fields["loss_run_max"] == 2
    assert begin <= row["start_ns"] <= row["end_ns"] <= end  # kernel time stamps


def test_both_directions_and_only_the_ports_asked_for(pair):
    a, b = pair
    low = min(a.getsockname()[1], b.getsockname()[1])
    with LiveMeter(ports=(low, low)) as meter, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        for i in range(20):
            b.send(_payload(i, ssrc=1))
            a.sendto(_payload(i, ssrc=2), b.getsockname())
            other.sendto(_payload(i, ssrc=3), ("127.77.0.1", 9))
        until(lambda: _packets(meter) == 40)
        assert sorted(meter.snapshot()["ssrc"].tolist()) == [1, 2]


def test_forgotten_streams_are_gone_and_may_come_again(pair):
    a, b = pair
    with LiveMeter(ports=(a.getsockname()[1],) * 2) as meter:
        for i in range(10):
            b.send(_payload(i))
        until(lambda: _packets(meter) == 10)
        assert meter.forget(meter.snapshot()) == 1
        assert len(meter.snapshot()) == 0
        for i in range(5):
            b.send(_payload(i))
        until(lambda: _packets(meter) == 5)


def test_announced_types_have_a_clock(pair):
    a, b = pair
    with LiveMeter(ports=(a.getsockname()[1],) * 2) as meter:
        meter.announce(*a.getsockname(), [announced(96, "opus", 48000)])
        for i in range(10):
            b.send(_payload(i, payload_type=96))
        until(lambda: _packets(meter) == 10)
        (row,) = meter.snapshot()
        fields = stream_fields(row, meter.names)
    assert (fields["codec"], fields["clock_rate"], fields["mos_lq"]) == ("opus", 48000, None)
    assert fields["jitter_mean_seconds"] > 0


def test_mapped_types_have_a_clock_on_any_port(pair):
    a, b = pair
    with LiveMeter(ports=(a.getsockname()[1],) * 2) as meter:
        meter.map([announced(96, "PCMA", 8000)])
        for i in range(10):
            b.send(_payload(i, payload_type=96))
        until(lambda: _packets(meter) == 10)
        (row,) = meter.snapshot()
        fields = stream_fields(row, meter.names)
    assert (fields["codec"], fields["clock_rate"], fields["codec_source"]) == ("PCMA", 8000, "option")
    assert fields["mos_lq"] is not None


def test_close_twice_and_read_after_close(pair):
    a, b = pair
    meter = LiveMeter(ports=(a.getsockname()[1],) * 2)
    meter.start()
    meter.start()
    for i in range(5):
        b.send(_payload(i))
    until(lambda: _packets(meter) == 5)
    meter.close()
    meter.close()
    assert _packets(meter) == 5
    assert meter.dropped == 0


def _own(kind):
    """Descriptors or threads of this process, by number."""
    return {int(path.name) for path in Path(f"/proc/self/{kind}").iterdir() if path.exists() or path.is_symlink()}


def test_nothing_leaks():
    LiveMeter(ports=(9, 9)).close()
    before, threads = _own("fd"), len(_own("task"))
    for _ in range(5):
        with LiveMeter(ports=(9, 9)) as meter:
            meter.snapshot()
            added = _own("fd") - before
            assert len(added) == 2  # the packet socket and what wakes its thread
            assert not any(map(os.get_inheritable, added))  # a child of the probe gets neither
    assert _own("fd") == before
    assert len(_own("task")) == threads


_WATCH = """
import json, sys
from probes.media.live import LiveMeter

with LiveMeter(ports=(int(sys.argv[1]),) * 2) as meter:
    print("ready", flush=True)
    for _ in sys.stdin:
        print(json.dumps([int(meter.snapshot()["packets"].sum()), meter.dropped]), flush=True)
"""


def test_what_the_kernel_dropped_is_counted_apart(pair):
    """The meter is stopped while more arrives than its ring holds: seen and dropped together are what was sent."""
    a, b = pair
    command = [sys.executable, "-c", _WATCH, str(a.getsockname()[1])]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as watcher:

        def figures():
            watcher.stdin.write("?\n")
            watcher.stdin.flush()
            return json.loads(watcher.stdout.readline())

        assert watcher.stdout.readline() == "ready\n"
        watcher.send_signal(signal.SIGSTOP)
        for i in range(40_000):
            b.send(_payload(i))
        watcher.send_signal(signal.SIGCONT)
        until(lambda: sum(figures()) == 40_000)
        seen, dropped = figures()
        watcher.stdin.close()
    assert seen > 5000
    assert dropped > 5000


_DOWN_AND_UP = """
import fcntl, socket, struct
from probes.media.live import LiveMeter

with LiveMeter(ports=(9, 9)) as meter, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
    print(meter.error)
    fcntl.ioctl(control, 0x8914, struct.pack("16sH14x", b"lo", 0x41))  # SIOCSIFFLAGS: up, running
    print(meter.error)
"""


def test_an_interface_that_is_down_is_named():
    """In a network namespace of its own, where loopback starts down."""
    command = ["unshare", "--net", sys.executable, "-c", _DOWN_AND_UP]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if "unshare failed" in done.stderr:
        pytest.skip("network namespaces cannot be made here")
    assert (done.stdout, done.stderr) == ("interface lo is down\nNone\n", "")


_GONE_AND_BACK = """
import subprocess
from probes.media.live import LiveMeter

def ip(words):
    subprocess.run(["ip", *words.split()], check=True)

ip("link add v0 type veth peer name v1")
ip("link set v0 up")
with LiveMeter(ports=(9, 9), interface="v0") as meter:
    print(meter.error)
    ip("link del v0")
    print(meter.error)
    ip("link add v0 type veth peer name v1")
    ip("link set v0 up")
    print(meter.error)
"""


def test_an_interface_that_comes_again_is_another():
    """The socket stays bound to the one that is gone, and would be silent for ever."""
    command = ["unshare", "--net", sys.executable, "-c", _GONE_AND_BACK]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if "unshare failed" in done.stderr or "Unknown device type" in done.stderr:
        pytest.skip("no network namespace or no veth here")
    assert (done.stdout.splitlines(), done.stderr) == (
        ["None", "interface v0 is gone", "interface v0 was made anew: start again"], "",
    )  # fmt: skip


def test_without_the_capability_one_line_says_so():
    code = "from probes.media.live import LiveMeter\nLiveMeter(ports=(9, 9)).start()"
    command = ["setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw", sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "CaptureUnavailable: capture on lo: capturing needs CAP_NET_RAW: run as root, or once: sudo" in done.stderr


def test_unknown_interface_is_named():
    with pytest.raises(CaptureUnavailable, match=r"capture on nosuch0: no interface has this name: there are .*lo"):
        LiveMeter(ports=(9, 9), interface="nosuch0").start()


def test_a_helper_that_cannot_run_is_named():
    with pytest.raises(CaptureUnavailable, match="the capture helper /nonexistent is missing: install sereno again"):
        LiveMeter(ports=(9, 9), helper="/nonexistent").start()
    with pytest.raises(CaptureUnavailable, match="ended with status 1"):
        LiveMeter(ports=(9, 9), helper="/bin/false").start()


def test_the_command_is_the_same_helper():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        words = ["-m", "sereno", "capture-helper", "--fd", str(theirs.fileno()), "--interface", "lo", "--ports", "9-9"]
        subprocess.run([sys.executable, *words], cwd=ROOT, pass_fds=[theirs.fileno()], check=True)
        message, descriptors, _, _ = socket.recv_fds(ours, 100, 1)
        for descriptor in descriptors:
            os.close(descriptor)
    assert (message, len(descriptors)) == (b"+", 1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--fd", "0", "--ports", "20-10"], "--ports '20-10' is not a port range: write A-B"),
        (["--fd", "99", "--ports", "9"], "--fd 99: Bad file descriptor: this command is started by a probe"),
    ],
)
def test_the_command_refuses_in_one_line(words, message):
    done = subprocess.run(
        [sys.executable, "-m", "sereno", "capture-helper", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert message in done.stderr


_HOLD = """
import ctypes, subprocess, sys
from probes.media.live import LiveMeter

with LiveMeter(ports=(int(sys.argv[1]),) * 2, ring_mib=1) as meter:
    sender = subprocess.Popen(sys.argv[2:])
    for _ in range(100):
        ctypes.PyDLL(None).usleep(500_000)  # a PyDLL call keeps the lock
        if sender.poll() is not None:
            break
    print(sender.returncode, int(meter.snapshot()["packets"].sum()), meter.dropped)
"""
_SEND = """
import socket, struct, sys, time
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    sender.connect((sys.argv[1], int(sys.argv[2])))
    for number in range(30_000):
        sender.send(struct.pack("!BBHII", 0x80, 8, number & 0xFFFF, number * 160 & 0xFFFFFFFF, 1) + bytes(20))
        if number % 1000 == 999:
            time.sleep(0.01)
"""


def test_the_meter_needs_no_interpreter(pair):
    """Three times what the ring holds arrives while nobody else may run Python.

    Were Python needed to empty the ring, a third at most would be counted. A busy host may cost the meter a moment:
    what it then drops, it says.
    """
    a, _ = pair
    host, port = a.getsockname()
    sending = [sys.executable, "-c", _SEND, host, str(port)]
    command = [sys.executable, "-c", _HOLD, str(port), *sending]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    returned, counted, dropped = map(int, done.stdout.split())
    assert returned == 0
    assert counted + dropped == 30_000
    assert counted >= 20_000


_STOPPED = """
import sys
from probes.media.live import LiveMeter

with LiveMeter(ports=(int(sys.argv[1]),) * 2) as meter:
    print("ready", flush=True)
    for _ in sys.stdin:
        rows = meter.snapshot()
        names = ("packets", "start_ns", "end_ns", "largest_gap_ns")
        print(*([int(rows[0][name]) for name in names] if len(rows) else [0]), flush=True)
"""


def test_times_are_those_of_the_kernel(pair):
    """The whole process is stopped while they arrive; each keeps its own instant."""
    a, b = pair
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", _STOPPED, str(a.getsockname()[1])], cwd=ROOT, **pipes) as watcher:
        said = []

        def all_there():
            watcher.stdin.write("?\n")
            watcher.stdin.flush()
            said[:] = map(int, watcher.stdout.readline().split())
            return said[0] == 40

        assert watcher.stdout.readline() == "ready\n"
        watcher.send_signal(signal.SIGSTOP)
        sent = []
        for number in range(40):
            before = time.time_ns()
            b.send(_payload(number))
            sent.append((before, time.time_ns()))
            time.sleep(0.01)
        time.sleep(0.3)
        watcher.send_signal(signal.SIGCONT)
        until(all_there)
        watcher.stdin.close()
    _, start, end, gap = said
    assert sent[0][0] <= start <= sent[0][1]
    assert sent[-1][0] <= end <= sent[-1][1]
    longest = max(later[1] - earlier[0] for earlier, later in pairwise(sent))
    assert 10_000_000 <= gap <= longest
