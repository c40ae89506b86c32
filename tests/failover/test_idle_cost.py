"""What watching costs on a quiet day: processor and memory of everything that `sereno up` itself runs."""

import os
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]

SECONDS = 20.0
CPU_PERCENT, MEMORY_MB = 30.0, 300.0
PARTS = ("supervisor", "broker", "collector", "probe")
TICKS = os.sysconf("SC_CLK_TCK")


def stat(pid):
    """The fields of /proc/PID/stat behind the name: state, ppid, … (proc(5))."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def children(parent):
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if int(stat(entry.name)[1]) == parent:
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def cpu_seconds(pid):
    fields = stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS  # utime, stime


def pss_mb(pid):
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def test_a_quiet_system_is_cheap(start, tell):
    live = start()
    live.wait_for(lambda: len({(one.sbc, one.core) for one in live.results("call")}) == 4, "a call by every path", 40)
    pids = {name: live.pids()[name] for name in PARTS}
    pids |= {f"worker-{number}": pid for number, pid in enumerate(children(pids["probe"]), 1)}
    assert len(pids) >= 6  # registrations and calls have workers of their own
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    began = time.monotonic()
    time.sleep(SECONDS)
    took = time.monotonic() - began
    percent = {name: 100 * (cpu_seconds(pid) - before[name]) / took for name, pid in pids.items()}
    memory = {name: pss_mb(pid) for name, pid in pids.items()}
    for name in pids:
        tell(f"{name:<11} {percent[name]:5.1f} % of a core  {memory[name]:6.1f} MB")
    tell(f"{'all':<11} {sum(percent.values()):5.1f} % of a core  {sum(memory.values()):6.1f} MB")
    assert live.all_up()
    assert sum(percent.values()) < CPU_PERCENT
    assert sum(memory.values()) < MEMORY_MB
