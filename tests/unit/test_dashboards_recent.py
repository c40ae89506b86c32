"""The page's cache of results: what came late is there, what is old is gone, nothing is there twice."""

import pytest
from web_seed import Seed

from dashboards.web.recent import SPAN_US, WHOLE_EVERY_US, Recent
from sereno.clock import SECOND_US

NOW_US = 1_800_000_000 * SECOND_US


@pytest.fixture
def seed(any_store):
    return Seed(any_store, NOW_US)


def read(recent, seed, now_us):
    with seed.store.read() as connection:
        found = recent.read(connection, ["sbc-1"], ["lab-1"], ["edge"], now_us)
    return [(result.at_us - NOW_US) // SECOND_US for result in found["sbc-1"]]


def test_new_and_slightly_late_results_join_in_order(seed):
    recent = Recent()
    seed.result("edge", NOW_US - 10 * SECOND_US, sbc="sbc-1")
    assert read(recent, seed, NOW_US) == [-10]
    seed.result("edge", NOW_US - 20 * SECOND_US, sbc="sbc-1")
    seed.result("edge", NOW_US + 1 * SECOND_US, sbc="sbc-1")
    assert read(recent, seed, NOW_US + 2 * SECOND_US) == [-20, -10, 1]
    assert read(recent, seed, NOW_US + 3 * SECOND_US) == [-20, -10, 1]


def test_a_spool_that_comes_minutes_later_is_there_within_a_minute(seed):
    recent = Recent()
    seed.result("edge", NOW_US, sbc="sbc-1")
    assert read(recent, seed, NOW_US) == [0]
    seed.result("edge", NOW_US - 200 * SECOND_US, sbc="sbc-1")
    assert read(recent, seed, NOW_US + SECOND_US) == [0]
    assert read(recent, seed, NOW_US + WHOLE_EVERY_US) == [-200, 0]


def test_old_results_leave(seed):
    recent = Recent()
    seed.result("edge", NOW_US, sbc="sbc-1")
    assert read(recent, seed, NOW_US) == [0]
    assert read(recent, seed, NOW_US + SPAN_US - SECOND_US) == [0]
    assert read(recent, seed, NOW_US + SPAN_US + SECOND_US) == []
