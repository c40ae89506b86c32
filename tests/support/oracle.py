"""An independent reading of the rules of verdicts: slow, by brute force, one instant at a time.

Written from the text (docs/verdicts.md §1–§11), not from the machines: it looks ahead in lists where they keep state,
asks every rule again at every instant where they follow changes, and knows no reasons, only states. Alive is `up` or
`degraded`: why something is degraded is another matter, told by `degraded` where the text fixes it.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cache

from sereno.topology.model import Topology
from sereno.wire import Result

S = 1_000_000
UP, DOWN, UNKNOWN = "up", "down", "unknown"
PLANES = {"signalling": "options", "registration": "register", "call": "call"}
_EVERY = {"edge": S, "natural": S, "options": S, "register": 30 * S, "call": 60 * S}
_TIMEOUT = {"edge": 900_000, "natural": 900_000, "options": 900_000, "register": 4 * S, "call": 8 * S}
INSIDE = ("(inside)",)


class Series:
    """What one probe says of one thing by one check, with the whole record before it."""

    def __init__(self, results: list[Result], hold: int, timeout: int, ignore: Callable[[Result], bool]) -> None:
        self.hold, self.timeout = hold, timeout
        last: dict[int, Result] = {}
        for one in results:  # two results of one instant: the later told supersedes
            last[one.at_us] = one
        self.first = min(last)
        self.samples = [one for _, one in sorted(last.items()) if not ignore(one)]
        self.replies = sorted(self._reply(one) for one in self.samples if self._mark(one) == "L")
        self._state: str = UNKNOWN
        self._good: int | None = None  # while down: the first success since the last failure
        self._said: list[tuple[int, str, Result | None]] = []
        self.says = self._read()
        self._starts = [begin for begin, _, _ in self.says]

    def exists(self, t: int) -> bool:
        return t >= self.first - 60 * S

    def at(self, t: int) -> tuple[str, Result | None]:
        """The state at an instant, and the sample that decided it."""
        index = bisect_right(self._starts, t)
        return (self.says[index - 1][1], self.says[index - 1][2]) if index else (UNKNOWN, None)

    def _mark(self, one: Result) -> str:
        if one.outcome == "ok":
            return "L" if one.reason == "late" else "G"
        canaries = (one.evidence or {}).get("canaries", {}) if isinstance(one.evidence, dict) else {}
        blind = bool(canaries) and not any(canaries.values()) and one.answered_by in {None, "none"}
        return "V" if one.outcome == "invalid" or blind else "F"

    def _reply(self, one: Result) -> int:
        return one.at_us + round((one.answered_after_seconds or 0) * S)

    def _known(self, one: Result) -> int:
        """When a failure was known to be one."""
        if self._mark(one) == "F" and one.duration_seconds is not None:
            return min(one.at_us + self.timeout, one.at_us + round(one.duration_seconds * S))
        return one.at_us + self.timeout

    def _read(self) -> list[tuple[int, str, Result | None]]:
        """Goes along the samples once, looking ahead at the next one."""
        self._state, self._good, self._said = UNKNOWN, None, []
        used = 0
        for i, one in enumerate(self.samples):
            before = self.samples[i - 1] if i else None
            while used < len(self.replies) and self.replies[used] <= one.at_us:
                self._reply_heard(self.replies[used], before)
                used += 1
            if before is not None and one.at_us - before.at_us > self.hold:
                self._say(before.at_us + self.hold, UNKNOWN, None)
            follower = self.samples[i + 1] if i + 1 < len(self.samples) else None
            if follower is not None and follower.at_us - one.at_us > self.hold:
                follower = None
            self._take(one, follower)
        if self.samples:
            for reply in self.replies[used:]:
                self._reply_heard(reply, self.samples[-1])
            self._say(self.samples[-1].at_us + self.hold, UNKNOWN, None)
        return self._said

    def _take(self, one: Result, follower: Result | None) -> None:
        mark = self._mark(one)
        if mark == "V":
            self._say(one.at_us, UNKNOWN, one)
        elif mark == "G" and self._state == UNKNOWN:
            self._say(one.at_us, UP, one)
        elif mark == "G" and self._state == DOWN:
            self._success(one.at_us, one)
        elif mark == "F" and self._state == DOWN:
            self._good = None
        elif mark in "FL" and self._state != DOWN:
            if self._state == UNKNOWN and mark == "L":
                self._say(one.at_us, UP, one)
            self._failing(one, follower)

    def _say(self, begin: int, state: str, why: Result | None) -> None:
        begin = max(begin, self._said[-1][0] if self._said else begin)
        self._state, self._good = state, None
        self._said.append((begin, state, why))

    def _reply_heard(self, reply: int, before: Result | None) -> None:
        """A late reply: while down, a success at its arrival."""
        if self._state == DOWN and before is not None and reply - before.at_us <= self.hold:
            self._success(reply, before)

    def _failing(self, one: Result, follower: Result | None) -> None:
        """Down with the next one, if nothing was heard since this one was sent; unproved if nothing follows."""
        if follower is not None and self._mark(follower) in "FL":
            heard = any(one.at_us <= reply <= self._known(follower) for reply in self.replies)
            if not heard:
                self._say(one.at_us, DOWN, one if self._mark(one) == "F" else follower)
        elif self._mark(one) == "F" and self._state == UP and (follower is None or self._mark(follower) == "V"):
            self._say(one.at_us, UNKNOWN, follower)

    def _success(self, at: int, why: Result) -> None:
        """The second success in a row ends an outage at the first."""
        if self._good is None:
            self._good = at
        else:
            self._say(self._good, UP, why)


class Oracle:
    """Every element of a topology at any instant."""

    def __init__(self, topology: Topology, results: Iterable[Result], counted: Iterable[str] = tuple(PLANES)) -> None:
        self.topology = topology
        self.counted = frozenset(counted)
        self.every, self.timeout = dict(_EVERY), dict(_TIMEOUT)
        checks = topology.checks
        for name, found in {"edge": checks.edge, "options": checks.options, "natural": checks.natural,
                            "register": checks.register_, "call": checks.call}.items():  # fmt: skip
            if found is not None:
                self.every[name], self.timeout[name] = found.every_us, found.timeout_us
        by: dict[tuple[str, ...], list[Result]] = defaultdict(list)
        for one in sorted(results, key=lambda one: (one.at_us, one.probe, one.boot, one.seq)):
            by[one.probe, one.check, one.sbc or "", one.core or "", one.address or ""].append(one)
        self.series: dict[tuple[str, ...], Series] = {}
        for key in sorted(by, key=lambda key: key[1] in {"register", "call"}):
            self.series[key] = self._series(key, by[key])
        self.state = cache(self._state)
        self.shaky: dict[str, list[int]] = {}
        self.shaky = {name: self._ends(name) for name in topology.sbcs}
        self.state.cache_clear()

    def _series(self, key: tuple[str, ...], results: list[Result]) -> Series:
        probe, check, sbc, core, address = key
        fast = "options" if core else "natural"
        beside = [one for other, one in self.series.items() if other[:4] == (probe, fast, sbc, core)]
        beside = [one for other, one in self.series.items() if other == (probe, fast, sbc, core, address)] or beside

        def explained(one: Result) -> bool:
            """A registration or a call that failed while the signalling of its path was down (§6)."""
            if check not in {"register", "call"} or one.outcome != "failed":
                return False
            said = [
                (state, why)
                for state, why in (one_.at(one.at_us) for one_ in beside)
                if (state, why) != (UNKNOWN, None)
            ]
            if not said:
                return False
            if all(state == DOWN for state, _ in said):
                return True
            return one.reason == "timeout" and all(state in {DOWN, UNKNOWN} for state, _ in said)

        return Series(results, self.every[check] * 5 // 2, self.timeout[check], explained)

    # -- votes -------------------------------------------------------------------------------------------------------

    def voters(self, networks: tuple[str, ...], check: str) -> dict[str, str]:
        """The probes that may vote: outside ones, on these networks if any are given, that make the check."""
        vantage = "inside" if networks == INSIDE else "outside"
        networks = () if networks == INSIDE else networks
        return {
            name: probe.network
            for name, probe in self.topology.probes.items()
            if probe.vantage == vantage
            and (not networks or probe.network in networks)
            and (probe.checks is None or check in probe.checks)
        } or ({key[0]: "" for key in self.series} if not self.topology.probes and vantage == "outside" else {})

    def opinion(self, probe: str, check: str, sbc: str, core: str, t: int) -> str:
        """One probe: alive if any address answers, down if none does."""
        found = [one.at(t)[0] for key, one in self.series.items() if key[:4] == (probe, check, sbc, core)]
        return _any(found) if found else UNKNOWN

    def vote(self, networks: tuple[str, ...], check: str, sbc: str, core: str, t: int) -> str:
        may = self.voters(networks, check)
        said = {probe: self.opinion(probe, check, sbc, core, t) for probe in may}
        ups = [probe for probe, state in said.items() if state == UP]
        downs = [probe for probe, state in said.items() if state == DOWN]
        valid = len(ups) + len(downs)
        if valid and 2 * len(ups) > valid:
            return UP
        if valid and 2 * len(downs) > valid:
            if valid == 1 and len(may) > 1:
                return UNKNOWN
            two = len(set(may.values())) > 1
            return DOWN if not two or len({may[probe] for probe in downs}) > 1 else UNKNOWN
        return UNKNOWN

    def measured(self, networks: tuple[str, ...], check: str, sbc: str, core: str, t: int) -> bool:
        """Somebody who may vote measures it, from a minute before the first sample on."""
        may = self.voters(networks, check)
        return any(
            key[1:4] == (check, sbc, core) and key[0] in may and one.exists(t) for key, one in self.series.items()
        )

    # -- elements ----------------------------------------------------------------------------------------------------

    def _state(self, kind: str, name: str, t: int) -> str:
        return {
            "path": lambda: self.path((), *name.split("/"), t),
            "sbc": lambda: self.sbc(name, t),
            "core": lambda: self.core(name, t),
            "site": lambda: self.site(name, t),
            "service": lambda: self.service(t),
            "customer": lambda: self.customer(name, t),
        }[kind]()

    def path(self, networks: tuple[str, ...], sbc: str, core: str, t: int) -> str:
        checks = {"signalling": "options" if core else "natural", "registration": "register", "call": "call"}
        planes = {plane: self.vote(networks, check, sbc, core, t) for plane, check in checks.items()}
        if any(planes[plane] == DOWN for plane in self.counted):
            return DOWN
        return UNKNOWN if planes["signalling"] == UNKNOWN else UP

    def sbc(self, name: str, t: int) -> str:
        if self.measured((), "edge", name, "", t):
            return self.vote((), "edge", name, "", t)
        # No edge is measured: what came through it shows it alive; nothing can show it dead.
        cores = ["", *(path.core for path in self.topology.paths() if path.sbc == name)]
        heard = [self.vote((), "options" if core else "natural", name, core, t) for core in cores]
        return UP if UP in heard[1:] else UNKNOWN

    def core(self, name: str, t: int) -> str:
        paths = [path for path in self.topology.paths() if path.core == name]
        seen = {path.sbc: self.vote((), "options", path.sbc, name, t) for path in paths}
        if UP in seen.values():
            return UP
        through = [path.sbc for path in paths if self.measured(INSIDE, "options", path.sbc, name, t)]
        inside = _any([self.vote(INSIDE, "options", sbc, name, t) for sbc in through])
        if inside == UP:
            return UP
        slack = 2 * self.every["options"]
        live = [
            path.sbc
            for path in paths
            if not path.passive
            and self.sbc(path.sbc, t) == UP
            and not any(end - slack <= t < end + slack for end in self.shaky.get(path.sbc, []))
        ]
        if not live or any(seen[sbc] != DOWN for sbc in live):
            return UNKNOWN
        return DOWN if len(live) > 1 or len(self.topology.sbcs) == 1 or inside == DOWN else UNKNOWN

    def view(self, networks: tuple[str, ...], sbc: str, t: int) -> str:
        """What phones see of an SBC: its natural check where there is one, and any of its paths."""
        paths = [path for path in self.topology.paths() if path.sbc == sbc and not path.passive]
        forced = _any([self.path(networks, sbc, path.core, t) for path in paths])
        if not self.measured(networks, "natural", sbc, "", t):
            return forced
        natural = self.path(networks, sbc, "", t)
        passing = UP in [self.vote(networks, "options", sbc, path.core, t) for path in paths]
        if DOWN in ((natural, forced) if passing else (natural,)):
            return DOWN
        return UNKNOWN if UNKNOWN in ((natural, forced) if passing else (natural,)) else UP

    def site(self, name: str, t: int) -> str:
        site = self.topology.sites[name]
        views = [self.view(site.networks, sbc, t) for sbc in site.sbcs]
        return views[0] if site.failover != "auto" else _any(views)

    def service(self, t: int) -> str:
        if self.topology.sites:
            return _any([self.site(name, t) for name in self.topology.sites])
        return _any([self.view((), sbc, t) for sbc in self.topology.sbcs])

    def customer(self, name: str, t: int) -> str:
        own = [self.site(site, t) for site, one in self.topology.sites.items() if one.customer == name]
        return DOWN if DOWN in own else UNKNOWN if UNKNOWN in own else UP

    # -- over time ---------------------------------------------------------------------------------------------------

    def instants(self, from_us: int, to_us: int) -> list[int]:
        """Every instant at which anything can change, and the window's own."""
        slack = 2 * self.every["options"]
        found = {from_us} | {begin for one in self.series.values() for begin, _, _ in one.says}
        found |= {one.first - 60 * S for one in self.series.values()}
        found |= {end + shift for ends in self.shaky.values() for end in ends for shift in (-slack, slack)}
        return sorted(one for one in found if from_us <= one < to_us)

    def intervals(self, kind: str, name: str, from_us: int, to_us: int) -> list[tuple[str, int, int]]:
        """(state, from, to), adjacent ones of one state joined."""
        found: list[tuple[str, int, int]] = []
        instants = self.instants(from_us, to_us)
        for begin, end in zip(instants, [*instants[1:], to_us], strict=True):
            state = self.state(kind, name, begin)
            if found and found[-1][0] == state:
                found[-1] = (state, found[-1][1], end)
            else:
                found.append((state, begin, end))
        return found

    def seconds(self, kind: str, name: str, from_us: int, to_us: int) -> dict[str, int]:
        """Microseconds in each state."""
        total = {UP: 0, DOWN: 0, UNKNOWN: 0}
        for state, begin, end in self.intervals(kind, name, from_us, to_us):
            total[state] += end - begin
        return total

    def _ends(self, name: str) -> list[int]:
        """The instants at which an SBC's own outages begin and end."""
        told = self.intervals("sbc", name, 0, 2**62)
        return [end for state, begin, end in told if state == DOWN and end < 2**62] + [
            begin for state, begin, _ in told if state == DOWN
        ]


def _any(states: list[str]) -> str:
    """Kleene's OR."""
    return UP if UP in states else UNKNOWN if UNKNOWN in states or not states else DOWN
