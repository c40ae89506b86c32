"""What to send next, pure: newest first, then backfill; again what is not acknowledged; everything on a new epoch.

It mirrors the spool's keys in memory. Time comes in as monotonic seconds; batches and deletions come out.
"""

from collections.abc import Mapping

import msgspec

from sereno.ranges import Range, Ranges
from sereno.wire import BATCH_LIMIT, Ack

RESEND_SECONDS = 5.0
OLD_SECONDS = (
    15.0  # an older epoch is a former writer's, unless the newer has been silent for so long (a restored store)
)
WINDOW = 8  # batches on their way at once; a backlog must not flood the broker


class Flight(msgspec.Struct, frozen=True):
    """A batch on its way: contiguous results of one boot."""

    boot: str
    first: int
    last: int
    sent_at: float


class Outbox:
    """The sender's state: `held` until acknowledged or dropped, `unsent` while not on its way."""

    def __init__(self, held: Mapping[str, Ranges]) -> None:
        self._held = {boot: Ranges(ranges) for boot, ranges in held.items()}  # oldest boot first
        self._unsent = {boot: Ranges(ranges) for boot, ranges in held.items()}
        self._flights: list[Flight] = []
        self._epoch: int | None = None
        self._heard_at = 0.0

    def add(self, boot: str, seq: int) -> None:
        """A result was put in the spool."""
        self._held.setdefault(boot, Ranges()).add(seq)
        self._unsent.setdefault(boot, Ranges()).add(seq)

    def next_batch(self, now: float) -> Flight | None:
        """The batch to publish now, marked as sent; None when nothing may be sent."""
        self._expire(now)
        if len(self._flights) >= WINDOW:
            return None
        for boot in reversed(self._unsent):
            run = self._unsent[boot].last_run(BATCH_LIMIT)
            if run is not None:
                self._unsent[boot].remove(*run)
                flight = Flight(boot, *run, now)
                self._flights.append(flight)
                return flight
        return None

    def shortened(self, flight: Flight, first: int) -> Flight:
        """The batch was too large: it begins later, and what is older of it waits for another one."""
        shorter = Flight(flight.boot, first, flight.last, flight.sent_at)
        self._flights[self._flights.index(flight)] = shorter
        held = self._held.get(flight.boot)
        for piece in _common(held, flight.first, first - 1):
            self._unsent[flight.boot].add(*piece)
        return shorter

    def heeds(self, epoch: int, now: float) -> bool:
        """Whether an acknowledgement of this epoch counts: what a former writer says late does not."""
        return self._epoch is None or epoch >= self._epoch or now - self._heard_at >= OLD_SECONDS

    def acknowledged(self, ack: Ack, now: float) -> list[tuple[str, Range]]:
        """What may be let go of now. An epoch other than the last one sends everything else again."""
        if not self.heeds(ack.epoch, now):
            return []
        self._heard_at = now
        done: list[tuple[str, Range]] = []
        for boot, ranges in ack.committed.items():
            held = self._held.get(boot)
            for first, last in ranges if held is not None else ():
                done += [(boot, piece) for piece in _common(held, first, last)]
        for boot, (first, last) in done:
            self._remove(boot, first, last)
        self._flights = [flight for flight in self._flights if self._still(flight)]
        if ack.epoch != self._epoch:
            self._epoch = ack.epoch
            self.send_again()
        return done

    def dropped(self, boot: str, first: int, last: int) -> None:
        """The spool was full and let go of its oldest."""
        self._remove(boot, first, last)

    def send_again(self) -> None:
        """Nothing counts as on its way any more: the connection is new, or the collector is."""
        self._flights.clear()
        self._unsent = {boot: Ranges(ranges) for boot, ranges in self._held.items()}

    def oldest(self) -> dict[str, int]:
        """Per boot, the oldest seq that is still held."""
        return {boot: ranges.first for boot, ranges in self._held.items() if ranges.first is not None}

    def held(self) -> dict[str, Ranges]:
        """Everything that is not acknowledged."""
        return {boot: Ranges(ranges) for boot, ranges in self._held.items() if ranges}

    def _expire(self, now: float) -> None:
        late = [flight for flight in self._flights if now - flight.sent_at >= RESEND_SECONDS]
        if late:
            self._flights = [flight for flight in self._flights if now - flight.sent_at < RESEND_SECONDS]
        for flight in late:
            held = self._held.get(flight.boot)
            for piece in _common(held, flight.first, flight.last) if held is not None else ():
                self._unsent[flight.boot].add(*piece)

    def _remove(self, boot: str, first: int, last: int) -> None:
        for kept in (self._held, self._unsent):
            if boot in kept:
                kept[boot].remove(first, last)
        newest = next(reversed(self._held), None)
        if boot != newest and boot in self._held and not self._held[boot]:
            del self._held[boot]
            self._unsent.pop(boot, None)

    def _still(self, flight: Flight) -> bool:
        """Whether anything of a batch on its way still waits for its acknowledgement."""
        held = self._held.get(flight.boot)
        return held is not None and bool(_common(held, flight.first, flight.last))


def _common(held: Ranges | None, first: int, last: int) -> list[Range]:
    """What is in `held` between `first` and `last`; nothing for a crossed range from a confused sender."""
    if held is None or not held or last < first:
        return []
    inside, start = [], first
    for gap_first, gap_last in held.missing(first, last):
        if gap_first > start:
            inside.append((start, gap_first - 1))
        start = gap_last + 1
    if start <= last:
        inside.append((start, last))
    return inside
