"""The OPTIONS client against real sockets: peers that answer, are silent, late, double, garbled or not there."""

import asyncio
import contextlib
import socket
from collections.abc import Callable

import msgspec
import pytest
from stream_peer import answer

from probes.checks import REGISTRY, Runtime, targets
from probes.sip import client as client_module
from probes.sip.client import Ask, SipClient
from probes.sip.uri import parse_uri
from sereno.clock import SystemClock
from sereno.topology.model import Topology
from sereno.wire import Result

HOST = "127.20.1.1"


class Peer(asyncio.DatagramProtocol):
    """A UDP peer whose behaviour is a function: (request, its number) → [(delay, datagram), …]."""

    def __init__(self, behave: Callable[[bytes, int], list[tuple[float, bytes]]]) -> None:
        self.behave, self.requests, self.sources = behave, [], []

    def connection_made(self, transport):
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data, addr):
        self.requests.append(data)
        self.sources.append(addr)
        loop = asyncio.get_running_loop()
        for delay, reply in self.behave(data, len(self.requests)):
            if delay:
                loop.call_later(delay, self.transport.sendto, reply, addr)
            else:
                self.transport.sendto(reply, addr)


@contextlib.asynccontextmanager
async def peer(behave, host=HOST):
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: Peer(behave), local_addr=(host, 0))
    try:
        yield protocol
    finally:
        transport.close()
        await asyncio.sleep(0)


@pytest.fixture
async def sip():
    made = SipClient("bog-1", clock=SystemClock())
    yield made
    await made.close()
    assert made.sockets == made.listening == 0


def ask(port: int, timeout: float = 0.9, host: str = HOST) -> Ask:
    return Ask(to=parse_uri(f"sip:{host}:{port}"), uri="sip:10.0.0.1", timeout_seconds=timeout)


async def eventually(condition, seconds=5.0):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # what is polled is not ours to signal
            await asyncio.sleep(0.005)


async def test_an_answer_with_the_kernels_round_trip(sip):
    async with peer(lambda data, _: [(0, answer(data, "200 OK", "Server: core-a"))]) as at:
        got = [await sip.options(ask(at.port)) for _ in range(20)]
    assert {e.kind for e in got} == {"answered"}
    assert all(e.rtt_seconds is not None and 0 < e.rtt_seconds <= 0.9 for e in got)
    assert all(e.rtt_seconds == e.duration_seconds for e in got)
    assert all(e.answered_after_seconds is None and e.retransmissions == 0 for e in got)
    assert len({source[1] for source in at.sources}) > 15, "a new source port for each"
    assert len({request.split(b"Call-ID: ")[1].split(b"\r\n")[0] for request in at.requests}) == 20
    assert b"From: <sip:bog-1@127.0.0.1:" in at.requests[0]


async def test_the_rtt_is_the_kernels_even_when_this_process_is_slow_to_read(sip):
    """The loop is blocked 450 ms after sending: the stamp still says when the answer came, about 20 ms."""
    import threading
    import time

    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HOST, 0))
    sock.settimeout(5)

    def serve():
        data, source = sock.recvfrom(65_535)
        time.sleep(0.02)
        sock.sendto(answer(data), source)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        task = asyncio.ensure_future(sip.options(ask(sock.getsockname()[1], timeout=0.4)))
        await asyncio.sleep(0)
        time.sleep(0.45)  # noqa: ASYNC251  # blocking the loop is the point
        got = await task
    finally:
        thread.join()
        sock.close()
    assert got.kind == "answered", "it came in before the deadline, however late the loop woke up"
    assert 0.02 <= got.rtt_seconds < 0.4


async def test_without_a_kernel_stamp_there_is_no_rtt_but_a_marked_time(sip, monkeypatch):
    monkeypatch.setattr(client_module, "_STAMPED", False)
    async with peer(lambda data, _: [(0, answer(data))]) as at:
        got = await sip.options(ask(at.port))
    assert got.rtt_seconds is None
    assert got.answered_after_seconds > 0


async def test_nobody_there_is_refused_at_once(sip):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    got = await sip.options(ask(port))
    assert (got.kind, got.detail) == ("refused", "Connection refused")
    assert got.duration_seconds < 0.5
    again = await sip.options(ask(port))
    assert again.kind == "refused", "a new socket each time: the error does not stick"


async def test_no_way_there_is_transport(sip):
    got = await sip.options(Ask(to=parse_uri("sip:255.255.255.255"), uri="sip:x", timeout_seconds=0.3))
    assert got.kind == "transport"  # broadcast without SO_BROADCAST: this machine refuses to send


async def test_a_name_that_does_not_exist_is_dns(sip):
    got = await sip.options(Ask(to=parse_uri("sip:sbc.invalid"), uri="sip:x", timeout_seconds=2))
    assert got.kind == "dns"
    assert got.detail.startswith("sbc.invalid: ")


async def test_a_name_that_exists_is_asked(sip):
    async with peer(lambda data, _: [(0, answer(data))], host="127.0.0.1") as at:
        got = await sip.options(ask(at.port, host="localhost"))
    assert got.kind in {"answered", "refused"}, got  # localhost may mean ::1 first, where nobody listens
    assert got.detail in {None, "Connection refused"}


async def test_silence_is_a_timeout_at_the_deadline_with_one_retransmission_at_t1(sip):
    async with peer(lambda *_: []) as at:
        got = await sip.options(ask(at.port))
        assert len(at.requests) == 2
    assert (got.kind, got.retransmissions) == ("timeout", 1)
    assert 0.9 <= got.duration_seconds < 2
    assert at.requests[0] == at.requests[1], "a retransmission is the same bytes"
    first, second = got.messages
    assert 0.5 <= (second.at_us - first.at_us) / 1e6 < 0.9
    assert sip.listening == 1


async def test_a_retransmitted_answer_gives_no_rtt(sip):
    async with peer(lambda data, number: [(0, answer(data))] if number == 2 else []) as at:
        got = await sip.options(ask(at.port))
    assert (got.kind, got.rtt_seconds, got.retransmissions) == ("answered", None, 1)
    assert 0.5 <= got.answered_after_seconds < 0.9
    assert sip.sockets == 1, "it absorbs duplicates for T4"


async def test_a_late_reply_is_noticed_once_and_the_socket_closed(sip):
    late = []
    async with peer(lambda data, number: [(0.3, answer(data)), (0.31, answer(data))] if number == 1 else []) as at:
        got = await sip.options(ask(at.port, timeout=0.2), on_late=late.append)
        assert (got.kind, got.late) == ("timeout", False)
        await eventually(lambda: late)
        await asyncio.sleep(0.03)
        assert sip.sockets == 0
    (exchange,) = late
    assert exchange.late
    assert exchange.at_us == got.at_us
    assert exchange.rtt_seconds is None
    assert 0.3 <= exchange.answered_after_seconds < 3
    assert sip.listening == 0


async def test_a_double_answer_is_one_answer(sip):
    async with peer(lambda data, _: [(0, answer(data, "200 OK")), (0, answer(data, "503 No"))]) as at:
        got = await sip.options(ask(at.port))
    assert got.reply.code == 200


async def test_garbage_is_malformed_at_the_deadline_unless_a_good_reply_follows(sip):
    async with peer(lambda *_: [(0, b"\xff\x00 not SIP")]) as at:
        got = await sip.options(ask(at.port, timeout=0.2))
    assert (got.kind, got.strays) == ("malformed", 1)
    assert "no status line" in got.detail
    async with peer(lambda data, _: [(0, b"\xff\x00"), (0.01, answer(data))]) as at:
        assert (await sip.options(ask(at.port))).kind == "answered"


@pytest.mark.parametrize("branch", ["z9hG4bKanother", ""])
async def test_a_wrong_branch_is_not_our_answer(sip, branch):
    async with peer(lambda data, _: [(0, answer(data, branch=branch))]) as at:
        got = await sip.options(ask(at.port, timeout=0.2))
    assert (got.kind, got.strays) == ("timeout", 1)


async def test_provisional_replies_are_no_answer(sip):
    async with peer(lambda data, _: [(0, answer(data, "100 Trying")), (0.05, answer(data))]) as at:
        got = await sip.options(ask(at.port))
    assert (got.kind, got.reply.code) == ("answered", 200)
    assert [m.direction for m in got.messages] == ["sent", "received", "received"]


async def test_late_listeners_are_bounded(sip, monkeypatch):
    monkeypatch.setattr(client_module, "LISTENING_LIMIT", 5)
    async with peer(lambda *_: []) as at:
        await asyncio.gather(*(sip.options(ask(at.port, timeout=0.05)) for _ in range(12)))
        assert sip.listening == 5


async def test_cancelling_a_check_closes_its_socket(sip):
    async with peer(lambda *_: []) as at:
        task = asyncio.ensure_future(sip.options(ask(at.port, timeout=5)))
        await eventually(lambda: at.requests)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert sip.sockets == 0


# --- through the checks ---


def topology(port: int) -> Topology:
    return Topology.model_validate({
        "service": "voice",
        "domain": "voice.example",
        "cores": {
            name: {"uri": f"sip:10.8.0.{n}", "identify": {"header": "Server", "contains": name}}
            for n, name in ((1, "core-a"), (2, "core-b"))
        },
        "sbcs": {"sbc-1": {"addresses": [f"sip:{HOST}:{port}"], "primary": "core-a", "backup": "core-b"}},
    })  # fmt: skip


async def check(sip, at, kind: str, core: str | None = None, timeout_us: int = 900_000, emit=None) -> Result:
    made = topology(at.port)
    runtime = Runtime(clock=SystemClock(), topology=made, probe="bog-1", sip=sip)
    if emit is not None:
        runtime.emit = emit
    (target,) = [t for t in targets(made, "bog-1", [kind]) if t.core == core]
    return await REGISTRY[kind](msgspec.structs.replace(target, timeout_us=timeout_us), runtime)


async def test_each_kind_asks_its_own_question(sip):
    def behave(data, _):
        code = "483 Too Many Hops" if b"Max-Forwards: 0\r\n" in data else "200 OK"
        return [(0, answer(data, code, *([] if code.startswith("483") else ["Server: core-a"])))]

    async with peer(behave) as at:
        edge = await check(sip, at, "edge")
        forced = await check(sip, at, "options", "core-a")
        wrong = await check(sip, at, "options", "core-b")
        natural = await check(sip, at, "natural")
    assert (edge.outcome, edge.code, edge.answered_by, edge.core) == ("ok", 483, "sbc", None)
    assert (forced.outcome, forced.answered_by, forced.answered_core, forced.core) == ("ok", "core", "core-a", "core-a")
    assert (wrong.outcome, wrong.reason, wrong.answered_core) == ("failed", "wrong_core", "core-a")
    assert (natural.outcome, natural.answered_core, natural.core) == ("ok", "core-a", None)
    lines = [request.decode().split("\r\n") for request in at.requests]
    assert lines[0][0] == f"OPTIONS sip:{HOST}:{at.port} SIP/2.0"
    assert lines[1][0] == "OPTIONS sip:10.8.0.1 SIP/2.0"
    assert f"Route: <sip:{HOST}:{at.port};lr>" in lines[1]
    assert lines[3][0] == "OPTIONS sip:voice.example SIP/2.0"
    assert not any(line.startswith("Route") for line in lines[3])


async def test_a_refusing_core_keeps_retry_after_and_its_evidence(sip):
    async with peer(lambda d, _: [(0, answer(d, "503 Maintenance", "Server: core-a", "Retry-After: 120"))]) as at:
        got = await check(sip, at, "options", "core-a")
    assert (got.outcome, got.reason, got.code, got.phrase) == ("failed", "sip_5xx", 503, "Maintenance")
    assert got.retry_after_seconds == 120
    sent, received = got.evidence["messages"]
    assert sent["text"].startswith("OPTIONS sip:10.8.0.1")
    assert received["text"].startswith("SIP/2.0 503 Maintenance")
    assert sent["at"] < received["at"]


async def test_a_late_reply_comes_as_a_second_result_with_the_same_instant(sip):
    second: list[Result] = []
    async with peer(lambda d, n: [(0.2, answer(d, "200 OK", "Server: core-a"))] if n == 1 else []) as at:
        first = await check(sip, at, "options", "core-a", timeout_us=100_000, emit=second.append)
        await eventually(lambda: second)
    assert (first.outcome, first.reason, first.answered_by) == ("failed", "timeout", "none")
    (late,) = second
    assert (late.outcome, late.reason, late.answered_core, late.at) == ("ok", "late", "core-a", first.at)
    assert late.answered_after_seconds >= 0.2


async def test_a_late_408_of_the_sbc_stays_a_failure_and_says_who(sip):
    second: list[Result] = []
    async with peer(lambda d, n: [(0.2, answer(d, "408 Request Timeout"))] if n == 1 else []) as at:
        first = await check(sip, at, "options", "core-a", timeout_us=100_000, emit=second.append)
        await eventually(lambda: second)
    (late,) = second
    assert (late.outcome, late.reason, late.answered_by, late.at) == ("failed", "sip_408", "sbc", first.at)


async def test_evidence_stays_below_4_kb_of_json(sip):
    flood = ["X-Filler: " + '"\\' * 2000] * 4
    async with peer(lambda d, _: [(0, answer(d, "100 Trying", *flood)), (0.01, answer(d, "503 No", *flood))]) as at:
        got = await check(sip, at, "options", "core-a")
    assert got.reason == "sip_5xx"
    assert len(got.evidence["messages"]) == 3
    assert len(msgspec.json.encode(got.evidence)) <= 4096


async def test_ipv6(sip):
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 loopback here")
    async with peer(lambda data, _: [(0, answer(data))], host="::1") as at:
        got = await sip.options(ask(at.port, host="[::1]"))
    assert got.kind == "answered"
    assert got.rtt_seconds is not None
    assert b"Via: SIP/2.0/UDP [::1]:" in at.requests[0]
