"""Quorum and the rules of elements (docs/verdicts.md §4–§8), one case a rule."""

import pytest

from collector.verdicts import rules
from collector.verdicts.rules import Planes, Reach
from collector.verdicts.votes import Opinion, Value, all_of, any_of, vote


def value(state, since=0, reason=None, *tags):
    return Value(state, since, reason, frozenset(tags))


def opinions(*words):
    """`up@isp-1` …"""
    found = []
    for index, word in enumerate(words):
        state, _, network = word.partition("@")
        found.append(Opinion(network, value(state, index)))
    return found


@pytest.mark.parametrize(
    ("said", "configured", "networks", "state", "reason"),
    [
        (("up@a",), 1, 1, "up", None),
        (("down@a",), 1, 1, "down", None),
        (("down@a",), 2, 1, "unknown", "unconfirmed"),
        (("up@a", "unknown@b"), 2, 2, "up", None),
        (("down@a", "unknown@b"), 2, 2, "unknown", "unconfirmed"),
        (("down@a", "down@b"), 2, 2, "down", None),
        (("down@a", "down@a"), 3, 2, "unknown", "unconfirmed"),  # two networks are configured, one voted
        (("down@a", "down@a"), 2, 1, "down", None),
        (("down@a", "up@b"), 2, 2, "unknown", "disagreement"),
        (("down@a", "down@b", "up@c"), 3, 3, "down", None),
        (("down@a", "up@b", "up@c"), 3, 3, "degraded", "split"),
        (("down@a", "up@a", "up@a"), 3, 1, "up", None),  # one probe of a network is no split
        (("unknown@a",), 1, 1, "unknown", "no_data"),
        ((), 0, 0, "unknown", "no_data"),
    ],
)
def test_quorum(said, configured, networks, state, reason):
    found = vote(opinions(*said), configured, networks)
    assert (found.state, found.reason) == (state, reason)


def test_a_single_witness_is_named():
    assert "one_witness" in vote(opinions("down@a"), 1, 1).tags


def test_down_since_the_vote_that_made_the_majority_and_the_second_network():
    said = [Opinion("a", value("down", 3)), Opinion("a", value("down", 5)), Opinion("b", value("down", 9))]
    assert vote(said, 3, 2).since_us == 9
    assert vote(said, 3, 1).since_us == 5


def test_kleene():
    up, down, vague = value("up", 1), value("down", 2), value("unknown", 3)
    assert any_of([down, vague, up]).state == "up"
    assert any_of([down, vague]).state == "unknown"
    assert any_of([down, value("down", 7)]) == value("down", 7)
    assert all_of([up, vague, down]).state == "down"
    assert all_of([up, vague]).state == "unknown"
    assert all_of([up, value("up", 8)]).since_us == 8


ALL = rules.ALL_PLANES


@pytest.mark.parametrize(
    ("planes", "counted", "state", "reason"),
    [
        (("up", None, None), ALL, "up", None),
        (("up", "down", "up"), ALL, "down", "registration"),
        (("up", "down", "up"), frozenset({"signalling"}), "degraded", "registration"),
        (("up", "unknown", "unknown"), ALL, "up", None),
        (("unknown", "up", "up"), ALL, "unknown", None),
        (("unknown", "down", "up"), ALL, "down", "registration"),
        ((None, "up", "up"), ALL, "unknown", "no_data"),
    ],
)
def test_path_planes(planes, counted, state, reason):
    found = rules.path(Planes(*(None if one is None else value(one) for one in planes)), counted)
    assert (found.state, found.reason) == (state, reason)


def test_a_passive_backup_is_not_testable():
    found = rules.path(Planes(value("unknown"), None, None), ALL, passive=True)
    assert (found.state, found.reason) == ("unknown", "not_testable")


def reach(sbc, edge, signalling, *tags, passive=False, reason="timeout"):
    said = value(signalling, 5, reason if signalling == "down" else None, *tags)
    return Reach(sbc, edge == "up", Planes(said, None, None), passive)


@pytest.mark.parametrize(
    ("reaches", "inside", "sbcs", "state"),
    [
        ([reach("1", "up", "down"), reach("2", "up", "down")], None, 2, "down"),
        ([reach("1", "up", "down"), reach("2", "up", "up")], None, 2, "up"),
        ([reach("1", "down", "down"), reach("2", "up", "down")], None, 2, "unknown"),
        ([reach("1", "down", "down"), reach("2", "up", "down", "by_sbc")], None, 2, "down"),
        ([reach("1", "down", "down"), reach("2", "up", "down")], "down", 2, "down"),
        ([reach("1", "down", "down"), reach("2", "down", "down")], None, 2, "unknown"),
        ([reach("1", "down", "down"), reach("2", "down", "down")], "down", 2, "unknown"),
        ([reach("1", "up", "down"), reach("2", "up", "unknown")], None, 2, "unknown"),
        ([reach("1", "up", "down")], None, 1, "down"),
        ([reach("1", "up", "down"), reach("2", "up", "down", reason="wrong_core")], None, 2, "unknown"),
        ([reach("1", "up", "down"), reach("2", "up", "down")], "up", 2, "degraded"),
        ([reach("1", "up", "down"), reach("2", "up", "unknown", passive=True)], None, 2, "unknown"),
    ],
)
def test_core(reaches, inside, sbcs, state):
    said = None if inside is None else value(inside, 1)
    assert rules.core(reaches, said, sbcs=sbcs).state == state


def test_a_core_that_refuses_through_two_sbcs_is_degraded_not_down():
    planes = Planes(value("up"), value("down", 4, "sip_5xx"), None)
    reaches = [Reach("1", True, planes, False), Reach("2", True, planes, False)]
    found = rules.core(reaches, None, sbcs=2)
    assert (found.state, found.reason) == ("degraded", "core_refusing")
    assert rules.core([reaches[0], reach("2", "up", "up")], None, sbcs=2).state == "up"


SEEN = ("down", 1, "timeout", "visible")
MUTE = ("down", 2, "one_way", "audio")


@pytest.mark.parametrize(
    ("views", "failover", "state"),
    [
        ([("up",), ("down",)], "auto", "up"),
        ([SEEN, ("up",)], "auto", "up"),
        ([MUTE, ("up",)], "auto", "down"),  # phones do not leave an SBC that answers
        ([("up",), MUTE], "auto", "up"),
        ([SEEN, MUTE], "auto", "down"),
        ([SEEN, SEEN], "auto", "down"),
        ([("unknown",), ("up",)], "auto", "up"),
        ([("unknown",), SEEN], "auto", "unknown"),
        ([SEEN, ("up",)], "manual", "down"),
        ([MUTE, ("up",)], "any", "up"),
    ],
)
def test_site(views, failover, state):
    assert rules.site([value(*one) for one in views], failover).state == state


def test_view_contradiction_natural_wins():
    assert rules.view(value("up"), [value("down")], [value("down")]).state == "up"
    assert rules.view(value("up"), [value("down")], [value("up")]).state == "down"
    assert rules.view(value("down"), [value("up")], [value("up")]).state == "down"
    assert rules.view(None, [value("down"), value("up")], [value("down")]).state == "up"


def test_service_and_customer():
    up, down, vague = value("up"), value("down"), value("unknown")
    assert rules.service([down, down]).state == "down"
    assert rules.service([down, vague]).state == "unknown"
    assert rules.service([up, down]).state == "degraded"
    assert rules.service([up, vague]).state == "up"
    assert rules.customer([up, down, vague]).state == "down"
    assert rules.customer([up, vague]).state == "unknown"


def test_redundancy_counts_the_dead_not_the_unknown():
    assert rules.redundancy([value("up"), value("unknown")]).lost is False
    assert rules.redundancy([value("up"), value("down", 9)]) == rules.Redundancy(2, 1, 9, 0)
    assert rules.redundancy([value("up")]).lost is False
