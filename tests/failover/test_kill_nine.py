"""kill −9 of every part of a running `sereno up --lab`, again and again: what was measured is stored, exactly once.

A trigger in the spool's own database keeps a side log, so that "measured" means exactly what the probe has taken.
"""

import contextlib
import itertools
import os
import signal
import sqlite3
import urllib.request

import pytest
from live_sereno import now_us, wait_for
from sqlalchemy import func, select

from probes.spool import SPOOL_SCHEMA
from sereno.clock import SECOND_US, iso
from sereno.instance import read
from sereno.ranges import Ranges
from sereno.store.results import load_cursors
from sereno.store.tables import lease, quarantine, results

pytestmark = [pytest.mark.lab, pytest.mark.timeout(150)]

SITE = "site:acme-bog"
HOLD_US = 2_500_000  # 2.5 × the interval of a second
SIDE_LOG = """
CREATE TABLE side_log (boot TEXT NOT NULL, seq INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (boot, seq));
CREATE TRIGGER keep AFTER INSERT ON results BEGIN
  INSERT INTO side_log SELECT boot, NEW.seq, NEW.body FROM boots WHERE number = NEW.boot;
END;
"""


class Spool:
    """The probe's own file, read from outside."""

    def __init__(self, data):
        self.path = data / "probe" / "spool.db"
        self.path.parent.mkdir(parents=True)
        with contextlib.closing(sqlite3.connect(self.path)) as spool:
            spool.executescript(SPOOL_SCHEMA + SIDE_LOG)

    def _rows(self, query):
        with contextlib.closing(sqlite3.connect(self.path)) as spool:
            return spool.execute(query).fetchall()

    def measured(self):
        """Everything the probe ever took: {(boot, seq): body}."""
        return {(boot, seq): body.decode() for boot, seq, body in self._rows("SELECT boot, seq, body FROM side_log")}

    def count(self):
        return self._rows("SELECT count(*) FROM side_log")[0][0]

    def pending(self):
        """What no collector has acknowledged yet: {(boot, seq)}."""
        return set(self._rows("SELECT boots.boot, seq FROM results JOIN boots ON number = results.boot"))


def stored(live):
    """Every stored result: [(boot, seq, body)], twice if it is there twice."""
    return [tuple(row) for row in live.query(select(results.c.boot, results.c.seq, results.c.body))]


def stored_count(live):
    return live.query(select(func.count()).select_from(results))[0][0]


def gaps(live):
    """The times in which nobody measured the site, longer than a sample holds: their sum in microseconds."""
    at = [one.at_us for one in live.results("natural")]
    return sum(max(0, after - before - HOLD_US) for before, after in itertools.pairwise(at))


def check_store(live, spool):
    """Everything that was measured, once; nothing else; the cursors say the same."""
    measured, pending, found = spool.measured(), spool.pending(), stored(live)
    keys = [(boot, seq) for boot, seq, _ in found]
    assert len(keys) == len(set(keys)), "something twice"
    assert measured.keys() - set(keys) <= pending, "something lost"
    for boot, seq, body in found:
        assert measured[boot, seq] == body
    boots = {boot for boot, _ in measured}
    with live.read() as connection:
        cursors = load_cursors(connection)
    assert {boot for _, boot in cursors} == boots
    for boot in boots:
        seqs = sorted(seq for name, seq in measured if name == boot)
        assert seqs == list(range(1, len(seqs) + 1)), "the probe skipped a seq"
        mine = Ranges()
        for name, seq in keys:
            if name == boot:
                mine.add(seq)
        assert list(cursors["lab-1", boot].ranges) == list(mine), "the cursor says other than the rows"
        if not any(name == boot for name, _ in pending):
            assert list(mine) == [(1, len(seqs))]
    assert live.query(select(quarantine)) == []
    return boots, len(found)


def missing(live):
    """`sereno_results_missing_total` of the collector that runs now."""
    with urllib.request.urlopen(read(live.data).url + "metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    assert any(line.startswith("sereno_results_committed_total") for line in lines)
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("sereno_results_missing_total"))


def kill(live, *names):
    """All of them at the same instant; returns when the supervisor has started every one again."""
    before = live.pids()
    for name in names:
        os.kill(before[name], signal.SIGKILL)
    live.wait_for(lambda: all(live.pids().get(name, before[name]) != before[name] for name in names), f"new {names}")


def test_nothing_is_lost_and_nothing_comes_twice(make, tell):
    live = make()
    spool = Spool(live.data)
    live.start()
    live.wait_for(lambda: stored_count(live) > 30, "the first results")
    rounds = [("probe",), ("broker",), ("collector",)] * 2 + [("collector", "broker", "probe")]
    for names in rounds:
        kill(live, *names)
        target = spool.count() + 25
        live.wait_for(lambda target=target: stored_count(live) >= target, f"results after the death of {names}")
    old = {boot for boot, _ in spool.measured()}
    assert len(old) == 4  # three deaths of the probe
    live.wait_for(lambda: len(spool.pending()) < 10, "an empty spool")
    assert live.all_up()
    assert missing(live) == 0
    assert live.ask("incidents", "list", "--all") == {"incidents": []}
    until = iso(now_us() - 2 * SECOND_US)
    told = live.availability(SITE, iso(live.up_since_us("site")), until)
    assert told["down_seconds"] == 0
    assert told["unknown_seconds"] <= gaps(live) / SECOND_US + 0.01
    assert live.stop() == 0

    live.start()  # what the last second left in the spool is delivered now
    live.wait_for(lambda: {boot for boot, _ in spool.pending()} <= {boot for boot, _ in spool.measured()} - old, "all")
    live.wait_for(lambda: {boot for boot, _, _ in stored(live)} - old, "a result of the last boot")
    assert missing(live) == 0
    assert live.stop() == 0
    boots, count = check_store(live, spool)
    assert len(boots) == 5
    tell(f"{len(rounds) + 2} deaths, {len(boots)} boots: {count} results measured and stored, nothing lost or twice")
    tell(f"{told['unknown_seconds']:.2f} s unknown of {told['total_seconds']:.0f}: while nobody measured")


def test_a_killed_supervisor_leaves_nobody_and_the_next_one_goes_on(make, tell):
    live = make()
    spool = Spool(live.data)
    live.start()
    live.wait_for(lambda: stored_count(live) > 30, "the first results")
    (epoch,) = live.query(select(lease.c.epoch))[0]
    killed_us = now_us()
    live.process.kill()
    live.process.wait()
    wait_for(lambda: live.left() == [], lambda: f"the end of {live.left()}", 12)
    ended_us = now_us()
    assert read(live.data) is None
    before = spool.count()
    live.start()
    live.wait_for(lambda: stored_count(live) > before + 30, "more results")
    assert live.query(select(lease.c.epoch))[0][0] > epoch
    assert live.ask("verdicts")["elements"][0]["state"] == "up"
    assert live.ask("incidents", "list", "--all") == {"incidents": []}
    told = live.availability(SITE, iso(killed_us - 2 * SECOND_US), iso(now_us() - 2 * SECOND_US))
    assert told["down_seconds"] == 0
    assert told["unknown_seconds"] <= gaps(live) / SECOND_US + 0.01
    assert live.stop() == 0
    boots, count = check_store(live, spool)
    assert len(boots) == 2
    tell(f"children gone {(ended_us - killed_us) / SECOND_US:.1f} s after their supervisor was killed; {count} results")
