"""What work outside a contract's hours costs. Pure; who worked when is for the caller to know."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from sereno.contract.model import Version

_HOUR_US = 3_600_000_000
_CENT = Decimal("0.01")


@dataclass(frozen=True)
class Charge:
    """Time outside the hours, what of it is billed, and the money."""

    worked_us: int
    billed_us: int
    amount: Decimal
    currency: str


def charge(
    version: Version, priority: str, cause: str | None, worked: Iterable[tuple[int, int]], from_us: int, to_us: int
) -> Charge | None:
    """The charge for one ticket of work in [from, to); None where nothing may be billed.

    Only what lies outside the calendar's hours counts. What is begun within [from, to) is billed at least the minimum;
    beyond it every second counts for itself: the contract names an hour's price, and no rounding.
    """
    terms = version.billing
    if terms is None or priority not in terms.priorities or not version.billable(cause):
        return None
    calendar = version.calendar(terms.calendar)
    total = 0
    for begins, ends in _apart(worked):
        begun, ended = max(begins, from_us), min(ends, to_us)
        if begun < ended:
            total += ended - begun - calendar.elapsed(begun, ended)
    if total <= 0:
        return None
    billed = max(total, terms.minimum_us)
    amount = (terms.per_hour * billed / _HOUR_US).quantize(_CENT, ROUND_HALF_UP)
    return Charge(total, billed, amount, terms.currency)


def _apart(spans: Iterable[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    """Spans in order, overlaps joined: two people at one ticket are one ticket's work."""
    end = None
    for begins, ends in sorted(spans):
        start = begins if end is None else max(begins, end)
        if start < ends:
            yield start, ends
            end = ends
