"""What the customer's contacts are told by hand, and what they answer."""

from msgspec.structs import replace

from alerting.acts.act import Act
from alerting.acts.waiting import paused, resumed
from alerting.effects import MessageAdded
from alerting.lifecycle import RefusedError, move
from alerting.words import DESK_LANGUAGE, say
from sereno.incident import IncidentRecord

KINDS = {
    "opening": "opening", "apertura": "opening", "progress": "progress", "avance": "progress",
    "question": "question", "pregunta": "question", "solution": "solution", "solucion": "solution",
}  # fmt: skip
_SHOWN = 300  # characters of an answer that the timeline repeats; the whole is among the messages


def tell(act: Act) -> None:
    """A message to the customer's contacts, with what a person wrote."""
    record = act.record
    move(record, "tell")
    kind = act.one_of("kind", KINDS, "opening, progress, question o solution")
    if kind is None:
        raise RefusedError("falta qué clase de mensaje es (--kind opening|progress|question|solution)")
    words = act.text("text") or act.text("note")
    if words is None and kind in {"progress", "question"}:
        raise RefusedError("falta el texto (--text)")
    for name in act.texts("customer"):
        if name not in record.customers:
            raise RefusedError(f"el incidente {record.number} no afecta a {name}")
    act.papers.letters.refuse_unheard(record, act.texts("customer"))
    if kind == "question":
        record = act.put(record, asked_us=act.at_us)
    act.papers.letters.write(
        record, kind, act.at_us, act.who, words=words or "", customers=act.texts("customer") or None
    )  # fmt: skip


def answer(act: Act) -> None:
    """The customer wrote: kept whole, in the timeline by its beginning; a clock that waited for it goes on."""
    record = act.record
    move(record, "answer")
    said = act.text("text") or act.text("note")
    if said is None:
        raise RefusedError("falta lo que el cliente contestó (--text)")
    sender = act.text("from") or act.text("sender") or act.who
    shown = " ".join(said.split())
    shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"
    line = say(DESK_LANGUAGE, "answer of {sender}: {text}", sender=sender, text=shown)
    act.desk.book.emit(
        MessageAdded(
            number=record.number,
            at_us=act.at_us,
            direction="in",
            kind="answer",
            customer=act.text("customer"),
            address=sender[:254],
            who=act.who,
            subject=act.text("subject") or "",
            body=said,
            message_id=act.text("message_id"),
        )
    )
    if paused(record):
        record = resumed(act, record, line)
        record = act.put(record, say(DESK_LANGUAGE, "clock goes on"))
        _heard(act, record)
        return
    record = act.put(replace(record, asked_us=None), line)
    if record.state != "merged":
        _heard(act, record)


def _heard(act: Act, record: IncidentRecord) -> None:
    """Whoever has it hears that the customer wrote; nobody is woken for it."""
    mine = [record.assigned] if record.assigned else list(record.told)
    act.desk.book.tell(record, "answered", act.at_us, "", page=False, people=mine or None)
