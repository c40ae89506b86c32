"""Whose certificate it is (RFC 5922), and what is told of it."""

import contextlib
import ssl

import pytest
from pki import Pki

from probes.sip.errors import NetworkError
from probes.sip.link import Session
from probes.sip.tls import Contexts, TlsSettings, named, read_certificate, why

DAY_US = 86_400_000_000


@pytest.mark.parametrize(
    ("names", "wanted", "same"),
    [
        (("sbc.example",), "SBC.example.", True),
        (("sbc.example",), "sbc.example.evil.example", False),
        (("sip:voice.example",), "voice.example", True),
        (("sips:voice.example",), "voice.example", True),
        (("sip:alice@voice.example",), "voice.example", False),
        (("https://voice.example",), "voice.example", False),
        (("*.example.org",), "a.example.org", True),
        (("*.example.org",), "a.b.example.org", False),
        (("*.example.org",), "example.org", False),
        (("*.org",), "example.org", False),
        (("*",), "example", False),
        (("a*.example.org",), "ab.example.org", False),
        (("192.0.2.1",), "192.0.2.1", True),
        (("2001:db8:0:0:0:0:0:1",), "2001:db8::1", True),
        (("sbc.example",), "192.0.2.1", False),
        ((), "sbc.example", False),
    ],
)
def test_names(names, wanted, same):
    assert named(names, wanted) is same


def test_facts_leave_out_what_is_not_known_and_count_days():
    session = Session(version="TLSv1.3", verified=False, why="expired", not_after_us=5 * DAY_US)
    assert session.facts(8 * DAY_US) == {
        "version": "TLSv1.3", "not_after": "1970-01-06T00:00:00.000000Z", "days_to_expiry": -3.0, "verified": False,
        "why": "expired",
    }  # fmt: skip
    assert Session(verified=False).facts(0) == {"verified": False}


def test_many_names_are_compared_whole_and_told_in_part(tmp_path):
    names = [f"DNS:n{n}.example" for n in range(60)]
    certificate, _ = Pki(tmp_path).issue("many", ",".join(names))
    der = ssl.PEM_cert_to_DER_cert(certificate.read_text())
    session = read_certificate(Session(verified=False), der)
    assert named(session.names, "n59.example")
    assert len(session.facts(0)["sans"]) == 20


def test_without_alternative_names_the_common_name_counts(tmp_path):
    der = ssl.PEM_cert_to_DER_cert(Pki(tmp_path).ca.read_text())
    assert read_certificate(Session(verified=False), der).names == ("Test ca",)


def test_a_certificate_that_is_garbage_is_said_to_be():
    assert "cannot be read" in read_certificate(Session(verified=False), b"\x30\x03\x02\x01\x01").why


def test_a_context_is_kept_until_its_files_change(tmp_path):
    pki = Pki(tmp_path)
    contexts, settings = Contexts(), TlsSettings(server_name="x", ca=str(pki.ca))
    first = contexts.get(settings)
    assert contexts.get(settings) is first
    assert first.minimum_version == ssl.TLSVersion.TLSv1_2
    assert first.verify_mode == ssl.CERT_REQUIRED
    pki.ca.write_bytes(Pki(tmp_path / "new").ca.read_bytes())
    assert contexts.get(settings) is not first
    pki.ca.unlink()
    with pytest.raises(NetworkError, match=r"tls\.ca: .*: No such file or directory; put the PEM file") as caught:
        contexts.get(settings)
    assert caught.value.reason == "probe_fault"


def test_an_alert_that_has_no_words_keeps_its_name():
    error = ssl.SSLError(1, "x")
    error.reason = "SOME_NEW_ALERT"
    assert why(error, TlsSettings(server_name="x")) == "SOME_NEW_ALERT"
    assert "closed during the handshake" in why(ConnectionResetError(), TlsSettings(server_name="x"))


def test_a_record_that_does_not_decrypt_is_told_in_words(tmp_path):
    """A real one: an octet is changed on the way between two ends that agreed on a session."""
    pki = Pki(tmp_path)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(*pki.issue("sbc", "DNS:sbc.example"))
    here, there = (ssl.MemoryBIO(), ssl.MemoryBIO()), (ssl.MemoryBIO(), ssl.MemoryBIO())
    client = Contexts().get(TlsSettings(server_name="x", ca=str(pki.ca))).wrap_bio(*here)
    server = serving.wrap_bio(*there, server_side=True)
    for _ in range(3):
        for end in (client, server):
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
            there[0].write(here[1].read())
            here[0].write(there[1].read())
    server.write(b"SIP/2.0 200 OK")
    record = bytearray(there[1].read())
    record[-1] ^= 1
    here[0].write(bytes(record))
    with pytest.raises(ssl.SSLError) as caught:
        client.read()
    assert "does not decrypt" in why(caught.value, TlsSettings(server_name="x"))
