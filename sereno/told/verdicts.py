"""What is said of every element now: the shape of `verdicts --json`."""

from typing import Any

from sereno.clock import SECOND_US, iso
from sereno.store import Store
from sereno.store.changes import last_said
from sereno.store.lease import read as read_lease
from sereno.store.queries.ledger import in_force
from sereno.topology import Topology
from sereno.verdict import VERDICT

STALE_US = 10 * SECOND_US  # a collector that did not renew for so long says nothing of now


def say(store: Store, now_us: int) -> list[dict[str, Any]]:
    """The collector's last word on every element; unknown, all of it, when no collector has lived for 10 s."""
    with store.read() as connection:
        topologies = in_force(connection)
        said = last_said(connection)
        lease = read_lease(connection)
    alive = lease is not None and now_us - lease.renewed_us <= STALE_US
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
