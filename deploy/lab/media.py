"""The media of an SBC, as its machine holds them: the relay, an rtpengine behind it, and what became of the packets."""

import json
import shutil
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from deploy.lab.faults import Fault
from deploy.lab.plan import NG_PORT, RTPENGINE_NG_PORT, RTPENGINE_PORTS, Component, Plan
from deploy.lab.process import Group, LabError
from deploy.lab.render import log_file, relay_socket

_SBIN = "/usr/sbin:/usr/local/sbin"  # not in a plain user's PATH
_TIMEOUT_SECONDS = 2.0
_FORGET_SECONDS = 180  # as the relay before it does


def rtpengine_program() -> str:
    """Where rtpengine is; LabError says which package when it is nowhere."""
    found = shutil.which("rtpengine") or shutil.which("rtpengine", path=_SBIN)
    if found is None:
        raise LabError("lab: rtpengine is not installed; apt-get install rtpengine-daemon")
    return found


def check_programs(lab: Plan) -> None:
    """LabError when what the lab's SBCs need is not installed."""
    if any(sbc.rtpengine for sbc in lab.sbcs):
        rtpengine_program()


def start_media(sbc: Component, state: Path, mark: str) -> list[Group]:
    """The processes of an SBC's media; Kamailio may ask at once: the socket that it asks is already there."""
    groups = []
    if sbc.rtpengine:
        log = log_file(state, f"{sbc.name}-rtpengine")
        groups.append(Group(_rtpengine_arguments(sbc), mark=mark, log=log))
    control = relay_socket(state, sbc.name)
    control.unlink(missing_ok=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ng:
        ng.bind((sbc.address, NG_PORT))
        arguments = [sys.executable, "-m", "deploy.lab.relay", sbc.address, str(ng.fileno()), str(control)]
        if sbc.rtpengine:
            arguments.append(str(RTPENGINE_NG_PORT))
        log = log_file(state, f"{sbc.name}-relay")
        groups.append(Group(arguments, mark=mark, log=log, pass_fds=[ng.fileno()]))
    return groups


def _rtpengine_arguments(sbc: Component) -> list[str]:
    """In user space, in the foreground, with nothing of the machine's own configuration."""
    first, count = RTPENGINE_PORTS
    return [
        rtpengine_program(), "--config-file=none", "--foreground", "--log-stderr", "--log-level=4", "--table=-1",
        f"--interface={sbc.address}", f"--listen-ng={sbc.address}:{RTPENGINE_NG_PORT}", "--num-threads=1",
        f"--port-min={first}", f"--port-max={first + count - 1}", "--delete-delay=0",
        f"--timeout={_FORGET_SECONDS}", f"--silent-timeout={_FORGET_SECONDS}", f"--offer-timeout={_FORGET_SECONDS}",
    ]  # fmt: skip


def impair(control: Path, faults: Iterable[Fault]) -> None:
    """Let the relay do exactly this to what passes it."""
    known = list(faults)
    impairment = next((fault.impairment.text for fault in known if fault.impairment is not None), None)
    oneway = sorted(fault.direction for fault in known if fault.direction is not None)
    try:
        _ask(control, {"break": {"impairment": impairment, "oneway": oneway}})
    except OSError as error:
        raise LabError(f"lab: {control}: the media relay cannot be told ({error})") from error


def truth(control: Path) -> list[dict[str, Any]]:
    """What became of every stream that passed the relay lately; nothing before it listens."""
    try:
        return _ask(control, {})
    except (FileNotFoundError, ConnectionRefusedError):
        return []
    except OSError as error:
        raise LabError(f"lab: {control}: the media relay does not answer ({error})") from error


def _ask(control: Path, request: dict[str, Any]) -> list[dict[str, Any]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(_TIMEOUT_SECONDS)
        sock.connect(str(control))
        sock.sendall(json.dumps(request).encode() + b"\n")
        with sock.makefile() as answers:
            line = answers.readline()
    if not line:
        raise LabError(f"lab: {control}: the media relay went away")
    found: list[dict[str, Any]] = json.loads(line)
    return found
