"""What the doctor says: a finding is a state, what was seen where, and how to mend it; the words are English ids."""

from collections.abc import Callable, Iterable
from typing import Any, Literal

import msgspec

from sereno.errors import SerenoError
from sereno.i18n import catalogue

State = Literal["ok", "warning", "broken", "unknown"]
STATES: tuple[State, ...] = ("broken", "warning", "unknown", "ok")  # the worst first
KINDS = frozenset({"account", "channel", "customer", "path", "person", "probe", "sbc"})  # of `where`
GLYPHS: dict[State, str] = {"ok": "✓", "warning": "▲", "broken": "✕", "unknown": "?"}


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """`what` and `mend` are messages with places for `values`; `about` is the question that it answers.

    `optional`: an unknown that leaves nothing undecided (a Prometheus that nobody named).
    """

    state: State
    what: str
    mend: str = ""
    values: dict[str, str] = {}
    where: str = ""
    about: str = ""
    optional: bool = False

    def told(self, language: str) -> str:
        """What was seen."""
        return say(language, self.what, **self.values)

    def placed(self, language: str) -> str:
        """Where it is: a file or an address as it is, an element with its kind in words."""
        kind, _, name = self.where.partition(" ")
        return say(language, f"{kind} {{name}}", name=name) if name and kind in KINDS else self.where

    def mended(self, language: str) -> str:
        """What to do about it; empty where there is nothing to do."""
        return say(language, self.mend, **self.values) if self.mend else ""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to find out: `look(patient)` brings the facts, `judge(facts)` says what they mean.

    No finding at all means that the question does not arise here (no mail is sent, no call is made).
    """

    name: str
    title: str
    look: Callable[..., Any]
    judge: Callable[..., Iterable[Finding]]


class CannotLookError(SerenoError):
    """The facts cannot be had; `what` says why and `mend` how they could be. The same `what` is told once."""

    def __init__(self, what: str, mend: str = "", /, *, optional: bool = False, **values: str) -> None:
        self.what, self.mend, self.optional, self.values = what, mend, optional, values
        super().__init__(what.format(**values))


def ok(what: str, where: str = "", /, **values: object) -> Finding:
    """It was looked at and it is well."""
    return _finding("ok", what, "", where, values)


def warning(what: str, mend: str, where: str = "", /, **values: object) -> Finding:
    """It works, and will not for ever or not for everybody."""
    return _finding("warning", what, mend, where, values)


def broken(what: str, mend: str, where: str = "", /, **values: object) -> Finding:
    """It does not work."""
    return _finding("broken", what, mend, where, values)


def unknown(what: str, mend: str = "", where: str = "", /, *, optional: bool = False, **values: object) -> Finding:
    """It could not be looked at."""
    return msgspec.structs.replace(_finding("unknown", what, mend, where, values), optional=optional)


def _finding(state: State, what: str, mend: str, where: str, values: dict[str, object]) -> Finding:
    plain = {name: _plain(str(value)) for name, value in values.items()}
    return Finding(state=state, what=what, mend=mend, values=plain, where=_plain(where))


def _plain(text: str) -> str:
    """One printable line."""
    return "".join(one if one.isprintable() else "�" for one in " ".join(text.split()))


def say(language: str, message: str, /, **values: str) -> str:
    """A message in a language, with its values."""
    return catalogue("sereno", language).gettext(message).format(**values)
