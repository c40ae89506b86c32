"""REGISTER against a registrar that says what it is told to say: real pjsua2, real datagrams."""

import asyncio
import os
import re
import signal

import pytest

from probes.checks import REGISTRY, Runtime, targets
from probes.sip.pool import CallPool
from sereno.clock import SystemClock
from sereno.topology.model import Topology
from tests.integration.test_probes_calls import until

pytestmark = pytest.mark.lab

CHALLENGE = 'WWW-Authenticate: Digest realm="voice", nonce="{nonce}", algorithm=MD5{more}'


class Registrar(asyncio.DatagramProtocol):
    """Answers the n-th REGISTER with the n-th of its lines; the last one for ever.

    To one without Contact it tells what it last granted, or what `remembers` says.
    """

    def __init__(self, *says, remembers=None):
        self.says, self.asked = says, []
        self.fetched, self.granted, self.remembers = [], (), remembers

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        text = data.decode()
        if not text.startswith("REGISTER"):
            return
        if "\r\nContact:" not in text:
            self.fetched.append(text)
            status, *headers = ("200 OK", *self.granted) if self.remembers is None else self.remembers
        else:
            says = self.says[min(len(self.asked), len(self.says) - 1)]
            self.asked.append(text)
            status, *headers = says(text) if callable(says) else says
            self.granted = [header for header in headers if header.startswith("Contact")]
        kept = re.findall(r"^(?:Via|From|To|Call-ID|CSeq):.*?\r\n", text, re.MULTILINE)
        lines = [f"SIP/2.0 {status}\r\n", *kept, *(f"{h}\r\n" for h in ("Server: core-a", *headers))]
        self.transport.sendto(("".join(lines) + "Content-Length: 0\r\n\r\n").encode(), address)


def granted(text):
    contact = re.search(r"^Contact: (<[^>]*>)", text, re.MULTILINE)[1]
    seconds = re.search(r"^Expires: (\d+)", text, re.MULTILINE)[1]
    return "200 OK", f"Contact: {contact};expires={seconds}", f"Contact: <sip:desk@192.0.2.9>;expires={seconds}"


def nonce(text):
    found = re.search(r'nonce="([^"]*)"', text)
    return found[1] if found else None


def bench(tmp_path, transport):
    """A pool, its runtime and the one target: a registration with whoever listens there."""
    port = transport.get_extra_info("sockname")[1]
    (tmp_path / "secret").write_text("pass")
    topology = Topology.model_validate(
        {
            "service": "voice",
            "cores": {"core-a": {"uri": "sip:127.84.0.9", "identify": {"header": "Server", "contains": "core-a"}}},
            "sbcs": {"sbc-1": {"addresses": [f"sip:127.84.0.1:{port}"], "primary": "core-a", "backup": "core-a"}},
            "accounts": {
                "monitor-1": {"user": "9000", "realm": "voice", "password": {"file": str(tmp_path / "secret")}}
            },
            "checks": {"register": {"every": "1s", "accounts": ["monitor-1"], "expires": "60s", "timeout": "2s"}},
        }
    )
    found = targets(topology, "p", ["register"])
    clock = SystemClock()
    pool = CallPool(found, clock, capture=False)
    return pool, Runtime(clock=clock, topology=topology, calls=pool), found[0]


async def registration(tmp_path, *says, times=1, pause=0.0, remembers=None):
    """The results of registering `times` with a registrar that says this, and what it was asked."""
    loop = asyncio.get_running_loop()
    transport, registrar = await loop.create_datagram_endpoint(
        lambda: Registrar(*says, remembers=remembers), local_addr=("127.84.0.1", 0)
    )
    pool, runtime, target = bench(tmp_path, transport)
    await pool.start()
    try:
        results = []
        for _ in range(times):
            results.append(await REGISTRY["register"](target, runtime))
            await asyncio.sleep(pause)
        return results, list(registrar.asked)
    finally:
        await pool.stop()
        transport.close()


async def test_423_is_obeyed_once(tmp_path):
    (result,), asked = await registration(tmp_path, ("423 Interval Too Brief", "Min-Expires: 300"), granted)
    assert (result.outcome, result.expires_seconds) == ("ok", 300.0)
    assert [re.search(r"Expires: (\d+)", text)[1] for text in asked] == ["60", "300"]
    assert result.facts["min_expires_seconds"] == 300


async def test_a_registrar_that_says_423_for_ever_is_not_asked_for_ever(tmp_path):
    (result,), asked = await registration(tmp_path, ("423 Interval Too Brief", "Min-Expires: 300"))
    assert (result.outcome, result.reason, result.code) == ("failed", "sip_4xx", 423)
    assert len(asked) == 2


async def test_a_registrar_that_sends_pjsip_round_and_round_is_left_alone(tmp_path):
    # 2^32 - 1 is pjsip's own "none": it sent 2,700 REGISTERs a second, for ever.
    (result,), asked = await registration(tmp_path, ("423 Interval Too Brief", "Min-Expires: 4294967295"))
    assert (result.outcome, result.reason, result.code) == ("failed", "sip_4xx", 423)
    assert len(asked) < 300


async def test_an_answer_with_another_branch_is_no_answer(tmp_path):
    class Forger(Registrar):
        def datagram_received(self, data, address):
            super().datagram_received(data.replace(b"branch=z9hG4bK", b"branch=z9hG4bKx"), address)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: Forger(granted), local_addr=("127.84.0.1", 0))
    pool, runtime, target = bench(tmp_path, transport)
    await pool.start()
    try:
        result = await REGISTRY["register"](target, runtime)
    finally:
        await pool.stop()
        transport.close()
    assert (result.outcome, result.reason, result.answered_by) == ("failed", "timeout", "none")


async def test_a_stale_nonce_is_answered_with_the_new_one(tmp_path):
    (result,), asked = await registration(
        tmp_path,
        ("401 Unauthorized", CHALLENGE.format(nonce="one", more="")),
        ("401 Unauthorized", CHALLENGE.format(nonce="two", more=", stale=true")),
        granted,
    )
    assert result.outcome == "ok"
    assert [nonce(text) for text in asked] == [None, "one", "two"]
    assert result.facts["bindings"] == 2  # the answer lists the desk phone's too


async def test_503_keeps_its_retry_after_and_403_is_the_accounts(tmp_path):
    (busy,), _ = await registration(tmp_path, ("503 Service Unavailable", "Retry-After: 17"))
    (refused,), _ = await registration(tmp_path, ("403 Forbidden",))
    assert (busy.outcome, busy.reason, busy.code, busy.retry_after_seconds) == ("failed", "sip_5xx", 503, 17.0)
    assert (refused.outcome, refused.reason, refused.account) == ("failed", "auth", "monitor-1")


async def test_the_way_back_is_timed_and_a_lapsed_binding_is_told(tmp_path):
    def brief(text):
        return "200 OK", granted(text)[1].rpartition("=")[0] + "=1"

    results, _ = await registration(tmp_path, brief, ("503 Service Unavailable",), granted, times=3, pause=0.6)
    assert [r.outcome for r in results] == ["ok", "failed", "ok"]
    assert 0.6 <= results[2].facts["rebind_seconds"]["service"] < 1.5
    assert 0.1 < results[2].facts["lapsed_seconds"] < 1.5


async def test_a_binding_is_looked_for_before_it_is_renewed(tmp_path):
    first, second = (await registration(tmp_path, granted, times=2))[0]
    assert (first.outcome, second.outcome) == ("ok", "ok")
    assert "fetch" not in first.facts  # there was none to look for
    told = second.facts["fetch"]
    assert (told["code"], told["bindings"], told["kept"]) == (200, 2, True)
    assert 0 < told["seconds"] < 1


async def test_a_binding_that_is_gone_before_its_time_is_missing_though_it_can_be_made_anew(tmp_path):
    others = ("200 OK", "Contact: <sip:desk@192.0.2.9>;expires=60")
    first, second = (await registration(tmp_path, granted, times=2, remembers=others))[0]
    assert first.outcome == "ok"
    assert (second.outcome, second.reason, second.code) == ("failed", "binding_missing", 200)
    assert second.expires_seconds == 60.0
    assert second.facts["fetch"] | {"seconds": 0} == {"code": 200, "seconds": 0, "bindings": 1, "kept": False}
    asked = [row["text"] for row in second.evidence["messages"] if row["text"].startswith("REGISTER")]
    assert ["Contact:" in text for text in asked] == [False, True]


@pytest.mark.parametrize("says", [("405 Method Not Allowed",), ("403 Forbidden",), ("302 Moved",), ("503 Busy",)])
async def test_a_registrar_that_tells_nobody_its_bindings_is_no_failure(tmp_path, says):
    second = (await registration(tmp_path, granted, times=2, remembers=says))[0][1]
    assert second.outcome == "ok"
    assert second.facts["fetch"]["code"] == int(says[0][:3])
    assert "kept" not in second.facts["fetch"]


async def test_a_registrar_that_grants_less_is_told_and_pjsip_renews_in_time(tmp_path):
    def less(text):
        return "200 OK", granted(text)[1].rpartition("=")[0] + "=7"  # after five seconds it is about to lapse

    first, second = (await registration(tmp_path, less, times=2, pause=5.3))[0]
    assert (first.outcome, first.expires_seconds, first.facts["asked_expires_seconds"]) == ("ok", 7.0, 60)
    assert second.facts["renewals"] == 1
    assert "lapsed_seconds" not in second.facts


async def test_a_worker_that_crashes_leaves_its_last_words_in_the_evidence(tmp_path):
    loop = asyncio.get_running_loop()
    transport, registrar = await loop.create_datagram_endpoint(Registrar, local_addr=("127.84.0.1", 0))
    registrar.says = ((),)
    registrar.datagram_received = lambda data, _: registrar.asked.append(data)  # silence
    pool, runtime, target = bench(tmp_path, transport)
    await pool.start()
    try:
        asked = asyncio.create_task(REGISTRY["register"](target, runtime))
        await until(lambda: registrar.asked)
        os.kill(pool.workers[0].pid, signal.SIGABRT)  # what pjsip's own asserts do
        result = await asked
    finally:
        await pool.stop()
        transport.close()
    assert (result.outcome, result.reason) == ("invalid", "probe_fault")
    assert "status -6" in result.evidence["detail"]
    assert any("Fatal Python error: Aborted" in line for line in result.evidence["log"])
