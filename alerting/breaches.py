"""Promises about to be broken, and broken: said once each, to those who can still do something about it.

That a warning was given and that a clock was missed is in the incident's own record, written in the transaction of the
round: so each is said once, also over a restart, and what fell due while nothing ran is said at the start, in order.
"""

from msgspec.structs import replace

from alerting import clocks
from alerting.book import Book
from alerting.effects import What
from alerting.words import DESK_LANGUAGE, say
from sereno.clock import iso
from sereno.incident import Clock, IncidentRecord


def run(book: Book, record: IncidentRecord, first_step: str, now_us: int) -> IncidentRecord:
    """The record at this instant, with what its clocks have to say written down and told."""
    after = replace(record, clocks=clocks.passed(record, now_us))
    if after.clocks == record.clocks:
        return record
    warned, missed = clocks.warned_since(record, after), clocks.missed_since(record, after)
    record = book.put(record, now_us, *(_missed(one) for one in missed), *(_warned(one) for one in warned),
                      clocks=after.clocks)  # fmt: skip
    what: What = "breached" if missed else "breach_warning"
    return book.tell(record, what, now_us, first_step, page=False)


def _missed(clock: Clock) -> str:
    return say(DESK_LANGUAGE, "clock missed: {clock} of {contract}", clock=say(DESK_LANGUAGE, clock.clock),
               contract=clock.customer or clock.contract)  # fmt: skip


def _warned(clock: Clock) -> str:
    return say(DESK_LANGUAGE, "clock running out: {clock} of {contract}, due {due}",
               clock=say(DESK_LANGUAGE, clock.clock), contract=clock.customer or clock.contract,
               due=iso(clock.due_us))  # fmt: skip
