"""RTP can be captured: the helper is there and has CAP_NET_RAW; without it calls lack their per-second picture."""

import importlib.util
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import msgspec

from sereno.doctor.model import Finding, Question, ok, warning
from sereno.doctor.patient import Patient

_NET_RAW = 13  # <linux/capability.h>


class Helper(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    there: bool
    may_run: bool = False
    capable: bool = False
    nosuid: bool = False  # file capabilities count for nothing on such a mount


def look(patient: Patient) -> Helper | None:
    """The helper beside the meter; nothing where no calls are measured."""
    checks = patient.topology().checks
    if checks.call is None and checks.terminating is None and checks.pstn is None:
        return None
    found = importlib.util.find_spec("probes.media")
    places = list(found.submodule_search_locations or []) if found is not None else []
    return helper(Path(places[0] if places else ".") / "capture-helper")


def helper(path: Path) -> Helper:
    """How the program at this path stands."""
    if not path.is_file():
        return Helper(path=str(path), there=False)
    return Helper(
        path=str(path), there=True, may_run=os.access(path, os.X_OK),
        capable=_of_this_process() or _of_the_file(path),
        nosuid=bool(os.statvfs(path).f_flag & os.ST_NOSUID),
    )  # fmt: skip


def _of_this_process() -> bool:
    """Root, and what a service with AmbientCapabilities= starts, needs no file capability."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> _NET_RAW & 1)
    return False


def _of_the_file(path: Path) -> bool:
    """`struct vfs_cap_data`: its magic, then the permitted set (capabilities(7))."""
    try:
        raw = os.getxattr(path, "security.capability")
    except OSError:
        return False
    return len(raw) >= 8 and bool(struct.unpack_from("<I", raw, 4)[0] >> _NET_RAW & 1)  # noqa: PLR2004


def judge(found: Helper | None) -> Iterator[Finding]:
    """Calls are measured all the same, by pjsua2's own counters."""
    if found is None:
        return
    if not found.there:
        yield warning("the capture helper is missing: calls lack their seconds and the MOS of both directions",
                      "install the wheel, or `python setup.py build_ext --inplace`", found.path)  # fmt: skip
    elif not found.may_run:
        yield warning("the capture helper may not be run by this user", "chmod 755 {path}", found.path,
                      path=found.path)  # fmt: skip
    elif not found.capable:
        yield warning(
            "the capture helper has no CAP_NET_RAW: calls lack their seconds and the MOS of both directions",
            "sudo setcap cap_net_raw+ep {path}, or AmbientCapabilities=CAP_NET_RAW in the service", found.path,
            path=found.path,
        )  # fmt: skip
    elif found.nosuid and not _of_this_process():
        yield warning("the capture helper lies on a disk mounted nosuid: its capability counts for nothing",
                      "install Sereno on another disk", found.path)  # fmt: skip
    else:
        yield ok("the helper is there and capable", found.path)


QUESTION = Question(name="capture", title="Packet capture", look=look, judge=judge)
