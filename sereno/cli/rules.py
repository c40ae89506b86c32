"""`sereno rules render DIR`."""

from pathlib import Path
from typing import Annotated

import typer

from sereno.cli._render import render_into

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def _group() -> None:
    """Prometheus rules as code."""


@app.command()
def render(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the rule files go.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write the recording rules, ready for `rule_files` of Prometheus."""
    from deploy.prometheus.rules import render as render_rules

    render_into(folder, render_rules, as_json=as_json)
