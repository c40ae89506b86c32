"""Taking an incident, starting on it, giving it to somebody, writing on it."""

from alerting.acts.act import Act
from alerting.lifecycle import RefusedError, move


def ack(act: Act) -> None:
    """First response: somebody has it."""
    record = act.record
    state = move(record, "ack")
    record = act.put(act.attended(record), act.line("acknowledged"), state=state, assigned=record.assigned or act.who)
    act.desk.book.tell(record, "acknowledged", act.at_us, "", page=False)


def start(act: Act) -> None:
    """Work on it has begun; where nobody had answered yet, this is the first response."""
    record = act.record
    state = move(record, "start")
    fresh = record.acknowledged_us is None or record.state == "reopened"
    record = act.put(act.attended(record), act.line("work started"), state=state, assigned=record.assigned or act.who)
    if fresh:
        act.desk.book.tell(record, "acknowledged", act.at_us, "", page=False)


def note(act: Act) -> None:
    record = act.record
    move(record, "note")
    if act.text("note") is None:
        raise RefusedError("falta el texto de la nota (--note)")
    act.put(record, act.line("note"))


def assign(act: Act) -> None:
    record = act.record
    move(record, "assign")
    person = act.text("to")
    if person is None:
        raise RefusedError("falta a quién se asigna (--to)")
    act.put(record, act.line("assigned to {person}", person=person), assigned=person)
