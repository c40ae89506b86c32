"""What `sereno backup` and `sereno restore` say while they work: one line on a terminal, written over and over."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sereno.store.backup import Told

_EVERY_SECONDS = 0.1


@contextmanager
def told() -> Iterator[Told]:
    """Says what is being done, on a terminal; nothing elsewhere."""
    shown_at, width = 0.0, 0

    def show(what: str, table: str, rows: int) -> None:
        nonlocal shown_at, width
        if not sys.stderr.isatty() or time.monotonic() - shown_at < _EVERY_SECONDS:
            return
        shown_at = time.monotonic()
        line = f"{what}: {table} {rows:,}"
        sys.stderr.write(f"\r{line:<{width}}")
        sys.stderr.flush()
        width = len(line)

    try:
        yield show
    finally:
        if width:
            sys.stderr.write(f"\r{'':<{width}}\r")
            sys.stderr.flush()
