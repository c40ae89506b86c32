"""`sereno verdicts`: what is said of every element now."""

import json
from pathlib import Path
from typing import Annotated

import typer

from sereno.clock import SystemClock, iso
from sereno.instance import open_store
from sereno.told.verdicts import say

app = typer.Typer(add_completion=False)
_EXIT = {"up": 0, "degraded": 0, "maintenance": 0, "down": 1, "unknown": 3}
_GLYPHS = {"up": "✓", "degraded": "▲", "down": "✕", "unknown": "?", "maintenance": "◆"}
_WORDS = {
    "up": "arriba",
    "degraded": "degradado",
    "down": "caído",
    "unknown": "desconocido",
    "maintenance": "mantenimiento",
}


@app.command()
def verdicts(
    data: Annotated[Path | None, typer.Option("--data", help="Directory of `sereno up`.", show_default=False)] = None,
    database: Annotated[
        str | None, typer.Option("--database", help="Database URL instead.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """What is said of every element now; exit 0 if the service is up or degraded, 1 down, 3 unknown."""
    store = open_store(data, database)
    try:
        elements = say(store, SystemClock().now_us())
    finally:
        store.dispose()
    if as_json:
        print(json.dumps({"at": iso(SystemClock().now_us()), "elements": elements}, ensure_ascii=False))
    else:
        for one in elements:
            why = f" ({one['reason']})" if one["reason"] else ""
            since = f" desde {one['since']}" if one["since"] else ""
            print(f"{_GLYPHS[one['state']]} {one['kind']:<8} {one['name']:<24} {_WORDS[one['state']]}{why}{since}")
    raise SystemExit(next((_EXIT[one["state"]] for one in elements if one["kind"] == "service"), 3))
