"""Asks every question, one after another, each with a deadline: what hangs is said to hang, and nobody waits for it."""

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from sereno.doctor.model import STATES, CannotLookError, Finding, Question, State, unknown
from sereno.doctor.patient import Patient
from sereno.errors import SerenoError

QUESTION_SECONDS = 8.0
WHOLE_SECONDS = 45.0


def examine(
    patient: Patient, questions: Sequence[Question], progress: Callable[[float], None] = lambda _part: None,
    *, question_seconds: float = QUESTION_SECONDS,
) -> list[Finding]:  # fmt: skip
    """Every finding, in the order of the questions."""
    found: list[Finding] = []
    end = patient.clock.monotonic() + WHOLE_SECONDS
    for number, question in enumerate(questions):
        progress(number / len(questions))
        left = min(question_seconds, end - patient.clock.monotonic())
        answers = _answer(patient, question, left) if left > 0 else [unknown("there was no time left to look")]
        found += [msgspec.structs.replace(each, about=question.name) for each in answers]
    return found


def summary(findings: Iterable[Finding]) -> tuple[dict[State, int], int]:
    """How many of each state, and the exit status: 1 something is broken, 3 something cannot be told, 0 fine."""
    counts: dict[State, int] = dict.fromkeys(STATES, 0)
    undecided = False
    for each in findings:
        counts[each.state] += 1
        undecided |= each.state == "unknown" and not each.optional
    return counts, 1 if counts["broken"] else 3 if undecided else 0


def _answer(patient: Patient, question: Question, seconds: float) -> list[Finding]:
    box: list[Finding] = []
    done = threading.Event()

    def ask() -> None:
        try:
            box.extend(question.judge(question.look(patient)))
        except CannotLookError as error:
            box.append(unknown(error.what, error.mend, optional=error.optional, **error.values))
        except SerenoError as error:
            box.append(unknown("{why}", why=str(error)))
        except Exception as error:  # noqa: BLE001  # a question that stumbles must not hide what the others find
            box.append(unknown("the question itself failed ({why})", why=f"{type(error).__name__}: {_words(error)}"))
        finally:
            done.set()

    threading.Thread(target=ask, name=f"doctor-{question.name}", daemon=True).start()
    if not done.wait(seconds):
        return [unknown("no answer within {seconds} s", "look at it by hand", seconds=f"{seconds:.0f}")]
    return list(box)


def _words(error: Any) -> str:
    """The first line of what a library said; a database's driver adds the statement below it."""
    return str(error).split("\n", 1)[0]
