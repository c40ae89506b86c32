"""The verdict graph of a topology: wiring, and settling what a change of one series changes.

Used by the live engine, which learns late and back-dates (`settle(now)`), and by the ledger, which replays steps in
order of their own time (`settle(at, exact=True)`).
"""

import heapq
from collections.abc import Mapping
from typing import NamedTuple

from collector.verdicts import findings, rules
from collector.verdicts.nodes import (
    CoreNode,
    CustomerNode,
    Leaf,
    Node,
    PathNode,
    SbcNode,
    ServiceNode,
    SiteNode,
    TargetNode,
    ViewNode,
    VoteNode,
    Voters,
)
from collector.verdicts.samples import TARGETED, LeafKey, Timing
from collector.verdicts.votes import Value
from sereno.topology.address import is_literal
from sereno.topology.model import Topology
from sereno.verdict import VERDICT

LEVELS = 7
OUTSIDE, INSIDE = "outside", "inside"
WITHIN = "within"  # inside probes, and those that the file does not name: who looks at a database stands inside
_GroupKey = tuple[str, ...]


class Transition(NamedTuple):
    """An element's value changed."""

    element: tuple[str, str, str]
    old: Value
    new: Value


class Graph:
    """Every node of a topology; leaves appear with their first sample."""

    def __init__(self, topology: Topology, planes: Mapping[str, frozenset[str]] | None = None) -> None:
        self.topology = topology
        self._planes = planes or {}  # customer -> planes that its contract counts
        self._all_planes = frozenset().union(*self._planes.values()) if self._planes else rules.ALL_PLANES
        self.leaves: dict[LeafKey, Leaf] = {}
        self.elements: dict[tuple[str, str, str], Node] = {}
        self._votes: dict[tuple[_GroupKey, str, str | None, str | None], VoteNode] = {}
        self._voters: dict[_GroupKey, Voters] = {}
        self._views: dict[tuple[_GroupKey, frozenset[str], str], ViewNode] = {}
        self._paths: dict[tuple[_GroupKey, frozenset[str], str, str | None], PathNode] = {}
        self._dirty: list[dict[int, Node]] = [{} for _ in range(LEVELS)]
        self.waiting: dict[int, Node] = {}
        self._splits: dict[str, set[str]] = {}
        self._sbc_votes: dict[str, list[VoteNode]] = {}
        self._sbc_of: dict[int, str] = {}
        self._shaky: list[tuple[int, tuple[str, str, str]]] = []
        self.shaky_us = 2 * Timing(topology).every_us["options"]
        self.accounts: dict[str, list[Leaf]] = {}
        self._networks_of = {name: probe.network for name, probe in topology.probes.items()}
        self._wire()

    # -- wiring ---------------------------------------------------------------------------------------------------

    def _wire(self) -> None:
        topology, everyone = self.topology, ("*",)
        sbcs: dict[str, SbcNode] = {}
        paths: dict[str, list[PathNode]] = {name: [] for name in topology.sbcs}
        for path in topology.paths():
            node = self._path(everyone, self._all_planes, path.sbc, path.core, element=True)
            paths[path.sbc].append(node)
            self._add(*findings.of_path(node))
        for name in topology.sbcs:
            edge = self._vote(everyone, "edge", name, None)
            sbcs[name] = SbcNode(edge, paths[name], ("sbc", name, VERDICT))
            self._add(sbcs[name])
            view = self._view(everyone, self._all_planes, name)
            inside = self._vote((INSIDE,), "edge", name, None)
            self._add(*findings.of_sbc(name, sbcs[name], inside, view))
            signalling = [path.planes_[0] for path in (view.natural, *paths[name])]
            self._sbc_votes[name] = [edge, *signalling]
            self._sbc_of.update({id(vote): name for vote in self._sbc_votes[name]})
        for name in topology.cores:
            reaches = [(sbcs[path.sbc], path) for found in paths.values() for path in found if path.core == name]
            inside_votes = [self._vote((INSIDE,), "options", sbc, name) for sbc in (None, *(p.sbc for _, p in reaches))]
            core = CoreNode(reaches, inside_votes, len(topology.sbcs), ("core", name, VERDICT))
            self._add(core, *findings.of_core(name, core))
        self._wire_sites()
        self._wire_targets()

    def _wire_targets(self) -> None:
        """Portals by outside probes, databases by inside ones."""
        for name in self.topology.portals:
            portal = TargetNode(self._vote(("*",), "https", name, None), [], ("portal", name, VERDICT))
            self._add(portal, findings.portal_member(name, portal))
        databases = self.topology.databases
        votes = {name: self._vote((WITHIN,), "database", name, None) for name in databases}
        for name, vote in votes.items():
            twins = [twin for twin in databases if name in databases[twin].replicas or twin in databases[name].replicas]
            self._add(TargetNode(vote, [votes[twin] for twin in twins], ("database", name, VERDICT)))

    def _wire_sites(self) -> None:
        topology = self.topology
        sites: dict[str, SiteNode] = {}
        for name, site in topology.sites.items():
            group: _GroupKey = tuple(sorted(site.networks)) or ("*",)
            counted = self._planes.get(site.customer, self._all_planes)
            views = [self._view(group, counted, sbc) for sbc in site.sbcs]
            sites[name] = SiteNode(views, site.failover, site.weight, ("site", name, VERDICT))
            voters = self._group(group)
            self._add(sites[name], *findings.of_site(sites[name], ("site", name), voters.networks))
        element = ("service", topology.service, VERDICT)
        if sites:
            self._add(ServiceNode(list(sites.values()), element))
        else:
            views = [self._view(("*",), self._all_planes, sbc) for sbc in topology.sbcs]
            alone = SiteNode(views, "any", element=element)
            self._add(alone, *findings.of_site(alone, ("service", topology.service), self._group(("*",)).networks))
        for customer in topology.customers:
            own = [sites[name] for name, site in topology.sites.items() if site.customer == customer]
            if own:
                self._add(CustomerNode(own, ("customer", customer, VERDICT)))

    def _add(self, *nodes: Node) -> None:
        for node in nodes:
            if node.element is not None:
                self.elements[node.element] = node

    def _group(self, key: _GroupKey) -> Voters:
        found = self._voters.get(key)
        if found is None:
            members = {name: probe.network for name, probe in self.topology.probes.items() if self._belongs(name, key)}
            found = self._voters[key] = Voters(members)
        return found

    def _belongs(self, probe: str, key: _GroupKey) -> bool:
        known = self.topology.probes.get(probe)
        vantage = known.vantage if known else OUTSIDE
        if key == (INSIDE,):
            return vantage == INSIDE
        if key == (WITHIN,):
            return known is None or vantage == INSIDE
        if vantage != OUTSIDE:
            return False
        return key == ("*",) or (known is not None and known.network in key)

    def _vote(self, group: _GroupKey, check: str, sbc: str | None, core: str | None) -> VoteNode:
        key = (group, check, sbc, core)
        found = self._votes.get(key)
        if found is None:
            voters = self._group(group)
            able = {
                name: network
                for name, network in voters.members.items()
                if self.topology.probes[name].checks is None or check in (self.topology.probes[name].checks or ())
            }
            found = self._votes[key] = VoteNode(check, Voters(able))
        return found

    def _path(
        self, group: _GroupKey, counted: frozenset[str], sbc: str, core: str | None, *, element: bool = False
    ) -> PathNode:
        key = (group, counted, sbc, core)
        found = self._paths.get(key)
        if found is None:
            first = "options" if core is not None else "natural"
            votes = (
                self._vote(group, first, sbc, core),
                self._vote(group, "register", sbc, core),
                self._vote(group, "call", sbc, core),
            )
            settings = self.topology.sbcs[sbc]
            passive = core is not None and core != settings.primary and settings.backup_test == "passive"
            name = ("path", f"{sbc}/{core}", VERDICT) if element else None
            found = self._paths[key] = PathNode(sbc, core, votes, counted, passive=passive, element=name)
            self._add(found)
        return found

    def _view(self, group: _GroupKey, counted: frozenset[str], sbc: str) -> ViewNode:
        key = (group, counted, sbc)
        found = self._views.get(key)
        if found is None:
            settings = self.topology.sbcs[sbc]
            cores = [settings.primary]
            if settings.backup is not None and settings.backup != settings.primary:
                cores.append(settings.backup)
            forced = [self._path(group, counted, sbc, core) for core in cores]
            natural = self._path(group, counted, sbc, None)
            found = self._views[key] = ViewNode(sbc, natural, forced)
        return found

    # -- leaves -----------------------------------------------------------------------------------------------------

    def leaf(self, key: LeafKey) -> Leaf:
        """The leaf of a series; created, and given to the votes of its groups, at its first sample."""
        found = self.leaves.get(key)
        if found is not None:
            return found
        network = self._networks_of.get(key.probe, "" if not self.topology.probes else key.probe)
        found = self.leaves[key] = Leaf(key, network, fixed=self._fixed(key))
        for group in list(self._voters):
            vote_key = (group, key.check, key.address if key.check in TARGETED else key.sbc, key.core)
            vote = self._votes.get(vote_key)
            if vote is not None and self._belongs(key.probe, group):
                vote.voters.members.setdefault(key.probe, network)
                vote.attach(found)
        if key.account is not None:
            self._account(key.account, found)
        return found

    def join(self, key: LeafKey) -> Leaf:
        """The leaf of a series that is measured from now on: whoever asks which series there are is asked again."""
        found = self.leaf(key)
        for node in found.dependents:
            if isinstance(node, VoteNode):
                node.joined()
        self.touch(found)
        return found

    def nodes(self) -> list[Node]:
        """Every node that a verdict stands on, in the order of wiring: findings stand above them."""
        found = [*self._votes.values(), *self._paths.values(), *self._views.values()]
        known = {id(node) for node in found}
        more = [node for (_, _, what), node in self.elements.items() if what == VERDICT and id(node) not in known]
        return [*found, *more]

    def _fixed(self, key: LeafKey) -> bool:
        """Whether the series' address is one that the topology gives, and no name."""
        settings = self.topology.sbcs.get(key.sbc or "")
        return settings is not None and key.address in settings.addresses and is_literal(key.address or "")

    def _account(self, account: str, leaf: Leaf) -> None:
        leaves = self.accounts.setdefault(account, [])
        leaves.append(leaf)
        element = ("account", account, "account_refused")
        node = self.elements.get(element)
        if node is None:
            node = findings.Finding([], element, lambda: findings.account_refused(account, leaves))
            self._add(node)
        leaf.dependents.append(node)

    def reachable(self, sbc: str, core: str | None, since_us: int) -> bool:
        """Whether the signalling of a path (of an SBC's natural view) is well, and was since then, if anybody looks."""
        node = self._known_path(sbc, core)
        if node is None or not node.planes_[0].exists:
            return True
        return node.signalling.alive and node.signalling.since_us <= since_us

    def serving(self, sbc: str, core: str | None, since_us: int) -> bool:
        """Whether no plane of it is down, nor was since then."""
        node = self._known_path(sbc, core)
        return node is None or (node.value.state != "down" and node.value.since_us <= since_us)

    def _known_path(self, sbc: str, core: str | None) -> PathNode | None:
        return self._paths.get((("*",), self._all_planes, sbc, core))

    def touch(self, leaf: Leaf) -> None:
        """A leaf changed its opinion."""
        for node in leaf.dependents:
            self._dirty[node.level][id(node)] = node

    @property
    def due_us(self) -> int | None:
        """When an SBC that came back is trusted again as a witness about cores."""
        return self._shaky[0][0] if self._shaky else None

    def wake(self, now_us: int) -> bool:
        """Trust them; true when somebody must be asked again."""
        woken = False
        while self._shaky and self._shaky[0][0] <= now_us:
            _, element = heapq.heappop(self._shaky)
            node = self.elements[element]
            if isinstance(node, SbcNode) and not any(element == other for _, other in self._shaky):
                self.trust(node, solid=True)
                woken = True
        return woken

    def trust(self, node: SbcNode, *, solid: bool) -> None:
        """Whether an SBC's live edge may speak about cores."""
        node.solid = solid
        for above in node.dependents:
            self._dirty[above.level][id(above)] = above

    def _wait(self, node: Node) -> None:
        if node.blocked:
            self.waiting[id(node)] = node
        else:
            self.waiting.pop(id(node), None)

    def ask_again(self) -> bool:
        """New samples came: who waits for fresh ones is asked again. True when anybody does."""
        for node in self.waiting.values():
            self._dirty[node.level][id(node)] = node
        return bool(self.waiting)

    # -- settling -----------------------------------------------------------------------------------------------------

    def settle(self, now_us: int, *, exact: bool = False) -> list[Transition]:
        """Evaluate what the touched leaves change, level by level; the transitions of elements, lowest level first.

        `exact` is for steps replayed in order: then what changes now changed at `now_us`.
        """
        transitions: list[Transition] = []
        for level in self._dirty:
            while level:
                batch = list(level.values())
                level.clear()
                for node in batch:
                    self._update(node, now_us, exact, transitions)
        return transitions

    def _update(self, node: Node, now_us: int, exact: bool, transitions: list[Transition]) -> None:
        old, new = node.value, node.evaluate()
        if node.blocked or self.waiting:
            self._wait(node)
        if new.state == old.state:
            # Backfill may show that an outage under way began earlier than the first samples told.
            earlier = not exact and new.state == "down" and 0 < new.since_us < old.since_us
            new = new._replace(since_us=max(new.since_us, node.floor_us) if earlier else old.since_us)
        else:
            new = new._replace(since_us=now_us if exact else _since_us(node, old, new) or now_us)
        if new.state != old.state:
            node.floor_us = old.since_us
        moved = node.settled()
        if new == old and not moved:
            return
        node.value = new
        for above in node.dependents:
            self._dirty[above.level][id(above)] = above
        if isinstance(node, VoteNode):
            self._split(node, new)
        elif isinstance(node, SbcNode) and old.state == "down" and not exact:
            node.solid = False
            heapq.heappush(self._shaky, (now_us + self.shaky_us, node.element or ("", "", "")))
        if node.element is not None and new != old:
            transitions.append(Transition(node.element, old, new))

    def _split(self, node: VoteNode, value: Value) -> None:
        """A network that loses an SBC gets its finding the first time it does."""
        for tag in value.tags:
            if not tag.startswith("split:"):
                continue
            network = tag.removeprefix("split:")
            sbc = self._sbc_of.get(id(node))
            if not network or sbc is None or network in self._splits.setdefault(sbc, set()):
                continue
            self._splits[sbc].add(network)
            finding = findings.network_split(sbc, network, self._sbc_votes[sbc])
            self._add(finding)
            self._dirty[finding.level][id(finding)] = finding


def _since_us(node: Node, old: Value, new: Value) -> int:
    """When a new state began: not before the old one did; 0 where nobody measured it."""
    if new.since_us > old.since_us:
        return new.since_us
    if isinstance(node, ServiceNode) and old.state == "down":
        return node.back_us(old.since_us)
    return 0 if isinstance(node, findings.Finding) else old.since_us
