"""`sereno forensics`: what happened in a window, in order; what changed first; files for others to read."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sereno.clock import SystemClock, parse_instant
from sereno.errors import UsageError
from sereno.instance import open_store
from sereno.wire import CHECKS

if TYPE_CHECKING:
    from collector.forensics.case import Case
    from collector.forensics.correlate import Correlation
    from collector.forensics.entry import Entry
    from collector.forensics.export import Export

app = typer.Typer(add_completion=False)
_TOLD_SECONDS = 0.5
_WIDTH = 100


@app.command()
def forensics(  # noqa: PLR0917 - options, by name
    from_: Annotated[str | None, typer.Option("--from", help="Beginning, ISO 8601 with offset.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="End (not included).")] = None,
    path: Annotated[str | None, typer.Option("--path", help="One path, SBC/CORE.")] = None,
    sbc: Annotated[str | None, typer.Option("--sbc", help="One SBC: its edge, its natural view, its paths.")] = None,
    core: Annotated[str | None, typer.Option("--core", help="One core: the paths to it.")] = None,
    site: Annotated[str | None, typer.Option("--site", help="One site: its SBCs and their paths.")] = None,
    probe: Annotated[str | None, typer.Option("--probe", help="One probe: what it measured and said.")] = None,
    target: Annotated[str | None, typer.Option("--target", help="One portal, database or other name.")] = None,
    incident: Annotated[
        int | None, typer.Option("--incident", help="What an incident is about; its own window unless one is given.")
    ] = None,
    checks: Annotated[list[str] | None, typer.Option("--checks", help="Only these, with commas; repeatable.")] = None,
    only: Annotated[
        str | None, typer.Option("--only", help="changes: where a check began to say something else; failures.")
    ] = None,
    lang: Annotated[str, typer.Option("--lang", help="es or en.")] = "es",
    full: Annotated[bool, typer.Option("--full", help="Whole ladders and every second of calls.")] = False,
    export: Annotated[
        Path | None, typer.Option("--export", help="Also write everything into this new folder.", show_default=False)
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Directory of `sereno up`.", show_default=False)] = None,
    database: Annotated[
        str | None, typer.Option("--database", help="Database URL instead.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    ndjson: Annotated[bool, typer.Option("--ndjson", help="Print one JSON object per entry.")] = False,
) -> None:
    """Everything that happened in a window, as one timeline; what changed first, where, on which probes."""
    from collector.forensics.words import LANGUAGES
    from sereno.answers.cases import ONLY, Asked

    named = {"--path": path, "--sbc": sbc, "--core": core, "--site": site, "--probe": probe, "--target": target,
             "--incident": incident}  # fmt: skip
    given = [flag for flag, value in named.items() if value is not None]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} exclude each other; give one")
    if as_json and ndjson:
        raise UsageError("--json and --ndjson exclude each other; give one")
    if lang not in LANGUAGES:
        raise UsageError(f"--lang {lang}: no such language here: es or en")
    if only is not None and only not in ONLY:
        raise UsageError(f"--only {only}: write {' or '.join(ONLY)}")
    asked = Asked(
        from_us=_instant("--from", from_), to_us=_instant("--to", to), path=path, sbc=sbc, core=core, site=site,
        probe=probe, target=target, incident=incident, checks=_checks(checks), only=only,
    )  # fmt: skip
    store = open_store(data, database)
    try:
        with store.read() as connection:
            from collector.forensics.case import Case

            case = Case(connection, asked, SystemClock().now_us())
            progress = _Progress(case.from_us, case.to_us)
            found = case.correlation(progress)
            with _exporting(export, case, found) as exported:
                entries = progress.over(_through(case.timeline(), exported))
                if ndjson:
                    _print_lines(entries)
                elif as_json:
                    _print_document(case, found, entries)
                else:
                    _print_text(case, found, entries, lang, full=full)
        if exported is not None and not as_json and not ndjson:
            print(_exported(lang, case, export, exported.files))
    finally:
        store.dispose()


def _instant(flag: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_instant(text)
    except ValueError as error:
        raise UsageError(f"{flag}: {error}") from None


def _checks(given: list[str] | None) -> frozenset[str] | None:
    names = frozenset(name.strip() for text in given or () for name in text.split(",") if name.strip())
    for name in sorted(names):
        if name not in CHECKS:
            raise UsageError(f"--checks {name}: no such check; they are {', '.join(CHECKS)}")
    return names or None


def _exporting(folder: Path | None, case: "Case", found: "Correlation") -> "AbstractContextManager[Export | None]":
    if folder is None:
        return nullcontext()
    from collector.forensics.export import export_to

    return export_to(folder, case, found)


def _through(entries: "Iterator[Entry]", exported: "Export | None") -> "Iterator[Entry]":
    for entry in entries:
        if exported is not None:
            exported.take(entry)
        yield entry


def _print_lines(entries: "Iterator[Entry]") -> None:
    from collector.forensics.entry import as_json

    out = sys.stdout.buffer
    for entry in entries:
        out.write(as_json(entry) + b"\n")
    out.flush()


def _print_document(case: "Case", found: "Correlation", entries: "Iterator[Entry]") -> None:
    from collector.forensics.document import head, tail
    from collector.forensics.entry import as_json

    out = sys.stdout.buffer
    out.write(head(case, found))
    counts: dict[str, int] = {}
    for entry in entries:
        out.write((b",\n" if counts else b"\n") + as_json(entry))
        counts[entry.kind] = counts.get(entry.kind, 0) + 1
    out.write(tail(counts, case))
    out.flush()


def _print_text(case: "Case", found: "Correlation", entries: "Iterator[Entry]", lang: str, *, full: bool) -> None:
    from collector.forensics.text import Terminal
    from collector.forensics.words import Words

    tty = sys.stdout.isatty()
    width = int(os.environ.get("COLUMNS") or 0) if os.environ.get("COLUMNS", "").isdigit() else _WIDTH
    words = Words(lang, case.world.newest.timezone)
    terminal = Terminal(words, width=width or _WIDTH, colour=tty and "NO_COLOR" not in os.environ, full=full)
    for line in terminal.head(case, found):
        print(line)
    counts: dict[str, int] = {}
    for line in terminal.timeline(_counted(entries, counts)):
        print(line)
    for line in terminal.foot(case, counts):
        print(line)


def _counted(entries: "Iterator[Entry]", counts: dict[str, int]) -> "Iterator[Entry]":
    for entry in entries:
        word = f"{entry.kind}:{entry.what}" if entry.kind == "result" else entry.kind
        counts[word] = counts.get(word, 0) + 1
        yield entry


def _exported(lang: str, case: "Case", folder: Path | None, files: int) -> str:
    from collector.forensics.words import Words

    return Words(lang, case.world.newest.timezone)("Exported: {folder} ({files} files)", folder=folder, files=files)


class _Progress:
    """How far reading has come, on a terminal's standard error, when it takes longer than half a second."""

    def __init__(self, from_us: int, to_us: int) -> None:
        self._from_us, self._span = from_us, to_us - from_us
        self._next = time.monotonic() + _TOLD_SECONDS
        self._told = False
        self._tty = sys.stderr.isatty() and not sys.stdout.isatty()
        self._count = 0

    def __call__(self, at_us: int) -> None:
        self._count += 1
        if not self._tty or self._count % 256 or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _TOLD_SECONDS
        part = min(max((at_us - self._from_us) / self._span, 0.0), 1.0)
        sys.stderr.write(f"\r{part:5.0%} ")
        sys.stderr.flush()
        self._told = True

    def over(self, entries: "Iterator[Entry]") -> "Iterator[Entry]":
        """The entries, told of as they pass; the line is wiped at the end."""
        tell: Callable[[int], None] = self.__call__
        for entry in entries:
            tell(entry.at_us)
            yield entry
        if self._told:
            sys.stderr.write("\r      \r")
            sys.stderr.flush()
