"""Who may watch what, and how the monitor judges itself: unknown is said, and the worst comes first."""

import pytest
from web_seed import Seed

from dashboards.web import vitals
from dashboards.web.access import Person
from dashboards.web.pages import topics_of
from dashboards.web.site import Site
from dashboards.web.words import Words
from sereno.clock import SECOND_US, FakeClock
from sereno.store import open_store
from sereno.store.collectors import Presence, say_presence
from sereno.store.queries.probes import Standing, save_status
from sereno.wire import Status

NOW = 1_800_000_000 * SECOND_US
VIEWER = Person(role="viewer", permissions=frozenset({"read"}))
OPERATOR = Person(name="ana", role="operator", permissions=frozenset({"read", "act"}))
MANAGER = Person(name="eva", role="manager", permissions=frozenset({"reports"}), customers=frozenset({"acme"}))


@pytest.fixture
def seed(tmp_path):
    store = open_store(tmp_path)
    yield Seed(store, NOW)
    store.dispose()


@pytest.fixture
def site(seed):
    made = Site(seed.store, FakeClock(NOW))
    yield made
    made.close()


@pytest.mark.parametrize(
    ("topic", "argument", "viewer", "operator"),
    [
        ("panorama", "", True, True), ("panorama", "act=1", False, True), ("panorama", "q=x&wall=1", True, True),
        ("paths", "path/sbc-1/core-a/1h", True, True), ("paths", "path/sbc-1/core-a/1y", False, False),
        ("paths", "", False, False), ("pathlist", "q=a", True, True), ("health", "", True, True),
        ("health", "x", False, False),
    ],
)  # fmt: skip
def test_who_watches_what(site, topic, argument, viewer, operator):
    one = topics_of(site)[topic]
    assert one.permission == "read"
    assert one.allowed(VIEWER, argument) is viewer
    assert one.allowed(OPERATOR, argument) is operator
    assert not one.allowed(MANAGER, argument)


def test_nothing_of_a_person_is_in_what_all_watch(site, seed):
    """A fragment is shared: the form that takes an incident carries no key of anybody."""
    seed.all_up()
    seed.alive(NOW)
    seed.incident()
    panorama = topics_of(site)["panorama"]
    words = site.words_in("es")
    shared = panorama.fragments("act=1", words)["incidents"]
    assert 'action="/incidents/1/ack"' in shared
    assert 'name="csrf" value=""' in shared
    assert "<form" not in panorama.fragments("", words)["incidents"]


def test_a_path_that_is_gone_says_so_and_costs_nothing(site, seed):
    seed.all_up()
    paths = topics_of(site)["paths"]
    words = site.words_in("es")
    assert "ya no se vigila" in paths.fragments('path/<b>/x"/10m', words)["verdict"]
    assert "<b>" not in paths.fragments('path/<b>/x"/10m', words)["verdict"]
    assert paths.plots("path/nobody/core-a/7d", words) == b""
    assert paths.plots("path/sbc-1/core-a/10m", words) != b""


# -- the monitor about itself ------------------------------------------------------------------------------------------


def signs(seed):
    found = vitals.signs(Words("en", "UTC"), vitals.read(seed.store, frozenset({"lab-1"}), NOW))
    return {sign.name: sign for sign in found}, found


def test_a_store_alone_is_not_well(seed):
    by_name, listed = signs(seed)
    assert by_name["Collector"].state == "down"
    assert by_name["Heartbeat"].state == "unknown"
    assert "nobody outside would notice" in by_name["Heartbeat"].said
    assert by_name["Results"].state == "unknown"
    assert by_name["Notifications"].state == "unknown"
    gravity = [vitals.GRAVITY[sign.state] for sign in listed]
    assert gravity == sorted(gravity)
    assert vitals.whole(listed) == "down"


def test_a_collector_that_does_not_reach_the_broker_is_no_collector(seed):
    seed.alive(NOW)
    presence = Presence(
        name="seed", role="leader", epoch=1, started_us=NOW, seen_us=NOW, broker=False, page=None, version="1"
    )
    with seed.store.write() as connection:
        say_presence(connection, presence)
    assert signs(seed)[0]["Collector"].state == "down"
    with seed.store.write() as connection:
        say_presence(
            connection, Presence(**{**{n: getattr(presence, n) for n in presence.__struct_fields__}, "broker": True})
        )
    assert signs(seed)[0]["Collector"].state == "up"


@pytest.mark.parametrize(
    ("status", "age", "state"),
    [
        ({}, 1, "up"), ({}, 120, "down"), ({"state": "offline"}, 1, "down"), ({"dropped": 3}, 1, "degraded"),
        ({"clock_offset_seconds": 0.8}, 1, "degraded"), ({"clock_offset_seconds": -0.8}, 1, "degraded"),
        ({"spooled": 5_000}, 1, "degraded"), ({"clock_offset_seconds": 0.1, "spooled": 2}, 1, "up"),
    ],
)  # fmt: skip
def test_how_a_probe_is(status, age, state):
    said = Status(**({"v": 1, "probe": "lab-1", "state": "online"} | status))
    one = Standing(probe="lab-1", status=said, last_arrived_us=NOW - age * SECOND_US)
    assert vitals.probe_state(one, NOW) == state
    assert vitals.probe_state(Standing(probe="lab-1"), NOW) == "unknown"


def test_a_probe_of_another_topology_is_named(seed):
    with seed.store.write() as connection:
        save_status(connection, Status(v=1, probe="lab-1", state="online", topology_hash="0" * 64), NOW)
    sign = signs(seed)[0]["Topology"]
    assert sign.state == "degraded"
    assert "lab-1" in sign.said
