"""topology.yaml, desk.yaml and alarms.yaml: valid as a whole, readable, and the ones that are in use."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from sereno.doctor.model import CannotLookError, Finding, Question, broken, ok, unknown, warning
from sereno.doctor.patient import Patient
from sereno.errors import ConfigError, SerenoError


class Files(msgspec.Struct, frozen=True, kw_only=True):
    """What was read; `faults` are (where, what, mend)."""

    read: tuple[str, ...] = ()
    faults: tuple[tuple[str, str, str], ...] = ()
    stored: bool = False  # something was accepted before
    taken_up: bool | None = None  # the files are the ones in use; None: nobody can say
    desk: bool = False


def look(patient: Patient) -> Files:
    """Reads them as the collector would."""
    from sereno.alarms.load import FILE, load_alarms

    topology, desk = patient.topology_file(), patient.desk_file()
    read: list[str] = []
    faults: list[tuple[str, str, str]] = []
    told = None
    found = _load("topology", topology, read, faults)
    told = _load("desk", desk, read, faults)
    if told is not None and found is not None and desk is not None:
        faults += _strangers(desk, told, found)
    beside = patient.beside()
    if beside is not None and (beside / FILE).is_file():
        try:
            load_alarms(beside)
            read.append(str(beside / FILE))
        except ConfigError as error:
            faults.append((error.where, error.what, error.mend))
    row, taken_up = None, None
    try:
        row = patient.accepted()
        if row is not None and found is not None and patient.asked.topology is None and not faults:
            taken_up = _same(row, found, told)
    except (CannotLookError, SerenoError):
        taken_up = None  # the store's own findings say why
    has_desk = told is not None or (desk is None and row is not None and bool(row.desk))
    return Files(read=tuple(read), faults=tuple(faults), stored=row is not None, taken_up=taken_up, desk=has_desk)


def _load(kind: str, path: Path | None, read: list[str], faults: list[tuple[str, str, str]]) -> Any:
    from sereno.desk import load_desk
    from sereno.topology import load_topology

    if path is None:
        return None
    try:
        found: object = load_topology(path) if kind == "topology" else load_desk(path)
    except ConfigError as error:
        faults.append((error.where, error.what, error.mend))
        return None
    read.append(str(path))
    return found


def _strangers(path: Path, desk: Any, topology: Any) -> Iterator[tuple[str, str, str]]:
    from sereno.desk import validate_inbound, validate_reports

    try:
        validate_inbound.refuse_strangers(path, desk, topology)
        validate_reports.refuse_strangers(path, desk, topology)
    except ConfigError as error:
        yield error.where, error.what, error.mend


def _same(row: Any, topology: Any, desk: Any) -> bool:
    from sereno.topology import topology_hash

    if row.hash != topology_hash(topology):
        return False
    return desk is None or row.desk == desk.model_dump_json(by_alias=True)


def judge(files: Files) -> Iterator[Finding]:
    """Faults first; a file that is right and not in use is told too."""
    for where, what, mend in files.faults:
        yield broken("{what}", "{mend}", where, what=what, mend=mend)
    if not files.read and not files.faults:
        if files.stored:
            yield ok("no file was named: what was accepted last is in use")
        else:
            yield unknown(
                "nothing says what is watched yet",
                "write topology.yaml and name it with --topology, or try `sereno up --lab`",
            )
        return
    if files.taken_up is False:
        yield warning(
            "the files are valid and not the ones in use", "send SIGHUP to the supervisor or the collector to take "
            "them up", ", ".join(files.read),
        )  # fmt: skip
    elif not files.faults:
        yield ok("valid as a whole", ", ".join(files.read))
    if not files.desk and not files.faults:
        yield warning(
            "there is no desk.yaml: nobody is told of anything",
            "write one (docs/configuration.md) and name it with --desk",
        )


QUESTION = Question(name="files", title="Files of the operator", look=look, judge=judge)
