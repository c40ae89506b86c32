"""Who leans on whom in a topology, read once: what an SBC attaches to, which paths and sites go through what."""

from collections import defaultdict
from typing import NamedTuple

from sereno.topology.model import Topology


class Plan(NamedTuple):
    """Indexes of one topology; passive paths cannot be forced and are no part of it."""

    topology: Topology
    paths: frozenset[str]
    of_sbc: dict[str, frozenset[str]]  # SBC -> its paths
    of_core: dict[str, frozenset[str]]  # core -> its paths
    attached: dict[str, tuple[str, ...]]  # SBC -> its cores, the primary first

    @classmethod
    def of(cls, topology: Topology) -> "Plan":
        """The plan of a topology, remembered for the last few of them."""
        known = _PLANS.get(id(topology))
        if known is not None and known.topology is topology:
            return known
        by_sbc, by_core = defaultdict(set), defaultdict(set)
        for path in topology.paths():
            if not path.passive:
                by_sbc[path.sbc].add(path.name)
                by_core[path.core].add(path.name)
        plan = cls(
            topology=topology,
            paths=frozenset(path.name for path in topology.paths() if not path.passive),
            of_sbc={name: frozenset(by_sbc[name]) for name in topology.sbcs},
            of_core={name: frozenset(by_core[name]) for name in topology.cores},
            attached={
                name: tuple(core for core in (sbc.primary, sbc.backup) if core is not None)
                for name, sbc in topology.sbcs.items()
            },
        )
        while len(_PLANS) >= _KEPT:
            del _PLANS[next(iter(_PLANS))]
        _PLANS[id(topology)] = plan
        return plan


_KEPT = 8  # topologies whose plans are remembered; each plan keeps its topology, so no id is used twice
_PLANS: dict[int, Plan] = {}
