"""Where a packet belongs among the sequence numbers of its stream: the plain Python reference of RFC 3550 A.1.

Every arrival is kept with the place it was given; what follows from the places is computed afterwards
(`reference_delay`, `reference_seconds`).
"""

from dataclasses import dataclass, field
from enum import Enum, auto

from probes.media.payload import Format, Kind

MAX_LATE = 1984  # packets: later than this a packet cannot be placed
MAX_DROPOUT = 3000  # RFC 3550 A.1
MIN_ODD_JUMP = 64  # packets: a smaller jump forward is loss, whatever its timestamp says
FIT_SECONDS = 2  # a timestamp this near what its sequence number says fits
PAUSE_SECONDS = 60  # a late packet may have been sent before a pause of this length
UNKNOWN_CLOCK = 90_000  # Hz: the fastest usual one, where none is known
CYCLE = 1 << 16
MOST_VOTES = 65_535


class Place(Enum):
    """What an arrival was among the numbers of its stream."""

    HIGHEST = auto()  # it moved the highest number, or began a numbering
    LATE = auto()  # after a higher one
    DUPLICATE = auto()
    STRAY = auto()  # far from all others


@dataclass
class Arrival:
    """One RTP packet of a stream as it came; what `Numbering.take` and the meter find out is filled in."""

    time_ns: int
    sequence: int
    timestamp: int
    marker: bool
    length: int
    dscp: int
    idle_ns: int = 0  # since the latest arrival before
    second: int = 0  # of the stream
    place: Place = Place.HIGHEST
    segment: int = 0  # which numbering it belongs to
    number: int = 0  # extended, in that numbering
    format: Format | None = None
    begins: bool = False  # the first of a numbering after a restart

    @property
    def kind(self) -> Kind:
        return self.format.kind if self.format else Kind.UNKNOWN

    @property
    def clock_rate(self) -> int:
        return self.format.clock_rate if self.format else 0


@dataclass
class Span:
    """Numbers from `first` to `last`, first expected in `second` of the stream."""

    first: int
    last: int
    second: int


@dataclass
class Segment:
    """A run of sequence numbers between restarts; numbers are extended and start one cycle up."""

    base: int
    max: int
    max_timestamp: int
    received: set[int]
    spans: list[Span] = field(default_factory=list)

    @property
    def expected(self) -> int:
        return self.max - self.base + 1

    def losses(self) -> list[tuple[int, int]]:
        """Every number that never came, in order, with the second in which it was first expected."""
        spans = sorted(self.spans, key=lambda span: span.first)
        return [(n, span.second) for span in spans for n in range(span.first, span.last + 1) if n not in self.received]


def segment_at(arrival: Arrival) -> Segment:
    """A numbering that begins with this packet."""
    number = CYCLE + arrival.sequence
    return Segment(number, number, arrival.timestamp, {number})


def signed(units: int) -> int:
    """A difference of timestamps, modulo 2^32, as the nearer of forward and backward."""
    return (units + (1 << 31)) % (1 << 32) - (1 << 31)


class Numbering:
    """The sequence numbers of one stream."""

    def __init__(self, first: Arrival) -> None:
        self.segments = [segment_at(first)]
        self.odd: Arrival | None = None  # a stray that the next packet may explain
        self.step = 0  # timestamp units from packet to packet: the majority vote of Boyer and Moore
        self._votes = 0
        first.number = self.segments[0].base

    def take(self, arrival: Arrival, clock_rate: int) -> Arrival | None:
        """Place a packet; `clock_rate` is the stream's so far (0: unknown).

        Returns the stray that this packet has made the first of a new numbering, if it has.
        """
        segment = self.segments[-1]
        arrival.segment = len(self.segments) - 1
        ahead = (arrival.sequence - segment.max) % CYCLE
        behind = -ahead % CYCLE
        advance = (arrival.timestamp - segment.max_timestamp) % (1 << 32)
        if ahead == 0:
            self._late(arrival, segment, 0)
        elif ahead < MAX_DROPOUT and not self._odd_ahead(arrival, ahead, signed(advance), clock_rate):
            self._forward(arrival, segment, ahead, advance)
        elif behind <= MAX_LATE and not self._odd_behind(behind, signed(advance), clock_rate):
            self._late(arrival, segment, behind)
        elif self._outage(ahead, behind, advance):
            self._forward(arrival, segment, ahead, advance)
        elif self.odd and arrival.sequence == (self.odd.sequence + 1) % CYCLE:
            return self._restart(arrival, self.odd)
        else:
            arrival.place = Place.STRAY
            self.odd = arrival
        return None

    def _odd_ahead(self, arrival: Arrival, ahead: int, advance: int, clock_rate: int) -> bool:
        """A jump that its timestamp does not explain as loss, and that came too soon for so many lost packets."""
        if ahead < MIN_ODD_JUMP or not self.step or not clock_rate:
            return False
        fits = abs(advance - self.step * ahead) <= FIT_SECONDS * clock_rate
        soon = arrival.idle_ns * 1e-9 < ahead * self.step / clock_rate / 2
        return not fits and soon

    def _odd_behind(self, behind: int, advance: int, clock_rate: int) -> bool:
        """A late packet's timestamp is earlier by its distance, and by a pause between; else it is none."""
        clock = clock_rate or UNKNOWN_CLOCK
        expected = -behind * self.step
        return not expected - PAUSE_SECONDS * clock <= advance <= expected + FIT_SECONDS * clock

    def _outage(self, ahead: int, behind: int, advance: int) -> bool:
        """A long outage is loss, not a restart, when the timestamp went on exactly as far as the number says."""
        return self.step != 0 and behind > MAX_LATE and advance == self.step * ahead % (1 << 32)

    def _late(self, arrival: Arrival, segment: Segment, behind: int) -> None:
        number = segment.max - behind
        arrival.number = number
        if number in segment.received:
            arrival.place = Place.DUPLICATE
            return
        arrival.place = Place.LATE
        if number < segment.base:
            segment.spans.append(Span(number + 1, segment.base - 1, 0))
            segment.base = number
        segment.received.add(number)

    def _forward(self, arrival: Arrival, segment: Segment, ahead: int, advance: int) -> None:
        if ahead == 1 and advance:
            self._vote(advance)
        segment.spans.append(Span(segment.max + 1, segment.max + ahead - 1, arrival.second))
        segment.max += ahead
        segment.max_timestamp = arrival.timestamp
        segment.received.add(segment.max)
        arrival.place = Place.HIGHEST
        arrival.number = segment.max
        self.odd = None

    def _vote(self, step: int) -> None:
        if self._votes and step != self.step:
            self._votes -= 1
            return
        self.step = step
        self._votes = min(self._votes + 1, MOST_VOTES)

    def _restart(self, arrival: Arrival, first: Arrival) -> Arrival:
        """Two packets in sequence, far from the others: the sender began anew (A.1)."""
        segment = segment_at(first)
        self.segments.append(segment)
        first.place, first.begins = Place.HIGHEST, True
        first.segment = arrival.segment = len(self.segments) - 1
        first.number = segment.base
        self._forward(arrival, segment, 1, (arrival.timestamp - first.timestamp) % (1 << 32))
        return first
