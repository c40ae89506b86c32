"""The shipped threshold alarms, each by what its results say: it fires, not just below, holds between, clears.

The engine alone, without a desk: what is said is said at the crossing, before the alarm's own `for`.
"""

import pytest

from collector.engine import Engine
from collector.thresholds.budget import Burn, Spending
from sereno.alarms import load_alarms
from sereno.clock import iso
from sereno.topology import topology_from_json
from sereno.verdict import VERDICT
from sereno.wire import Result, Status

S = 1_000_000
HOUR = 3_600 * S
T0 = 1_793_602_800 * S  # a whole hour
ALARMS = load_alarms()
TOPOLOGY = topology_from_json(
    {
        "service": "voz",
        "cores": {"core-a": {"uri": "sip:10.0.0.1"}, "core-b": {"uri": "sip:10.0.0.2"}},
        "sbcs": {
            "sbc-1": {"addresses": ["sip:192.0.2.1"], "primary": "core-a", "backup": "core-b"},
            "sbc-2": {"addresses": ["sip:192.0.2.2"], "primary": "core-b", "backup": "core-a"},
        },
        "customers": {"acme": {"name": "Acme", "contract": "callmyway"}},
        "sites": {"hq": {"customer": "acme", "sbcs": ["sbc-1", "sbc-2"]}},
        "accounts": {"m1": {"user": "1", "realm": "x", "password": {"env": "X"}}},
        "checks": {"options": {"every": "1s", "timeout": "900ms"}},
        "probes": {"p": {"network": "n"}, "lan": {"network": "m", "vantage": "inside"}},
        "traffic": {"sbc-1": {"prometheus": "http://127.0.0.1:9", "registered": "x"}},
    }
)


class Told:
    """What is said, second by second."""

    def __init__(self, topology=TOPOLOGY, alarms=ALARMS):
        self.engine, self.seq, self.now_us = Engine(topology, {}, T0, alarms), 0, T0
        self.true, self.changes = {}, []

    def at(self, second, check, late=0.0, **fields):
        """A result sent at a second of the stream, in a little later."""
        self.seq += 1
        at_us = T0 + round(second * S)
        said = {"probe": "p", "outcome": "ok", "sbc": "sbc-1", "core": "core-a"} | fields
        result = Result(v=1, boot="b", seq=self.seq, at=iso(at_us), check=check, **said)
        self.now_us = max(self.now_us, at_us + round((late or 0.01) * S))
        return self.take(self.engine.feed_all([(result, at_us)], self.now_us))

    def take(self, changes):
        for change in changes:
            if change.what not in {VERDICT, "probe_lost", "monitor_blind"}:
                self.changes.append(change)
                key = (change.what, change.kind, change.name)
                self.true.pop(key, None)
                if change.state == "true":
                    self.true[key] = change
        return self

    def says(self, what, kind="sbc", name="sbc-1"):
        return (what, kind, name) in self.true


def calls(told, begin, count, every=20, **fields):
    for place in range(count):
        told.at(begin + place * every, "call", late=1.0, account="m1", setup_seconds=0.2, **fields)
    return begin + count * every


def options(told, begin, count, bad=lambda _place: {}):
    for place in range(count):
        told.at(begin + place, "options", **({"rtt_seconds": 0.02, "retransmissions": 0} | bad(place)))
    return begin + count


def media(**stream):
    return {"codec": "PCMA", "media": {"rx": {"codec": "PCMA"} | stream}}


# -- OPTIONS -----------------------------------------------------------------------------------------------------------

WRONG = {"outcome": "failed", "reason": "wrong_core", "answered_core": "core-b"}


def test_wrong_core_by_threes_in_a_minute():
    told = Told()
    end = options(told, 0, 60, lambda place: WRONG if place in {10, 30} else {})
    end = options(told, end, 20)
    assert not told.says("wrong_core", "path", "sbc-1/core-a")
    end = options(told, end, 60, lambda place: WRONG if place in {5, 20, 35} else {})
    assert told.says("wrong_core", "path", "sbc-1/core-a")
    end = options(told, end, 240)
    assert told.says("wrong_core", "path", "sbc-1/core-a")
    options(told, end, 120)
    assert not told.says("wrong_core", "path", "sbc-1/core-a")


def test_retransmissions_in_a_hundred():
    again = {"retransmissions": 1, "rtt_seconds": None, "answered_after_seconds": 0.6}
    told = Told()
    end = options(told, 0, 700, lambda place: again if place % 55 == 54 else {})  # 1.8 %
    assert not told.says("retransmissions", "path", "sbc-1/core-a")
    end = options(told, end, 700, lambda place: again if place % 45 == 44 else {})  # 2.2 %
    assert told.says("retransmissions", "path", "sbc-1/core-a")
    end = options(told, end, 700, lambda place: again if place % 100 == 0 else {})  # 1 %: between
    assert told.says("retransmissions", "path", "sbc-1/core-a")
    options(told, end, 700)
    assert not told.says("retransmissions", "path", "sbc-1/core-a")


def test_a_path_that_became_slower_than_last_week():
    told = Told()
    for place in range(3 * 360):  # three hours of 20 ms
        told.at(place * 10, "options", rtt_seconds=0.02)
    begin = 3 * 3600
    options(told, begin, 400, lambda _: {"rtt_seconds": 0.06})  # three times, and not 50 ms more
    assert not told.says("rtt_shift", "path", "sbc-1/core-a")
    options(told, begin + 400, 400, lambda _: {"rtt_seconds": 0.072})
    assert told.says("rtt_shift", "path", "sbc-1/core-a")
    assert told.true["rtt_shift", "path", "sbc-1/core-a"].facts["value"] == pytest.approx(3.6, rel=0.05)
    options(told, begin + 800, 400, lambda _: {"rtt_seconds": 0.025})
    assert not told.says("rtt_shift", "path", "sbc-1/core-a")


def test_nobody_knows_of_a_shift_before_an_hour_is_over():
    told = Told()
    options(told, 0, 1200)
    options(told, 1200, 1200, lambda _: {"rtt_seconds": 0.5})
    assert not told.says("rtt_shift", "path", "sbc-1/core-a")


# -- registrations -----------------------------------------------------------------------------------------------------


def test_a_binding_that_is_gone_before_its_time():
    told = Told()
    told.at(0, "register", account="m1")
    told.at(10, "register", account="m1", outcome="failed", reason="binding_missing")
    assert told.true["binding_lost", "sbc", "sbc-1"].facts["parts"] == {"m1": 1}
    told.at(20, "register", account="m1", outcome="failed", reason="timeout", answered_by="none")  # says nothing of it
    assert told.says("binding_lost")
    told.at(30, "register", account="m1")
    assert not told.says("binding_lost")


def test_rebinding_takes_longer_than_a_minute():
    told = Told()
    told.at(0, "register", account="m1", facts={"rebind_seconds": {"hq": 59.0}})
    assert not told.says("rebind_slow", "site", "hq")
    told.at(10, "register", account="m1", facts={"rebind_seconds": {"hq": 61.0}})
    assert told.says("rebind_slow", "site", "hq")
    told.at(20, "register", account="m1", facts={"rebind_seconds": {"hq": 45.0}})
    assert told.says("rebind_slow", "site", "hq")
    told.at(30, "register", account="m1", facts={"rebind_seconds": {"hq": 30.0}})
    assert not told.says("rebind_slow", "site", "hq")


# -- calls -------------------------------------------------------------------------------------------------------------

REFUSED = {"outcome": "failed", "reason": "sip_4xx", "code": 480, "answered_by": "core", "setup_seconds": None}


def ring(told, begin, count, every=20, bad=lambda _place: {}):
    """A call every so often; `bad` says what is different."""
    for place in range(count):
        fields = {"setup_seconds": 0.2} | bad(place)
        told.at(begin + place * every, "call", late=1.0, account="m1", **fields)
    return begin + count * every


def test_few_calls_are_answered():
    told = Told()
    end = ring(told, 0, 60, bad=lambda place: REFUSED if place % 25 == 24 else {})  # 4 %
    assert not told.says("ser_low")
    end = ring(told, end, 60, bad=lambda place: REFUSED if place % 15 == 5 else {})  # 6.7 %
    assert told.says("ser_low")
    assert told.says("ser_low", "service", "voz")
    end = ring(told, end, 60, bad=lambda place: REFUSED if place % 30 == 5 else {})  # 3.3 %: between
    assert told.says("ser_low")
    ring(told, end, 60)
    assert not told.says("ser_low")


def test_an_outage_of_calls_is_told_by_itself_and_never_afterwards():
    told = Told()
    end = ring(told, 0, 30)
    end = ring(told, end, 10, bad=lambda _: REFUSED)
    ring(told, end, 60)
    assert not [one for one in told.changes if one.what == "ser_low"]
    assert [one.state for one in told.changes if one.what == "call_failing"] == ["true", "false"]


def test_no_audio_in_two_of_three_calls_of_a_direction():
    told = Told()
    dead = {"outcome": "failed", "reason": "one_way", "evidence": {"detail": "nothing of ours is heard there"}}
    end = ring(told, 0, 7, bad=lambda place: dead if place in {0, 3, 6} else {})  # one of three
    assert not told.says("audio_broken")
    end = ring(told, end, 1, bad=lambda _: dead)
    assert told.true["audio_broken", "sbc", "sbc-1"].facts["parts"] == {"tx": 2}
    end = ring(told, end, 2)
    assert told.says("audio_broken")
    ring(told, end, 1)
    assert not told.says("audio_broken")
    ring(told, end + 20, 2, bad=lambda _: dead | {"evidence": None, "reason": "wrong_audio"})
    assert told.true["audio_broken", "sbc", "sbc-1"].facts["parts"] == {"rx": 2}


def test_calls_that_are_cut():
    cut = {"outcome": "failed", "reason": "cut_off"}
    told = Told()
    end = ring(told, 0, 60, bad=lambda place: cut if place in {0, 50} else {})  # more than 15 minutes between
    assert not told.says("calls_cut", "path", "sbc-1/core-a")
    end = ring(told, end, 20, bad=lambda place: cut if place == 10 else {})
    assert told.says("calls_cut", "path", "sbc-1/core-a")
    end = ring(told, end, 75)
    assert told.says("calls_cut", "path", "sbc-1/core-a")
    ring(told, end, 30)
    assert not told.says("calls_cut", "path", "sbc-1/core-a")


def test_byes_without_an_answer():
    hung = {"outcome": "failed", "reason": "bye_unanswered"}
    told = Told()
    end = ring(told, 0, 5, bad=lambda place: hung if place == 2 else {})
    end = ring(told, end, 1)
    assert not told.says("bye_unanswered", "path", "sbc-1/core-a")
    end = ring(told, end, 2, bad=lambda _: hung)
    assert told.says("bye_unanswered", "path", "sbc-1/core-a")
    end = ring(told, end, 4)
    assert told.says("bye_unanswered", "path", "sbc-1/core-a")
    ring(told, end, 1)
    assert not told.says("bye_unanswered", "path", "sbc-1/core-a")


def test_setting_up_takes_long():
    told = Told()
    end = ring(told, 0, 50, bad=lambda _: {"post_dial_delay_seconds": 2.9, "setup_seconds": 3.9})
    assert not told.says("setup_slow", "path", "sbc-1/core-a")
    end = ring(told, end, 50, bad=lambda _: {"post_dial_delay_seconds": 3.1, "setup_seconds": 3.9})
    assert told.says("setup_slow", "path", "sbc-1/core-a")
    end = ring(told, end, 50, bad=lambda _: {"post_dial_delay_seconds": 2.5, "setup_seconds": 2.6})
    assert told.says("setup_slow", "path", "sbc-1/core-a")
    ring(told, end, 50, bad=lambda _: {"post_dial_delay_seconds": 1.9, "setup_seconds": 1.95})
    assert not told.says("setup_slow", "path", "sbc-1/core-a")


def test_calls_from_core_to_core_count_only_while_both_paths_are_well():
    told = Told()
    fields = {"target": "sbc-2/core-b", "account": "m1"}
    lost = {"outcome": "failed", "reason": "binding_missing"}
    for second, said in ((0, {}), (60, lost), (120, {}), (180, lost), (240, lost)):
        told.at(second, "terminating", **fields, **said)
        assert told.says("cross_core_call", "service", "voz") == (second == 240)
    told.at(300, "terminating", **fields)
    assert told.says("cross_core_call", "service", "voz")
    told.at(360, "terminating", **fields)
    assert not told.says("cross_core_call", "service", "voz")
    silent = {"outcome": "failed", "reason": "timeout", "answered_by": "none"}
    for second in range(400, 420):
        told.at(second, "options", sbc="sbc-2", core="core-b", **silent)
    told.at(421, "terminating", **fields, **lost)
    told.at(430, "terminating", **fields, **lost)
    assert not told.says("cross_core_call", "service", "voz")


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


def status(told, second, **fields):
    said = Status(v=1, probe="p", state="online", boot="b", **fields)
    told.take(told.engine.status(said, T0 + round(second * S)))


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
