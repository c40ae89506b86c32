"""The confirm and hold machine, rule by rule (docs/verdicts.md §1, §2, §11). One sample a second, hold 2.5 s."""

import pytest

from collector.verdicts.quality import Quality
from collector.verdicts.samples import FAIL, GOOD, LATE, PLAIN, VOID, Sample, signature
from collector.verdicts.witness import Witness

S = 1_000_000
SILENT = signature("timeout", "visible")


def sample(second, weight, reply=None, why=SILENT, seq=1):
    at = round(second * S)
    late = weight == LATE
    said = signature("late", "late") if late else PLAIN if weight == GOOD else why
    reply_us = round(reply * S) if reply is not None else at
    settled = at + 900_000 if weight in {FAIL, LATE} else at
    return Sample(at, ("b", seq), weight, said, reply_us, settled)


def told(samples, to):
    """(state, from) as it was, zero-length steps left out."""
    witness = Witness(5 * S // 2)
    for one in samples:
        witness.feed(one)
    witness.close(round(to * S))
    found = []
    for step in witness.steps:
        if found and found[-1][1] == step.from_us / S:
            found.pop()
        if not found or found[-1][0] != step.state:
            found.append((step.state, step.from_us / S))
    return found


def pattern(text, start=0):
    weights = {"S": GOOD, "F": FAIL, "V": VOID}
    return [sample(start + index, weights[one]) for index, one in enumerate(text) if one != "."]


@pytest.mark.parametrize(
    ("text", "to", "expected"),
    [
        ("SSSS", 4, [("up", 0)]),
        ("SSFFSS", 6, [("up", 0), ("down", 2), ("up", 4)]),
        ("SFSFSFSF", 8, [("up", 0), ("unknown", 7)]),  # the last failure stays unproved
        ("SFSFSFS", 7, [("up", 0)]),
        ("SFFSFFSS", 8, [("up", 0), ("down", 1), ("up", 6)]),
        ("FF", 2, [("down", 0)]),
        ("FS", 2, [("up", 1)]),
        ("SF....", 6, [("up", 0), ("unknown", 1)]),
        ("SFFFF.....", 10, [("up", 0), ("down", 1), ("unknown", 6.5)]),
        ("SS....SS", 8, [("up", 0), ("unknown", 3.5), ("up", 6)]),
        ("FF....S", 7, [("down", 0), ("unknown", 3.5), ("up", 6)]),
        ("SSVVSS", 6, [("up", 0), ("unknown", 2), ("up", 4)]),
        ("SFVFSS", 6, [("up", 0), ("unknown", 1), ("up", 4)]),  # an invalid one breaks the pair
        ("FFS....", 7, [("down", 0), ("unknown", 4.5)]),
        ("SF...FF", 7, [("up", 0), ("unknown", 1), ("down", 5)]),  # silence breaks the pair too
    ],
)
def test_samples_one_a_second(text, to, expected):
    assert told(pattern(text), to) == expected


def test_the_extra_check_counts_towards_the_two_failures():
    samples = [sample(0, GOOD), sample(1, FAIL), sample(1.9, FAIL), sample(2, FAIL), sample(3, GOOD), sample(4, GOOD)]
    assert told(samples, 5) == [("up", 0), ("down", 1), ("up", 3)]


def test_late_replies_that_come_in_time_prevent_an_outage():
    samples = [sample(0, GOOD)] + [sample(second, LATE, second + 1.2) for second in range(1, 10)]
    assert told(samples, 10) == [("up", 0)]


def test_late_with_extra_checks_is_still_no_outage():
    """Every answer takes 1.2 s: the timeout of one overlaps the reply to the one before."""
    sends = sorted([float(second) for second in range(1, 8)] + [second + 0.9 for second in range(1, 8)])
    assert told([sample(0, GOOD)] + [sample(at, LATE, at + 1.2) for at in sends], 9) == [("up", 0)]


def test_a_thawed_element_that_answers_everything_does_not_rewrite_its_outage():
    """Frozen from 1 to 11: all that was sent meanwhile is answered at 11."""
    samples = [sample(0, GOOD)]
    samples += [sample(second, LATE, 11 + second / 1000) for second in range(1, 11)]
    samples += [sample(second, GOOD) for second in range(12, 15)]
    assert told(samples, 15) == [("up", 0), ("down", 1), ("up", 11.001)]


def test_late_since_the_first_sample_is_up_from_its_own_time():
    assert told([sample(second, LATE, second + 1.2) for second in range(5)], 5) == [("up", 0)]


def test_answers_beyond_the_confirmation_are_an_outage_until_the_first_reply():
    samples = [sample(0, GOOD)] + [sample(second, LATE, second + 2.5) for second in range(1, 10)]
    assert told(samples, 10) == [("up", 0), ("down", 1), ("up", 3.5)]


def test_a_change_of_reason_takes_two():
    other = signature("sip_5xx", "visible", "by_sbc")
    witness = Witness(5 * S // 2)
    for one in (*pattern("SFF"), sample(3, FAIL, why=other), sample(4, FAIL), sample(5, FAIL, why=other)):
        witness.feed(one)
    assert witness.signature is SILENT
    witness.feed(sample(6, FAIL, why=other))
    assert (witness.signature, witness.since_us) == (other, 1 * S)
    assert witness.steps[-1].from_us == 5 * S


def flags(text, minutes):
    quality = Quality(S)
    lone = 0
    for second in range(minutes * 60):
        if text[second % len(text)] == "F":
            lone += 1
        else:
            quality.note(second * S, lone, 0, 0)
            lone = 0
    return quality


def test_intermittent_from_five_percent_over_five_minutes():
    assert flags("S" * 19 + "F", 6).flags == {"intermittent"}
    assert flags("S" * 24 + "F", 6).flags == set()


def test_intermittent_needs_a_hundred_samples_and_leaves_after_ten_good_minutes():
    quality = flags("SF", 2)
    assert 100 * S <= quality.steps[0].from_us <= 110 * S  # judged when a bucket of 10 s ends
    for second in range(120, 120 + 11 * 60):
        quality.note(second * S, 0, 0, 0)
    assert quality.flags == set()
    assert quality.steps[-1].from_us >= 11 * 60 * S


def test_an_invalid_sample_holds_no_longer_than_any_other():
    """Else a call that fails hours later would be put down to signalling that nobody measured any more."""
    fault = signature("probe_fault")
    witness = Witness(5 * S // 2)
    for one in [sample(0, VOID, why=fault), sample(1, VOID, why=fault)]:
        witness.feed(one)
    assert [(step.from_us / S, step.signature.reason) for step in witness.steps] == [(0, "probe_fault")]
    witness.close(10 * S)
    assert [(step.from_us / S, step.signature.reason) for step in witness.steps][1:] == [(3.5, "no_data")]


def test_from_unknown_a_late_answer_counts_from_its_own_time_though_a_failure_was_pending():
    found = [sample(0, LATE, 2.5), sample(1, VOID), sample(2, FAIL), sample(3, LATE, 4.5)]
    assert told(found, 4) == [("up", 0), ("unknown", 1), ("up", 3)]
