"""`sereno report`: a month of a customer, or of a site, for its desk."""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sereno.clock import SystemClock
from sereno.errors import StoreError, UsageError

if TYPE_CHECKING:
    from dashboards.reports.model import Report
    from dashboards.reports.render import Edition, Format
    from sereno.store import Store

app = typer.Typer(add_completion=False)
_FORMATS, _EDITIONS, _LANGUAGES = ("pdf", "html", "xlsx", "csv", "json"), ("full", "executive"), ("es", "en")


@app.command()
def report(
    *,
    month: Annotated[str, typer.Option("--month", help="A calendar month, such as 2026-10, in the contract's zone.")],
    customer: Annotated[str | None, typer.Option("--customer", help="Whose month.", show_default=False)] = None,
    site: Annotated[str | None, typer.Option("--site", help="One of his sites instead.", show_default=False)] = None,
    form: Annotated[str, typer.Option("--format", help="pdf, html, xlsx, csv or json.")] = "pdf",
    output: Annotated[
        str | None, typer.Option("-o", "--output", help="The file; - is standard output.", show_default=False)
    ] = None,
    every: Annotated[
        Path | None, typer.Option("--all", metavar="DIR", help="Every customer's, into a folder.", show_default=False)
    ] = None,
    edition: Annotated[str, typer.Option("--edition", help="full, or executive: one page.")] = "full",
    language: Annotated[
        str | None, typer.Option("--language", help="es or en; else the customer's.", show_default=False)
    ] = None,
    link: Annotated[
        str | None, typer.Option("--link", help="Root of our pages, for links to evidence.", show_default=False)
    ] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who issues it.", show_default=False)] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Directory of `sereno up`.", show_default=False)] = None,
    database: Annotated[
        str | None, typer.Option("--database", help="Database URL instead.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON about what was written.")] = False,
) -> None:  # fmt: skip
    """Availability, service levels, voice quality: with verdict, evidence, method and hash."""
    _one_of("--format", form, _FORMATS)
    _one_of("--edition", edition, _EDITIONS)
    if language is not None:
        _one_of("--language", language, _LANGUAGES)
    _asked(customer, site, output, every, as_json)
    if form == "pdf":
        from dashboards.reports.pdf import ready

        ready()
    from sereno.instance import open_store

    store = open_store(data, database)
    try:
        press = _Press(store, month, form, edition, language, link, by)  # type: ignore[arg-type]  # of the lists above
        if every is not None:
            written = [press.make(name, None, None, every) for name in press.customers()]
        else:
            written = [press.make(customer, site, output, None)]
    finally:
        store.dispose()
    if as_json:
        print(json.dumps({"written": written}, ensure_ascii=False))
    elif output != "-":
        for one in written:
            print(one["file"])


def _asked(customer: str | None, site: str | None, output: str | None, every: Path | None, as_json: bool) -> None:
    """One thing is asked for, and can be given."""
    if every is not None and (customer is not None or site is not None or output is not None):
        raise UsageError("--all DIR is every customer's report, into DIR; leave out --customer, --site and -o")
    if every is None and customer is None and site is None:
        raise UsageError("whose month? give --customer NAME, --site NAME or --all DIR")
    if output == "-" and as_json:
        raise UsageError("-o - puts the report on standard output, where --json would stand; give a file")


def _one_of(option: str, word: str, known: tuple[str, ...]) -> None:
    from sereno.yamlfile import nearest

    if word not in known:
        raise UsageError(f"{option} {word!r}: is not known; write {', '.join(known)}{nearest(word, known)}")


class _Press:
    """Makes reports of one month in one form."""

    def __init__(
        self, store: "Store", month: str, form: "Format", edition: "Edition", language: str | None,
        link: str | None, by: str | None,
    ) -> None:  # fmt: skip
        self._store, self._month, self._form, self._edition = store, month, form, edition
        self._language, self._link, self._by = language, link.rstrip("/") if link is not None else None, by
        self._now_us = SystemClock().now_us()
        self._told = False

    def customers(self) -> list[str]:
        """Every customer of the newest topology."""
        from sereno.store.queries.ledger import in_force

        with self._store.read() as connection:
            known = in_force(connection)
        names = sorted(known[-1].topology.customers) if known else []
        if not names:
            raise UsageError("--all: the topology has no customer; give it one, or ask for --site")
        return names

    def make(self, customer: str | None, site: str | None, output: str | None, folder: Path | None) -> dict[str, Any]:
        """Writes one; what is to be said of it."""
        from dashboards.reports.render import filename, render
        from sereno.cli._garbage import put_off

        with put_off():
            found = self._built(customer, site)
            body = render(found, self._form, edition=self._edition, language=self._language, link=self._link)
        name = filename(found, self._form, self._edition, self._language)
        place = output or str(folder / name if folder is not None else Path(name))
        if place == "-":
            sys.stdout.buffer.write(body)
            sys.stdout.buffer.flush()
        else:
            _write(Path(place), body, folder)
        self._record(found)
        return {
            "file": place, "customer": found.customer, "site": found.site, "month": found.month, "format": self._form,
            "edition": self._edition, "over": found.over, "verdict": found.availability.verdict,
            "data_hash": found.data_hash,
        }  # fmt: skip

    def _built(self, customer: str | None, site: str | None) -> "Report":
        from dashboards.reports.build import build
        from sereno.cli._answers import answers_of
        from sereno.cli._progress import Progress

        with Progress(f"{customer or site}") as progress:
            return build(
                self._store, answers_of(self._store).availability, self._month, self._now_us, customer=customer,
                site=site, progress=progress,
            )  # fmt: skip

    def _record(self, found: "Report") -> None:
        """What left the house is kept; a store that cannot be written does not stop it, and that is said."""
        from dashboards.reports.words import words_of
        from sereno.cli._issuing import record

        try:
            record(self._store, found, self._edition, words_of(found, self._language).language, _who(self._by))
        except StoreError as error:
            if not self._told:
                sys.stderr.write(f"sereno: the report is made, and could not be recorded as issued: {error}\n")
            self._told = True


def _who(by: str | None) -> str:
    from sereno.cli._inbox import user

    return by or user()


def _write(path: Path, body: bytes, folder: Path | None) -> None:
    """The whole file or none of it."""
    try:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():  # a device, a pipe
            path.write_bytes(body)
            return
        descriptor, new = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(body)
            umask = os.umask(0)
            os.umask(umask)
            Path(new).chmod(0o666 & ~umask)
            Path(new).replace(path)
        except BaseException:
            Path(new).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; give a file that can be written with -o") from None
