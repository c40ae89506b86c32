"""Incidents as people read them in a terminal: Spanish, with local times."""

import unicodedata
from collections.abc import Iterator

from sereno.cli._words import span
from sereno.clock import SECOND_US, SystemClock
from sereno.incident import ACTIVE, Clock, IncidentRecord

_CLOCKS = {"running": "corre", "paused": "en pausa", "met": "cumplido", "missed": "incumplido"}
_CLOCK_NAMES = {"attention": "atención", "solution": "solución"}
_DIRECTIONS = {"incoming": "entrante", "outgoing": "saliente"}
MESSAGES = {
    "opening": "apertura", "progress": "avance", "question": "pregunta", "solution": "solución", "answer": "respuesta",
    "maintenance": "mantenimiento",
}  # fmt: skip
_INDENT = " " * 7


def line(record: IncidentRecord, zone: str) -> str:
    """One incident in one line."""
    from alerting.acts.words import local
    from alerting.lifecycle import STATE_WORDS
    from alerting.words import grade

    state = STATE_WORDS[record.state]
    kind = "" if record.kind == "incident" else "requerimiento: "
    title = harmless(record.title)
    return f"{record.number:>5}  {grade(record):<11} {state:<12} {local(record.opened_us, zone)}  {kind}{title}"


def whole(record: IncidentRecord, zone: str) -> list[str]:
    """All that is known of it."""
    from alerting.acts.words import local

    found = [line(record, zone), *(_INDENT + text for text in _facts(record, zone))]
    found += [_INDENT + text for text in _guide(record)]
    found += [_INDENT + _clock(clock, zone) for clock in record.clocks]
    found += [
        f"{_INDENT}{local(entry.at_us, zone)}  {entry.who}: {' ⏎ '.join(entry.what.splitlines())}"
        for entry in record.timeline
    ]
    return [harmless(text) for text in found]


def harmless(text: str) -> str:
    """What others wrote, without the control characters that a terminal would obey."""
    return "".join("�" if unicodedata.category(one) == "Cc" and one != "\t" else one for one in text)


def _facts(record: IncidentRecord, zone: str) -> Iterator[str]:
    from alerting.acts.words import local

    yield f"causa: {record.cause.kind} {record.cause.name}; desde {local(record.since_us, zone)}"
    listed = {
        "clientes": [f"{name} ({priority})" for name, priority in record.customers.items()],
        "sedes": list(record.sites),
        "síntomas": [f"{one.alarm} {one.name}" for one in record.symptoms],
    }
    yield from (f"{label}: {', '.join(names)}" for label, names in listed.items() if names)
    if record.assigned:
        yield f"lo tiene: {record.assigned}"
    yield from _report(record, zone)
    yield from _end(record, zone)
    others = {
        "problema": record.problem, "unido al incidente": record.merged_into,
        "separado del incidente": record.split_from,
    }  # fmt: skip
    yield from (f"{label} {number}" for label, number in others.items() if number is not None)


def _guide(record: IncidentRecord) -> Iterator[str]:
    """What its alarm means and what to do, while there is something to do."""
    found = record.guide.get("es")
    if found is None or record.state in {"resolved", "closed", "merged"}:
        return
    if found.meaning:
        yield f"significa: {found.meaning}"
    if found.first_step:
        yield f"primer paso: {found.first_step}"
    yield from (f"  {place}. {step}" for place, step in enumerate(found.runbook, 1))


def _end(record: IncidentRecord, zone: str) -> Iterator[str]:
    """How it ended, and what came of it."""
    from alerting.acts.words import local

    if record.category or record.closing_cause:
        yield f"categoría: {record.category or '—'}; causa de: {record.closing_cause or '—'}"
    if record.billing is not None:
        yield _billing(record)
    for label, at_us in (("solución acordada", record.agreed_due_us), ("confirmado", record.confirmed_us)):
        if at_us is not None:
            yield f"{label}: {local(at_us, zone)}"
    if record.survey is not None:
        yield f"encuesta: {record.survey.score} de 5" + (f" ({record.survey.comment})" if record.survey.comment else "")


def _report(record: IncidentRecord, zone: str) -> Iterator[str]:
    from alerting.acts.words import local

    parts = {
        "canal": record.channel, "reporta": record.reporter, "contacto": record.contact,
        "extensión": record.extension, "sentido": _DIRECTIONS.get(record.direction or ""),
        "contraparte": record.counterpart,
        "ocurrió": None if record.occurred_us is None else local(record.occurred_us, zone),
    }  # fmt: skip
    said = [f"{name}: {value}" for name, value in parts.items() if value]
    if said:
        yield "; ".join(said)
    if record.description:
        yield from ("» " + text for text in record.description.splitlines() if text.strip())
    if record.opened_by != "sereno" and record.complete_us is None:
        begun = {clock.customer for clock in record.clocks if clock.clock == "attention"}
        waiting = [name for name in record.customers if name not in begun]
        late = f": el reloj de atención de {', '.join(waiting)} no ha empezado" if waiting else ""
        yield f"reporte incompleto{late if record.state in ACTIVE else ''}"


def _billing(record: IncidentRecord) -> str:
    bill = record.billing
    if bill is None or not bill.billable:
        return "no se factura" + (f" ({bill.rule})" if bill is not None else "")
    if bill.amount is None:
        return f"facturable, sin trabajo que cobrar ({bill.rule})"
    return f"se factura: {bill.currency} {bill.amount:,.2f} por {bill.seconds // 60} min ({bill.rule})"


def _clock(clock: Clock, zone: str) -> str:
    from alerting.acts.words import local

    left = (clock.due_us - SystemClock().now_us()) // SECOND_US
    rest = ""
    if clock.state == "running":
        rest = f", faltan {span(left)}" if left > 0 else f", vencido hace {span(-left)}"
    who = clock.customer or "mesa"
    name = _CLOCK_NAMES[clock.clock]
    return f"reloj de {name}, {who} ({clock.contract}): {local(clock.due_us, zone)} {_CLOCKS[clock.state]}{rest}"
