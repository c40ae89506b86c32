"""Room on the disks: of the store here, and of every probe's spool, as each says of itself."""

import os
from collections.abc import Iterator

import msgspec

from sereno.doctor.model import Finding, Question, broken, ok, unknown, warning
from sereno.doctor.patient import Patient
from sereno.errors import SerenoError

NEARLY = 0.10  # of the room, as the alarm spool_or_disk
FULL = 0.02


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """`free`: what this user may still fill, of the whole."""

    whose: str
    free: float | None


def look(patient: Patient) -> list[Disk]:
    """The data directory's disk, and those that probes report."""
    found = []
    file = patient.sqlite_file
    folder = file.parent if file is not None else patient.asked.data
    if folder.is_dir():
        found.append(Disk(whose=str(folder), free=_free(str(folder))))
    elif file is not None:
        patient.engine()  # says that there is no store yet
    if file is None:
        found.append(Disk(whose="PostgreSQL", free=None))
    try:
        standings = patient.standings()
    except SerenoError:
        standings = []  # the store's own finding says why; the disk is what is asked here
    return found + [
        Disk(whose=f"probe {one.probe}", free=one.status.disk_free_ratio)
        for one in standings
        if one.status is not None and one.status.disk_free_ratio is not None
    ]


def _free(folder: str) -> float | None:
    try:
        told = os.statvfs(folder)
    except OSError:
        return None
    return told.f_bavail / told.f_blocks if told.f_blocks else None


def judge(disks: list[Disk]) -> Iterator[Finding]:
    """A full disk stops the store; a probe's loses results, the oldest first."""
    for one in disks:
        if one.free is None:
            yield unknown(
                "how full its disk is cannot be seen from here", "look at it on the server: df -h", one.whose,
                optional=True,
            )  # fmt: skip
        elif one.free < FULL:
            yield broken("the disk is full: {percent} % free", "free room or move it to a larger disk", one.whose,
                         percent=f"{one.free:.1%}".rstrip("%"))  # fmt: skip
        elif one.free < NEARLY:
            yield warning("the disk is nearly full: {percent} % free", "free room, or keep results for less time "
                          "(`retention:`)", one.whose, percent=f"{one.free:.1%}".rstrip("%"))  # fmt: skip
        else:
            yield ok("{percent} % free", one.whose, percent=f"{one.free:.0%}".rstrip("%"))


QUESTION = Question(name="disk", title="Disk", look=look, judge=judge)
