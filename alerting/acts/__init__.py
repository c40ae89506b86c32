"""What people do to incidents, problems and agreed activities: one function per verb, in an explicit registry.

What is untrue or out of order is refused, with words. Each group of verbs has its file.
"""

from collections.abc import Callable

from alerting.acts import (
    activities,
    ending,
    grading,
    joining,
    opening,
    problems,
    telling,
    waiting,
    working,
)
from alerting.acts.act import Act
from alerting.lifecycle import RefusedError

Verb = Callable[[Act], int | None]  # the number of what it made, if it made something
PREFIX = "incident."
ACTS: dict[str, Verb] = {
    "incident.open": opening.open_,
    "incident.request": opening.request,
    "incident.update": opening.update,
    "incident.ack": working.ack,
    "incident.start": working.start,
    "incident.assign": working.assign,
    "incident.note": working.note,
    "incident.priority": grading.priority,
    "incident.pause": waiting.pause,
    "incident.resume": waiting.resume,
    "incident.redate": waiting.redate,
    "incident.resolve": ending.resolve,
    "incident.confirm": ending.confirm,
    "incident.close": ending.close,
    "incident.reopen": ending.reopen,
    "incident.survey": ending.survey,
    "incident.merge": joining.merge,
    "incident.split": joining.split,
    "incident.tell": telling.tell,
    "incident.answer": telling.answer,
    "problem.open": problems.open_,
    "problem.link": problems.link,
    "problem.note": problems.note,
    "problem.close": problems.close,
    "activity.add": activities.add,
    "activity.done": activities.done,
    "activity.cancel": activities.cancel,
}


def knows(verb: str) -> bool:
    """The verb is the desk machine's own."""
    return verb in ACTS or verb.startswith(PREFIX)


def apply(act: Act, verb: str) -> int | None:
    """Do it, or raise what refuses it: RefusedError, or one of the Unknown…Errors. The number of what it made."""
    found = ACTS.get(verb) or ACTS.get(PREFIX + verb)
    if found is None:
        raise RefusedError(f"no se conoce la orden {verb!r}")
    return found(act)


__all__ = ["ACTS", "PREFIX", "Act", "Verb", "apply", "knows"]
