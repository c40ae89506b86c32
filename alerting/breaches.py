"""Promises about to be broken, and broken: said once each, to those who can still do something about it.

That a warning was given and that a clock was missed is in the incident's own record, written in the transaction of the
round: so each is said once, also over a restart. What fell due while nothing ran is written down at the start, each at
its own instant and in order; of a promise that was broken meanwhile only that is told.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec.structs import replace

from alerting import clocks
from alerting.book import Book
from alerting.effects import What
from alerting.escalation.ladder import Ladder, rungs_in
from alerting.escalation.machine import Escalation
from alerting.letters.facts import listed
from alerting.letters.times import moment
from alerting.words import DESK_LANGUAGE, say
from sereno.contract import Contract
from sereno.incident import Clock, IncidentRecord


def run(
    book: Book, escalation: Escalation, contracts: Mapping[str, Contract], record: IncidentRecord, first_step: str,
    now_us: int,
) -> IncidentRecord:  # fmt: skip
    """The record at this instant, with what its clocks have to say written down and told."""
    after = replace(record, clocks=clocks.passed(record, now_us))
    warned, missed = clocks.warned_since(record, after), clocks.missed_since(record, after)
    lines = list(_missed(missed))
    lines += _warned(warned, lambda clock: contracts[clock.contract].at(record.opened_us).timezone)
    record = book.put(record, now_us, *lines, clocks=after.clocks)
    people = concerned(escalation, record, now_us)
    what: What = "breached" if missed else "breach_warning"
    if missed or any(one.due_us >= escalation.horizon_us for one in warned):
        record = book.tell(record, what, now_us, first_step, page=False, people=people)
    return record


def concerned(escalation: Escalation, record: IncidentRecord, at_us: int) -> tuple[str, ...] | None:
    """Whose it is, and the level that it has come to; None where there are no levels: everybody."""
    rungs = rungs_in(record)
    if not rungs:
        return None
    mine = (record.assigned,) if record.assigned is not None else ()
    step = escalation.steps.get(record.number)
    levels = {0}
    if step is not None and step.episode == record.reopenings and (step.waits or step.paged):
        levels = {wait.level for wait in step.waits} or {max(step.paged)}
    level = [one for one in levels if one < len(rungs)] or [0]
    return tuple(dict.fromkeys((*mine, *Ladder(rungs, escalation.roster, at_us).call(level).people)))


def _missed(these: Iterable[Clock]) -> Iterator[str]:
    for (name,), whose in _together(these, lambda clock: (clock.clock,)):
        yield say(DESK_LANGUAGE, "clock missed: {clock} of {contract}", clock=say(DESK_LANGUAGE, name), contract=whose)


def _warned(these: Iterable[Clock], zone: Callable[[Clock], str]) -> Iterator[str]:
    for (name, due), whose in _together(
        these, lambda clock: (clock.clock, moment(clock.due_us, DESK_LANGUAGE, zone(clock)))
    ):
        yield say(DESK_LANGUAGE, "clock running out: {clock} of {contract}, due {due}",
                  clock=say(DESK_LANGUAGE, name), contract=whose, due=due)  # fmt: skip


def _together(
    these: Iterable[Clock], alike: Callable[[Clock], tuple[str, ...]]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """One line for all that is alike: an outage of everybody's does not write a line for each of them."""
    found: dict[tuple[str, ...], list[str]] = {}
    for clock in these:
        found.setdefault(alike(clock), []).append(clock.customer or clock.contract)
    for key, names in found.items():
        yield key, listed(dict.fromkeys(names))
