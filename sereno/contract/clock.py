"""Service-level clocks: a budget of calendar time from an opening, with pauses."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sereno.contract.calendar import Calendar

Pause = tuple[int, int | None]  # [from, to) in microseconds UTC; to None: still paused


@dataclass(frozen=True)
class ClockRule:
    """What one contract version promises of one clock at one priority."""

    calendar: Calendar
    budget_us: int
    waits: bool = False  # for a complete report: it does not count from the opening
    warn_percent: int = 75

    def warns(self, due_us: int) -> int:
        """When so much of the budget is used that people should be warned, by its due date."""
        return self.calendar.back(due_us, self.budget_us * (100 - self.warn_percent) // 100)

    def due(self, opened_us: int, pauses: Iterable[Pause] = ()) -> int:
        """The earliest instant by which the budget is used up.

        Pauses stop the clock; they matter only where the calendar would run. A pause without an end has no due date to
        give: what comes back then is the date as if it ended where it began, the earliest that it can still be.
        """
        at, left = opened_us, self.budget_us
        for begins, ends in merged(pauses, opened_us):
            running = self.calendar.elapsed(at, begins)
            if running >= left:
                break
            left -= running
            at = ends
        return self.calendar.add(at, left)

    def used(self, opened_us: int, at_us: int, pauses: Iterable[Pause] = ()) -> int:
        """Microseconds of the budget used at an instant; it may exceed the budget."""
        total, since = 0, opened_us
        for begins, ends in merged(((a, at_us if b is None else b) for a, b in pauses), opened_us):
            total += self.calendar.elapsed(since, min(begins, at_us))
            since = max(since, ends)
        return total + self.calendar.elapsed(since, at_us)


def resumed(calendar: Calendar, due_us: int, paused_us: int, resumed_us: int) -> int:
    """A due date after a pause: what of the budget was left when it began is left when it ends."""
    return calendar.add(resumed_us, calendar.elapsed(paused_us, due_us))


def merged(pauses: Iterable[Pause], opened_us: int) -> Iterator[tuple[int, int]]:
    """Closed pauses after an opening, in order, overlaps joined; empty, early and endless ones left out."""
    held: tuple[int, int] | None = None
    closed = sorted((max(begins, opened_us), ends) for begins, ends in pauses if ends is not None)
    for begins, ends in closed:
        if ends <= begins:
            continue
        if held is not None and begins <= held[1]:
            held = (held[0], max(held[1], ends))
            continue
        if held is not None:
            yield held
        held = (begins, ends)
    if held is not None:
        yield held
