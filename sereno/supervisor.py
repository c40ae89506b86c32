"""`python -m sereno.supervisor RUN.json`: starts the parts of `sereno up`, restarts what dies, stops all in order.

It imports next to nothing (its whole life is waiting) and knows nothing of SIP or databases. Children die with it: the
kernel signals them when their parent ends, even by kill −9; each is a session of its own, killed as a group.
"""

import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sereno import instance
from sereno.errors import SerenoError, UsageError
from sereno.supervised import Child, Part

_START_SECONDS = 60.0  # a part that is not ready by then has failed
_PORT_POLL_SECONDS = 0.02
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)


class Run:
    """What `sereno up` asks for: parts in the order of their start, each group of `needs` ready before."""

    def __init__(self, path: Path) -> None:
        plan = json.loads(path.read_text())
        self.data = Path(plan["data"])
        self.lock: int = plan["lock"]
        self.url: str = plan["url"]
        self.ports: dict[str, int] = plan["ports"]
        self.probe: str = plan["probe"]
        self.topology: str = plan["topology"]
        self.lab: str | None = plan["lab"]
        self.version: str = plan["version"]
        self.parts = [Part(**part) for part in plan["parts"]]


class StopError(Exception):
    """Time to stop; `code` is the exit status."""

    def __init__(self, code: int, words: str = "") -> None:
        self.code = code
        super().__init__(words)


class Supervisor:
    """One `sereno up` from the first child to the last."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._selector = selectors.DefaultSelector()
        self._children = [Child(part, run.data / "logs") for part in run.parts]
        self._by_name = {child.part.name: child for child in self._children}
        self._began = time.monotonic()
        self._told_ready = False
        self._asked: list[int] = []
        self._wakeup, self._waker = socket.socketpair()
        for end in (self._wakeup, self._waker):
            end.setblocking(False)
        self._selector.register(self._wakeup, selectors.EVENT_READ, self._woken)

    def main(self) -> int:
        """Until told to stop; the exit status."""
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, self._note_signal)
        code = 0
        try:
            while True:
                self._turn()
        except StopError as stop:
            code = stop.code
            if str(stop):
                sys.stderr.write(f"sereno: {stop}\n")
        finally:
            self._stop_all()
            instance.forget(self._run.data)
        return code

    # -- one turn ----------------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        now = time.monotonic()
        for child in self._children:
            died = child.reap(now)
            if child.failed_to_start:
                raise StopError(2, f"{child.part.name} does not start: {child.last_words()}")
            if died:
                words = "" if "SIG" in child.last_end else f" ({child.last_words()})"
                self._say(f"  ✕ {child.part.name:<9} {child.last_end}{words}; starting it again")
            if child.may_start(now) and all(self._by_name[name].ready for name in child.part.needs):
                self._start(child)
            if child.part.port is not None and child.running and not child.ready:
                child.ready = _answers(child.part.port)
                self._ready(child)
            if child.running and not child.ready and now - child.started_at > _START_SECONDS:
                raise StopError(1, f"{child.part.name} is not ready after {_START_SECONDS:.0f} s; see {child.log}")
        self._handle_signals()
        for key, _ in self._selector.select(self._patience(time.monotonic())):
            ready: Callable[[], None] = key.data
            ready()

    def _patience(self, now: float) -> float | None:
        if any(child.part.port is not None and child.running and not child.ready for child in self._children):
            return _PORT_POLL_SECONDS
        waits = [child.starts_at - now for child in self._children if not child.running]
        waits += [child.started_at + _START_SECONDS - now for child in self._children if not child.ready]
        waits = [wait for wait in waits if wait > 0]
        return min(waits, default=None)

    def _start(self, child: Child) -> None:
        reader = child.start(time.monotonic())
        self._selector.register(reader, selectors.EVENT_READ, lambda: self._lines(child, reader))
        self._write_instance()

    def _lines(self, child: Child, reader: int) -> None:
        """What a child tells: `ready …` once, `note …` and `fault …` whenever."""
        data = os.read(reader, 65_536)
        if not data:
            self._selector.unregister(reader)
            os.close(reader)
            return
        for line in child.lines(reader, data):
            kind, _, text = line.partition(" ")
            if kind.rstrip(":") == "ready":
                if reader == child.reader:
                    was, child.ready = child.ready, True
                    self._ready(child, text, again=was)
            elif kind == "fault":
                sys.stderr.write(f"sereno: {text}\n")
            else:
                self._say(f"  … {child.part.name}: {text if kind == 'note' else line}")

    def _ready(self, child: Child, text: str = "", *, again: bool = False) -> None:
        if not child.ready:
            return
        took = time.monotonic() - child.started_at
        word = "again" if again or child.starts > 1 else f"{took:.1f} s"
        self._say(f"  ✓ {child.part.name:<9} {text or child.part.shown}  ({word})")
        if not self._told_ready and all(other.ready for other in self._children):
            self._told_ready = True
            self._say(f"\nSereno: {self._run.url}   (data in {self._run.data}; Ctrl-C stops everything)")
        self._write_instance()

    # -- signals -----------------------------------------------------------------------------------------------------

    def _note_signal(self, number: int, _frame: object) -> None:
        if number != signal.SIGCHLD:
            self._asked.append(number)

    def _woken(self) -> None:
        try:
            self._wakeup.recv(4096)
        except BlockingIOError:
            return

    def _handle_signals(self) -> None:
        while self._asked:
            if self._asked.pop(0) != signal.SIGHUP:
                raise StopError(0)
            self._say("  … taking up topology and desk again")
            for child in self._children:
                if child.part.reloads:
                    child.signal(signal.SIGHUP)

    # -- stopping ----------------------------------------------------------------------------------------------------

    def _stop_all(self) -> None:
        """The last started goes first. A second Ctrl-C kills at once."""
        self._asked.clear()
        for child in reversed(self._children):
            if child.running:
                child.signal(signal.SIGTERM)
                self._wait(child)
            child.kill_group()
        if self._told_ready:
            self._say("Sereno stopped.")

    def _wait(self, child: Child) -> None:
        deadline = time.monotonic() + child.part.grace_seconds
        while child.running and time.monotonic() < deadline and not self._asked:
            child.reap(time.monotonic())
            for key, _ in self._selector.select(0.02):
                heard: Callable[[], None] = key.data
                heard()
        if child.running:
            child.kill_group()
            child.wait()

    # -- telling -----------------------------------------------------------------------------------------------------

    def _say(self, line: str) -> None:
        try:
            print(line, flush=True)
        except OSError:  # the terminal went away; whoever started us is gone, so we go in order
            sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115  # lives as long as the process
            self._asked.append(signal.SIGTERM)

    def _write_instance(self) -> None:
        pids = {child.part.name: child.pid for child in self._children if child.pid is not None}
        instance.write(
            self._run.data,
            instance.Instance(
                url=self._run.url,
                ports=self._run.ports,
                pids={"supervisor": os.getpid(), **pids},
                probe=self._run.probe,
                topology=self._run.topology,
                lab=self._run.lab,
                version=self._run.version,
            ),
        )


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def main() -> int:
    """The exit status of a run described by the file in argv."""
    try:
        if len(sys.argv) != 2:  # noqa: PLR2004
            raise UsageError("python -m sereno.supervisor is started by `sereno up`")
        run = Run(Path(sys.argv[1]))
        os.set_inheritable(run.lock, False)  # it came through exec; children must not hold it
        return Supervisor(run).main()
    except SerenoError as error:
        sys.stderr.write(f"sereno: {error}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
