"""Are the lab's addresses free? And when one is not, who has it."""

import socket
import struct
import time
from pathlib import Path

from deploy.lab.plan import Plan
from deploy.lab.process import LabError


def check_free(lab: Plan, patience_seconds: float = 0.0) -> None:
    """LabError, one line, at the first address that somebody else listens on and does not leave in time."""
    end = time.monotonic() + patience_seconds
    for address, port in lab.sockets():
        while (refusal := _refusal(address, port)) is not None:
            if time.monotonic() > end:
                owner = _owner(address, port)
                who = f" by {owner}" if owner else ""
                raise LabError(
                    f"lab: {address}:{port} (UDP) is taken{who} ({refusal}); "
                    f"stop that, or take another net with --net 127.N"
                )
            time.sleep(0.01)


def _refusal(address: str, port: int) -> str | None:
    """Why the kernel does not let us listen there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((address, port))
        except OSError as error:
            return error.strerror
    return None


def _owner(address: str, port: int) -> str | None:
    """`name (pid N)` of the process that holds a UDP socket, as far as /proc lets us see."""
    wanted = {f"{_hex(host)}:{port:04X}" for host in (address, "0.0.0.0")}  # noqa: S104  # only compared
    rows = (line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:])
    inodes = {f"socket:[{row[9]}]" for row in rows if row[1] in wanted}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if any(str(fd.readlink()) in inodes for fd in (entry / "fd").iterdir()):
                return f"{(entry / 'comm').read_text().strip()} (pid {entry.name})"
        except OSError:
            continue  # not ours to look into, or gone meanwhile
    return None


def _hex(address: str) -> str:
    """As /proc/net/udp writes it: the address in the machine's byte order."""
    return f"{struct.unpack('=I', socket.inet_aton(address))[0]:08X}"
