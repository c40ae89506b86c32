"""Processes of the lab: each component a process group of its own, marked so that not one can be lost.

Kamailio forks, and PR_SET_PDEATHSIG is not inherited: the signal at the parent's death reaches only its first process.
So whatever we start carries a mark in its environment, which every descendant inherits, and a reaper outlives the
supervisor just long enough to kill all that carry it.
"""

import ctypes
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from sereno.errors import SerenoError

MARK = "SERENO_LAB"
_PR_SET_PDEATHSIG = 1
_DEADLINE_SECONDS = 5.0
_libc = ctypes.CDLL(None, use_errno=True)
# Reads until the supervisor's end of the pipe closes, then kills everything marked until nothing is left.
_REAPER = """trap '' INT TERM HUP
while read -r line; do :; done
for turn in 1 2 3 4 5 6 7 8 9 10; do
  found=$(grep -lzsxF -e "$1" /proc/[0-9]*/environ | cut -d/ -f3)
  [ -n "$found" ] || exit 0
  kill -9 $found 2>/dev/null
done
"""


class LabError(SerenoError):
    """The lab cannot do what was asked; one line says why and how to mend it."""


def die_with_parent(signum: int, parent: int) -> None:
    """Ask the kernel for `signum` when the parent dies; for a parent already gone, send it now.

    The parent is the *thread* that forked us (prctl(2)), so fork from a thread that lasts.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signum)


class Group:
    """One program and all that it forks, in one process group."""

    def __init__(self, arguments: Sequence[str], *, mark: str, log: Path, pass_fds: Sequence[int] = ()) -> None:
        parent = os.getpid()
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=os.environ | {MARK: mark},
                start_new_session=True,
                pass_fds=pass_fds,
                preexec_fn=lambda: die_with_parent(signal.SIGKILL, parent),  # noqa: PLW1509  # one thread here
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def alive(self) -> bool:
        return self.process.poll() is None

    def signal(self, signum: int) -> None:
        """To every process of the group at once; none left is no error."""
        try:
            os.killpg(self.pid, signum)
        except ProcessLookupError:
            return

    def stopped(self) -> bool:
        """Whether every process of the group stands still."""
        return all(state in "TZ" for state in _states(self.pid))

    def gone(self) -> bool:
        """Whether nothing of the group runs any more."""
        self.process.poll()
        return all(state == "Z" for state in _states(self.pid))


def kill_groups(groups: Iterable[Group]) -> None:
    """SIGKILL (it works on the stopped ones too), and wait until all are gone."""
    known = list(groups)
    for group in known:
        group.signal(signal.SIGKILL)
    wait_until(lambda: all(group.gone() for group in known), "processes that do not die of SIGKILL")


def wait_until(condition: Callable[[], bool], words: str) -> None:
    """Poll a condition that the kernel is about to make true."""
    end = time.monotonic() + _DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > end:
            raise LabError(f"lab: {words} after {_DEADLINE_SECONDS:.0f} s")
        time.sleep(0.002)


def _states(group: int) -> list[str]:
    """State letters of every process in a process group (proc(5): pid (comm) state ppid pgrp …)."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == group:
            found.append(fields[0])
    return found


def marked(prefix: str) -> list[int]:
    """Every living process whose mark begins so; other users' are not readable and not ours."""
    pattern = re.compile(rb"(?:^|\0)" + re.escape(f"{MARK}={prefix}".encode()))
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if pattern.search((entry / "environ").read_bytes()):
                found.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def kill_marked(prefix: str) -> int:
    """Kill what a crashed lab may have left; how many there were."""
    left = marked(prefix)
    killed = set(left)
    end = time.monotonic() + _DEADLINE_SECONDS
    while left:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if time.monotonic() > end:
            raise LabError(f"lab: processes {left} of a former lab do not die of SIGKILL")
        time.sleep(0.01)
        left = marked(prefix)
        killed.update(left)
    return len(killed)


def start_reaper(mark: str) -> subprocess.Popen[bytes]:
    """The process that kills everything marked when its standard input, our end of a pipe, closes."""
    environment = {key: value for key, value in os.environ.items() if key != MARK}
    return subprocess.Popen(
        ["/bin/sh", "-c", _REAPER, "sereno-lab-reaper", f"{MARK}={mark}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )
