"""Many waits on one timer of the loop: everybody is woken once, when it is due, in order; nobody else is."""

import heapq
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.sip import timers as timers_module
from probes.sip.timers import Timers


class FakeLoop:
    """Time that moves only when told, and the one call that Timers asks for."""

    def __init__(self):
        self.now, self.calls, self.number, self.faults = 100.0, [], itertools.count(), []

    def time(self):
        return self.now

    def call_at(self, when, call):
        handle = Handle()
        heapq.heappush(self.calls, (when, next(self.number), handle, call))
        return handle

    def call_exception_handler(self, context):
        self.faults.append(context)

    def run_until(self, end):
        while self.calls and self.calls[0][0] <= end:
            when, _, handle, call = heapq.heappop(self.calls)
            self.now = max(self.now, when)
            if not handle.cancelled:
                call()
        self.now = end


class Handle:
    cancelled = False

    def cancel(self):
        self.cancelled = True


class Waiter:
    def __init__(self, number, loop, woken):
        self.number, self.due_at, self._loop, self._woken = number, None, loop, woken

    def due(self):
        self._woken.append((self.number, self._loop.now))


@pytest.fixture
def loop(monkeypatch):
    made = FakeLoop()
    monkeypatch.setattr(timers_module.asyncio, "get_running_loop", lambda: made)
    return made


def test_in_order_once_and_not_who_gave_up(loop):
    timers, woken = Timers(), []
    one, two, three = (Waiter(n, loop, woken) for n in (1, 2, 3))
    timers.at(103, one)
    timers.at(101, two)
    timers.at(102, three)
    timers.forget(three)
    timers.forget(three)
    loop.run_until(110)
    assert woken == [(2, 101), (1, 103)]
    assert len(timers) == 0
    assert not loop.calls, "nothing is left to ring for"


def test_put_off_and_brought_forward(loop):
    timers, woken = Timers(), []
    one, two = Waiter(1, loop, woken), Waiter(2, loop, woken)
    timers.at(101, one)
    timers.at(104, one)
    timers.at(109, two)
    timers.at(102, two)
    loop.run_until(120)
    assert woken == [(2, 102), (1, 104)]


def test_one_that_fails_is_told_and_costs_the_others_nothing(loop):
    timers, woken = Timers(), []

    class Bad(Waiter):
        def due(self):
            raise RuntimeError("x")

    timers.at(101, Bad(1, loop, woken))
    timers.at(101, Waiter(2, loop, woken))
    loop.run_until(102)
    assert woken == [(2, 101)]
    assert [str(fault["exception"]) for fault in loop.faults] == ["x"]


def test_one_that_waits_again_when_woken(loop):
    timers, woken = Timers(), []

    class Again(Waiter):
        def due(self):
            super().due()
            if len(woken) < 3:
                timers.at(loop.now + 1, self)

    timers.at(101, Again(1, loop, woken))
    loop.run_until(110)
    assert woken == [(1, 101), (1, 102), (1, 103)]


def test_closed_wakes_nobody(loop):
    timers, woken = Timers(), []
    timers.at(101, Waiter(1, loop, woken))
    timers.close()
    loop.run_until(200)
    assert woken == []


STEPS = st.lists(
    st.tuples(st.sampled_from(["at", "at", "at", "forget", "pass"]), st.integers(0, 4), st.integers(0, 30)), max_size=60
)


@settings(max_examples=400, deadline=None)
@given(STEPS)
def test_any_order_of_asking_giving_up_and_time(steps):
    loop, woken = FakeLoop(), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timers_module.asyncio, "get_running_loop", lambda: loop)
        timers = Timers()
        waiters = [Waiter(n, loop, woken) for n in range(5)]
        wanted, expected = {}, []
        for what, who, amount in [*steps, ("pass", 0, 100)]:
            if what == "at":
                timers.at(loop.now + amount, waiters[who])
                wanted[who] = loop.now + amount
            elif what == "forget":
                timers.forget(waiters[who])
                wanted.pop(who, None)
            else:
                end = loop.now + amount
                due = sorted((at, n) for n, at in wanted.items() if at <= end)
                expected += [(n, at) for at, n in due]
                for _, n in due:
                    del wanted[n]
                loop.run_until(end)
    assert sorted(woken, key=lambda row: (row[1], row[0])) == sorted(expected, key=lambda row: (row[1], row[0]))
    assert [at for _, at in woken] == [at for _, at in expected]
