"""`sereno probes`: how each probe stands: what came of it, what never will, how far its clock is off."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from sereno.clock import SECOND_US, SystemClock, iso
from sereno.instance import open_store
from sereno.store import Store
from sereno.store.changes import last_said
from sereno.store.lease import read as read_lease
from sereno.store.queries.ledger import in_force
from sereno.store.queries.probes import Standing, standings
from sereno.topology import topology_hash
from sereno.verdict import VERDICT

app = typer.Typer(add_completion=False)
_STALE_US = 10 * SECOND_US
_HOLES = 100  # of each probe that are listed one by one
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


def say(store: Store, now_us: int) -> list[dict[str, Any]]:
    """Every probe of the topology, and every other that reported or was refused."""
    with store.read() as connection:
        watched = in_force(connection)
        said = last_said(connection)
        lease = read_lease(connection)
        topology = watched[-1].topology if watched else None
        found = standings(connection, topology.probes if topology is not None else (), _HOLES)
    alive = lease is not None and now_us - lease.renewed_us <= _STALE_US
    digest = topology_hash(topology) if topology is not None else None
    told = []
    for one in found:
        change = said.get(("probe", one.probe, VERDICT))
        state, reason = (change.state, change.reason) if change is not None else ("unknown", "no_data")
        if not alive:
            state, reason = "unknown", "no_collector"
        told.append({"name": one.probe, "state": state, "reason": reason, **_facts(one, digest)})
    return told


def _facts(one: Standing, digest: str | None) -> dict[str, Any]:
    status, late = one.status, None
    if one.last_at_us is not None and one.last_arrived_us is not None:
        late = (one.last_arrived_us - one.last_at_us) / SECOND_US
    return {
        "last_result": _iso(one.last_at_us),
        "last_result_took_seconds": late,
        "boots": one.boots,
        "committed": one.committed,
        "missing": one.missing,
        "waited_for": one.waited_for,
        "holes": [{"boot": boot, "from": first, "to": last} for boot, (first, last) in one.holes],
        "quarantined": one.refused.count if one.refused is not None else 0,
        "quarantined_last": (
            {"at": iso(one.refused.last_us), "why": one.refused.last_why} if one.refused is not None else None
        ),
        "status_at": _iso(one.status_us),
        "boot": status.boot if status is not None else None,
        "version": status.version if status is not None else None,
        "spooled": status.spooled if status is not None else None,
        "topology_current": None if status is None or digest is None else status.topology_hash == digest,
        "clock_offset_seconds": status.clock_offset_seconds if status is not None else None,
        "clock_error_seconds": status.clock_error_seconds if status is not None else None,
    }


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


def _iso(at_us: int | None) -> str | None:
    return None if at_us is None else iso(at_us)
