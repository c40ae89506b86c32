"""Two incidents that are one, and one that is two. No symptom, customer or clock is lost on the way."""

from msgspec.structs import replace

from alerting import clocks
from alerting.acts import report
from alerting.acts.act import LOUD, Act
from alerting.acts.waiting import paused
from alerting.book import MONITOR
from alerting.lifecycle import RefusedError, move
from alerting.words import DESK_LANGUAGE, grade, say
from sereno.incident import ACTIVE, Clock, Element, IncidentRecord, Priority


def merge(act: Act) -> None:
    """It is the same as another: that one takes over its symptoms, customers and what is still owed to them."""
    gone, into = act.record, act.incident(act.number("into"))
    state = move(gone, "merge")
    _refuse_merge(gone, into)
    gone_clocks, into_clocks = clocks.merged(act.attended(gone), into, act.at_us)
    heavier = clocks.worst([gone.priority, into.priority])
    customers = _joined(into.customers, gone.customers)
    symptoms = (*into.symptoms, *gone.symptoms, *gone.faults)
    raised = replace(
        into, clocks=into_clocks, customers=customers,
        sites=tuple(dict.fromkeys((*into.sites, *gone.sites))),
        symptoms=tuple(one for one in dict.fromkeys(symptoms) if one not in into.faults),
        absorbed=_absorbed(gone, into),
    )  # fmt: skip
    if into.opened_by != MONITOR and heavier != into.priority:
        raised = replace(raised, priority=heavier, priority_peak=clocks.worst([heavier, into.priority_peak]))
    raised = replace(raised, severity=act.desk.impact.severity(raised))
    act.put(
        replace(act.attended(gone), clocks=gone_clocks), act.line("merged into {number}", number=into.number),
        state=state, merged_into=into.number, told_resolved=True,
    )  # fmt: skip
    act.put(raised, say(DESK_LANGUAGE, "incident {number} merged into this one: {title}", number=gone.number,
                        title=gone.title))  # fmt: skip
    for key, alarm in act.states.items():
        if alarm.incident == gone.number:
            act.states[key] = replace(alarm, incident=into.number)


def _refuse_merge(gone: IncidentRecord, into: IncidentRecord) -> None:
    if into.number == gone.number:
        raise RefusedError(f"el incidente {gone.number} no se puede unir a sí mismo")
    if into.state not in ACTIVE:
        raise RefusedError(f"el incidente {into.number} ya no está abierto: no se le puede unir otro")
    if into.class_ != gone.class_ or into.kind != gone.kind:
        raise RefusedError("solo se unen los de la misma clase: incidentes, requerimientos o avisos del monitor")
    if gone.opened_by == MONITOR and into.opened_by != MONITOR:
        raise RefusedError(
            f"el incidente {gone.number} lo abrió el monitor y lo sigue él: una el {into.number} al {gone.number}"
        )
    for one in (gone, into):
        if paused(one):
            raise RefusedError(f"el incidente {one.number} está en pausa: reanúdelo antes de unirlos")


def _absorbed(gone: IncidentRecord, into: IncidentRecord) -> tuple[Element, ...]:
    """The causes that the monitor must look for under this number from now on."""
    if gone.opened_by != MONITOR:
        return into.absorbed
    return tuple(dict.fromkeys((*into.absorbed, gone.cause, *gone.causes, *gone.absorbed)))


def _joined(ours: dict[str, Priority], theirs: dict[str, Priority]) -> dict[str, Priority]:
    joined = dict(ours)
    for name, priority in theirs.items():
        joined[name] = clocks.worst([priority, joined.get(name, priority)])
    return joined


def split(act: Act) -> int:
    """One that holds two matters: the other one gets its own number, counted from the same opening."""
    parent = act.record
    move(parent, "split")
    title = act.text("title")
    if title is None:
        raise RefusedError("falta de qué trata el nuevo incidente (--title)")
    if paused(parent):
        raise RefusedError(f"el incidente {parent.number} está en pausa: reanúdelo antes de separarlo")
    going, sites = _going(act, parent)
    fields = report.given(act)
    fields["title"] = title
    number, book = act.desk.book.next_number, act.desk.book
    customers = {name: parent.customers[name] for name in going} if going else dict(parent.customers)
    priority = clocks.worst(list(customers.values())) if customers else parent.priority
    child = replace(
        parent, number=number, version=0, timeline=(), title_id="", title_values={}, alarm=None, elements=(),
        causes=(), faults=(), absorbed=(), split_off=(), problem=None, pages=0, reopenings=0, opened_by=act.who,
        state="open" if parent.acknowledged_us is None else "acknowledged", customers=customers, sites=sites,
        symptoms=tuple(one for one in parent.symptoms if one.name in (*sites, *act.texts("symptoms"))),
        priority=priority, priority_peak=priority, split_from=parent.number, told_customers={},
        clocks=_shared(parent, going), quiet_until_us=None, promoted_us=None, reopened_us=None,
        good_us=None, eased_us=None, told_resolved=True, over_told=True, told=(), survey=None, **fields,
    )  # fmt: skip
    wanted = report.priority(act, child, fields, priority)
    if wanted != priority:
        after = replace(child, priority=wanted, priority_peak=wanted, customers=dict.fromkeys(customers, wanted))
        child = act.desk.impact.reprioritised(child, after)
    child = replace(child, severity=act.desk.impact.severity(child))
    book.next_number = number + 1
    act.put(child, say(DESK_LANGUAGE, "split from incident {number}: {title} ({grade})", number=parent.number,
                       title=title, grade=grade(child)))  # fmt: skip
    left = {name: grade_ for name, grade_ in parent.customers.items() if name not in going}
    rest = replace(
        parent, customers=left, sites=tuple(site for site in parent.sites if not going or site not in sites),
        clocks=tuple(clock for clock in parent.clocks if clock.customer not in going) if going else parent.clocks,
        split_off=(*parent.split_off, *going),
        told_customers={name: word for name, word in parent.told_customers.items() if name not in going},
    )  # fmt: skip
    if left and parent.opened_by != MONITOR:  # what was as grave as theirs left with them
        rest = replace(rest, priority=clocks.worst(list(left.values())))
        rest = replace(rest, severity=act.desk.impact.severity(rest))
    act.put(rest, act.line("incident {number} split from this one: {title}", number=number, title=title))
    if child.priority in LOUD and child.kind == "incident" and child.acknowledged_us is None:
        act.desk.escalation.page(book.records[number], "opened", act.at_us)
    return number


def _going(act: Act, parent: IncidentRecord) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(customers that leave with the new one, their sites); none named: the customers are of both."""
    going, sites = report.places(act)
    strangers = [name for name in going if name not in parent.customers]
    if strangers:
        raise RefusedError(f"el incidente {parent.number} no afecta a {', '.join(strangers)}")
    if going and set(going) == set(parent.customers):
        raise RefusedError(f"no quedaría ningún cliente en el incidente {parent.number}: separe sin --customer")
    if not going:
        return (), parent.sites
    owner = act.desk.topology.sites
    theirs = tuple(site for site in parent.sites if site in owner and owner[site].customer in going)
    return going, tuple(dict.fromkeys((*theirs, *sites)))


def _shared(parent: IncidentRecord, going: tuple[str, ...]) -> tuple[Clock, ...]:
    """The promises to those who leave go with them; where nobody leaves, both incidents owe them."""
    return tuple(clock for clock in parent.clocks if not going or clock.customer in going)
