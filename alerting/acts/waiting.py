"""Waiting for somebody else: the customer's answer, or a development with a date of its own."""

from msgspec.structs import replace

from alerting import clocks
from alerting.acts.act import Act
from alerting.acts.words import local
from alerting.book import MONITOR
from alerting.lifecycle import RefusedError, move
from alerting.words import DESK_LANGUAGE, say
from sereno.incident import ACTIVE, IncidentRecord, Redate


def pause(act: Act) -> None:
    """The solution clock stops after a question to the customer that is on the record."""
    record = act.record
    move(record, "pause")
    if record.opened_by == MONITOR:
        raise RefusedError(f"el incidente {record.number} lo abrió el monitor: sus relojes no se pausan")
    if paused(record):
        raise RefusedError(f"el incidente {record.number} ya está en pausa")
    question = act.text("note") or act.text("text")
    if question is None and record.asked_us is None:
        raise RefusedError("solo se pausa tras una pregunta registrada al cliente: escríbala con --note")
    record = replace(record, pauses=(*record.pauses, (act.at_us, None)), asked_us=record.asked_us or act.at_us)
    record = act.put(
        record, act.line("clock paused, asked the customer"),
        clocks=clocks.repaused(record, act.desk.impact.contracts, paused=True),
    )  # fmt: skip
    if question is not None:
        act.papers.letters.write(record, "question", act.at_us, act.who, words=question)


def resume(act: Act) -> None:
    record = act.record
    move(record, "resume")
    if not paused(record):
        raise RefusedError(f"el incidente {record.number} no está en pausa")
    resumed(act, record, act.line("clock goes on"))


def resumed(act: Act, record: IncidentRecord, line: str) -> IncidentRecord:
    """The pause ends now; what of the time was used before it stays used."""
    begun = record.pauses[-1][0]
    record = replace(record, pauses=(*record.pauses[:-1], (begun, act.at_us)), asked_us=None)
    return act.put(record, line, clocks=clocks.repaused(record, act.desk.impact.contracts, paused=False))


def redate(act: Act) -> None:
    """It went to development: the solution has another date, agreed with the customer, who was told why."""
    record = act.record
    move(record, "redate")
    due_us, reason = act.instant("due"), act.text("reason") or act.text("note")
    if due_us is None or reason is None:
        raise RefusedError("una nueva fecha pide --due y el motivo que se dijo al cliente (--reason)")
    if due_us <= act.at_us:
        raise RefusedError("la nueva fecha ya pasó")
    if paused(record):
        raise RefusedError(f"el incidente {record.number} está en pausa: reanúdelo antes de darle otra fecha")
    changed = act.desk.impact.redated(
        record, Redate(at_us=act.at_us, due_us=due_us, reason=reason, who=act.who)
    )  # fmt: skip
    line = say(
        DESK_LANGUAGE, "solution agreed for {due}: {reason}", due=local(due_us, act.desk.topology.timezone),
        reason=reason,
    )  # fmt: skip
    act.put(changed, line)


def paused(record: IncidentRecord) -> bool:
    return record.state in ACTIVE and bool(record.pauses) and record.pauses[-1][1] is None
