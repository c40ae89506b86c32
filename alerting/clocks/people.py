"""What people decide about an incident's clocks: its priority, a question to the customer, a new date, a merge."""

from collections.abc import Mapping

from msgspec.structs import replace

from alerting.clocks.grades import heavier
from alerting.clocks.promise import NAMES, Promise, agreed, ended, fresh
from sereno.contract import Contract
from sereno.contract.clock import resumed
from sereno.incident import Clock, ClockName, IncidentRecord, Priority, Redate

Wanted = Mapping[tuple[str, str | None], Priority]


def reprioritised(record: IncidentRecord, wanted: Wanted, contracts: Mapping[str, Contract]) -> tuple[Clock, ...]:
    """The clocks once people say that it is of this priority, and always was: counted from the opening.

    So the new time less what was used is left; worse never puts a date off, and what was missed stays missed.
    """
    clocks = list(record.clocks)
    for (name, customer), priority in wanted.items():
        promise = Promise(name, contracts[name], customer)
        for clock in NAMES:
            _regraded(clocks, record, promise, clock, priority)
    return tuple(clocks)


def _regraded(
    clocks: list[Clock], record: IncidentRecord, promise: Promise, clock: ClockName, priority: Priority
) -> None:
    mine = [place for place, one in enumerate(clocks) if one.clock == clock and promise.has(one)]
    made = fresh(record, promise, clock, priority)
    if not mine:
        clocks += [made] if made is not None else []
        return
    place = mine[-1]
    old = clocks[place]
    if old.ended_us is not None or old.state == "missed" or old.priority == priority:
        return
    if heavier(priority, old.priority) and (made is None or made.due_us >= old.due_us):
        severity = promise.contract.at(record.opened_us).severity(priority)
        clocks[place] = replace(old, priority=priority, severity=severity)
    elif made is None:  # nothing is promised at the lighter priority
        del clocks[place]
    else:
        clocks[place] = made


def repaused(record: IncidentRecord, contracts: Mapping[str, Contract], *, paused: bool) -> tuple[Clock, ...]:
    """Solution clocks after the record's last pause began or ended; what was left when it began is left when it ends.

    A clock that stands still cannot fall due; one that was missed before goes on being missed.
    """
    clocks = []
    for clock in record.clocks:
        mine = clock.clock == "solution" and clock.ended_us is None and clock.state != "missed"
        if mine and paused:
            clocks.append(replace(clock, state="paused"))
        elif mine and clock.state == "paused":
            clocks.append(_resumed(clock, record, contracts[clock.contract]))
        else:
            clocks.append(clock)
    return tuple(clocks)


def _resumed(clock: Clock, record: IncidentRecord, contract: Contract) -> Clock:
    promise = Promise(clock.contract, contract, clock.customer)
    begun, ends = record.pauses[-1]
    if clock.agreed:
        begun = max(begun, record.redates[-1].at_us)
    at_us = begun if ends is None else ends
    calendar = promise.calendar(record, "solution", clock.priority)
    due_us = resumed(calendar, clock.due_us, begun, at_us)
    warn_us = None if clock.warn_us is None else resumed(calendar, max(clock.warn_us, begun), begun, at_us)
    return replace(clock, state="running", due_us=due_us, warn_us=warn_us)


def redated(
    record: IncidentRecord, redate: Redate, wanted: Wanted, contracts: Mapping[str, Contract]
) -> IncidentRecord:
    """The solution by a date agreed anew; a contract without a solution clock is owed that date too.

    What was missed by then stays missed, on its own line.
    """
    record = replace(record, agreed_due_us=redate.due_us, redates=(*record.redates, redate))
    clocks = list(record.clocks)
    for (name, customer), priority in wanted.items():
        promise = Promise(name, contracts[name], customer)
        mine = [place for place, one in enumerate(clocks) if one.clock == "solution" and promise.has(one)]
        owed = [place for place in mine if clocks[place].ended_us is None]
        if mine and not owed:
            continue  # solved already, as far as this customer goes
        made = agreed(record, promise, clocks[owed[-1]].priority if owed else priority)
        if owed and clocks[owed[-1]].state != "missed":
            clocks[owed[-1]] = made
        else:
            if owed:
                clocks[owed[-1]] = replace(clocks[owed[-1]], ended_us=redate.at_us)
            clocks.append(made)
    return replace(record, clocks=tuple(clocks))


def merged(gone: IncidentRecord, into: IncidentRecord, at_us: int) -> tuple[tuple[Clock, ...], tuple[Clock, ...]]:
    """The clocks of both, once one was joined to the other: (of the one that goes, of the one that stays).

    Attention of the one that goes ends, for it was answered by joining it where somebody looks after the other; else
    it moves like a solution that still runs: to the one that stays, at the earlier of two dates. Joining never meets a
    solution.
    """
    kept: list[Clock] = []
    staying = list(into.clocks)
    for clock in gone.clocks:
        if clock.ended_us is not None:
            kept.append(clock)
        elif clock.clock == "attention" and into.acknowledged_us is not None:
            kept.append(ended(clock, at_us))
        elif clock.state == "missed":
            kept.append(replace(clock, ended_us=at_us))
            _moved(staying, clock)
        else:
            _moved(staying, clock)
    return tuple(kept), tuple(staying)


def _moved(clocks: list[Clock], clock: Clock) -> None:
    """A clock that is still owed, joined to those of another incident."""
    mine = [
        place for place, one in enumerate(clocks)
        if (one.contract, one.customer, one.clock) == (clock.contract, clock.customer, clock.clock)
        and one.ended_us is None
    ]  # fmt: skip
    if not mine:
        clocks.append(clock)
    elif clocks[mine[-1]].state != "missed" and clock.state != "missed" and clock.due_us < clocks[mine[-1]].due_us:
        moved = {"due_us": clock.due_us, "warn_us": clock.warn_us, "warned_us": clock.warned_us}
        clocks[mine[-1]] = replace(clocks[mine[-1]], **moved)
