"""Service-level clocks of an incident, pure: what each affected customer's contract promised, from the opening.

A due date is never relaxed: worsening recomputes it from the opening; getting better ends the graver solution clock
(met or missed) and goes on with the lighter one; the attention that was promised stays promised.
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


def due(contract: Contract, clock: ClockName, priority: Priority, record: IncidentRecord) -> int | None:
    """When the contract's promise falls due; None where it promises none."""
    rule = contract.at(record.opened_us).clock("incident", clock, priority)
    if rule is None:
        return None
    return rule.due(record.opened_us, record.pauses if clock == "solution" else ())


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
    fresh = _fresh(record, promise, customer, clock, priority, now_us)
    if running and heavier(priority, clocks[running[-1]].priority):
        if fresh is not None:
            old = clocks[running[-1]]
            missed = "missed" in {old.state, fresh.state}
            clocks[running[-1]] = replace(fresh, state="missed" if missed else fresh.state)
        return
    if running:
        clocks[running[-1]] = ended(clocks[running[-1]], better_us if better_us is not None else now_us)
    if fresh is not None:
        clocks.append(fresh)


def _fresh(
    record: IncidentRecord, promise: tuple[str, Contract], customer: str | None, clock: ClockName, priority: Priority,
    now_us: int,
) -> Clock | None:  # fmt: skip
    name, contract = promise
    due_us = due(contract, clock, priority, record)
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
            due_us = clock.due_us if paused else due(contracts[clock.contract], "solution", clock.priority, record)
            state = "paused" if paused else "running"
            clocks.append(replace(clock, state=state, due_us=due_us if due_us is not None else clock.due_us))
        else:
            clocks.append(clock)
    return tuple(clocks)
