"""What time alone does to an incident: clocks missed, its end told, closed by itself."""

from alerting import breaches, clocks
from alerting.book import MONITOR
from alerting.reconcile.room import Room
from alerting.words import DESK_LANGUAGE, say
from sereno.incident import IncidentRecord

TELL_US = 30 * 1_000_000  # "it is over" waits this long: a fault that returns meanwhile was never over for anybody
STABLE_US = 10 * 60 * 1_000_000  # and is told to be over after this long without a return
MONITOR_CLOSE_US = 48 * 3_600 * 1_000_000


class Timers:
    """Every instant at which time alone changes an incident, and what it then does."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.book = room.book

    def next_due_us(self) -> int | None:
        """The next of those instants."""
        dues: list[int | None] = []
        for record in self.book.living():
            dues += [clocks.next_due_us(record), self._closing_due(record), telling_due(record)]
        return min((due for due in dues if due is not None), default=None)

    def run(self, now_us: int) -> None:
        """Everything that has fallen due."""
        for record in sorted(self.book.living(), key=lambda one: one.number):
            due = clocks.next_due_us(record)
            if due is not None and due <= now_us:
                step, promised = self.room.first_step(record), self.room.impact.contracts
                record = breaches.run(self.book, self.room.escalation, promised, record, step, now_us)  # noqa: PLW2901
            telling = telling_due(record)
            if telling is not None and telling <= now_us:
                record = self._tell_resolved(record, now_us)  # noqa: PLW2901
            closing = self._closing_due(record)
            if closing is not None and closing <= now_us:
                self.book.put(record, now_us, say(DESK_LANGUAGE, "closed by itself"), state="closed", closed_us=now_us)

    def _tell_resolved(self, record: IncidentRecord, now_us: int) -> IncidentRecord:
        record = self.book.put(record, now_us, told_resolved=True)
        return self.book.tell(record, "resolved", now_us, "", page=False)

    def _closing_due(self, record: IncidentRecord) -> int | None:
        """When it closes by itself: the longest of its contracts' times; never where one wants a confirmation."""
        if record.state != "resolved" or record.resolved_at_us is None:
            return None
        if record.class_ == "monitor":
            return record.resolved_at_us + MONITOR_CLOSE_US
        names = self.room.impact.signed(record)
        terms = [self.room.impact.version(name, record.opened_us).closing for name in names]
        waits = [one.after_resolved_us for one in terms]
        if any(wait is None for wait in waits):
            return None
        bare = record.opened_by != MONITOR and (record.category is None or record.closing_cause is None)
        if bare and any(one.categorised for one in terms):
            return None  # what a person resolved waits for its category and cause
        return record.resolved_at_us + max(wait for wait in waits if wait is not None)


def telling_due(record: IncidentRecord) -> int | None:
    """When people hear that it is over."""
    if record.state != "resolved" or record.told_resolved or record.resolved_at_us is None:
        return None
    flapping = record.quiet_until_us is not None and record.resolved_at_us < record.quiet_until_us
    return record.resolved_at_us + (STABLE_US if flapping else TELL_US)
