"""What people do to incidents. One function per verb, in an explicit registry; untrue or out of order is refused."""

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from alerting import clocks
from alerting.book import MONITOR
from alerting.causes import Key
from alerting.lifecycle import RefusedError, UnknownIncidentError, move
from alerting.machine import AlarmState
from alerting.reconcile import Reconciler
from alerting.words import DESK_LANGUAGE, grade, say
from sereno.incident import ACTIVE, PRIORITIES, Element, IncidentRecord

PREFIX = "incident."
ATTENTION = frozenset({"attention"})


class Act:
    """A verb on an incident, with its arguments read."""

    def __init__(
        self, desk: Reconciler, states: Mapping[Key, AlarmState], arguments: Mapping[str, object], who: str, at_us: int
    ) -> None:
        self.desk, self.states, self.arguments, self.who, self.at_us = desk, states, arguments, who, at_us

    def text(self, name: str) -> str | None:
        value = self.arguments.get(name)
        return str(value) if value not in (None, "") else None

    @property
    def record(self) -> IncidentRecord:
        number = self.arguments.get("number")
        found = self.desk.book.records.get(number) if isinstance(number, int) else None
        if found is None or found.version == 0:
            raise UnknownIncidentError(number)
        return found

    def line(self, message: str, **values: object) -> str:
        """The timeline's words, with the note that came with the act."""
        note = self.text("note")
        said = say(DESK_LANGUAGE, message, **values)
        return f"{said}: {note}" if note else said

    def put(self, record: IncidentRecord, line: str, **changes: object) -> IncidentRecord:
        return self.desk.book.put(record, self.at_us, line, who=self.who, **changes)

    def attended(self, record: IncidentRecord) -> IncidentRecord:
        """The first response stops the attention clocks."""
        first = record.acknowledged_us if record.acknowledged_us is not None else self.at_us
        return replace(record, acknowledged_us=first, clocks=clocks.end(record, ATTENTION, self.at_us))


def apply(
    desk: Reconciler, states: Mapping[Key, AlarmState], verb: str, arguments: Mapping[str, object], who: str, at_us: int
) -> None:
    """Do it, or raise RefusedError or UnknownIncidentError."""
    action = ACTIONS.get(verb.removeprefix(PREFIX))
    if action is None:
        raise RefusedError(f"no se conoce la orden {verb!r}")
    action(Act(desk, states, arguments, who, at_us))


def _ack(act: Act) -> None:
    record = act.record
    state = move(record, "ack")
    act.put(act.attended(record), act.line("acknowledged"), state=state, assigned=record.assigned or act.who)


def _start(act: Act) -> None:
    record = act.record
    state = move(record, "start")
    act.put(act.attended(record), act.line("work started"), state=state, assigned=record.assigned or act.who)


def _note(act: Act) -> None:
    record = act.record
    move(record, "note")
    if act.text("note") is None:
        raise RefusedError("falta el texto de la nota (--note)")
    act.put(record, act.line("note"))


def _assign(act: Act) -> None:
    record = act.record
    move(record, "assign")
    person = act.text("to")
    if person is None:
        raise RefusedError("falta a quién se asigna (--to)")
    act.put(record, act.line("assigned to {person}", person=person), assigned=person)


def _resolve(act: Act) -> None:
    record = act.record
    move(record, "resolve")
    mine = (state for state in act.states.values() if state.incident == record.number)
    broken = sorted(state.key for state in mine if act.desk.broken(state))
    if broken:
        names = ", ".join(dict.fromkeys(f"{kind} {name}" for _, kind, name in broken))
        raise RefusedError(f"no se puede resolver el incidente {record.number}: sigue mal {names}")
    record = act.put(
        record, act.line("resolved by hand"), category=act.text("category"), closing_cause=act.text("cause")
    )
    act.desk.resolve(record, act.at_us, act.who, good_us=record.good_us)


def _close(act: Act) -> None:
    record = act.record
    state = move(record, "close")
    act.put(
        record, act.line("closed"), state=state, closed_us=act.at_us, told_resolved=True,
        category=act.text("category") or record.category, closing_cause=act.text("cause") or record.closing_cause,
    )  # fmt: skip


def _reopen(act: Act) -> None:
    record = act.record
    move(record, "reopen")
    act.desk.reopen(record, act.at_us, act.who, act.line("reopened by hand"))


def _pause(act: Act) -> None:
    record = act.record
    move(record, "pause")
    if record.opened_by == MONITOR:
        raise RefusedError(f"el incidente {record.number} lo abrió el monitor: sus relojes no se pausan")
    if act.text("note") is None:
        raise RefusedError("solo se pausa tras una pregunta registrada al cliente: escríbala con --note")
    if _paused(record):
        raise RefusedError(f"el incidente {record.number} ya está en pausa")
    record = replace(record, pauses=(*record.pauses, (act.at_us, None)))
    act.put(record, act.line("clock paused, asked the customer"),
            clocks=clocks.repaused(record, act.desk.impact.contracts, paused=True))  # fmt: skip


def _resume(act: Act) -> None:
    record = act.record
    move(record, "resume")
    if not _paused(record):
        raise RefusedError(f"el incidente {record.number} no está en pausa")
    begun = record.pauses[-1][0]
    record = replace(record, pauses=(*record.pauses[:-1], (begun, act.at_us)))
    act.put(record, act.line("clock goes on"), clocks=clocks.repaused(record, act.desk.impact.contracts, paused=False))


def _open(act: Act) -> None:
    """An incident opened by a person: a customer called about something that the monitor does not see."""
    book = act.desk.book
    wanted = act.arguments.get("number")
    number = wanted if isinstance(wanted, int) else book.next_number
    if number in book.records:
        raise RefusedError(f"ya hay un incidente {number}")
    priority = act.text("priority") or "Normal"
    if priority not in PRIORITIES:
        raise RefusedError(f"la prioridad es {', '.join(PRIORITIES)}, no {priority!r}")
    customer = act.text("customer")
    if customer is not None and customer not in act.desk.customers:
        raise RefusedError(f"no hay ningún cliente {customer}")
    title = act.text("title") or act.text("note") or "incidente registrado a mano"
    book.next_number = max(book.next_number, number + 1)
    record = IncidentRecord(
        number=number, state="open", class_="service", priority=priority, priority_peak=priority,
        cause=Element("service", act.desk.service), title=title, since_us=act.at_us, opened_us=act.at_us,
        customers={customer: priority} if customer else {}, opened_by=act.who, policy=act.desk.policy, version=0,
    )  # fmt: skip
    book.records[number] = record
    record = act.desk.graded(record, act.at_us)
    act.put(record, say(DESK_LANGUAGE, "opened: {title} ({grade})", title=title, grade=grade(record)))


def _paused(record: IncidentRecord) -> bool:
    return record.state in ACTIVE and bool(record.pauses) and record.pauses[-1][1] is None


ACTIONS: dict[str, Callable[[Act], None]] = {
    "open": _open,
    "ack": _ack,
    "start": _start,
    "note": _note,
    "assign": _assign,
    "resolve": _resolve,
    "close": _close,
    "reopen": _reopen,
    "pause": _pause,
    "resume": _resume,
}
