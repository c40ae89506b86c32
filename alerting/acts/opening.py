"""Incidents and requests that people register, and what they tell of them later."""

from typing import Any

from msgspec.structs import replace

from alerting import clocks
from alerting.acts import report
from alerting.acts.act import LOUD, Act
from alerting.acts.words import field_names, local
from alerting.lifecycle import RefusedError, move
from alerting.words import DESK_LANGUAGE, grade, say
from sereno.incident import Element, IncidentRecord, Priority, TicketKind

_TITLES: dict[TicketKind, str] = {"incident": "incidente registrado a mano", "request": "requerimiento"}
_DIRECTIONS = {"incoming": "incoming call", "outgoing": "outgoing call"}
_DEFAULTS: dict[TicketKind, Priority] = {"incident": "Normal", "request": "Baja"}


def open_(act: Act) -> int:
    """An incident opened by a person: a customer called about something that the monitor does not see."""
    return _register(act, "request" if act.text("kind") in {"request", "requerimiento"} else "incident")


def request(act: Act) -> int:
    """A request (requerimiento): nothing is broken, somebody wants something."""
    return _register(act, "request")


def _register(act: Act, kind: TicketKind) -> int:
    book = act.desk.book
    number = act.number("number")
    number = book.next_number if number is None else number
    if number < 1 or number in book.records:
        raise RefusedError(f"ya hay un incidente {number}")
    fields, (customers, sites) = report.given(act), report.places(act)
    title = fields.pop("title", None) or act.text("note") or _titled(fields.get("description")) or _TITLES[kind]
    record = IncidentRecord(
        number=number, state="open", class_="service", priority="Baja", priority_peak="Baja", kind=kind,
        cause=Element("service", act.desk.service), title=title, since_us=fields.get("occurred_us", act.at_us),
        opened_us=act.at_us, customers=dict.fromkeys(customers, "Baja"), sites=sites, opened_by=act.who,
        policy=act.desk.policy, version=0, **fields,
    )  # fmt: skip
    priority = report.priority(act, record, fields, _DEFAULTS[kind])
    record = replace(
        record, priority=priority, priority_peak=priority, customers=dict.fromkeys(customers, priority),
    )  # fmt: skip
    record = report.completed(act, record)
    record = act.desk.graded(record, act.at_us)
    book.next_number = max(book.next_number, number + 1)
    opened = "opened: {title} ({grade})" if kind == "incident" else "requested: {title} ({grade})"
    lines = [say(DESK_LANGUAGE, opened, title=title, grade=grade(record))]
    if record.complete_us is None:
        lines.append(_incomplete(act, record))
    record = act.put(record, *lines)
    if priority in LOUD and kind == "incident":
        act.desk.escalation.page(record, "opened", act.at_us)
    return number


def _titled(description: str | None) -> str | None:
    """The description's first line stands for a title."""
    first = next((line.strip() for line in (description or "").splitlines() if line.strip()), "")
    return first[:120] or None


def _incomplete(act: Act, record: IncidentRecord) -> str:
    names = field_names(DESK_LANGUAGE, report.wanted(act, record))
    return say(DESK_LANGUAGE, "the report still lacks: {names}", names=names)


def _renewed(act: Act, before: IncidentRecord, fields: dict[str, Any], name: str) -> str:
    """A field as people name it, with what stood there: what was said once stays in the timeline."""
    field = field_names(DESK_LANGUAGE, (name,))
    was = getattr(before, name) if name in fields else None
    if was is None or was == fields[name]:
        return field
    if name == "occurred_us":
        was = local(was, act.desk.topology.timezone)
    elif name == "direction":
        was = say(DESK_LANGUAGE, _DIRECTIONS[was])
    return say(DESK_LANGUAGE, "{field} (before: {was})", field=field, was=was)


def update(act: Act) -> None:
    """More of the report; with its last missing field the attention clock begins, where the contract says so."""
    before = act.record
    move(before, "update")
    fields, (customers, sites) = report.given(act), report.places(act)
    if "urgency" in fields or "impact" in fields or act.text("priority") is not None:
        raise RefusedError("la prioridad se cambia con «sereno incidents priority»")
    if "occurred_us" in fields and before.opened_by == "sereno":
        raise RefusedError(f"el incidente {before.number} lo abrió el monitor: sabe cuándo empezó por sus muestras")
    more = {name: before.priority for name in customers if name not in before.customers}
    record = replace(
        before, **fields, customers={**before.customers, **more},
        sites=tuple(dict.fromkeys((*before.sites, *sites))),
        title_id="" if "title" in fields else before.title_id, since_us=fields.get("occurred_us", before.since_us),
    )  # fmt: skip
    if record == before:
        raise RefusedError("no hay nada que cambiar: dé los campos que faltan o cambian")
    names = [*fields, *(("customers",) if more else ()), *(("sites",) if sites else ())]
    told = ", ".join(_renewed(act, before, fields, name) for name in names)
    lines = [act.line("report: {names}", names=told)]
    if before.complete_us is None and before.opened_by != "sereno":
        record = report.completed(act, record)
        lines.append(
            _incomplete(act, record) if record.complete_us is None else say(DESK_LANGUAGE, "the report is complete")
        )
    if record.complete_us != before.complete_us or more:
        record = act.desk.graded(record, act.at_us)
        if record.acknowledged_us is not None:  # somebody has answered already
            record = replace(record, clocks=clocks.end(record, frozenset({"attention"}), act.at_us))
    act.put(record, *lines)
