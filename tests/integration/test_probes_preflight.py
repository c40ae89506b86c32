"""A preflight through real networks: a router that mangles SIP; firewalls, lost marks, narrow lines in namespaces."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stream_peer import answer

from probes.preflight import Plan, Responder, overall, run
from probes.preflight.alg import alg
from probes.preflight.base import Sbc
from probes.preflight.datagram import Datagrams
from probes.preflight.nat import nat
from probes.preflight.ports import destinations, ports
from probes.preflight.room import room
from probes.preflight.rtp_range import rtp_range
from probes.sip.uri import parse_uri

NET = "127.87"
FAR, ROUTER, OUTSIDE = f"{NET}.0.9", f"{NET}.0.1", f"{NET}.3.3"
PUBLIC = OUTSIDE.encode()


def sbc(name, *addresses, rtp=None):
    return Sbc(name=name, addresses=tuple(parse_uri(one) for one in addresses), rtp_ports=rtp)


@pytest.fixture
async def responder():
    made = Responder(FAR, 0)
    made.start()
    yield made
    made.close()


class Router(asyncio.DatagramProtocol):
    """A customer's router with a SIP ALG: what leaves is rewritten by `out`, what comes back by `back`."""

    def __init__(self, port, out, back=lambda data: data):
        self.port, self.out, self.back = port, out, back
        self.inside = self.outside = None
        self.source = None

    @classmethod
    @contextlib.asynccontextmanager
    async def between(cls, port, out, back=lambda data: data):
        """Listens where phones send, on ROUTER at the same port, and goes on to FAR."""
        loop = asyncio.get_running_loop()
        made = cls(port, out, back)
        made.inside, _ = await loop.create_datagram_endpoint(lambda: made, local_addr=(ROUTER, port))

        class Outside(asyncio.DatagramProtocol):
            def datagram_received(self, data, _addr):
                made.inside.sendto(made.back(data), made.source)

        made.outside, _ = await loop.create_datagram_endpoint(Outside, local_addr=(OUTSIDE, 0))
        try:
            yield made
        finally:
            made.inside.close()
            made.outside.close()
            await asyncio.sleep(0)

    def datagram_received(self, data, addr):
        self.source = addr
        self.outside.sendto(self.out(data), (FAR, self.port))


def plan(port, host=ROUTER, **more):
    return Plan(sbc=sbc("sbc-1", f"sip:{host}:{port}"), responder=(host, port), timeout_seconds=0.7, **more)


async def test_an_honest_network_is_fit(responder):
    lines = await run(plan(responder.port, FAR, calls=4, seconds=1.0))
    assert overall(lines) == "ok", [line for line in lines if line.state != "ok" and line.tested]
    by = {line.test: line for line in lines}
    assert {line.state for line in lines if line.test in {"alg", "nat", "dscp", "room"}} == {"ok"}
    assert by["room"].facts["sent"] == by["room"].facts["received"] == 200
    assert 350 <= by["room"].facts["kbit_per_second"] <= 420
    assert by["nat"].facts["type"] == "none"


@pytest.mark.parametrize(
    ("rewrite", "named"),
    [
        (lambda data: data.replace(b"Via: SIP/2.0/UDP 127.0.0.1", b"Via: SIP/2.0/UDP " + PUBLIC), "via"),
        (lambda data: data.replace(b"preflight@127.0.0.1", b"preflight@" + PUBLIC), "contact"),
        (lambda data: data.replace(b"c=IN IP4 127.0.0.1", b"c=IN IP4 " + PUBLIC), "SDP"),
        (
            lambda data: data.replace(b"Content-Type: application/sdp", b"Content-Type: application/sdp\r\nX-ALG: 1"),
            "x-alg",
        ),
    ],
)
async def test_an_alg_is_caught_by_what_it_rewrites(responder, rewrite, named):
    async with Router.between(responder.port, rewrite):
        lines = await alg(plan(responder.port))
    told = lines[1]
    assert (told.subject, told.state) == (f"responder {ROUTER}:{responder.port}", "failed")
    assert any(one.startswith(named) for one in told.facts["changed"]), told.facts


async def test_an_alg_that_puts_everything_back_is_seen_by_the_responder_alone(responder):
    mine, its = b"Via: SIP/2.0/UDP 127.0.0.1", b"Via: SIP/2.0/UDP " + PUBLIC
    async with Router.between(responder.port, lambda d: d.replace(mine, its), lambda d: d.replace(its, mine)):
        by_sbc, by_responder = await alg(plan(responder.port))
    assert (by_sbc.state, by_responder.state) == ("ok", "failed")


@pytest.mark.parametrize(
    ("rewrite", "state"),
    [
        (lambda data: data, "ok"),
        (lambda data: data.replace(b"Via: SIP/2.0/TCP 127.0.0.1", b"Via: SIP/2.0/TCP " + PUBLIC), "failed"),
        (lambda data: data.replace(b"preflight@127.0.0.1", b"preflight@" + PUBLIC), "failed"),
        (lambda _data: b"", "unknown"),
    ],
)
async def test_an_alg_over_tcp(rewrite, state):
    async def serve(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError):
            request = rewrite(await reader.readuntil(b"\r\n\r\n"))
            if request:
                writer.write(answer(request))
                await writer.drain()
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, FAR, 0)
    async with server:
        address = f"sip:{FAR}:{server.sockets[0].getsockname()[1]};transport=tcp"
        lines = await alg(Plan(sbc=sbc("sbc-1", address), timeout_seconds=0.4))
    assert [(one.subject, one.state) for one in lines if one.subject.endswith("tcp")] == [("sbc-1 tcp", state)], lines


async def test_a_router_that_leaves_sip_alone_is_no_alg(responder):
    async with Router.between(responder.port, lambda data: data):
        assert [line.state for line in await alg(plan(responder.port))] == ["ok", "ok"]
        (told,) = await nat(plan(responder.port))
    assert told.facts["type"] in {"several", "endpoint_independent", "unknown", "symmetric"}
    assert told.facts["views"][0]["seen"].startswith(f"{OUTSIDE}:")


async def test_a_far_end_that_is_no_responder_sends_no_load():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind((FAR, 0))
        port = deaf.getsockname()[1]
        (told,) = await room(plan(port, FAR, calls=50, seconds=10))
        assert not told.tested
        deaf.setblocking(False)
        got = 0
        with contextlib.suppress(BlockingIOError):
            while deaf.recv(65_535):
                got += 1
    assert got <= 4, "nothing but the question and its repetitions"


async def test_the_responder_bounds_what_it_does(responder):
    from probes.preflight import train

    with Datagrams(socket.AF_INET) as sock:
        sock.sock.bind((f"{NET}.0.50", 0))
        forged = train.build(train.Packet(train.OUT, "0" * 16, 1, 0, 0, 0), 222)
        for junk in (forged, b"", b"\xff" * 100, b"OPTIONS sip:a SIP/2.0\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n"):
            sock.sock.sendto(junk, (FAR, responder.port))
        assert (await sock.ask((FAR, responder.port), b"x" * 64, b"", seconds=0.2)).kind == "silence"
    assert responder.answered == 0
    assert responder.refused >= 5


async def test_closed_and_silent_ports_are_told_apart():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent, socket.socket() as open_port:
        silent.bind((FAR, 0))
        open_port.bind((FAR, 0))
        open_port.listen()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
            gone.bind((FAR, 0))
            closed = gone.getsockname()[1]
        one = sbc("sbc-1", f"sip:{FAR}:{closed}", f"sip:{FAR}:{silent.getsockname()[1]}", "sip:no-such-name.invalid")
        portal = ("portal", FAR, open_port.getsockname()[1])
        made = Plan(sbc=one, portals=(portal, ("shut", FAR, closed)), timeout_seconds=0.4)
        lines = await ports(made)
        others = await destinations(made)
    kinds = [(line.state, line.facts["kind"]) for line in lines if line.tested][:3]
    assert kinds == [("failed", "refused"), ("failed", "timeout"), ("failed", "dns")]
    assert [line.state for line in others] == ["ok", "failed"]
    assert all(line.remedy for line in lines if line.facts.get("kind") in {"refused", "timeout"} and line.tested)


async def test_rtp_ports_reached_by_icmp_and_silent():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((FAR, 40_002))
        (told,) = await rtp_range(Plan(sbc=sbc("s", f"sip:{FAR}", rtp=(40_000, 40_004))))
    assert told.state == "ok"
    assert told.facts == {"reached": [40_000, 40_004], "stopped": [], "silent": [40_002]}


# --- in a namespace of its own, with real firewalls and queues ---

NAMESPACE = """
import asyncio, json, sys
from probes.preflight import Plan, Responder
from probes.preflight.base import Sbc
from probes.preflight.{module} import {test}
from probes.sip.uri import parse_uri
async def main():
    responder = Responder("127.87.0.9", 5060)
    responder.start()
    plan = Plan(sbc=Sbc(name="s", addresses=(parse_uri("sip:127.87.0.9:5060"),), rtp_ports=(40000, 40010)),
                responder=("127.87.0.9", 5060), calls={calls}, seconds={seconds}, timeout_seconds=0.6)
    lines = await {test}(plan)
    print(json.dumps([[l.subject, l.state, l.tested, l.facts] for l in lines]))
    responder.close()
asyncio.run(main())
"""


def in_namespace(setup, test, module=None, calls=10, seconds=1.0):
    """The lines of one test where `setup` has been done to the network; skipped where that is not allowed."""
    for program in (
        "unshare",
        "ip",
        *({"iptables"} if "iptables" in setup else ()),
        *({"tc"} if "tc " in setup else ()),
    ):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    code = NAMESPACE.format(test=test, module=module or test, calls=calls, seconds=seconds)
    allowed = subprocess.run(
        ["unshare", "-n", "sh", "-c", f"ip link set lo up && {setup}"], capture_output=True, text=True, check=False
    )
    if allowed.returncode != 0:
        pytest.skip(f"not allowed here: {allowed.stderr.strip()[-200:]}")
    done = subprocess.run(
        ["unshare", "-n", "sh", "-c", f'ip link set lo up && {setup} && exec "$0" -c "$1"', sys.executable, code],
        capture_output=True, text=True, check=True, timeout=60, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    return json.loads(done.stdout)


def test_a_firewall_that_drops_is_silence_and_one_that_rejects_is_named():
    (address, *_) = in_namespace("iptables -A INPUT -p udp --dport 5060 -j DROP", "ports")
    assert (address[1], address[3]["kind"]) == ("failed", "timeout")
    (told,) = in_namespace("iptables -A INPUT -p udp --dport 40000:40010 -j DROP", "rtp_range")
    assert (told[1], told[2]) == ("unknown", False)
    (told,) = in_namespace(
        "iptables -A OUTPUT -p udp --dport 40000:40010 -j REJECT --reject-with icmp-admin-prohibited", "rtp_range"
    )
    assert told[1] == "failed"


def test_marks_that_are_taken_off_on_the_way_are_seen():
    lines = in_namespace("iptables -t mangle -A OUTPUT -p udp --dport 5060 -j DSCP --set-dscp 0", "marks")
    assert [(line[0], line[1], line[3]["arrived"]) for line in lines] == [("CS3", "warning", 0), ("EF", "warning", 0)]
    lines = in_namespace("iptables -t mangle -A OUTPUT -p udp --sport 5060 -j DSCP --set-dscp 0", "marks")
    assert [(line[1], line[3]["arrived"], line[3]["returned"]) for line in lines] == [
        ("warning", 24, 0), ("warning", 46, 0)
    ]  # fmt: skip


def test_a_narrow_line_has_no_room():
    narrow = "tc qdisc add dev lo root tbf rate 1mbit burst 4kb latency 20ms"
    lines = in_namespace(narrow, "room", calls=20, seconds=2.0)
    assert "failed" in {line[1] for line in lines}
    lines = in_namespace("tc qdisc add dev lo root tbf rate 20mbit burst 32kb latency 50ms", "room", calls=5)
    assert {line[1] for line in lines} == {"ok"}, lines


# --- as a person types it ---


def sereno(*arguments, **more):
    return subprocess.run(
        [sys.executable, "-m", "sereno", "preflight", *arguments], capture_output=True, text=True, check=False,
        timeout=60, **more,
    )  # fmt: skip


@pytest.fixture
def topology(tmp_path):
    file = tmp_path / "topology.yaml"
    file.write_text(
        'service: v\ncores: {c: {uri: "sip:10.0.0.1"}}\n'
        f'sbcs: {{s: {{addresses: ["sip:{FAR}:5070"], primary: c}}}}\n'
    )
    return file


def test_the_command_and_its_far_side(topology, tmp_path):
    far = subprocess.Popen(
        [sys.executable, "-m", "sereno", "preflight", "--respond", f"{FAR}:5070"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert "responder on" in far.stdout.readline()
        page = tmp_path / "informe.html"
        done = sereno(
            "--sbc",
            "s",
            "--topology",
            topology,
            "--responder",
            f"{FAR}:5070",
            "--seconds",
            "1",
            "--html",
            page,
            "--json",
        )
        assert done.returncode == 0, done.stderr + done.stdout
        told = json.loads(done.stdout)
        assert (told["sbc"], told["state"]) == ("s", "ok")
        assert {line["test"] for line in told["lines"]} == {
            "dns", "ports", "rtp", "destinations", "alg", "nat", "dscp", "room",
        } - {"destinations"}  # fmt: skip
        assert "Capacidad para llamadas" in done.stderr, "progress is told"
        assert "Apta para voz" in page.read_text(encoding="utf-8")
        said = sereno("--sbc", "s", "--topology", topology, "--lang", "en")
        assert said.returncode == 0
        assert "Fit for voice" in said.stdout
    finally:
        far.send_signal(signal.SIGINT)
        far.wait(10)
        far.stdout.close()
    gone = sereno("--sbc", "s", "--topology", topology)
    assert gone.returncode == 1
    assert "✕ s udp" in gone.stdout
    assert "→ confirme la dirección" in gone.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give --sbc NAME"),
        (["--sbc", "x"], "there is no SBC 'x'; there are s"),
        (["--sbc", "s", "--calls", "51"], "--calls 51: from 1 to 50"),
        (["--sbc", "s", "--seconds", "11"], "--seconds 11: from 1 to 10"),
        (["--sbc", "s", "--lang", "fr"], "--lang 'fr': there are es, en"),
        (["--sbc", "s", "--rtp-ports", "9-1"], "--rtp-ports: '9-1' runs backwards"),
        (["--sbc", "s", "--responder", "nowhere"], "--responder 'nowhere': write HOST:PORT"),
        (["--respond", "192.0.2.1:5060"], "--respond 192.0.2.1:5060: "),
    ],
)
def test_wrong_use_is_one_line_and_status_2(topology, arguments, said):
    done = sereno(*arguments, *([] if "--respond" in arguments or not arguments else ["--topology", topology]))
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.lab
def test_against_the_real_softswitch(lab, tmp_path):
    began = time.monotonic()
    done = sereno(
        "--sbc", "sbc-1", "--topology", lab.topology_path, "--json", env={**os.environ, "HOME": str(tmp_path)}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    states = {(line["test"], line["state"]) for line in json.loads(done.stdout)["lines"] if line["tested"]}
    assert states == {("ports", "ok"), ("destinations", "ok"), ("alg", "ok"), ("nat", "ok")}
    assert time.monotonic() - began < 20
    lab.break_("sbc-1:drop")
    done = sereno("--sbc", "sbc-1", "--topology", lab.topology_path, "--json")
    assert done.returncode == 1
