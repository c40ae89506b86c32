"""`sereno contract compliance`: a month's clocks against what was promised, from the store."""

import json
import re
from typing import Any

from sereno.clock import SystemClock
from sereno.compliance import Case, Month, Part, Scope, compliance_json, month_window, monthly
from sereno.contract import Contract
from sereno.errors import UsageError
from sereno.store import Store
from sereno.store.compliance import agreed_activities, tickets
from sereno.store.customers import known_customer

_MONTH = re.compile(r"(\d{4})-(\d{2})")
_YEARS = range(1971, 2199)
_VERDICTS = {
    "met": "cumplido", "missed": "incumplido", "no_cases": "sin casos", "no_target": "sin objetivo",
}  # fmt: skip
_CLOCKS = {"attention": "atención", "solution": "solución"}
_KINDS = {"incident": "incidentes", "request": "requerimientos"}
_PENALTIES = {"shortfall": "faltante", "late": "no atendidos a tiempo", "activities": "actividades no cumplidas"}
_AVAILABLE = {"met": "cumplida", "missed": "incumplida", "not_provable": "no demostrable", None: "sin objetivo"}


def tell(
    store: Store, customer: str | None, site: str | None, month: str, contract: str | None, *, as_json: bool
) -> None:
    """Print a customer's or a site's month."""
    year, number = _month(month)
    now_us = SystemClock().now_us()
    scope, promised = _whose(store, customer, site, contract)
    from_us, to_us = month_window(promised, year, number)
    if from_us > now_us:
        raise UsageError(f"--month {month}: has not begun; ask for one that has")
    with store.read() as connection:
        records = tickets(connection, scope.customer, from_us, to_us)
        agreed = agreed_activities(connection, scope.customer, from_us, to_us)
    found = monthly(records, promised, scope, year, number, now_us, agreed)
    beside = _availability(store, scope, month, now_us)
    if as_json:
        print(json.dumps({**compliance_json(found), "availability": beside}, ensure_ascii=False))
        return
    for line in _lines(found, beside):
        print(line)


def _month(text: str) -> tuple[int, int]:
    found = _MONTH.fullmatch(text)
    year, month = (int(found[1]), int(found[2])) if found else (0, 0)
    if year not in _YEARS or not 1 <= month <= 12:  # noqa: PLR2004
        raise UsageError(f"--month {text!r}: is not a month; write one such as 2026-10")
    return year, month


def _whose(store: Store, customer: str | None, site: str | None, contract: str | None) -> tuple[Scope, Contract]:
    """The scope and its contract, by the newest topology that knows it."""
    if (customer is None) == (site is None):
        raise UsageError("whose month? give --customer NAME or --site NAME, one of them")
    with store.read() as connection:
        known = known_customer(connection, customer, site)
    return Scope(known.name, known.site), known.contract(contract)


def _availability(store: Store, scope: Scope, month: str, now_us: int) -> dict[str, Any]:
    """The availability of the same scope and month, as `sereno availability` tells it."""
    from collector.measure import report
    from sereno.answers.availability import Asked

    text = f"customer:{scope.customer}" if scope.site is None else f"site:{scope.site}"
    found = report(store, Asked(text, month=month), now_us, pictures=False).figures.as_json()
    wanted = ("scope", "low", "observed", "high", "down_seconds", "excluded_seconds", "unknown_seconds", "target")
    return {key: found[key] for key in (*wanted, "verdict")}


def _lines(found: Month, beside: dict[str, Any]) -> list[str]:
    whose = found.scope.customer + (f", sede {found.scope.site}" if found.scope.site else "")
    open_ = "" if found.over else "; el mes no está cerrado"
    lines = [f"{whose}  {found.month}  ({found.contract}, {found.timezone}{open_})"]
    if found.tally.total:
        kept = f"{found.tally.met} cumplidos, {found.tally.missed} incumplidos"
        lines.append(f"  {_percent(found.tally.share)}: {kept}")
    lines += [f"  {_part(part, found.timezone)}" for part in found.parts]
    for (kind, clock), mine in _by_clock(found.cases).items():
        met = sum(case.outcome == "met" for case in mine)
        lines.append(f"  {_KINDS[kind]:<15} {_CLOCKS[clock]:<10} {met} de {len(mine)}")
    lines += [f"  incumplido: {_case(case, found.timezone)}" for case in found.cases if case.outcome == "missed"]
    lines += [f"  sin decidir: {_case(case, found.timezone)}" for case in found.pending]
    if found.alone:
        numbers = ", ".join(dict.fromkeys(str(case.incident) for case in found.alone))
        lines.append(f"  aparte, recuperados sin trabajo de nadie: {numbers}")
    lines += [f"  actividad {one.id} no cumplida: {one.what}" for one in found.activities if one.late(found.now_us)]
    for part in found.parts:
        for credit in part.credits:
            invoice = "factura general" if credit.invoice == "general" else f"factura de {credit.site or 'la sede'}"
            money = f"{part.currency} {credit.amount:,}" if credit.amount is not None else None
            share = f"{credit.percent} % de la factura" if credit.percent is not None else None
            what = f"{_PENALTIES[credit.penalty]} × {credit.units:f}"
            lines.append(f"  descuento: {what}, {invoice}: {money or share or 'monto sin acordar'}")
    observed = "sin medir" if beside["observed"] is None else f"{beside['observed']:.4%} observada"
    lines.append(f"  disponibilidad: {observed}, {_AVAILABLE[beside['verdict']]}")
    return lines


def _part(part: Part, zone: str) -> str:
    span = f"{_moment(part.from_us, zone)} – {_moment(part.to_us, zone)}"
    if part.verdict == "no_cases":
        return f"{span}: sin casos"
    target = "" if part.target_percent is None else f" (objetivo {part.target_percent:g} %)"
    return f"{span}: {_percent(part.tally.share)}, {_VERDICTS[part.verdict]}{target}"


def _moment(at_us: int, zone: str) -> str:
    """As people write it: `mar 6 oct 2026, 12:00:00 -06:00`."""
    from alerting.letters.times import moment

    return moment(at_us, "es", zone)


def _percent(share: Any) -> str:
    from sereno.compliance.model import shown

    return "sin casos" if share is None else f"{shown(share):f} %"


def _case(case: Case, zone: str) -> str:
    grade = f"{case.priority} {case.severity}" if case.severity else case.priority
    due = "vencía" if case.outcome == "missed" else "vence"
    return f"{case.incident} {_CLOCKS[case.clock]} {grade}, {due} {_moment(case.due_us, zone)}"


def _by_clock(cases: tuple[Case, ...]) -> dict[tuple[str, str], list[Case]]:
    found: dict[tuple[str, str], list[Case]] = {}
    for case in sorted(cases, key=lambda one: (one.kind, one.clock)):
        found.setdefault((case.kind, case.clock), []).append(case)
    return found
