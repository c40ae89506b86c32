"""What the monitor sees getting worse or better, and what is owed then (docs/adr/0008).

A graver priority is owed from the instant at which it began to be suffered, so that a core that lay dead for days
does not make a fresh outage missed at birth; but worsening never puts off a date already promised. What was missed
before stays missed, on its own line. Getting better ends the graver solution clock (met or missed) and goes on with
the lighter one, counted from the opening; the attention that was promised stays promised.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from alerting.clocks.grades import heavier
from alerting.clocks.promise import NAMES, Promise, ended, fresh
from sereno.contract import Contract
from sereno.incident import Clock, ClockName, IncidentRecord, Priority


def owed(
    record: IncidentRecord, wanted: Mapping[tuple[str, str | None], Priority], contracts: Mapping[str, Contract],
    now_us: int, better_us: int | None,
) -> tuple[Clock, ...]:  # fmt: skip
    """The incident's clocks once each (contract, customer) suffers it at this priority.

    `better_us` is when what is no longer broken became good: the graver solution clock was met, or missed, then.
    """
    clocks = list(record.clocks)
    for (name, customer), priority in wanted.items():
        promise = Promise(name, contracts[name], customer)
        for clock in NAMES:
            _one(clocks, record, promise, clock, priority, now_us, better_us)
    return tuple(clocks)


def _one(
    clocks: list[Clock], record: IncidentRecord, promise: Promise, clock: ClockName, priority: Priority, now_us: int,
    better_us: int | None,
) -> None:  # fmt: skip
    mine = [place for place, one in enumerate(clocks) if one.clock == clock and promise.has(one)]
    running = [place for place in mine if clocks[place].ended_us is None]
    if running and clocks[running[-1]].priority == priority:
        return
    if clock == "attention" and mine and not (running and heavier(priority, clocks[running[-1]].priority)):
        return
    if running and heavier(priority, clocks[running[-1]].priority):
        _worse(clocks, running[-1], fresh(record, promise, clock, priority, started_us=now_us), now_us)
        return
    if running:
        clocks[running[-1]] = ended(clocks[running[-1]], better_us if better_us is not None else now_us)
    missed = [place for place in mine if clocks[place].priority == priority and clocks[place].state == "missed"]
    if missed:
        clocks.append(replace(clocks.pop(missed[-1]), ended_us=None))
        return
    made = fresh(record, promise, clock, priority)
    if made is not None:
        clocks.append(made)


def _worse(clocks: list[Clock], place: int, made: Clock | None, now_us: int) -> None:
    """The graver promise takes the place of the lighter one, never later than it; one already missed keeps its line."""
    if made is None:
        return
    old = clocks[place]
    if old.state == "missed":
        clocks[place] = replace(old, ended_us=now_us)
        clocks.append(made)
    elif made.due_us < old.due_us:
        clocks[place] = made
    else:  # the date that was promised stands, and so does its warning
        clocks[place] = replace(made, due_us=old.due_us, warn_us=old.warn_us, warned_us=old.warned_us)
