"""Whether the far end hears us, by its own RTCP, and what a call is called then."""

import numpy as np
import pytest

from probes.checks.call_media import FarEnd, metered
from probes.checks.judge_call import judge_call
from probes.media.rows import STREAM_DTYPE
from probes.sip.ipc import Called
from tests.unit.test_probes_calls_judge import ENDED, OK, SETUP, TOPOLOGY, counters, looks, row

HEARD = {"reports": 3, "highest_sequence": 19_905, "sender_reports": 2, "round_trip_mean_seconds": 0.02}
NOTHING = {**HEARD, "highest_sequence": 0}
UNNAMED = {**HEARD, "reports": 0, "highest_sequence": None, "round_trip_mean_seconds": None}


@pytest.mark.parametrize(
    ("far", "reports", "said"),
    [
        (FarEnd(), 0, None),
        (FarEnd(), 3, None),  # of reports that the meter never saw nothing is known
        (FarEnd(of_ours=HEARD, of_others=(NOTHING,)), 4, "heard"),  # the first ones may precede our stream
        (FarEnd(of_ours=UNNAMED, of_others=(NOTHING,)), 2, "nothing"),  # blocks about SSRC 0
        (FarEnd(of_ours=NOTHING), 3, "nothing"),  # it learned our SSRC by RTCP, but no packet of it came
        (FarEnd(of_others=({**NOTHING, "reports": 1},)), 3, None),  # one report is no proof
        (FarEnd(of_others=(NOTHING,)), 1, None),  # those were an earlier call's
        (FarEnd(of_ours=UNNAMED, of_others=(HEARD,)), 3, None),  # it hears something: ours, under another name?
        (FarEnd(of_ours=UNNAMED, of_its_own=HEARD), 0, "unnamed"),
        (FarEnd(of_its_own=HEARD), 0, "unnamed"),
        (FarEnd(of_its_own={**HEARD, "sender_reports": 1}), 0, None),
        (FarEnd(of_its_own=HEARD), 2, None),
    ],
)
def test_what_the_far_end_heard(far, reports, said):
    assert far.hearing(counters(far_reports=reports)) == said


def test_without_any_counters_nothing_is_known():
    assert FarEnd(of_others=(NOTHING,)).hearing(None) is None
    assert FarEnd(of_ours=HEARD).hearing(None) == "heard"


SOUND, SILENCE = looks(0, *[37] * 9), looks(0, *[0] * 9)


@pytest.mark.parametrize(
    ("hearing", "seconds", "outcome", "reason"),
    [
        ("heard", SOUND, "ok", None),
        (None, SOUND, "ok", None),
        ("unnamed", SOUND, "ok", None),  # an endpoint that never names anybody
        ("nothing", SOUND, "failed", "one_way"),  # a tone plays, and nobody hears us
        ("heard", SILENCE, "failed", "dead_air"),
        (None, SILENCE, "failed", "dead_air"),
        ("unnamed", SILENCE, "failed", "one_way"),  # it echoes what it hears: nothing
        ("nothing", SILENCE, "failed", "one_way"),
    ],
)
def test_a_far_end_that_hears_nothing_is_one_way(hearing, seconds, outcome, reason):
    seen = Called(
        id=1, ending="completed", started_ns=0, ended_ns=6_000_000_000, messages=(*SETUP, OK, *ENDED),
        media_active=True, codec="PCMA", seconds=seconds, counters=counters(far_reports=2),
    )  # fmt: skip
    said = judge_call(seen, TOPOLOGY, sbc="sbc-1", core="core-a", codecs=("PCMA",), hearing=hearing)
    assert (said.outcome, said.reason) == (outcome, reason)


def test_a_direction_that_is_not_heard_has_no_mos():
    seen = Called(
        id=1, ending="completed", started_ns=0, ended_ns=1, codec="PCMA", counters=counters(far_reports=3),
        local="127.0.0.1:20000", remote="127.0.0.1:42000",
    )  # fmt: skip
    rows = np.array([row(42000, 20000, 250, 5_100, 10_000), row(20000, 42000, 250, 5_100, 10_000)], STREAM_DTYPE)
    good = metered(rows, {}, seen, 5_000_000, FarEnd(of_ours=HEARD))
    dead = metered(rows, {}, seen, 5_000_000, FarEnd(of_ours=UNNAMED, of_others=(NOTHING,)))
    assert good["tx"]["mos_lq"] == pytest.approx(4.409, abs=0.001)
    assert good["rx"]["round_trip_seconds"] == 0.02
    assert "mos_lq" not in dead["tx"]
    assert "r_lq" not in dead["tx"]
    assert dead["rx"]["mos_lq"] == good["rx"]["mos_lq"]
