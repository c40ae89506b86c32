"""Files that operators write: YAML with line numbers, validated whole.

Every fault is one line, `FILE:LINE: KEY: WHAT; HOW TO MEND`. Values under keys that may hold a secret are never shown.
"""

import difflib
import functools
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import yaml
from pydantic import BaseModel, ValidationError

from sereno.errors import ConfigError
from sereno.yamlwords import words

LIMIT_BYTES = 4_000_000
LIMIT_NODES = 200_000  # after aliases: a "billion laughs" file ends here
LIMIT_BITS = 64  # of a whole number
_MERGE_TAG = "tag:yaml.org,2002:merge"
_PLAIN_TAGS = {"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}
Where = tuple[str | int, ...]
M = TypeVar("M", bound=BaseModel)


class Document:
    """A parsed file: plain data, and the line on which each key or item stands."""

    def __init__(self, name: str, data: Any, lines: Mapping[Where, int]) -> None:
        self.name, self.data, self._lines = name, data, lines

    def line(self, where: Where) -> int:
        """The line of a key path, or of its nearest parent that stands in the file."""
        while where and where not in self._lines:
            where = where[:-1]
        return self._lines.get(where, 1)

    def fault(self, where: Where, what: str, mend: str) -> ConfigError:
        """The one-line error for a key path."""
        key = dotted(where)
        return ConfigError(f"{self.name}:{self.line(where)}", _clean(f"{key}: {what}" if key else what), _clean(mend))

    def refuse(self, faults: Iterable[ConfigError]) -> None:
        """Raises the first fault by line, saying how many more there are; nothing when there is none."""
        found = sorted(faults, key=lambda fault: int(fault.where.rsplit(":", 1)[1]))
        if found:
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            raise ConfigError(found[0].where, found[0].what, found[0].mend + more)

    def named(self, where: Where, kind: str, plural: str, name: str, names: Iterable[str]) -> Iterator[ConfigError]:
        """A fault if a reference names nothing in the file."""
        known = list(names)
        if name not in known:
            mend = f"{plural} are {', '.join(known)}{nearest(name, known)}" if known else f"this file has no {plural}"
            yield self.fault(where, f"no {kind} named {name}", mend)

    def zone(self, where: Where, name: str) -> Iterator[ConfigError]:
        """A fault if a text is no IANA time zone."""
        if name not in _zones():
            hint = nearest(name, _zones())
            yield self.fault(where, f"{name!r} is no time zone", f"write an IANA name such as America/Bogota{hint}")


@functools.cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _clean(text: str) -> str:
    """One line, whatever a file's keys hold."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def dotted(where: Iterable[str | int]) -> str:
    """`("sbcs", "sbc-1", "addresses", 0)` as `sbcs.sbc-1.addresses[0]`."""
    text = ""
    for part in where:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else str(part))
    return text


def nearest(word: str, known: Iterable[str]) -> str:
    """` (did you mean X?)`, or nothing where nothing or more than one is near."""
    close = difflib.get_close_matches(word[:64], sorted(known), n=2)
    ratios = [difflib.SequenceMatcher(None, word[:64], one).ratio() for one in close]
    sure = close and (len(close) == 1 or ratios[0] > ratios[1])
    return f" (did you mean {close[0]}?)" if sure else ""


def is_url(text: str, schemes: set[str]) -> bool:
    """A whole address with a host, of one of these schemes."""
    try:
        parts = urlsplit(text)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def read_document(path: Path) -> Document:
    """Parses a file; ConfigError when it cannot be read, is not UTF-8 or is not YAML of plain data."""
    name = _clean(str(path))
    try:
        with path.open("rb") as file:
            raw = file.read(LIMIT_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(name, "there is no such file", "name a file that exists") from None
    except IsADirectoryError:
        raise ConfigError(name, "is a directory", "name a YAML file in it") from None
    except PermissionError:
        raise ConfigError(name, "may not be read", "give this user permission to read it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no file has such a name"
        raise ConfigError(name, f"cannot be read ({reason.lower()})", "name a file that can be read") from None
    return parse_document(name, raw)


def parse_document(name: str, raw: bytes) -> Document:
    """The document in some bytes."""
    if len(raw) > LIMIT_BYTES:
        raise ConfigError(name, f"is larger than {LIMIT_BYTES} bytes", "name a configuration file")
    if b"\0" in raw:
        raise ConfigError(name, "is binary", "name a YAML file")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError(f"{name}:{line}", "is not UTF-8 text", "save it as UTF-8") from None
    node = _composed(name, text)
    if node is None:
        raise ConfigError(f"{name}:1", "is empty", "write its keys, as docs/configuration.md lists them")
    builder = _Builder(name)
    try:
        data = builder.build(node, ())
    except RecursionError:
        raise ConfigError(f"{name}:1", "is nested too deeply", "flatten it") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{name}:1", "is not a mapping", "write `key: value` lines")
    return Document(name, data, builder.lines)


def _composed(name: str, text: str) -> yaml.Node | None:
    """The tree of nodes; every complaint of the YAML library told in one line."""
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        reason = _clean(error.problem or "unreadable")
        raise ConfigError(f"{name}:{line}", f"is not YAML ({reason})", "mend the syntax there") from None
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise ConfigError(f"{name}:{line}", "holds a control character", "remove it") from None
    except (yaml.YAMLError, ValueError):
        raise ConfigError(f"{name}:1", "is not YAML", "mend the syntax") from None
    except RecursionError:
        raise ConfigError(f"{name}:1", "is nested too deeply", "flatten it") from None
    return node


class _Builder:
    """Turns YAML nodes into plain data, remembering lines; refuses duplicate keys and self-containing aliases."""

    def __init__(self, name: str) -> None:
        self.lines: dict[Where, int] = {(): 1}
        self._name = name
        self._open: set[int] = set()
        self._count = 0
        self._scalars = yaml.SafeLoader("")

    def _fault(self, node: yaml.Node, what: str, mend: str) -> ConfigError:
        return ConfigError(f"{self._name}:{node.start_mark.line + 1}", what, mend)

    def build(self, node: yaml.Node, where: Where) -> Any:
        self._count += 1
        if self._count > LIMIT_NODES or id(node) in self._open:
            raise self._fault(node, "aliases repeat without end", "write the values out")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if node.tag not in _PLAIN_TAGS:
            raise self._fault(node, f"{_clean(node.tag)} is not plain YAML", "remove the tag")
        self._open.add(id(node))
        try:
            return self._mapping(node, where) if isinstance(node, yaml.MappingNode) else self._sequence(node, where)
        finally:
            self._open.discard(id(node))

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        try:
            value = self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, OverflowError):
            raise self._fault(node, "a value cannot be read", "write it in quotes") from None
        if isinstance(value, int) and value.bit_length() > LIMIT_BITS:
            raise self._fault(node, "a number is too large", "write it in quotes if it is text")
        return value

    def _sequence(self, node: yaml.Node, where: Where) -> list[Any]:
        items = []
        for index, item in enumerate(node.value):
            self.lines[(*where, index)] = item.start_mark.line + 1
            items.append(self.build(item, (*where, index)))
        return items

    def _mapping(self, node: yaml.MappingNode, where: Where) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._fault(key_node, "a key is not plain text", "write `name: value`")
            if key_node.tag == _MERGE_TAG:
                for base in self._bases(value_node, where):
                    merged = {**base, **merged}
                continue
            key = key_node.value
            if key in found:
                first = self.lines[(*where, key)]
                raise self._fault(
                    key_node, f"{_clean(dotted((*where, key)))}: is already on line {first}", "keep one of the two"
                )
            self.lines[(*where, key)] = key_node.start_mark.line + 1
            found[key] = self.build(value_node, (*where, key))
        return {**merged, **found}

    def _bases(self, node: yaml.Node, where: Where) -> Iterator[dict[str, Any]]:
        """What `<<:` brings in; the first of several wins, and what is written out wins over all."""
        for base in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if not isinstance(base, yaml.MappingNode):
                raise self._fault(base, "`<<` takes a mapping", "name an anchor of one: `<<: *name`")
            yield self._without_lines(base, where)

    def _without_lines(self, base: yaml.MappingNode, where: Where) -> dict[str, Any]:
        """A merged mapping; its keys' lines are known only where the mapping does not write them out itself."""
        own, self.lines = self.lines, {}
        try:
            data: dict[str, Any] = self.build(base, where)
        finally:
            for place, line in self.lines.items():
                own.setdefault(place, line)
            self.lines = own
        return data


def validated(document: Document, model: type[M]) -> M:
    """The model of a document; ConfigError for the first fault by line."""
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        items = error.errors(include_url=False)
    document.refuse(_fault(document, model, dict(item)) for item in items if not _echo(dict(item), items))
    raise AssertionError  # a validation error holds at least one


def _echo(item: Mapping[str, Any], items: Iterable[Mapping[str, Any]]) -> bool:
    """A fault that only follows from another one.

    An item that does not fit makes pydantic call its list too short as well; a key written wrong is missing by its
    right name too.
    """
    where = item["loc"]
    if item["type"] == "too_short":
        return any(other["loc"] != where and other["loc"][: len(where)] == where for other in items)
    if item["type"] == "missing":
        unknown = [
            str(other["loc"][-1])
            for other in items
            if other["type"] == "extra_forbidden" and other["loc"][:-1] == where[:-1]
        ]
        return bool(difflib.get_close_matches(str(where[-1]), unknown, n=1))
    return False


def _fault(document: Document, model: type[BaseModel], item: dict[str, Any]) -> ConfigError:
    where = _written(document.data, item["loc"])
    tags = {part for part in item["loc"] if isinstance(part, str) and part.startswith("[")}
    return document.fault(where, *words(item, where, keys_at(model, where[:-1], tags)))


def _written(data: Any, loc: Iterable[str | int]) -> Where:
    """The part of a location that a person wrote: pydantic adds names of union members and functions of its own."""
    where: list[str | int] = []
    missing = False
    for part in loc:
        if isinstance(data, dict) and (part in data or not missing):
            if part in data:
                data = data[part]
            elif not isinstance(part, str) or "[" in part:
                continue
            else:
                missing = True
            where.append(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
            where.append(part)
    return tuple(where)


def keys_at(model: type[BaseModel], where: Where, tags: Collection[str] = ()) -> list[str]:
    """The keys that a model knows at a key path, as written in the file; `tags` say which of several it is there."""
    current: Any = model
    for part in where:
        current = _tagged(_inside(current, part), tags)
    if not (isinstance(current, type) and issubclass(current, BaseModel)):
        return []
    return [field.alias or name for name, field in current.model_fields.items()]


def _tagged(kind: Any, tags: Collection[str]) -> Any:
    """Of a union whose members bear tags in brackets, the member that is meant."""
    for member in getattr(kind, "__args__", ()):
        if any(getattr(mark, "tag", None) in tags for mark in getattr(member, "__metadata__", ())):
            return _unwrapped(member)
    return kind


def _inside(kind: Any, part: str | int) -> Any:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            if part == (field.alias or name):
                return _unwrapped(field.annotation)
        return None
    arguments = [a for a in getattr(kind, "__args__", ()) if a is not type(None) and a is not ...]
    return _unwrapped(arguments[-1]) if arguments else None


def _unwrapped(kind: Any) -> Any:
    """A type without Annotated and Optional."""
    while True:
        if hasattr(kind, "__metadata__"):
            kind = kind.__origin__
            continue
        arguments = getattr(kind, "__args__", ())
        if type(None) in arguments:
            kind = next(a for a in arguments if a is not type(None))
            continue
        return kind
