"""`sereno rules render DIR`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from sereno.errors import UsageError

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

    try:
        written = render_rules(folder)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}; give a folder that can be written") from None
    if as_json:
        print(json.dumps({"written": [str(path) for path in written]}))
        return
    for path in written:
        print(path)
