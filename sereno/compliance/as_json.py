"""The shape of `sereno contract compliance --json`; what was not measured is null."""

from decimal import Decimal
from typing import Any

from sereno.activity import activity_json
from sereno.clock import iso
from sereno.compliance.model import Case, Credit, Month, Part, Tally, shown


def compliance_json(found: Month) -> dict[str, Any]:
    """Figures first, then the tickets that they are made of."""
    whole = found.tally
    one = found.parts[0] if len(found.parts) == 1 else None
    money = [credit.amount for part in found.parts for credit in part.credits]
    currencies = {part.currency for part in found.parts}
    return {
        "customer": found.scope.customer,
        "site": found.scope.site,
        "contract": found.contract,
        "month": found.month,
        "timezone": found.timezone,
        "from": iso(found.from_us),
        "to": iso(found.to_us),
        "over": found.over,
        **_figures(whole),
        "target_percent": one.target_percent if one else None,
        "verdict": found.verdict,
        "shortfall_percent": _number(shown(one.shortfall)) if one else None,
        "by_clock": [
            {"kind": kind, "clock": clock, **_figures(Tally.of(cases))}
            for (kind, clock), cases in _grouped(found.cases).items()
        ],
        "parts": [_part(part) for part in found.parts],
        "credits": [_credit(credit, part.currency) for part in found.parts for credit in part.credits],
        "amount": _number(sum((each for each in money if each is not None), Decimal(0)))
        if money and None not in money and len(currencies) == 1
        else None,
        "currency": currencies.pop() if len(currencies) == 1 else None,
        "cases": [_case(case) for case in found.cases],
        "pending": [_case(case) for case in found.pending],
        "recovered_alone": [_case(case) for case in found.alone],
        "activities": [activity_json(each, found.now_us) for each in found.activities],
    }


def _figures(tally: Tally) -> dict[str, Any]:
    return {
        "met": tally.met, "missed": tally.missed, "total": tally.total, "percent": _number(shown(tally.share)),
    }  # fmt: skip


def _part(part: Part) -> dict[str, Any]:
    return {
        "from": iso(part.from_us), "to": iso(part.to_us), **_figures(part.tally),
        "target_percent": part.target_percent, "verdict": part.verdict,
        "shortfall_percent": _number(shown(part.shortfall)),
    }  # fmt: skip


def _credit(credit: Credit, currency: str | None) -> dict[str, Any]:
    return {
        "penalty": credit.penalty, "invoice": credit.invoice, "site": credit.site, "units": _number(credit.units),
        "amount": _number(credit.amount), "currency": currency if credit.amount is not None else None,
        "invoice_percent": _number(credit.percent), "incidents": list(credit.incidents),
        "activities": list(credit.activities),
    }  # fmt: skip


def _case(case: Case) -> dict[str, Any]:
    return {
        "incident": case.incident, "kind": case.kind, "clock": case.clock, "priority": case.priority,
        "severity": case.severity, "due": iso(case.due_us), "outcome": case.outcome, "agreed": case.agreed,
        "sites": list(case.sites),
    }  # fmt: skip


def _grouped(cases: tuple[Case, ...]) -> dict[tuple[str, str], list[Case]]:
    found: dict[tuple[str, str], list[Case]] = {}
    for case in sorted(cases, key=lambda one: (one.kind, one.clock)):
        found.setdefault((case.kind, case.clock), []).append(case)
    return found


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
