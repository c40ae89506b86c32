"""Reads contracts: a shipped name, a name beside the topology, or a file."""

import functools
from importlib import resources
from pathlib import Path

from sereno.contract import validate
from sereno.contract.model import Contract
from sereno.errors import ConfigError
from sereno.yamlfile import nearest, parse_document, read_document, validated

_SUFFIXES = (".yaml", ".yml")


def shipped() -> list[str]:
    """Names of the contracts that come with Sereno."""
    folder = resources.files("sereno.contract") / "data"
    return sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml"))


def load_contract(name_or_path: str | Path, beside: str | Path | None = None) -> Contract:
    """The contract of that name (beside the topology first, then shipped) or in that file; ConfigError otherwise.

    `beside` is the topology's file or its folder.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or text.endswith(_SUFFIXES) or "/" in text:
        return load_contract_file(Path(text))
    own = _beside(text, beside)
    if own is not None:
        contract = load_contract_file(own)
        if contract.name != text:
            raise ConfigError(f"{own}:1", f"contract: is named {contract.name}", f"name it {text}, as its file is")
        return contract
    if text in shipped():
        return _shipped(text)
    what, _ = _unknown(text)
    names = shipped()
    raise ConfigError(text, what, f"shipped are {' and '.join(names)}{nearest(text, names)}, or give a file")


def load_contract_file(path: Path) -> Contract:
    """The contract in a file, strictly validated as a whole."""
    document = read_document(path)
    contract = validated(document, Contract)
    validate.check(document, contract)
    return contract


def parse_contract(name: str, raw: bytes) -> Contract:
    """The same from bytes; `name` stands for the file in errors."""
    document = parse_document(name, raw)
    contract = validated(document, Contract)
    validate.check(document, contract)
    return contract


def known_contract(name: str, beside: str | Path | None = None) -> tuple[str, str] | None:
    """Nothing if a sound contract of this name can be found; otherwise what is wrong and how to mend it."""
    own = _beside(name, beside)
    if own is not None:
        try:
            load_contract(name, beside)
        except ConfigError as error:
            return f"{error.where}: {error.what}", error.mend
        return None
    return None if name in shipped() else _unknown(name)


@functools.cache
def _shipped(name: str) -> Contract:
    source = resources.files("sereno.contract") / "data" / f"{name}.yaml"
    return parse_contract(f"{name}.yaml", source.read_bytes())


def _beside(name: str, beside: str | Path | None) -> Path | None:
    if beside is None:
        return None
    folder = Path(beside)
    if not folder.is_dir():
        folder = folder.parent
    for place in (folder / "contracts" / f"{name}.yaml", folder / f"{name}.yaml"):
        if place.is_file():
            return place
    return None


def _unknown(name: str) -> tuple[str, str]:
    names = shipped()
    return (
        f"no contract named {name}",
        f"shipped are {' and '.join(names)}{nearest(name, names)}, others are contracts/NAME.yaml beside this file",
    )
