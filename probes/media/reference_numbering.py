"""Where a packet belongs among the sequence numbers of its stream: the plain Python reference of RFC 3550 A.1.

Every arrival is kept with the place it was given; what follows from the places is computed afterwards
(`reference_delay`, `reference_seconds`).
"""

from dataclasses import dataclass, field
from enum import Enum, auto

from probes.media.payload import Format, Kind

MAX_LATE = 1984  # packets: later than this a packet cannot be placed
MAX_DROPOUT = 3000  # RFC 3550 A.1
MIN_ODD_JUMP = 64  # packets: a smaller jump is loss or lateness, whatever its timestamp says
FIT_SECONDS = 2  # a timestamp this near what its sequence number says fits
PAIR_APART = 16  # numbers: two odd packets this near each other are of one new numbering
PAUSE_SECONDS = 60  # a late packet may have been sent before a pause of this length
UNKNOWN_CLOCK = 90_000  # Hz: the fastest usual one, where none is known
CYCLE = 1 << 16
MOST_VOTES = 255


class Place(Enum):
    """What an arrival was among the numbers of its stream."""

    HIGHEST = auto()  # it moved the highest number, or began a numbering
    LATE = auto()  # after a higher one
    DUPLICATE = auto()
    STRAY = auto()  # far from all others
    FORMER = auto()  # a duplicate from the numbering before the restart


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
    fits: bool = True  # its timestamp is one of its number
    era: int = 0  # how often the clock rate had changed

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
    second: int  # in which it was seen to begin
    spans: list[Span] = field(default_factory=list)

    @property
    def expected(self) -> int:
        return self.max - self.base + 1

    def losses(self) -> list[tuple[int, int]]:
        """Every number that never came, in order, with the second in which it was first expected."""
        spans = sorted(self.spans, key=lambda span: span.first)
        return [(n, span.second) for span in spans for n in range(span.first, span.last + 1) if n not in self.received]


def segment_at(arrival: Arrival, second: int) -> Segment:
    """A numbering that begins with this packet."""
    number = CYCLE + arrival.sequence
    return Segment(number, number, arrival.timestamp, {number}, second)


def signed(units: int) -> int:
    """A difference of timestamps, modulo 2^32, as the nearer of forward and backward."""
    return (units + (1 << 31)) % (1 << 32) - (1 << 31)


class Numbering:
    """The sequence numbers of one stream."""

    def __init__(self, first: Arrival) -> None:
        self.segments = [segment_at(first, 0)]
        self.odd: Arrival | None = None  # a stray that the next packet may explain
        self.step = 0  # timestamp units from packet to packet: the majority vote of Boyer and Moore; 0: unknown
        self._votes = 0
        self.jump = 0  # units by which the timestamp last jumped
        self._former: tuple[Segment, int] | None = None  # the numbering before the restart, and its step
        self._copies: list[Arrival] = []  # of the odd one
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
        later = advance + behind * self.step
        fits = _fits_behind(later, clock_rate)
        if behind <= MAX_LATE and (fits or _fits_behind(later + self.jump, clock_rate) or 0 < behind < MIN_ODD_JUMP):
            arrival.fits = fits
            self._late(arrival, segment, behind)
        elif self._goes_on(arrival, ahead, advance, clock_rate):
            self._forward(arrival, segment, ahead, advance)
        elif not self._is_former(arrival, clock_rate):
            return self._odd(arrival, clock_rate)
        return None

    def _is_former(self, arrival: Arrival, clock_rate: int) -> bool:
        """Whether the packet is late from before the restart: a duplicate there, else a stray, as that is closed."""
        if not self._former:
            return False
        segment, step = self._former
        behind = (segment.max - arrival.sequence) % CYCLE
        later = (arrival.timestamp - segment.max_timestamp + step * behind) % (1 << 32)
        if behind > MAX_LATE or not _fits_behind(later, clock_rate):
            return False
        arrival.place = Place.FORMER if segment.max - behind in segment.received else Place.STRAY
        return True

    def _odd(self, arrival: Arrival, clock_rate: int) -> Arrival | None:
        """A packet far from the others: a stray, unless it and the pending one are near each other (A.1)."""
        arrival.place = Place.STRAY
        if self.odd and arrival.sequence == self.odd.sequence:
            self._copies.append(arrival)
        elif self.odd and _pair(self.odd, arrival, clock_rate or UNKNOWN_CLOCK):
            return self._restart(arrival, self.odd)
        else:
            self.odd, self._copies = arrival, []
        return None

    def _goes_on(self, arrival: Arrival, ahead: int, advance: int, clock_rate: int) -> bool:
        """Whether the packet is later than the highest, with loss between, rather than of another numbering."""
        if 0 < ahead < MAX_DROPOUT:
            return not self._odd_ahead(arrival, ahead, signed(advance), clock_rate)
        return self._outage(ahead, advance)

    def _odd_ahead(self, arrival: Arrival, ahead: int, advance: int, clock_rate: int) -> bool:
        """A jump that its timestamp does not explain as loss, and that came too soon for so many lost packets."""
        if ahead < MIN_ODD_JUMP or not self.step or not clock_rate:
            return False
        expected = signed(self.step) * ahead
        fits = abs(advance - expected) <= FIT_SECONDS * clock_rate
        soon = arrival.idle_ns * 1e-9 < expected / clock_rate / 2
        return not fits and soon

    def _outage(self, ahead: int, advance: int) -> bool:
        """A long outage is loss, not a restart, when the timestamp went on exactly as far as the number says."""
        return self.step != 0 and ahead < CYCLE - MAX_LATE and advance == self.step * ahead % (1 << 32)

    def _late(self, arrival: Arrival, segment: Segment, behind: int) -> None:
        number = segment.max - behind
        arrival.number = number
        if number in segment.received:
            arrival.place = Place.DUPLICATE
            return
        arrival.place = Place.LATE
        if number < segment.base:
            segment.spans.append(Span(number + 1, segment.base - 1, segment.second))
            segment.base = number
        segment.received.add(number)

    def _forward(self, arrival: Arrival, segment: Segment, ahead: int, advance: int) -> None:
        if ahead == 1:
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
        """The sender began anew: at the pending packet, and the new one has its place by that one's number."""
        segment = segment_at(first, arrival.second)
        self._former = self.segments[-1], self.step
        self.segments.append(segment)
        self.step = self._votes = 0
        first.place, first.begins = Place.HIGHEST, True
        for packet in (first, arrival, *self._copies):
            packet.segment = len(self.segments) - 1
            packet.number = segment.base
        for copy in self._copies:
            copy.place = Place.DUPLICATE
        ahead = (arrival.sequence - first.sequence) % CYCLE
        if ahead <= PAIR_APART:
            self._forward(arrival, segment, ahead, (arrival.timestamp - first.timestamp) % (1 << 32))
        else:
            self._late(arrival, segment, CYCLE - ahead)
        self.odd = None
        return first


def _fits_behind(later: int, clock_rate: int) -> bool:
    """A late packet's timestamp is earlier by its distance, and by a pause between; `later` is how much it is not."""
    clock = clock_rate or UNKNOWN_CLOCK
    return -PAUSE_SECONDS * clock <= signed(later) <= FIT_SECONDS * clock


def _pair(odd: Arrival, arrival: Arrival, clock_rate: int) -> bool:
    """Whether two odd packets are of one numbering: in sequence, or near each other in number and timestamp."""
    ahead = (arrival.sequence - odd.sequence) % CYCLE
    near = min(ahead, CYCLE - ahead) <= PAIR_APART
    apart = abs(signed(arrival.timestamp - odd.timestamp))
    return ahead == 1 or (near and apart <= FIT_SECONDS * clock_rate)
