"""What is watched: the model of `topology.yaml`, its loading and its validation."""

from sereno.topology.load import (
    as_json,
    canonical_json,
    explain_secret,
    load_topology,
    parse_topology,
    part_for,
    resolve_secret,
    topology_from_json,
    topology_hash,
)
from sereno.topology.model import Path, Topology

__all__ = [
    "Path",
    "Topology",
    "as_json",
    "canonical_json",
    "explain_secret",
    "load_topology",
    "parse_topology",
    "part_for",
    "resolve_secret",
    "topology_from_json",
    "topology_hash",
]
