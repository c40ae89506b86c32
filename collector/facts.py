"""The evidence beside a verdict: planes, voters, who answered, and the results that decided it."""

from collections.abc import Mapping
from typing import Any

from collector.verdicts.nodes import CoreNode, Leaf, Node, PathNode, SbcNode, ServiceNode, SiteNode, VoteNode
from collector.verdicts.samples import LeafKey
from collector.verdicts.series import Series

_PLANES = ("signalling", "registration", "call")


def facts_of(node: Node, series: Mapping[LeafKey, Series]) -> dict[str, Any]:
    """JSON evidence of an element's value; empty where there is nothing to add."""
    if isinstance(node, PathNode):
        return _path(node, series)
    if isinstance(node, SbcNode):
        return _votes([node.edge], series) if node.edge.exists else {}
    if isinstance(node, CoreNode):
        return {
            "edges": {path.sbc: sbc.value.state for sbc, path in node.reaches},
            "paths": {f"{path.sbc}/{path.core}": path.signalling.state for _, path in node.reaches},
        }
    if isinstance(node, SiteNode):
        found: dict[str, Any] = {"sbcs": {view.sbc: view.value.state for view in node.views}}
        if node.lost is not None:
            found["live"], found["configured"] = node.lost.live, node.lost.configured
        return found
    if isinstance(node, ServiceNode):
        return {"sites": {site.element[1]: site.value.state for site in node.sites if site.element}}
    return {}


def _path(node: PathNode, series: Mapping[LeafKey, Series]) -> dict[str, Any]:
    found = _votes([vote for vote in node.planes_ if vote.exists], series)
    planes = {name: value.state for name, value in zip(_PLANES, node.planes, strict=True) if value is not None}
    if planes:
        found["planes"] = planes
    tags = node.value.tags
    if "by_sbc" in tags:
        found["answered_by"] = "sbc"
    elif "by_core" in tags:
        found["answered_by"] = "core"
    elif node.value.state == "down" and node.value.reason == "timeout":
        found["answered_by"] = "none"
    for mark in ("one_witness", "no_canary", "not_proved"):
        if mark in tags:
            found[mark] = True
    return found


def _votes(votes: list[VoteNode], series: Mapping[LeafKey, Series]) -> dict[str, Any]:
    voters: dict[str, dict[str, str]] = {}
    results = []
    for vote in votes:
        for probe, leaves in vote.probes.items():
            voters.setdefault(probe, {})[vote.check] = _state(leaves)
            for leaf in leaves:
                found = series.get(leaf.key)
                if found is not None and found.last is not None:
                    results.append([probe, *found.last.order])
    return {"voters": voters, "results": results}


def _state(leaves: list[Leaf]) -> str:
    states = {leaf.value.state for leaf in leaves}
    return states.pop() if len(states) == 1 else "mixed"
