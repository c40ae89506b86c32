"""What announced and proposed work means: by each customer's contract (the ledger's own rule), and for what is left."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise

from sqlalchemy import Connection

from collector.exclusion import Exclusions
from collector.measure import contracts_of
from collector.notices import notices_of
from collector.verdicts.overlay import Coverage
from sereno.answers.availability import Notice
from sereno.answers.works import PROPOSED, CustomerWord, Judged, Loss, SiteWord
from sereno.availability import Scope
from sereno.contract import Contract
from sereno.store import Store
from sereno.store.queries import ledger
from sereno.store.queries.ledger import Announced
from sereno.topology.model import Topology
from sereno.verdict import MaintenanceWindow

_Named = tuple[str, str]
_LIKELY = frozenset({"core", "sbc", "path"})  # what of the things that are down can be added to a scope


class LedgerWorks:
    """Answers `sereno.answers.works.Works` from a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def judge(
        self, proposed: MaintenanceWindow, down: Collection[_Named], now_us: int, *, but: int | None = None
    ) -> Judged:
        with self._store.read() as connection:
            house = _House(connection)
        others = [one for one in house.announced if one.number != but and one.cancelled_us is None]
        mine = Announced(PROPOSED, proposed, received=True, cancelled_us=None, who="")
        beside = [
            one for one in others
            if one.window.from_us < proposed.to_us and one.window.to_us > proposed.from_us
        ]  # fmt: skip
        words = _words(house, [*others, mine], mine)
        losses = list(_losses(house.topology, proposed, beside, [one for one in down if one[0] in _LIKELY], now_us))
        return Judged(
            customers=tuple(words),
            dark=tuple(loss for loss in losses if loss.left == 0),
            thin=tuple(loss for loss in losses if loss.left > 0),
            overlapping=tuple(one.number for one in beside),
        )

    def announced(self, from_us: int, to_us: int) -> dict[int, tuple[CustomerWord, ...]]:
        with self._store.read() as connection:
            house = _House(connection)
        found = {}
        for one in house.announced:
            if one.window.from_us < to_us and one.window.to_us > from_us:
                found[one.number] = tuple(_words(house, house.announced, one))
        return found


class _House:
    """What one snapshot of the store says."""

    def __init__(self, connection: Connection) -> None:
        topologies = ledger.in_force(connection)
        self.topology: Topology | None = topologies[-1].topology if topologies else None
        self.contracts: Mapping[str, Contract] = contracts_of(topologies)
        self.announced: Sequence[Announced] = ledger.announced(connection)


def _words(house: _House, every: Sequence[Announced], one: Announced) -> Iterator[CustomerWord]:
    """A customer each, in the topology's order."""
    topology = house.topology
    if topology is None:
        return
    excluded = Exclusions(topology, house.contracts, [each.window for each in every])
    for customer, settings in topology.customers.items():
        whole = _notice(house, excluded, Scope("customer", customer), one)
        contract = house.contracts.get(str(settings.contract))
        if whole is None or contract is None:
            continue
        sites = []
        for site, place in topology.sites.items():
            said = _notice(house, excluded, Scope("site", site), one) if place.customer == customer else None
            if said is not None:
                sites.append(SiteWord(site=site, covered=site in said.sites, notice=said))
        yield CustomerWord(
            customer=customer, contract=contract.name, zone=contract.at(one.window.from_us).timezone, notice=whole,
            sites=tuple(sites), received=one.received,
        )  # fmt: skip


def _notice(house: _House, excluded: Exclusions, scope: Scope, one: Announced) -> Notice | None:
    """What the scope's contract makes of the window; None where the work does not touch it."""
    if house.topology is None:
        return None
    window = (one.window.from_us, one.window.to_us)
    found = notices_of(house.topology, house.contracts, [one], scope, excluded(scope), window)
    return found[0] if found else None


# -- what is left ------------------------------------------------------------------------------------------------------


def _losses(
    topology: Topology | None, proposed: MaintenanceWindow, beside: Sequence[Announced], down: Sequence[_Named],
    now_us: int,
) -> Iterator[Loss]:  # fmt: skip
    """Sites that lose all or all but one by the work: by itself, with other work at the time, or with what is down."""
    if topology is None:
        return
    mine = (proposed.scope_kind, proposed.scope_name)
    before = _left(topology, [])
    alone = _left(topology, [mine])
    said: set[str] = set()
    for loss in _worse(before, alone, (proposed.from_us, proposed.to_us)):
        said.add(loss.site)
        yield loss
    edges = {proposed.from_us, proposed.to_us}
    edges |= {edge for one in beside for edge in (one.window.from_us, one.window.to_us)}
    moments = sorted(edge for edge in edges if proposed.from_us <= edge <= proposed.to_us)
    for begin, end in pairwise(moments):
        there = [one for one in beside if one.window.from_us < end and one.window.to_us > begin]
        if not there:
            continue
        scopes = [(one.window.scope_kind, one.window.scope_name) for one in there]
        for loss in _worse(alone, _left(topology, [mine, *scopes]), (begin, end), dark=said):
            said.add(loss.site)
            yield _with(loss, windows=tuple(one.number for one in there))
    if down and proposed.to_us > now_us:
        for loss in _worse(alone, _left(topology, [mine, *down]), (proposed.from_us, proposed.to_us), dark=said):
            yield _with(loss, down=tuple(f"{kind}:{name}" for kind, name in down))


def _with(loss: Loss, *, windows: tuple[int, ...] = (), down: tuple[str, ...] = ()) -> Loss:
    return Loss(
        site=loss.site, left=loss.left, what=loss.what, from_us=loss.from_us, to_us=loss.to_us, windows=windows,
        down=down,
    )  # fmt: skip


_Left = dict[str, dict[str, int]]  # by site: paths, cores and SBCs that it can use


def _left(topology: Topology, scopes: Sequence[_Named]) -> _Left:
    coverage = Coverage(topology, scopes)
    found: _Left = {}
    for name, site in topology.sites.items():
        sbcs = site.sbcs if site.failover != "none" else site.sbcs[:1]
        paths = [
            path for path in topology.paths()
            if path.sbc in sbcs and not (scopes and coverage.covers("path", path.name))
        ]  # fmt: skip
        if scopes and coverage.covers("site", name):
            paths = []
        found[name] = {
            "paths": len(paths), "cores": len({path.core for path in paths}), "sbcs": len({path.sbc for path in paths}),
        }  # fmt: skip
    return found


def _worse(before: _Left, after: _Left, span: tuple[int, int], *, dark: Collection[str] = ()) -> Iterator[Loss]:
    """Where nothing is left that was there, or one of what were several."""
    for site, left in after.items():
        if site in dark and left["paths"] > 0:
            continue
        if left["paths"] == 0:
            if before[site]["paths"] > 0:
                yield Loss(site=site, left=0, what="paths", from_us=span[0], to_us=span[1])
            continue
        for what in ("cores", "sbcs"):
            if left[what] == 1 and before[site][what] > 1:
                yield Loss(site=site, left=1, what=what, from_us=span[0], to_us=span[1])
