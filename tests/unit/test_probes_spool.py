"""The spool: seq without gaps per boot, survives death, is bounded and says what it drops."""

import logging
import os
import signal
import subprocess
import sys

import pytest

from probes.checks import Target, result
from probes.spool import Spool
from sereno.bootclock import BootClock
from sereno.clock import SECOND_US, FakeClock
from sereno.errors import StoreError
from sereno.ranges import Ranges
from sereno.wire import Result, decode

NOW = 1_800_000_000 * SECOND_US
TARGET = Target(check="edge", sbc="sbc-1")


def make(at_us=NOW):
    return result(TARGET, at_us, "ok")


def test_results_are_stamped_with_probe_boot_and_a_seq_without_gaps(tmp_path):
    spool = Spool(tmp_path / "spool.db", "bog-1")
    spool.begin_boot("a")
    assert [spool.append(make()).seq for _ in range(3)] == [1, 2, 3]
    spool.begin_boot("b")
    stamped = spool.append(make())
    assert (stamped.probe, stamped.boot, stamped.seq) == ("bog-1", "b", 1)
    assert decode(spool.read("b", 1, 1)[0], Result) == stamped
    assert spool.held() == {"a": Ranges([(1, 3)]), "b": Ranges([(1, 1)])}
    assert list(spool.held()) == ["a", "b"]  # oldest boot first
    spool.close()


def test_what_is_committed_is_forgotten_and_only_that(tmp_path):
    spool = Spool(tmp_path / "spool.db", "p")
    spool.begin_boot("a")
    for _ in range(5):
        spool.append(make())
    assert spool.forget("a", 2, 3) == 2
    assert spool.forget("a", 2, 3) == 0
    assert spool.forget("never", 1, 9) == 0
    assert len(spool) == 3
    assert spool.held() == {"a": Ranges([(1, 1), (4, 5)])}
    spool.close()


def test_a_full_spool_drops_the_oldest_and_says_so(tmp_path, caplog):
    spool = Spool(tmp_path / "spool.db", "p", limit_rows=20)
    spool.begin_boot("a")
    for _ in range(15):
        spool.append(make())
    spool.begin_boot("b")
    for _ in range(10):
        spool.append(make())
    with caplog.at_level(logging.ERROR):
        assert spool.trim(NOW) == [("a", (1, 5))]
    assert "dropped the 5 oldest results" in caplog.text
    assert spool.dropped == 5
    assert spool.trim(NOW) == []
    assert spool.held() == {"a": Ranges([(6, 15)]), "b": Ranges([(1, 10)])}
    spool.close()


def test_results_older_than_a_week_are_dropped(tmp_path):
    spool = Spool(tmp_path / "spool.db", "p")
    spool.begin_boot("a")
    spool.append(make(NOW))
    spool.append(make(NOW + 3 * 86_400 * SECOND_US))
    assert spool.trim(NOW + 7 * 86_400 * SECOND_US) == []
    assert spool.trim(NOW + 7 * 86_400 * SECOND_US + 1) == [("a", (1, 1))]
    assert len(spool) == 1
    spool.close()


def test_what_was_put_in_survives_kill_9(tmp_path):
    program = """
import sys
from pathlib import Path
from probes.spool import Spool
from probes.checks import Target, result
spool = Spool(Path(sys.argv[1]), "p"); spool.begin_boot("a")
while True:
    print(spool.append(result(Target(check="edge", sbc="s"), 1, "ok")).seq, flush=True)
"""
    path = tmp_path / "spool.db"
    process = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)
    last = 0
    for line in process.stdout:
        last = int(line)
        if last >= 200:
            break
    os.kill(process.pid, signal.SIGKILL)
    last = max([last, *(int(line) for line in process.stdout if line.endswith("\n"))])
    process.wait()
    process.stdout.close()
    spool = Spool(path, "p")
    (ranges,) = spool.held().values()
    assert ranges.first == 1
    assert len(list(ranges)) == 1  # no gap
    assert last <= ranges.last <= last + 1  # the last one may have been kept before it could be printed
    spool.close()


def test_a_spool_that_cannot_be_written_is_one_clear_line(tmp_path):
    with pytest.raises(StoreError, match=r"nowhere/spool.db: unable to open database file; the probe needs"):
        Spool(tmp_path / "nowhere" / "spool.db", "p")


def test_time_of_a_boot_is_monotonic_and_a_step_of_the_wall_is_noticed():
    class Clock(FakeClock):
        offset = 0

        def now_us(self):
            return super().now_us() + self.offset

    clock = Clock(NOW)
    boot = BootClock(clock)
    first = boot.boot
    clock.advance(10)
    assert boot.now_us() == NOW + 10 * SECOND_US
    assert not boot.stepped()
    clock.offset = -3_600 * SECOND_US  # somebody sets the clock back by an hour
    assert boot.stepped()
    assert boot.now_us() == NOW + 10 * SECOND_US  # intervals of this boot stay true
    boot.begin()
    assert boot.boot != first
    assert boot.now_us() == NOW + (10 - 3_600) * SECOND_US
    assert not boot.stepped()
