"""A Grafana on this machine is told of our boards by file provisioning."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import yaml

from sereno.doctor.model import CannotLookError, Finding, Question, ok, warning
from sereno.doctor.patient import Patient

HOME = Path("/etc/grafana")


class Provisioned(msgspec.Struct, frozen=True, kw_only=True):
    """`providers`: folders of boards that Grafana reads; `boards`: how many of ours lie there."""

    home: str
    providers: tuple[str, ...]
    boards: int


def look(patient: Patient) -> Provisioned:
    """Its provisioning folder ($GF_PATHS_PROVISIONING names another one)."""
    del patient
    return provisioned(Path(os.environ.get("GF_PATHS_PROVISIONING") or HOME / "provisioning"))


def provisioned(folder: Path) -> Provisioned:
    """Which of the board providers in a provisioning folder hold boards of ours."""
    if not folder.is_dir():
        raise CannotLookError("there is no Grafana on this machine", "elsewhere: docs/grafana.md", optional=True)
    paths = [path for file in sorted((folder / "dashboards").glob("*.y*ml")) for path in _paths(file)]
    boards = sum(1 for path in paths for board in path.rglob("sereno*.json") if board.is_file())
    boards = boards or sum(1 for path in paths if "sereno" in str(path) for board in path.rglob("*.json"))
    return Provisioned(home=str(folder), providers=tuple(str(path) for path in paths), boards=boards)


def _paths(file: Path) -> Iterator[Path]:
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return
    for provider in document.get("providers") or () if isinstance(document, dict) else ():
        path = (provider.get("options") or {}).get("path") if isinstance(provider, dict) else None
        if isinstance(path, str):
            yield Path(path)


def judge(found: Provisioned) -> Iterator[Finding]:
    """Grafana is there and shows nothing of ours."""
    if found.boards:
        yield ok("{count} boards", found.home, count=found.boards)
    else:
        yield warning(
            "Grafana is installed and has none of our boards", "copy deploy/grafana/ into its provisioning folder and "
            "sereno dashboards render the boards where it says, or sereno dashboards push", found.home,
        )  # fmt: skip


QUESTION = Question(name="grafana", title="Grafana", look=look, judge=judge)
