"""The nodes of the verdict graph: leaves (one series), votes, and the elements that the rules decide.

A node knows its inputs and who depends on it; a change in one series touches only what stands above it.
"""

from collections.abc import Sequence

from collector.verdicts import rules
from collector.verdicts.quality import NONE
from collector.verdicts.rules import Planes, Reach
from collector.verdicts.samples import LeafKey, Signature
from collector.verdicts.votes import Opinion, Value, any_of, unknown, vote
from collector.verdicts.witness import DOWN, UNKNOWN, UP

NOTHING = unknown(0, "no_data")
TRUE, FALSE = "true", "false"
_NEVER = Value(FALSE, 0)


class Leaf:
    """The current opinion of one series."""

    __slots__ = ("dependents", "fixed", "flags", "flags_us", "key", "network", "seen_us", "value")

    def __init__(self, key: LeafKey, network: str, *, fixed: bool = False) -> None:
        self.key, self.network = key, network
        self.fixed = fixed  # its address stands in the topology itself: no name can lead elsewhere
        self.value = NOTHING
        # Live: when the newest sample that was answered was sent. None in the ledger, which knows how things went on.
        self.seen_us: int | None = None
        self.flags: frozenset[str] = NONE
        self.flags_us = 0
        self.dependents: list[Node] = []

    def say(self, state: str, why: Signature, since_us: int) -> None:
        """A new opinion of the witness."""
        if state == UP and ("late" in why.tags or "degraded" in why.tags):
            self.value = Value("degraded", since_us, why.reason, why.tags)
        elif state == UP:
            self.value = Value("up", since_us, None, why.tags)
        else:
            self.value = Value(state, since_us, why.reason, why.tags)

    def flag(self, flags: frozenset[str], since_us: int) -> None:
        self.flags, self.flags_us = flags, since_us

    def opinion(self) -> Value:
        value = self.value
        if self.flags and value.alive:
            reason = value.reason or ("intermittent" if "intermittent" in self.flags else "options_slow")
            return Value("degraded", max(value.since_us, self.flags_us), reason, value.tags | self.flags)
        return value


class Node:
    """Something derived; `element` is (kind, name, what) when people hear of its changes."""

    level = 0
    __slots__ = ("blocked", "dependents", "element", "floor_us", "value")

    def __init__(self, inputs: "Sequence[Node | None]" = (), element: tuple[str, str, str] | None = None) -> None:
        self.dependents: list[Node] = []
        self.blocked = False  # waits for a fresh sample of what seems to live
        self.floor_us = 0  # since when it was what it was before: nothing now can have begun earlier
        self.element = element
        self.value = NOTHING
        for one in inputs:
            if one is not None:
                one.dependents.append(self)

    def evaluate(self) -> Value:
        raise NotImplementedError

    def settled(self) -> bool:
        """True when something other than the value changed that dependents read."""
        return False


class Voters:
    """Who may speak for a group: every outside probe, those on some networks, or the inside ones."""

    def __init__(self, members: dict[str, str]) -> None:
        self.members = members  # probe -> network
        self.networks = len({network for network in members.values() if network})


class VoteNode(Node):
    """One check of one thing, as a group of probes sees it."""

    level = 1
    __slots__ = ("_moved", "check", "networks_valid", "probes", "voters")

    def __init__(self, check: str, voters: Voters) -> None:
        super().__init__()
        self.check, self.voters = check, voters
        self.probes: dict[str, list[Leaf]] = {}
        self.networks_valid: frozenset[str] = NONE
        self._moved = False

    def attach(self, leaf: Leaf) -> None:
        self.probes.setdefault(leaf.key.probe, []).append(leaf)
        self.probes = dict(sorted(self.probes.items()))
        leaf.dependents.append(self)

    def joined(self) -> None:
        """A series was attached: what there is to vote with changed, even if nothing is said yet."""
        self._moved = True

    @property
    def exists(self) -> bool:
        return bool(self.probes)

    @property
    def spoken(self) -> Value | None:
        """The vote; None where nobody ever measured."""
        return self.value if self.probes else None

    def evaluate(self) -> Value:
        opinions = []
        valid = set()
        for leaves in self.probes.values():
            value = self._combined(leaves)
            network = leaves[0].network
            opinions.append(Opinion(network, value))
            if value.state != "unknown":
                valid.add(network)
        if valid != self.networks_valid:
            self.networks_valid = frozenset(valid)
            self._moved = True
        return vote(opinions, len(self.voters.members), self.voters.networks)

    def fresh(self, since_us: int) -> bool:
        """Whether most of those who say that it lives have had an answer since.

        Things are sampled at different instants: what died with another, and is asked a moment later, seems to live
        for up to two intervals more.
        """
        alive = [leaf for leaves in self.probes.values() for leaf in leaves if leaf.value.alive]
        seen = sum(leaf.seen_us is None or leaf.seen_us >= since_us for leaf in alive)
        return not alive or 2 * seen > len(alive)

    def settled(self) -> bool:
        moved, self._moved = self._moved, False
        return moved

    def _combined(self, leaves: list[Leaf]) -> Value:
        if len(leaves) == 1:
            value = leaves[0].opinion()
            return _account_alone(value)
        if self.check in {"register", "call"}:
            return _accounts([leaf.opinion() for leaf in leaves])
        return _addresses(leaves)


def _account_alone(value: Value) -> Value:
    """One account refused proves nothing about the path: there is no other to compare with."""
    if value.state == DOWN and "refused" in value.tags:
        return unknown(value.since_us, "auth", "refused")
    return value


def _accounts(values: list[Value]) -> Value:
    """One account refused while another works is the account's fault (docs/reasons.md)."""
    working = [value for value in values if value.alive]
    if working:
        return min(working, key=lambda value: value.since_us)
    return any_of(values)


def _addresses(leaves: list[Leaf]) -> Value:
    """Up if all addresses answer, degraded if some, down if none (docs/configuration.md).

    An address of a name that spoke and fell silent while others speak may have left the DNS (docs/adr/0012): it
    abstains. One that the topology gives as such is still there: nobody knows of it. So is one that never spoke.
    """
    opinions = [(leaf, leaf.opinion()) for leaf in leaves]
    values = [value for leaf, value in opinions if leaf.fixed or not _fell_silent(value)]
    values = values or [value for _, value in opinions]
    best = any_of(values)
    down = [value for value in values if value.state == "down"]
    if best.state == "up" and down:
        return Value("degraded", max(best.since_us, min(value.since_us for value in down)), "split", best.tags)
    worse = [value for value in values if value.state == "degraded"]
    if best.state == "up" and worse:
        return worse[0]
    if best.state == "up":
        return max((value for value in values if value.state == "up"), key=lambda value: value.since_us)
    return best


def _fell_silent(value: Value) -> bool:
    return value.state == UNKNOWN and value.reason == NOTHING.reason and value.since_us > 0


class PathNode(Node):
    """A path, or the natural view of an SBC (then only the planes differ in how they were steered)."""

    level = 2
    __slots__ = ("core", "counted", "passive", "planes_", "sbc")

    def __init__(
        self,
        sbc: str,
        core: str | None,
        votes: tuple[VoteNode, VoteNode, VoteNode],
        counted: frozenset[str],
        *,
        passive: bool = False,
        element: tuple[str, str, str] | None = None,
    ) -> None:
        super().__init__(votes, element)
        self.sbc, self.core, self.counted, self.passive = sbc, core, counted, passive
        self.planes_ = votes

    @property
    def planes(self) -> Planes:
        signalling, registration, call = self.planes_  # `spoken` of each, written out: a core asks a thousand paths
        return Planes(
            signalling.value if signalling.probes else None,
            registration.value if registration.probes else None,
            call.value if call.probes else None,
        )

    @property
    def signalling(self) -> Value:
        return self.planes_[0].value

    @property
    def measured(self) -> bool:
        return any(one.exists for one in self.planes_)

    def evaluate(self) -> Value:
        return rules.path(self.planes, self.counted, passive=self.passive)


class SbcNode(Node):
    """An SBC; `solid` is false for a moment around its own outages.

    Paths and edges are sampled at different instants: when an SBC dies or comes back, its paths may seem down while
    its edge seems up for up to an interval. Such moments say nothing about cores.
    """

    level = 2
    __slots__ = ("edge", "paths", "solid")

    def __init__(self, edge: VoteNode, paths: list[PathNode], element: tuple[str, str, str]) -> None:
        super().__init__([edge, *(path.planes_[0] for path in paths)], element)
        self.edge, self.paths, self.solid = edge, paths, True

    def fresh(self, failed: PathNode) -> bool:
        """Whether the SBC, or something through it, answered after a path through it had failed."""
        since_us = failed.signalling.since_us
        others = [path for path in self.paths if path is not failed and path.signalling.alive]
        return self.edge.fresh(since_us) or any(path.planes_[0].fresh(since_us) for path in others)

    def evaluate(self) -> Value:
        return rules.sbc(self.edge.spoken, [path.signalling for path in self.paths if path.planes_[0].exists])


class CoreNode(Node):
    level = 3
    __slots__ = ("inside", "reaches", "sbcs")

    def __init__(
        self, reaches: list[tuple[SbcNode, PathNode]], inside: list[VoteNode], sbcs: int, element: tuple[str, str, str]
    ) -> None:
        seen: dict[int, Node] = {}
        for sbc, path in reaches:
            seen.update({id(one): one for one in (sbc, *path.planes_)})
        super().__init__([*seen.values(), *inside], element)
        self.reaches, self.inside, self.sbcs = reaches, inside, sbcs

    def evaluate(self) -> Value:
        spoken = [one.value for one in self.inside if one.exists]
        inside = any_of(spoken) if spoken else None
        self.blocked = False
        reaches = [Reach(path.sbc, self._witness(sbc, path), path.planes, path.passive) for sbc, path in self.reaches]
        return rules.core(reaches, inside, sbcs=self.sbcs)

    def _witness(self, sbc: SbcNode, path: PathNode) -> bool:
        """Whether the SBC may say that the core is gone: it lives, and was seen to after the path had failed."""
        if not sbc.value.alive or not sbc.solid:
            return False
        if path.signalling.state != DOWN or sbc.fresh(path):
            return True
        self.blocked = True
        return False


class ViewNode(Node):
    """What the phones of a group see of an SBC."""

    level = 3
    __slots__ = ("_all_forced", "natural", "paths", "sbc")

    def __init__(self, sbc: str, natural: PathNode, paths: list[PathNode]) -> None:
        super().__init__([natural, *natural.planes_, *paths, *(path.planes_[0] for path in paths)])
        self.sbc, self.natural = sbc, natural
        self.paths = [path for path in paths if not path.passive]
        self._all_forced = len(self.paths) == len(paths)

    @property
    def contradiction(self) -> bool:
        """Natural transactions pass while every forced one fails: the steering is at fault.

        Not when the natural ones have only just come back: the forced ones are then a sample behind. Nor where a
        core is reached by natural ones alone: it may be the one that answers.
        """
        natural = self.natural.planes_[0].value
        forced = [path.signalling for path in self.paths]
        if not self._all_forced or not natural.alive or not forced or any(value.state != "down" for value in forced):
            return False
        return natural.since_us <= max(value.since_us for value in forced)

    @property
    def contradicted(self) -> bool:
        """Whether the natural ones were seen to pass after the forced ones had failed."""
        return self.natural.planes_[0].fresh(max(path.signalling.since_us for path in self.paths))

    def evaluate(self) -> Value:
        natural = self.natural.value if self.natural.measured else None
        if natural is not None and not self.natural.planes_[0].exists and natural.state == "unknown":
            natural = None  # only unsteered registrations or calls were seen, and they say nothing now
        return rules.view(natural, [path.value for path in self.paths], [path.signalling for path in self.paths])


class SiteNode(Node):
    level = 4
    __slots__ = ("cores", "failover", "lost", "views", "weight")

    def __init__(
        self, views: list[ViewNode], failover: str, weight: float = 1.0, element: tuple[str, str, str] | None = None
    ) -> None:
        super().__init__([*views, *(path for view in views for path in view.paths)], element)
        self.views = views if failover != "none" else views[:1]
        self.failover, self.weight = failover, weight
        cores: dict[str, list[PathNode]] = {}
        for one in self.views:
            for path in one.paths:
                cores.setdefault(path.core or "", []).append(path)
        self.cores = cores
        self.lost: rules.Redundancy | None = None

    def evaluate(self) -> Value:
        values = [view.value for view in self.views]
        twins = rules.redundancy(values)
        cores = rules.redundancy([any_of([path.value for path in paths]) for paths in self.cores.values()])
        gone = [one for one in (twins, cores) if one.lost]
        self.lost = min(gone, key=lambda one: one.since_us) if gone else None
        raw = rules.site(values, self.failover)
        regained = max(twins.regained_us, cores.regained_us)
        value = rules.degraded_by(raw, self.lost, regained, single=len(self.views) == 1)
        return rules.partly(value, values) if self.failover == "any" else value


class ServiceNode(Node):
    level = 5
    __slots__ = ("sites",)

    def __init__(self, sites: list[SiteNode], element: tuple[str, str, str]) -> None:
        super().__init__(sites, element)
        self.sites = sites

    def evaluate(self) -> Value:
        return rules.service([site.value for site in self.sites])

    def back_us(self, down_us: int) -> int:
        """When the first of its sites came back from an outage of all, while others are down since long before."""
        alive = (site.value.since_us for site in self.sites if site.value.alive)
        return min((since_us for since_us in alive if since_us > down_us), default=0)


class TargetNode(Node):
    """A portal, as outside probes see it; or a database, as inside ones do. No part of the service."""

    level = 2
    __slots__ = ("others", "vote")

    def __init__(self, vote: VoteNode, others: list[VoteNode], element: tuple[str, str, str]) -> None:
        super().__init__([vote, *others], element)
        self.vote, self.others = vote, others

    def evaluate(self) -> Value:
        return rules.target(self.vote.value, [one.value for one in self.others])


class CustomerNode(Node):
    level = 5
    __slots__ = ("sites",)

    def __init__(self, sites: list[SiteNode], element: tuple[str, str, str]) -> None:
        super().__init__(sites, element)
        self.sites = sites

    def evaluate(self) -> Value:
        return rules.customer([site.value for site in self.sites])


__all__ = ["DOWN", "FALSE", "NOTHING", "TRUE", "UNKNOWN", "UP"]
