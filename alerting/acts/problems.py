"""Problem records (ITIL): what recurs, its root cause, its workaround, and the incidents that it explains."""

from alerting.acts.act import Act
from alerting.lifecycle import RefusedError
from alerting.problems import UnknownProblemError
from alerting.words import DESK_LANGUAGE, say
from sereno.problem import ProblemRecord


def open_(act: Act) -> int:
    """By hand, before it has recurred often enough by itself; with the incidents that it is about."""
    title = act.text("title")
    if title is None:
        raise RefusedError("falta de qué trata el problema (--title)")
    numbers = [act.incident(number) for number in _numbers(act)]
    problem = act.papers.problems.open(
        title, at_us=act.at_us, who=act.who, cause=numbers[0].cause if numbers else None,
        alarm=numbers[0].alarm if numbers else None,
    )  # fmt: skip
    for record in numbers:
        act.papers.problems.link(problem.number, record, act.at_us, act.who)
    return problem.number


def link(act: Act) -> None:
    """An incident is of this problem too."""
    problem = _open_one(act)
    numbers = _numbers(act)
    if not numbers:
        raise RefusedError("falta el incidente que se le une (--incident)")
    for number in numbers:
        act.papers.problems.link(problem.number, act.incident(number), act.at_us, act.who)


def note(act: Act) -> None:
    """Root cause, workaround, or a line."""
    problem = _open_one(act)
    root, workaround, words = act.text("root_cause"), act.text("workaround"), act.text("note")
    if root is None and workaround is None and words is None:
        raise RefusedError("falta qué se anota: --root-cause, --workaround o --note")
    lines = [words] if words else []
    if root is not None:
        lines.append(say(DESK_LANGUAGE, "root cause: {text}", text=root))
    if workaround is not None:
        lines.append(say(DESK_LANGUAGE, "workaround: {text}", text=workaround))
    act.papers.problems.put(
        problem, act.at_us, act.who, *lines, root_cause=root or problem.root_cause,
        workaround=workaround or problem.workaround,
    )  # fmt: skip


def close(act: Act) -> None:
    """Its root cause is known and mended. Refused without saying which it was."""
    problem = _open_one(act)
    root = act.text("root_cause") or problem.root_cause
    if root is None:
        raise RefusedError(f"no se puede cerrar el problema {problem.number} sin su causa raíz (--root-cause)")
    said = act.text("note")
    line = say(DESK_LANGUAGE, "closed; root cause: {text}", text=root)
    act.papers.problems.put(
        problem, act.at_us, act.who, f"{line}; {said}" if said else line, state="closed", closed_us=act.at_us,
        root_cause=root, workaround=act.text("workaround") or problem.workaround,
    )  # fmt: skip


def _numbers(act: Act) -> list[int]:
    """The incidents named, by number."""
    try:
        return [int(one) for one in act.texts("incidents") + act.texts("incident")]
    except ValueError:
        raise RefusedError("los incidentes se dan por su número") from None


def _open_one(act: Act) -> ProblemRecord:
    number = act.number("number")
    problem = act.papers.problems.records.get(number) if number is not None else None
    if problem is None:
        raise UnknownProblemError(number)
    if problem.state == "closed":
        raise RefusedError(f"el problema {problem.number} está cerrado")
    return problem
