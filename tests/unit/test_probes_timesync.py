"""The offset of the collector's clock: NTP's arithmetic, the shortest round trip counts, unknown while unknown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.timesync import FRESH_SECONDS, Offset
from sereno.clock import SECOND_US, iso
from sereno.wire import Echo

NOW = 1_800_000_000 * SECOND_US


def asked(offset, sent_us, *, ahead_us, out_us, held_us, back_us, at):
    """One exchange with a collector whose clock is ahead; True if it was taken."""
    offset.asked(iso(sent_us))
    received = sent_us + out_us + ahead_us
    echo = Echo(at=iso(sent_us), received=iso(received), sent=iso(received + held_us))
    return offset.heard(echo, sent_us + out_us + held_us + back_us, at)


def test_of_a_symmetric_way_the_offset_is_exact():
    offset = Offset()
    assert offset.best(0.0) is None
    assert asked(offset, NOW, ahead_us=1_500_000, out_us=20_000, held_us=5_000, back_us=20_000, at=1.0)
    assert offset.best(1.0) == (1.5, 0.02, 1.0)
    assert offset.beyond(0.5, 1.0) == 1.5


@given(
    ahead=st.integers(-(10**9), 10**9),
    out=st.integers(0, 5 * 10**6),
    held=st.integers(0, 10**6),
    back=st.integers(0, 5 * 10**6),
)
def test_it_is_never_wrong_by_more_than_it_says(ahead, out, held, back):
    offset = Offset()
    assert asked(offset, NOW, ahead_us=ahead, out_us=out, held_us=held, back_us=back, at=0.0)
    best = offset.best(0.0)
    assert abs(best.offset_seconds - ahead / 1e6) <= best.error_seconds + 1e-6
    beyond = offset.beyond(0.5, 0.0)
    if abs(ahead) <= 500_000:
        assert beyond is None, "a clock that is right is never doubted, however slow the way"
    if abs(ahead) - 2 * best.error_seconds * 1e6 > 500_001:
        assert beyond is not None


def test_the_shortest_way_counts_and_old_answers_do_not():
    offset = Offset()
    asked(offset, NOW, ahead_us=0, out_us=1_000, held_us=0, back_us=1_000, at=0.0)
    asked(offset, NOW + SECOND_US, ahead_us=0, out_us=900_000, held_us=0, back_us=0, at=10.0)
    assert offset.best(10.0).error_seconds == 0.001
    assert offset.best(FRESH_SECONDS + 5).error_seconds == 0.45
    assert offset.best(FRESH_SECONDS + 11) is None
    assert offset.beyond(0.5, FRESH_SECONDS + 11) is None


def test_a_rough_figure_is_asked_for_again_at_once_but_not_for_ever():
    offset = Offset()
    assert offset.rough(0.0)
    asked(offset, NOW, ahead_us=0, out_us=1_000, held_us=0, back_us=1_000, at=0.0)
    assert not offset.rough(0.0)
    slow = Offset()
    for number in range(4):
        assert slow.rough(0.0)
        asked(slow, NOW + number, ahead_us=0, out_us=900_000, held_us=0, back_us=900_000, at=0.0)
    assert not slow.rough(0.0), "the way is slow: so it is"


@pytest.mark.parametrize(
    ("received", "sent"), [("yesterday", iso(NOW)), (iso(NOW), iso(NOW - 1)), (iso(NOW), iso(NOW + SECOND_US))]
)
def test_an_echo_that_cannot_be_true_is_not_taken(received, sent):
    offset = Offset()
    offset.asked(iso(NOW))
    assert not offset.heard(Echo(at=iso(NOW), received=received, sent=sent), NOW + 10, 0.0)
    assert offset.best(0.0) is None


def test_a_retained_echo_of_before_says_nothing_and_one_counts_once():
    offset = Offset()
    old = Echo(at=iso(NOW - 60 * SECOND_US), received=iso(NOW), sent=iso(NOW))
    assert not offset.heard(old, NOW, 0.0)
    assert asked(offset, NOW, ahead_us=0, out_us=1, held_us=0, back_us=1, at=0.0)
    assert not offset.heard(Echo(at=iso(NOW), received=iso(NOW), sent=iso(NOW)), NOW + 1, 0.0)
    offset.asked(iso(NOW + 5))
    offset.stepped(2_000_000)
    assert offset.best(0.0).offset_seconds == pytest.approx(-2.0, abs=1e-5), "our clock is two seconds ahead now"
    assert not offset.heard(Echo(at=iso(NOW + 5), received=iso(NOW), sent=iso(NOW)), NOW, 0.0), "asked before the step"
    for number in range(100):  # nobody answers: what was asked is not kept for ever
        offset.asked(iso(NOW + number))
    assert len(offset._asked) <= 8


def test_after_a_step_of_the_collectors_clock_the_newest_answer_counts_however_exact_the_others_were():
    offset = Offset()
    for second in range(5):
        asked(offset, NOW + second, ahead_us=0, out_us=500, held_us=0, back_us=500, at=float(second))
    asked(offset, NOW + 10, ahead_us=-1_800_000_000, out_us=40_000, held_us=0, back_us=40_000, at=10.0)
    assert offset.best(10.0).offset_seconds == pytest.approx(-1800.0)
    asked(offset, NOW + 20, ahead_us=0, out_us=90_000, held_us=0, back_us=90_000, at=20.0)
    assert offset.beyond(0.5, 20.0) is None, "right again at once, and not after two minutes"


def test_answers_that_agree_are_all_kept():
    offset = Offset()
    asked(offset, NOW, ahead_us=1_000, out_us=500, held_us=0, back_us=500, at=0.0)
    asked(offset, NOW + 1, ahead_us=1_000, out_us=900_000, held_us=0, back_us=0, at=1.0)
    assert offset.best(1.0).error_seconds == 0.0005


def test_a_step_of_our_own_clock_is_known_though_no_collector_has_answered_for_an_hour():
    """Results of that hour would lie an hour away from where they belong, and spoil the samples there."""
    offset = Offset()
    asked(offset, NOW, ahead_us=0, out_us=1_000, held_us=0, back_us=1_000, at=0.0)
    assert offset.beyond(0.5, 3_600.0) is None
    offset.stepped(-3_600_000_000)
    assert offset.best(3_600.0) is None, "not fresh: the status does not tell it"
    assert offset.beyond(0.5, 3_600.0) == pytest.approx(3_600.0)


def test_what_an_old_answer_says_is_worth_less_and_less():
    offset = Offset()
    asked(offset, NOW, ahead_us=900_000, out_us=0, held_us=0, back_us=0, at=0.0)
    assert offset.beyond(0.5, 600.0) == pytest.approx(0.9)
    assert offset.beyond(0.5, 3_600.0) is None
