"""What is discounted for what was not kept: the three penalties, by the amounts that both parties agreed."""

from collections.abc import Iterator, Sequence
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from fractions import Fraction

from sereno.activity import Activity
from sereno.compliance.model import Case, Credit, Part, Scope
from sereno.contract.terms import Compliance, Credits, LatePenalty, Penalty

_CENT = Decimal("0.01")
_PLACES = Decimal("0.0001")


def credits_of(
    terms: Compliance, part: Part, cases: Sequence[Case], late: Sequence[Activity], scope: Scope
) -> Iterator[Credit]:
    """The discounts of a part of a month. At a site: only what lowers its own invoice."""
    agreed = terms.credits
    if agreed is None:
        return
    if scope.site is None:
        yield from _general(agreed, part, cases, late)
    if agreed.late is not None:
        yield from _late(agreed.late, cases, scope)


def _general(agreed: Credits, part: Part, cases: Sequence[Case], late: Sequence[Activity]) -> Iterator[Credit]:
    if agreed.shortfall is not None and part.shortfall:
        missed = tuple(sorted({case.incident for case in cases if case.outcome == "missed"}))
        yield _credit(agreed.shortfall, part.shortfall, penalty="shortfall", incidents=missed)
    if agreed.activities is not None and late:
        numbers = tuple(one.id for one in late)
        yield _credit(agreed.activities, Fraction(len(late)), penalty="activities", activities=numbers)


def _late(penalty: LatePenalty, cases: Sequence[Case], scope: Scope) -> Iterator[Credit]:
    """Each ticket once: on one invoice, or on that of each affected site; one of no site in particular by itself."""
    places: dict[str | None, set[int]] = {}
    for case in cases:
        if case.outcome == "missed" and case.clock in penalty.clocks:
            for site in (case.sites or (None,)) if penalty.invoice == "site" else (None,):
                if scope.site is None or site == scope.site:
                    places.setdefault(site, set()).add(case.incident)
    for site in sorted(places, key=lambda one: (one is None, one or "")):
        tickets = tuple(sorted(places[site]))
        yield _credit(penalty, Fraction(len(tickets)), penalty="late", site=site, incidents=tickets)


def _credit(terms: Penalty | LatePenalty, units: Fraction, **facts: object) -> Credit:
    """Money by the cent, or a percentage of the invoice, 100 at most; neither where nothing was agreed."""
    amount = None if terms.amount is None else _decimal(units * Fraction(terms.amount), _CENT, ROUND_HALF_UP)
    share = None if terms.percent is None else min(Fraction(100), units * Fraction(terms.percent))
    return Credit(
        invoice=terms.invoice, units=_decimal(units, _PLACES, ROUND_DOWN).normalize(), amount=amount,
        percent=None if share is None else _decimal(share, _PLACES, ROUND_HALF_UP).normalize(), **facts,  # type: ignore[arg-type]
    )  # fmt: skip


def _decimal(value: Fraction, places: Decimal, rounding: str) -> Decimal:
    return (Decimal(value.numerator) / Decimal(value.denominator)).quantize(places, rounding)
