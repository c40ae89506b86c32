"""What time alone does to clocks: people are warned, promises are missed; and what a reopening owes again."""

from msgspec.structs import replace

from sereno.incident import Clock, IncidentRecord


def next_due_us(record: IncidentRecord) -> int | None:
    """When a running clock next wants something: its warning, or the first instant after its due date."""
    return min((_next(clock) for clock in record.clocks if clock.state == "running"), default=None)


def _next(clock: Clock) -> int:
    if clock.warn_us is not None and clock.warned_us is None and clock.warn_us <= clock.due_us:
        return clock.warn_us
    return clock.due_us + 1


def passed(record: IncidentRecord, now_us: int) -> tuple[Clock, ...]:
    """Clocks at an instant: warned where their time runs out, missed where it has; what is missed stays owed."""
    return tuple(_at(clock, now_us) if clock.state == "running" else clock for clock in record.clocks)


def _at(clock: Clock, now_us: int) -> Clock:
    if clock.due_us < now_us:
        return replace(clock, state="missed")
    if clock.warned_us is None and clock.warn_us is not None and clock.warn_us <= now_us:
        return replace(clock, warned_us=now_us)
    return clock


def running_out(record: IncidentRecord) -> list[Clock]:
    """Clocks of which people were warned, that still run: the next due first."""
    found = [clock for clock in record.clocks if clock.state == "running" and clock.warned_us is not None]
    return sorted(found, key=lambda clock: clock.due_us)


def overdue(record: IncidentRecord) -> list[Clock]:
    """Clocks that were missed and are still owed: the longest overdue first."""
    found = [clock for clock in record.clocks if clock.state == "missed" and clock.ended_us is None]
    return sorted(found, key=lambda clock: clock.due_us)


def warned_since(before: IncidentRecord, after: IncidentRecord) -> list[Clock]:
    """Clocks of which people are to be warned now."""
    pairs = zip(before.clocks, after.clocks, strict=True)
    return [new for old, new in pairs if new.warned_us is not None and old.warned_us is None]


def missed_since(before: IncidentRecord, after: IncidentRecord) -> list[Clock]:
    """Clocks that were missed now."""
    pairs = zip(before.clocks, after.clocks, strict=True)
    return [new for old, new in pairs if new.state == "missed" and old.state != "missed"]


def again(record: IncidentRecord) -> tuple[Clock, ...]:
    """Reopened: what resolution had ended is owed again, by the same due date; a graver, earlier promise stays met."""
    clocks = list(record.clocks)
    last = {
        (one.contract, one.customer): place for place, one in enumerate(clocks) if one.clock == "solution"
    }  # fmt: skip
    for place in last.values():
        state = "missed" if clocks[place].state == "missed" else "running"
        clocks[place] = replace(clocks[place], ended_us=None, state=state)
    return tuple(clocks)
