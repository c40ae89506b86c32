"""SBCs given by name, RFC 3263 against a real name server: NAPTR, SRV, A, AAAA; TTL; a zone that changes or fails."""

import asyncio
import collections
import itertools
import json
import random
import ssl
import sys

import pytest
import yaml
from dns_server import HOST, dns_server
from hypothesis import given
from hypothesis import strategies as st
from pki import Pki
from stream_peer import answer, eventually, stream_peer

from probes.checks import REGISTRY, Runtime, targets
from probes.checks.named import Names
from probes.sip import resolve as resolve_module
from probes.sip.client import SipClient
from probes.sip.errors import NetworkError
from probes.sip.locate import Dns, Srv, in_order, locate
from probes.sip.resolve import Resolver
from probes.sip.uri import parse_uri
from sereno.clock import SystemClock
from sereno.topology.model import Tls, Topology

ZONE = {
    "a1.voice.example": ["127.81.4.1"],
    "a2.voice.example": ["127.81.4.2", "::1"],
    "a3.voice.example": ["127.81.4.3"],
    "plain.example": ["127.81.4.4", "127.81.4.5"],
    "alone.example": ["127.81.4.6"],
}
RECORDS = [
    # All three transports, TLS preferred; a service that we do not speak is better still.
    "naptr-record=full.example,5,1,s,SIP+D2S,,_sip._sctp.full.example",
    "naptr-record=full.example,20,1,s,SIP+D2U,,_sip._udp.full.example",
    "naptr-record=full.example,10,50,s,SIPS+D2T,,_sips._tcp.full.example",
    "srv-host=_sips._tcp.full.example,a1.voice.example,5061,10,5",
    "srv-host=_sips._tcp.full.example,a2.voice.example,6061,20,5",
    "srv-host=_sip._udp.full.example,a3.voice.example,5070,1,1",
    # No NAPTR: SRV of what we speak.
    "srv-host=_sip._udp.srv.example,a1.voice.example,5080,1,10",
    "srv-host=_sip._udp.srv.example,a3.voice.example,5081,1,90",
    "srv-host=_sip._tcp.srv.example,a3.voice.example,5090,1,1",
    "srv-host=_sip._tcp.tcponly.example,a1.voice.example,5062,1,1",
    "srv-host=_sip._udp.closed.example",
    "cname=other.example,alone.example",
    "naptr-record=direct.example,1,1,a,SIP+D2T,,alone.example",
    "srv-host=_sip._udp.dangling.example,nowhere.example,5060,1,1",
    "txt-record=empty.example,nothing else",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with dns_server(tmp_path_factory.mktemp("dns"), ZONE, RECORDS) as found:
        yield found


def asking(server) -> Dns:
    return Dns([HOST], port=server.port)


async def found_at(server, text) -> list[str]:
    located = await locate(parse_uri(text), asking(server), seconds=2)
    assert 0 < located.ttl_seconds <= 60
    return [address.uri for address in located.targets]


@pytest.mark.parametrize(
    ("uri", "leads_to"),
    [
        # NAPTR: the lowest order that we speak; every SRV of it, every address of each, by priority.
        ("sip:full.example", [
            "sip:127.81.4.1:5061;transport=tls", "sip:127.81.4.2:6061;transport=tls", "sip:[::1]:6061;transport=tls",
        ]),
        # A transport in the URI: no NAPTR, the SRV of that transport.
        ("sip:full.example;transport=udp", ["sip:127.81.4.3:5070;transport=udp"]),
        ("sips:full.example", [
            "sip:127.81.4.1:5061;transport=tls", "sip:127.81.4.2:6061;transport=tls", "sip:[::1]:6061;transport=tls",
        ]),
        ("sip:srv.example;transport=tcp", ["sip:127.81.4.3:5090;transport=tcp"]),
        ("sip:tcponly.example", ["sip:127.81.4.1:5062;transport=tcp"]),
        # A port: addresses only.
        ("sip:a2.voice.example:5099", ["sip:127.81.4.2:5099;transport=udp", "sip:[::1]:5099;transport=udp"]),
        ("sips:alone.example:7061", ["sip:127.81.4.6:7061;transport=tls"]),
        # Neither NAPTR nor SRV: addresses with the default port.
        ("sip:plain.example", ["sip:127.81.4.4:5060;transport=udp", "sip:127.81.4.5:5060;transport=udp"]),
        ("sips:alone.example", ["sip:127.81.4.6:5061;transport=tls"]),
        ("sip:other.example", ["sip:127.81.4.6:5060;transport=udp"]),
        ("sip:direct.example", ["sip:127.81.4.6:5060;transport=tcp"]),
    ],
)  # fmt: skip
async def test_where_a_uri_leads(server, uri, leads_to):
    assert await found_at(server, uri) == leads_to


async def test_without_naptr_udp_is_preferred_and_both_targets_are_there(server):
    assert sorted(await found_at(server, "sip:srv.example")) == [
        "sip:127.81.4.1:5080;transport=udp", "sip:127.81.4.3:5081;transport=udp",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("sip:nowhere.example", "nowhere.example: no such name (NXDOMAIN)"),
        ("sip:nowhere.example:5060", "nowhere.example: no such name (NXDOMAIN)"),
        ("sip:empty.example", "empty.example: the name has no address"),
        ("sip:dangling.example", "dangling.example: SRV lead to no address"),
        ("sip:closed.example", "closed.example: SRV lead to no address"),
    ],
)
async def test_errors_in_words(server, uri, words):
    with pytest.raises(NetworkError) as caught:
        await locate(parse_uri(uri), asking(server), seconds=2)
    assert (caught.value.reason, str(caught.value)) == ("dns", words)


async def test_a_silent_resolver_is_a_dns_failure_in_its_time():
    with pytest.raises(NetworkError, match=r"no answer from the resolver in 0\.3 s") as caught:
        await locate(parse_uri("sip:x.example:5060"), Dns(["127.81.53.99"], port=9), seconds=0.3)
    assert caught.value.reason == "dns"


async def test_the_hosts_file_counts_unless_resolvers_are_named(tmp_path, server):
    hosts = tmp_path / "hosts"
    hosts.write_text("# names\n127.81.4.9  sbc.local SBC\n::1 sbc.local\n")
    located = await locate(parse_uri("sip:Sbc.Local"), Dns(hosts=hosts), seconds=1)
    assert [a.uri for a in located.targets] == ["sip:127.81.4.9:5060;transport=udp", "sip:[::1]:5060;transport=udp"]
    with pytest.raises(NetworkError):
        await locate(parse_uri("sip:sbc.local"), Dns([HOST], port=server.port, hosts=hosts), seconds=1)


@given(st.lists(st.builds(Srv, st.integers(0, 3), st.integers(0, 5), st.just(5060), st.text("abc", min_size=1))))
def test_the_order_of_srv_records_keeps_priorities_and_all_records(records):
    ordered = in_order(records, random.Random(1))
    assert collections.Counter(ordered) == collections.Counter(records)
    assert all(a.priority <= b.priority for a, b in itertools.pairwise(ordered))


def test_weights_share_the_load_as_rfc_2782_has_it():
    records = [Srv(1, 10, 5060, "light"), Srv(1, 90, 5060, "heavy"), Srv(1, 0, 5060, "none")]
    draw = random.Random(7)
    first = collections.Counter(in_order(records, draw)[0].host for _ in range(4_000))
    assert 0.86 < first["heavy"] / 4_000 < 0.93
    assert 0.06 < first["light"] / 4_000 < 0.13
    assert 0 < first["none"] < 100, "a weight of zero has a small chance"


async def poll(condition, resolver, uri):
    """Asks as checks do, until what is known fulfils the condition."""
    async with asyncio.timeout(5):
        while not condition(await resolver.targets(uri, seconds=2)):  # noqa: ASYNC110  # the zone does not signal
            await asyncio.sleep(0.05)


async def test_a_ttl_is_honoured_and_a_changed_zone_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(resolve_module, "LEAST_TTL_SECONDS", 0.2)
    with dns_server(tmp_path, {"sbc.example": ["127.81.4.1"]}, ttl=0) as server:
        resolver = Resolver(dns=asking(server))
        uri = parse_uri("sip:sbc.example:5060")
        assert [a.sockaddr[0] for a in (await resolver.targets(uri, seconds=2)).targets] == ["127.81.4.1"]
        server.hold({"sbc.example": ["127.81.4.2", "127.81.4.3"]})
        server.reload()
        assert [a.sockaddr[0] for a in (await resolver.targets(uri, seconds=2)).targets] == ["127.81.4.1"], "kept"

        await poll(lambda known: len(known.targets) == 2, resolver, uri)
        await resolver.close()


async def test_while_the_dns_fails_the_last_good_targets_stay_and_it_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(resolve_module, "LEAST_TTL_SECONDS", 0.1)
    monkeypatch.setattr(resolve_module, "REFRESH_SECONDS", 0.3)
    monkeypatch.setattr(resolve_module, "AGAIN_SECONDS", 0.1)
    with dns_server(tmp_path, {"sbc.example": ["127.81.4.1"]}, ttl=0) as server:
        resolver, uri = Resolver(dns=asking(server)), parse_uri("sip:sbc.example:5060")
        assert (await resolver.targets(uri, seconds=2)).trouble is None
        server.stop()

        await poll(lambda known: known.trouble is not None, resolver, uri)
        known = resolver.known(uri)
        assert [a.sockaddr[0] for a in known.targets] == ["127.81.4.1"]
        assert "no answer" in known.trouble
        assert known.age_seconds > 0
        server.start()
        await poll(lambda known: known.trouble is None, resolver, uri)
        await resolver.close()


def topology(address: str, **more) -> Topology:
    return Topology.model_validate({
        "service": "voice",
        "cores": {"core-a": {"uri": "sip:10.8.0.1"}},
        "sbcs": {"sbc-1": {"addresses": [address], "primary": "core-a"}},
        "checks": {"edge": {"every": "1s", "timeout": "900ms"}, "options": {"every": "1s", "timeout": "900ms"}},
        **more,
    })  # fmt: skip


async def test_each_target_behind_a_name_is_a_target_of_measurement(server):
    resolver = Resolver(dns=asking(server))
    found = await Names(targets(topology("sip:full.example"), "p"), resolver).first()
    await resolver.close()
    assert [(t.check, t.address, t.transport) for t in found] == [
        (kind, address, "tls")
        for kind in ("edge", "options")
        for address in (
            "sip:127.81.4.1:5061;transport=tls", "sip:127.81.4.2:6061;transport=tls", "sip:[::1]:6061;transport=tls",
        )
    ]  # fmt: skip
    assert {(t.name, t.written) for t in found} == {("full.example", "sip:full.example")}
    assert len({t.key for t in found}) == len(found)
    assert [t.phase for t in found if t.check == "edge"] == [0, 1 / 3, 2 / 3]


async def test_a_name_that_leads_nowhere_stays_one_target_and_the_watch_finds_it_later(tmp_path, monkeypatch):
    monkeypatch.setattr("probes.checks.named._LEAST_SECONDS", 0.05)
    monkeypatch.setattr(resolve_module, "LEAST_TTL_SECONDS", 0.1)
    with dns_server(tmp_path, {}, ttl=0) as server:
        resolver = Resolver(dns=asking(server))
        names = Names(targets(topology("sip:sbc.example:5060"), "p"), resolver)
        assert {t.address for t in await names.first()} == {"sip:sbc.example:5060"}
        assert names.notes() == ["sip:sbc.example:5060: not resolved"]
        told = []
        watching = asyncio.ensure_future(names.watch(told.append))
        server.hold({"sbc.example": ["127.81.4.1", "127.81.4.2"]})
        server.reload()
        await eventually(lambda: told)
        server.hold({"sbc.example": ["127.81.4.2"]})
        server.reload()
        await eventually(lambda: len(told) == 2)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await resolver.close()
    assert [sorted({t.address for t in found}) for found in told] == [
        ["sip:127.81.4.1:5060;transport=udp", "sip:127.81.4.2:5060;transport=udp"],
        ["sip:127.81.4.2:5060;transport=udp"],
    ]
    assert names.notes() == []


async def test_without_names_nothing_is_asked_and_the_watch_ends():
    names = Names(targets(topology("sip:127.81.4.1"), "p"), Resolver(["127.81.53.99"]))
    assert {t.address for t in await names.first()} == {"sip:127.81.4.1"}
    await asyncio.wait_for(names.watch(lambda _: None), 1)


async def test_tls_asks_for_the_name_whatever_host_srv_leads_to(tmp_path):
    """RFC 5922 section 4: the certificate is that of the SIP domain, not of the machine behind it."""
    pki = Pki(tmp_path / "pki")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pki.issue("sbc", "URI:sip:secure.example"))
    asked = []
    context.sni_callback = lambda _, name, __: asked.append(name)
    sip = SipClient("bog-1", clock=SystemClock())

    def well(request, _, side):
        side.write(answer(request, "200 OK"))

    async with stream_peer(well, host="127.81.4.9", context=context) as at:
        records = [
            "naptr-record=secure.example,1,1,s,SIPS+D2T,,_sips._tcp.secure.example",
            f"srv-host=_sips._tcp.secure.example,m1.example,{at.port},1,1",
        ]
        with dns_server(tmp_path, {"m1.example": ["127.81.4.9"]}, records) as server:
            sip.resolver = Resolver(dns=asking(server))
            made = topology("sip:secure.example")
            sbc = made.sbcs["sbc-1"].model_copy(update={"tls": Tls(ca=str(pki.ca))})
            made = made.model_copy(update={"sbcs": {"sbc-1": sbc}})
            found = await Names(targets(made, "p", ["edge"]), sip.resolver).first()
            runtime = Runtime(clock=SystemClock(), topology=made, probe="p", sip=sip)
            (result,) = [await REGISTRY["edge"](target, runtime) for target in found]
        await sip.close()
    assert (result.outcome, result.address, result.target) == (
        "ok", f"sip:127.81.4.9:{at.port};transport=tls", "secure.example",
    )  # fmt: skip
    assert asked == ["secure.example"]
    assert result.facts["tls"]["sans"] == ["sip:secure.example"]
    assert result.facts["dns"] == {"name": "secure.example", "how": "NAPTR, SRV, A/AAAA", "targets": 1}


class Peer(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.transport.sendto(answer(data.rstrip(), "200 OK", "Server: core-a"), addr)


async def check(path, *arguments):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sereno", "check", *arguments, "--topology", str(path), "--json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode, [json.loads(line) for line in out.decode().splitlines()], err.decode()


async def test_the_command_measures_every_target_of_a_name(tmp_path):
    """Two addresses, one dead: one result each; and a name that is not there fails with `dns`."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Peer, local_addr=("127.81.4.7", 0))
    port = transport.get_extra_info("sockname")[1]
    made = topology(
        "sip:both.example", checks={"dns": {"resolvers": [HOST]}, "edge": {"every": "1s", "timeout": "900ms"}}
    ).model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    made["sbcs"]["sbc-2"] = {"addresses": ["sip:nowhere.example"], "primary": "core-a"}
    path = tmp_path / "topology.yaml"
    path.write_text(yaml.safe_dump(made))
    records = [f"srv-host=_sip._udp.both.example,{host}.example,{port},{n},1" for n, host in enumerate(("one", "two"))]
    try:
        with dns_server(tmp_path, {"one.example": ["127.81.4.7"], "two.example": ["127.81.4.8"]}, records, port=53):
            code, found, err = await check(path, "edge")
    finally:
        transport.close()
    assert (code, err) == (1, "")
    assert {(r["sbc"], r["address"], r["target"], r["outcome"], r.get("reason")) for r in found} == {
        ("sbc-1", f"sip:127.81.4.7:{port};transport=udp", "both.example", "ok", None),
        ("sbc-1", f"sip:127.81.4.8:{port};transport=udp", "both.example", "failed", "refused"),
        ("sbc-2", "sip:nowhere.example", "nowhere.example", "failed", "dns"),
    }
    facts = [r["facts"]["dns"] for r in found if r["sbc"] == "sbc-1"]
    assert facts == [{"name": "both.example", "how": "SRV, A/AAAA", "targets": 2}] * 2
    (missing,) = [r for r in found if r["sbc"] == "sbc-2"]
    assert missing["evidence"]["detail"] == "nowhere.example: no such name (NXDOMAIN)"
