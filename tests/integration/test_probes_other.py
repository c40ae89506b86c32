"""`dns` with two real resolvers, `tcp` with real sockets, `traffic` with a real Prometheus; their gauges."""

import asyncio
import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import time

import httpx
import msgspec
import pytest
from exposition import SMALL
from other_site import check, site
from pki import Pki

from collector.metrics import Metrics
from sereno.clock import FakeClock, parse_instant
from sereno.store import open_store
from sereno.wire import Result

ONE, TWO = "127.82.53.1", "127.82.53.2"


@contextlib.contextmanager
def dnsmasq(address, folder, *records):
    program = shutil.which("dnsmasq") or shutil.which("dnsmasq", path="/usr/sbin")
    if program is None or os.geteuid() != 0:
        pytest.skip("needs dnsmasq, and root for port 53")
    folder.mkdir(exist_ok=True)
    hosts = folder / f"hosts-{address}"
    hosts.write_text("".join(f"{a} {name}\n" for name, a in records))
    process = subprocess.Popen(
        [program, "--keep-in-foreground", "--conf-file=/dev/null", f"--listen-address={address}", "--bind-interfaces",
         "--no-resolv", "--no-hosts", f"--addn-hosts={hosts}", "--local=/example/", "--local-ttl=30", "--user=",
         "--pid-file="],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    end = time.monotonic() + 5
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection((address, 53), 0.2):
                break
            assert time.monotonic() < end
            time.sleep(0.01)
        yield
    finally:
        process.terminate()
        process.wait(5)


def named(*resolvers, addresses=()):
    listed = ", ".join(f'"{one}"' for one in resolvers)
    expected = ", ".join(f'"{one}"' for one in addresses)
    return site(f"""
checks: {{dns: {{resolvers: [{listed}], timeout: 1s}}}}
portals: {{web: {{url: "https://portal.example/", addresses: [{expected}]}}}}
""")


A, B = ("portal.example", "127.82.1.1"), ("portal.example", "127.82.1.2")


REFUSING = f"""
checks: {{dns: {{resolvers: ["{ONE}"], timeout: 1s}}}}
portals: {{web: {{url: "https://portal.elsewhere/"}}}}
"""


async def test_names(tmp_path):
    with dnsmasq(ONE, tmp_path, A, B), dnsmasq(TWO, tmp_path, A):
        both = (await check(named(ONE), "dns"))["portal.example"]
        assert both.outcome == "ok", both
        assert both.facts["resolvers"][ONE] == {"addresses": ["127.82.1.1", "127.82.1.2"], "ttl_seconds": 30.0}
        apart = (await check(named(ONE, TWO), "dns"))["portal.example"]
        assert (apart.reason, apart.facts["agree"], apart.facts["missing"]) == ("dns_incomplete", False, ["127.82.1.2"])
        third = ("127.82.1.1", "127.82.1.3")
        lacking = (await check(named(ONE, addresses=third), "dns"))["portal.example"]
        assert (lacking.reason, lacking.facts["missing"]) == ("dns_incomplete", ["127.82.1.3"])
        https = (await check(named(ONE, addresses=third), "https"))["web"]
        assert https.facts["total"] == 3
        assert https.facts["missing"] == ["127.82.1.3"]
    with dnsmasq(ONE, tmp_path, ("other.example", "127.82.1.1")):
        nothing = (await check(named(ONE), "dns"))["portal.example"]
        assert (nothing.outcome, nothing.reason) == ("failed", "dns")
        assert (await check(named(ONE), "https"))["web"].reason == "dns"
        assert nothing.answered_by == "none"  # a resolver on this machine proves no network
    with dnsmasq(ONE, tmp_path, A):
        refusing = await check(site(REFUSING), "dns")  # no recursion: dnsmasq says REFUSED
        assert "no resolver gives an answer: REFUSED (A)" in refusing["portal.elsewhere"].evidence["detail"]
    silent = (await check(named(ONE), "dns"))["portal.example"]
    assert (silent.outcome, silent.reason) == ("failed", "dns")


async def test_servers_inside_a_core():
    with socket.create_server(("127.82.3.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_server(("127.82.3.2", 0)) as gone:
            closed = gone.getsockname()[1]
        members = f', members: {{up: "tcp:127.82.3.1:{port}", gone: "tcp:127.82.3.2:{closed}"}}'
        found = await check(site("checks: {tcp: {}}", members), "tcp")
    assert (found["up"].outcome, found["up"].core, found["up"].target) == ("ok", "core-a", "up")
    assert (found["gone"].outcome, found["gone"].reason) == ("failed", "refused")
    assert (found["gone"].answered_by, found["gone"].evidence) == ("none", {"detail": "connection refused"})


async def test_a_portal_is_asked_for_by_its_name(tmp_path):
    """The server knows one name alone (SNI), and refuses any other."""
    pki = Pki(tmp_path / "pki")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pki.issue("web", "DNS:portal.example", days=60))
    asked = []

    def choose(_socket, name, _context):
        asked.append(name)
        return None if name == "portal.example" else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    context.sni_callback = choose
    heard = []

    async def serve(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError):  # a scan says nothing
            heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    made = await asyncio.start_server(serve, A[1], 0, ssl=context)
    port = made.sockets[0].getsockname()[1]
    with dnsmasq(ONE, tmp_path, A, ("other.example", A[1])):
        async with made:
            found = await check(site(f"""
checks: {{dns: {{resolvers: ["{ONE}"]}}}}
portals:
  web: {{url: "https://portal.example:{port}/", ca: "{pki.ca}", timeout: 2s}}
  bad: {{url: "https://other.example:{port}/", ca: "{pki.ca}", timeout: 2s}}
"""), "https")  # fmt: skip
    assert found["web"].outcome == "ok", found["web"]
    assert f"host: portal.example:{port}".encode() in heard[0].lower()
    assert set(asked) == {"portal.example", "other.example"}  # the scans, too
    assert found["bad"].reason == "tls"
    assert found["bad"].facts["addresses"][A[1]]["tls"].get("protocols") == {}


PROM = "127.82.4.1:29090"


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    """With users of now and, under another name, of three minutes ago."""
    program, tool = shutil.which("prometheus"), shutil.which("promtool")
    if program is None or tool is None:
        pytest.skip("Prometheus is not installed; run `make setup-test`")
    folder, now = tmp_path_factory.mktemp("prometheus"), time.time()
    lines = ["# TYPE users gauge"]
    lines += [
        f'users{{sbc="{sbc}"}} {users} {now - ago:.3f}' for sbc, users in (("a", 40), ("b", 2)) for ago in (30, 0)
    ]
    lines += ["# TYPE old gauge", f"old 7 {now - 180:.3f}", "# EOF", ""]
    (folder / "data.om").write_text("\n".join(lines))
    (folder / "prometheus.yml").write_text("{}\n")
    subprocess.run([tool, "tsdb", "create-blocks-from", "openmetrics", folder / "data.om", folder / "data"], check=True,
                   capture_output=True, timeout=30)  # fmt: skip
    process = subprocess.Popen(
        [program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
         f"--web.listen-address={PROM}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    end = time.monotonic() + 15
    try:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"http://{PROM}/-/ready", trust_env=False).is_success:
                    break
            assert time.monotonic() < end
            time.sleep(0.05)
        yield f"http://{PROM}"
    finally:
        process.terminate()
        process.wait(10)


def asked(url, registered, calls="sum(users)"):
    return site(f"traffic: {{sbc-1: {{prometheus: \"{url}\", registered: '{registered}', calls: '{calls}'}}}}")


@pytest.mark.parametrize(("query", "outcome", "words"), [
    ("sum(users)", "ok", None),
    ("sum(nothing)", "invalid", "no data"),
    ("old", "invalid", "s old"),
    ("users", "invalid", "2 series"),
    ("sum(", "failed", "refuses the query"),
    ("sum(users) / 0 * 0", "invalid", "no number"),
    ("42", "ok", None),
    ("users[5m]", "invalid", "gives a range"),
])  # fmt: skip
async def test_traffic(prometheus, query, outcome, words):
    found = (await check(asked(prometheus, query), "traffic"))["sbc-1"]
    assert found.outcome == outcome, found
    assert found.facts["calls"] == 42
    assert found.facts.get("registered") == (42 if outcome == "ok" else None)
    assert words is None or words in found.evidence["detail"]


async def test_traffic_behind_a_login(tmp_path):
    """Basic and bearer; without one, and with a wrong one, it is told."""
    heard = []

    async def serve(reader, writer):
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        said = next((line for line in request.split("\r\n") if line.lower().startswith("authorization:")), "")
        heard.append(said.partition(": ")[2])
        good = heard[-1] in {"Basic bW9uOnMzY3JldA==", "Bearer t0ken"}
        body = b'{"status":"success","data":{"resultType":"scalar","result":[1,"5"]}}' if good else b"Unauthorized"
        writer.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
                     % (b"200 OK" if good else b"401 No", len(body), body))  # fmt: skip
        await writer.drain()
        writer.close()

    made = await asyncio.start_server(serve, "127.82.4.3", 0)
    url, login = f"http://127.82.4.3:{made.sockets[0].getsockname()[1]}", tmp_path / "login"

    async def look(more):
        return (await check(site(f'traffic: {{sbc-1: {{prometheus: "{url}", calls: x{more}}}}}'), "traffic"))["sbc-1"]

    async with made:
        found = await look("")
        assert (found.reason, found.answered_by) == ("auth", "unknown")
        assert "`login`" in found.evidence["detail"]
        more = f', login: {{file: "{login}"}}'
        assert (await look(more)).outcome == "invalid"  # no such file
        for text, outcome in (("mon:s3cret", "ok"), ("t0ken", "ok"), ("mon:other", "failed")):
            login.write_text(text + "\n")
            found = await look(more)
            assert (found.outcome, text in str(found)) == (outcome, False)
    assert heard[0] == ""


async def test_what_is_no_prometheus():
    found = (await check(asked("http://nosuch.invalid:9090", "x"), "traffic"))["sbc-1"]
    assert (found.reason, found.evidence["detail"]) == ("dns", "the host name of Prometheus has no address")


async def test_traffic_without_prometheus():
    found = (await check(asked("http://127.82.4.2:1", "x"), "traffic"))["sbc-1"]
    assert (found.outcome, found.reason, found.facts) == ("failed", "refused", None)


def told(check, at, **fields):
    return Result(v=1, probe="p", boot="b", seq=1, at=f"2026-10-01T00:00:{at:02d}.000000Z", check=check, outcome="ok",
                  **fields)  # fmt: skip


def test_gauges_tell_the_newest_and_go_away(tmp_path):
    store = open_store(tmp_path)
    metrics = Metrics(store, SMALL, clock=FakeClock(parse_instant("2026-10-01T00:00:05Z")))
    tls = {"days_to_expiry": 2.0, "grade": "B"}
    looked = {"addresses": {"127.82.1.1": {"tls": tls}}, "answering": 1, "total": 2}
    metrics.observe(told("https", 1, target="web", facts=looked))
    metrics.observe(told("tcp", 1, core="core-a", target="media", address="tcp:127.82.3.1:1"))
    backup = {"age_seconds": 60.0, "size_bytes": 10, "verified": True}
    metrics.observe(told("database", 1, target="billing", facts={"lag_seconds": 0.5, "backup": backup}))
    metrics.observe(told("traffic", 2, sbc="sbc-1", facts={"registered": 40.0, "calls": 2.0}))
    metrics.observe(told("traffic", 1, sbc="sbc-1", facts={"registered": 1.0, "calls": 1.0}))
    text = metrics.render()[0].decode()
    web = 'address="127.82.1.1",element="web",probe="p"'
    assert f"sereno_tls_certificate_expiry_seconds{{{web}}} 172800.0" in text
    assert f"sereno_tls_grade{{{web}}} 3.0" in text
    assert 'sereno_portal_answering_servers{element="web",probe="p"} 1.0' in text
    assert 'sereno_portal_servers{element="web",probe="p"} 2.0' in text
    assert 'sereno_element_ok{check="https",element="web",probe="p"} 1.0' in text
    assert 'sereno_element_ok{check="tcp",element="core-a/media",probe="p"} 1.0' in text
    assert 'sereno_database_replication_lag_seconds{element="billing",probe="p",replica=""} 0.5' in text
    assert 'sereno_database_backup_age_seconds{element="billing",probe="p"} 60.0' in text
    assert 'sereno_traffic_registered{probe="p",sbc="sbc-1"} 40.0' in text
    if shutil.which("promtool"):
        said = subprocess.run(
            ["promtool", "check", "metrics"], input=text, text=True, capture_output=True, timeout=20, check=False
        )
        assert (said.returncode, said.stdout + said.stderr) == (0, "")
    doubted = msgspec.structs.replace(told("https", 2, target="web", facts=looked), outcome="invalid")
    metrics.observe(doubted)  # this probe's own network: nobody knows who answers
    assert "sereno_portal_answering_servers{" not in metrics.render()[0].decode()
    metrics.observe(told("traffic", 3, sbc="sbc-1", facts={"calls": 3.0}))
    text = metrics.render()[0].decode()
    assert "sereno_traffic_registered{" not in text
    assert 'sereno_traffic_calls{probe="p",sbc="sbc-1"} 3.0' in text
    store.dispose()


def test_gauges_of_an_sbcs_listener(tmp_path):
    store = open_store(tmp_path)
    metrics = Metrics(store, SMALL, clock=FakeClock(parse_instant("2026-10-01T00:00:05Z")))
    at = {"sbc": "sbc-1", "address": "sips:127.82.1.1:5061"}
    metrics.observe(told("edge", 1, facts={"tls": {"days_to_expiry": 2.0, "grade": "B"}}, **at))
    metrics.observe(told("edge", 1, sbc="sbc-1", address="sip:127.82.1.1"))
    labels = '{address="sips:127.82.1.1:5061",element="sbc-1",probe="p"}'
    text = metrics.render()[0].decode()
    assert f"sereno_tls_grade{labels} 3.0" in text
    assert f"sereno_tls_certificate_expiry_seconds{labels} 172800.0" in text
    metrics.observe(told("edge", 2, **at))
    assert "sereno_tls_grade{" not in metrics.render()[0].decode()
    store.dispose()
