"""The page's records, built from what changed: always what a page built from nothing would be."""

import random

import pytest
from web_seed import Seed

from dashboards.web.view import View
from sereno.clock import SECOND_US
from sereno.store import open_store
from sereno.store.tables import topologies
from sereno.topology import canonical_json, parse_topology, topology_hash

NOW = 1_800_000_000 * SECOND_US
STATES = ("up", "down", "degraded", "unknown")


@pytest.fixture
def seed(tmp_path):
    store = open_store(tmp_path)
    yield Seed(store, NOW)
    store.dispose()


@pytest.mark.parametrize("number", range(3))
def test_step_by_step_is_the_same_as_from_nothing(seed, number):
    chance = random.Random(number)
    seed.all_up()
    view, now = View(seed.store), NOW
    for _ in range(25):
        now += chance.choice((200_000, SECOND_US, 4 * SECOND_US, 30 * SECOND_US))
        for _ in range(chance.randrange(4)):
            kind, name = chance.choice(
                [("sbc", "sbc-1"), ("path", "sbc-2/core-a"), ("core", "core-b"), ("site", "acme-bog")]
            )
            seed.say(kind, name, chance.choice(STATES), reason="timeout", since_us=now)
        for _ in range(chance.randrange(4)):
            at_us = now - chance.choice((0, SECOND_US, 8 * SECOND_US))
            seed.result("edge", at_us, sbc="sbc-1", rtt_seconds=chance.random(), arrived_us=now)
            seed.result("natural", at_us, sbc="sbc-2", rtt_seconds=chance.random(), arrived_us=now)
        if chance.random() < 0.8:
            seed.alive(now if chance.random() < 0.7 else now - 60 * SECOND_US)
        step = view.page(now)
        assert step == View(seed.store).page(now)


def test_rows_that_say_the_same_are_the_same(seed):
    seed.all_up()
    seed.alive(NOW)
    view = View(seed.store)
    one = view.page(NOW)
    seed.say("path", "sbc-1/core-a", "down", since_us=NOW)
    two = view.page(NOW + SECOND_US)
    assert one.rows[0] is not two.rows[0]
    assert one.rows[1] is two.rows[1]


def test_what_was_heard_while_the_store_failed_is_shown_afterwards(seed, monkeypatch):
    seed.all_up()
    seed.alive(NOW)
    view = View(seed.store)
    view.page(NOW)
    seed.say("path", "sbc-1/core-a", "down", since_us=NOW)
    with monkeypatch.context() as patched:
        patched.setattr(view.recent, "read", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            view.page(NOW + SECOND_US)
    assert view.page(NOW + 2 * SECOND_US).rows[0].cells["core-a"].verdict.state == "down"


def test_another_topology_is_followed(seed):
    seed.all_up()
    seed.alive(NOW)
    view = View(seed.store)
    assert len(view.page(NOW).rows) == 2
    text = (
        b"service: acme-voice\ncores: {core-a: {uri: 'sip:127.0.2.1'}}\n"
        b"sbcs: {new: {addresses: ['sip:127.0.1.9'], primary: core-a}}\n"
    )
    topology = parse_topology("other", text)
    with seed.store.write() as connection:
        connection.execute(
            topologies.insert().values(from_us=NOW, hash=topology_hash(topology), topology=canonical_json(topology))
        )
    page = view.page(NOW + SECOND_US)
    assert [row.name for row in page.rows] == ["new"]
    assert page.topology_hash == topology_hash(topology)


def test_before_the_first_topology(tmp_path):
    store = open_store(tmp_path)
    assert View(store).page(NOW) is None
    store.dispose()
