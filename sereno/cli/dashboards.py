"""`sereno dashboards render|push`: the Grafana boards as files, or straight into a Grafana."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sereno.cli._render import render_into

if TYPE_CHECKING:
    from dashboards.grafana.push import Grafana
    from sereno.store import Store

app = typer.Typer(no_args_is_help=True, add_completion=False)

_DAY_MS = 86_400_000
_BACK_DAYS, _AHEAD_DAYS = 90, 400  # incidents that are over for longer are history; work is announced this far ahead
Language = Annotated[str, typer.Option("--language", metavar="es|en", help="The boards' language.")]
Pages = Annotated[str, typer.Option("--sereno", metavar="URL", help="Where people reach Sereno's own pages.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def _group() -> None:
    """Grafana boards as code."""


@app.command()
def render(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the boards' JSON goes.")],
    language: Language = "es", pages: Pages = "", as_json: AsJson = False,
) -> None:  # fmt: skip
    """Write every Grafana board as JSON, ready for file provisioning."""
    from dashboards.grafana import render as render_boards

    render_into(folder, lambda into: render_boards(into, _language(language), pages or None), as_json=as_json)


@app.command()
def push(
    *,
    url: Annotated[str, typer.Option("--url", metavar="URL", help="Grafana's address.", show_default=False)],
    token_file: Annotated[
        Path, typer.Option("--token-file", metavar="F", help="A file with a service account's token.")
    ],
    folder: Annotated[str, typer.Option("--folder", help="The boards' folder in Grafana.")] = "Sereno",
    datasource: Annotated[
        str | None,
        typer.Option("--datasource", help="Name of the Prometheus data source; else each person's choice."),
    ] = None,
    prometheus: Annotated[
        str | None, typer.Option("--prometheus", metavar="URL", help="Make or mend that data source with this address.")
    ] = None,
    language: Language = "es", pages: Pages = "",
    ca_file: Annotated[Path | None, typer.Option("--ca-file", help="Certificates to check Grafana's by.")] = None,
    annotations: Annotated[bool, typer.Option(help="Write incidents and maintenance as annotations.")] = True,
    data: Annotated[Path | None, typer.Option("--data", help="Directory of `sereno up`.", show_default=False)] = None,
    database: Annotated[
        str | None, typer.Option("--database", help="Database URL instead.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Bring boards, folder, data source and annotations of a Grafana into step; say it as often as you like."""
    from dashboards.grafana.frame import PAGES
    from dashboards.grafana.push import Grafana, Wanted
    from dashboards.grafana.push import push as push_boards
    from sereno.errors import UsageError

    if prometheus is not None and datasource is None:
        raise UsageError("--prometheus: give --datasource NAME too, the name that it has in Grafana")
    wanted = Wanted(folder, _language(language), (pages or PAGES).rstrip("/"), datasource, prometheus)
    grafana = Grafana(url, _token(token_file), ca_file)
    store = _store(data, database) if annotations else None
    try:
        said = _quiet if as_json else print
        told = push_boards(grafana, wanted, said)
        told["annotations"] = _marks(grafana, store, wanted.pages) if store is not None else None
    finally:
        if store is not None:
            store.dispose()
    if as_json:
        print(json.dumps(told, ensure_ascii=False))
        return
    if told["annotations"] is not None:
        print("annotations: " + ", ".join(f"{count} {what}" for what, count in told["annotations"].items()))
    elif annotations:
        typer.echo("annotations: left alone, there is no store here; give --data or --database", err=True)


def _marks(grafana: "Grafana", store: "Store", pages: str) -> dict[str, int]:
    """Incidents and maintenance of the store, written into Grafana."""
    from dashboards.grafana.marks import of_incidents, of_maintenance
    from sereno.clock import SystemClock
    from sereno.store.desk import windows
    from sereno.store.queries.marks import incidents_since, service

    now_ms = SystemClock().now_us() // 1_000
    from_ms = now_ms - _BACK_DAYS * _DAY_MS
    with store.read() as connection:
        name = service(connection)
        incidents = incidents_since(connection, from_ms * 1_000)
        works = [one for one in windows(connection) if one.to_us >= from_ms * 1_000]
    wanted = [*of_incidents(incidents, name, pages), *of_maintenance(works, name, pages)]
    oldest = min([from_ms, *(one.from_ms for one in wanted)])
    return grafana.marks(wanted, oldest, now_ms + _AHEAD_DAYS * _DAY_MS)


def _store(data: Path | None, database: str | None) -> "Store | None":
    """The store that was named; the usual one where there is one, else none."""
    from sereno.errors import SerenoError
    from sereno.instance import open_store

    try:
        return open_store(data, database)
    except SerenoError:
        if data is not None or database is not None:
            raise
        return None


def _token(file: Path) -> str:
    from sereno.errors import UsageError

    try:
        token = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UsageError(f"--token-file {file}: {error.strerror}; give a file that can be read") from None
    except UnicodeDecodeError:
        raise UsageError(f"--token-file {file}: is no text; put the token alone into it") from None
    if not token or len(token.split()) != 1 or not token.isascii():
        raise UsageError(f"--token-file {file}: does not hold one token; put the token alone into it")
    return token


def _language(given: str) -> str:
    from dashboards.grafana import LANGUAGES
    from sereno.errors import UsageError

    if given not in LANGUAGES:
        raise UsageError(f"--language {given}: give {' or '.join(LANGUAGES)}")
    return given


def _quiet(_: Any) -> None:
    """Nothing is said on the way: the JSON at the end says all of it."""
