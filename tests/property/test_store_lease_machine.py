"""Whatever order processes are paused, woken, renew, poll and go in: one at most may speak, and epochs only rise."""

import tempfile

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sereno.store import open_store
from sereno.store.lease import Lease, LeaseLostError, read

WHO = st.integers(0, 1)


class Leadership(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="sereno-lease-")
        self.store = open_store(self.folder.name)
        self.now = 0.0
        self.members = [Lease(self.store, lambda: self.now, f"elsewhere~0/{number}/1") for number in range(2)]
        self.stopped = set()
        self.leading = set()  # who believes to be the writer
        self.epochs = [0]

    @rule(seconds=st.sampled_from([0.25, 1.0, 1.5]))
    def time_passes(self, seconds):
        self.now += seconds

    @rule()
    def the_standby_looks_until_the_lease_has_run_out(self):
        for _ in range(13):
            self.all_look()
            self.now += 0.25
            self.one_speaks_at_most()
        self.all_look()

    @rule(who=WHO)
    def stop_or_wake(self, who):
        self.stopped ^= {who}

    @rule()
    def all_look(self):
        for who, member in enumerate(self.members):
            if who not in self.stopped | self.leading and member.try_take(round(self.now * 1e6)):
                self.leading.add(who)
                self.epochs.append(member.epoch)

    @rule()
    def all_renew(self):
        for who in sorted(self.leading - self.stopped):
            try:
                self.members[who].renew(round(self.now * 1e6))
            except LeaseLostError:
                self.leading.discard(who)

    @rule(who=WHO)
    def write(self, who):
        if who in self.stopped or who not in self.leading:
            return
        member = self.members[who]
        with self.store.read() as connection:
            truly = read(connection).epoch == member.epoch
        if truly:
            with self.store.fenced(member.check).write():
                pass
        else:
            with pytest.raises(LeaseLostError), self.store.fenced(member.check).write():
                pass
            self.leading.discard(who)

    @rule(who=WHO)
    def leave(self, who):
        if who in self.stopped or who not in self.leading:
            return
        self.members[who].release()
        self.leading.discard(who)

    @invariant()
    def one_speaks_at_most(self):
        assert sum(member.held() for member in self.members) <= 1

    @invariant()
    def epochs_rise(self):
        assert self.epochs == sorted(set(self.epochs))

    def teardown(self):
        self.store.dispose()
        self.folder.cleanup()


TestLeadership = Leadership.TestCase
TestLeadership.settings = settings(max_examples=12, stateful_step_count=40)
