"""From votes to verdicts: planes to paths, paths and edges to cores, views to sites (docs/verdicts.md §5–§8).

Every rule is a function of values. `since_us` of a result is when it became true by its inputs' own times, so that
the live engine, which learns late, still says when an outage began.
"""

from collections.abc import Sequence
from typing import NamedTuple

from collector.verdicts.votes import Value, all_of, any_of, unknown

PLANES = ("signalling", "registration", "call")
ALL_PLANES = frozenset(PLANES)


class Planes(NamedTuple):
    """The votes on the three planes of a path (or of an SBC's natural view); None where nobody ever measured."""

    signalling: Value | None
    registration: Value | None
    call: Value | None


def path(planes: Planes, counted: frozenset[str], *, passive: bool = False) -> Value:
    """A path is down if any counted plane is, degraded if another is; unknown if signalling is and nothing is down."""
    known = [(name, value) for name, value in zip(PLANES, planes, strict=True) if value is not None]
    down = [(name, value) for name, value in known if value.state == "down"]
    counts = [(name, value) for name, value in down if name in counted]
    if counts:
        name, first = counts[0]  # in the order of the planes: what a phone meets first
        reason = first.reason or name
        return Value("down", min(value.since_us for _, value in counts), reason, first.tags | {f"plane:{name}"})
    signalling = planes.signalling
    if signalling is None or signalling.state == "unknown":
        if passive:
            return unknown(0 if signalling is None else signalling.since_us, "not_testable")
        return signalling or unknown(0, "no_data")
    spoken = [value for _, value in known if value.alive]
    began = max(value.since_us for value in spoken)
    if down:
        name, worst = down[0]
        return Value("degraded", max(began, worst.since_us), name, worst.tags)
    for value in spoken:
        if value.state == "degraded":
            return value
    return Value("up", began, signalling.reason, signalling.tags)


def refusing(planes: Planes) -> Value | None:
    """The plane on which the core itself says no, None when it does not.

    OPTIONS 5xx or 6xx by the core, or REGISTER or INVITE 5xx while OPTIONS is answered: then whoever the 5xx comes
    from, because an SBC makes a core's 503 its own 500 (RFC 3261 §16.7 step 6).
    """
    signalling = planes.signalling
    if signalling is None:
        return None
    if signalling.state == "down":
        return signalling if "by_core" in signalling.tags else None
    if planes.registration is None and planes.call is None:
        return None
    for value in (planes.registration, planes.call):
        if not signalling.alive or value is None or value.state != "down":
            continue
        if value.reason == "sip_5xx":
            return value
    return None


_UNMEASURED: list[Value | None] = [None, None]


class Reach(NamedTuple):
    """How a core is seen through one SBC."""

    sbc: str
    solid: bool  # its edge is up, and not just before or after an outage of its own
    planes: Planes
    passive: bool


def core(reaches: Sequence[Reach], inside: Value | None, *, sbcs: int) -> Value:
    """A core is down only if every SBC with a live edge fails to reach it.

    It takes two such SBCs, or one that says so itself (408 or 5xx), or an inside probe; the only SBC of a one-SBC
    system is enough. With no live edge nobody knows.
    """
    signalling = [one.planes.signalling for one in reaches]
    reached = [value.since_us for value in signalling if value is not None and value.alive]
    refusals = [refusing(one.planes) for one in reaches]  # of every SBC, which may be a thousand
    refused = [value for value in refusals if value is not None]
    enough = min(2, len({one.sbc for one in reaches}))
    if refused and len(refused) >= enough:
        since = sorted(value.since_us for value in refused)[enough - 1]
        return Value("degraded", since, "core_refusing", frozenset({"core_refusing"}))
    if reached:
        served = [one.planes for one, no in zip(reaches, refusals, strict=True) if no is None]
        return Value("up", max(min(reached), _accepts_since(served, len(reaches) - enough)))
    if inside is not None and inside.alive:
        return Value("degraded", inside.since_us, "unreachable_from_sbcs")
    return _unreached(reaches, inside, sbcs)


def _accepts_since(served: Sequence[Planes], place: int) -> int:
    """When so few SBCs were left to whom the core says no that it counts as serving again."""
    if not 0 <= place < len(served):
        return 0
    since = [
        max((plane.since_us for plane in slow if plane and plane.alive), default=0)
        for _, *slow in served
        if slow != _UNMEASURED
    ]
    nothing = len(served) - len(since)
    return sorted(since)[place - nothing] if place >= nothing else 0


def _unreached(reaches: Sequence[Reach], inside: Value | None, sbcs: int) -> Value:
    """Nobody reaches the core: down if those who could are enough to say so."""
    witnesses = [one for one in reaches if one.solid and not one.passive]
    latest = max((one.planes.signalling.since_us for one in reaches if one.planes.signalling), default=0)
    if not witnesses:
        return unknown(latest, "no_edge")
    failing: list[Value] = []
    for one in witnesses:
        value = one.planes.signalling
        if value is None or value.state == "unknown":
            return unknown(latest, value.reason if value is not None and value.reason else "no_data")
        if value.reason == "wrong_core":
            return unknown(latest, "wrong_core")
        failing.append(value)
    last = max(failing, key=lambda value: value.since_us)
    explicit = any("by_sbc" in value.tags for value in failing)
    confirmed = len(failing) > 1 or explicit or sbcs == 1 or (inside is not None and inside.state == "down")
    if not confirmed:
        return unknown(last.since_us, "unconfirmed", "unconfirmed")
    return Value("down", last.since_us, last.reason, last.tags)


def sbc(edge: Value | None, signalling: Sequence[Value]) -> Value:
    """An SBC is its edge; where no edge is measured, a reply that came through it, or from it, shows it alive."""
    if edge is not None:
        return edge
    alive = [value for value in signalling if value.alive or "by_sbc" in value.tags or "by_core" in value.tags]
    if alive:
        return Value("up", min(value.since_us for value in alive), "no_edge")
    return unknown(max((value.since_us for value in signalling), default=0), "no_edge")


def view(natural: Value | None, paths: Sequence[Value], signalling: Sequence[Value]) -> Value:
    """What a phone sees of an SBC: its natural transactions AND, while forced signalling passes, any of its paths.

    Natural transactions that pass while all forced ones fail are a fault of steering: the phone's view wins.
    """
    terms = [] if natural is None else [natural]
    if natural is None or any(value.alive for value in signalling):
        terms.append(any_of(list(paths)))
    return all_of(terms)


def site(views: Sequence[Value], failover: str) -> Value:
    """A site's verdict from what its SBCs look like, in the order its phones try them.

    With automatic failover any SBC that is up is enough, but a phone leaves an SBC only for failures it can see: an
    SBC that answers and gives no audio holds its phones.
    """
    if failover == "any":
        return any_of(list(views))  # no sites are named: the service itself, wherever it answers
    if failover != "auto":
        return views[0]
    for index, value in enumerate(views):
        if value.alive:
            if index == 0:
                return value
            return value._replace(since_us=_carried(views[: index + 1]))
        if value.state == "down" and "visible" not in value.tags:
            return _stuck(views[: index + 1])
    return any_of(list(views))


def _stuck(views: Sequence[Value]) -> Value:
    """The last of these SBCs holds its phones without serving them, if they have come so far."""
    since = max(one.since_us for one in views)
    if all(one.state == "down" for one in views):
        return views[-1]._replace(since_us=since)
    return unknown(since, next(one.reason for one in views if one.state != "down") or "no_data")


def _carried(views: Sequence[Value]) -> int:
    """A later SBC carries the site: since it is up, however long the earlier ones have been away."""
    return views[-1].since_us


class Redundancy(NamedTuple):
    """Twins that a site was given and that are not known to be dead."""

    configured: int
    live: int
    since_us: int  # when the last but one was lost
    regained_us: int  # when a second one was there again

    @property
    def lost(self) -> bool:
        return self.configured > 1 and self.live <= 1


def redundancy(states: Sequence[Value]) -> Redundancy:
    """How many of the twins are left; since the one that made it one."""
    dead = sorted(value.since_us for value in states if value.state == "down")
    needed = len(states) - 1
    since = dead[needed - 1] if 0 < needed <= len(dead) else 0
    alive = sorted(value.since_us for value in states if value.alive)
    return Redundancy(len(states), len(states) - len(dead), since, alive[1] if len(alive) > 1 else 0)


def degraded_by(value: Value, lost: Redundancy | None, regained_us: int, *, single: bool) -> Value:
    """A site that stands on its last leg is degraded, and says so; one built on a single leg is only told apart."""
    if value.state != "up":
        return value
    if lost is not None:
        return Value("degraded", max(value.since_us, lost.since_us), "redundancy_lost", value.tags)
    since = max(value.since_us, regained_us)
    return value._replace(since_us=since, reason="no_redundancy" if single else value.reason)


def partly(value: Value, views: Sequence[Value]) -> Value:
    """A service without sites is degraded as soon as one of its SBCs is down or degraded to its phones."""
    worse = [one for one in views if one.state in {"down", "degraded"}]
    if value.state != "up" or not worse:
        return value
    first = min(worse, key=lambda one: one.since_us)
    reason = "sbc_down" if first.state == "down" else first.reason
    return Value("degraded", max(value.since_us, first.since_us), reason, first.tags - {"visible"})


def service(sites: Sequence[Value]) -> Value:
    """Down when all are; degraded when any is down or degraded; unknown while nobody is known to be up."""
    down = [value for value in sites if value.state == "down"]
    if down and len(down) == len(sites):
        return max(down, key=lambda value: value.since_us)
    alive = [value for value in sites if value.alive]
    if not alive:
        return any_of(list(sites))
    worse = [value for value in sites if value.state in {"down", "degraded"}]
    if worse:
        first = min(worse, key=lambda value: value.since_us)
        reason = "site_down" if down else first.reason
        return Value("degraded", first.since_us, reason, first.tags - {"visible"})
    best = min(alive, key=lambda value: value.since_us)
    return Value("up", max(value.since_us for value in alive), best.reason, best.tags)


def target(value: Value, others: Sequence[Value]) -> Value:
    """A portal or database is what its probes say; a primary that lost its role is missed only if nobody took it."""
    if value.state == "down" and value.reason == "role":
        writable = [one for one in others if one.alive and "writable" in one.tags]
        if writable:
            since = max(value.since_us, min(one.since_us for one in writable))
            return Value("degraded", since, "role", value.tags - {"visible"})
    return value


def customer(sites: Sequence[Value]) -> Value:
    """The worst of a customer's sites: down, unknown, degraded, up."""
    for state, pick in (("down", min), ("unknown", max), ("degraded", min)):
        found = [value for value in sites if value.state == state]
        if found:
            return pick(found, key=lambda value: value.since_us)
    return Value("up", max(value.since_us for value in sites))
