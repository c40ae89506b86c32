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
    assert (alarm["from"][11:19], alarm["to"][11:19]) == ("12:02:21", "12:12:21")


def test_two_falls_are_two_falls(run):
    assert run().watch(400, falls(2, 20, 20), checks=CHECKS).go()["alarms"] == []


def test_three_falls_in_a_quarter_of_an_hour_are_not_flapping(run):
    assert run().watch(1200, falls(3, 380, 20), checks=CHECKS).go()["alarms"] == []
