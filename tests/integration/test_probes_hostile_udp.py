"""A SIP peer that means harm, over UDP: it never crashes, hangs or fools the client, and costs it little."""

import asyncio
import contextlib
import gc
import os
import random
import resource
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest
from torture import GOOD, RIGHT, WRONG, filled

from probes.checks.evidence import ladder
from probes.sip import client as client_module
from probes.sip.client import Ask, SipClient
from probes.sip.uri import parse_uri
from sereno.clock import SystemClock

HOST = "127.86.9.1"


class Hostile:
    """A thread with a UDP socket: for each request, `behave` says what is sent, until `stop`."""

    def __init__(self, behave):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((HOST, 0))
        self.sock.settimeout(0.05)
        self.port = self.sock.getsockname()[1]
        self.stopped = threading.Event()
        self.sent = 0
        self._behave = behave
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self._thread.join(10)
        assert not self._thread.is_alive()
        self.sock.close()

    def _serve(self):
        while not self.stopped.is_set():
            try:
                request, source = self.sock.recvfrom(65_535)
            except (TimeoutError, ConnectionError):
                continue
            for reply in self._behave(request):
                if self.stopped.is_set():
                    return
                with contextlib.suppress(ConnectionError):  # the client's socket is closed already
                    self.sock.sendto(reply, source)
                    self.sent += 1


@pytest.fixture
async def sip():
    made = SipClient("bog-1", clock=SystemClock())
    yield made
    await made.close()
    assert made.sockets == made.listening == 0


def ask(port, timeout=0.25):
    return Ask(to=parse_uri(f"sip:{HOST}:{port}"), uri="sip:10.0.0.1", timeout_seconds=timeout)


@pytest.mark.parametrize("name", RIGHT)
async def test_what_is_right_is_taken_however_it_looks(sip, name):
    with Hostile(lambda request: [filled(RIGHT[name], request)]) as peer:
        got = await sip.options(ask(peer.port, 2))
    assert got.kind == "answered", (got.detail, name)
    assert 200 <= got.reply.code < 300
    assert len(msgspec.json.encode(ladder(got.messages))) <= 4096


@pytest.mark.parametrize("name", WRONG)
async def test_what_is_wrong_is_no_answer_and_does_not_hide_the_right_one(sip, name):
    def alone(request):
        yield filled(WRONG[name], request)

    def before(request):
        yield from alone(request)
        yield filled(GOOD, request)

    with Hostile(alone) as peer:
        got = await sip.options(ask(peer.port, 0.1))
    if name == "another From tag":
        # RFC 3261 section 17.1.3: branch and CSeq method are what matches; whoever knows our branch is the peer itself.
        assert got.kind in {"answered", "timeout"}
    else:
        assert got.kind in {"timeout", "malformed"}, (got, name)
        assert got.strays == 1
        with Hostile(before) as peer:
            after = await sip.options(ask(peer.port, 2))
        assert (after.kind, after.reply.code, after.strays) == ("answered", 200, 1)


FLOODS = {
    "noise": "[bytes(random.Random(n).randbytes(1 + 37 * n % 1400)) for n in range(200)]",
    "strays": "[filled(WRONG['another branch'], request)]",
    "1xx": "[filled(GOOD.replace('200 OK', '183 Progress'), request)]",
    "1000 Vias": "[filled(WRONG['1000 Vias'], request)]",
    "huge": "[filled(GOOD, request).replace(b'=z9', b'=z8').replace(b'CSeq:', b'X: ' + b'a' * 64000 + b'\\r\\nCSeq:')]",
}
# A process of its own: a thread of ours would be slowed by the very work that it is to overrun.
FLOODER = """
import random, socket
from torture import GOOD, WRONG, filled
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("{host}", 0))
print(sock.getsockname()[1], flush=True)
request, source = sock.recvfrom(65535)
replies = {replies}
while True:
    for reply in replies:
        try:
            sock.sendto(reply, source)
        except OSError:
            pass
"""


@pytest.fixture
def flooder():
    children = []

    def start(flood):
        code = FLOODER.format(host=HOST, replies=FLOODS[flood])
        support = Path(__file__).parents[1] / "support"
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=support)
        children.append(child)
        return int(child.stdout.readline())

    yield start
    for child in children:
        child.kill()
        child.wait()
        child.stdout.close()


@pytest.mark.parametrize("flood", FLOODS)
async def test_a_flood_on_one_path_neither_hangs_it_nor_delays_the_others(sip, flooder, flood):
    """The flooded one ends at its deadline; a well one beside it is answered all the while."""
    port = flooder(flood)
    with Hostile(lambda request: [filled(GOOD, request)]) as good:
        began = time.monotonic()
        flooded = asyncio.ensure_future(sip.options(ask(port, 0.6)))
        answered = []
        while not flooded.done() and time.monotonic() - began < 10:
            answered.append(await sip.options(ask(good.port, 2)))
        got = await flooded
        took = time.monotonic() - began
    assert got.kind in {"timeout", "malformed"}
    assert took < 5, "the deadline holds"
    assert len(answered) > 3
    assert {one.kind for one in answered} == {"answered"}
    assert len(got.messages) <= 12
    assert sum(len(message.data) for message in got.messages) <= 12 * 8_192
    evidence = ladder(got.messages, detail=got.detail, unlogged=got.unlogged)
    assert len(msgspec.json.encode(evidence)) <= 4096
    assert evidence["left_out"] > 0


async def test_a_full_socket_is_read_in_turns_with_other_work(sip, monkeypatch):
    """However fast the peer is: what waits in one socket is not read at a stretch."""
    monkeypatch.setattr(client_module, "_AT_ONCE", 8)
    ready = threading.Event()

    def behave(request):
        yield from (filled(WRONG["another branch"], request) for _ in range(80))
        yield filled(GOOD, request)
        ready.set()

    loop, turns = asyncio.get_running_loop(), 0

    def turn():
        nonlocal turns
        turns += 1
        loop.call_soon(turn)

    with Hostile(behave) as peer:
        asked = asyncio.ensure_future(sip.options(ask(peer.port, 5)))
        await asyncio.sleep(0)
        assert ready.wait(5)  # the loop stands still meanwhile, and everything is in the socket
        loop.call_soon(turn)
        got = await asked
    assert got.kind == "answered"
    assert got.strays == 80
    assert turns >= 10


async def test_the_answer_in_the_middle_of_a_flood_is_found_and_kept_as_evidence(sip):
    def behave(request):
        yield from (filled(WRONG["another branch"], request) for _ in range(100))
        yield filled(GOOD.replace("200 OK", "503 Full"), request)

    with Hostile(behave) as peer:
        got = await sip.options(ask(peer.port, 3))
    assert (got.kind, got.reply.code, got.strays) == ("answered", 503, 100)
    assert got.messages[-1].data.startswith(b"SIP/2.0 503")
    assert got.unlogged == 90  # 1 request, 101 replies, 12 kept


async def test_many_answers_are_one_and_a_later_one_does_not_change_it(sip):
    def behave(request):
        yield filled(GOOD, request)
        yield from (filled(GOOD.replace("200 OK", code), request) for code in ("503 No", "200 OK", "699 No") * 200)

    late = []
    with Hostile(behave) as peer:
        got = [await sip.options(ask(peer.port, 2), on_late=late.append) for _ in range(20)]
    assert {one.reply.code for one in got} == {200}
    assert late == []


async def test_replies_of_another_address_are_never_seen(sip):
    """The socket is connected: the kernel keeps strangers out, even those who know the branch."""
    strange = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    strange.bind((f"{HOST[:-1]}2", 0))
    heard = []

    def behave(request):
        heard.append(request)
        port = int(request.split(b"Via: SIP/2.0/UDP ")[1].split(b";")[0].rpartition(b":")[2])
        for _ in range(50):
            strange.sendto(filled(GOOD, request), ("127.0.0.1", port))
        return []

    with Hostile(behave) as peer:
        got = await sip.options(ask(peer.port, 0.3))
    strange.close()
    assert heard
    assert (got.kind, got.strays) == ("timeout", 0)


async def test_memory_is_bounded_while_hundreds_wait_under_huge_replies(sip):
    chosen = random.Random(3)

    def behave(request):
        return [filled(WRONG["another branch"], request) + chosen.randbytes(50_000)] * 3

    with Hostile(behave) as peer:
        gc.collect()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(4):
            await asyncio.gather(*(sip.options(ask(peer.port, 0.4)) for _ in range(60)))
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 60_000, f"{grown} KB: 240 transactions × 3 × 8 KB are 6 MB"


SECONDS = float(os.environ.get("SERENO_FUZZ_SECONDS", "1"))


async def test_mutations_of_right_and_wrong_replies(sip):
    """A mutated reply gives one of the documented kinds; only what holds our branch is an answer."""
    chosen = random.Random(int(os.environ.get("SERENO_FUZZ_SEED", "1")))
    corpus = [*RIGHT.values(), *WRONG.values()]

    def behave(request):
        data = bytearray(filled(chosen.choice(corpus), request))
        for _ in range(chosen.randrange(4)):
            at = chosen.randrange(max(1, len(data)))
            match chosen.randrange(4):
                case 0:
                    data[at : at + 1] = chosen.randbytes(1)
                case 1:
                    del data[at : at + chosen.randrange(40)]
                case 2:
                    data[at:at] = data[at : at + chosen.randrange(60)]
                case _:
                    data[at:at] = chosen.choice([b"\r\n", b'"', b"\x00", b"<", b";", b",", b" ", b"\xff"])
        return [bytes(data[:60_000])]

    end = time.monotonic() + min(SECONDS, 600)
    kinds = set()
    with Hostile(behave) as peer:
        while time.monotonic() < end:
            for got in await asyncio.gather(*(sip.options(ask(peer.port, 0.05)) for _ in range(40))):
                kinds.add(got.kind)
                if got.kind == "answered":
                    assert got.reply.vias == 1
                    assert got.reply.method == "OPTIONS"
                    assert got.reply.branch.encode() in got.messages[0].data
                msgspec.json.encode(ladder(got.messages, detail=got.detail))
    assert kinds <= {"answered", "timeout", "malformed"}
    assert {"answered", "malformed"} <= kinds
