"""`sereno verdicts`: what is said of every element now."""

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
from sereno.topology import Topology
from sereno.verdict import VERDICT

app = typer.Typer(add_completion=False)
_STALE_US = 10 * SECOND_US
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


def say(store: Store, now_us: int) -> list[dict[str, Any]]:
    """The collector's last word on every element; unknown, all of it, when no collector has lived for 10 s."""
    with store.read() as connection:
        topologies = in_force(connection)
        said = last_said(connection)
        lease = read_lease(connection)
    alive = lease is not None and now_us - lease.renewed_us <= _STALE_US
    found = []
    elements = _elements(topologies[-1].topology) if topologies else []
    known = set(elements)  # a probe that the topology does not name reports too
    elements += sorted({key[:2] for key in said if key[0] == "probe" and key[2] == VERDICT} - known)
    for kind, name in elements:
        change = said.get((kind, name, VERDICT))
        if not alive:
            since = iso(lease.renewed_us) if lease is not None else None
            found.append({"kind": kind, "name": name, "state": "unknown", "since": since, "reason": "no_collector"})
        elif change is None:
            found.append({"kind": kind, "name": name, "state": "unknown", "since": None, "reason": "no_data"})
        else:
            since = iso(change.since_us)
            found.append({"kind": kind, "name": name, "state": change.state, "since": since, "reason": change.reason})
    return found


def _elements(topology: Topology) -> list[tuple[str, str]]:
    return [
        ("service", topology.service),
        *(("site", name) for name in topology.sites),
        *(("core", name) for name in topology.cores),
        *(("sbc", name) for name in topology.sbcs),
        *(("path", path.name) for path in topology.paths()),
        *(("portal", name) for name in topology.portals),
        *(("database", name) for name in topology.databases),
        *(("probe", name) for name in topology.probes),
    ]
