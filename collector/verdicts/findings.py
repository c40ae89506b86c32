"""What is worth saying beside up and down (docs/verdicts.md §8; the alarms' inputs): nodes that are true or false."""

from collections.abc import Callable

from collector.verdicts import rules
from collector.verdicts.nodes import (
    FALSE,
    TRUE,
    CoreNode,
    Leaf,
    Node,
    PathNode,
    SbcNode,
    SiteNode,
    TargetNode,
    ViewNode,
    VoteNode,
)
from collector.verdicts.votes import Value


class Finding(Node):
    """True while `test` gives a value; its since is the value's, its reason too."""

    level = 6
    __slots__ = ("fresh", "source", "test")

    def __init__(
        self,
        inputs: list[Node],
        element: tuple[str, str, str],
        test: Callable[[], Value | None],
        fresh: Callable[[], bool] | None = None,
    ) -> None:
        super().__init__(inputs, element)
        self.value = Value(FALSE, 0)
        self.source = inputs[0] if inputs else None
        self.test = test
        self.fresh = fresh  # of what lives beside what died: whether it was seen to, since

    def evaluate(self) -> Value:
        found = self.test()
        self.blocked = found is not None and self.fresh is not None and not self.fresh()
        if found is None or self.blocked:
            return Value(FALSE, self.source.value.since_us if self.source is not None else 0)
        return Value(TRUE, found.since_us, found.reason)


def of_path(node: PathNode) -> list[Finding]:
    """intermittent, options_slow, call_failing."""
    name = f"{node.sbc}/{node.core}"
    signalling, _, call = node.planes_

    def tagged(tag: str) -> Callable[[], Value | None]:
        return lambda: signalling.value if tag in signalling.value.tags else None

    def call_failing() -> Value | None:
        value = call.value
        return value if value.state == "down" and "audio" not in value.tags else None

    return [
        Finding([signalling], ("path", name, "intermittent"), tagged("intermittent")),
        Finding([signalling], ("path", name, "options_slow"), tagged("options_slow")),
        Finding([call], ("path", name, "call_failing"), call_failing),
    ]


def of_sbc(name: str, node: SbcNode, inside: VoteNode, view: ViewNode) -> list[Finding]:
    """failover_broken, steering, sbc_unreachable_internet, register_failing."""
    natural = view.natural.planes_[0]
    signalling: list[Node] = [path.planes_[0] for path in view.paths]

    def failover_broken() -> Value | None:
        forced = any(path.value.alive for path in view.paths)
        return natural.value if natural.value.state == "down" and forced else None

    def forced_fresh() -> bool:
        return any(path.value.alive and path.planes_[0].fresh(natural.value.since_us) for path in view.paths)

    def steering() -> Value | None:
        return natural.value if view.contradiction else None

    def unreachable() -> Value | None:
        return node.edge.value if node.edge.value.state == "down" and inside.value.alive else None

    registrations = [path.planes_[1] for path in (view.natural, *view.paths)]

    def register_failing() -> Value | None:
        down = [vote.value for vote in registrations if vote.value.state == "down"]
        return down[0] if down else _accounts_failing(registrations)

    return [
        Finding([natural, *view.paths], ("sbc", name, "failover_broken"), failover_broken, forced_fresh),
        Finding([natural, *signalling], ("sbc", name, "steering"), steering, lambda: view.contradicted),
        Finding(
            [node.edge, inside],
            ("sbc", name, "sbc_unreachable_internet"),
            unreachable,
            lambda: inside.fresh(node.edge.value.since_us),
        ),
        Finding([*registrations], ("sbc", name, "register_failing"), register_failing),
    ]


def _accounts_failing(votes: list[VoteNode]) -> Value | None:
    """Two accounts of one path that fail for the server's reasons: another that works does not excuse it."""
    for vote in votes:
        accounts: dict[str | None, list[Value]] = {}
        for leaves in vote.probes.values():
            for leaf in leaves:
                accounts.setdefault(leaf.key.account, []).append(leaf.value)
        failing = [
            min(values, key=lambda value: value.since_us)
            for values in accounts.values()
            if any(value.state == "down" for value in values)
            and all(value.state in {"down", "unknown"} and "refused" not in value.tags for value in values)
        ]
        if len(failing) > 1:
            return sorted(failing, key=lambda value: value.since_us)[1]
    return None


def of_core(name: str, node: CoreNode) -> list[Finding]:
    """core_refusing."""

    def test() -> Value | None:
        return node.value if "core_refusing" in node.value.tags else None

    return [Finding([node], ("core", name, "core_refusing"), test)]


def of_site(node: SiteNode, element: tuple[str, str], networks: int) -> list[Finding]:
    """redundancy_lost, outage_suspected, quorum_short."""
    votes = list(
        {id(one): one for view in node.views for path in (view.natural, *view.paths) for one in path.planes_}.values()
    )

    def lost() -> Value | None:
        if node.lost is None or not node.value.alive:
            return None
        return Value(TRUE, node.lost.since_us, "redundancy_lost")

    def suspected() -> Value | None:
        views = [view.value for view in node.views]
        if node.value.state != "unknown" or not all(_suspect(value) for value in views):
            return None
        return max(views, key=lambda value: value.since_us)._replace(reason="unconfirmed")

    def short() -> Value | None:
        valid = frozenset().union(*(vote.networks_valid for vote in votes))
        return Value(TRUE, 0, "quorum_short") if valid and len(valid) < min(2, networks) else None

    found = [
        Finding([node], (*element, "redundancy_lost"), lost),
        Finding([node, *node.views], (*element, "outage_suspected"), suspected),
    ]
    if networks > 1:
        found.append(Finding([*votes], (*element, "quorum_short"), short))
    return found


def portal_member(name: str, node: TargetNode) -> Finding:
    """The portal answers, but not all of its servers do."""

    def test() -> Value | None:
        value = node.value
        return value if value.alive and "member" in value.tags else None

    return Finding([node], ("portal", name, "portal_member"), test)


def _suspect(value: Value) -> bool:
    return value.state == "down" or (value.state == "unknown" and "unconfirmed" in value.tags)


def network_split(sbc: str, network: str, votes: list[VoteNode]) -> Finding:
    """All probes of a network lose an SBC that another network reaches."""
    tag = f"split:{network}"

    def test() -> Value | None:
        found = [vote.value for vote in votes if tag in vote.value.tags]
        return min(found, key=lambda value: value.since_us) if found else None

    return Finding([*votes], ("network", f"{sbc}/{network}", "network_split"), test)


def account_refused(account: str, leaves: list[Leaf]) -> Value | None:
    """The account is refused by two answers in a row somewhere; the reason says whether another account works."""
    refused = [leaf.value for leaf in leaves if leaf.key.account == account and "refused" in leaf.value.tags]
    refused = [value for value in refused if value.state == "down"]
    if not refused:
        return None
    return min(refused, key=lambda value: value.since_us)


__all__ = ["Finding", "rules"]
