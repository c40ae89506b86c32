"""Which time a contract takes out of availability (docs/verdicts.md §9): announced work, and only under its terms.

The announced scope must cover the element wholly, the notice must have been given in time, and what lies outside the
contract's daily window, or after the announced end, counts as ever. Isolation under attack excludes nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from collector.availability import Excluded, Promise
from collector.ledger import spans
from collector.ledger.spans import Spans
from collector.verdicts.overlay import Coverage, active
from sereno.answers.availability import Refusal
from sereno.availability import Scope
from sereno.clock import from_datetime, to_datetime
from sereno.contract import Contract, Version
from sereno.store.queries.ledger import TopologyInForce
from sereno.topology.model import Topology
from sereno.verdict import MaintenanceWindow


class Judged(NamedTuple):
    """What a contract's version makes of a window: the part that it excludes, and why not the rest."""

    spans: Spans
    notice_days: int  # local days between announcement and beginning
    refused: tuple[Refusal, ...]


def accepted(window: MaintenanceWindow, version: Version) -> Spans:
    """The part of a window that a contract's version excludes; empty where its terms were not kept."""
    return judged(window, version).spans


def judged(window: MaintenanceWindow, version: Version) -> Judged:
    """The same with its reasons."""
    terms = version.maintenance
    zone = ZoneInfo(version.timezone)
    begins = to_datetime(window.from_us).astimezone(zone).date()
    notice = (begins - to_datetime(window.announced_us).astimezone(zone).date()).days
    if terms is None:
        return Judged([], notice, ("no_exclusion",))
    if window.announced_us > window.from_us:
        return Judged([], notice, ("after_begin",))
    same_day = window.critical_fix and terms.critical_fix == "same_day" and notice == 0
    if not same_day and not terms.notice_days[0] <= notice <= terms.notice_days[1]:
        return Judged([], notice, ("notice_short" if notice < terms.notice_days[0] else "notice_long",))
    ends = to_datetime(window.to_us).astimezone(zone).date()
    nights = [_night(begins + timedelta(days=day), terms.window, zone) for day in range(-1, (ends - begins).days + 2)]
    inside = spans.intersect([(window.from_us, window.to_us)], spans.union(nights))
    whole = spans.total(inside) == window.to_us - window.from_us
    return Judged(inside, notice, () if whole else ("outside_hours",))


def _night(day: date, window: tuple[int, int], zone: ZoneInfo) -> tuple[int, int]:
    """The contract's window that begins on a local day; minutes of the day, perhaps past midnight."""
    begins, ends = window
    last = day if begins < ends else day + timedelta(days=1)
    return _instant(day, begins, zone), _instant(last, ends, zone)


def _instant(day: date, minute: int, zone: ZoneInfo) -> int:
    day += timedelta(days=minute // 1440)
    local = datetime.combine(day, time(minute % 1440 // 60, minute % 60), zone)
    return from_datetime(local.astimezone(UTC))


class Plans:
    """The topology of any instant: what work covers is read from the plan of its own time."""

    def __init__(self, read_by: Topology, known: Sequence[TopologyInForce] = ()) -> None:
        self._read_by, self._known = read_by, list(known)
        self.moments = [one.from_us for one in known]

    def at(self, at_us: int, scope: Scope) -> Topology:
        """The one in force then; the one that figures are read by, where that one does not know the scope."""
        found = self._read_by
        for place, one in enumerate(self._known):
            if place == 0 or one.from_us <= at_us:
                found = one.topology
        there = scope.kind != "site" or scope.name in found.sites
        return found if there else self._read_by


class Exclusions:
    """Excluded time of any scope: by its customer's contract, or by all contracts where it serves several."""

    def __init__(
        self,
        topology: Topology,
        contracts: Mapping[str, Contract],
        windows: Iterable[MaintenanceWindow],
        plans: Plans | None = None,
    ) -> None:
        self._topology, self._contracts = topology, contracts
        self._plans = plans or Plans(topology)
        self._windows = list(windows)
        self._known: dict[Scope, Spans] = {}

    def __call__(self, scope: Scope) -> Spans:
        if scope not in self._known:
            self._known[scope] = self._of(scope)
        return self._known[scope]

    def _of(self, scope: Scope) -> Spans:
        names = contract_names(self._topology, self._contracts, scope)
        if not names or not self._windows:
            return []
        found: Spans | None = None
        for name in names:
            own = self._under(self._contracts[name], scope)
            found = own if found is None else spans.intersect(found, own)
        return found or []

    def _under(self, contract: Contract, scope: Scope) -> Spans:
        """Time at which the windows that the contract accepts cover the scope together."""
        pieces = [
            MaintenanceWindow(
                scope_kind=window.scope_kind,
                scope_name=window.scope_name,
                from_us=begin,
                to_us=end,
                announced_us=window.announced_us,
            )
            for window in self._windows
            for begin, end in accepted(window, contract.at(window.from_us))
        ]
        moments = {edge for piece in pieces for edge in (piece.from_us, piece.to_us)}
        found = []
        for begin, end in pairwise(sorted({*moments, *self._plans.moments})):
            scopes = [(piece.scope_kind, piece.scope_name) for piece in active(pieces, begin)]
            if scopes and Coverage(self._plans.at(begin, scope), scopes).covers(scope.kind, scope.name):
                found.append((begin, end))
        return spans.union(found)


def contract_names(topology: Topology, contracts: Mapping[str, Contract], scope: Scope) -> list[str]:
    """The contracts that speak about a scope."""
    customers = topology.customers
    if scope.kind == "customer":
        wanted = [scope.name]
    elif scope.kind == "site":
        wanted = [topology.sites[scope.name].customer]
    else:
        wanted = list(customers)
    names = [customers[name].contract for name in wanted if name in customers]
    found = [name for name in dict.fromkeys(names) if name in contracts]
    return found or ([] if customers else list(contracts))


def promised(
    topology: Topology, contracts: Mapping[str, Contract], scope: Scope, from_us: int, to_us: int
) -> list[Promise]:
    """Per piece of the window with one version of every contract: the strictest availability promised there."""
    named = [contracts[name] for name in contract_names(topology, contracts, scope)]
    cuts = {version.effective_us for contract in named for version in contract.versions[1:]}
    edges = sorted({from_us, to_us, *(cut for cut in cuts if from_us < cut < to_us)})
    return [(begin, end, target_ppm(topology, contracts, scope, begin)) for begin, end in pairwise(edges)]


def target_ppm(topology: Topology, contracts: Mapping[str, Contract], scope: Scope, at_us: int) -> int | None:
    """The strictest availability that the scope's contracts promise at an instant."""
    targets: Sequence[int | None] = [
        contracts[name].at(at_us).target_ppm for name in contract_names(topology, contracts, scope)
    ]
    return max((target for target in targets if target is not None), default=None)


def zone_of(topology: Topology, contracts: Mapping[str, Contract], scope: Scope, at_us: int) -> str:
    """The IANA zone of a scope's months: its contract's, where there is one such; else the topology's."""
    zones = {contracts[name].at(at_us).timezone for name in contract_names(topology, contracts, scope)}
    return zones.pop() if len(zones) == 1 else topology.timezone


__all__ = [
    "Excluded",
    "Exclusions",
    "Judged",
    "accepted",
    "contract_names",
    "judged",
    "promised",
    "target_ppm",
    "zone_of",
]
