"""The spool against a model: whatever the disk does, nothing is invented, and all that goes is told."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from probes.checks import Target, result
from probes.spool import Spool
from probes.spoolfile import SpoolError, SpoolFile
from sereno.clock import SECOND_US
from sereno.wire import Result, decode

NOW = 1_800_000_000 * SECOND_US
MEMORY = 30


class Disk(RuleBasedStateMachine):
    """A disk that refuses writes now and then; a probe that is killed and started again; a collector that commits."""

    @initialize()
    def begin(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sereno-spool-"))
        self.model = {}  # (boot, seq) → at, oldest first
        self.boots = 0
        self.refuses = False
        self.refusals = {name: getattr(SpoolFile, name) for name in ("insert", "delete", "begin_boot")}
        for name, method in self.refusals.items():
            setattr(SpoolFile, name, self.refusing(method))
        self.start()

    def refusing(self, method):
        def refused(file, *arguments):
            if self.refuses:
                raise SpoolError("database or disk is full", full=True)
            return method(file, *arguments)

        return refused

    def start(self):
        self.spool = Spool(self.folder / "spool.db", "p", memory_rows=MEMORY, limit_rows=200)
        self.new_boot()

    @rule()
    def new_boot(self):
        self.boots += 1
        self.boot = f"boot{self.boots:04d}"
        self.spool.begin_boot(self.boot)

    @rule(count=st.integers(1, 60))
    def measure(self, count):
        for _ in range(count):
            stamped = self.spool.append(result(Target(check="edge", sbc="s"), NOW, "ok"))
            assert stamped.boot == self.boot
            assert (self.boot, stamped.seq) not in self.model
            self.model[self.boot, stamped.seq] = True

    @rule(refuses=st.booleans())
    def the_disk_changes_its_mind(self, refuses):
        self.refuses = refuses

    @rule()
    def trim(self):
        before = list(self.model)
        for boot, (first, last) in self.spool.trim(NOW):
            for seq in range(first, last + 1):
                self.model.pop((boot, seq), None)
        if not self.refuses:
            assert self.spool.unsaved == 0
            assert self.spool.trouble is None
            assert len(self.spool) <= 200
        gone = set(before) - set(self.model)
        assert len(gone) <= len(before)

    @rule(part=st.floats(0, 1))
    def commit(self, part):
        """A collector has the newest ones."""
        held = self.spool.held()
        for boot, ranges in held.items():
            first, last = ranges.first, ranges.last
            start = round(first + (last - first) * part)
            self.spool.forget(boot, start, last)
            for seq in range(start, last + 1):
                self.model.pop((boot, seq), None)

    @rule()
    def kill(self):
        """What is only in memory is lost; nothing else."""
        self.trim()
        memory = set(self.spool._memory)
        forgotten = list(self.spool._forgotten)
        self.spool._file.close()
        self.refuses = False
        self.model = {key: True for key in self.model if key not in memory}
        self.start()
        for boot, (first, last) in forgotten:  # committed, and still on the disk: they come again, and are known
            self.spool.forget(boot, first, last)

    @invariant()
    def it_holds_what_the_model_holds_but_for_drops_not_yet_told(self):
        held = {(boot, seq) for boot, ranges in self.spool.held().items() for a, b in ranges for seq in range(a, b + 1)}
        untold = {(boot, seq) for boot, (a, b) in self.spool._gone for seq in range(a, b + 1)}
        assert held == set(self.model) - untold
        assert len(self.spool) == len(held)
        assert self.spool.unsaved <= MEMORY

    @invariant()
    def what_it_holds_can_be_read(self):
        for boot, ranges in self.spool.held().items():
            for first, last in ranges:
                seqs = [decode(body, Result).seq for body in self.spool.read(boot, first, last)]
                assert seqs == list(range(first, last + 1))

    def teardown(self):
        self.spool._file.close()
        for name, method in self.refusals.items():
            setattr(SpoolFile, name, method)
        shutil.rmtree(self.folder)


TestDisk = Disk.TestCase
TestDisk.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
