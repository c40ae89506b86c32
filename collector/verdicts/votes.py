"""Who votes, and what a vote says (docs/verdicts.md §4). Pure functions of opinions."""

from collections.abc import Iterable
from typing import NamedTuple

NO_TAGS: frozenset[str] = frozenset()


class Value(NamedTuple):
    """What is said of something: `since_us` is when it began by the samples; tags qualify it for the next rule."""

    state: str  # up | degraded | down | unknown
    since_us: int
    reason: str | None = None
    tags: frozenset[str] = NO_TAGS

    @property
    def alive(self) -> bool:
        """Up, perhaps degraded."""
        return self.state in {"up", "degraded"}


class Opinion(NamedTuple):
    """One probe's word on one thing."""

    network: str
    value: Value


def unknown(since_us: int, reason: str, *tags: str) -> Value:
    """Unknown, and why."""
    return Value("unknown", since_us, reason, frozenset(tags))


def vote(opinions: Iterable[Opinion], configured: int, networks: int) -> Value:
    """The verdict of a quorum; `configured` probes on `networks` networks could have voted.

    Down needs more than half of the valid voters and, where two networks are configured, votes from two. A lone
    valid voter is enough for up; for down only if no other is configured.
    """
    ups: list[Opinion] = []
    downs: list[Opinion] = []
    latest = 0
    for opinion in opinions:
        value = opinion.value
        latest = max(latest, value.since_us)
        if value.state == "down":
            downs.append(opinion)
        elif value.state != "unknown":
            ups.append(opinion)
    voters = len(ups) + len(downs)
    if voters == 0:
        return unknown(latest, "no_data")
    if not downs:
        return _up(ups, downs, voters)
    if 2 * len(downs) > voters:
        return _down(downs, voters, configured, networks)
    if 2 * len(ups) > voters:
        return _up(ups, downs, voters)
    return unknown(latest, "disagreement", *_split(ups, downs))


def _up(ups: list[Opinion], downs: list[Opinion], voters: int) -> Value:
    since = _reached(ups, voters)
    split = _split(ups, downs)
    worse = [one.value for one in ups if one.value.state == "degraded"]
    tags = frozenset().union(*(value.tags for value in worse), split) if worse or split else NO_TAGS
    if all("not_proved" in one.value.tags for one in ups):
        tags |= {"not_proved"}
    if 2 * len(worse) > len(ups):
        return Value("degraded", max(since, min(value.since_us for value in worse)), worse[0].reason, tags)
    if split:
        return Value("degraded", max(since, min(one.value.since_us for one in downs)), "split", tags)
    return Value("up", since, "not_proved" if "not_proved" in tags else None, tags)


def _down(downs: list[Opinion], voters: int, configured: int, networks: int) -> Value:
    since = _reached(downs, voters)
    if voters == 1 and configured > 1:
        return unknown(since, "unconfirmed", "unconfirmed")
    if networks > 1:
        first: dict[str, int] = {}
        for one in downs:
            first[one.network] = min(first.get(one.network, one.value.since_us), one.value.since_us)
        if len(first) < 2:  # noqa: PLR2004  # two networks, §4
            return unknown(since, "unconfirmed", "unconfirmed")
        since = max(since, sorted(first.values())[1])
    reasons = [one.value for one in downs]
    tags = frozenset().union(*(value.tags for value in reasons))
    if not all("visible" in value.tags for value in reasons):
        tags -= {"visible"}
    if voters == 1:
        tags |= {"one_witness"}
    return Value("down", since, reasons[0].reason, tags)


def _reached(side: list[Opinion], voters: int) -> int:
    """When the side had its majority: the instant of the vote that made it more than half."""
    if len(side) == 1:
        return side[0].value.since_us
    return sorted(one.value.since_us for one in side)[min(len(side), voters // 2 + 1) - 1]


def _split(ups: list[Opinion], downs: list[Opinion]) -> frozenset[str]:
    """`split:NETWORK` for every network whose probes are all down while another network's are up."""
    if not downs or not ups:
        return NO_TAGS
    up_networks = {one.network for one in ups}
    return frozenset(f"split:{one.network}" for one in downs if one.network not in up_networks)


def any_of(values: list[Value], reason: str = "no_data") -> Value:
    """Kleene OR: any up is up; all down is down; else unknown."""
    up = [value for value in values if value.state == "up"]
    if up:
        return min(up, key=_since)
    degraded = [value for value in values if value.state == "degraded"]
    if degraded:
        return min(degraded, key=_since)
    vague = [value for value in values if value.state == "unknown"]
    if vague or not values:
        since = max((value.since_us for value in values), default=0)
        unproved = [value for value in vague if "unconfirmed" in value.tags]
        why = next((value.reason for value in [*unproved, *vague] if value.reason), reason)
        return unknown(since, why, *(["unconfirmed"] if unproved else []))
    last = max(values, key=_since)
    tags = last.tags if all("visible" in value.tags for value in values) else last.tags - {"visible"}
    return Value("down", last.since_us, last.reason, tags)


def all_of(values: list[Value]) -> Value:
    """Kleene AND: any down is down; any unknown is unknown; degraded if any is; else up."""
    for state, pick in (("down", min), ("unknown", max)):
        found = [value for value in values if value.state == state]
        if found:
            return pick(found, key=_since)
    degraded = [value for value in values if value.state == "degraded"]
    if degraded:
        return min(degraded, key=_since)
    return max(values, key=_since)


def _since(value: Value) -> int:
    return value.since_us
