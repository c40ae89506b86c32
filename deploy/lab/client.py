"""A lab as its users hold it: `Lab` talks to the supervisor's socket, and starts and stops the supervisor."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from deploy.lab.faults import healable, parse
from deploy.lab.plan import DEFAULT_NET, plan
from deploy.lab.process import LabError, kill_marked
from deploy.lab.supervisor import CONTROL, lock_path, lock_state
from sereno.errors import SerenoError

_LONGEST_PATH = 90  # a Unix socket's path holds 107 bytes; ours are up to 17 longer than the state directory's
_DOWN_SECONDS = 10.0
_COMMAND_SECONDS = 60.0


def default_state(net: str) -> Path:
    """Where the lab of this net keeps its files: below $SERENO_LAB_STATE, else the user's state directory."""
    given = os.environ.get("SERENO_LAB_STATE")
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return (Path(given) if given else home / "sereno" / "lab") / net


class Lab:
    """The softswitch of one net; nothing runs until `up`."""

    def __init__(self, net: str = DEFAULT_NET, state_dir: Path | None = None) -> None:
        self.plan = plan(net)
        self.net = net
        self.state_dir = (state_dir or default_state(net)).absolute()
        if len(os.fsencode(self.state_dir)) > _LONGEST_PATH:
            raise LabError(
                f"lab: {self.state_dir} is too long for sockets; set SERENO_LAB_STATE to a shorter directory"
            )

    @property
    def topology_path(self) -> Path:
        return self.state_dir / "topology.yaml"

    @property
    def desk_path(self) -> Path:
        return self.state_dir / "desk.yaml"

    def is_up(self) -> bool:
        """Whether a supervisor answers for this lab."""
        try:
            self._ask("ready")
        except LabError:
            return False
        except SerenoError:  # one of a former version, that does not know the word
            return True
        return True

    def up(self, progress: Callable[[str], None] = lambda _line: None) -> dict[str, Any]:
        """Start it in the background unless it is up already; its status when everything is proved."""
        if self.is_up():
            return self._when_ready(progress)
        arguments = [sys.executable, "-m", "deploy.lab", "--net", self.net, "--state", str(self.state_dir), "--detach"]
        with subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            cwd="/",
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        ) as supervisor:
            assert supervisor.stdout is not None  # noqa: S101  # pipes were asked for
            assert supervisor.stderr is not None  # noqa: S101
            try:
                for line in supervisor.stdout:
                    progress(line.rstrip())
                said = supervisor.stderr.read().strip()
            except KeyboardInterrupt:
                self.down()
                raise
        if not self.is_up():
            raise LabError(said.removeprefix("sereno: ") or f"lab: the supervisor died; see {self.state_dir}/log")
        return self.status()

    def _when_ready(self, progress: Callable[[str], None]) -> dict[str, Any]:
        """Somebody else started it: wait with them."""
        end = time.monotonic() + _COMMAND_SECONDS
        while not self._ask("ready")["ready"]:
            if time.monotonic() > end:
                raise LabError(f"lab: the lab on {self.net} does not become ready; see {self.state_dir}/log")
            time.sleep(0.05)
        progress(f"already up on {self.net}")
        return self._ask("status")

    def down(self) -> bool:
        """Stop it and remove all that is its own; whether there was anything."""
        was_up = self.is_up()
        lock = self._stopped()
        try:
            left = kill_marked(f"{self.state_dir}:")
            was_there = self.state_dir.exists()
            shutil.rmtree(self.state_dir, ignore_errors=True)
        finally:
            lock_path(self.state_dir).unlink(missing_ok=True)
            os.close(lock)
        return was_up or bool(left) or was_there

    def _stopped(self) -> int:
        """The lock, once the supervisor, told to stop, has let go of it."""
        end = time.monotonic() + _DOWN_SECONDS
        while True:
            with suppress(LabError):
                self._ask("down")  # again each time: one that is only just starting listens a little later
            try:
                return lock_state(self.state_dir)
            except LabError:
                if time.monotonic() > end:
                    raise
            time.sleep(0.02)

    def break_(self, what: str) -> dict[str, Any]:
        """Break `what`; `{"what", "at"}`, `at` being the instant at which the fault took effect."""
        parse(what, self.plan)  # a wrong word is said even when nothing runs
        return self._ask("break", what)

    def heal(self, what: str | None = None) -> dict[str, Any]:
        """Heal `what`, or everything; returns when all that should work is proved: `{"what", "at", "ready"}`."""
        if what is not None:
            healable(what, self.plan)
        return self._ask("heal", what)

    def status(self) -> dict[str, Any]:
        """States, pids and faults; `{"up": false}` when nothing runs."""
        if not self.is_up():
            return {"net": self.net, "up": False, "ready": False, "components": {}, "faults": [], "media": []}
        return self._ask("status")

    def _ask(self, verb: str, what: str | None = None) -> dict[str, Any]:
        """One request to the supervisor; what it refuses is raised here."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(_COMMAND_SECONDS)
            try:
                sock.connect(str(self.state_dir / CONTROL))
                sock.sendall(json.dumps({"verb": verb, "what": what}).encode() + b"\n")
                with sock.makefile() as answers:
                    line = answers.readline()
            except OSError as error:
                raise LabError(
                    f"lab: no lab is up on {self.net} ({error.strerror}); sereno lab up{self.plan.flag}"
                ) from None
        if not line:
            raise LabError(f"lab: the supervisor of {self.net} went away; sereno lab up{self.plan.flag}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise SerenoError(answer["error"])
        return answer
