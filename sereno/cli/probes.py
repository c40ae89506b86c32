"""`sereno probes`: how each probe stands: what came of it, what never will, how far its clock is off."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from sereno.clock import SystemClock, iso
from sereno.instance import open_store
from sereno.told.probes import say

app = typer.Typer(add_completion=False)
_GLYPHS = {"up": "✓", "degraded": "▲", "down": "✕", "unknown": "?", "maintenance": "◆"}
_NOTHING = "—"


@app.command()
def probes(
    data: Annotated[Path | None, typer.Option("--data", help="Directory of `sereno up`.", show_default=False)] = None,
    database: Annotated[
        str | None, typer.Option("--database", help="Database URL instead.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """How each probe stands: newest result, committed and missing results, what was refused, spool, clock."""
    store, now_us = open_store(data, database), SystemClock().now_us()
    try:
        found = say(store, now_us)
    finally:
        store.dispose()
    if as_json:
        print(json.dumps({"at": iso(now_us), "probes": found}, ensure_ascii=False))
        return
    for one in found:
        _print(one)


def _print(one: dict[str, Any]) -> None:
    why = f" ({one['reason']})" if one["reason"] else ""
    print(f"{_GLYPHS[one['state']]} {one['name']}{why}")
    took, starts = one["last_result_took_seconds"], "arranque" if one["boots"] == 1 else "arranques"
    last = _NOTHING if one["last_result"] is None else f"{one['last_result']} (llegó {took:.3f} s después)"
    print(f"    último resultado   {last}")
    print(f"    confirmados        {one['committed']} en {one['boots']} {starts}; se esperan {one['waited_for']}")
    print(f"    perdidos           {one['missing']}")
    for hole in one["holes"]:
        print(f"      {hole['boot']} {hole['from']}–{hole['to']}")
    apart = one["quarantined_last"]
    more = f"; el último, {apart['at']}: {apart['why']}" if apart is not None else ""
    print(f"    en cuarentena      {one['quarantined']}{more}")
    spooled = _NOTHING if one["spooled"] is None else one["spooled"]
    said = f"estado de {one['status_at'] or _NOTHING}, versión {one['version'] or _NOTHING}"
    print(f"    en su cola         {spooled}; {said}")
    offset, error = one["clock_offset_seconds"], one["clock_error_seconds"]
    print(f"    reloj              {_NOTHING if offset is None else f'{offset:+.3f} s ± {error or 0:.3f} s'}")
