"""`sereno rtp analyze`: captures in; JSON, a table, pictures and a report out."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from probes.media.analysis import Analysis, Wanted
from probes.media.capture import Progress
from probes.media.errors import CaptureError
from probes.media.printable import printable
from sereno.cli.rtp_options import Asked, checked

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

_WORTH_A_BAR = 64 << 20  # octets: smaller files are read before a bar could be seen
_UNREADABLE = 2


class Output(Protocol):
    """Something that is made of captures, one after the other."""

    def take(self, analysis: Analysis) -> None:
        """Take a capture that was read."""

    def close(self, files: list[dict[str, Any]]) -> None:
        """Every capture was taken; `files` tells of them all, those that could not be read too."""


def run(asked: Asked) -> None:
    """Analyse every file; SystemExit 2 at the end when one could not be read."""
    wanted = checked(asked)
    outputs = list(_outputs(asked, wanted))
    files: list[dict[str, Any]] = []
    for path in asked.files:
        try:
            with _progress(path) as progress:
                analysis = Analysis(path, wanted, progress, named=len(asked.files) > 1)
        except CaptureError as error:
            _say(str(error))
            files.append({"file": str(path), "error": str(error)})
            continue
        about = analysis.about()
        if about["warning"]:
            _say(about["warning"])
        files.append(about)
        for output in outputs:
            output.take(analysis)
    unreadable = sum(about["error"] is not None for about in files)
    if unreadable < len(files):
        for output in outputs:
            output.close(files)
    if unreadable:
        raise SystemExit(_UNREADABLE)


def _outputs(asked: Asked, wanted: Wanted) -> Iterator[Output]:
    if asked.as_json:
        yield Json()
    else:
        from sereno.cli.rtp_streams import Table

        yield Table()
    if asked.plot or asked.html:
        from sereno.cli.rtp_pictures import Pictures

        yield Pictures(asked, wanted)


class Json:
    """`{"streams":[…],"files":[…]}`, written as it is made."""

    def __init__(self) -> None:
        self._written = False

    def take(self, analysis: Analysis) -> None:
        """Write the streams of a capture."""
        out = sys.stdout.buffer
        twice = 0
        for index, piece in enumerate(analysis.pieces()):
            if not index:
                out.write(b"," if self._written else b'{"streams":[')
                self._written = True
            out.write(piece)
            # What SIP said is escaped: no quotation mark of it stands alone.
            twice += piece.count(b'"captured_twice":true')
        if twice:
            _say(
                f"{analysis.path}: {twice} of {analysis.count} streams were captured twice: "
                "capture on one interface only, to count no copies"
            )

    def close(self, files: list[dict[str, Any]]) -> None:
        """Write what the files were."""
        import json

        end = b"" if self._written else b'{"streams":['
        sys.stdout.buffer.write(end + b'],"files":' + json.dumps(files).encode() + b"}\n")


def _say(words: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"sereno: {printable(' '.join(words.split()))}\n")


@contextmanager
def _progress(path: Path) -> Iterator[Progress | None]:
    """A bar on a terminal for what takes a while; None otherwise."""
    size = path.stat().st_size if path.is_file() else None
    if not sys.stderr.isatty() or (size is not None and size < _WORTH_A_BAR):
        yield None
        return
    shown: Bar | None = None

    def told(offset: int) -> None:
        nonlocal shown
        if shown is None and offset >= _WORTH_A_BAR // 2:
            shown = _bar(path, size)
        if shown is not None:
            shown.update(shown.task_ids[0], completed=offset)

    try:
        yield told
    finally:
        if shown is not None:
            shown.stop()


def _bar(path: Path, size: int | None) -> "Bar":
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    name = "standard input" if str(path) == "-" else escape(path.name)
    columns = (
        TextColumn(name),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    bar.add_task(name, total=size)
    bar.start()
    return bar
