"""Problems (ITIL): opened by themselves when the same cause recurs or flaps; else by people. Pure."""

from typing import Any

from msgspec.structs import replace

from alerting.book import MONITOR, Book
from alerting.words import DESK_LANGUAGE, say
from sereno.desk.customers import Recurrence
from sereno.errors import SerenoError
from sereno.incident import Element, IncidentRecord, TimelineEntry
from sereno.problem import ProblemRecord

Fault = tuple[str, str, str]  # kind and name of the cause, and the alarm that speaks for it


class UnknownProblemError(SerenoError):
    """No problem has that number."""

    def __init__(self, number: object) -> None:
        super().__init__(f"no hay ningún problema {number}; «sereno problems list --all» los enumera")


class Problems:
    """The problem records of a desk, and the rule that opens one."""

    def __init__(self, book: Book, rule: Recurrence) -> None:
        self.records: dict[int, ProblemRecord] = {}
        self.next_number = 1
        self._book, self._rule = book, rule

    def run(self, now_us: int) -> None:
        """Every open incident of the monitor's whose cause has recurred often enough, or which flaps."""
        for record in self._book.active():
            if record.problem is None and record.opened_by == MONITOR and (fault := _fault(record)) is not None:
                self._judge(record, fault, now_us)

    def _judge(self, record: IncidentRecord, fault: Fault, now_us: int) -> None:
        known = next((one for one in self.records.values() if one.state == "open" and _fault(one) == fault), None)
        if known is not None:
            self.link(known.number, record, now_us, MONITOR)
            return
        alike = self._alike(record, fault)
        recurs = len(alike) >= self._rule.times
        if not recurs and record.reopenings < self._rule.reopenings:
            return
        why = "recurs: {title}" if recurs else "flaps: {title}"
        problem = self.open(
            say(DESK_LANGUAGE, why, title=record.title), at_us=now_us, who=MONITOR, cause=record.cause,
            alarm=record.alarm,
        )  # fmt: skip
        for one in alike:
            self.link(problem.number, self._book.records[one.number], now_us, MONITOR)

    def _alike(self, record: IncidentRecord, fault: Fault) -> list[IncidentRecord]:
        """Those of the same fault in the time before it, itself included, oldest first; nobody has explained them yet.

        The book is in the order of opening, so that a year of it is not read for every incident.
        """
        since_us = record.opened_us - self._rule.within_us
        found = []
        for one in reversed(self._book.records.values()):
            if one.split_from is not None or one.version == 0:
                continue  # a split counts from its parent's opening, and is the same event
            if one.opened_us <= since_us:
                break
            if one.opened_us <= record.opened_us and one.state != "merged" and one.problem is None:
                found += [one] if _fault(one) == fault else []
        return found[::-1]

    def open(self, title: str, *, at_us: int, who: str, cause: Element | None, alarm: str | None) -> ProblemRecord:
        number, self.next_number = self.next_number, self.next_number + 1
        problem = ProblemRecord(
            number=number, state="open", title=title, opened_us=at_us, opened_by=who, cause=cause, alarm=alarm
        )
        return self.put(problem, at_us, who, say(DESK_LANGUAGE, "problem opened: {title}", title=title))

    def link(self, number: int, record: IncidentRecord, at_us: int, who: str) -> None:
        """The incident is of the problem; each says so."""
        problem = self.records[number]
        if record.number in problem.incidents and record.problem == number:
            return
        self.put(
            problem, at_us, who, say(DESK_LANGUAGE, "incident {number}: {title}", number=record.number,
                                     title=record.title),
            incidents=tuple(sorted({*problem.incidents, record.number})),
        )  # fmt: skip
        line = say(DESK_LANGUAGE, "of problem {number}: {title}", number=number, title=problem.title)
        self._book.put(record, at_us, line, who=who, problem=number)

    def put(self, problem: ProblemRecord, at_us: int, who: str, *lines: str, **changes: Any) -> ProblemRecord:
        """The problem with these changes and lines; its timeline only grows."""
        entries = tuple(TimelineEntry(at_us=at_us, what=line, who=who) for line in lines)
        problem = replace(problem, **changes)
        problem = replace(problem, timeline=(*problem.timeline, *entries))
        self.records[problem.number] = problem
        return problem

    def restore(self, records: tuple[ProblemRecord, ...]) -> None:
        self.records = {one.number: one for one in records}
        self.next_number = max(self.records, default=0) + 1


def _fault(one: ProblemRecord | IncidentRecord) -> Fault | None:
    if one.cause is None or one.alarm is None:
        return None
    return one.cause.kind, one.cause.name, one.alarm


__all__ = ["Problems", "UnknownProblemError"]
