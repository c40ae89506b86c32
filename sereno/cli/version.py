"""`sereno version`."""

import json
from typing import Annotated

import typer

from sereno.version import __version__

app = typer.Typer(add_completion=False)


@app.command()
def version(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Print the version."""
    print(json.dumps({"version": __version__}) if as_json else f"sereno {__version__}")
