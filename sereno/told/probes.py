"""How each probe stands: the shape of `probes --json`."""

from typing import Any

from sereno.clock import SECOND_US, iso
from sereno.store import Store
from sereno.store.changes import last_said
from sereno.store.lease import read as read_lease
from sereno.store.queries.ledger import in_force
from sereno.store.queries.probes import Standing, standings
from sereno.told.verdicts import STALE_US
from sereno.topology import topology_hash
from sereno.verdict import VERDICT

HOLES = 100  # of each probe that are listed one by one


def say(store: Store, now_us: int) -> list[dict[str, Any]]:
    """Every probe of the topology, and every other that reported or was refused."""
    with store.read() as connection:
        watched = in_force(connection)
        said = last_said(connection)
        lease = read_lease(connection)
        topology = watched[-1].topology if watched else None
        found = standings(connection, topology.probes if topology is not None else (), HOLES)
    alive = lease is not None and now_us - lease.renewed_us <= STALE_US
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


def _iso(at_us: int | None) -> str | None:
    return None if at_us is None else iso(at_us)
