"""The child that writes a window of forensics into a file (dashboards/web/forensics/exports.py)."""

import os
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from dashboards.web.forensics.exports import Order, Step
from sereno.cli import fail
from sereno.errors import SerenoError

if TYPE_CHECKING:
    from collector.forensics.case import Case
    from collector.forensics.correlate import Correlation
    from collector.forensics.entry import Entry

_NICE = 10  # the watch goes first
_TOLD_SECONDS = 0.2


def main() -> None:
    """One order."""
    os.nice(_NICE)
    try:
        made = _made(msgspec.json.decode(sys.stdin.buffer.read(), type=Order))
    except SerenoError as error:
        fail(str(error), error.exit_code)
    except Exception as error:  # noqa: BLE001  # whoever asked shows one line, whatever a library raised
        fail(f"the window could not be written: {type(error).__name__}: {error}", 1)
    _say(Step(done=1.0, file=str(made)))


def _made(order: Order) -> Path:
    from collector.forensics.case import Case
    from sereno.clock import SystemClock
    from sereno.store import open_database

    store = open_database(order.store)
    try:
        with store.read() as connection:
            case = Case(connection, order.asked, SystemClock().now_us())
            found = case.correlation()
            folder = Path(order.folder)
            return _document(case, found, folder) if order.form == "json" else _archive(case, found, folder)
    finally:
        store.dispose()


def _document(case: "Case", found: "Correlation", folder: Path) -> Path:
    from collector.forensics.document import head, tail
    from collector.forensics.entry import as_json

    path, counts = folder / "forensics.json", dict[str, int]()
    with path.open("wb") as file:
        file.write(head(case, found))
        for entry in _told(case):
            file.write((b",\n" if counts else b"\n") + as_json(entry))
            counts[entry.kind] = counts.get(entry.kind, 0) + 1
        file.write(tail(counts, case))
    return path


def _archive(case: "Case", found: "Correlation", folder: Path) -> Path:
    from collector.forensics.export import export_to

    whole = folder / "sereno-forensics"
    with export_to(whole, case, found) as export:
        for entry in _told(case):
            export.take(entry)
    path = folder / "forensics.zip"
    with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as archive:
        for each in sorted(whole.iterdir()):
            archive.write(each, f"sereno-forensics/{each.name}")
    return path


def _told(case: "Case") -> "Iterator[Entry]":
    """The timeline; how far it has come is said now and then."""
    span, due = case.to_us - case.from_us, time.monotonic() + _TOLD_SECONDS
    for number, entry in enumerate(case.timeline()):
        if number % 256 == 0 and time.monotonic() > due:
            due = time.monotonic() + _TOLD_SECONDS
            _say(Step(done=min(max((entry.at_us - case.from_us) / span, 0.0), 0.99)))
        yield entry


def _say(step: Step) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(step) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
