"""Files that operators write: YAML with line numbers, validated whole.

Every fault is one line, `FILE:LINE: WHAT; HOW TO MEND`.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from sereno.errors import ConfigError

LIMIT_BYTES = 4_000_000
_SHOWN_LENGTH = 60
LIMIT_NODES = 200_000  # after aliases: a "billion laughs" file ends here
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
        return ConfigError(f"{self.name}:{self.line(where)}", f"{key}: {what}" if key else what, mend)


def dotted(where: Iterable[str | int]) -> str:
    """`("sbcs", "sbc-1", "addresses", 0)` as `sbcs.sbc-1.addresses[0]`."""
    text = ""
    for part in where:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else str(part))
    return text


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean X?` in words fit for the end of a fault, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f", did you mean {close[0]}?" if close else ""


def read_document(path: Path) -> Document:
    """Parses a file; ConfigError when it cannot be read, is not UTF-8 or is not YAML of plain data."""
    name = str(path)
    try:
        if path.is_dir():
            raise ConfigError(name, "is a directory", "name a YAML file")
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(name, (error.strerror or "cannot be read").lower(), "name a file that can be read") from None
    return parse_document(name, raw)


def parse_document(name: str, raw: bytes) -> Document:
    """The document in some bytes."""
    if len(raw) > LIMIT_BYTES:
        raise ConfigError(name, f"is larger than {LIMIT_BYTES} bytes", "split it")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError(f"{name}:{line}", "is not UTF-8 text", "save it as UTF-8") from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ConfigError(f"{name}:{line}", f"is not YAML: {error.problem}", "mend the syntax there") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        words = " ".join(str(error).split())[:120]
        raise ConfigError(f"{name}:1", f"is not YAML: {words}", "mend the syntax") from None
    if node is None:
        raise ConfigError(f"{name}:1", "is empty", "write its sections; see docs/configuration.md")
    builder = _Builder(name)
    try:
        data = builder.build(node, ())
    except RecursionError:
        raise ConfigError(f"{name}:1", "is nested too deeply", "flatten it") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{name}:1", "is not a mapping", "begin with keys such as `service:` or `contract:`")
    return Document(name, data, builder.lines)


class _Builder:
    """Turns YAML nodes into plain data, remembering lines; refuses duplicate keys and self-containing aliases."""

    def __init__(self, name: str) -> None:
        self.lines: dict[Where, int] = {(): 1}
        self._name = name
        self._open: set[int] = set()
        self._count = 0
        self._scalars = yaml.SafeLoader("")

    def build(self, node: yaml.Node, where: Where) -> Any:
        self._count += 1
        line = node.start_mark.line + 1
        if self._count > LIMIT_NODES or id(node) in self._open:
            raise ConfigError(f"{self._name}:{line}", "aliases expand without end", "write the values out")
        if isinstance(node, yaml.ScalarNode):
            try:
                return self._scalars.construct_object(node)
            except (yaml.YAMLError, ValueError, OverflowError):
                raise ConfigError(
                    f"{self._name}:{line}", f"{node.value[:40]!r} is not a value that can be read", "quote it"
                ) from None
        self._open.add(id(node))
        try:
            return self._mapping(node, where) if isinstance(node, yaml.MappingNode) else self._sequence(node, where)
        finally:
            self._open.discard(id(node))

    def _sequence(self, node: yaml.Node, where: Where) -> list[Any]:
        items = []
        for index, item in enumerate(node.value):
            self.lines[(*where, index)] = item.start_mark.line + 1
            items.append(self.build(item, (*where, index)))
        return items

    def _mapping(self, node: yaml.MappingNode, where: Where) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                raise ConfigError(f"{self._name}:{line}", "a key is not plain text", "write `name: value`")
            if key in found:
                raise ConfigError(
                    f"{self._name}:{line}", f"{dotted((*where, key))}: is written twice", "keep one of the two"
                )
            self.lines[(*where, key)] = line
            found[key] = self.build(value_node, (*where, key))
        return found


def validated(document: Document, model: type[M]) -> M:
    """The model of a document; ConfigError for the first fault by line, naming how many more there are."""
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        faults = sorted(
            (_fault(document, model, dict(item)) for item in error.errors(include_url=False)),
            key=lambda fault: int(fault.where.rsplit(":", 1)[1]),
        )
    first = faults[0]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    raise ConfigError(first.where, first.what, first.mend + more)


def _fault(document: Document, model: type[BaseModel], item: dict[str, Any]) -> ConfigError:
    where = tuple(part for part in item["loc"] if not _internal(part))
    for kind, words in _WORDS.items():
        if item["type"].startswith(kind):
            what, mend = words(item, where, model)
            return document.fault(where, what, mend)
    return document.fault(where, _lower(item["msg"]), "see docs/configuration.md")


def _internal(part: str | int) -> bool:
    """Pydantic names union members and functions in a location; a person never wrote them."""
    return isinstance(part, str) and ("[" in part or part in {"str", "int", "float", "tuple", "nullable"})


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _extra(_item: dict[str, Any], where: Where, model: type[BaseModel]) -> tuple[str, str]:
    known = keys_at(model, where[:-1])
    listed = ", ".join(sorted(known))
    return "unknown key", f"remove it{nearest(str(where[-1]), known)}" + (f" (known: {listed})" if listed else "")


def _value(item: dict[str, Any], where: Where, model: type[BaseModel]) -> tuple[str, str]:
    del where, model
    error = item.get("ctx", {}).get("error")
    what, _, mend = str(error).partition(": ") if error else (item["msg"], "", "")
    return what, mend or "correct the value"


_Words = Callable[[dict[str, Any], Where, type[BaseModel]], tuple[str, str]]
_WORDS: dict[str, _Words] = {
    "extra_forbidden": _extra,
    "missing": lambda _i, w, _m: ("is missing", f"add `{w[-1] if w else ''}:`"),
    "value_error": _value,
    "literal_error": lambda i, _w, _m: (f"{_shown(i['input'])} is not allowed", f"write {i['ctx']['expected']}"),
    "string_pattern_mismatch": lambda i, _w, _m: (
        f"{_shown(i['input'])} is not a name",
        "use letters, digits, dot, dash and underscore",
    ),
    "string_type": lambda i, _w, _m: (f"{_shown(i['input'])} is not text", "write it in quotes"),
    "model_type": lambda i, _w, _m: (f"{_shown(i['input'])} is not a section", "write keys below it"),
    "model_attributes_type": lambda i, _w, _m: (f"{_shown(i['input'])} is not a section", "write keys below it"),
    "dict_type": lambda i, _w, _m: (f"{_shown(i['input'])} is not a section", "write names below it"),
    "tuple_type": lambda i, _w, _m: (f"{_shown(i['input'])} is not a list", "write it in [brackets]"),
    "list_type": lambda i, _w, _m: (f"{_shown(i['input'])} is not a list", "write it in [brackets]"),
    "too_short": lambda _i, _w, _m: ("is empty", "name at least one"),
    "float_": lambda i, _w, _m: (f"{_shown(i['input'])} is not a number", "write a number"),
    "int_": lambda i, _w, _m: (f"{_shown(i['input'])} is not a whole number", "write a whole number"),
    "bool_": lambda i, _w, _m: (f"{_shown(i['input'])} is not true or false", "write true or false"),
    "date_": lambda i, _w, _m: (f"{_shown(i['input'])} is not a date", "write it as 2026-01-31"),
    "greater_than": lambda i, _w, _m: (f"{_shown(i['input'])} is too small", f"write more than {_bound(i)}"),
    "less_than": lambda i, _w, _m: (f"{_shown(i['input'])} is too large", f"write less than {_bound(i)}"),
}


def _bound(item: dict[str, Any]) -> object:
    return next((value for key, value in item.get("ctx", {}).items() if key in {"gt", "ge", "lt", "le"}), "the limit")


def _shown(value: object) -> str:
    """A value as it may be shown: short, and never a whole section (it might hold a secret)."""
    if isinstance(value, dict | list | tuple):
        return "a section" if isinstance(value, dict) else "a list"
    if value is None:
        return "an empty value"
    text = repr(value)
    return text if len(text) <= _SHOWN_LENGTH else text[: _SHOWN_LENGTH - 1] + "…"


def keys_at(model: type[BaseModel], where: Where) -> set[str]:
    """The keys that a model knows at a key path (aliases as written in the file)."""
    current: Any = model
    for part in where:
        current = _inside(current, part)
        if current is None:
            return set()
    if not (isinstance(current, type) and issubclass(current, BaseModel)):
        return set()
    return {field.alias or name for name, field in current.model_fields.items()}


def _inside(kind: Any, part: str | int) -> Any:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            if part in (field.alias or name, name):
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
