"""OPTIONS over TLS: who is believed, who is not and why, in words; and what is told of the session."""

import asyncio
import contextlib
import socket
import ssl
import threading

import pytest
from pki import Pki
from stream_peer import HOST, answer, eventually, stream_peer

from probes.sip import connection as connection_module
from probes.sip.client import Ask, SipClient
from probes.sip.tls import TlsSettings
from probes.sip.uri import parse_uri
from sereno.clock import SystemClock

NAME = "sbc.voice.example"


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def good(pki):
    return pki.issue("sbc", f"DNS:{NAME},DNS:*.wild.example,URI:sip:domain.example,IP:{HOST}")


@pytest.fixture
async def sip():
    made = SipClient("bog-1", clock=SystemClock())
    yield made
    await made.close()
    assert made.sockets == made.connections == 0


def server(certificate, *, ca=None, version=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    if ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(ca)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def well(request, number, side):
    side.write(answer(request))


def ask(port, pki, *, name=NAME, timeout=0.9, **settings):
    tls = TlsSettings(**{"server_name": name, "ca": str(pki.ca), "where": "sbcs.sbc-1.tls", **settings})
    return Ask(to=parse_uri(f"sips:{HOST}:{port}"), uri=f"sips:{HOST}:{port}", timeout_seconds=timeout, tls=tls)


async def once(sip, context, **settings):
    async with stream_peer(well, context=context) as at:
        return await sip.options(ask(at.port, **settings))


@pytest.mark.parametrize(
    ("version", "said"), [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")]
)
async def test_a_good_certificate_and_what_is_told_of_it(sip, pki, good, version, said):
    async with stream_peer(well, context=server(good, version=version)) as at:
        got = [await sip.options(ask(at.port, pki)) for _ in range(3)]
        assert len(at.connections) == 1
    assert [(e.kind, e.link.reused) for e in got] == [("answered", False), ("answered", True), ("answered", True)]
    assert got[0].link.handshake_seconds > 0
    assert all(0 < e.rtt_seconds < got[0].link.handshake_seconds + 0.5 for e in got)
    facts = got[0].link.session.facts(sip.clock.now_us())
    assert facts["version"] == said
    assert facts["cipher"]
    assert (facts["subject"], facts["issuer"]) == ("CN=sbc", "CN=Test ca")
    assert facts["sans"] == [NAME, "*.wild.example", "sip:domain.example", HOST]
    assert 9 < facts["days_to_expiry"] <= 10
    assert facts["not_after"].endswith("Z")
    assert facts["verified"] is True
    assert b"Via: SIP/2.0/TLS 127.0.0.1:" in at.requests[0]
    assert b"Contact: <sips:bog-1@" in at.requests[0]


@pytest.mark.parametrize("name", ["DOMAIN.example", "a.wild.example", HOST])
async def test_names_that_a_sip_certificate_may_carry(sip, pki, good, name):
    assert (await once(sip, server(good), pki=pki, name=name)).kind == "answered"


@pytest.mark.parametrize("name", ["other.example", "a.b.wild.example", "wild.example", "127.81.1.9"])
async def test_a_wrong_name(sip, pki, good, name):
    got = await once(sip, server(good), pki=pki, name=name)
    assert got.kind == "tls"
    assert got.detail.startswith(f"the certificate is for {NAME}, ")
    assert got.detail.endswith(f"not for {name}")
    facts = got.link.session.facts(0)
    assert (facts["verified"], facts["why"], facts["subject"]) == (False, got.detail, "CN=sbc")


async def test_an_expired_certificate_is_named_with_its_date(sip, pki):
    got = await once(sip, server(pki.issue("old", f"DNS:{NAME}", ended=True)), pki=pki)
    assert (got.kind, got.detail) == ("tls", "the certificate has expired [certificate has expired]")
    facts = got.link.session.facts(sip.clock.now_us())
    assert facts["days_to_expiry"] < 0
    assert (facts["subject"], facts["verified"], facts["why"]) == ("CN=old", False, got.detail)


async def test_a_refused_certificate_is_read_once_a_minute(sip, pki):
    context = server(pki.issue("old", f"DNS:{NAME}", ended=True))
    async with stream_peer(well, context=context) as at:
        found = [await sip.options(ask(at.port, pki)) for _ in range(4)]
        completed = len(at.connections)
    assert {e.link.session.subject for e in found} == {"CN=old"}
    assert completed == 1, "only the look completes a handshake, and there is one"


async def test_a_self_signed_certificate(sip, pki):
    got = await once(sip, server(pki.self_signed("alone", f"DNS:{NAME}")), pki=pki)
    assert got.kind == "tls"
    assert "self-signed" in got.detail
    assert got.link.session.subject == "CN=alone"


async def test_an_unknown_authority(sip, pki, good, tmp_path):
    got = await once(sip, server(good), pki=Pki(tmp_path, "other"))
    assert got.kind == "tls"
    assert "unknown authority" in got.detail


async def test_a_client_certificate_that_is_wanted_and_given(sip, pki, good):
    certificate, key = pki.issue("probe", "DNS:probe.example")
    context = server(good, ca=pki.ca)
    assert (await once(sip, context, pki=pki, certificate=str(certificate), key=str(key))).kind == "answered"


@contextlib.asynccontextmanager
async def openssl_server(certificate, *arguments):
    """A real `openssl s_server` (asyncio's own server never sends its alerts); gives the port."""
    process = await asyncio.create_subprocess_exec(
        "openssl", "s_server", "-accept", f"{HOST}:0", "-cert", str(certificate[0]), "-key", str(certificate[1]),
        *map(str, arguments),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        line = b""
        while not line.startswith(b"ACCEPT"):
            line = await asyncio.wait_for(process.stdout.readline(), 10)
            assert line, "openssl s_server ended"
        yield int(line.rsplit(b":", 1)[1])
    finally:
        process.kill()
        await process.communicate()


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
async def test_a_client_certificate_that_is_wanted_and_missing(sip, pki, good, version):
    """With TLS 1.3 the server says so only after the handshake: the transaction in flight learns of it."""
    async with openssl_server(good, version, "-Verify", 2, "-CAfile", pki.ca) as port:
        got = await sip.options(ask(port, pki))
    assert got.kind == "tls"
    assert "wants a client certificate" in got.detail
    assert got.duration_seconds < 0.8


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
async def test_a_client_certificate_of_an_authority_that_they_do_not_know(sip, pki, good, tmp_path, version):
    certificate, key = Pki(tmp_path, "foreign").issue("probe", "DNS:probe.example")
    arguments = (version, "-Verify", 2, "-verify_return_error", "-CAfile", pki.ca)
    async with openssl_server(good, *arguments) as port:
        got = await sip.options(ask(port, pki, certificate=str(certificate), key=str(key)))
    assert got.kind == "tls"
    assert "our client certificate" in got.detail


async def test_a_server_of_old_versions_only(sip, pki, good):
    async with openssl_server(good, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0") as port:
        got = await sip.options(ask(port, pki))
    assert got.kind == "tls"
    assert "refuses TLS 1.2 and 1.3" in got.detail or "no version of TLS" in got.detail


async def test_what_speaks_no_tls(sip, pki):
    async def blunt(reader, writer):
        writer.write(b"SIP/2.0 400 Bad Request\r\n\r\n")
        await reader.read(-1)
        writer.close()

    listening = await asyncio.start_server(blunt, HOST, 0)
    async with listening:
        got = await sip.options(ask(listening.sockets[0].getsockname()[1], pki))
    assert (got.kind, "speaks no TLS" in got.detail) == ("tls", True), got.detail


async def test_a_peer_that_never_shakes_hands_is_a_timeout(sip, pki):
    async def silent(reader, writer):
        await reader.read(-1)
        writer.close()

    listening = await asyncio.start_server(silent, HOST, 0)
    async with listening:
        got = await sip.options(ask(listening.sockets[0].getsockname()[1], pki, timeout=0.3))
    assert got.kind == "timeout"
    assert "no TLS handshake" in got.detail  # not only "no connection": TCP was up
    assert got.link is None or got.link.connect_seconds > 0


async def test_a_session_is_made_anew_when_it_is_old(sip, pki, good, monkeypatch):
    """So that a certificate renewed by the SBC, or about to end, is seen."""
    async with stream_peer(well, context=server(good)) as at:
        first = await sip.options(ask(at.port, pki))
        monkeypatch.setattr(connection_module, "TLS_AGE_SECONDS", 0.0)
        second = await sip.options(ask(at.port, pki))
        assert len(at.connections) == 2
    assert [first.link.reused, second.link.reused] == [False, False]


async def test_a_killed_tls_connection_is_replaced(sip, pki, good):
    async with stream_peer(well, context=server(good)) as at:
        await sip.options(ask(at.port, pki))
        at.connections[0].drop()
        await eventually(lambda: sip.connections == 0)
        got = await sip.options(ask(at.port, pki))
    assert (got.kind, got.link.reused) == ("answered", False)
    assert "the connection was" in got.link.replaced


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"ca": "/nowhere/ca.pem"}, "sbcs.sbc-1.tls.ca: /nowhere/ca.pem: No such file or directory; put the PEM file"),
        ({"certificate": "/nowhere/c.pem", "key": "/nowhere/k.pem"}, "sbcs.sbc-1.tls.certificate: /nowhere/c.pem: No"),
    ],
)
async def test_a_missing_pem_file_is_our_own_fault_in_one_line(sip, pki, settings, says):
    got = await sip.options(ask(1, pki, **settings))
    assert got.kind == "probe_fault"
    assert got.detail.startswith(says)
    assert "\n" not in got.detail


async def test_pem_files_that_are_none(sip, pki, good, tmp_path):
    (tmp_path / "bad.pem").write_text("no certificate")
    encrypted = tmp_path / "locked.key"
    process = await asyncio.create_subprocess_exec(
        "openssl", "ec", "-in", str(good[1]), "-aes256", "-passout", "pass:abcd", "-out", str(encrypted),
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await process.wait() == 0
    for settings, says in (
        ({"ca": str(tmp_path / "bad.pem")}, "no certificate in it"),
        ({"certificate": str(good[0]), "key": str(encrypted)}, "encrypted"),
        ({"certificate": str(good[0]), "key": str(pki.issue("x", "DNS:x")[1])}, "not that certificate's"),
    ):
        got = await sip.options(ask(1, pki, **settings))
        assert got.kind == "probe_fault", settings
        assert says in got.detail
        assert "abcd" not in got.detail


async def test_renewed_files_are_read_again(sip, pki, good, tmp_path):
    trusted = tmp_path / "ca.pem"
    other = Pki(tmp_path / "o", "other")
    trusted.write_bytes(other.ca.read_bytes())
    async with stream_peer(well, context=server(good)) as at:
        assert (await sip.options(ask(at.port, pki, ca=str(trusted)))).kind == "tls"
        trusted.write_bytes(pki.ca.read_bytes())
        assert (await sip.options(ask(at.port, pki, ca=str(trusted)))).kind == "answered"


async def test_a_peer_that_waits_for_the_acknowledgement_of_its_tickets_costs_no_round_trip(pki, good):
    """TLS 1.3 with Nagle's algorithm on: the answer waits until our kernel has acknowledged the session tickets."""
    context, listener = server(good, version=ssl.TLSVersion.TLSv1_3), socket.create_server((HOST, 0))

    def serve():
        for _ in range(3):
            with contextlib.suppress(OSError), context.wrap_socket(listener.accept()[0], server_side=True) as side:
                side.sendall(answer(side.recv(65_535)))
                side.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    rtts = []
    for _ in range(3):
        sip = SipClient("bog-1", clock=SystemClock())
        rtts.append((await sip.options(ask(listener.getsockname()[1], pki))).rtt_seconds)
        await sip.close()
    thread.join(10)
    listener.close()
    assert min(rtts) < 0.02, rtts  # a delayed acknowledgement takes 40 ms


async def test_a_session_that_is_given_up_twice_while_the_peer_does_not_end_it(sip, pki, good, monkeypatch):
    """It grew old, its peer answers no close_notify, and then the probe stops: to close a transport of asyncio's twice
    makes it unusable (CPython 3.11), and the probe's end failed on it."""
    context, stop = server(good), threading.Event()
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(0.1)

        def serve():
            held = []
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    plain, _ = listener.accept()
                    plain.settimeout(2)
                    held.append(context.wrap_socket(plain, server_side=True))
                    held[-1].sendall(answer(held[-1].recv(65_535)))
            for one in held:
                one.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            monkeypatch.setattr(connection_module, "TLS_AGE_SECONDS", 0)
            got = [await sip.options(ask(listener.getsockname()[1], pki)) for _ in range(2)]
            assert [one.kind for one in got] == ["answered", "answered"]
            await sip.close()
        finally:
            stop.set()
            thread.join(5)
    assert sip.connections == 0
