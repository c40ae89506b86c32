"""What is due when: no drift, no overlap, no burst, no starvation, whatever the checks and the process do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from probes.cadence import Cadence


def test_a_year_of_seconds_does_not_drift():
    cadence = Cadence[str](1000.1)
    cadence.add("t", every=0.9, phase=0.3)
    assert cadence.at("t", 35_000_000) == pytest.approx(1000.1 + 0.27 + 0.9 * 35_000_000, abs=1e-6)


def test_an_overrun_is_counted_and_skipped_and_the_beat_kept():
    cadence = Cadence[str](0.0)
    cadence.add("t", every=1.0, phase=0.0)
    assert cadence.due(0.0) == ["t"]
    assert cadence.due(1.0) == []
    assert cadence.counts.overruns == 1
    cadence.finished("t")
    assert cadence.due(1.5) == []
    assert cadence.due(2.0) == ["t"]


def test_an_extra_check_keeps_the_beat_and_is_no_overrun():
    cadence = Cadence[str](0.0)
    cadence.add("t", every=1.0, phase=0.0)
    cadence.due(0.0)
    assert not cadence.out_of_turn("t")
    cadence.finished("t")
    assert cadence.out_of_turn("t")
    assert cadence.due(1.0) == []
    cadence.finished("t")
    assert cadence.due(2.0) == ["t"]
    assert (cadence.counts.overruns, cadence.counts.extras, cadence.counts.fired) == (0, 1, 3)


def test_a_stalled_process_fires_once_and_counts_what_it_missed():
    cadence = Cadence[str](0.0)
    cadence.add("t", every=1.0, phase=0.0)
    cadence.due(0.0)
    cadence.finished("t")
    assert cadence.due(10.5) == ["t"]
    assert cadence.counts.missed == 9
    assert cadence.next_due == 11.0


@pytest.mark.parametrize(("every", "phase"), [(0, 0), (-1, 0), (1, 1), (1, -0.1)])
def test_nonsense_is_refused(every, phase):
    with pytest.raises(ValueError, match="cadence"):
        Cadence[str](0.0).add("t", every=every, phase=phase)
    cadence = Cadence[str](0.0)
    cadence.add("t", every=1, phase=0)
    with pytest.raises(ValueError, match="twice"):
        cadence.add("t", every=1, phase=0)


@given(st.integers(1, 12), st.floats(0.1, 60), st.integers(1, 20))
def test_without_trouble_every_turn_fires_exactly_at_its_instant(count, every, turns):
    cadence = Cadence[int](0.0)
    for key in range(count):
        cadence.add(key, every=every, phase=key / count)
    fired: dict[int, list[float]] = {key: [] for key in range(count)}
    for _ in range(count * turns):
        due = cadence.next_due
        for key in cadence.due(due):
            fired[key].append(due)
            cadence.finished(key)
    for key, times in fired.items():
        assert times == [cadence.at(key, turn) for turn in range(len(times))]
    assert cadence.counts.missed == cadence.counts.overruns == 0


@given(st.floats(0.1, 60), st.floats(0, 0.999), st.floats(0, 10_000))
def test_a_reload_at_any_time_keeps_the_beat(every, phase, now):
    """A scheduler that takes over counts from the same anchor: the same instants, none made up for."""
    before, after = Cadence[str](100.0), Cadence[str](100.0)
    before.add("t", every=every, phase=phase)
    after.add("t", every=every, phase=phase, now=100.0 + now)
    while before.first("t") < 100.0 + now:
        before.due(before.first("t"))
        before.finished("t")
    assert after.first("t") == before.first("t")
    assert after.first("t") <= 100.0 + now + every * (1 + phase) + 1e-6


class Running(RuleBasedStateMachine):
    """Checks of any length, stalls of any length, extras at any moment."""

    @initialize(every=st.lists(st.floats(0.25, 8), min_size=1, max_size=5))
    def begin(self, every):
        self.now = 0.0
        self.every = every
        self.cadence = Cadence[int](0.0)
        self.running: set[int] = set()
        self.fired = self.due_total = 0
        for key, interval in enumerate(every):
            self.cadence.add(key, every=interval, phase=key / len(every))

    @rule(wait=st.floats(0, 30))
    def wait(self, wait):
        self.now += wait
        started = self.cadence.due(self.now)
        assert len(started) == len(set(started))
        assert not self.running & set(started)
        self.running |= set(started)
        for key in started:
            assert self.now - 60 - max(self.every) <= self.cadence.was_due(key) <= self.now
        self.fired += len(started)

    @rule(pick=st.integers(0, 4))
    def finish(self, pick):
        if pick in self.running:
            self.cadence.finished(pick)
            self.running.discard(pick)

    @rule(pick=st.integers(0, 4))
    def extra(self, pick):
        if pick < len(self.every):
            assert self.cadence.out_of_turn(pick) == (pick not in self.running)
            self.fired += pick not in self.running
            self.running.add(pick)

    @rule(pick=st.integers(0, 4))
    def goes_and_comes_back(self, pick):
        if pick < len(self.every):
            beat = self.cadence.at(pick, 0)
            self.cadence.remove(pick)
            self.cadence.add(pick, every=self.every[pick], phase=pick / len(self.every), now=self.now)
            assert self.cadence.at(pick, 0) == beat
            assert self.cadence.running(pick) == (pick in self.running), "what runs, runs"
            assert self.cadence.first(pick) >= self.now

    @invariant()
    def the_next_turn_lies_ahead_within_one_interval(self):
        assert self.cadence.next_due >= self.now
        assert self.cadence.next_due <= self.now + max(self.every) + 1e-9

    @invariant()
    def counts_agree(self):
        assert self.cadence.counts.fired == self.fired
        assert all(self.cadence.running(key) for key in self.running)


TestRunning = Running.TestCase
