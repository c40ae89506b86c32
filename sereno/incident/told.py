"""The timeline's lines, which are kept in the desk's language, as a reader of another one sees them; and their sorts.

A line is recognised by the message that it was made of. What people wrote themselves stays as they wrote it.
"""

import functools
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from sereno.i18n import catalogue, messages
from sereno.incident.titles import TITLES

Sort = Literal["notice", "customer"]
_ROOM, _KEPT_IN = "alerting", "es"
_LEAST = 4  # letters of its own that a message must have to be recognised by them
_DEEPEST = 3  # lines within lines: a title in "opened: …"
_FIELD = re.compile(r"\\\{(\w+)\\\}")
_BARE = re.compile(r"\{\w+\}")
_SORTS: tuple[tuple[Sort, tuple[str, ...]], ...] = (
    ("customer", ("customer told of ", "customer asked", "answer of ", "survey: ", "the customer confirms")),
    ("notice", (
        "told ", "handed to ", "delivery to ", "not sent to ", "nobody told", "nobody is woken", "asked again: ",
        "escalated to: ", "warned of ", "{level} did not acknowledge", "from the first level again",
        "{level} is closed",
        "no level is manned", "{person} cannot be reached", "a page was due", "nobody was called",
    )),
)  # fmt: skip


class _Pattern(NamedTuple):
    """How a message looks as it is kept."""

    message: str
    looks: re.Pattern[str]
    letters: int


def told(line: str, language: str) -> tuple[str, bool]:
    """The line in a language, and whether all of it is in that language."""
    short = language.partition("_")[0]
    return (line, True) if short == _KEPT_IN else _told(line, short, _DEEPEST)


def sort_of(line: str) -> Sort | None:
    """What kind of thing a line tells of, where the words say it: who was told, or what passed with the customer."""
    found = _found(line)
    if found is None:
        return None
    return next((sort for sort, heads in _SORTS if found[0].startswith(heads)), None)


def made_of(line: str) -> tuple[str, dict[str, str]] | None:
    """The English message that a line was made of, and its values; None where people wrote it."""
    return _found(line)


def finding(kind: str, what: str, name: str, language: str) -> str:
    """What was found of an element, as a sentence: that of an incident about it."""
    title = TITLES.get((kind, what))
    if title is None:
        return f"{kind} {name}: {worded('finding', what, language)}"
    return catalogue(_ROOM, language.partition("_")[0]).gettext(title).format(name=name)


def worded(kind: str, code: str, language: str) -> str:
    """A reason or a finding in words, as the collector's forensics have them; one that has none with blanks."""
    key = f"{kind}:{code}"
    found = catalogue("collector", language.partition("_")[0]).gettext(key)
    return code.replace("_", " ") if found == key else found


def _told(line: str, language: str, depth: int) -> tuple[str, bool]:
    found = _found(line) if depth else None
    if found is not None:
        message, values = found
        return _said(message, values, language, depth), True
    head, colon, note = line.partition(": ")  # an act with the note that came with it
    begun = _found(head) if colon and depth else None
    if begun is None:
        return line, False
    return f"{_said(*begun, language, depth)}: {note}", True


def _said(message: str, values: dict[str, str], language: str, depth: int) -> str:
    inner = {name: _told(value, language, depth - 1)[0] for name, value in values.items()}
    return catalogue(_ROOM, language).gettext(message).format(**inner)


def _found(line: str) -> tuple[str, dict[str, str]] | None:
    """The message that a line was made of, and its values."""
    for one in _patterns():
        matched = one.looks.fullmatch(line)
        if matched is not None:
            return one.message, matched.groupdict()
    return None


@functools.cache
def _patterns() -> tuple[_Pattern, ...]:
    """Those with most letters of their own first: they are the surest."""
    return tuple(sorted(_every(), key=lambda one: (-one.letters, one.message)))


def _every() -> Iterator[_Pattern]:
    for message, kept in messages(_ROOM, _KEPT_IN):
        letters = sum(letter.isalpha() for letter in _BARE.sub("", kept))
        names = _FIELD.findall(re.escape(kept))
        if letters < _LEAST or len(set(names)) != len(names):
            continue
        yield _Pattern(message, re.compile(_FIELD.sub(r"(?P<\1>.+?)", re.escape(kept)), re.DOTALL), letters)


__all__ = ["Sort", "finding", "made_of", "sort_of", "told", "worded"]
