"""Reads `desk.yaml`, strictly validated as a whole."""

from pathlib import Path
from typing import Any

import msgspec
from pydantic import BaseModel, ValidationError

from sereno.desk import validate
from sereno.desk.channels import ChannelConfig
from sereno.desk.inbound import Mailbox
from sereno.desk.model import Desk
from sereno.desk.people import Rota
from sereno.errors import ConfigError
from sereno.topology.model import Secret
from sereno.yamlfile import parse_document, read_document, validated


def load_desk(path: str | Path) -> Desk:
    """The desk in a file; ConfigError (one line) for the first fault. Relative file names are relative to the file."""
    where = Path(path)
    document = read_document(where)
    desk = validated(document, Desk)
    validate.check(document, desk)
    return _anchored(desk, where.resolve().parent)


def parse_desk(name: str, raw: bytes) -> Desk:
    """The same from bytes; `name` stands for the file in errors."""
    document = parse_document(name, raw)
    desk = validated(document, Desk)
    validate.check(document, desk)
    return desk


def desk_from_json(data: dict[str, Any]) -> Desk:
    """A desk that was validated before it was stored (`model_dump_json(by_alias=True)`); ConfigError if it is none."""
    try:
        return Desk.model_validate_json(msgspec.json.encode(data))
    except (ValidationError, TypeError, ValueError):
        raise ConfigError("desk", "what is stored is not a desk", "load desk.yaml again") from None


def _anchored(desk: Desk, folder: Path) -> Desk:
    """The same desk with every file reference absolute."""
    anchored: Desk = _rooted(desk, folder)
    return anchored


def _rooted(value: Any, folder: Path) -> Any:
    if isinstance(value, Secret):
        return value if value.file is None else value.model_copy(update={"file": str(folder / value.file)})
    if isinstance(value, BaseModel):
        changed = {name: _rooted(field, folder) for name, field in value}
        if isinstance(value, Mailbox | ChannelConfig) and value.ca is not None:
            changed["ca"] = str(folder / value.ca)
        if isinstance(value, Rota) and value.icalendar is not None and "://" not in value.icalendar:
            changed["icalendar"] = str(folder / value.icalendar)
        return value.model_copy(update=changed)
    if isinstance(value, dict):
        return {name: _rooted(one, folder) for name, one in value.items()}
    return value
