"""Service-level clocks of an incident, pure: what each affected customer's contract promised, from the opening.

A graver priority is owed from the instant at which it began to be suffered, so that a core that lay dead for days
does not make a fresh outage missed at birth; but worsening never puts off a date already promised. What was missed
before stays missed, on its own line. Getting better ends the graver solution clock (met or missed) and goes on with
the lighter one, counted from the opening; the attention that was promised stays promised.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from sereno.contract import Contract
from sereno.incident import PRIORITIES, Clock, ClockName, IncidentRecord, Priority

_NAMES: tuple[ClockName, ...] = ("attention", "solution")


def worst(priorities: list[Priority]) -> Priority:
    """The gravest of them; Baja for none."""
    return min(priorities, key=PRIORITIES.index, default="Baja")


def heavier(one: Priority, other: Priority) -> bool:
    """One is graver than the other."""
    return PRIORITIES.index(one) < PRIORITIES.index(other)


def due(
    contract: Contract, clock: ClockName, priority: Priority, record: IncidentRecord, started_us: int | None = None
) -> int | None:
    """When the contract's promise falls due, counted from the opening or from `started_us`; None where it has none."""
    rule = contract.at(record.opened_us).clock("incident", clock, priority)
    if rule is None:
        return None
    return rule.due(
        record.opened_us if started_us is None else started_us, record.pauses if clock == "solution" else ()
    )


def owed(
    record: IncidentRecord, wanted: Mapping[tuple[str, str | None], Priority], contracts: Mapping[str, Contract],
    now_us: int, better_us: int | None,
) -> tuple[Clock, ...]:  # fmt: skip
    """The incident's clocks once each (contract, customer) suffers it at this priority.

    `better_us` is when what is no longer broken became good: the graver solution clock was met, or missed, then.
    """
    clocks = list(record.clocks)
    for (name, customer), priority in wanted.items():
        for clock in _NAMES:
            _one(clocks, record, (name, contracts[name]), customer, clock, priority, now_us, better_us)
    return tuple(clocks)


def _one(
    clocks: list[Clock], record: IncidentRecord, promise: tuple[str, Contract], customer: str | None, clock: ClockName,
    priority: Priority, now_us: int, better_us: int | None,
) -> None:  # fmt: skip
    mine = [
        place for place, one in enumerate(clocks)
        if (one.contract, one.customer, one.clock) == (promise[0], customer, clock)
    ]  # fmt: skip
    running = [place for place in mine if clocks[place].ended_us is None]
    if running and clocks[running[-1]].priority == priority:
        return
    if clock == "attention" and mine and not (running and heavier(priority, clocks[running[-1]].priority)):
        return
    if running and heavier(priority, clocks[running[-1]].priority):
        _worse(
            clocks, running[-1], _fresh(record, promise, customer, clock, priority, now_us, started_us=now_us), now_us
        )
        return
    if running:
        clocks[running[-1]] = ended(clocks[running[-1]], better_us if better_us is not None else now_us)
    missed = [place for place in mine if clocks[place].priority == priority and clocks[place].state == "missed"]
    if missed:
        clocks.append(replace(clocks.pop(missed[-1]), ended_us=None))
        return
    fresh = _fresh(record, promise, customer, clock, priority, now_us)
    if fresh is not None:
        clocks.append(fresh)


def _worse(clocks: list[Clock], place: int, fresh: Clock | None, now_us: int) -> None:
    """The graver promise takes the place of the lighter one, never later than it; one already missed keeps its line."""
    if fresh is None:
        return
    old = clocks[place]
    if old.state == "missed":
        clocks[place] = replace(old, ended_us=now_us)
        clocks.append(fresh)
    else:
        clocks[place] = replace(fresh, due_us=min(fresh.due_us, old.due_us), not_after_us=old.due_us)


def _fresh(
    record: IncidentRecord, promise: tuple[str, Contract], customer: str | None, clock: ClockName, priority: Priority,
    now_us: int, *, started_us: int | None = None,
) -> Clock | None:  # fmt: skip
    name, contract = promise
    due_us = due(contract, clock, priority, record, started_us)
    if due_us is None:
        return None
    return Clock(
        contract=name,
        customer=customer,
        clock=clock,
        priority=priority,
        severity=contract.at(record.opened_us).severity(priority),
        due_us=due_us,
        state="missed" if due_us < now_us else "running",
        started_us=started_us,
    )


def ended(clock: Clock, at_us: int) -> Clock:
    """The clock stopped at an instant: met if that was in time."""
    if clock.ended_us is not None:
        return clock
    return replace(clock, ended_us=at_us, state="missed" if at_us > clock.due_us else "met")


def end(record: IncidentRecord, which: frozenset[str], at_us: int) -> tuple[Clock, ...]:
    """All clocks of these names stopped."""
    return tuple(ended(clock, at_us) if clock.clock in which else clock for clock in record.clocks)


def again(record: IncidentRecord) -> tuple[Clock, ...]:
    """Reopened: what resolution had ended is owed again, by the same due date; a graver, earlier promise stays met."""
    clocks = list(record.clocks)
    last = {
        (one.contract, one.customer): place for place, one in enumerate(clocks) if one.clock == "solution"
    }  # fmt: skip
    for place in last.values():
        clocks[place] = replace(clocks[place], ended_us=None, state="running")
    return tuple(clocks)


def passed(record: IncidentRecord, now_us: int) -> tuple[Clock, ...]:
    """Clocks whose due date has passed are missed; they stay owed."""
    return tuple(
        replace(clock, state="missed") if clock.state == "running" and clock.due_us < now_us else clock
        for clock in record.clocks
    )


def next_due_us(record: IncidentRecord) -> int | None:
    """When the next running clock will be missed: the first instant after its due date."""
    return min((clock.due_us + 1 for clock in record.clocks if clock.state == "running"), default=None)


def repaused(record: IncidentRecord, contracts: Mapping[str, Contract], *, paused: bool) -> tuple[Clock, ...]:
    """Solution clocks after a pause began or ended; an open pause cannot fall due."""
    clocks = []
    for clock in record.clocks:
        if clock.clock == "solution" and clock.ended_us is None and clock.state != "missed":
            due_us = clock.due_us if paused else _recounted(clock, contracts[clock.contract], record)
            clocks.append(replace(clock, state="paused" if paused else "running", due_us=due_us))
        else:
            clocks.append(clock)
    return tuple(clocks)


def _recounted(clock: Clock, contract: Contract, record: IncidentRecord) -> int:
    """The due date after a pause, from the clock's own start and never later than what it replaced."""
    due_us = due(contract, clock.clock, clock.priority, record, clock.started_us)
    if due_us is None:
        return clock.due_us
    return due_us if clock.not_after_us is None else min(due_us, clock.not_after_us)
