"""A problem record (ITIL): what recurs and wants its root cause found."""

from typing import Any, Literal

import msgspec

from sereno.clock import iso
from sereno.incident import Element, TimelineEntry

ProblemState = Literal["open", "closed"]


class ProblemRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The whole record; `incidents` are those that it explains, oldest first."""

    number: int
    state: ProblemState
    title: str
    opened_us: int
    opened_by: str
    cause: Element | None = None
    alarm: str | None = None
    incidents: tuple[int, ...] = ()
    root_cause: str | None = None
    workaround: str | None = None
    closed_us: int | None = None
    timeline: tuple[TimelineEntry, ...] = ()


def problem_json(problem: ProblemRecord) -> dict[str, Any]:
    """The shape of `sereno problems --json`."""
    return {
        "number": problem.number,
        "state": problem.state,
        "title": problem.title,
        "cause": None if problem.cause is None else {"kind": problem.cause.kind, "name": problem.cause.name},
        "alarm": problem.alarm,
        "opened": iso(problem.opened_us),
        "opened_by": problem.opened_by,
        "closed": None if problem.closed_us is None else iso(problem.closed_us),
        "incidents": list(problem.incidents),
        "root_cause": problem.root_cause,
        "workaround": problem.workaround,
        "timeline": [{"at": iso(entry.at_us), "what": entry.what, "who": entry.who} for entry in problem.timeline],
    }
