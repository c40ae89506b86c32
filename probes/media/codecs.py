"""Ie and Bpl of codecs: the rows of ITU-T G.113 kept in data/codecs.json, each with its source and certainty.

A codec without an agreed row has none. Provisional rows, which are not G.113's, are given only when asked for.
Standard library alone: whoever rates a capture starts without NumPy or YAML.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

Scale: TypeAlias = Literal["narrowband", "wideband"]

ALL = 100.0  # percent: the most that can be lost

_FILE = Path(__file__).with_name("data") / "codecs.json"
_PUNCTUATION = re.compile(r"[\s._/-]+")


@dataclass(frozen=True, slots=True)
class CodecRow:
    """Equipment impairment Ie and robustness Bpl (None: no value, so no rating once something is lost)."""

    ie: float
    bpl: float | None
    scale: Scale
    source: str
    certainty: str
    provisional: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """A row and the names and concealment it is for (None: the codec's own)."""

    names: tuple[str, ...]
    plc: bool | None
    row: CodecRow


def row_for(codec: str, *, plc: bool, provisional: bool = False, scale: Scale | None = None) -> CodecRow | None:
    """The row of a codec, by its name in SDP or in print; None: it has no agreed one.

    With `provisional` an unofficial row, where there is one, takes the place of the agreed one, and is marked.
    Without a scale the codec's usual one is meant.
    """
    found = None
    for listed in _by_name().get(plain(codec), ()):
        if listed.plc in {None, plc} and scale in {None, listed.row.scale}:
            if listed.row.provisional and provisional and (found is None or found.scale == listed.row.scale):
                return listed.row
            if not listed.row.provisional and found is None:
                found = listed.row
    return found


def is_known(codec: str) -> bool:
    """Whether this names a codec at all, with a row or without."""
    return plain(codec) in _by_name() or plain(codec) in {plain(name) for name in _contents()[1]}


def names() -> list[str]:
    """Every name, as written in the data file."""
    rows, unrated = _contents()
    return sorted({name for listed in rows for name in listed.names} | set(unrated), key=str.upper)


def listed_rows() -> Iterator[Listed]:
    """Every row, in the order of the data file."""
    yield from _contents()[0]


def plain(codec: str) -> str:
    """A name without its case and punctuation: `G.729a` and `G729A` are one codec."""
    return _PUNCTUATION.sub("", codec).upper()


@cache
def _contents() -> tuple[tuple[Listed, ...], tuple[str, ...]]:
    content = json.loads(_FILE.read_text(encoding="utf-8"))
    rows = tuple(
        Listed(
            tuple(entry["names"]),
            entry.get("plc"),
            CodecRow(
                float(entry["ie"]),
                None if entry["bpl"] is None else float(entry["bpl"]),
                entry["scale"],
                entry["source"],
                entry["certainty"],
                entry.get("provisional", False),
            ),
        )
        for entry in content["rows"]
    )
    return rows, tuple(content["unrated"])


@cache
def _by_name() -> MappingProxyType[str, tuple[Listed, ...]]:
    index: dict[str, tuple[Listed, ...]] = {}
    for listed in _contents()[0]:
        for name in {plain(name) for name in listed.names}:
            index[name] = (*index.get(name, ()), listed)
    return MappingProxyType(index)
