"""The standing of an SBC's TLS listener: measured beside the edge checks, held, told in `facts.tls` of edge."""

import asyncio
import contextlib
import ssl
import warnings

import msgspec
import pytest
from pki import Pki
from stream_peer import HOST, answer, stream_peer

from probes.checks import REGISTRY, Runtime, targets
from probes.checks.sip_standing import SipStandings
from probes.sip.client import SipClient
from sereno.clock import SystemClock
from sereno.topology import parse_topology


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def good(pki):
    return pki.issue("sbc", f"IP:{HOST}", days=60)


def listener(pair, *, low=ssl.TLSVersion.TLSv1_2, ciphers=None, ca=None):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(*pair)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made.minimum_version = low
    if ciphers is not None:
        made.set_ciphers(ciphers)
    if ca is not None:
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(ca)
    return made


def topology(pki, port, more=""):
    return parse_topology("t.yaml", f"""
service: voice
cores: {{core-a: {{uri: "sip:127.82.9.1:5060"}}}}
sbcs: {{sbc-1: {{addresses: ["sips:{HOST}:{port}"], primary: core-a, tls: {{ca: "{pki.ca}"{more}}}}}}}
""".encode())  # fmt: skip


class Probe:
    """What a probe process keeps; `look` is one scan when due and one edge check."""

    def __init__(self):
        self.standings, self.clock = SipStandings(), SystemClock()

    async def look(self, pki, context, port=0, more="", scan=True):
        def well(request, number, side):
            side.write(answer(request))

        sip = SipClient("p", clock=self.clock)
        try:
            async with stream_peer(well, context=context, port=port) as at:
                given = topology(pki, at.port, more)
                runtime = Runtime(clock=self.clock, topology=given, sip=sip, standings=self.standings)
                (target,) = targets(given, "p", ("edge",))
                if scan:
                    for held in self.standings._held.values():
                        held.due = 0.0
                    await self.standings.scan_due([target], runtime)
                found = await REGISTRY["edge"](target, runtime)
                await sip.close()
                await asyncio.sleep(0.01)
                return found, at.port
        finally:
            await sip.close()


async def test_the_standing_of_a_good_listener_comes_with_edge(pki, good):
    found, _ = await Probe().look(pki, listener(good))
    tls = found.facts["tls"]
    assert (found.outcome, tls["grade"], tls["weaknesses"]) == ("ok", "A+", [])
    assert tls["protocols"] == {"TLSv1": False, "TLSv1.1": False, "TLSv1.2": True, "TLSv1.3": True}
    assert (tls["key"], tls["signature_hash"], tls["verified"]) == ({"type": "EC", "bits": 256}, "sha256", True)


async def test_it_drops_when_measured_weak_and_rises_only_when_measured_mended(pki, good):
    probe = Probe()
    old = listener(good, low=ssl.TLSVersion.TLSv1, ciphers="ALL:@SECLEVEL=0")
    _, port = await probe.look(pki, listener(good))
    found, _ = await probe.look(pki, old, port)
    assert found.outcome == "ok"  # a weak listener serves: never a failure
    assert (found.facts["tls"]["grade"], found.facts["tls"]["weaknesses"]) == ("F", ["anonymous", "tls10", "tls11"])
    found, _ = await probe.look(pki, listener(good), port, scan=False)
    assert found.facts["tls"]["grade"] == "F"  # nobody measured it mended
    found, _ = await probe.look(pki, listener(good), port)
    assert found.facts["tls"]["grade"] == "A+"


async def test_a_refused_certificate_and_one_that_ends_soon_need_no_scan(pki, good):
    probe = Probe()
    _, port = await probe.look(pki, listener(good))
    found, _ = await probe.look(pki, listener(pki.issue("gone", f"IP:{HOST}", ended=True)), port, scan=False)
    assert (found.outcome, found.reason) == ("failed", "tls")
    assert (found.facts["tls"]["grade"], found.facts["tls"]["weaknesses"]) == ("F", ["expiring", "untrusted"])
    found, _ = await probe.look(pki, listener(good), port, scan=False)
    assert found.facts["tls"]["grade"] == "A+"
    found, _ = await probe.look(pki, listener(good), port, more=", certificate_days: 90", scan=False)
    assert found.facts["tls"]["grade"] == "D"


async def test_before_a_scan_there_is_no_grade(pki, good):
    found, _ = await Probe().look(pki, listener(good), scan=False)
    assert "grade" not in found.facts["tls"]
    assert found.facts["tls"]["grade_at_most"] == "A+"


async def test_a_listener_that_wants_a_client_certificate_is_measured_with_and_without(pki, good):
    context = listener(good, ca=pki.ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    found, _ = await Probe().look(pki, context)
    assert found.reason == "tls"
    assert "weaknesses" not in found.facts["tls"]  # it was our own certificate that was missing
    ours = pki.issue("probe", "DNS:probe.example")
    found, _ = await Probe().look(pki, context, more=f', certificate: "{ours[0]}", key: "{ours[1]}"')
    assert found.outcome == "ok"
    assert found.facts["tls"]["protocols"] == {"TLSv1": False, "TLSv1.1": False, "TLSv1.2": True, "TLSv1.3": False}


@contextlib.asynccontextmanager
async def speaking(reply):
    async def serve(reader, writer):
        await reader.read(1)
        if reply:
            writer.write(reply)
            await writer.drain()
        writer.close()

    made = await asyncio.start_server(serve, HOST, 0)
    try:
        yield made.sockets[0].getsockname()[1]
    finally:
        made.close()


@pytest.mark.parametrize("reply", [b"", b"\x15\x03\x01\x00\x02\x02\x70", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
async def test_who_answers_no_offer_refuses_no_version(reply):
    """Hanging up on everything, unrecognized_name and what is no TLS say nothing of a version."""
    from probes.checks.tls_scan import scan

    async with speaking(reply) as port:
        found = await scan(HOST, port, "sbc.example", 3.0)
    assert (found["protocols"], found["suites"]) == ({}, {})


async def test_told_again_after_a_scan_it_is_one_standing(pki, good):
    """A check by hand tells before its scan, and once more after it."""
    probe = Probe()
    found, _ = await probe.look(pki, listener(good), scan=False)
    given = topology(pki, 1)
    (target,) = targets(given, "p", ("edge",))
    target = msgspec.structs.replace(target, address=found.address)
    again, _ = await probe.look(pki, listener(good), int(found.address.rpartition(":")[2]))
    runtime = Runtime(clock=probe.clock, topology=given)
    both = probe.standings.told(target, runtime, msgspec.structs.replace(again, facts=found.facts))
    assert ("grade_at_most" in found.facts["tls"], both.facts["tls"]["grade"]) == (True, "A+")
    assert "grade_at_most" not in both.facts["tls"]
