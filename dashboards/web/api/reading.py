"""Requests read strictly: what is not declared, not of its type or too much is refused by name, nothing is guessed."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request

from dashboards.web.api.once import FORM
from dashboards.web.api.operation import Operation
from dashboards.web.api.shape import END, IN_WORDS, INSTANT, LARGEST
from dashboards.web.bounded import body
from dashboards.web.refusal import Refused

_PLACE = re.compile(r" - at `\$?\.?([^`]*)`$")
_LONGEST_LIST = 50
_LONGEST_TEXT = 64 * 1024  # characters; what is longer is no text of a person
_DEEPEST = 20  # lists and objects in one another; nothing that is declared comes near it


def in_path(operation: Operation, request: Request) -> Any:
    """The path's parameters; 404 where nothing can be called so."""
    try:
        return msgspec.convert(dict(request.path_params), operation.in_path, strict=False)
    except msgspec.ValidationError:
        said = ", ".join(str(value)[:80] for value in request.path_params.values())
        raise Refused(404, f"there is no such thing: {said}") from None


def in_query(operation: Operation, request: Request) -> Any:
    """The query's parameters; a parameter that is a list may be repeated."""
    declared = {field.encode_name: field for field in msgspec.structs.fields(operation.in_query)}
    given: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        if name not in declared:
            known = f"there are {', '.join(declared)}" if declared else "there are none here"
            raise Refused(operation.malformed, f"{name[:40]!r} is no parameter of this; {known}")
        if _is_list(declared[name].type):
            given.setdefault(name, []).append(value)
            if len(given[name]) > _LONGEST_LIST:
                raise Refused(operation.malformed, f"{name!r} comes more than {_LONGEST_LIST} times")
        elif name in given:
            raise Refused(operation.malformed, f"{name!r} comes twice")
        else:
            given[name] = value
    return _shaped(given, operation.in_query, operation.malformed)


async def in_body(operation: Operation, request: Request) -> Any:
    """The body: JSON by its own word and no larger than declared; nothing at all is an empty object."""
    if operation.body is None:
        return None
    once = request.headers.get("idempotency-key")
    if once is not None and FORM.fullmatch(once) is None:
        raise Refused(operation.malformed, "Idempotency-Key has 1 to 100 signs of ASCII, and no blanks")
    raw = await body(request, operation.most_bytes)
    if operation.body is bytes:
        return raw
    try:
        found = msgspec.json.decode(raw or b"{}")
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Refused(operation.malformed, f"not JSON: {error}") from None
    if not isinstance(found, dict):
        raise Refused(operation.malformed, "not a JSON object")
    known = [field.encode_name for field in msgspec.structs.fields(operation.body)]
    for name in found:
        if name not in known:
            raise Refused(operation.malformed, f"{name[:40]!r} says nothing here; known are {', '.join(sorted(known))}")
    try:
        taken = _storable(found)
    except RecursionError:
        raise Refused(operation.malformed, f"lists and objects are more than {_DEEPEST} deep in one another") from None
    return _shaped(taken, operation.body, operation.malformed, strict=True)


def _shaped(given: Mapping[str, Any], shape: Any, status: int, *, strict: bool = False) -> Any:
    try:
        return msgspec.convert(given, shape, strict=strict)
    except msgspec.ValidationError as error:
        raise Refused(status, _said(str(error))) from None


def _said(error: str) -> str:
    """Msgspec's words with the name first."""
    place = _PLACE.search(error)
    words = _PLACE.sub("", error).replace("`", "")
    for pattern, meant in IN_WORDS.items():
        words = words.replace(f"str matching regex {pattern!r}", meant)
    words = words.replace(repr(END)[1:-1], "$")
    if place is None:
        return words
    hint = " (in a URL a + is written %2B)" if IN_WORDS[INSTANT] in words else ""
    return f"{place[1]}: {words[:1].lower()}{words[1:]}{hint}"[:600]


def _storable(value: Any, deep: int = 0) -> Any:
    """Without the one sign that no database keeps in a text; 3.0 is the whole number that it is in JSON."""
    if deep > _DEEPEST:
        raise RecursionError
    if isinstance(value, str):
        if len(value) > _LONGEST_TEXT:
            raise Refused(413, f"a text of over {_LONGEST_TEXT} characters")
        return value.replace("\x00", "�")
    if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST:
        return int(value)
    if isinstance(value, list):
        return [_storable(each, deep + 1) for each in value]
    if isinstance(value, dict):
        return {key: _storable(each, deep + 1) for key, each in value.items()}
    return value


def _is_list(kind: Any) -> bool:
    origin = getattr(kind, "__origin__", None)
    return origin in {tuple, list} or any(_is_list(each) for each in getattr(kind, "__args__", ()) if each is not kind)
