"""What people did in the month: clocks met and missed, tickets, credits."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from dashboards.reports.model import ClockRow, Ticket, Tickets
from dashboards.reports.own import Own
from sereno.clock import iso
from sereno.compliance import Case, Month
from sereno.contract import Contract
from sereno.incident import IncidentRecord
from sereno.incident.record import PRIORITIES

_CLOCKS = ("attention", "solution")
_KINDS = ("incident", "request")


def clock_rows(month: Month) -> tuple[ClockRow, ...]:
    """Per kind, clock and priority; what had no case is left out."""
    counts: dict[str, Counter[tuple[str, str, str]]] = {
        "met": _counted(case for case in month.cases if case.outcome == "met"),
        "missed": _counted(case for case in month.cases if case.outcome == "missed"),
        "pending": _counted(month.pending),
        "recovered_alone": _counted(month.alone),
    }
    return tuple(
        ClockRow(kind=key[0], clock=key[1], priority=key[2], **{name: count[key] for name, count in counts.items()})
        for key in _places()
        if any(count[key] for count in counts.values())
    )


def _counted(cases: Iterable[Case]) -> Counter[tuple[str, str, str]]:
    return Counter((case.kind, case.clock, case.priority) for case in cases)


def _places() -> Iterator[tuple[str, str, str]]:
    for kind in _KINDS:
        for clock in _CLOCKS:
            for priority in PRIORITIES:
                yield kind, clock, priority


def tickets(records: Sequence[IncidentRecord], from_us: int, to_us: int, *, own: Own, contract: Contract) -> Tickets:
    """Those of the customer that were open at any time of the window."""
    mine = [one for one in records if one.opened_us < to_us and (one.resolved_us is None or one.resolved_us >= from_us)]
    return Tickets(
        incidents=sum(one.kind == "incident" for one in mine),
        requests=sum(one.kind == "request" for one in mine),
        opened=sum(from_us <= one.opened_us < to_us for one in mine),
        resolved=sum(one.resolved_us is not None and from_us <= one.resolved_us < to_us for one in mine),
        open_at_end=sum(one.resolved_us is None or one.resolved_us >= to_us for one in mine),
        listed=tuple(_ticket(one, own, contract) for one in mine),
    )


def _ticket(one: IncidentRecord, own: Own, contract: Contract) -> Ticket:
    promised = contract.in_force(one.opened_us)
    return Ticket(
        number=one.number,
        kind=one.kind,
        state=one.state,
        priority=one.priority_peak,
        severity=promised.severity(one.priority_peak) if promised is not None else None,
        title=own.title(one),
        cause=own.cause(one),
        sites=own.sites(one),
        since=iso(one.since_us),
        opened=iso(one.opened_us),
        acknowledged=_iso(one.acknowledged_us),
        resolved=_iso(one.resolved_us),
        closed=_iso(one.closed_us),
        reopenings=one.reopenings,
    )


def _iso(at_us: int | None) -> str | None:
    return None if at_us is None else iso(at_us)
