"""`https` against real TLS servers (OpenSSL through `ssl`), good and bad, on addresses of loopback."""

import asyncio
import contextlib
import re
import ssl
import warnings

import pytest
from other_site import check, site
from pki import Pki

HSTS = b"Strict-Transport-Security: max-age=31536000\r\n"


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def good(pki):
    return pki.issue("good", "IP:127.82.1.1,IP:::1,DNS:portal.example", days=60)


def context(pair, *, low=ssl.TLSVersion.TLSv1_2, high=ssl.TLSVersion.TLSv1_3, ciphers=None):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(*pair)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made.minimum_version, made.maximum_version = low, high
    if ciphers is not None:
        made.set_ciphers(ciphers)
    return made


@contextlib.asynccontextmanager
async def server(tls, *, host="127.82.1.1", status=b"200 OK", headers=HSTS, silent=False, port=0):
    writers = []

    async def serve(reader, writer):
        writers.append(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await (reader.read(1) if tls is None else reader.readuntil(b"\r\n\r\n"))
            if silent:
                await reader.read()
            writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n" + headers + b"\r\n")
            await writer.drain()
        writer.close()

    made = await asyncio.start_server(serve, host, port, ssl=tls)
    try:
        yield made.sockets[0].getsockname()[1]
    finally:
        made.close()
        for writer in writers:
            writer.close()
        await asyncio.sleep(0.01)  # what was refused in a handshake is closed in the loop's own turn


def portal(port, pki, host="127.82.1.1", more=""):
    return site(f'portals: {{web: {{url: "https://{host}:{port}/", ca: "{pki.ca}", timeout: 2s{more}}}}}')


async def look(tls, pki, more="", extras=None, **options):
    async with server(tls, **options) as port:
        return (await check(portal(port, pki, more=more), "https", extras))["web"]


def tls_of(found, address="127.82.1.1"):
    return found.facts["addresses"][address]["tls"]


async def test_a_good_portal_is_ok_and_tells_all_of_its_tls(pki, good):
    found = await look(context(good), pki)
    assert (found.outcome, found.reason, found.code) == ("ok", None, 200)
    tls = tls_of(found)
    assert tls["verified"]
    assert tls["version"] == "TLSv1.3"
    assert 58 < tls["days_to_expiry"] <= 60
    assert tls["protocols"] == {"TLSv1": False, "TLSv1.1": False, "TLSv1.2": True, "TLSv1.3": True}
    assert tls["suites"]["anonymous"] is False
    assert tls["key"] == {"type": "EC", "bits": 256}
    assert tls["hsts"] is True
    assert (tls["weaknesses"], tls["grade"]) == ([], "A+"), tls
    assert found.facts["answering"] == found.facts["total"] == 1
    assert found.facts["addresses"]["127.82.1.1"]["first_byte_seconds"] > 0


async def test_old_versions_lower_the_standing_and_it_rises_only_when_measured_mended(pki, good):
    extras = {}
    old = context(good, low=ssl.TLSVersion.TLSv1, ciphers="ALL:@SECLEVEL=0")
    async with server(old) as port:
        first = (await check(portal(port, pki, more=", grade: A"), "https", extras))["web"]
    assert (first.outcome, first.reason) == ("failed", "tls_grade")
    assert {"tls10", "tls11"} <= set(tls_of(first)["weaknesses"])
    async with server(context(good), port=port):
        second = (await check(portal(port, pki, more=", grade: A"), "https", extras))["web"]
        assert second.reason == "tls_grade"  # mended, and not measured so yet
        next(iter(extras["https standings"].values())).due = 0.0
        third = (await check(portal(port, pki, more=", grade: A"), "https", extras))["web"]
    assert (third.outcome, tls_of(third)["weaknesses"]) == ("ok", [])


async def test_suites_without_authentication_are_the_worst(pki, good):
    weak = context(good, high=ssl.TLSVersion.TLSv1_2, ciphers="aNULL:ECDHE:@SECLEVEL=0")
    found = await look(weak, pki)
    assert found.reason == "tls_grade"
    assert tls_of(found)["suites"]["anonymous"] is True
    assert tls_of(found)["grade"] == "F"


async def test_a_certificate_that_ends_soon_lowers_the_standing(pki):
    soon = pki.issue("soon", "IP:127.82.1.1", days=3)
    found = await look(context(soon), pki)
    assert (found.reason, tls_of(found)["weaknesses"]) == ("tls_grade", ["expiring"])
    assert (await look(context(soon), pki, more=", certificate_days: 1")).outcome == "ok"


@pytest.mark.parametrize(("names", "ended", "words"), [
    ("IP:127.82.1.1", True, "expired"), ("DNS:other.example", False, "IP address mismatch"),
])  # fmt: skip
async def test_a_certificate_that_is_refused_is_told_with_its_facts(pki, names, ended, words):
    pair = pki.issue("bad" + words[:2], names, ended=ended)
    found = await look(context(pair), pki)
    assert (found.outcome, found.reason) == ("failed", "tls")
    assert words in found.evidence["detail"]
    tls = tls_of(found)
    assert tls["verified"] is False
    assert tls["subject"].startswith("CN=bad")
    assert "untrusted" in tls["weaknesses"]


async def test_an_unknown_authority_is_refused(pki, good, tmp_path):
    found = await look(context(good), Pki(tmp_path, "other"))
    assert found.reason == "tls"
    assert "authority" in found.evidence["detail"]


@pytest.mark.parametrize(("options", "reason", "code"), [
    ({"status": b"503 Busy"}, "http_status", 503),
    ({"status": b"404 Not Found"}, "http_status", 404),
    ({"silent": True}, "timeout", None),
    ({"status": b"302 Found", "headers": HSTS + b"Location: https://elsewhere.example/\r\n"}, None, 302),
    ({"status": b"302 Found", "headers": HSTS + b"Location: /again\r\n"}, "http_status", 302),  # for ever
])  # fmt: skip
async def test_what_the_server_says(pki, good, options, reason, code):
    found = await look(context(good), pki, **options)
    assert (found.reason, found.code) == (reason, code)
    assert found.answered_by == (None if reason is None else "none" if reason == "timeout" else "unknown")


async def test_a_server_of_old_versions_alone_is_not_taken_for_a_new_one(pki, good):
    """It answers the question for TLS 1.2 with a ServerHello of 1.0."""
    old = context(good, low=ssl.TLSVersion.TLSv1, high=ssl.TLSVersion.TLSv1, ciphers="ECDHE:!aNULL:!eNULL:@SECLEVEL=0")
    found = await look(old, pki)
    assert (found.reason, found.answered_by) == ("tls", "unknown")
    assert tls_of(found)["protocols"] == {"TLSv1": True, "TLSv1.1": False, "TLSv1.2": False, "TLSv1.3": False}
    assert tls_of(found)["weaknesses"] == ["no_tls12", "no_tls13", "tls10"]


async def test_a_server_that_hangs_up_has_no_standing(pki):
    async def rude(reader, writer):
        writer.close()

    made = await asyncio.start_server(rude, "127.82.1.1", 0)
    async with made:
        found = (await check(portal(made.sockets[0].getsockname()[1], pki), "https"))["web"]
    assert (found.reason, found.evidence["detail"]) == (
        "tls", "127.82.1.1: the connection was closed during the handshake"
    )  # fmt: skip
    assert "grade_at_most" not in tls_of(found)


async def test_only_the_status_that_is_asked_for(pki, good):
    assert (await look(context(good), pki, more=", status: [401]")).reason == "http_status"
    assert (await look(context(good), pki, more=", status: [401]", status=b"401 No")).outcome == "ok"
    again = {"status": b"302 Found", "headers": HSTS + b"Location: /again\r\n"}
    assert (await look(context(good), pki, more=", status: [302]", **again)).outcome == "ok"


async def test_redirects_say_where_they_ended(pki, good):
    again = {"status": b"302 Found", "headers": HSTS + b"Location: /again?token=s3cret\r\n"}
    found = await look(context(good), pki, **again)
    assert re.fullmatch(
        r"127.82.1.1: more than 5 redirects, the last to https://127.82.1.1:\d+/again", found.evidence["detail"]
    )
    plain = {"status": b"301 Moved", "headers": HSTS + b"Location: http://127.82.1.1:1/\r\n"}
    found = await look(context(good), pki, **plain)
    assert (found.reason, found.code) == ("refused", 301)
    assert "redirected to http://127.82.1.1:1/: connection refused" in found.evidence["detail"]


async def test_refused_no_tls_and_no_ca_file(pki, good, tmp_path):
    async with server(context(good)) as port:
        pass
    assert (await check(portal(port, pki), "https"))["web"].reason == "refused"
    found = await look(None, pki)
    assert (found.reason, "speaks no TLS" in found.evidence["detail"]) == ("tls", True)
    missing = site(f'portals: {{web: {{url: "https://127.82.1.1:{port}/", ca: "{tmp_path}/none.pem"}}}}')
    found = (await check(missing, "https"))["web"]
    assert (found.outcome, found.reason) == ("invalid", "probe_fault")


async def test_one_dead_server_of_two_is_named_and_the_other_still_counted(pki, good):
    async with server(context(good)) as port:
        topology = portal(port, pki, more=', addresses: ["127.82.1.1", "127.82.1.9"]')
        found = (await check(topology, "https"))["web"]
    assert found.reason == "refused"
    assert (found.facts["answering"], found.facts["total"]) == (1, 2)
    assert found.facts["addresses"]["127.82.1.9"]["reason"] == "refused"
    assert "reason" not in found.facts["addresses"]["127.82.1.1"]


async def test_ipv6(pki, good):
    async with server(context(good), host="::1") as port:
        found = (await check(portal(port, pki, host="[::1]"), "https"))["web"]
    assert found.outcome == "ok", found
