"""OPTIONS over TCP against real sockets: kept connections, their loss in every way, and peers that mean no good."""

import asyncio
import contextlib
import ctypes
import os
import socket
import struct
import subprocess
import sys

import pytest
from stream_peer import HOST, answer, eventually, stream_peer

from probes.sip import connection as connection_module
from probes.sip import dialling as dialling_module
from probes.sip.client import Ask, SipClient
from probes.sip.uri import parse_uri
from sereno.clock import SystemClock


@pytest.fixture
async def sip():
    made = SipClient("bog-1", clock=SystemClock())
    yield made
    await made.close()
    assert made.sockets == made.listening == made.connections == 0


def ask(port: int, timeout: float = 0.9, host: str = HOST) -> Ask:
    return Ask(to=parse_uri(f"sip:{host}:{port};transport=tcp"), uri="sip:10.0.0.1", timeout_seconds=timeout)


def well(request, number, side):
    side.write(answer(request, "200 OK", "Server: core-a"))


async def test_one_connection_is_kept_and_told(sip):
    async with stream_peer(well) as at:
        got = [await sip.options(ask(at.port)) for _ in range(5)]
        assert len(at.connections) == 1
    assert {e.kind for e in got} == {"answered"}
    assert [e.link.reused for e in got] == [False, True, True, True, True]
    assert got[0].link.connect_seconds > 0
    assert all(0 < e.rtt_seconds == e.duration_seconds < 0.9 and e.retransmissions == 0 for e in got)
    first = at.requests[0].decode()
    assert f"Via: SIP/2.0/TCP {HOST.replace('81.1.1', '0.0.1')}:" in first
    assert ";transport=tcp>" in first.split("Contact: ")[1].split("\r\n")[0]


async def test_many_transactions_at_once_share_it_and_answers_in_any_order_find_theirs(sip):
    held = []

    def behave(request, number, side):
        held.append((request, side))
        if len(held) == 40:
            for waiting, where in reversed(held):
                core = waiting.split(b"X-Number: ")[1].split(b"\r\n")[0].decode()
                where.write(answer(waiting, "200 OK", f"Server: {core}"))

    async with stream_peer(behave) as at:
        asks = [
            Ask(to=ask(at.port).to, uri="sip:10.0.0.1", headers=(f"X-Number: {n}",), timeout_seconds=2)
            for n in range(40)
        ]
        got = await asyncio.gather(*(sip.options(one) for one in asks))
        assert len(at.connections) == 1
    assert [e.reply.values("server") for e in got] == [[str(n)] for n in range(40)]


async def test_silence_is_one_transmission_and_a_timeout_and_the_connection_lives(sip):
    late = []
    async with stream_peer(lambda r, n, side: side.write(answer(r), 0.3 if n == 1 else 0)) as at:
        got = await sip.options(ask(at.port, timeout=0.1), on_late=late.append)
        assert (got.kind, got.retransmissions, got.rtt_seconds) == ("timeout", 0, None)
        again = await sip.options(ask(at.port))
        assert again.link.reused
        await eventually(lambda: late)
        assert len(at.requests) == 2, "a reliable transport repeats nothing (RFC 3261 section 17.1.2.2)"
    assert late[0].late
    assert late[0].at_us == got.at_us


async def test_nobody_listens_is_refused_at_once(sip):
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        port = sock.getsockname()[1]
    got = await sip.options(ask(port))
    assert (got.kind, got.messages) == ("refused", ())
    assert got.duration_seconds < 0.3


async def test_a_full_backlog_is_a_timeout_without_a_connection(sip):
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        sock.listen(0)
        with socket.create_connection(sock.getsockname()):
            got = await sip.options(ask(sock.getsockname()[1], timeout=0.2))
    assert got.kind == "timeout"
    assert "no TCP connection in" in got.detail or "no connection in" in got.detail


async def test_a_connection_closed_while_idle_is_replaced_before_the_next_check(sip):
    async with stream_peer(well) as at:
        await sip.options(ask(at.port))
        at.connections[0].drop()
        await eventually(lambda: sip.connections == 0)
        got = await sip.options(ask(at.port))
        assert len(at.connections) == 2
    assert (got.kind, got.link.reused) == ("answered", False)
    assert got.link.replaced == "the connection was closed by the peer (FIN)"


@pytest.mark.parametrize(("how", "words"), [("drop", "closed by the peer (FIN)"), ("reset", "reset by the peer (RST)")])
async def test_a_transaction_in_flight_on_a_lost_connection_fails_as_transport(sip, how, words):
    def behave(request, number, side):
        well(request, number, side) if number != 2 else getattr(side, how)()

    async with stream_peer(behave) as at:
        assert (await sip.options(ask(at.port))).kind == "answered"
        got = await sip.options(ask(at.port))
        after = await sip.options(ask(at.port))
    assert (got.kind, got.link.reused) == ("transport", True)
    assert words in got.detail
    assert got.duration_seconds < 0.5
    assert (after.kind, after.link.reused) == ("answered", False)
    assert words in after.link.replaced


async def test_a_half_open_connection_is_noticed_by_what_is_not_acknowledged(sip, monkeypatch):
    """The kernel's own count of unacknowledged octets stands for a peer that is gone without a word."""
    async with stream_peer(lambda r, n, side: well(r, n, side) if n == 1 or len(at.connections) > 1 else None) as at:
        assert (await sip.options(ask(at.port))).kind == "answered"
        with monkeypatch.context() as patch:
            patch.setattr(connection_module.Connection, "unacknowledged", property(lambda _: 412))
            got = await sip.options(ask(at.port, timeout=0.3))
        after = await sip.options(ask(at.port))
    assert (got.kind, after.kind, after.link.reused) == ("transport", "answered", False)
    assert "half-open: 412 octets not acknowledged" in got.detail


async def test_garbage_ends_the_connection_and_says_so(sip):
    async with stream_peer(lambda _, __, side: side.write(b"\xff\x00HTTP/1.1 400 Bad Request\r\n\r\n")) as at:
        got = await sip.options(ask(at.port))
    assert got.kind == "malformed"
    assert "no Content-Length" in got.detail


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (b"SIP/2.0 200 OK\r\nContent-Length: -1\r\n\r\n", "is no number"),
        (b"SIP/2.0 200 OK\r\nContent-Length: 0\r\nl: 5\r\n\r\n", "several"),
        (b"SIP/2.0 200 OK\r\nContent-Length: 999999999\r\n\r\n", "is the most"),
        (b"SIP/2.0 200 OK\r\n" + b"X: " + b"y" * 40_000, "does not end"),
    ],
)
async def test_what_cannot_be_framed_is_malformed(sip, reply, words):
    async with stream_peer(lambda _, __, side: side.write(reply)) as at:
        got = await sip.options(ask(at.port))
        assert sip.connections == 0
    assert got.kind == "malformed"
    assert words in got.detail


async def test_a_wrong_branch_answers_nobody(sip):
    async with stream_peer(lambda r, _, side: side.write(answer(r, branch="z9hG4bKother"))) as at:
        got = await sip.options(ask(at.port, timeout=0.2))
    assert (got.kind, got.strays) == ("timeout", 1)


async def test_a_flood_of_strays_ends_the_connection(sip):
    async with stream_peer(lambda r, _, side: side.write(answer(r, branch="z9hG4bKx") * 3_000)) as at:
        got = await sip.options(ask(at.port, timeout=5))
    assert got.kind == "malformed"
    assert "answered nothing" in got.detail


async def test_slow_loris_is_cut_off(sip, monkeypatch):
    monkeypatch.setattr(connection_module, "PARTIAL_SECONDS", 0.2)

    def drip(request, number, side):
        for n, octet in enumerate(answer(request)[:-4]):
            side.write(bytes([octet]), 0.01 + n * 0.01)

    async with stream_peer(drip) as at:
        got = await sip.options(ask(at.port, timeout=2))
    assert got.kind == "malformed"
    assert "did not end in 0.2 s" in got.detail


async def test_pipelined_and_split_replies_and_keep_alives(sip):
    """Two answers in one segment, one in pieces, line breaks in between; a ping is answered (RFC 5626 3.5.1)."""

    def behave(request, number, side):
        data = answer(request)
        side.write(b"\r\n\r\n" + answer(request, "100 Trying") + b"\r\n" + data[:37])
        side.write(data[37:] + answer(request, "503 No"), 0.02)

    async with stream_peer(behave) as at:
        got = await sip.options(ask(at.port))
        assert (got.kind, got.reply.code) == ("answered", 200)
        await eventually(lambda: bytes(at.raw).endswith(b"\r\n\r\n\r\n"))
        assert (await sip.options(ask(at.port))).reply.code == 200


async def test_a_peer_that_takes_nothing_is_no_memory_leak(sip, monkeypatch):
    monkeypatch.setattr(connection_module, "_UNSENT_LIMIT", 50_000)
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind((HOST, 0))
        listener.listen()
        port = listener.getsockname()[1]
        big = Ask(to=ask(port).to, uri="sip:10.0.0.1", headers=("X: " + "y" * 30_000,), timeout_seconds=1.5)
        got = await asyncio.gather(*(sip.options(big) for _ in range(200)))
    assert {e.kind for e in got} == {"transport"}
    assert any("takes nothing" in e.detail for e in got)


async def test_cancelling_a_check_leaves_the_connection_to_the_others(sip):
    async with stream_peer(lambda r, n, side: well(r, n, side) if n > 1 else None) as at:
        task = asyncio.ensure_future(sip.options(ask(at.port, timeout=5)))
        await eventually(lambda: at.requests)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert sip.sockets == 0
        assert (await sip.options(ask(at.port))).link.reused


async def test_ipv6(sip):
    async with stream_peer(well, host="::1") as at:
        got = await sip.options(ask(at.port, host="[::1]"))
    assert got.kind == "answered"
    assert b"Via: SIP/2.0/TCP [::1]:" in at.requests[0]
    assert b"Contact: <sip:bog-1@[::1]:" in at.requests[0]


@contextlib.contextmanager
def wire():
    """A namespace behind a veth pair whose far end can be cut: (address, a program there, cut)."""
    name = f"sereno81{os.getpid() % 10_000}"
    near, far = f"s81n{os.getpid() % 10_000}", f"s81f{os.getpid() % 10_000}"

    def ip(*arguments):
        subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=10)

    try:
        ip("netns", "add", name)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("network namespaces need root and iproute2")
    try:
        ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", name)
        ip("addr", "add", "10.81.7.1/30", "dev", near)
        ip("link", "set", near, "up")
        for arguments in (("addr", "add", "10.81.7.2/30", "dev", far), ("link", "set", far, "up")):
            ip("-n", name, *arguments)
        yield "10.81.7.2", ["ip", "netns", "exec", name], lambda: ip("-n", name, "link", "set", far, "address", CUT)
    finally:
        ip("netns", "del", name)


CUT = "02:00:00:00:81:07"  # the far end takes another hardware address: what is sent to the old one is not for it
PEER = """
import socket, sys
server = socket.create_server((sys.argv[1], 5060))
print("ready", flush=True)
while True:
    side, _ = server.accept()
    while request := side.recv(65535).decode():
        kept = [l for l in request.split("\\r\\n") if l.split(":")[0] in {"Via", "From", "To", "Call-ID", "CSeq"}]
        side.sendall(("\\r\\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0"]) + "\\r\\n\\r\\n").encode())
"""


async def test_a_real_half_open_connection(sip):
    """The way to the peer is cut without a word, as by a power cut or a firewall that forgets."""
    with wire() as (address, inside, cut):
        peer = await asyncio.create_subprocess_exec(
            *inside, sys.executable, "-c", PEER, address, stdout=asyncio.subprocess.PIPE
        )
        try:
            assert await asyncio.wait_for(peer.stdout.readline(), 10) == b"ready\n"
            there = Ask(to=parse_uri(f"sip:{address};transport=tcp"), uri=f"sip:{address}", timeout_seconds=0.9)
            assert (await sip.options(there)).kind == "answered"
            cut()
            got = await sip.options(there)
        finally:
            peer.kill()
            await peer.wait()
    assert (got.kind, got.link.reused) == ("transport", True)
    assert "half-open" in got.detail
    assert 0.85 <= got.duration_seconds < 2


SO_ATTACH_FILTER = 26  # asm-generic/socket.h


def deaf(sock):
    """Its kernel drops whatever comes for it and confirms nothing: what a dead NAT or firewall looks like from here."""
    nothing = struct.pack("@HBBI", 0x06, 0, 0, 0)  # BPF: return 0
    room = ctypes.create_string_buffer(nothing)
    program = struct.pack("@HP", 1, ctypes.addressof(room))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


async def test_a_path_that_dies_in_silence_is_noticed_between_checks(sip, monkeypatch):
    """The next check, however much later, finds a new connection instead of dying on the old one."""
    monkeypatch.setattr(
        dialling_module,
        "_KEEP_ALIVE",
        {socket.TCP_KEEPIDLE: 1, socket.TCP_KEEPINTVL: 1, socket.TCP_KEEPCNT: 1},
    )
    async with stream_peer(lambda request, _, side: side.write(answer(request))) as at:
        first = await sip.options(ask(at.port))
        assert sip.connections == 1
        deaf(at.connections[0].transport.get_extra_info("socket"))
        await eventually(lambda: sip.connections == 0, 8)
        second = await sip.options(ask(at.port))
        at.connections[0].transport.abort()
    assert (first.kind, second.kind, second.link.reused) == ("answered", "answered", False)
    assert "half-open" in second.link.replaced
