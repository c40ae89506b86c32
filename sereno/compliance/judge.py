"""What each ticket owed, and whether it was kept."""

from collections.abc import Iterable, Iterator

from sereno.compliance.model import Case, Outcome, Scope
from sereno.incident import Clock, ClockName, IncidentRecord

_CLOCKS: tuple[ClockName, ...] = ("attention", "solution")
_ITSELF = frozenset({"sereno", "ledger"})  # who opened it, and who wrote a line, when nobody did
_MAIL = "correo"  # a sender whom nobody knows


def cases(records: Iterable[IncidentRecord], scope: Scope, now_us: int) -> list[Case]:
    """Every ticket's clocks of a customer (at a site), each once, by number."""
    found: list[Case] = []
    for record in sorted(records, key=lambda one: one.number):
        if record.class_ == "service" and (scope.site is None or scope.site in record.sites):
            found += _of(record, scope, now_us)
    return found


def alone(record: IncidentRecord) -> bool:
    """The monitor opened it and it recovered with nobody's work: nobody acknowledged it or wrote a line before."""
    if record.opened_by not in _ITSELF or record.acknowledged_us is not None or record.resolved_us is None:
        return False
    until_us = record.resolved_at_us if record.resolved_at_us is not None else record.resolved_us
    return not any(_worked(line.who) for line in record.timeline if line.at_us <= until_us)


def _worked(who: str) -> bool:
    """Somebody of the desk wrote this line: what customers answer by mail stands there by their address."""
    return who not in _ITSELF and who != _MAIL and "@" not in who


def _of(record: IncidentRecord, scope: Scope, now_us: int) -> Iterator[Case]:
    for name in _CLOCKS:
        lines = [one for one in record.clocks if one.customer == scope.customer and one.clock == name]
        if record.state == "merged" and name == "solution":  # what it still owed is owed by the one it was joined to
            lines = [one for one in lines if one.state == "missed"]
        if lines:
            yield _case(record, lines, now_us)


def _case(record: IncidentRecord, lines: list[Clock], now_us: int) -> Case:
    """One ticket's clock, all its lines together: a miss decides, a reopening or a change of priority adds no case."""
    late = [one for one in lines if one.state == "missed" or (one.state == "running" and one.due_us < now_us)]
    owed = [one for one in lines if one.ended_us is None]
    outcome: Outcome = "met"
    if late:
        deciding, outcome = min(late, key=lambda one: one.due_us), "missed"
    elif owed:
        deciding = owed[-1]
        outcome = "paused" if deciding.state == "paused" else "running"
    else:
        deciding = max(lines, key=lambda one: one.due_us)
        outcome = "alone" if alone(record) else "met"
    return Case(
        incident=record.number, kind=record.kind, clock=deciding.clock, priority=deciding.priority,
        severity=deciding.severity, due_us=deciding.due_us, outcome=outcome, agreed=deciding.agreed,
        sites=record.sites,
    )  # fmt: skip
