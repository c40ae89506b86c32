"""docs/reasons.md, "What an answer means", row by row."""

import pytest

from probes.sip.identify import meaning
from probes.sip.message import parse_reply
from sereno.topology.model import Topology

FILE = {
    "service": "voice",
    "cores": {
        "core-a": {"uri": "sip:10.8.0.1", "identify": {"header": "Server", "contains": "core-a"}},
        "core-b": {"uri": "sip:10.8.0.2", "identify": {"header": "Server", "contains": "core-b"}},
    },
    "sbcs": {"sbc-1": {"addresses": ["sip:198.51.100.11"], "primary": "core-a", "backup": "core-b"}},
}
RULES = Topology.model_validate(FILE)
NO_RULES = Topology.model_validate(
    {**FILE, "cores": {"core-a": {"uri": "sip:10.8.0.1"}, "core-b": {"uri": "sip:10.8.0.2"}}}
)
SBC_RULE = Topology.model_validate(
    {**FILE, "sbcs": {"sbc-1": {**FILE["sbcs"]["sbc-1"], "identify": {"header": "Server", "contains": "edge"}}}}
)


def said(code, server=None, *, plane="options", core="core-a", topology=RULES, late=False):
    lines = [f"SIP/2.0 {code} X", "Via: SIP/2.0/UDP h;branch=z", "From: <sip:a@b>;tag=1", "To: <sip:c@d>;tag=2"]
    lines += ["Call-ID: x", "CSeq: 1 OPTIONS"] + ([f"Server: {server}"] if server else [])
    reply = parse_reply(("\r\n".join(lines) + "\r\n\r\n").encode())
    got = meaning(reply, topology, sbc="sbc-1", core=core if plane == "options" else None, plane=plane, late=late)
    return got.outcome, got.reason, got.answered_by, got.answered_core


@pytest.mark.parametrize("code", [200, 202, 299, 401, 404, 405, 407, 420, 480, 486, 489, 501])
def test_a_core_that_speaks_is_up(code):
    assert said(code, "core-a (kamailio)") == ("ok", None, "core", "core-a")


@pytest.mark.parametrize(
    ("code", "reason"), [(500, "sip_5xx"), (503, "sip_5xx"), (504, "sip_5xx"), (600, "sip_6xx"), (603, "sip_6xx")]
)
def test_a_core_that_refuses_is_down(code, reason):
    assert said(code, "core-a") == ("failed", reason, "core", "core-a")


@pytest.mark.parametrize(
    ("code", "reason"), [(408, "sip_408"), (500, "sip_5xx"), (502, "sip_5xx"), (503, "sip_5xx"), (504, "sip_5xx")]
)
@pytest.mark.parametrize(("server", "topology"), [("edge-1", SBC_RULE), (None, RULES), ("kamailio", RULES)])
def test_an_sbc_that_reaches_nobody_fails_the_path(code, reason, server, topology):
    assert said(code, server, topology=topology) == ("failed", reason, "sbc", None)


@pytest.mark.parametrize("code", [473, 476, 477, 478])
@pytest.mark.parametrize(("server", "topology"), [("edge-1", SBC_RULE), (None, RULES), ("kamailio", RULES)])
@pytest.mark.parametrize("plane", ["options", "natural"])
def test_an_sbc_that_can_send_nothing_to_the_next_hop_fails_the_path(code, server, topology, plane):
    # Kamailio 5.6 with a core that is dead over TCP: "477 Unfortunately error on sending to next hop occurred".
    assert said(code, server, topology=topology, plane=plane) == ("failed", "sip_4xx", "sbc", None)


@pytest.mark.parametrize("code", [200, 401, 404, 503, 408, 603])
def test_another_core_than_the_forced_one_proves_nothing(code):
    assert said(code, "core-b") == ("failed", "wrong_core", "core", "core-b")


@pytest.mark.parametrize("code", [200, 401, 405, 486, 501])
def test_nobody_identifiable_counts_as_up_not_proved(code):
    assert said(code, "anything", topology=NO_RULES) == ("ok", None, "unknown", None)
    assert said(code, "anything") == ("ok", None, "unknown", None)


def test_without_a_rule_a_404_may_be_the_core_and_a_503_fails_of_nobody():
    assert said(404, topology=NO_RULES) == ("ok", None, "unknown", None)
    assert said(503, topology=NO_RULES) == ("failed", "sip_5xx", "unknown", None)
    assert said(408, topology=NO_RULES) == ("failed", "sip_408", "unknown", None)


@pytest.mark.parametrize("code", [403, 404, 416, 488])
@pytest.mark.parametrize(("server", "topology"), [("edge-1", SBC_RULE), (None, RULES)])
def test_steering_is_a_ticket_never_downtime(code, server, topology):
    assert said(code, server, topology=topology) == ("invalid", "steering", "sbc", None)


@pytest.mark.parametrize("code", [200, 401, 405])
def test_an_sbc_that_answers_in_the_cores_place_did_not_steer(code):
    assert said(code, "edge-1", topology=SBC_RULE) == ("invalid", "steering", "sbc", None)
    assert said(code, "edge-1", topology=SBC_RULE, plane="natural") == ("ok", None, "sbc", None)


def test_blocked():
    assert said(429) == ("invalid", "blocked", "sbc", None)
    assert said(429, topology=NO_RULES)[:2] == ("invalid", "blocked")
    assert said(429, plane="edge")[:2] == ("invalid", "blocked")


def test_483_is_a_loop_but_for_the_edge_that_was_given_no_hop():
    assert said(483) == ("failed", "loop", "sbc", None)
    assert said(483, "core-a") == ("failed", "loop", "core", "core-a")
    assert said(482, "core-a")[:2] == ("failed", "loop")
    assert said(483, plane="natural")[:2] == ("failed", "loop")
    assert said(483, plane="edge") == ("ok", None, "sbc", None)


@pytest.mark.parametrize("code", [200, 404, 408, 483, 502, 401])
def test_an_edge_that_says_anything_is_alive(code):
    assert said(code, plane="edge") == ("ok", None, "sbc", None)


@pytest.mark.parametrize(("code", "reason"), [(500, "sip_5xx"), (503, "sip_5xx"), (504, "sip_5xx"), (603, "sip_6xx")])
def test_an_edge_that_refuses_service_is_down(code, reason):
    assert said(code, plane="edge") == ("failed", reason, "sbc", None)


def test_natural_is_up_whichever_core_speaks():
    assert said(200, "core-b", plane="natural") == ("ok", None, "core", "core-b")
    assert said(503, "core-b", plane="natural") == ("failed", "sip_5xx", "core", "core-b")
    assert said(408, plane="natural") == ("failed", "sip_408", "sbc", None)
    assert said(403, plane="natural") == ("invalid", "steering", "sbc", None)


def test_late_good_answers_are_ok_late_and_late_bad_ones_stay_bad():
    assert said(200, "core-a", late=True) == ("ok", "late", "core", "core-a")
    assert said(408, late=True) == ("failed", "sip_408", "sbc", None)
    assert said(200, "core-b", late=True)[:2] == ("failed", "wrong_core")
    assert said(483, plane="edge", late=True) == ("ok", "late", "sbc", None)


@pytest.mark.parametrize("code", [400, 403, 410, 488, 493])
def test_a_4xx_that_nobody_foresaw_is_a_ticket(code):
    assert said(code, "core-a") == ("invalid", "sip_4xx", "core", "core-a")


def test_480_of_an_sbc_and_redirections_fail():
    assert said(480, "edge-1", topology=SBC_RULE) == ("failed", "sip_4xx", "sbc", None)
    assert said(302, "core-a") == ("failed", "sip_3xx", "core", "core-a")


def test_the_most_specific_rule_wins_and_a_draw_is_unknown():
    cores = {
        "core-a": {"uri": "sip:10.8.0.1", "identify": {"header": "Server", "contains": "core"}},
        "core-b": {"uri": "sip:10.8.0.2", "identify": {"header": "Server", "contains": "core-b"}},
    }
    assert said(200, "core-b", core="core-b", topology=Topology.model_validate({**FILE, "cores": cores}))[3] == "core-b"
    cores["core-b"]["identify"]["contains"] = "core"
    assert said(200, "core", topology=Topology.model_validate({**FILE, "cores": cores})) == (
        "ok",
        None,
        "unknown",
        None,
    )


@pytest.mark.parametrize("plane", ["edge", "options", "natural"])
@pytest.mark.parametrize("topology", [RULES, NO_RULES, SBC_RULE])
@pytest.mark.parametrize("server", [None, "core-a", "core-b", "edge-1", "x"])
def test_every_final_code_has_a_meaning_that_is_consistent(plane, topology, server):
    for code in range(200, 700):
        outcome, reason, by, core = said(code, server, plane=plane, topology=topology)
        assert (outcome == "ok") == (reason is None)
        assert (by == "core") == (core is not None)
        late = said(code, server, plane=plane, topology=topology, late=True)
        assert late == (("ok", "late", by, core) if outcome == "ok" else (outcome, reason, by, core))
