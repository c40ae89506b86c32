"""The C sockets against the kernel: stamps both ways, errors as rows, turns, and nothing that is left behind."""

import errno
import gc
import os
import select
import socket
import struct
import subprocess
import sys
import time
import weakref
from pathlib import Path

import pytest

from probes.sip.built import native

HOST = "127.110.3.1"
SO_TIMESTAMPNS = 35


@pytest.fixture
def peer():
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    made.bind((HOST, 0))
    made.settimeout(2)
    yield made
    made.close()


class Owner:
    """Something that can be watched as it goes."""


def opened(peer, **more):
    return native.Socket(socket.AF_INET, *peer.getsockname(), **more)


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def wait(poller):
    assert select.select([poller], [], [], 2)[0], "its descriptor is readable when something waits"


def test_a_round_trip_is_between_two_stamps_of_the_kernel(peer):
    """The peer's own receive stamp and send clock bound it from both sides, however long we sleep before we look."""
    poller, sock = native.Poller(), opened(peer)
    poller.add(sock, "me")
    before = time.monotonic()
    left = sock.send(b"hello")
    after = time.monotonic()
    assert before <= left <= after
    _, control, _, source = peer.recvmsg(100, 64)
    seconds, nanoseconds = struct.unpack("@ll", control[0][2])
    wall = seconds + nanoseconds / 1e9 - (time.time() - time.monotonic())
    assert abs(wall - left) < 0.000_5, "it left when it came: they are one machine"
    time.sleep(0.05)
    asked = time.monotonic()
    peer.sendto(b"yes", source)
    answered = time.monotonic()
    time.sleep(0.05)
    wait(poller)
    ((owner, data, received, stamped, sent, error),) = poller.take(64)
    assert (owner, data, stamped, sent, error) == ("me", b"yes", True, left, 0)
    assert asked - 0.000_1 <= received <= answered + 0.000_1
    assert 0.05 <= received - sent < 0.05 + (answered - asked) + (asked - after) + 0.001
    assert sock.local == f"{source[0]}:{source[1]}"
    sock.close()


def test_its_own_stamps_wake_nobody(peer):
    poller, sock = native.Poller(), opened(peer)
    sock.send(b"1")
    poller.add(sock, "me")
    assert not select.select([poller], [], [], 0.05)[0]
    sock.send(b"2")  # while it is watched, as a retransmission is
    assert poller.take(64) == []
    assert not select.select([poller], [], [], 0.05)[0], "or the loop would turn without end"
    sock.close()


def test_without_stamps_it_is_said(peer):
    poller, sock = native.Poller(), opened(peer, stamped=False)
    poller.add(sock, "me")
    before = time.monotonic()
    left = sock.send(b"hello")
    peer.sendto(b"yes", peer.recvfrom(100)[1])
    wait(poller)
    ((_, data, received, stamped, sent, _),) = poller.take(64)
    assert (data, stamped) == (b"yes", False)
    assert before <= left == sent <= received <= time.monotonic()
    sock.close()


def test_a_stamp_before_anything_was_asked_is_not_believed(peer):
    """Whatever comes first cannot be an answer, and has nothing to be measured from."""
    sock = opened(peer)
    host, port = sock.local.split(":")
    peer.sendto(b"early", (host, int(port)))
    _, data, _, stamped, _, _ = sock.receive()
    assert (data, stamped) == (b"early", False)
    sock.close()


def test_refusal_is_a_row():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind((HOST, 0))
        there = gone.getsockname()
    poller, sock = native.Poller(), native.Socket(socket.AF_INET, *there)
    sock.send(b"x")
    poller.add(sock, "me")
    wait(poller)
    ((owner, data, _, stamped, _, error),) = poller.take(64)
    assert (owner, data, stamped, error) == ("me", None, False, errno.ECONNREFUSED)
    assert poller.take(64) == [], "it is told once"
    sock.close()


def test_turns_are_short_and_in_order(peer):
    poller, sock = native.Poller(), opened(peer)
    poller.add(sock, "me")
    sock.send(b"x")
    source = peer.recvfrom(100)[1]
    for number in range(20):
        peer.sendto(b"%d" % number, source)
    got = []
    while rows := poller.take(8):
        assert len(rows) <= 8
        got += [int(row[1]) for row in rows]
    assert got == list(range(20))
    for _ in range(8):
        peer.sendto(bytes(60_000), source)
    assert 1 <= len(poller.take(64)) <= 6, "and few octets at once"
    sock.close()


def test_what_cannot_be_is_an_error_of_python(peer):
    with pytest.raises(ValueError, match="no address"):
        native.Socket(socket.AF_INET, "sbc.example", 5060)
    with pytest.raises(ValueError, match="no address"):
        native.Socket(socket.AF_INET6, "127.0.0.1", 5060)
    with pytest.raises(OSError, match="Cannot assign"):
        native.Socket(socket.AF_INET, HOST, 5060, "192.0.2.1")
    sock, poller = opened(peer), native.Poller()
    with pytest.raises(TypeError):
        poller.add("no socket", None)
    with pytest.raises(TypeError):
        sock.send("text")
    sock.close()
    sock.close()
    assert sock.fileno() == -1
    assert sock.receive() is None
    with pytest.raises(OSError, match="Bad file descriptor"):
        sock.send(b"x")
    with pytest.raises(OSError, match="Bad file descriptor"):
        poller.add(sock, None)
    poller.close()
    poller.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        poller.take(1)


def test_it_binds_where_it_is_told(peer):
    sock = opened(peer, bind="127.110.3.2")
    assert sock.local.startswith("127.110.3.2:")
    sock.close()


def test_nothing_is_left_behind(peer):
    """Closed or only forgotten, with its owner in a circle or not: descriptors and owners go."""
    gc.collect()  # what other tests forgot must not go while we count
    poller = native.Poller()
    before, gone = descriptors(), []
    for turn in range(300):
        sock, owner = opened(peer), Owner()
        owner.sock = sock
        gone.append(weakref.ref(owner))
        poller.add(sock, owner)
        sock.send(b"x")
        if turn % 2:
            sock.close()
    del sock, owner
    gc.collect()
    assert descriptors() == before
    assert not any(one() for one in gone)
    assert poller.take(64) == []
    assert os.fstat(poller.fileno())
    poller.close()


def test_a_child_that_holds_a_copy_keeps_nothing_watched(peer):
    """Between fork and exec a child has every descriptor: what is closed here meanwhile must not come back."""
    poller, sock = native.Poller(), opened(peer)
    poller.add(sock, "me")
    sock.send(b"x")
    copy = os.dup(sock.fileno())
    sock.close()
    del sock
    peer.sendto(b"yes", peer.recvfrom(100)[1])
    assert poller.take(64) == []
    assert not select.select([poller], [], [], 0.05)[0]
    os.close(copy)


def test_a_socket_that_goes_while_others_wait_is_not_read(peer):
    poller = native.Poller()
    socks = [opened(peer) for _ in range(10)]
    for number, sock in enumerate(socks):
        poller.add(sock, number)
        sock.send(b"x")
        peer.sendto(b"yes", peer.recvfrom(100)[1])
    for sock in socks[::2]:
        sock.close()
    assert sorted(row[0] for row in poller.take(64)) == [1, 3, 5, 7, 9]
    for sock in socks:
        sock.close()


_QUEUED = """
import select, socket, time
from probes.sip.built import native
peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
peer.bind(("127.0.0.1", 0))
asked = native.Socket(socket.AF_INET, *peer.getsockname())
for _ in range(4):
    asked.send(bytes(500))  # 50 ms of the line each
sock, poller = native.Socket(socket.AF_INET, *peer.getsockname()), native.Poller()
told = sock.send(b"late")
poller.add(sock, "me")
while (got := peer.recvfrom(600))[0] != b"late":
    pass
came = time.monotonic()
peer.sendto(b"yes", got[1])
turns = rows = 0
while not rows:
    select.select([poller], [], [], 2)
    turns, rows = turns + 1, poller.take(64)
((_, data, received, stamped, sent, _),) = rows
print(data == b"yes", stamped, round(came - told, 3), abs(came - sent) < 0.01, turns <= 3, received > sent)
"""


def test_a_request_that_waits_in_this_machines_own_queue_is_stamped_when_it_leaves():
    """A slow line on `lo` of a network of its own: the stamp is there only after `send` has returned, and is taken."""
    slow = "ip link set lo up && tc qdisc add dev lo root tbf rate 80kbit burst 600 latency 4s && "
    command = ["unshare", "--net", "sh", "-c", slow + 'exec "$0" "$@"', sys.executable, "-c", _QUEUED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    if "unshare failed" in done.stderr or "qdisc kind is unknown" in done.stderr:
        pytest.skip("no network namespaces, or no token bucket, here")
    good, stamped, waited, same, calm, after = done.stdout.split()
    assert (good, stamped, same, calm, after) == ("True",) * 5, (done.stdout, done.stderr)
    assert 0.1 < float(waited) < 2, "it waited behind the others, and this is in no round trip"
