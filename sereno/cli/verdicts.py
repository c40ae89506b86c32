"""`sereno verdicts`: what is said of every element now."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sereno.cli._when import timezone_of
from sereno.clock import SystemClock, iso, parse_instant
from sereno.instance import open_store
from sereno.told.verdicts import say

app = typer.Typer(add_completion=False)
_EXIT = {"up": 0, "degraded": 0, "maintenance": 0, "down": 1, "unknown": 3}
_KINDS = {
    "service": "servicio", "site": "sede", "core": "núcleo", "sbc": "SBC", "path": "ruta", "portal": "portal",
    "database": "base", "probe": "sonda",
}  # fmt: skip


@app.command()
def verdicts(
    data: Annotated[Path | None, typer.Option("--data", help="Directory of `sereno up`.", show_default=False)] = None,
    database: Annotated[
        str | None, typer.Option("--database", help="Database URL instead.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """What is said of every element now; exit 0 if the service is up or degraded, 1 down, 3 unknown."""
    store, now_us = open_store(data, database), SystemClock().now_us()
    try:
        elements = say(store, now_us)
        zone = timezone_of(store)
    finally:
        store.dispose()
    if as_json:
        print(json.dumps({"at": iso(now_us), "elements": elements}, ensure_ascii=False))
    else:
        _show(elements, zone, now_us)
    sys.stdout.flush()
    raise SystemExit(next((_EXIT[one["state"]] for one in elements if one["kind"] == "service"), 3))


def _show(elements: list[dict[str, Any]], zone: str, now_us: int) -> None:
    """A row for each, as wide as the terminal; the state is a mark, a word and a colour."""
    from rich.text import Text

    from dashboards.web.words import Words
    from sereno.cli._screen import COLOURS, GLYPHS, console, put, table
    from sereno.cli._when import when

    words, rows = Words("es", zone), table()
    for one in elements:
        state = one["state"]
        since = when(parse_instant(one["since"]), zone, now_us) if one["since"] else ""
        rows.add_row(
            Text(f"{GLYPHS[state]} {words.state(state)}", style=COLOURS[state]), _KINDS[one["kind"]], one["name"],
            f"desde {since}" if since else "", words.reason(one["reason"]),
        )  # fmt: skip
    put(console(), rows)
