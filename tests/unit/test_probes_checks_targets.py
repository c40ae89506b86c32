import pytest

from probes.checks import REGISTRY, notes, targets
from probes.checks.expand import SIGNALLING
from probes.checks.options import forced
from probes.sip.uri import fill, parse_uri
from sereno.errors import UsageError
from sereno.topology.model import Topology

FILE = {
    "service": "voice",
    "domain": "voice.example",
    "cores": {"core-a": {"uri": "sip:10.8.0.1", "prefix": "77"}, "core-b": {"uri": "sip:10.8.0.2:5070"}},
    "sbcs": {
        "sbc-1": {
            "addresses": ["sip:198.51.100.11:5060;transport=udp", "sip:198.51.100.21", "sips:198.51.100.11:5061"],
            "primary": "core-a",
            "backup": "core-b",
        },
        "sbc-2": {
            "addresses": ["sip:198.51.100.12"],
            "primary": "core-b",
            "backup": "core-a",
            "backup_test": "passive",
        },
    },
    "accounts": {"m1": {"user": "9000", "realm": "r", "password": {"env": "X"}}},
    "checks": {
        "edge": {"every": "1s", "timeout": "900ms"},
        "options": {"every": "2s", "timeout": "800ms"},
        "natural": {"every": "1s", "timeout": "900ms"},
        "register": {"every": "30s", "accounts": ["m1"], "expires": "120s"},
        "call": {"every": "60s", "account": "m1", "to": "sip:echo@{core}", "hold": "20s", "codecs": ["PCMA"]},
    },
    "probes": {
        "out": {"network": "isp"},
        "in": {"network": "lan", "vantage": "inside", "checks": ["options", "database"]},
    },
}
TOPOLOGY = Topology.model_validate(FILE)


def brief(found):
    return [(t.check, t.sbc, t.core, t.address) for t in found]


def test_one_target_per_address_and_path_passive_backups_left_out():
    found = targets(TOPOLOGY, "out")
    one, two, other = "sip:198.51.100.11:5060;transport=udp", "sip:198.51.100.21", "sip:198.51.100.12"
    tls = "sips:198.51.100.11:5061"
    assert brief(found) == [
        ("edge", "sbc-1", None, one), ("edge", "sbc-1", None, two), ("edge", "sbc-1", None, tls),
        ("edge", "sbc-2", None, other),
        *(("options", "sbc-1", "core-a", address) for address in (one, two, tls)),
        *(("options", "sbc-1", "core-b", address) for address in (one, two, tls)),
        ("options", "sbc-2", "core-b", other),
        ("natural", "sbc-1", None, one), ("natural", "sbc-1", None, two), ("natural", "sbc-1", None, tls),
        ("natural", "sbc-2", None, other),
        ("register", "sbc-1", "core-a", one), ("register", "sbc-1", "core-b", one),
        ("register", "sbc-2", "core-b", other),
        ("call", "sbc-1", "core-a", one), ("call", "sbc-1", "core-b", one), ("call", "sbc-2", "core-b", other),
    ]  # fmt: skip
    assert len({t.key for t in found}) == len(found)
    assert {t.check for t in found} <= set(REGISTRY)
    options = next(t for t in found if t.check == "options")
    assert (options.every_us, options.timeout_us, options.transport) == (2_000_000, 800_000, "udp")
    call = next(t for t in found if (t.check, t.core) == ("call", "core-b"))
    assert (call.to, call.hold_us, call.codecs, call.account) == ("sip:echo@10.8.0.2:5070", 20_000_000, ("PCMA",), "m1")


def test_phases_are_even_within_a_kind():
    assert [t.phase for t in targets(TOPOLOGY, "out") if t.check == "options"] == [n / 7 for n in range(7)]


def test_an_inside_probe_does_its_own_checks_and_passive_backups_too():
    found = targets(TOPOLOGY, "in")
    assert {t.check for t in found} == {"options"}
    assert ("sbc-2", "core-a") in {(t.sbc, t.core) for t in found}


def test_what_is_not_measured_is_said():
    assert notes(TOPOLOGY) == []
    assert "domain" in notes(TOPOLOGY.model_copy(update={"domain": None}))[0]
    secure = {**FILE["sbcs"]["sbc-1"], "addresses": ["sips:198.51.100.11"]}
    only = Topology.model_validate({**FILE, "sbcs": {"sbc-1": secure}})
    assert notes(only) == ["sbc-1: register and call checks are not made: it has no UDP address over IPv4"]
    assert notes(only, "sbc-9") == []


def test_by_hand_a_kind_needs_no_schedule():
    bare = Topology.model_validate({k: v for k, v in FILE.items() if k not in {"checks", "domain"}})
    assert targets(bare, "out") == []
    assert {t.check for t in targets(bare, "x", SIGNALLING)} == {"edge", "options"}
    assert all(t.account == "m1" for t in targets(bare, "x", ["register"]))


def ask_for(steer=None, **changes):
    sbcs = {"sbc-1": {**FILE["sbcs"]["sbc-1"], **({"steer": steer} if steer else {})}}
    topology = Topology.model_validate({**FILE, "sbcs": sbcs, "probes": {}, **changes})
    target = targets(topology, "x", ["options"])[0]
    return forced(target, topology, parse_uri(target.address))


def test_forcing_by_route_by_default():
    ask = ask_for()
    assert (ask.uri, ask.route, ask.headers) == ("sip:10.8.0.1", "<sip:198.51.100.11:5060;lr>", ())


def test_forcing_by_header_and_by_prefix():
    ask = ask_for({"header": "X-Core: {core.name}"})
    assert (ask.uri, ask.route, ask.headers) == ("sip:voice.example", None, ("X-Core: core-a",))
    assert ask_for({"header": "X-Core: {core}"}, domain=None).uri == "sip:10.8.0.1"
    ask = ask_for({"to": "sip:{core.prefix}600@sbc"})
    assert (ask.uri, ask.route) == ("sip:77600@198.51.100.11:5060", None)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("sip:198.51.100.11:5060;transport=udp", ("198.51.100.11", 5060, "udp", "198.51.100.11:5060")),
        ("sip:sbc.example", ("sbc.example", 5060, "udp", "sbc.example")),
        ("sips:sbc.example", ("sbc.example", 5061, "tls", "sbc.example")),
        ("SIP:a@[2001:db8::1]:5080;transport=TCP", ("2001:db8::1", 5080, "tcp", "[2001:db8::1]:5080")),
    ],
)
def test_uris(text, parts):
    uri = parse_uri(text)
    assert (uri.host, uri.effective_port, uri.transport, uri.hostport) == parts


@pytest.mark.parametrize(
    "text", ["", "tel:1", "sip:", "sip:a b", "sip:h:0", "sip:h:65536", "sip:h\r\nX: y", "http://x"]
)
def test_what_is_no_uri_is_refused(text):
    with pytest.raises(UsageError, match="not a SIP URI"):
        parse_uri(text)


def test_unknown_words_and_line_breaks_in_steering_are_refused():
    uri = parse_uri("sip:1.2.3.4")
    for text, says in (("X: {kore}", "unknown word"), ("X: {core}\r\nY: z", "control")):
        with pytest.raises(UsageError, match=says):
            fill(text, core="a", core_uri="sip:10.0.0.1", prefix=None, sbc=uri)
