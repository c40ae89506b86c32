"""One machine of the lab: a Kamailio with a core's far ends or an SBC's media relay; all killed or frozen as one."""

import os
import shutil
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from deploy.lab import media, rpc
from deploy.lab.faults import Fault
from deploy.lab.plan import FAR_END_PORTS, LET_GO, RTP_BASE, RTP_BLOCK, Component, Plan
from deploy.lab.process import Group, LabError, kill_groups, wait_until
from deploy.lab.render import config_file, log_file, relay_socket, rpc_socket
from sereno.clock import SystemClock

MachineState = Literal["running", "frozen", "dead"]
_SBIN = "/usr/sbin:/usr/local/sbin"  # not in a plain user's PATH


def kamailio_program() -> str:
    """Where Kamailio is; LabError says which package when it is nowhere."""
    found = shutil.which("kamailio") or shutil.which("kamailio", path=_SBIN)
    if found is None:
        raise LabError("lab: Kamailio is not installed; apt-get install kamailio")
    return found


class Machine:
    """Starts dead; `start` brings it up, `kill` and `freeze` break it."""

    def __init__(self, component: Component, lab: Plan, state: Path, mark: str) -> None:
        self.component = component
        self._lab, self._state, self._mark = lab, state, mark
        self._kamailio: Group | None = None
        self._beside: list[Group] = []  # far ends, or relay and rtpengine
        self._reports: list[int] = []
        self._calls: list[int] = []
        self._frozen = False
        self._clock = SystemClock()

    @property
    def pid(self) -> int | None:
        return self._kamailio.pid if self._kamailio is not None and self._kamailio.alive() else None

    def state(self) -> MachineState:
        """Dead as soon as one of its programs is: half a machine is none."""
        groups = self._groups()
        if not groups or not all(group.alive() for group in groups):
            return "dead"
        return "frozen" if self._frozen else "running"

    def start(self) -> None:
        """Everything afresh, whatever was before."""
        self.kill()
        name = self.component.name
        rpc_socket(self._state, name).unlink(missing_ok=True)
        if self.component.kind == "sbc":
            self._beside += media.start_media(self.component, self._state, self._mark)
        arguments = [kamailio_program(), "-DD", "-E", "-f", str(config_file(self._state, name))]
        arguments += ["-m", "128", "-M", "8", "-Y", str(self._state / name)]
        self._kamailio = Group(arguments, mark=self._mark, log=log_file(self._state, name))
        if self.component.kind == "core":
            for number, port in enumerate(FAR_END_PORTS):
                self._start_far_end(port, RTP_BASE + number * RTP_BLOCK)

    def _start_far_end(self, port: int, rtp_port: int) -> None:
        read, write = os.pipe()
        os.set_blocking(read, False)
        arguments = [sys.executable, "-m", "deploy.lab.farend", self.component.address, str(port), str(rtp_port)]
        log = log_file(self._state, f"{self.component.name}-far-end-{port}")
        self._beside.append(Group([*arguments, str(write)], mark=self._mark, log=log, pass_fds=[write]))
        os.close(write)
        self._reports.append(read)
        self._calls.append(0)

    def kill(self) -> int:
        """SIGKILL to all of it; the instant (µs UTC) at which it was sent to the last of it."""
        groups = self._groups()
        for group in groups:
            group.signal(signal.SIGKILL)
        at_us = self._clock.now_us()
        kill_groups(groups)
        for report in self._reports:
            os.close(report)
        self._kamailio, self._beside, self._reports, self._calls, self._frozen = None, [], [], [], False
        return at_us

    def freeze(self) -> int:
        """SIGSTOP to all of it; the instant at which it was sent to the last of it."""
        for group in self._groups():
            group.signal(signal.SIGSTOP)
        at_us = self._clock.now_us()
        self._frozen = True
        wait_until(lambda: all(group.stopped() for group in self._groups()), f"{self.component.name} not stopped")
        return at_us

    def thaw(self) -> None:
        """It goes on where it stood, with what waits in its sockets."""
        self._frozen = False
        for group in self._groups():
            group.signal(signal.SIGCONT)

    def let_go(self) -> None:
        """Its far ends need not wait long for callers that were killed."""
        if self.component.kind != "core" or not self.calls():
            return
        for group, calls in zip(self._beside, self._calls, strict=True):
            if calls:  # it has spoken, so it is there to hear
                group.signal(LET_GO)

    def switch(self, fault: Fault, on: bool) -> int:
        """Set or clear a fault inside the living Kamailio; the instant at which it had been done."""
        key: str = fault.kind
        if fault.core is not None:
            key = f"{key}-{self._lab.component(fault.core).address}"
        value = (fault.milliseconds or 1) if on else 0
        rpc.call(rpc_socket(self._state, self.component.name), "htable.seti", ["fault", key, value])
        return self._clock.now_us()

    def impair(self, faults: Iterable[Fault]) -> int:
        """Let its media suffer exactly these faults from now on; the instant at which that was so."""
        media.impair(relay_socket(self._state, self.component.name), faults)
        return self._clock.now_us()

    def media(self) -> list[dict[str, Any]]:
        """The truth of the streams that passed it lately; nothing while it cannot be asked."""
        if self.component.kind != "sbc" or self.state() != "running":
            return []
        return media.truth(relay_socket(self._state, self.component.name))

    def calls(self) -> int:
        """Calls that its far ends hold now, as they last said."""
        for number, report in enumerate(self._reports):
            try:
                said = os.read(report, 65_536).split()
            except BlockingIOError:
                continue
            if said:
                self._calls[number] = int(said[-1])
        return sum(self._calls)

    def _groups(self) -> list[Group]:
        return ([self._kamailio] if self._kamailio is not None else []) + self._beside
