"""`sereno probe`: a probe agent that reports to a broker."""

import re
from pathlib import Path
from typing import Annotated

import typer

from sereno.errors import UsageError

app = typer.Typer(add_completion=False)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@app.command()
def probe(
    broker: Annotated[str, typer.Option("--broker", help="The broker, such as mqtts://bog-1@broker.example:8883.")],
    name: Annotated[str, typer.Option("--name", help="This probe's name in the topology.")],
    data: Annotated[Path | None, typer.Option("--data", help="Where its spool lies; a directory of its own.")] = None,
) -> None:
    """Measure what the collector's topology says for this probe, until stopped."""
    from probes.agent import Agent
    from sereno.instance import data_directory
    from sereno.mqtt import parse_broker
    from sereno.process import run, setup_logging

    if not _NAME.fullmatch(name):
        raise UsageError(f"--name {name!r}: use letters, digits, dots, dashes and underscores, such as bog-1")
    where = parse_broker(broker)
    folder = data if data is not None else data_directory() / "probes" / name
    setup_logging()

    async def main() -> None:
        await Agent(where, name, folder).run()

    run(main())
