"""What a contract obliges the operator to do by a date (SOW): agreed, done, with what evidence."""

from msgspec.structs import replace

from alerting.acts.act import Act
from alerting.acts.words import local
from alerting.lifecycle import RefusedError
from alerting.words import DESK_LANGUAGE, say
from sereno.activity import Activity
from sereno.errors import SerenoError


class UnknownActivityError(SerenoError):
    """No activity has that number."""

    def __init__(self, number: object) -> None:
        super().__init__(f"no hay ninguna actividad {number}; «sereno activities list --all» las enumera")


def add(act: Act) -> int:
    """It was agreed with a customer, to be done by a date."""
    customer, what, due_us = act.text("customer"), act.text("what"), act.instant("due")
    if customer is None or what is None or due_us is None:
        raise RefusedError("una actividad pide cliente, qué y para cuándo (--customer, --what, --due)")
    if customer not in act.desk.customers:
        raise RefusedError(f"no hay ningún cliente {customer}; son {', '.join(act.desk.topology.customers)}")
    incident = act.number("incident")
    number = act.papers.activities.next_number
    act.papers.activities.next_number = number + 1
    act.papers.activities.records[number] = Activity(
        id=number, customer=customer, incident=incident, what=what, due_us=due_us, who=act.who,
        recorded_us=act.at_us,
    )  # fmt: skip
    if incident is not None:
        record = act.incident(incident)
        due = local(due_us, act.desk.topology.timezone)
        act.put(record, say(DESK_LANGUAGE, "activity {number} agreed for {due}: {what}", number=number, due=due,
                            what=what))  # fmt: skip
    return number


def done(act: Act) -> None:
    """It is done, and this shows it."""
    activity = _open_one(act)
    evidence = act.text("evidence") or act.text("note")
    if evidence is None:
        raise RefusedError("falta la evidencia de que se hizo (--evidence)")
    at_us = act.instant("at")
    at_us = act.at_us if at_us is None else at_us
    if at_us > act.at_us:
        raise RefusedError("no puede haberse hecho después de ahora")
    act.papers.activities.records[activity.id] = replace(activity, done_us=at_us, evidence=evidence)
    if activity.incident is not None and activity.incident in act.desk.book.records:
        record = act.incident(activity.incident)
        act.put(record, say(DESK_LANGUAGE, "activity {number} done: {what}", number=activity.id, what=activity.what))


def cancel(act: Act) -> None:
    """Both parties let it go: nobody is late with it."""
    activity = _open_one(act)
    act.papers.activities.records[activity.id] = replace(activity, cancelled_us=act.at_us)


def _open_one(act: Act) -> Activity:
    number = act.number("id")
    number = act.number("number") if number is None else number
    activity = act.papers.activities.records.get(number) if number is not None else None
    if activity is None:
        raise UnknownActivityError(number)
    if activity.done_us is not None:
        raise RefusedError(f"la actividad {activity.id} ya está hecha")
    if activity.cancelled_us is not None:
        raise RefusedError(f"la actividad {activity.id} está cancelada")
    return activity
