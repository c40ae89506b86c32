"""Ranges agrees with a plain set under any sequence of additions and removals."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sereno.ranges import Ranges

NUMBER = st.integers(1, 60)
STEP = st.tuples(st.sampled_from(["add", "remove"]), NUMBER, NUMBER)


@given(st.lists(STEP, max_size=40), NUMBER, NUMBER)
def test_ranges_are_a_set_of_integers(steps, one, other):
    ranges, model = Ranges(), set()
    for verb, a, b in steps:
        first, last = min(a, b), max(a, b)
        numbers = range(first, last + 1)
        if verb == "add":
            ranges.add(first, last)
            model |= set(numbers)
        else:
            ranges.remove(first, last)
            model -= set(numbers)
    listed = list(ranges)
    assert {n for a, b in listed for n in range(a, b + 1)} == model
    assert all(a <= b for a, b in listed)
    assert all(b + 1 < c for (_, b), (c, _) in pairwise(listed))
    assert ranges.count() == len(model)
    assert all((n in ranges) == (n in model) for n in range(62))
    first, last = min(one, other), max(one, other)
    missing = {n for a, b in ranges.missing(first, last) for n in range(a, b + 1)}
    assert missing == set(range(first, last + 1)) - model
    run = ranges.last_run(5)
    assert (run is None) == (not model)
    if run is not None:
        assert run[1] == max(model)
        assert set(range(run[0], run[1] + 1)) <= model
        assert run[1] - run[0] < 5
        assert run[1] - run[0] == 4 or run[0] - 1 not in model
    assert Ranges(listed) == ranges
