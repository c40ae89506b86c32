"""The shipped threshold alarms, each by what its results say: it fires, not just below, holds between, clears.

Media, traffic, the monitor's own, budgets; and what never counts.
"""

import pytest
from thresholds import HOUR, T0, S, Told, calls, media, options, ring, status

from collector.thresholds.budget import Burn, Spending

# -- media -------------------------------------------------------------------------------------------------------------


def test_the_median_of_the_last_ten_calls():
    told = Told()
    end = calls(told, 0, 4, **media(mos_lq=2.0))
    assert not told.says("mos_bad")  # too few
    end = calls(told, end, 1, **media(mos_lq=2.0))
    assert told.true["mos_bad", "sbc", "sbc-1"].facts["parts"] == {"PCMA/rx": 2.0}
    end = calls(told, end, 10, **media(mos_lq=3.7))
    assert told.says("mos_bad")
    end = calls(told, end, 6, **media(mos_lq=4.3))
    assert not told.says("mos_bad")
    calls(told, end, 30, **media(mos_lq=None))  # no MOS is no good one, and no bad one
    assert not told.says("mos_bad")


def test_a_quarter_of_an_hour_of_calls_is_middling():
    told = Told()
    end = ring(told, 0, 180, bad=lambda place: media(mos_lq=3.9 if place % 3 == 0 else 4.4))
    assert told.says("mos_warn")
    ring(told, end, 185, bad=lambda place: media(mos_lq=4.05 if place % 3 == 0 else 4.4))
    assert told.says("mos_warn")


LOST = [(0.029, False, True), (0.030, True, True), (0.009, False, False), (0.010, False, True)]


@pytest.mark.parametrize(("loss", "high", "minor"), LOST)
def test_loss_is_pooled_over_calls(loss, high, minor):
    told = Told()
    calls(told, 0, 60, **media(packets=1000 * (1 - loss), expected=1000, lost=round(1000 * loss)))
    assert (told.says("loss_high"), told.says("loss_high_minor")) == (high, minor)


def test_loss_between_holds_and_too_few_packets_say_nothing():
    told = Told()
    calls(told, 0, 10, **media(expected=100, lost=50))  # of 2,000 that it takes
    assert not told.changes
    end = calls(told, 300, 20, **media(expected=1000, lost=50))
    assert told.says("loss_high")
    end = calls(told, end, 30, **media(expected=1000, lost=20))
    assert told.says("loss_high")
    end = calls(told, end, 3, every=400, **media(expected=None, lost=None))  # nothing measured: it holds
    assert told.says("loss_high")
    calls(told, end, 20, **media(expected=1000, lost=2))
    assert not told.says("loss_high")


def test_what_departs_here_is_judged_by_the_far_end():
    told = Told()
    own = {"source": "meter", "packets": 1000, "expected": 1000, "lost": 0}
    calls(told, 0, 30, media={"tx": own})
    assert not told.changes
    calls(told, 600, 30, media={"tx": own | {"far_end_loss_ratio": 0.2}})
    assert list(told.true["loss_high", "sbc", "sbc-1"].facts["parts"]) == ["tx"]


def test_jitter_and_discards():
    told = Told()
    quiet = {"packets": 1000, "discarded": 0}
    end = calls(told, 0, 50, **media(jitter_mean_seconds=0.029, **quiet))
    assert not told.says("jitter_high")
    end = calls(told, end, 50, **media(jitter_mean_seconds=0.031, **quiet))
    assert told.says("jitter_high")
    end = calls(told, end, 50, **media(jitter_mean_seconds=0.019, packets=1000, discarded=12))
    assert told.says("jitter_high")  # for the other reason
    assert [one.state for one in told.changes] == ["true"]
    calls(told, end, 50, **media(jitter_mean_seconds=0.019, **quiet))
    assert not told.says("jitter_high")


def test_delay_one_way():
    told = Told()
    end = calls(told, 0, 50, **media(round_trip_seconds=0.48))
    assert not told.says("delay_high", "path", "sbc-1/core-a")
    end = calls(told, end, 50, **media(round_trip_seconds=0.52))
    assert told.says("delay_high", "path", "sbc-1/core-a")
    calls(told, end, 50, **media(delay_seconds=0.19))
    assert not told.says("delay_high", "path", "sbc-1/core-a")


def test_what_our_own_machine_did_to_a_call_is_nobodys_quality():
    told = Told()
    calls(told, 0, 60, facts={"quality_unmeasured": "own_jitter"}, **media(mos_lq=1.5, jitter_mean_seconds=0.2))
    assert not told.changes


# -- traffic -----------------------------------------------------------------------------------------------------------


def weekly(before, now):
    told = Told()
    week = 7 * 86_400
    for second in range(0, 3 * 3600, 60):
        told.at(second, "traffic", core=None, facts={"registered": before})
    for second in range(week + 3600, week + 3600 + 900, 15):
        told.at(second, "traffic", core=None, facts={"registered": now})
    return told, week + 3600 + 900


def test_a_fifth_of_the_users_is_gone():
    assert not weekly(1000, 810)[0].changes
    told, end = weekly(1000, 790)
    assert told.says("traffic_drop")
    for second in range(end, end + 600, 15):
        told.at(second, "traffic", core=None, facts={"registered": 850})
    assert told.says("traffic_drop")
    for second in range(end + 600, end + 1200, 15):
        told.at(second, "traffic", core=None, facts={"registered": 910})
    assert not told.says("traffic_drop")


def test_a_handful_of_users_may_all_go_home():
    assert not weekly(49, 0)[0].changes


# -- the monitor's own -------------------------------------------------------------------------------------------------


def test_a_clock_three_times_off():
    told = Told()
    for place, offset in enumerate((0.2, -0.2, 0.09, 0.2, 0.2)):
        status(told, place * 10, clock_offset_seconds=offset, clock_error_seconds=0.001)
    assert not told.says("clock_off", "probe", "p")
    status(told, 50, clock_offset_seconds=-0.11, clock_error_seconds=0.001)
    assert told.says("clock_off", "probe", "p")
    for place in range(9):
        status(told, 60 + place * 10, clock_offset_seconds=0.01, clock_error_seconds=5.0)  # nobody can be sure
    assert told.says("clock_off", "probe", "p")
    status(told, 200, clock_offset_seconds=0.04, clock_error_seconds=0.001)
    assert not told.says("clock_off", "probe", "p")


def test_a_spool_that_waits_and_a_disk_that_fills():
    told = Told()
    status(told, 0, spool_oldest_seconds=299.0, disk_free_ratio=0.11)
    assert not told.says("spool_or_disk", "probe", "p")
    status(told, 10, spool_oldest_seconds=301.0, disk_free_ratio=0.11)
    assert told.says("spool_or_disk", "probe", "p")
    status(told, 20, spool_oldest_seconds=0.0, disk_free_ratio=0.09)
    assert told.says("spool_or_disk", "probe", "p")
    status(told, 30, spool_oldest_seconds=0.0, disk_free_ratio=0.3)
    assert not told.says("spool_or_disk", "probe", "p")
    told.take(told.engine.own("disk_free_ratio", 0.05, T0 + 40 * S))
    assert told.says("disk_low", "monitor", "voz")


def test_packets_that_the_meter_missed_of_those_it_saw():
    told = Told()
    status(told, 0, meter_dropped=10)
    calls(told, 1, 10, **media(packets=1000, source="meter"))
    status(told, 200, meter_dropped=10)
    calls(told, 201, 10, **media(packets=1000, source="meter"))
    assert not told.says("meter_drops", "probe", "p")
    status(told, 400, meter_dropped=40)
    calls(told, 401, 3, **media(packets=1000, source="meter"))
    assert told.says("meter_drops", "probe", "p")
    calls(told, 500, 40, **media(packets=1000, source="meter"))
    assert not told.says("meter_drops", "probe", "p")


# -- what never counts -------------------------------------------------------------------------------------------------


def test_what_is_invalid_late_or_seen_from_inside_never_counts():
    told = Told()
    told.now_us = T0 + 2 * HOUR
    poor = media(expected=1000, lost=500)
    calls(told, 0, 40, **poor)  # out of a spool, hours late
    end = calls(told, 7300, 40, outcome="invalid", reason="probe_fault", **poor)
    end = calls(told, end, 40, probe="lan", **poor)
    calls(told, end, 40, sbc="sbc-9", **poor)  # nobody watches it
    assert not told.changes


def test_codecs_made_up_by_somebody_are_bounded_and_those_replaced_are_forgotten():
    told = Told()
    for place in range(400):
        told.at(place, "call", account="m1", codec=f"X{place}", media={"rx": {"mos_lq": 1.0}})
    group = next(rule for rule in told.engine.thresholds.rules if rule.name == "mos_bad").groups[0]
    assert len(group.cells) <= 64
    told = Told()
    end = calls(told, 0, 10, **media(mos_lq=2.0))
    assert told.says("mos_bad")
    calls(told, end, 250, **(media(mos_lq=4.4) | {"codec": "PCMU"}))
    assert not told.says("mos_bad")


# -- error budgets -----------------------------------------------------------------------------------------------------

ALLOWED = 259_200_000


def spending(minutes, hour, days, left=ALLOWED):
    return Spending("site", "hq", 999_900, *(round(one * S) for one in (minutes, hour, days)), ALLOWED, left)


def test_budgets_that_burn():
    burn = Burn()
    assert burn.feed([spending(5.1, 5.1, 5.1)], T0) == []
    [fast] = burn.feed([spending(5.2, 5.2, 5.2)], T0)
    assert (fast.what, fast.state, fast.kind, fast.name) == ("budget_burn", "true", "site", "hq")
    assert burn.feed([spending(1.0, 5.0, 20)], T0) == []
    [over] = burn.feed([spending(0, 5.2, 20)], T0)
    assert (over.what, over.state) == ("budget_burn", "false")
    [slow] = burn.feed([spending(0, 0, 26)], T0)
    assert (slow.what, slow.state) == ("budget_low", "true")
    assert burn.feed([spending(0, 0, 0, left=ALLOWED // 5)], T0) == []
    [clean] = burn.feed([spending(0, 0, 0)], T0)
    assert (clean.what, clean.state) == ("budget_low", "false")


# -- figures that are none ---------------------------------------------------------------------------------------------

HUGE = 10**400
ODD = [None, True, "x", -1, [], {}, HUGE, 1e308, {"x": HUGE}]
STREAM = ("packets", "expected", "lost", "discarded", "mos_lq", "jitter_mean_seconds", "delay_seconds", "codec")
FACTS = ("addresses", "tls", "lag_seconds", "replicas", "backup", "registered", "rebind_seconds")


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: str(odd)[:12])
def test_what_is_no_figure_is_no_sample(odd):
    told = Told()
    calls(told, 0, 30, media={"rx": dict.fromkeys(STREAM, odd), "tx": odd}, facts={"rebind_seconds": odd}, evidence=odd)
    for second, check in enumerate(("https", "database", "traffic", "register", "edge", "terminating"), 1000):
        told.at(second, check, target="web", facts=dict.fromkeys(FACTS, odd))
    seconds = odd if isinstance(odd, float) else 1e300
    options(told, 2000, 20, lambda _: {"rtt_seconds": seconds, "retransmissions": -5})
    dropped = odd if isinstance(odd, int) and not isinstance(odd, bool) else None
    for second in (3000, 3010):
        missed = dropped and dropped * second
        status(told, second, meter_dropped=missed, clock_offset_seconds=seconds, disk_free_ratio=seconds)
    assert not told.true
