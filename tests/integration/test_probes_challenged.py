"""Challenged OPTIONS against a scripted peer: credentials, stale and changed nonces, refusals; none of it is shown."""

import asyncio
import contextlib
import hashlib
import re

import msgspec
import pytest
from stream_peer import answer

from probes.checks import REGISTRY, Runtime, targets
from probes.sip.client import SipClient
from sereno.clock import SystemClock
from sereno.topology.model import Topology

HOST = "127.81.6.1"
REALM, USER, PASSWORD = "voice.example", "9000", "s3cret-of-9000"


class Guard(asyncio.DatagramProtocol):
    """Answers 200 to whoever knows the password for one of its `good` nonces; a callable says what else it does."""

    def __init__(self, *, status=401, algorithm="MD5", uses=1_000):
        self.status, self.algorithm, self.uses = status, algorithm, uses
        self.requests, self.given, self.counts = [], 0, {}
        self.nonce = self._new()

    def _new(self):
        self.given += 1
        return f"nonce-{self.given}"

    def connection_made(self, transport):
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data, addr):
        self.requests.append(data.decode())
        self.transport.sendto(self.judge(data.rstrip()), addr)

    def judge(self, data):
        found = re.search(rb"^(?:Proxy-)?Authorization: Digest (.*?)\r?$", data, re.MULTILINE)
        said = dict(re.findall(r'(\w+)="?([^",]*)"?', found[1].decode())) if found else {}
        if said.get("nonce") == self.nonce and self._knows(said):
            count = int(said.get("nc", "1"), 16)
            if count > self.counts.get(self.nonce, 0) and count <= self.uses:
                self.counts[self.nonce] = count
                return answer(data, "200 OK", "Server: core-a")
        stale = bool(said) and self._knows(said)
        self.nonce = self._new()
        name = "WWW-Authenticate" if self.status == 401 else "Proxy-Authenticate"
        challenge = f'{name}: Digest realm="{REALM}", nonce="{self.nonce}", qop="auth", algorithm={self.algorithm}'
        return answer(data, f"{self.status} No", challenge + (", stale=true" if stale else ""), "Server: core-a")

    def _knows(self, said):
        def hashed(text):
            return hashlib.new({"MD5": "md5", "SHA-256": "sha256"}[self.algorithm], text.encode()).hexdigest()

        ha1, ha2 = hashed(f"{USER}:{REALM}:{PASSWORD}"), hashed(f"OPTIONS:{said['uri']}")
        return said["response"] == hashed(f"{ha1}:{said['nonce']}:{said['nc']}:{said['cnonce']}:auth:{ha2}")


@contextlib.asynccontextmanager
async def guard(**settings):
    loop = asyncio.get_running_loop()
    transport, made = await loop.create_datagram_endpoint(lambda: Guard(**settings), local_addr=(HOST, 0))
    try:
        yield made
    finally:
        transport.close()
        await asyncio.sleep(0)


@pytest.fixture
async def sip():
    made = SipClient("bog-1", clock=SystemClock())
    yield made
    await made.close()


async def check(sip, at, *, password=PASSWORD, realm=REALM):
    topology = Topology.model_validate({
        "service": "voice",
        "cores": {"core-a": {"uri": "sip:10.8.0.1", "identify": {"header": "Server", "contains": "core-a"}}},
        "sbcs": {"sbc-1": {"addresses": [f"sip:{HOST}:{at.port}"], "primary": "core-a"}},
        "accounts": {"monitor": {"user": USER, "realm": realm, "password": {"env": "NOWHERE"}}},
    })  # fmt: skip
    runtime = Runtime(clock=SystemClock(), topology=topology, probe="bog-1", sip=sip, secret=lambda _: password)
    (target,) = targets(topology, "bog-1", ["options"])
    return await REGISTRY["options"](target, runtime)


def header(request, name):
    return next(line for line in request.split("\r\n") if line.startswith(f"{name}: "))


@pytest.mark.parametrize(("status", "algorithm"), [(401, "MD5"), (407, "MD5"), (401, "SHA-256"), (407, "SHA-256")])
async def test_a_challenge_is_answered_once_and_its_nonce_used_again(sip, status, algorithm):
    async with guard(status=status, algorithm=algorithm) as at:
        found = [await check(sip, at) for _ in range(3)]
        first, second, *rest = at.requests
    assert [(r.outcome, r.code, r.answered_core) for r in found] == [("ok", 200, "core-a")] * 3
    assert all(r.facts["digest"] == {"realm": REALM, "algorithm": algorithm, "accepted": True} for r in found)
    assert len(rest) == 2, "one challenge serves three checks"
    for name in ("Call-ID", "From", "To"):
        assert header(first, name) == header(second, name)
    assert (header(first, "CSeq"), header(second, "CSeq")) == ("CSeq: 1 OPTIONS", "CSeq: 2 OPTIONS")
    assert header(first, "Via") != header(second, "Via")
    assert [re.search("nc=(\\w+)", request)[1] for request in (second, *rest)] == ["00000001", "00000002", "00000003"]
    assert found[0].duration_seconds > found[0].rtt_seconds, "two transactions, the round trip of the last"


async def test_a_nonce_that_may_be_used_once_is_replaced_each_time(sip):
    async with guard(uses=1) as at:
        found = [await check(sip, at) for _ in range(3)]
    assert {(r.outcome, r.code) for r in found} == {("ok", 200)}
    assert len(at.requests) == 6


async def test_a_refused_password_stays_an_answer_and_is_told(sip):
    async with guard() as at:
        found = [await check(sip, at, password="wrong") for _ in range(2)]
    for r in found:
        assert (r.outcome, r.reason, r.code) == ("ok", None, 401)
        assert r.facts["digest"]["accepted"] is False
    assert len(at.requests) == 4, "asked, refused, and no more"


@pytest.mark.parametrize("settings", [{"realm": "elsewhere.example"}, {"password": None}])
async def test_without_an_account_or_its_secret_the_challenge_is_the_answer(sip, settings):
    async with guard() as at:
        found = await check(sip, at, **settings)
    assert (found.outcome, found.code, found.facts, len(at.requests)) == ("ok", 401, None, 1)


async def test_a_peer_that_says_stale_for_ever_is_asked_three_times(sip):
    class Endless(Guard):
        def judge(self, data):
            self.nonce = self._new()
            challenge = f'WWW-Authenticate: Digest realm="{REALM}", nonce="{self.nonce}", stale=true'
            return answer(data, "401 No", challenge, "Server: core-a")

    loop = asyncio.get_running_loop()
    transport, at = await loop.create_datagram_endpoint(Endless, local_addr=(HOST, 0))
    found = await check(sip, at)
    transport.close()
    assert (found.outcome, found.code, found.facts["digest"]["accepted"], len(at.requests)) == ("ok", 401, False, 3)


async def test_evidence_shows_no_credentials(sip):
    class Refusing(Guard):
        def judge(self, data):
            if b"Authorization" in data:
                return answer(data, "503 No", "Server: core-a")
            return super().judge(data)

    loop = asyncio.get_running_loop()
    transport, at = await loop.create_datagram_endpoint(Refusing, local_addr=(HOST, 0))
    found = await check(sip, at)
    transport.close()
    response = re.search('response="(\\w+)"', at.requests[1])[1]
    assert (found.outcome, found.reason) == ("failed", "sip_5xx")
    assert [m["direction"] for m in found.evidence["messages"]] == ["sent", "received", "sent", "received"]
    said = msgspec.json.encode(found).decode()
    assert response not in said
    assert PASSWORD not in said


@pytest.mark.parametrize(("tag", "facts"), [(b";tag=peer", None), (b"", {"to_tag": "missing"})])
async def test_a_final_reply_without_a_tag_in_its_to_is_told(sip, tag, facts):
    class Plain(Guard):
        def judge(self, data):
            return answer(data, "200 OK", "Server: core-a").replace(b";tag=peer", tag)

    loop = asyncio.get_running_loop()
    transport, at = await loop.create_datagram_endpoint(Plain, local_addr=(HOST, 0))
    found = await check(sip, at)
    transport.close()
    assert (found.outcome, found.code, found.facts) == ("ok", 200, facts)
