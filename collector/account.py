"""A scope's figures with everything that they are made of: outages, unknown spans, exclusions, notices, days.

Each list adds up to its total, to the microsecond: what a report shows line by line is what the figures say.
"""

from collections.abc import Collection, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import Connection

from collector.availability import Book, Reckoning, bound_of, figures, parts_of, reckon
from collector.exclusion import Exclusions, Plans, contract_names, promised
from collector.ledger import spans
from collector.ledger.fold import Interval
from collector.ledger.spans import Spans
from collector.ledger.writer import kept_intervals, stored_intervals
from collector.measure import Measuring, as_json, contracts_of, report
from collector.months import days_of
from collector.notices import exclusions_of, notices_of
from sereno.answers.availability import Account, Asked, Day, Exclusion, Notice, Outage, Progress, Promised, Unknown
from sereno.availability import Figures, Scope
from sereno.store import Store
from sereno.store.queries import ledger, revisions
from sereno.store.queries.revisions import Revision


class LedgerAvailability:
    """Answers `sereno.answers.availability.Availability` from a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def answer(self, asked: Asked, now_us: int) -> dict[str, Any]:
        return as_json(report(self._store, asked, now_us, pictures=False))

    def account(self, asked: Asked, now_us: int, progress: Progress | None = None) -> Account:
        with self._store.read() as connection:
            return _Accounting(connection, asked, now_us, progress).account()

    def days(self, scopes: Collection[Scope], zone: str, from_us: int, to_us: int) -> dict[Scope, tuple[Day, ...]]:
        with self._store.read() as connection:
            return days(connection, scopes, zone, from_us, to_us)


class _Edges(NamedTuple):
    """The elements that were down just before a window, and just after it."""

    before: set[Scope]
    after: set[Scope]


class _Accounting(Measuring):
    def account(self) -> Account:
        found = self._intervals(recompute=False)
        book, edges = Book(found), self._edges()
        notes = revisions.revisions(self._connection, self._from_us, self._to_us, self._elements)
        parts = [Scope(*one) for one in self._elements if tuple(one) != tuple(self._scope)]
        sites = tuple(
            self._of(one, book, edges, [note for note in notes if (note.kind, note.name) == one], None, ())
            for one in parts
        )
        return self._of(self._scope, book, edges, notes, self._year(found), sites)

    def _of(
        self, scope: Scope, book: Book, edges: _Edges, notes: list[Revision], year: Figures | None,
        sites: tuple[Account, ...],
    ) -> Account:  # fmt: skip
        whole = self._figures(book, scope, self._from_us, self._to_us)
        found = reckon(self._topology, book, scope, self._from_us, self._to_us, self._excluded)
        return Account(
            scope=scope,
            month=self._asked_month,
            zone=self.zone,
            from_us=self._from_us,
            to_us=self._to_us,
            ends_us=self._month[1] if self._month else self._to_us,
            figures=whole,
            budget_us=self._budget(whole),
            outages=tuple(self._outages(found, edges)),
            unknown=tuple(_unknown(found, book)),
            exclusions=self._exclusions(scope, found.excluded),
            notices=self._notices(scope, found.excluded),
            promised=tuple(self._promised(scope)),
            days=tuple(self._every_day(book, scope)),
            year=year,
            revisions=tuple(notes),
            topologies=tuple(one.from_us for one in self._topologies if self._from_us < one.from_us < self._to_us),
            read_by_us=next(one.from_us for one in self._topologies if one.topology is self._topology),
            plan=self._topology,
            sites=sites,
            others=self._others(scope),
        )

    # -- parts -------------------------------------------------------------------------------------------------------

    def _edges(self) -> _Edges:
        before = self._down_at(self._from_us - 1, self._from_us)
        return _Edges(before, set() if self._under_way else self._down_at(self._to_us, self._to_us - 1))

    def _down_at(self, at_us: int, inside_us: int) -> set[Scope]:
        """By the ledger's rows; by the results, where the window's own edge had to be read from them, too."""
        at = (self._connection, self._topologies)
        if kept_intervals(*at, inside_us, inside_us + 1, self._elements):
            found = kept_intervals(*at, at_us, at_us + 1, self._elements)
        else:
            found = stored_intervals(*at, self._contracts, at_us, at_us + 1, elements=self._elements)
        return {Scope(one.kind, one.name) for one in found if one.state == "down"}

    def _outages(self, found: Reckoning, edges: _Edges) -> Iterator[Outage]:
        for parts in found.outages:
            span = [(parts[0].from_us, max(one.to_us for one in parts))]
            down_us = spans.total(spans.intersect(found.down, span))
            first = [Scope(one.kind, one.name) for one in parts if one.from_us == self._from_us]
            last = [Scope(one.kind, one.name) for one in parts if one.to_us == self._to_us]
            yield Outage(
                from_us=span[0][0],
                to_us=span[0][1],
                down_us=down_us,
                excluded_us=spans.total(span) - down_us,
                bound_us=bound_of(parts),
                reason=parts[0].reason,
                sites=_names(parts),
                begun_before=not edges.before.isdisjoint(first),
                goes_on=not edges.after.isdisjoint(last) or (bool(last) and self._under_way),
            )

    @property
    def _under_way(self) -> bool:
        return self._month is not None and self._to_us < self._month[1]

    def _exclusions(self, scope: Scope, out: Spans) -> tuple[Exclusion, ...]:
        return exclusions_of(self._topology, self._contracts, self._announced, scope, out, self._plans)

    def _notices(self, scope: Scope, out: Spans) -> tuple[Notice, ...]:
        window = (self._from_us, self._month[1] if self._month else self._to_us)
        return notices_of(self._topology, self._contracts, self._announced, scope, out, window, self._plans)

    def _promised(self, scope: Scope) -> Iterator[Promised]:
        """Version by version, of each contract that speaks about the scope."""
        for name in contract_names(self._topology, self._contracts, scope):
            contract = self._contracts[name]
            inside = [
                one.effective_us for one in contract.versions[1:] if self._from_us < one.effective_us < self._to_us
            ]
            for begin, end in pairwise([self._from_us, *inside, self._to_us]):
                version = contract.at(begin)
                yield Promised(
                    from_us=begin,
                    to_us=end,
                    contract=name,
                    effective=str(version.effective),
                    target_ppm=version.target_ppm,
                )

    def _every_day(self, book: Book, scope: Scope) -> Iterator[Day]:
        for _, one in self._days(book, scope):
            yield Day(one.from_us, one.to_us, one)

    def _others(self, scope: Scope) -> tuple[str, ...]:
        """Sites that the customer has by another topology of the window, and not by the one that is read by."""
        if scope.kind != "customer":
            return ()
        used = [one for place, one in enumerate(self._topologies) if self._used(place)]
        found = {name for one in used for name, site in one.topology.sites.items() if site.customer == scope.name}
        return tuple(sorted(found - {part.name for part in parts_of(self._topology, scope)}))

    def _used(self, place: int) -> bool:
        """Whether a topology was in force at any time of the window."""
        following = self._topologies[place + 1].from_us if place + 1 < len(self._topologies) else self._to_us
        return self._topologies[place].from_us < self._to_us and following > self._from_us


def days(
    connection: Connection, scopes: Collection[Scope], zone: str, from_us: int, to_us: int
) -> dict[Scope, tuple[Day, ...]]:
    """Local days of elements by the ledger's rows alone, each element by the newest topology."""
    topologies = ledger.in_force(connection)
    if not topologies:
        return {}
    topology, contracts = topologies[-1].topology, contracts_of(topologies)
    excluded = Exclusions(topology, contracts, ledger.windows(connection), Plans(topology, topologies))
    elements = {part for scope in scopes for part in parts_of(topology, scope)}
    book = Book(kept_intervals(connection, topologies, from_us, to_us, elements))
    found: dict[Scope, tuple[Day, ...]] = {}
    for scope in scopes:
        cut = [(max(begin, from_us), min(end, to_us)) for begin, end in days_of(zone, from_us, to_us)]
        found[scope] = tuple(
            Day(begin, end, figures(
                topology, book, scope, begin, end,
                excluded=excluded, promised=promised(topology, contracts, scope, begin, end),
            ))
            for begin, end in cut
        )  # fmt: skip
    return found


def _names(parts: list[Interval]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.name for one in parts))


def _unknown(found: Reckoning, book: Book) -> Iterator[Unknown]:
    """The unknown time, cut wherever its reason or its sites change."""
    pieces = [piece for part, vague in found.vague.items() for piece in _reasons(part, vague, book)]
    edges = sorted({edge for begin, end, _, _ in pieces for edge in (begin, end)})
    starting: dict[int, list[tuple[int, str | None, str]]] = {}
    for begin, end, reason, name in pieces:
        starting.setdefault(begin, []).append((end, reason, name))
    active: list[tuple[int, str | None, str]] = []
    last: Unknown | None = None
    for begin, end in pairwise(edges):
        active = [one for one in active if one[0] > begin] + starting.get(begin, [])
        if not active:
            continue
        names = tuple(dict.fromkeys(name for _, _, name in active))
        for from_us, to_us in spans.intersect([(begin, end)], found.unknown):
            reason = active[0][1]
            if last is not None and (last.to_us, last.reason, last.sites) == (from_us, reason, names):
                last = Unknown(from_us=last.from_us, to_us=to_us, reason=reason, sites=names)
                continue
            if last is not None:
                yield last
            last = Unknown(from_us=from_us, to_us=to_us, reason=reason, sites=names)
    if last is not None:
        yield last


def _reasons(part: Scope, vague: Spans, book: Book) -> Iterator[tuple[int, int, str | None, str]]:
    """The vague time of one element by what its rows say of it; None where there are no rows."""
    said: Spans = []
    for one in book.unknown(part):
        for begin, end in spans.intersect([(one.from_us, one.to_us)], vague):
            yield begin, end, one.reason, part.name
            said.append((begin, end))
    for begin, end in spans.subtract(vague, spans.union(said)):
        yield begin, end, None, part.name
