"""A calendar month of a contract: its bounds, the terms in force in it, its cases and its credits."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from msgspec.structs import replace

from sereno.activity import Activity
from sereno.compliance.credits import credits_of
from sereno.compliance.judge import cases
from sereno.compliance.model import Case, Month, Part, Scope, Tally
from sereno.contract import Contract
from sereno.contract.calendar import month_bounds
from sereno.contract.terms import Compliance
from sereno.incident import IncidentRecord


def month_window(contract: Contract, year: int, month: int) -> tuple[int, int]:
    """The month's bounds, each in the zone of the version in force there."""
    first, last = month_bounds(contract.versions[0].timezone, year, month)
    return (
        month_bounds(contract.at(first).timezone, year, month)[0],
        month_bounds(contract.at(last - 1).timezone, year, month)[1],
    )


def monthly(
    records: Iterable[IncidentRecord], contract: Contract, scope: Scope, year: int, month: int, now_us: int,
    activities: Iterable[Activity] = (),
) -> Month:  # fmt: skip
    """Clocks that fell due in the month: met, missed, against the target of their time."""
    from_us, to_us = month_window(contract, year, month)
    due = [case for case in cases(records, scope, now_us) if from_us <= case.due_us < to_us]
    decided = tuple(case for case in due if case.outcome in {"met", "missed"})
    agreed = tuple(
        one for one in activities
        if scope.site is None and one.customer == scope.customer and from_us <= one.due_us < to_us
        and one.cancelled_us is None
    )  # fmt: skip
    return Month(
        scope=scope, contract=contract.name, month=f"{year:04d}-{month:02d}",
        timezone=contract.at(to_us - 1).timezone, from_us=from_us, to_us=to_us, now_us=now_us, cases=decided,
        pending=tuple(case for case in due if case.outcome in {"running", "paused"}),
        alone=tuple(case for case in due if case.outcome == "alone"),
        parts=tuple(_parts(contract, from_us, to_us, decided, agreed, scope, now_us)), activities=agreed,
    )  # fmt: skip


def _parts(
    contract: Contract, from_us: int, to_us: int, decided: Sequence[Case], agreed: Sequence[Activity], scope: Scope,
    now_us: int,
) -> list[Part]:  # fmt: skip
    """The month cut where the terms of compliance change; a new version with the same terms cuts nothing."""
    inside = [one.effective_us for one in contract.versions if from_us < one.effective_us < to_us]
    spans: list[tuple[int, int, Compliance]] = []
    for begins, ends in pairwise([from_us, *inside, to_us]):
        terms = contract.at(begins).compliance
        if spans and spans[-1][2] == terms:
            spans[-1] = (spans[-1][0], ends, terms)
        else:
            spans.append((begins, ends, terms))
    return [_part(span, decided, agreed, scope, now_us) for span in spans]


def _part(
    span: tuple[int, int, Compliance], decided: Sequence[Case], agreed: Sequence[Activity], scope: Scope, now_us: int
) -> Part:
    from_us, to_us, terms = span
    mine = [case for case in decided if from_us <= case.due_us < to_us]
    late = [one for one in agreed if from_us <= one.due_us < to_us and one.late(now_us)]
    part = Part(
        from_us=from_us, to_us=to_us, target_percent=terms.target_percent, tally=Tally.of(mine),
        currency=terms.credits.currency if terms.credits is not None else None,
    )  # fmt: skip
    return replace(part, credits=tuple(credits_of(terms, part, mine, late, scope)))
