"""One clock: when it begins, when it falls due, when people are warned, and how it ends."""

from typing import NamedTuple

from msgspec.structs import replace

from sereno.contract import Calendar, ClockRule, Contract
from sereno.contract.clock import resumed
from sereno.incident import Clock, ClockName, IncidentRecord, Priority

NAMES: tuple[ClockName, ...] = ("attention", "solution")
_WARNED_LAST = 4  # of an agreed date, people are warned in the last quarter


class Promise(NamedTuple):
    """Whose contract it is: its name, itself, and the customer; none: the desk's own."""

    name: str
    contract: Contract
    customer: str | None

    def rule(self, record: IncidentRecord, clock: ClockName, priority: Priority) -> ClockRule | None:
        """By the version in force at the opening."""
        return self.contract.at(record.opened_us).clock(record.kind, clock, priority)

    def calendar(self, record: IncidentRecord, clock: ClockName, priority: Priority) -> Calendar:
        """The clock's own; the round-the-clock one where the contract has no such clock."""
        rule = self.rule(record, clock, priority)
        return rule.calendar if rule is not None else Calendar(self.contract.at(record.opened_us).timezone)

    def has(self, clock: Clock) -> bool:
        return (clock.contract, clock.customer) == (self.name, self.customer)


def begins_us(record: IncidentRecord, rule: ClockRule, started_us: int | None = None) -> int | None:
    """From when a clock counts: the opening, the complete report where the contract waits for it, or `started_us`.

    None: it has not begun.
    """
    if started_us is not None:
        return started_us
    if not rule.waits:
        return record.opened_us
    return None if record.complete_us is None else max(record.opened_us, record.complete_us)


def due(
    contract: Contract, clock: ClockName, priority: Priority, record: IncidentRecord, started_us: int | None = None
) -> int | None:
    """When the contract's promise falls due; None where it has none, or the clock has not begun."""
    rule = contract.at(record.opened_us).clock(record.kind, clock, priority)
    begun = None if rule is None else begins_us(record, rule, started_us)
    if rule is None or begun is None:
        return None
    return rule.due(begun, record.pauses if clock == "solution" else ())


def fresh(
    record: IncidentRecord, promise: Promise, clock: ClockName, priority: Priority, started_us: int | None = None
) -> Clock | None:
    """The clock as it stands when it is first owed; None where nothing is promised yet.

    A date agreed with the customer takes the contract's place, but not for what got worse since (`started_us`).
    """
    if clock == "solution" and started_us is None and record.agreed_due_us is not None and record.redates:
        return agreed(record, promise, priority)
    due_us = due(promise.contract, clock, priority, record, started_us)
    rule = promise.rule(record, clock, priority)
    if due_us is None or rule is None:
        return None
    made = Clock(
        contract=promise.name, customer=promise.customer, clock=clock, priority=priority, due_us=due_us,
        severity=promise.contract.at(record.opened_us).severity(priority), started_us=started_us,
        warn_us=rule.warns(due_us), state="paused" if clock == "solution" and is_paused(record) else "running",
    )  # fmt: skip
    if clock == "attention" and record.acknowledged_us is not None:  # somebody answered before it even began
        return ended(made, max(record.acknowledged_us, begins_us(record, rule, started_us) or record.opened_us))
    return made


def agreed(record: IncidentRecord, promise: Promise, priority: Priority) -> Clock:
    """The solution by the date that was last agreed, moved by what was paused since."""
    last = record.redates[-1]
    calendar = promise.calendar(record, "solution", priority)
    due_us = last.due_us
    for begins, ends in record.pauses:
        if ends is not None and ends > last.at_us:
            due_us = resumed(calendar, due_us, max(begins, last.at_us), ends)
    rest = calendar.elapsed(last.at_us, last.due_us) // _WARNED_LAST
    return Clock(
        contract=promise.name, customer=promise.customer, clock="solution", priority=priority, due_us=due_us,
        severity=promise.contract.at(record.opened_us).severity(priority), agreed=True,
        warn_us=calendar.back(due_us, rest), state="paused" if is_paused(record) else "running",
    )  # fmt: skip


def is_paused(record: IncidentRecord) -> bool:
    """A question to the customer waits for its answer."""
    return bool(record.pauses) and record.pauses[-1][1] is None


def ended(clock: Clock, at_us: int) -> Clock:
    """The clock stopped at an instant: met if that was in time, or if it stood still."""
    if clock.ended_us is not None:
        return clock
    late = clock.state == "missed" or (clock.state == "running" and at_us > clock.due_us)
    return replace(clock, ended_us=at_us, state="missed" if late else "met")


def end(record: IncidentRecord, which: frozenset[str], at_us: int) -> tuple[Clock, ...]:
    """All clocks of these names stopped."""
    return tuple(ended(clock, at_us) if clock.clock in which else clock for clock in record.clocks)
