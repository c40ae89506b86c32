"""Which levels a page goes to and how long each has, by the policy that an incident carries. Pure."""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from alerting.escalation.step import Wait
from sereno.desk.people import ack_us, pages_at_once
from sereno.incident import IncidentRecord, Rung
from sereno.oncall import Duty, Roster

_ROUNDS = 3  # as declared; whom three rounds did not move is not moved by one every half hour
_RAREST_US = 24 * 3_600_000_000


class Call(NamedTuple):
    """The levels that are called, their people, and what is remarkable about it: (message, values)."""

    levels: tuple[int, ...]
    people: tuple[str, ...]
    remarks: tuple[tuple[str, dict[str, str]], ...]


def rungs_in(record: IncidentRecord) -> tuple[Rung, ...]:
    """The levels frozen into an incident; into one from before levels were kept, by its `level:person` lines."""
    if record.rungs or not record.policy:
        return record.rungs
    people: dict[int, list[str]] = {}
    for entry in record.policy:
        level, _, person = entry.partition(":")
        people.setdefault(int(level), []).append(person)
    if len(people) == 1:
        return ()  # everybody on one level: nothing to climb
    return tuple(
        Rung(
            level=f"L{level + 1}", people=tuple(people[level]), ack_us=ack_us(level, None),
            pages=pages_at_once(level, None),
        )
        for level in sorted(people)
    )  # fmt: skip


class Ladder:
    """The levels of one incident at an instant."""

    def __init__(self, rungs: Sequence[Rung], roster: Roster, at_us: int) -> None:
        self.rungs = rungs
        self._roster = roster
        self._at_us = at_us

    def at_once(self, priority: str, *, everybody: bool = False) -> Call:
        """The levels that a priority pages at once; a closed one is passed over to the next, never is nobody paged."""
        wanted = [place for place, rung in enumerate(self.rungs) if everybody or priority in rung.pages] or [0]
        manned = [place for place in wanted if self._open(place)]
        if not manned:
            manned = [place for place in range(max(wanted) + 1, len(self.rungs)) if self._open(place)][:1]
        if not manned:
            return self._call(wanted, (("no level is manned: it is paged all the same", {}),))
        return self._call(manned, self._passed([place for place in wanted if place < max(manned)]))

    def after(self, level: int) -> Call | None:
        """The next level that is manned; None after the last."""
        for place in range(level + 1, len(self.rungs)):
            if self._open(place):
                return self._call([place], self._passed(range(level + 1, place)))
        return None

    def call(self, levels: Collection[int]) -> Call:
        """These levels, manned or not."""
        return self._call(sorted(levels), ())

    def waits(self, levels: Collection[int], from_us: int, round_: int = 1) -> tuple[Wait, ...]:
        """How long each has, the next first. From the fourth round on they come ever more rarely."""
        return ordered(Wait(level, from_us + self._patience(level, round_)) for level in levels)

    def _patience(self, level: int, round_: int) -> int:
        ack_us = self.rungs[level].ack_us
        if round_ <= _ROUNDS or self.after(level) is not None:
            return ack_us
        return max(ack_us, min(ack_us << min(round_ - _ROUNDS, 20), _RAREST_US))

    def _open(self, place: int) -> bool:
        return self._duty(place).open

    def _duty(self, place: int) -> Duty:
        return self._roster.duty(self.rungs[place], self._at_us)

    def _passed(self, places: Collection[int]) -> tuple[tuple[str, dict[str, str]], ...]:
        closed = (place for place in places if not self._open(place))
        return tuple(
            ("{level} is closed at this hour: passed over", {"level": self.rungs[one].level}) for one in closed
        )

    def _call(self, levels: Sequence[int], remarks: tuple[tuple[str, dict[str, str]], ...]) -> Call:
        people: dict[str, None] = {}
        notes = list(remarks)
        for level in levels:
            duty = self._duty(level)
            people |= dict.fromkeys(duty.people)
            if duty.note is not None:
                notes.append((duty.note, duty.note_values))
        return Call(tuple(levels), tuple(people), tuple(notes))


def ordered(waits: Iterable[Wait]) -> tuple[Wait, ...]:
    """The next first."""
    return tuple(sorted(waits, key=lambda one: (one.due_us, one.level)))
