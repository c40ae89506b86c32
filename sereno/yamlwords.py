"""What a shape's fault is called in words fit for an operator: what is wrong, and how to mend it."""

import difflib
from collections.abc import Sequence
from typing import Any

_SHOWN_LENGTH = 60
# Keys under which a credential may stand.
_NEVER_SHOWN = {"password", "secret", "dsn", "webhook", "smtp", "token", "contacts", "icalendar"}


def words(item: dict[str, Any], where: tuple[str | int, ...], known: Sequence[str]) -> tuple[str, str]:
    """(what, mend) of one of pydantic's errors at a key path; `known` are the keys that may stand there."""
    kind = str(item["type"])
    if kind == "extra_forbidden":
        return "unknown key", _keys(str(where[-1]) if where else "", known)
    if kind == "missing" and isinstance(item["loc"][-1], int):
        return "is too short", f"write at least {item['loc'][-1] + 1} items"
    if kind == "missing":
        return "is missing", f"add `{where[-1] if where else ''}:`"
    if kind == "value_error":
        return _own(item)
    shown = _shown(item["input"], where)
    for begins, (what, mend) in _FAULTS.items():
        if kind.startswith(begins):
            context = {"limit": _limit(item), "expected": item.get("ctx", {}).get("expected", "")}
            return what.format(shown=shown), mend.format(**context)
    return f"{shown} does not fit", "docs/configuration.md says what does"


_FAULTS = {
    "literal_error": ("{shown} is none of its values", "write {expected}"),
    "string_pattern_mismatch": ("{shown} is no name", "use letters, digits, dot, dash and underscore, 64 at most"),
    "string_type": ("{shown} is not text", "write text, in quotes if it looks like a number or a date"),
    "model_": ("is not a section", "write its keys below it"),
    "dict_type": ("is not a section", "write names below it"),
    "tuple_type": ("is not a list", "write it in [brackets]"),
    "list_type": ("is not a list", "write it in [brackets]"),
    "too_short": ("is empty", "write at least one"),
    "too_long": ("has too many items", "leave some out"),
    "float_": ("{shown} is not a number", "write a number"),
    "int_": ("{shown} is not a whole number", "write a whole number"),
    "bool_": ("{shown} is neither true nor false", "write true or false"),
    "date_": ("{shown} is not a date", "write it as 2026-01-31"),
    "greater_than": ("{shown} is too small", "write {limit}"),
    "less_than": ("{shown} is too large", "write {limit}"),
    "finite_number": ("{shown} is not a number", "write a number"),
}
_LIMITS = {"gt": "more than {}", "ge": "{} or more", "lt": "less than {}", "le": "{} or less"}


def _limit(item: dict[str, Any]) -> str:
    context = item.get("ctx", {})
    return next((text.format(context[key]) for key, text in _LIMITS.items() if key in context), "another")


def _own(item: dict[str, Any]) -> tuple[str, str]:
    """A fault that our own validators put as `what: mend`."""
    text = str(item.get("ctx", {}).get("error", item["msg"]))
    what, _, mend = text.rpartition(": write ")
    if what:
        return what, f"write {mend}"
    what, _, mend = text.rpartition(": ")
    return (what, mend) if what else (mend, "docs/configuration.md says what fits")


def _keys(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word[:64], known, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"remove it; its section knows {', '.join(known)}" if known else "remove it"


def _shown(value: object, where: tuple[str | int, ...]) -> str:
    """A value as it may be shown: short, never a whole section, never what may be a secret."""
    if _NEVER_SHOWN.intersection(str(part) for part in where):
        return "what is written there"
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a section"
    if isinstance(value, list | tuple):
        return "a list"
    text = repr(str(value) if not isinstance(value, str | bytes | int | float) else value)
    return text if len(text) <= _SHOWN_LENGTH else text[: _SHOWN_LENGTH - 1] + "…"
