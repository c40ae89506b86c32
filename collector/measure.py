"""The figures of a scope from what is stored: the ledger, and a fold of what it does not hold yet."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from collector.availability import Book, allowance, figures, weighted_down
from collector.exclusion import Exclusions, Plans, promised, zone_of
from collector.ledger import late, spans
from collector.ledger.fold import Interval
from collector.ledger.writer import kept_intervals, stored_intervals
from collector.months import days_of, month_window, year_before
from sereno.answers.availability import Asked
from sereno.availability import PPM, Figures, Scope
from sereno.clock import SECOND_US
from sereno.contract import Contract, load_contract
from sereno.errors import StoreError, UsageError
from sereno.scope import parse_scope
from sereno.store import Store
from sereno.store.queries import ledger, results, revisions
from sereno.store.queries.ledger import TopologyInForce
from sereno.store.queries.revisions import Revision, revision_json
from sereno.topology import Topology


class Report(NamedTuple):
    """The figures of a scope, and what a person wants beside them."""

    figures: Figures
    zone: str
    sites: dict[str, Figures]  # of a service: each site by itself
    weighted_down_us: int | None  # of a service with sites
    budget_us: int | None  # of the whole month, where a month was asked for that is not over
    revisions: list[Revision]
    year: Figures | None  # up to the window's end
    days: list[tuple[int, Figures]]  # per local day: where it begins
    differs: list[late.Piece]  # with `recompute`: where the ledger says something else than the results
    forgotten_us: int | None  # with `recompute`: of the window's time before this no result is kept

    @property
    def worst(self) -> tuple[str, Figures] | None:
        """The site that was down longest; of equals the one of which least is known, then by name."""
        rank = [(-one.down_us, -one.unknown_us, name) for name, one in self.sites.items()]
        return (min(rank)[2], self.sites[min(rank)[2]]) if rank else None


def measure(store: Store, scope: str, from_us: int, to_us: int, *, recompute: bool = False) -> Figures:
    """The figures of a scope from what is stored."""
    with store.read() as connection:
        return Measuring(connection, Asked(scope, from_us, to_us), to_us).figures(recompute=recompute)


def report(
    store: Store, asked: Asked, now_us: int, *,
    recompute: bool = False, pictures: bool = True, progress: Callable[[float], None] | None = None,
) -> Report:  # fmt: skip
    """The figures with everything beside them; year and days, which take time, only with `pictures`.

    `progress` hears which part of the results has been read, 0 to 1, where they must be.
    """
    with store.read() as connection:
        return Measuring(connection, asked, now_us, progress).report(recompute=recompute, pictures=pictures)


def as_json(found: Report) -> dict[str, Any]:
    """The shape of `availability --json`: the figures, and what stands beside them."""
    one = found.figures
    answer: dict[str, Any] = one.as_json() | {
        "timezone": found.zone,
        "outages": one.outages,
        "bound_seconds": one.bound_us / SECOND_US,
        "budget_seconds": None if found.budget_us is None else found.budget_us / SECOND_US,
        "budget_remaining_seconds": None if found.budget_us is None else (found.budget_us - one.down_us) / SECOND_US,
        "revisions": [revision_json(each) for each in found.revisions],
    }
    if found.weighted_down_us is not None and found.worst is not None:
        answer["weighted_down_seconds"] = found.weighted_down_us / SECOND_US
        answer["worst_site"] = {"site": found.worst[0]} | _brief(found.worst[1])
        answer["sites"] = [{"site": name} | _brief(each) for name, each in found.sites.items()]
    return answer


def _brief(one: Figures) -> dict[str, Any]:
    whole = one.as_json()
    wanted = ("low", "observed", "high", "down_seconds", "excluded_seconds", "unknown_seconds", "target", "verdict")
    return {key: whole[key] for key in wanted}


class Measuring:
    """One answer from one snapshot of the store."""

    def __init__(
        self, connection: Connection, asked: Asked, now_us: int, progress: Callable[[float], None] | None = None
    ) -> None:
        self._connection = connection
        self._progress = progress
        self._topologies = ledger.in_force(connection)
        if not self._topologies:
            raise StoreError("no topology was ever recorded in this store; start `sereno up` on it once")
        self._contracts = contracts_of(self._topologies)
        about_us = asked.from_us if asked.month is None else _about(asked.month)
        self._topology = self._knowing(asked.scope, about_us)
        self._scope = Scope(*parse_scope(self._topology, asked.scope))
        self.zone = zone_of(self._topology, self._contracts, self._scope, about_us)
        self._from_us, self._to_us, self._month = asked.from_us, asked.to_us, None
        self._asked_month = asked.month
        if asked.month is not None:
            self._month = month_window(self.zone, asked.month)
            self._from_us, self._to_us = self._month[0], min(self._month[1], now_us)
            if self._from_us >= self._to_us:
                raise UsageError(f"--month {asked.month} has not begun; ask for one that has")
        self._announced = ledger.announced(connection)
        self._plans = Plans(self._topology, self._topologies)
        windows = [one.window for one in self._announced]
        self._excluded = Exclusions(self._topology, self._contracts, windows, self._plans)

    # -- answers -----------------------------------------------------------------------------------------------------

    def figures(self, *, recompute: bool) -> Figures:
        return self._figures(Book(self._intervals(recompute=recompute)), self._scope, self._from_us, self._to_us)

    def report(self, *, recompute: bool, pictures: bool) -> Report:
        found = self._intervals(recompute=recompute)
        book = Book(found)
        whole = self._figures(book, self._scope, self._from_us, self._to_us)
        sites: dict[str, Figures] = {}
        weighted = None
        if self._scope.kind == "service" and self._topology.sites:
            for name in self._topology.sites:
                sites[name] = self._figures(book, Scope("site", name), self._from_us, self._to_us)
            weighted = round(weighted_down(self._topology, sites) * SECOND_US)
        return Report(
            figures=whole,
            zone=self.zone,
            sites=sites,
            weighted_down_us=weighted,
            budget_us=self._budget(whole),
            revisions=revisions.revisions(self._connection, self._from_us, self._to_us, self._elements),
            year=self._year(found) if pictures else None,
            days=self._days(book, self._scope) if pictures else [],
            differs=self._differs(found) if recompute else [],
            forgotten_us=self._forgotten_us if recompute and self._forgotten_us > self._from_us else None,
        )

    # -- parts -------------------------------------------------------------------------------------------------------

    @property
    def _elements(self) -> list[tuple[str, str]]:
        """What the scope's figures are read from."""
        sites = self._topology.sites
        if self._scope.kind == "service":
            return [self._scope, *(("site", name) for name in sites)]
        if self._scope.kind == "customer":
            return [("site", name) for name, site in sites.items() if site.customer == self._scope.name]
        return [self._scope]

    def _intervals(self, *, recompute: bool) -> list[Interval]:
        return stored_intervals(
            self._connection, self._topologies, self._contracts, self._from_us, self._to_us,
            recompute=recompute, elements=self._elements, progress=self._part() if self._progress else None,
        )  # fmt: skip

    def _part(self) -> Callable[[int], None]:
        first_us = (results.span(self._connection) or (self._from_us, 0))[0]

        def tell(at_us: int) -> None:
            if self._progress is not None and self._to_us > first_us:
                self._progress(min(1.0, max(0.0, (at_us - first_us) / (self._to_us - first_us))))

        return tell

    @property
    def _forgotten_us(self) -> int:
        """Before this instant no result is kept any more, so none can speak against the ledger."""
        span = results.span(self._connection)
        return self._to_us if span is None else span[0]

    def _figures(self, book: Book, scope: Scope, from_us: int, to_us: int) -> Figures:
        pieces = promised(self._topology, self._contracts, scope, from_us, to_us)
        return figures(self._topology, book, scope, from_us, to_us, excluded=self._excluded, promised=pieces)

    def _budget(self, whole: Figures) -> int | None:
        """What the month leaves room for, to its end; work that is still to be excluded is not counted on."""
        if self._month is None or whole.allowed_ppm is None:
            return whole.budget_us
        allowed = allowance(promised(self._topology, self._contracts, whole.scope, *self._month), [])
        if allowed is None:
            return None
        so_far = promised(self._topology, self._contracts, whole.scope, self._from_us, self._to_us)
        return (allowed - (allowance(so_far, []) or 0) + whole.allowed_ppm) // PPM

    def _year(self, found: Sequence[Interval]) -> Figures:
        """The year up to the window's end: from the ledger's rows, and what was asked for as it was found."""
        begin_us = year_before(self.zone, self._to_us)
        earlier = kept_intervals(self._connection, self._topologies, begin_us, self._from_us, self._elements)
        return self._figures(Book([*earlier, *found]), self._scope, begin_us, self._to_us)

    def _days(self, book: Book, scope: Scope) -> list[tuple[int, Figures]]:
        return [
            (day_us, self._figures(book, scope, max(day_us, self._from_us), min(end_us, self._to_us)))
            for day_us, end_us in days_of(self.zone, self._from_us, self._to_us)
        ]

    def _differs(self, folded: Sequence[Interval]) -> list[late.Piece]:
        """Where the ledger's rows and the results say different things of the scope."""
        kept = kept_intervals(self._connection, self._topologies, self._from_us, self._to_us, self._elements)
        mine = set(self._elements)
        covered = spans.clip(((one.from_us, one.to_us) for one in kept), self._forgotten_us, self._to_us)
        there, here = (
            [
                one._replace(from_us=begin, to_us=end)
                for one in account
                if (one.kind, one.name) in mine
                for begin, end in spans.intersect([(one.from_us, one.to_us)], covered)
            ]
            for account in (kept, folded)
        )
        return late.changed(late.weighed(there), late.weighed(here))

    def _knowing(self, scope: str, at_us: int) -> Topology:
        """The topology that knows the scope: the one in force then, else the newest that does."""
        known = [one.topology for one in self._topologies]
        preferred = next((one.topology for one in reversed(self._topologies) if one.from_us <= at_us), known[0])
        for topology in (preferred, *reversed(known)):
            try:
                parse_scope(topology, scope)
            except UsageError:
                continue
            return topology
        return preferred


def _about(month: str) -> int:
    """An instant in the middle of a month, whatever the zone; UsageError when it is none."""
    try:
        begin_us, end_us = month_window("UTC", month)
    except ValueError as error:
        raise UsageError(f"--month {error}") from None
    return (begin_us + end_us) // 2


def contracts_of(topologies: list[TopologyInForce]) -> dict[str, Contract]:
    """The contracts of every customer that was ever served, as found beside the newest topology that names them."""
    places = {customer.contract: one.beside for one in topologies for customer in one.topology.customers.values()}
    return {name: load_contract(name, beside) for name, beside in places.items()}


__all__ = ["Asked", "Report", "contracts_of", "measure", "report"]
