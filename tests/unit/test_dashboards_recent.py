"""The page's cache of results: what came late is there, what is old is gone, the past is read piece by piece."""

import pytest
from web_seed import Seed

from dashboards.web import recent as module
from dashboards.web.recent import LATER_EVERY_US, SPAN_US, Recent
from dashboards.web.view import SPEAKS_US
from sereno.clock import SECOND_US
from sereno.store import open_store

NOW_US = 1_800_000_000 * SECOND_US


@pytest.fixture
def seed(any_store):
    return Seed(any_store, NOW_US)


@pytest.fixture
def small(tmp_path):
    """What does not depend on the database is tried on one."""
    store = open_store(tmp_path)
    yield Seed(store, NOW_US)
    store.dispose()


def read(recent, seed, now_us):
    with seed.store.read() as connection:
        return recent.read(connection, now_us)


def drawn(recent, now_us, name="sbc-1/core-a"):
    """Seconds before NOW of the values that the RTT's curve has."""
    series = recent.rtt.lines(now_us)
    values = series.values.get(name, [])
    return [at - NOW_US // SECOND_US for at, value in zip(series.times, values, strict=False) if value is not None]


def measure(seed, at_us, **fields):
    seed.result("options", at_us, sbc="sbc-1", core="core-a", rtt_seconds=0.001, code=200, **fields)


def test_new_and_late_results_join(seed):
    recent = Recent()
    measure(seed, NOW_US - 10 * SECOND_US)
    assert read(recent, seed, NOW_US) == {"sbc-1/core-a"}
    assert drawn(recent, NOW_US) == [-10]
    assert read(recent, seed, NOW_US + SECOND_US) - {"sbc-1/core-a"} == set()
    measure(seed, NOW_US - 20 * SECOND_US, arrived_us=NOW_US + SECOND_US)
    measure(seed, NOW_US + 2 * SECOND_US)
    read(recent, seed, NOW_US + 2 * SECOND_US)
    assert drawn(recent, NOW_US + 2 * SECOND_US) == [-20, -10, 2]
    assert recent.last("sbc-1/core-a", "options", SPEAKS_US, NOW_US + 2 * SECOND_US).at_us == NOW_US + 2 * SECOND_US


def test_a_spool_that_comes_minutes_later_is_there_within_a_minute(seed):
    recent = Recent()
    measure(seed, NOW_US)
    read(recent, seed, NOW_US)
    seed.result("options", NOW_US - 200 * SECOND_US, sbc="sbc-1", core="core-a", rtt_seconds=0.002, arrived_us=NOW_US)
    read(recent, seed, NOW_US + SECOND_US)
    read(recent, seed, NOW_US + LATER_EVERY_US + SECOND_US)
    assert drawn(recent, NOW_US + LATER_EVERY_US + SECOND_US) == [-200, 0]


def test_old_results_leave(small):
    recent = Recent()
    measure(small, NOW_US)
    read(recent, small, NOW_US)
    read(recent, small, NOW_US + SPAN_US - 4 * SECOND_US)
    assert drawn(recent, NOW_US + SPAN_US - 4 * SECOND_US) == [0]
    read(recent, small, NOW_US + SPAN_US + 2 * SECOND_US)
    assert drawn(recent, NOW_US + SPAN_US + 2 * SECOND_US) == []
    assert recent.last("sbc-1/core-a", "options", SPEAKS_US, NOW_US + SPAN_US) is None


def test_the_past_is_read_piece_by_piece_and_the_newest_first(small, monkeypatch):
    """Where reading takes long, the first page has the last seconds, and the rest follows call by call."""
    monkeypatch.setattr(module, "AT_ONCE_SECONDS", 0.0)
    ticks = iter(range(10_000))
    recent = Recent(stopwatch=lambda: float(next(ticks)))  # every look at the watch is a second later
    for back in (5, 100, 400):
        measure(small, NOW_US - back * SECOND_US)
    read(recent, small, NOW_US)
    assert drawn(recent, NOW_US) == [-6]
    assert not recent.complete
    calls = 0
    while not recent.complete:
        calls += 1
        assert calls < 80
        read(recent, small, NOW_US + calls)
    assert calls > 10
    assert drawn(recent, NOW_US + calls) == [-400, -100, -6]


def test_nobody_looked_for_an_hour(small):
    recent = Recent()
    measure(small, NOW_US)
    read(recent, small, NOW_US)
    later = NOW_US + 3_600 * SECOND_US
    measure(small, later - SECOND_US)
    assert read(recent, small, later) == {"sbc-1/core-a"}
    assert recent.last("sbc-1/core-a", "options", SPEAKS_US, later).at_us == later - SECOND_US


def test_of_several_probes_the_majority_speaks():
    """A lone failing probe does not take the figures of the others; two of three do."""

    def told(*outcomes):
        recent = Recent()
        for number, outcome in enumerate(outcomes):
            fields = {"rtt_seconds": 0.001 * (number + 1)} if outcome == "ok" else {"reason": "timeout"}
            recent._last.setdefault(("x", "options"), {})[f"p{number}"] = module.LastResult(
                NOW_US - number,
                outcome,
                fields.get("reason"),
                None,
                None,
                fields.get("rtt_seconds"),
                None,
                None,
                None,
                None,
            )
        return recent.last("x", "options", SPEAKS_US, NOW_US)

    assert told("ok", "ok", "failed").rtt_seconds == 0.001
    assert told("ok", "ok", "ok").rtt_seconds == 0.002
    assert told("ok", "failed", "failed").outcome == "failed"
    assert told("ok", "failed").outcome == "failed"
    assert told() is None


def test_the_worse_of_a_bucket_stays(small):
    recent = Recent()
    for rtt in (0.001, 0.4, 0.002):
        small.result("options", NOW_US - 9 * SECOND_US, sbc="sbc-1", core="core-a", rtt_seconds=rtt)
    read(recent, small, NOW_US)
    assert [value for value in recent.rtt.lines(NOW_US).values["sbc-1/core-a"] if value is not None] == [400.0]
    _, middle, worst = recent.rtt.summary(NOW_US, ["sbc-1/core-a", "sbc-2/core-a"])
    assert [value for value in middle if value is not None] == [400.0]
    assert max(value for value in worst if value is not None) == 400.0


def test_a_clock_that_goes_back(small):
    recent = Recent()
    measure(small, NOW_US - 5 * SECOND_US)
    read(recent, small, NOW_US)
    read(recent, small, NOW_US - 3 * SECOND_US)
    assert drawn(recent, NOW_US - 3 * SECOND_US) == [-6]
