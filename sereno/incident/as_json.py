"""The shape of `incidents --json`: what people and scripts see; what did not happen is null."""

from typing import Any

from sereno.clock import iso
from sereno.incident.record import Guide, IncidentRecord


def _iso(at_us: int | None) -> str | None:
    return None if at_us is None else iso(at_us)


def _symptoms(record: IncidentRecord) -> list[dict[str, Any]]:
    """One entry per element, with every alarm on it."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in record.symptoms:
        found.setdefault((one.kind, one.name), []).append(one.alarm)
    return [{"kind": kind, "name": name, "alarms": alarms} for (kind, name), alarms in found.items()]


def _report(record: IncidentRecord) -> dict[str, Any]:
    """What the customer's report says (docs/incidents.md)."""
    return {
        "channel": record.channel or ("monitor" if record.opened_by in {"sereno", "ledger"} else None),
        "reporter": record.reporter,
        "contact": record.contact,
        "extension": record.extension,
        "direction": record.direction,
        "counterpart": record.counterpart,
        "occurred": _iso(record.occurred_us),
        "description": record.description,
        "complete": _iso(record.complete_us),
    }


def _billing(record: IncidentRecord) -> dict[str, Any] | None:
    found = record.billing
    if found is None:
        return None
    return {
        "billable": found.billable,
        "rule": found.rule,
        "seconds": found.seconds,
        "amount": found.amount,
        "currency": found.currency,
    }


def _guide(record: IncidentRecord) -> dict[str, Any]:
    """What its alarm means and what to do, in Spanish."""
    found = record.guide.get("es", Guide())
    return {
        "meaning": found.meaning or None,
        "first_step": found.first_step or None,
        "runbook": list(found.runbook),
    }


def _survey(record: IncidentRecord) -> dict[str, Any] | None:
    found = record.survey
    if found is None:
        return None
    return {"at": iso(found.at_us), "score": found.score, "comment": found.comment, "who": found.who}


def incident_json(record: IncidentRecord) -> dict[str, Any]:
    """The shape of `incidents --json`; what did not happen is null."""
    return {
        "number": record.number,
        "kind": record.kind,
        "state": record.state,
        "class": record.class_,
        "priority": record.priority,
        "priority_peak": record.priority_peak,
        "severity": record.severity,
        "title": record.title,
        "alarm": record.alarm,
        **_guide(record),
        "cause": {
            "kind": record.cause.kind,
            "name": record.cause.name,
            "elements": [{"kind": part.kind, "name": part.name} for part in record.elements],
        },
        "symptoms": _symptoms(record),
        "customers": dict(record.customers),
        "sites": list(record.sites),
        "changes": [
            {
                "at": iso(one.at_us),
                "what": one.what,
                "kind": one.kind,
                "name": one.name,
                "text": one.text,
                "who": one.who,
            }
            for one in record.changes
        ],
        "urgency": record.urgency,
        "impact": record.impact,
        **_report(record),
        "since": iso(record.since_us),
        "opened": iso(record.opened_us),
        "acknowledged": _iso(record.acknowledged_us),
        "resolved": _iso(record.resolved_us),
        "closed": _iso(record.closed_us),
        "merged_into": record.merged_into,
        "assigned": record.assigned,
        "category": record.category,
        "closing_cause": record.closing_cause,
        "billable": _billing(record),
        "agreed_due": _iso(record.agreed_due_us),
        "redates": [
            {"at": iso(one.at_us), "due": iso(one.due_us), "reason": one.reason, "who": one.who}
            for one in record.redates
        ],
        "pauses": [{"from": iso(begins), "to": _iso(ends)} for begins, ends in record.pauses],
        "confirmed": _iso(record.confirmed_us),
        "survey": _survey(record),
        "problem": record.problem,
        "split_from": record.split_from,
        "opened_by": record.opened_by,
        "reopenings": record.reopenings,
        "evidence": record.evidence,
        "clocks": [
            {
                "contract": clock.contract,
                "customer": clock.customer,
                "clock": clock.clock,
                "priority": clock.priority,
                "severity": clock.severity,
                "due": iso(clock.due_us),
                "state": clock.state,
                "ended": _iso(clock.ended_us),
                "warned": _iso(clock.warned_us),
                "agreed": clock.agreed,
            }
            for clock in record.clocks
        ],
        "timeline": [{"at": iso(entry.at_us), "what": entry.what, "who": entry.who} for entry in record.timeline],
    }
