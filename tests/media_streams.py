"""RTP streams with every kind of trouble, made packet by packet, and what is true of them.

The truth comes from what was sent and in which order it arrived, never from a meter.
"""

import random
from dataclasses import dataclass, field, replace

from tests.media_captures import DST, SRC, START_NS, Rtp

EVENT, DYNAMIC = 101, 96


@dataclass(frozen=True)
class Plan:
    """What a sender and a network do; ratios are of packets, times of milliseconds."""

    seed: int
    packets: int = 300
    clock: int = 8000
    payload_type: int = 8
    packet_ms: int = 20
    loss: float = 0.0
    burst: int = 0  # packets lost in a row, once
    duplicates: float = 0.0
    duplicate_late: int = 0  # packets
    late: float = 0.0
    late_packets: int = 0
    jitter_ms: float = 0.0
    drift_ppm: float = 0.0
    restarts: int = 0
    keeps_clock: bool = False  # after a restart timestamps go on
    jumps: int = 0  # of the timestamp
    pauses: int = 0
    comfort_noise: bool = False  # in pauses
    digits: int = 0
    changes: int = 0  # of the payload type, between 8 and 0
    first: int | None = None
    timestamp: int | None = None


@dataclass(frozen=True)
class Sent:
    """One packet as it was sent."""

    life: int  # how often the sender began anew before
    position: int  # in that life
    era: int  # how often its timestamp had jumped
    at_ms: float
    packet: Rtp


@dataclass
class Truth:
    """What a meter must find."""

    packets: int = 0
    expected: int = 0
    lost: int = 0
    duplicates: int = 0
    reordered: int = 0
    restarts: int = 0
    loss_runs: int = 0
    loss_run_max: int = 0
    events: int = 0
    comfort_noise: int = 0
    payload_type_changes: int = 0
    timestamp_jumps: int = 0


@dataclass
class _Sender:
    plan: Plan
    rng: random.Random
    sent: list[Sent] = field(default_factory=list)
    life: int = 0
    position: int = 0
    era: int = 0
    at_ms: float = 0.0

    def __post_init__(self) -> None:
        self.step = self.plan.clock * self.plan.packet_ms // 1000
        self.sequence = self.rng.randrange(65_536) if self.plan.first is None else self.plan.first
        self.timestamp = self.rng.randrange(1 << 32) if self.plan.timestamp is None else self.plan.timestamp
        self.payload_type = self.plan.payload_type

    def send(self, payload_type: int, timestamp: int, *, marker: bool = False) -> None:
        packet = Rtp(0, self.sequence, timestamp, payload_type=payload_type, marker=marker, size=2)
        self.sent.append(Sent(self.life, self.position, self.era, self.at_ms, packet))
        self.sequence = (self.sequence + 1) % 65_536
        self.position += 1

    def media(self, *, marker: bool = False) -> None:
        self.send(self.payload_type, self.timestamp, marker=marker)
        self.go_on(self.plan.packet_ms)

    def go_on(self, milliseconds: float) -> None:
        self.at_ms += milliseconds
        self.timestamp = (self.timestamp + int(self.plan.clock * milliseconds / 1000)) % (1 << 32)

    def pause(self) -> None:
        """Silence; comfort noise at its start, which is sent with the number after the speech (RFC 3389)."""
        if self.plan.comfort_noise:
            self.send(13, self.timestamp)
        self.go_on(self.plan.packet_ms * self.rng.randrange(15, 150))
        self.media(marker=True)

    def digit(self) -> None:
        """RFC 4733: one timestamp for the whole event, the end three times."""
        begin = self.timestamp
        length = self.rng.randrange(4, 10)
        for index in range(length + 3):
            self.send(EVENT, begin, marker=index == 0)
            if index < length:
                self.go_on(self.plan.packet_ms)

    def restart(self) -> None:
        """A new numbering; far from the old one, so that nobody could take it for loss or lateness."""
        far = self.rng.randrange(8_000, 57_000)
        self.sequence = (self.sequence + far) % 65_536
        if not self.plan.keeps_clock:
            self.timestamp = self.rng.randrange(1 << 32)
        self.life += 1
        self.position = 0

    def jump(self) -> None:
        self.timestamp = (self.timestamp + self.plan.clock * self.rng.randrange(10, 5_000)) % (1 << 32)
        self.era += 1

    def change(self) -> None:
        self.payload_type = 0 if self.payload_type == 8 else 8


def sent_by(plan: Plan) -> list[Sent]:
    """Everything the plan's sender sends, in order; the things that happen are spread, and kept apart."""
    sender = _Sender(plan, random.Random(plan.seed))
    kinds = {
        sender.restart: plan.restarts, sender.jump: plan.jumps, sender.pause: plan.pauses,
        sender.digit: plan.digits, sender.change: plan.changes,
    }  # fmt: skip
    happenings = [action for action, count in kinds.items() for _ in range(count)]
    sender.rng.shuffle(happenings)
    each = max(8, plan.packets // (len(happenings) + 1))
    for action in [*happenings, None]:
        for _ in range(each):
            sender.media()
        if action:
            action()
    return sender.sent


def _kept(plan: Plan, sent: list[Sent], rng: random.Random) -> list[Sent]:
    """What is not lost: the ends of each life and its second packets stay, for nobody could know of them."""
    ends = {i for i, s in enumerate(sent) if s.position < 3 or i + 1 >= len(sent) or sent[i + 1].life != s.life}
    gone = {i for i in range(len(sent)) if rng.random() < plan.loss}
    if plan.burst and len(sent) > plan.burst + 20:
        start = rng.randrange(10, len(sent) - plan.burst - 5)
        gone |= set(range(start, start + plan.burst))
    return [s for i, s in enumerate(sent) if i in ends or i not in gone]


def _room(kept: list[Sent], index: int) -> int:
    """How many packets of the same life and era follow."""
    own = (kept[index].life, kept[index].era)
    end = next((i for i in range(index, len(kept)) if (kept[i].life, kept[i].era) != own), len(kept))
    return end - 1 - index


def arrivals_of(plan: Plan) -> list[Sent]:
    """What arrives, in order, each at its arrival time; first packets of a life are in order, and lives do not mix."""
    rng = random.Random(plan.seed + 1)
    kept = _kept(plan, sent_by(plan), rng)
    flying: list[tuple[int, float, int, Sent]] = []
    for index, s in enumerate(kept):
        at_ms = s.at_ms * (1 + plan.drift_ppm / 1e6) + rng.random() * plan.jitter_ms
        place: float = index
        room = _room(kept, index)
        if rng.random() < plan.late and plan.late_packets and s.position > 2 and room > 1:
            place += rng.randrange(1, min(plan.late_packets, room) + 1) + 0.5
        flying.append((s.life, place, index, replace(s, at_ms=at_ms)))
        if rng.random() < plan.duplicates and (plan.duplicate_late or room):
            behind = rng.randrange(0, min(plan.duplicate_late, room) + 1)
            flying.append((s.life, min(place + behind, index + room + 0.5) + 0.25, index, replace(s, at_ms=at_ms)))
    flying.sort(key=lambda f: f[:3])
    latest = 0.0
    result = []
    for _, _, _, s in flying:
        latest = max(latest, s.at_ms)
        at_ns = START_NS + round(latest * 1000) * 1000
        result.append(replace(s, packet=replace(s.packet, at_ns=at_ns)))
    return result


def truth_of(arrivals: list[Sent]) -> Truth:
    """Counted from what was sent: every figure by its own definition."""
    truth = Truth(packets=len(arrivals), restarts=len({s.life for s in arrivals}) - 1)
    for life in sorted({s.life for s in arrivals}):
        seen: set[int] = set()
        for s in arrivals:
            if s.life != life:
                continue
            truth.duplicates += s.position in seen
            truth.reordered += s.position not in seen and bool(seen) and s.position < max(seen)
            seen.add(s.position)
        missing = [p for p in range(min(seen), max(seen) + 1) if p not in seen]
        truth.expected += max(seen) - min(seen) + 1
        truth.lost += len(missing)
        truth.loss_runs += sum(p - 1 not in missing for p in missing)
        run = 0
        for p in range(min(seen), max(seen) + 1):
            run = 0 if p in seen else run + 1
            truth.loss_run_max = max(truth.loss_run_max, run)
    kinds = [s.packet.payload_type for s in arrivals]
    truth.events, truth.comfort_noise = kinds.count(EVENT), kinds.count(13)
    return truth


__all__ = ["DST", "DYNAMIC", "EVENT", "SRC", "Plan", "Sent", "Truth", "arrivals_of", "truth_of"]
