"""Reads `alarms.yaml`: the one beside the topology, else the shipped set."""

from importlib import resources
from pathlib import Path

from sereno.alarms.model import Alarms
from sereno.yamlfile import parse_document, read_document, validated

FILE = "alarms.yaml"


def load_alarms(beside: Path | None = None) -> Alarms:
    """`alarms.yaml` in the folder `beside` where there is one, else the shipped set; ConfigError says what is wrong."""
    if beside is not None and (beside / FILE).is_file():
        return read_alarms(beside / FILE)
    return parse_alarms(f"sereno/alarms/data/{FILE}", (resources.files("sereno.alarms") / "data" / FILE).read_bytes())


def read_alarms(path: Path) -> Alarms:
    """The alarms in a file."""
    return validated(read_document(path), Alarms)


def parse_alarms(name: str, raw: bytes) -> Alarms:
    """The alarms in some bytes; `name` stands for the file in errors. ConfigError, and nothing else, otherwise."""
    return validated(parse_document(name, raw), Alarms)
