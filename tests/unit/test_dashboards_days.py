"""Bars of ninety days: never good where nobody measured, today apart and unfinished, late news read again."""

from itertools import pairwise

import pytest
from web_seed import Seed

from dashboards.web.days import Bar, Days, Line, local_midnights
from dashboards.web.history import History, series
from dashboards.web.words import Words
from sereno.availability import Scope
from sereno.cli._answers import answers_of
from sereno.clock import SECOND_US
from sereno.store import open_store
from sereno.store.tables import ledger, maintenance

HOUR = 3_600 * SECOND_US
DAY = 24 * HOUR
NOW = 1_795_255_200_000_000 + 90 * 60 * SECOND_US  # half past an hour
SERVICE, SITE = Scope("service", "acme-voice"), Scope("site", "acme-bog")
ZONE = "America/Bogota"


@pytest.fixture
def seed(tmp_path):
    store = open_store(tmp_path)
    yield Seed(store, NOW)
    store.dispose()


def read(days, now_us=NOW, basis="one"):
    days.lines([SERVICE, SITE], basis, ZONE, now_us, wait=20)
    return days.lines([SERVICE, SITE], basis, ZONE, now_us)


@pytest.mark.parametrize(
    ("down", "unknown", "excluded", "kind"),
    [
        (0, 0, 0, "up"), (1, 0, 0, "down"), (1, DAY - 1, 0, "down"), (0, 1, 0, "partly"), (0, DAY, 0, "unmeasured"),
        (0, 0, DAY, "excluded"), (0, DAY // 2, DAY // 2, "unmeasured"), (0, 0, HOUR, "up"),
    ],
)  # fmt: skip
def test_a_day_is_what_was_measured_of_it(down, unknown, excluded, kind):
    assert Bar(0, DAY, down, unknown, excluded).kind == kind


def test_nothing_measured_is_no_good_day(seed):
    line = read(Days(seed.store, answers_of(seed.store)))[0]
    assert [day.kind for day in line.days] == ["unmeasured"] * 89
    assert line.observed is None
    assert line.today.kind == "unmeasured"
    assert line.today.unknown_us == line.today.to_us - line.today.from_us


def test_a_month_with_an_outage_and_a_hole(seed):
    seed.ledger_days(20, down=(3,), missing=(10,))
    line = read(Days(seed.store, answers_of(seed.store)))[0]
    kinds = [day.kind for day in line.days]
    assert kinds[:60] == ["unmeasured"] * 60
    assert kinds.count("down") == 1
    assert line.down_us == 300 * SECOND_US
    assert kinds.count("up") >= 14
    assert Words("es", ZONE).percent(0.999999) == "99,999 %"
    assert Words("es", ZONE).percent(1.0) == "100 %"
    assert line.observed < 1


def test_today_is_its_closed_hours_and_what_was_said_live(seed):
    """The hour that is not folded yet counts by the verdicts: neither as unmeasured nor as good without a word."""
    seed.ledger_days(1)
    seed.say("service", "acme-voice", "up", since_us=NOW - 3 * HOUR)
    seed.say("service", "acme-voice", "down", since_us=NOW - 600 * SECOND_US, reason="timeout")
    days = Days(seed.store, answers_of(seed.store))
    service, site = read(days)
    assert service.today.down_us == 600 * SECOND_US
    assert service.today.unknown_us == 0
    assert service.today.kind == "down"
    assert site.today.unknown_us == NOW - NOW // HOUR * HOUR  # of the site nobody said anything in this hour


def test_what_comes_late_or_is_announced_changes_past_days(seed):
    seed.ledger_days(5)
    days = Days(seed.store, answers_of(seed.store))
    assert read(days)[0].down_us == 0
    begin = NOW // HOUR * HOUR - 50 * HOUR
    with seed.store.write() as connection:
        added = connection.execute(
            ledger.insert().values(
                kind="service", name="acme-voice", state="down", from_us=begin, to_us=begin + HOUR, reason=None,
                interval_us=SECOND_US, written_us=NOW,
            )
        ).inserted_primary_key[0]  # fmt: skip
        connection.execute(
            ledger.update()
            .where(ledger.c.kind == "service", ledger.c.from_us == begin, ledger.c.id != added)
            .values(superseded_by=added)
        )
    assert read(days)[0].down_us == 0  # not before its time
    assert read(days, NOW + 61 * SECOND_US)[0].down_us == HOUR
    with seed.store.write() as connection:
        connection.execute(
            maintenance.insert().values(
                scope_kind="service", scope_name="acme-voice", from_us=begin, to_us=begin + HOUR,
                announced_us=begin - 12 * DAY, who="ana", recorded_us=begin - 12 * DAY,
            )
        )  # fmt: skip
    later = read(days, NOW + 122 * SECOND_US)[0]
    assert later.down_us + sum(day.excluded_us for day in later.days) == HOUR


def test_who_cannot_be_asked_shows_no_history(seed):
    days = Days(seed.store, None)
    assert not days.can
    assert days.lines([SERVICE], "one", ZONE, NOW) == [Line(SERVICE, None, None)]


def test_days_of_a_zone_that_turns_its_clocks():
    midnights = local_midnights("America/Havana", NOW)
    assert len(midnights) == 90
    lengths = {end - begin for begin, end in pairwise(midnights)}
    assert lengths <= {23 * HOUR, 24 * HOUR, 25 * HOUR}
    assert 25 * HOUR in lengths


def test_a_window_keeps_spikes_and_gaps(any_store):
    seed = Seed(any_store, NOW)
    for back, rtt in ((100, 0.001), (95, 0.9), (93, 0.002), (5, 0.001)):
        seed.result("options", NOW - back * SECOND_US, sbc="sbc-1", core="core-a", rtt_seconds=rtt, code=200)
    seed.result("options", NOW - 4 * SECOND_US, sbc="sbc-1", core="core-a", outcome="failed", reason="timeout")
    seed.result("options", NOW - 3 * SECOND_US, sbc="sbc-2", core="core-a", outcome="failed", reason="timeout")
    media = {"rx": {"mos_lq": 4.1}, "tx": {"mos_lq": 3.0}}
    seed.result("call", NOW - 50 * SECOND_US, sbc="sbc-1", core="core-a", media=media)
    seed.result(
        "register", NOW - 60 * SECOND_US, sbc="sbc-1", core="core-a", expires_seconds=60.0, duration_seconds=0.02
    )
    history = History(any_store)
    picture = history.picture("sbc-1/core-a", "1h", NOW)
    assert max(value for value in picture.line("options", "rtt_high", 1_000) if value) == 900.0
    assert picture.total("options") == (5, 1)
    assert sum(value is not None for value in picture.line("options", "rtt_high")) == 2  # of 360 steps
    labels = {name: name for name in ("worst", "mean", "best", "rx", "tx", "took", "expires", "edge", "natural")}
    drawn = series(picture, labels)
    assert [value for value in drawn["mos"].values["tx"] if value] == [3.0]
    assert [value for value in drawn["register"].values["expires"] if value] == [60.0]
    assert max(value for value in drawn["failing"].values["options"] if value is not None) in (50.0, 100.0)
    seed.result("options", NOW + SECOND_US, sbc="sbc-1", core="core-a", rtt_seconds=0.3)
    again = history.picture("sbc-1/core-a", "1h", NOW + 2 * SECOND_US)
    assert again.total("options") == (6, 1)
    assert history.picture("sbc-1/core-a", "7d", NOW + 2 * SECOND_US).total("options")[0] == 6
