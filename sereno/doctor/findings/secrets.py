"""Secrets that files refer to: there, not empty, and read by nobody else. What they hold is never told."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
from pydantic import BaseModel

from sereno.doctor.model import Finding, Question, broken, ok, unknown, warning
from sereno.doctor.patient import Patient
from sereno.topology.model import Secret

Standing = Literal["there", "missing", "unreadable", "empty", "open", "elsewhere"]


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """One reference: who it is for, where it leads, how it stands."""

    owner: str
    place: str
    standing: Standing
    words: str = ""


def look(patient: Patient) -> list[Reference]:
    """Every reference of topology and desk, and the passwords of the private broker."""
    found = [_reference(owner, secret) for owner, secret in _secrets("topology", patient.topology())]
    desk = patient.desk()
    if desk is not None:
        found += [_reference(owner, secret) for owner, secret in _secrets("desk", desk)]
    folder = patient.asked.data / "broker"
    if patient.asked.database is None and folder.is_dir():
        found += [_file(f"broker.{path.stem}", path) for path in sorted(folder.glob("*.secret"))]
    return found


def _secrets(where: str, value: Any) -> Iterator[tuple[str, Secret]]:
    if isinstance(value, Secret):
        yield where, value
    elif isinstance(value, BaseModel):
        for name, field in value:
            yield from _secrets(f"{where}.{name}", field)
    elif isinstance(value, dict):
        for name, field in value.items():
            yield from _secrets(f"{where}.{name}", field)


def _reference(owner: str, secret: Secret) -> Reference:
    account = owner.rsplit(".", 2)[-2]
    variable = "SERENO_SECRET_" + account.upper().replace("-", "_").replace(".", "_")
    if any(os.environ.get(name) for name in (variable, secret.env or variable)):
        return Reference(owner=owner, place=variable, standing="there")
    if secret.file is None:
        return Reference(owner=owner, place=f"${secret.env or variable}", standing="elsewhere")
    return _file(owner, Path(secret.file))


def _file(owner: str, path: Path) -> Reference:
    place = str(path)
    try:
        mode = path.stat().st_mode
        empty = not path.read_bytes().strip()
    except FileNotFoundError:
        return Reference(owner=owner, place=place, standing="missing")
    except OSError as error:
        return Reference(owner=owner, place=place, standing="unreadable", words=error.strerror or "")
    if empty:
        return Reference(owner=owner, place=place, standing="empty")
    return Reference(owner=owner, place=place, standing="open" if mode & (stat.S_IROTH | stat.S_IWOTH) else "there")


def judge(references: list[Reference]) -> Iterator[Finding]:
    """A missing one makes its checks invalid, or its channel silent."""
    for one in references:
        if one.standing == "missing":
            yield broken(
                "the secret of {owner} is missing: what needs it does not work", "write it to {place} (mode 600)",
                one.place, owner=one.owner, place=one.place,
            )  # fmt: skip
        elif one.standing == "unreadable":
            yield broken(
                "the secret of {owner} cannot be read ({why})", "give it to the user that Sereno runs as: "
                "chown and chmod 600", one.place, owner=one.owner, why=one.words,
            )  # fmt: skip
        elif one.standing == "empty":
            yield broken("the secret of {owner} is empty", "write it to the file", one.place, owner=one.owner)
        elif one.standing == "open":
            yield warning(
                "everybody on this machine may read the secret of {owner}", "chmod 600 {place}", one.place,
                owner=one.owner, place=one.place,
            )  # fmt: skip
    away = [one for one in references if one.standing == "elsewhere"]
    if away:
        yield unknown(
            "{names}: an environment variable that this shell does not have; the service may",
            "run the doctor in the service's environment (systemd-run, or `set -a; . FILE`)",
            names=", ".join(one.place for one in away), optional=True,
        )  # fmt: skip
    if references and all(one.standing in {"there", "elsewhere"} for one in references) and len(away) < len(references):
        yield ok("{count} secrets are there, for their owner alone", count=len(references) - len(away))


QUESTION = Question(name="secrets", title="Secrets", look=look, judge=judge)
