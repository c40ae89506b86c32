"""One child of the supervisor: its process group, its log, its restarts with back-off."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sereno.notify import FD_ENV

_BACK_OFF_SECONDS = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_STEADY_SECONDS = 10.0  # a child that lived so long starts its back-off anew
_LOG_LIMIT = 5 << 20
_TAIL = 4096
_PR_SET_PDEATHSIG = 1
_HOPELESS = 4  # deaths in a row before it was ever ready
_LIBC = ctypes.CDLL(None)  # loaded here, not between fork and exec


@dataclass(frozen=True, kw_only=True)
class Part:
    """What to run. `port`: ready when it answers there; else ready when it says so on its descriptor or output."""

    name: str
    arguments: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    needs: list[str] = field(default_factory=list)
    port: int | None = None
    says_on_stdout: bool = False
    reloads: bool = False
    parent_death_signal: int = int(signal.SIGKILL)
    grace_seconds: float = 5.0
    shown: str = ""


class Child:
    """A part and its process, if it has one."""

    def __init__(self, part: Part, logs: Path) -> None:
        self.part = part
        self.log = logs / f"{part.name}.log"
        self.ready = False
        self.starts = 0
        self.started_at = self.starts_at = 0.0
        self.reader = -1
        self.failed_to_start = False
        self.last_end = ""
        self._was_ready = False
        self._failures = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._partial: dict[int, bytes] = {}
        logs.mkdir(exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))

    @property
    def running(self) -> bool:
        return self._process is not None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def may_start(self, now: float) -> bool:
        return self._process is None and now >= self.starts_at

    def start(self, now: float) -> int:
        """Starts it; the descriptor on which it tells how it does."""
        reader, writer = os.pipe()
        environment = {**os.environ, **self.part.environment, FD_ENV: str(writer)}
        mine, wanted = os.getpid(), self.part.parent_death_signal

        def before_exec() -> None:
            _die_with(mine, wanted)

        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.part.arguments,
                stdin=subprocess.DEVNULL,
                stdout=writer if self.part.says_on_stdout else log,
                stderr=log,
                env=environment,
                pass_fds=[writer],
                start_new_session=True,  # Ctrl-C in a terminal reaches the supervisor only
                preexec_fn=before_exec,  # noqa: PLW1509  # the supervisor has no threads
            )
        os.close(writer)
        self.reader, self.started_at, self.ready = reader, now, False
        self.starts += 1
        return reader

    def lines(self, reader: int, data: bytes) -> Iterator[str]:
        """Whole lines of what came in on a descriptor."""
        *whole, rest = (self._partial.pop(reader, b"") + data).split(b"\n")
        if rest:
            self._partial[reader] = rest
        for line in whole:
            text = line.decode("utf-8", "replace").rstrip()
            if text:
                yield text

    def reap(self, now: float) -> bool:
        """Takes note of a death, if there was one, and says when to start again."""
        if self.ready:
            self._was_ready = True
        if self._process is None or self._process.poll() is None:
            return False
        code = self._process.returncode
        self.kill_group()  # whatever it left behind
        self._process = None
        self.ready = False
        self._failures = 0 if now - self.started_at > _STEADY_SECONDS else self._failures + 1
        mistaken = code == 2  # noqa: PLR2004  # a mistake in files or flags: starting again mends nothing
        self.last_end = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        self.failed_to_start = not self._was_ready and (mistaken or self._failures >= _HOPELESS)
        self.starts_at = now + _BACK_OFF_SECONDS[min(self._failures, len(_BACK_OFF_SECONDS) - 1)]
        return True

    def signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def kill_group(self) -> None:
        """Ends it and everything it started, at once."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def wait(self) -> None:
        if self._process is not None:
            self._process.wait()
            self._process = None

    def last_words(self) -> str:
        """The last line of its log."""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - _TAIL))
            lines = log.read().decode("utf-8", "replace").split("\n")
        words = [line.strip() for line in lines if line.strip()]
        return words[-1].removeprefix("sereno: ") if words else f"it said nothing; see {self.log}"


def _die_with(parent: int, number: int) -> None:
    """Asks the kernel to signal this process when its parent ends (prctl(2), PR_SET_PDEATHSIG)."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)
