"""`sereno metrics`: every metric that the collector exports, read from the registry itself."""

import json
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def metrics(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List every metric exported, with its type and meaning."""
    import tempfile

    from collector.metrics import Metrics
    from sereno.store import open_store

    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder)
        rows = Metrics(store).catalogue()
        store.dispose()
    if as_json:
        print(json.dumps({"metrics": rows}, ensure_ascii=False))
        return
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        print(f"{row['name']:<{width}}  {row['type']:<9}  {row['help']}")
