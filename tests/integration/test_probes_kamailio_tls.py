"""`sereno check` and its client against real Kamailios: UDP, TCP and TLS, IPv4 and IPv6, good certificates and bad."""

import asyncio
import json
import os
import signal
import sys
from types import SimpleNamespace

import kamailio
import pytest
import yaml
from pki import Pki
from stream_peer import eventually

from probes.checks import REGISTRY, Runtime, targets
from probes.sip.client import SipClient
from sereno.clock import SystemClock
from sereno.topology import load_topology

pytestmark = pytest.mark.lab
SBC, CORE, NAME = kamailio.SBC, kamailio.CORE, kamailio.NAME
IDENTIFY = {"header": "Server", "contains": "core-a"}


@pytest.fixture(scope="module")
def softswitch(tmp_path_factory):
    """One SBC with every transport, one core; the SBC closes connections that idle for three seconds."""
    folder = tmp_path_factory.mktemp("kamailio")
    pki, six = Pki(folder / "pki"), kamailio.free_port()
    tls = kamailio.profiles(pki)
    with (
        kamailio.running(folder, kamailio.core_config(), CORE, "core"),
        kamailio.running(folder, kamailio.sbc_config(folder, tls, six), SBC, "sbc") as sbc,
    ):
        yield SimpleNamespace(pki=pki, six=six, sbc=sbc)


def write(path, addresses, *, accounts=None, **tls):
    path.write_text(
        yaml.safe_dump({
            "service": "voice",
            "domain": "voice.example",
            "cores": {"core-a": {"uri": f"sip:{CORE}", "identify": IDENTIFY}},
            "sbcs": {"sbc-1": {"addresses": addresses, "primary": "core-a", **({"tls": tls} if tls else {})}},
            **({"accounts": accounts} if accounts else {}),
        })
    )  # fmt: skip
    return path


async def check(kind, path, *flags, environment=None):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sereno", "check", kind, "--topology", str(path), "--json", *flags,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ, **(environment or {})},
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode, {r["address"]: r for r in map(json.loads, out.decode().splitlines())}, err.decode()


@pytest.mark.parametrize("kind", ["edge", "options", "natural"])
async def test_every_transport_and_both_families(softswitch, tmp_path, kind):
    six = softswitch.six
    addresses = {
        f"sip:{SBC}": "udp",
        f"sip:{SBC};transport=tcp": "tcp",
        f"sip:{SBC}:5061;transport=tls": "tls",
        f"sips:{SBC}:5065": "tls",
        f"sip:[::1]:{six}": "udp",
        f"sip:[::1]:{six};transport=tcp": "tcp",
        f"sips:[::1]:{six + 1}": "tls",
    }
    path = write(tmp_path / "t.yaml", list(addresses), ca=str(softswitch.pki.ca), server_name=NAME)
    code, found, err = await check(kind, path)
    assert (code, err) == (0, "")
    assert {address: r["transport"] for address, r in found.items()} == addresses
    for r in found.values():
        assert (r["outcome"], r["answered_by"]) == ("ok", "sbc" if kind == "edge" else "core")
        assert 0 < r["rtt_seconds"] < 0.9
        if r["transport"] != "udp":
            assert r["facts"]["connection"] == "new"
            assert r["facts"]["connect_seconds"] > 0
        if r["transport"] == "tls":
            assert r["facts"]["tls_handshake_seconds"] > 0
            assert r["facts"]["tls"]["verified"] is True
            assert r["facts"]["tls"]["subject"] == "CN=good"
    versions = {a: r["facts"]["tls"]["version"] for a, r in found.items() if r["transport"] == "tls"}
    assert versions[f"sips:{SBC}:5065"] == "TLSv1.2"
    assert versions[f"sip:{SBC}:5061;transport=tls"] == "TLSv1.3"


async def test_a_frozen_sbc_is_silent_on_its_connections_and_late_when_it_thaws(softswitch, tmp_path):
    """Its kernel acknowledges all the same: the connections are kept, and the answers come when it wakes."""
    addresses = [f"sip:{SBC};transport=tcp", f"sips:{SBC}:5061"]
    topology = load_topology(
        write(tmp_path / "t.yaml", addresses, ca=str(softswitch.pki.ca), server_name=NAME)
    )  # fmt: skip
    late = []
    runtime = Runtime(clock=SystemClock(), topology=topology, probe="t", sip=SipClient("t"), emit=late.append)
    found = targets(topology, "t", ["edge"])

    async def all_of_them():
        return await asyncio.gather(*(REGISTRY["edge"](target, runtime) for target in found))

    try:
        assert {r.outcome for r in await all_of_them()} == {"ok"}
        os.killpg(softswitch.sbc.pid, signal.SIGSTOP)
        try:
            frozen = await all_of_them()
        finally:
            os.killpg(softswitch.sbc.pid, signal.SIGCONT)
        await eventually(lambda: len(late) == 2)
        thawed = await all_of_them()
    finally:
        await runtime.sip.close()
    assert [(r.outcome, r.reason, r.retransmissions) for r in frozen] == [("failed", "timeout", None)] * 2
    assert {(r.outcome, r.reason, r.at) for r in late} == {("ok", "late", r.at) for r in frozen}
    assert all(r.answered_after_seconds >= 0.9 for r in late)
    assert [(r.outcome, r.facts["connection"]) for r in thawed] == [("ok", "reused")] * 2


async def test_bad_certificates_are_named_and_dated(softswitch, tmp_path):
    path = write(
        tmp_path / "t.yaml", [f"sips:{SBC}:{port}" for port in (5062, 5063, 5064, 5066)],
        ca=str(softswitch.pki.ca), server_name=NAME,
    )  # fmt: skip
    code, found, _ = await check("options", path)
    assert code == 1
    assert {(r["outcome"], r["reason"]) for r in found.values()} == {("failed", "tls")}
    details = {address[-4:]: r["evidence"]["detail"] for address, r in found.items()}
    assert "expired" in details["5062"]
    assert "self-signed" in details["5063"]
    assert details["5064"] == f"the certificate is for other.example, not for {NAME}"
    assert "wants a client certificate" in details["5066"]
    facts = {address[-4:]: r["facts"]["tls"] for address, r in found.items()}
    assert facts["5062"]["days_to_expiry"] < 0
    assert {port: facts[port]["subject"] for port in ("5062", "5063", "5064")} == {
        "5062": "CN=expired", "5063": "CN=alone", "5064": "CN=wrong",
    }  # fmt: skip
    assert all(facts[port]["verified"] is False and facts[port]["why"] for port in ("5062", "5063", "5064"))


async def test_mutual_tls(softswitch, tmp_path):
    certificate, key = softswitch.pki.issue("probe", "DNS:probe.example")
    (tmp_path / "probe.pem").write_bytes(certificate.read_bytes())
    (tmp_path / "probe.key").write_bytes(key.read_bytes())
    (tmp_path / "ca.pem").write_bytes(softswitch.pki.ca.read_bytes())
    path = write(  # names relative to the file itself
        tmp_path / "t.yaml", [f"sips:{SBC}:5066"], ca="ca.pem", server_name=NAME, certificate="probe.pem",
        key="probe.key",
    )  # fmt: skip
    code, found, _ = await check("options", path)
    assert (code, found[f"sips:{SBC}:5066"]["answered_core"]) == (0, "core-a")


async def test_a_missing_pem_file_is_no_downtime(softswitch, tmp_path):
    path = write(tmp_path / "t.yaml", [f"sips:{SBC}:5061"], ca="gone.pem", server_name=NAME)
    code, found, err = await check("options", path)
    (r,) = found.values()
    assert (code, err, r["outcome"], r["reason"]) == (3, "", "invalid", "probe_fault")
    assert r["evidence"]["detail"].startswith(f"sbcs.sbc-1.tls.ca: {tmp_path}/gone.pem: No such file or directory; ")


async def test_a_restarted_sbc_is_reached_over_a_new_connection(tmp_path):
    """Connections are kept from check to check; the SBC's restart ends them, and the next check has new ones."""
    pki, six = Pki(tmp_path / "pki"), kamailio.free_port()
    config = kamailio.sbc_config(tmp_path, {5061: kamailio.profiles(pki)[5061]}, six).replace(SBC, f"{kamailio.NET}.4")
    config = config.replace(f"{kamailio.NET}.9", f"{kamailio.NET}.8")
    tls = (tmp_path / "tls.cfg").read_text()
    (tmp_path / "tls.cfg").write_text(tls.replace(f"[server:{SBC}:5061]", f"[server:{kamailio.NET}.4:5061]"))
    here = f"{kamailio.NET}.4"
    addresses = [f"sip:{here};transport=tcp", f"sips:{here}:5061"]
    topology = load_topology(write(tmp_path / "t.yaml", addresses, ca=str(pki.ca), server_name=NAME))
    runtime = Runtime(clock=SystemClock(), topology=topology, probe="test", sip=SipClient("test"))
    found = targets(topology, "test", ["edge"])

    async def all_of_them():
        return await asyncio.gather(*(REGISTRY["edge"](target, runtime) for target in found))

    try:
        with kamailio.running(tmp_path, config, here, "sbc"):
            first, second = await all_of_them(), await all_of_them()
        await eventually(lambda: runtime.sip.connections == 0)
        down = await all_of_them()
        with kamailio.running(tmp_path, config, here, "sbc"):
            third = await all_of_them()
    finally:
        await runtime.sip.close()
    assert {r.outcome for r in first + second} == {"ok"}
    assert [r.facts["connection"] for r in first + second] == ["new", "new", "reused", "reused"]
    assert "connect_seconds" not in second[0].facts
    assert second[1].facts["tls"]["verified"], "the facts of the session come along every time"
    assert {(r.outcome, r.reason) for r in down} == {("failed", "refused")}
    assert [(r.outcome, r.facts["connection"]) for r in third] == [("ok", "new")] * 2
    assert all("the connection was" in r.facts["replaced"] for r in third)


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_a_challenge_is_answered_when_there_is_an_account_for_its_realm(softswitch, tmp_path, algorithm):
    """The core of another pair asks for credentials; without an account its 401 stays a good answer."""
    six = kamailio.free_port()
    config = kamailio.core_config(algorithm).replace(CORE, f"{kamailio.NET}.3")
    account = {"user": "9000", "realm": "voice.example", "password": {"env": "PASSWORD_OF_9000"}}
    secret = {"PASSWORD_OF_9000": "s3cret-of-9000"}
    with kamailio.running(tmp_path, config, f"{kamailio.NET}.3", "core"):
        address = f"sip:{kamailio.NET}.3"
        path = write(tmp_path / "t.yaml", [address], accounts={"monitor": account})
        assert six
        _, found, _ = await check("options", path, environment=secret)
        answered = found[address]
        _, found, _ = await check("options", path, environment={"PASSWORD_OF_9000": "wrong"})
        wrong = found[address]
        _, found, _ = await check("options", write(tmp_path / "none.yaml", [address]))
        plain = found[address]
    assert (answered["outcome"], answered["code"]) == ("ok", 200)
    assert answered["facts"]["digest"] == {"realm": "voice.example", "algorithm": algorithm, "accepted": True}
    assert (wrong["outcome"], wrong["code"], wrong["facts"]["digest"]["accepted"]) == ("ok", 401, False)
    assert (plain["outcome"], plain["code"], plain.get("facts")) == ("ok", 401, None)
