"""`sereno metrics`: every metric that the collector exports, from the catalogue that they are made of."""

import json
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def metrics(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the tables of docs/metrics.md.")] = False,
) -> None:
    """List every metric exported: name, type, unit, labels, meaning, and when it is absent."""
    from collector.exposition.catalogue import CATALOGUE

    if markdown:
        from collector.exposition.page import tables

        print(tables())
        return
    found = sorted(CATALOGUE.values(), key=lambda one: one.name)
    if as_json:
        rows = [
            {
                "name": one.name,
                "type": one.kind,
                "unit": one.unit or None,
                "labels": list(one.labels),
                "help": one.meaning,
                "absent": one.absent,
                "series": one.series.split(),
            }
            for one in found
        ]
        print(json.dumps({"metrics": rows}, ensure_ascii=False))
        return
    for one in found:
        labels = f"{{{','.join(one.labels)}}}" if one.labels else ""
        unit = f" in {one.unit}" if one.unit else ""
        print(f"{one.name}{labels}  ({one.kind}{unit})\n    {one.meaning}\n    Absent {one.absent}.")
