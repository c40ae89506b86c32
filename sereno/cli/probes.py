"""`sereno probes`: how each probe stands: what came of it, what never will, how far its clock is off."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from dashboards.web.words import Words
from sereno.cli._screen import COLOURS, GLYPHS, console, put
from sereno.cli._when import timezone_of, when
from sereno.clock import SystemClock, iso, parse_instant
from sereno.instance import open_store
from sereno.told.probes import say

app = typer.Typer(add_completion=False)
_NOTHING = "—"


@app.command()
def probes(
    data: Annotated[Path | None, typer.Option("--data", help="Directory of `sereno up`.", show_default=False)] = None,
    database: Annotated[
        str | None, typer.Option("--database", help="Database URL instead.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """How each probe stands: newest result, committed and missing results, what was refused, spool, clock.

    Exit status 0 if all are up or degraded, 1 if one is down, 3 if one is unknown, or none is known.
    """
    store, now_us = open_store(data, database), SystemClock().now_us()
    try:
        found = say(store, now_us)
        zone = timezone_of(store)
    finally:
        store.dispose()
    if as_json:
        print(json.dumps({"at": iso(now_us), "probes": found}, ensure_ascii=False))
    else:
        for one in found:
            _print(one, zone, now_us)
    raise typer.Exit(status([one["state"] for one in found]))


def status(states: list[str]) -> int:
    """The exit status: down is worse than unknown, and of no probe at all nothing is known."""
    return 1 if "down" in states else 3 if "unknown" in states or not states else 0


def _print(one: dict[str, Any], zone: str, now_us: int) -> None:
    def local(at: str | None) -> str:
        return _NOTHING if at is None else when(parse_instant(at), zone, now_us)

    words = Words("es", zone)
    why = f": {words.reason(one['reason'])}" if one["reason"] else ""
    mark = Text(f"{GLYPHS[one['state']]} {one['name']}  {words.state(one['state'])}", style=COLOURS[one["state"]])
    put(console(), mark + Text(why))
    took, starts = one["last_result_took_seconds"], "arranque" if one["boots"] == 1 else "arranques"
    late = f" (llegó {took:.3f} s después)" if one["last_result"] is not None else ""
    print(f"    último resultado   {local(one['last_result'])}{late}")
    print(f"    confirmados        {one['committed']} en {one['boots']} {starts}; se esperan {one['waited_for']}")
    print(f"    perdidos           {one['missing']}")
    for hole in one["holes"]:
        print(f"      {hole['boot']} {hole['from']}–{hole['to']}")
    apart = one["quarantined_last"]
    more = f"; el último, {local(apart['at'])}: {apart['why']}" if apart is not None else ""
    print(f"    en cuarentena      {one['quarantined']}{more}")
    spooled = _NOTHING if one["spooled"] is None else one["spooled"]
    said = f"estado de {local(one['status_at'])}, versión {one['version'] or _NOTHING}"
    print(f"    en su cola         {spooled}; {said}")
    offset, error = one["clock_offset_seconds"], one["clock_error_seconds"]
    print(f"    reloj              {_NOTHING if offset is None else f'{offset:+.3f} s ± {error or 0:.3f} s'}")
