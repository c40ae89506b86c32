"""What is billed: whose the cause was, and the contract's rule for work outside hours."""

from alerting.acts.act import Act
from alerting.acts.words import hours
from alerting.words import DESK_LANGUAGE, say
from sereno.clock import SECOND_US
from sereno.contract import Version
from sereno.contract.billing import charge
from sereno.incident import Billing, IncidentRecord


def billed(act: Act, record: IncidentRecord) -> Billing | None:
    """By the first of its contracts that bills anything; None while its cause is not known, or where none bills."""
    if record.closing_cause is None:
        return None
    for version in act.versions(record):
        if version.billing is not None:
            return _by(version, record, act.at_us)
    return None


def _by(version: Version, record: IncidentRecord, now_us: int) -> Billing:
    """Work is what lies between the first response and the solution, without the pauses."""
    terms = version.billing
    if terms is None:
        raise AssertionError  # the caller looked
    rule = say(
        DESK_LANGUAGE, "{priorities} work outside the calendar {calendar}: {currency} {price} an hour, "
        "{least} at least; billed when the cause is: {causes}",
        priorities="/".join(terms.priorities), calendar=terms.calendar, currency=terms.currency,
        price=f"{terms.per_hour.normalize():f}", least=hours(terms.minimum_us),
        causes=", ".join(terms.causes) or "—",
    )  # fmt: skip
    begun_us = record.acknowledged_us if record.acknowledged_us is not None else record.opened_us
    end_us = max(begun_us, record.resolved_us if record.resolved_us is not None else now_us)
    found = charge(version, record.priority_peak, record.closing_cause, _worked(record, begun_us, end_us),
                   begun_us, end_us)  # fmt: skip
    if found is None:
        return Billing(billable=version.billable(record.closing_cause), rule=rule, currency=terms.currency)
    return Billing(
        billable=True, rule=rule, seconds=found.billed_us // SECOND_US, amount=float(found.amount),
        currency=found.currency,
    )  # fmt: skip


def _worked(record: IncidentRecord, begun_us: int, end_us: int) -> list[tuple[int, int]]:
    spans, at_us = [], begun_us
    for begins, ends in record.pauses:
        spans.append((at_us, max(at_us, begins)))
        at_us = max(at_us, end_us if ends is None else ends)
    spans.append((at_us, max(at_us, end_us)))
    return spans
