"""`sereno dashboards render DIR`."""

from pathlib import Path
from typing import Annotated

import typer

from sereno.cli._render import render_into

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def _group() -> None:
    """Grafana boards as code."""


@app.command()
def render(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the boards' JSON goes.")],
    language: Annotated[str, typer.Option(metavar="es|en", help="The boards' language.")] = "es",
    pages: Annotated[str, typer.Option("--sereno", metavar="URL", help="Where Sereno's own pages are.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write every Grafana board as JSON, ready for file provisioning."""
    from dashboards.grafana import render as render_boards

    render_into(folder, lambda into: render_boards(into, _language(language), pages or None), as_json=as_json)


def _language(given: str) -> str:
    from dashboards.grafana import LANGUAGES
    from sereno.errors import UsageError

    if given not in LANGUAGES:
        raise UsageError(f"--language {given}: give {' or '.join(LANGUAGES)}")
    return given
