"""`sereno incidents change`: people write down what they did to the platform; a fault that follows tells of it."""

from typing import Annotated

import typer

from sereno.cli._incident_options import AsJson, By, Data, Database
from sereno.errors import UsageError


def register(app: typer.Typer) -> None:
    app.command()(change)


def change(
    what: Annotated[str, typer.Argument(help="What was changed, in a line.", show_default=False)],
    on: Annotated[
        str | None, typer.Option("--on", help="service, core:X, sbc:X, path:S/C, site:X or customer:X; the service.")
    ] = None,
    by: By = None, data: Data = None, database: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Write down a change of the platform: incidents that begin within ten minutes tell of it."""
    import json

    from sereno.cli._inbox import ask

    kind, _, name = (on or "service").partition(":")
    if not what.strip():
        raise UsageError("say what was changed: sereno incidents change 'nueva versión en core-a' --on core:core-a")
    text = ask(data, database, "change.record", {"what": what.strip(), "kind": kind, "name": name or None}, by)
    print(json.dumps({"recorded": text}, ensure_ascii=False) if as_json else text)
