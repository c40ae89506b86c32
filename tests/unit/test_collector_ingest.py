"""Dedupe, refusal and holes: what of a message is new, what is acknowledged."""

import msgspec
import pytest

from collector.ingest import Ingest
from sereno.clock import parse_instant
from sereno.wire import VERSION, Batch, encode

AT = "2026-11-21T00:00:00.000000Z"


def result(seq, **fields):
    values = {"v": VERSION, "probe": "p", "boot": "b", "seq": seq, "at": AT, "check": "edge", "outcome": "ok"}
    return msgspec.Raw(msgspec.json.encode(values | {"sbc": "sbc-1"} | fields))


def batch(*results, first=1, **fields):
    values = {"v": VERSION, "probe": "p", "boot": "b", "first": first, "oldest": {"b": first}}
    return encode(Batch(**(values | fields), results=list(results)))


def test_a_result_is_new_once_and_the_ack_says_what_is_committed():
    ingest = Ingest({})
    payload = batch(result(1), result(2))
    assert [each.seq for each, _ in ingest.take([("p", payload)]).fresh] == [1, 2]
    again = ingest.take([("p", payload)])
    assert not again.fresh
    assert not again.moved
    assert again.probes == {"p"}  # it is told again: its ack may have been lost
    assert ingest.ack("p", 7).committed == {"b": [(1, 2)]}
    assert ingest.ack("p", 7).epoch == 7
    assert ingest.ack("somebody else", 7).committed == {}


def test_an_ack_names_only_what_the_probe_still_holds():
    ingest = Ingest({})
    ingest.take([("p", batch(*(result(seq) for seq in range(1, 11))))])
    ingest.take([("p", batch(result(11), first=11, oldest={"b": 11}))])
    assert ingest.ack("p", 1).committed == {"b": [(11, 11)]}
    ingest.take([("p", batch(result(1, boot="c"), boot="c", oldest={"c": 1}))])
    assert ingest.ack("p", 1).committed == {"c": [(1, 1)]}


def test_a_result_that_cannot_be_read_is_refused_in_its_place_and_counts_as_committed():
    ingest = Ingest({})
    taken = ingest.take([("p", batch(result(1), msgspec.Raw(b'{"v":1,"nonsense":true}'), result(3)))])
    assert [each.seq for each, _ in taken.fresh] == [1, 3]
    assert [(refused.probe, refused.boot, refused.seq) for refused in taken.refused] == [("p", "b", 2)]
    assert ingest.ack("p", 1).committed == {"b": [(1, 3)]}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (result(2, probe="other"), "in the place of"),
        (result(9), "in the place of"),
        (result(2, v=2), "unknown version 2"),
        (result(2, at="yesterday"), "not an ISO 8601 instant"),
        (result(2, sbc="x" * 65), "no name"),
        (result(2, sbc="a\nb"), "no name"),
        (result(2, outcome="perhaps"), "not a result"),
    ],
)
def test_why_a_result_is_refused(wrong, why):
    taken = Ingest({}).take([("p", batch(result(1), wrong))])
    assert [each.seq for each, _ in taken.fresh] == [1]
    assert why in taken.refused[0].why


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "not a batch"),
        (b"\xff\xfe", "not a batch"),
        (b"[" * 100_000, "not a batch"),
        (b'{"v":3}', "unknown version 3"),
        (batch(result(1), probe="other"), "on the topic of"),
        (batch(), "a batch of 0 results"),
        (batch(*(result(1) for _ in range(501))), "a batch of 501 results"),
        (batch(result(1), first=0), "out of range"),
        (batch(result(1), boot="../b"), "no name"),
    ],
)
def test_a_batch_that_cannot_be_read_is_refused_and_not_acknowledged(payload, why):
    ingest = Ingest({})
    taken = ingest.take([("p", payload)])
    assert not taken.fresh
    assert not taken.probes
    assert why in taken.refused[0].why
    assert ingest.ack("p", 1).committed == {}


def test_what_lies_below_the_oldest_held_and_never_came_is_missing_once():
    ingest = Ingest({})
    assert ingest.take([("p", batch(result(1), result(2)))]).missing == {}
    taken = ingest.take([("p", batch(result(10), first=10, oldest={"b": 8}))])
    assert taken.missing == {"p": 5}  # 3 to 7 were dropped by a full spool
    assert ingest.take([("p", batch(result(11), first=11, oldest={"b": 8}))]).missing == {}


@pytest.mark.parametrize(
    ("at", "why"),
    [
        ("2026-11-21T00:00:05.000001Z", "still to come: the clock of p is ahead"),
        ("2199-12-31T00:00:00Z", "still to come: the clock of p is ahead"),
        ("1970-01-01T00:00:07Z", "longer ago than any spool keeps: the clock of p is behind"),
    ],
)
def test_a_result_of_another_age_is_refused_and_counts_as_committed(at, why):
    ingest = Ingest({})
    taken = ingest.take([("p", batch(result(1, at=at), result(2), first=1))], parse_instant(AT))
    assert [each.seq for each, _ in taken.fresh] == [2]
    (refused,) = taken.refused
    assert refused.why.endswith(why)
    assert ingest.ack("p", 1).committed == {"b": [(1, 2)]}
