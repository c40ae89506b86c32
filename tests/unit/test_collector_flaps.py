"""A path that falls again and again for seconds: no fall lasts long enough to be told, all of them together do."""

import pytest
from streams import TIMEOUT, Run, names, topology

CHECKS = ("edge", "natural", "options")


@pytest.fixture
def run(tmp_path):
    return lambda: Run(tmp_path, topology())


def falls(count, up, down, since=60):
    """sbc-1/core-a falls so often, for so long."""

    def bad(check, sbc, core, second):
        place = second - since
        hit = 0 <= place < count * (up + down) and place % (up + down) < down
        return TIMEOUT if check == "options" and (sbc, core) == ("sbc-1", "core-a") and hit else None

    return bad


def test_a_flapping_path_is_one_intermittence(run):
    answer = run().watch(960, falls(9, 20, 20), checks=CHECKS).go()
    assert names(answer) == {("intermittence", "path", "sbc-1/core-a")}
    [incident] = answer["incidents"]
    assert (incident["priority"], incident["cause"]["name"]) == ("Normal", "sbc-1/core-a")


def test_it_is_over_ten_minutes_after_the_last_fall(run):
    answer = run().watch(1000, falls(3, 20, 20), checks=CHECKS).go()
    [alarm] = answer["alarms"]
    assert (alarm["from"][11:19], alarm["to"][11:19]) == (
        "12:02:41",
        "12:12:21",
    )  # the third fall counts once it is over


def test_two_falls_are_two_falls(run):
    assert run().watch(400, falls(2, 20, 20), checks=CHECKS).go()["alarms"] == []


def test_three_falls_in_a_quarter_of_an_hour_are_not_flapping(run):
    assert run().watch(1200, falls(3, 380, 20), checks=CHECKS).go()["alarms"] == []


def test_falls_with_their_core_or_their_sbc_make_no_path_intermittent(run):
    def bad(check, sbc, core, second):
        turn = 60 <= second < 360 and (second - 60) % 60 < 20
        core_dead, sbc_dead = turn and (second - 60) // 60 % 2 == 0, turn and (second - 60) // 60 % 2 == 1
        return TIMEOUT if (core_dead and core == "core-a") or (sbc_dead and sbc == "sbc-1") else None

    answer = run().watch(600, bad, checks=CHECKS).go()
    assert {one["alarm"] for one in answer["alarms"]} == {"core_down", "sbc_down"}
    assert {one["alarm"] for one in answer["incidents"]} == {"core_down", "sbc_down"}
