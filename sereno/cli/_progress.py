"""How far a command that takes more than a second has come, on a terminal's standard error; silent elsewhere."""

import sys
import time
from typing import Self

_AFTER_SECONDS = 1.0
_EVERY_SECONDS = 0.2


class Progress:
    """`with Progress("days") as progress:` call it with a part of 1; the line is gone at the end."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._next = time.monotonic() + _AFTER_SECONDS
        self._shown = False

    def __call__(self, part: float) -> None:
        now = time.monotonic()
        if now < self._next or not sys.stderr.isatty():
            return
        self._next, self._shown = now + _EVERY_SECONDS, True
        sys.stderr.write(f"\r{self._what} {part:4.0%} ")
        sys.stderr.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
